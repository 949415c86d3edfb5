//! The processes of an image as the tree that they are: in which order to list them, and how to draw it.
//!
//! An image has parents before their children and nothing more; a list in its order with every process indented by
//! its depth would show children under the wrong parent.

use std::collections::HashMap;

/// Depth at which a drawing stops to go to the right.
const MAX_DEPTH: u32 = 64;

/// Where a process stands in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its position in what was given.
    pub at: usize,
    /// Ancestors that it has.
    pub depth: u32,
}

/// All of `tasks`, each given by its object and that of its parent, every one behind its parent and in front of its
/// parent's next child. What has no parent among those before it is a root, so that a circle is none.
pub fn preorder(tasks: &[(u32, u32)]) -> Vec<Place> {
    let mut known: HashMap<u32, usize> = HashMap::with_capacity(tasks.len());
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
    let mut roots = Vec::new();
    for (at, (id, parent)) in tasks.iter().enumerate() {
        match known.get(parent).filter(|_| *parent != 0).and_then(|up| children.get_mut(*up)) {
            Some(siblings) => siblings.push(at),
            None => roots.push(at),
        }
        known.entry(*id).or_insert(at);
    }
    let mut out = Vec::with_capacity(tasks.len());
    let mut stack: Vec<Place> = roots.iter().rev().map(|at| Place { at: *at, depth: 0 }).collect();
    while let Some(place) = stack.pop() {
        out.push(place);
        let below = children.get(place.at).map(Vec::as_slice).unwrap_or_default();
        stack.extend(below.iter().rev().map(|at| Place { at: *at, depth: place.depth + 1 }));
    }
    out
}

/// A piece of the drawing in front of a process, as wide as one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Nothing passes.
    Blank,
    /// The line of an ancestor that has more children below.
    Pass,
    /// This child, and more below it.
    Tee,
    /// The last child.
    Elbow,
}

impl Wire {
    /// The piece in characters.
    pub fn text(self) -> &'static str {
        match self {
            Self::Blank => "   ",
            Self::Pass => "│  ",
            Self::Tee => "├─ ",
            Self::Elbow => "└─ ",
        }
    }
}

/// What is drawn in front of each of the depths of a list in [`preorder`].
pub fn wires(depths: &[u32]) -> Vec<Vec<Wire>> {
    // From the last one up: whether a level goes on below.
    let mut goes_on: Vec<bool> = Vec::new();
    let mut out: Vec<Vec<Wire>> = depths
        .iter()
        .rev()
        .map(|depth| {
            let depth = (*depth).min(MAX_DEPTH) as usize;
            goes_on.resize(depth + 1, false);
            let wire = |level: usize| match (level == depth, goes_on.get(level).copied().unwrap_or(false)) {
                (true, true) => Wire::Tee,
                (true, false) => Wire::Elbow,
                (false, true) => Wire::Pass,
                (false, false) => Wire::Blank,
            };
            let row = (1..=depth).map(wire).collect();
            if let Some(level) = goes_on.get_mut(depth) {
                *level = true;
            }
            row
        })
        .collect();
    out.reverse();
    out
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, Wire, preorder, wires};

    fn drawn(tasks: &[(u32, u32)]) -> Vec<String> {
        let places = preorder(tasks);
        let depths: Vec<u32> = places.iter().map(|place| place.depth).collect();
        let rows = wires(&depths).into_iter().zip(&places);
        rows.map(|(row, place)| {
            row.into_iter().map(Wire::text).collect::<String>() + &tasks[place.at].0.to_string()
        })
        .collect()
    }

    #[test]
    fn children_stand_below_their_parent_whatever_the_order_of_the_image() {
        // Breadth first, as a walk over /proc/PID/task/TID/children may give it.
        let tasks = [(1, 0), (2, 1), (3, 1), (4, 2), (5, 3), (6, 2), (7, 5)];
        assert_eq!(drawn(&tasks), ["1", "├─ 2", "│  ├─ 4", "│  └─ 6", "└─ 3", "   └─ 5", "      └─ 7"]);
    }

    #[test]
    fn every_task_is_listed_once_whatever_the_parents_say() {
        for tasks in [&[(1, 1), (2, 3), (3, 2), (2, 2), (0, 0), (9, 1)][..], &[]] {
            let mut seen: Vec<usize> = preorder(tasks).iter().map(|place| place.at).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..tasks.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_chain_of_many_is_drawn_no_wider_than_a_screen() {
        let chain: Vec<(u32, u32)> = (1..=1000).map(|id| (id, id - 1)).collect();
        let depths: Vec<u32> = preorder(&chain).iter().map(|place| place.depth).collect();
        assert_eq!(depths.last(), Some(&999));
        assert_eq!(wires(&depths).iter().map(Vec::len).max(), Some(MAX_DEPTH as usize));
    }
}
