//! Records by owner, as a list of visible rows: flat lists alone, some 60 bytes a record.

use stasis_format::header::Kind;
use stasis_format::record::{FieldDef, Image, Index, Role, Task, definition};

/// Nodes with more children than this start folded.
const MANY: u32 = 64;
/// Trees with more rows than this start with what matters: the head, the processes, the end. Everything else of the same
/// owner is one row.
const SCREEN: usize = 20;
/// Records that stand together are one row if they are at least so many.
const GROUP: usize = 3;

/// A record as the tree knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Offset of its first byte.
    pub offset: u64,
    /// Length of its payload.
    pub len: u32,
    /// Type number.
    pub kind: i16,
    /// Owner, 0 for the image.
    pub parent: u32,
    /// Object that it defines, 0 for none.
    pub id: u32,
    /// Whether it cannot be read: then it reaches to the next one that can.
    pub lost: bool,
}

/// The tree.
#[derive(Debug, Default)]
pub struct Tree {
    /// In the order of the file.
    pub nodes: Vec<Node>,
    /// Objects by number, and the nodes that define them.
    objects: Vec<(u32, u32)>,
    /// Nodes by parent, those of one parent in the order of the file.
    by_parent: Vec<u32>,
    /// Owner of each node; itself for those at the top.
    owner: Vec<u32>,
    /// Nodes in the order of the tree, with depth and the number of nodes below.
    order: Vec<(u32, u8, u32)>,
    children: Vec<u32>,
    folded: Vec<bool>,
    /// Records that are one row while it is folded; the rows are numbered behind the nodes.
    groups: Vec<Vec<u32>>,
    /// Positions in `order`.
    visible: Vec<u32>,
}

impl Tree {
    /// Takes the nodes in the order of the file.
    pub fn new(nodes: Vec<Node>) -> Self {
        let count = nodes.len();
        // Flat lists throughout: of a million records, a list or a map for each is what memory goes to.
        let defined = || nodes.iter().zip(0u32..).filter(|(node, _)| node.id != 0);
        let mut objects: Vec<(u32, u32)> = Vec::with_capacity(defined().count());
        objects.extend(defined().map(|(node, at)| (node.id, at)));
        objects.sort_unstable();
        objects.dedup_by_key(|object| object.0);
        let mut owner: Vec<u32> = Vec::with_capacity(count);
        let mut children: Vec<u32> = vec![0; count];
        for (node, at) in nodes.iter().zip(0u32..) {
            // An owner stands before what it owns, so there are no circles.
            let parent = find(&objects, node.parent).filter(|parent| *parent < at);
            owner.push(parent.unwrap_or(at));
            if let Some(siblings) = parent.and_then(|parent| children.get_mut(parent as usize)) {
                *siblings += 1;
            }
        }
        let below = Below::new(&owner, &children);
        let mut gather = Gather { nodes: &nodes, groups: Vec::new() };
        let mut order: Vec<(u32, u8, u32)> = Vec::with_capacity(count);
        let is_top = |(owner, at): (&u32, u32)| (*owner == at).then_some(at);
        let top: Vec<u32> = owner.iter().zip(0u32..).filter_map(is_top).collect();
        let mut stack: Vec<(u32, u8)> = gather.rows(None, &top).into_iter().rev().map(|at| (at, 0)).collect();
        while let Some((at, depth)) = stack.pop() {
            order.push((at, depth, 0));
            let list = match (at as usize).checked_sub(count) {
                Some(group) => gather.groups.get(group).cloned().unwrap_or_default(),
                None => gather.rows(Some(at), below.of(at, &children)),
            };
            stack.extend(list.iter().rev().map(|child| (*child, depth.saturating_add(1))));
        }
        let groups = gather.groups;
        drop(below);
        // A process without others below it is one row, too, where rows are many.
        let is_folded = |(node, children): (&Node, &u32)| {
            *children > MANY || (count > SCREEN && Kind(node.kind) == Task::KIND && *children > 0)
        };
        let mut folded: Vec<bool> = nodes.iter().zip(&children).map(is_folded).collect();
        for (at, owner) in owner.iter().enumerate() {
            let is_child =
                *owner as usize != at && nodes.get(at).is_some_and(|node| Kind(node.kind) == Task::KIND);
            if let Some(folded) = folded.get_mut(*owner as usize).filter(|_| is_child) {
                *folded = false;
            }
        }
        folded.resize(count + groups.len(), true);
        children.extend(groups.iter().map(|group| group.len() as u32));
        // What is below a node ends where the depth comes back to its own.
        let mut open: Vec<usize> = Vec::new();
        for at in 0..=order.len() {
            let depth = order.get(at).map(|node| node.1);
            while let Some(last) = open.last().copied() {
                let Some(node) = order.get_mut(last) else { break };
                if depth.is_some_and(|depth| depth > node.1) {
                    break;
                }
                node.2 = (at - last - 1) as u32;
                open.pop();
            }
            open.push(at);
        }
        let mut by_parent: Vec<u32> = (0..count as u32).collect();
        by_parent.sort_by_key(|at| nodes.get(*at as usize).map_or(0, |node| node.parent));
        let visible = Vec::with_capacity(count);
        let mut tree = Self { nodes, objects, by_parent, owner, order, children, folded, groups, visible };
        tree.refresh();
        tree
    }

    /// Rows that are visible.
    pub fn rows(&self) -> u32 {
        self.visible.len() as u32
    }

    /// Node, depth, children and fold of a visible row.
    pub fn row(&self, row: u32) -> Option<(u32, u8, u32, Option<bool>)> {
        let (node, depth, _) = *self.order.get(*self.visible.get(row as usize)? as usize)?;
        let children = self.children.get(node as usize).copied().unwrap_or(0);
        let open = !self.folded.get(node as usize).copied().unwrap_or(false);
        Some((node, depth, children, (children > 0).then_some(open)))
    }

    /// The records of a row that stands for several.
    pub fn group(&self, row: u32) -> Option<&[u32]> {
        self.groups.get((row as usize).checked_sub(self.nodes.len())?).map(Vec::as_slice)
    }

    /// Node that defines an object.
    pub fn object(&self, id: u32) -> Option<u32> {
        find(&self.objects, id)
    }

    /// Node in the order of the file.
    pub fn node(&self, node: u32) -> Option<Node> {
        self.nodes.get(node as usize).copied()
    }

    /// Node whose bytes, or the contents behind them, include this offset.
    pub fn at(&self, offset: u64) -> Option<u32> {
        self.nodes.partition_point(|node| node.offset <= offset).checked_sub(1).map(|at| at as u32)
    }

    /// Owners from the outermost on, without the node.
    pub fn owners(&self, node: u32) -> Vec<u32> {
        let mut out = Vec::new();
        let mut at = node;
        while let Some(owner) = self.owner.get(at as usize).copied().filter(|owner| *owner < at) {
            out.push(owner);
            at = owner;
        }
        out.reverse();
        out
    }

    /// What an object owns, in the order of the file.
    pub fn of(&self, parent: u32) -> impl Iterator<Item = (u32, Node)> + '_ {
        let parent_of = |at: &u32| self.node(*at).map_or(0, |node| node.parent);
        let first = self.by_parent.partition_point(|at| parent_of(at) < parent);
        let from = self.by_parent.get(first..).unwrap_or_default();
        from.iter().map_while(move |at| Some((*at, self.node(*at).filter(|node| node.parent == parent)?)))
    }

    /// Folds or unfolds a node.
    pub fn fold(&mut self, node: u32, open: bool) {
        if let Some(folded) = self.folded.get_mut(node as usize) {
            *folded = !open;
            self.refresh();
        }
    }

    /// Unfolds the owners of a node and gives its row.
    pub fn reveal(&mut self, node: u32) -> u32 {
        let mut changed = false;
        let owners = self.owners(node);
        let in_group =
            |group: &Vec<u32>| owners.iter().chain([&node]).any(|at| group.binary_search(at).is_ok());
        let groups = self.groups.iter().zip(self.nodes.len() as u32..);
        let groups: Vec<u32> = groups.filter(|(group, _)| in_group(group)).map(|(_, row)| row).collect();
        for owner in owners.into_iter().chain(groups) {
            if let Some(folded) = self.folded.get_mut(owner as usize) {
                changed |= std::mem::replace(folded, false);
            }
        }
        if changed {
            self.refresh();
        }
        let is_it = |at: &u32| self.order.get(*at as usize).is_some_and(|entry| entry.0 == node);
        self.visible.iter().position(is_it).unwrap_or(0) as u32
    }

    fn refresh(&mut self) {
        self.visible.clear();
        let mut at = 0;
        while let Some((node, _, below)) = self.order.get(at).copied() {
            self.visible.push(at as u32);
            let folded = self.folded.get(node as usize).copied().unwrap_or(false);
            at += 1 + if folded { below as usize } else { 0 };
        }
    }
}

/// Makes one row of records that stand together and are alike in this: they are no processes.
struct Gather<'a> {
    nodes: &'a [Node],
    groups: Vec<Vec<u32>>,
}

impl Gather<'_> {
    /// The rows of what an owner has, or of what has none: nodes, and groups numbered behind them.
    fn rows(&mut self, owner: Option<u32>, list: &[u32]) -> Vec<u32> {
        let has_tasks = owner.is_none() || list.iter().any(|at| self.is_task(*at));
        if self.nodes.len() <= SCREEN || !has_tasks {
            return list.to_vec();
        }
        let mut out = Vec::new();
        let alike = |one: &u32, next: &u32| self.stays(owner, *one) == self.stays(owner, *next);
        let runs: Vec<&[u32]> = list.chunk_by(alike).collect();
        for run in runs {
            if run.len() < GROUP || run.first().is_some_and(|first| self.stays(owner, *first)) {
                out.extend_from_slice(run);
            } else {
                out.push((self.nodes.len() + self.groups.len()) as u32);
                self.groups.push(run.to_vec());
            }
        }
        out
    }

    fn is_task(&self, at: u32) -> bool {
        self.nodes.get(at as usize).is_some_and(|node| Kind(node.kind) == Task::KIND)
    }

    /// Whether a record has a row of its own: processes, what is damaged, and of what belongs to the image all but
    /// objects, what says more of them, and the index.
    fn stays(&self, owner: Option<u32>, at: u32) -> bool {
        let Some(node) = self.nodes.get(at as usize) else { return true };
        let kind = Kind(node.kind);
        let is_head = || owner.is_none() && node.id == 0 && kind != Index::KIND && !says_more(kind);
        node.lost || self.is_task(at) || is_head()
    }
}

/// Whether records of a kind say more of an object that stands elsewhere, as INODE_IDENTITY does: they go with the objects.
/// IMAGE names a task, and is what the file is about.
fn says_more(kind: Kind) -> bool {
    let is_about = |field: &FieldDef| matches!(field.role, Role::Always(_));
    kind != Image::KIND && definition(kind).is_some_and(|def| def.fields.iter().any(is_about))
}

/// Node that defines an object, 0 being none.
fn find(objects: &[(u32, u32)], id: u32) -> Option<u32> {
    let place = objects.binary_search_by_key(&id, |object| object.0).ok().filter(|_| id != 0)?;
    objects.get(place).map(|object| object.1)
}

/// What each node owns, one list behind the other.
struct Below {
    /// Where the list of a node ends.
    ends: Vec<u32>,
    lists: Vec<u32>,
}

impl Below {
    fn new(owner: &[u32], children: &[u32]) -> Self {
        let mut total = 0;
        let mut ends: Vec<u32> = Vec::with_capacity(children.len());
        for count in children {
            ends.push(total);
            total += count;
        }
        let mut lists = vec![0; total as usize];
        for (owner, at) in owner.iter().zip(0u32..).filter(|(owner, at)| **owner != *at) {
            let Some(end) = ends.get_mut(*owner as usize) else { continue };
            if let Some(slot) = lists.get_mut(*end as usize) {
                *slot = at;
            }
            *end += 1;
        }
        Self { ends, lists }
    }

    fn of(&self, node: u32, children: &[u32]) -> &[u32] {
        let end = self.ends.get(node as usize).copied().unwrap_or(0);
        let count = children.get(node as usize).copied().unwrap_or(0);
        self.lists.get((end - count) as usize..end as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Image, Kind, Node, Task, Tree};
    use stasis_format::record::{InodeIdentity, Warning};

    fn node(offset: u64, parent: u32, id: u32) -> Node {
        Node { offset, len: 8, kind: 1, parent, id, lost: false }
    }

    #[test]
    fn what_a_record_owns_stands_below_it_wherever_it_is_in_the_file() {
        let tree =
            Tree::new(vec![node(0, 0, 1), node(10, 0, 2), node(20, 1, 0), node(30, 2, 3), node(40, 3, 0)]);
        let rows: Vec<_> =
            (0..tree.rows()).filter_map(|row| tree.row(row)).map(|row| (row.0, row.1)).collect();
        assert_eq!(rows, [(0, 0), (2, 1), (1, 0), (3, 1), (4, 2)]);
        assert_eq!(tree.owners(4), [1, 3]);
    }

    #[test]
    fn folding_hides_what_is_below_and_revealing_shows_it_again() {
        let mut tree = Tree::new(vec![node(0, 0, 1), node(10, 1, 2), node(20, 2, 0), node(30, 0, 0)]);
        tree.fold(0, false);
        assert_eq!(tree.rows(), 2);
        assert_eq!(tree.reveal(2), 2);
        assert_eq!(tree.rows(), 4);
    }

    #[test]
    fn whatever_stands_between_head_processes_and_end_are_on_the_first_screen() {
        let task = |offset, parent, id| Node { kind: Task::KIND.0, ..node(offset, parent, id) };
        let mut nodes = vec![node(0, 0, 0), node(1, 0, 0)];
        nodes.extend((0..500).map(|n| node(10 + n, 0, 100 + n as u32)));
        nodes.push(task(1000, 0, 1));
        nodes.extend((0..40).map(|n| node(1001 + n, 1, 0)));
        nodes.extend([task(2000, 1, 2), node(2001, 2, 0), task(2002, 1, 3), node(2003, 3, 0)]);
        nodes.push(node(3000, 0, 0));
        let mut tree = Tree::new(nodes);
        let rows = |tree: &Tree| (0..tree.rows()).filter_map(|row| tree.row(row)).collect::<Vec<_>>();
        let first = rows(&tree);
        assert_eq!(first.len(), 8, "{first:?}");
        assert_eq!(tree.group(first[2].0).map(<[u32]>::len), Some(500));
        assert_eq!(tree.group(first[4].0).map(<[u32]>::len), Some(40));
        assert_eq!(first.iter().map(|row| row.1).collect::<Vec<_>>(), [0, 0, 0, 0, 1, 1, 1, 0]);
        // What is gone to is shown with its neighbours.
        assert_eq!(tree.reveal(5), 3 + 3);
        assert_eq!(rows(&tree).len(), 508);
        assert_eq!(tree.reveal(tree.nodes.len() as u32 - 4), 506, "below the process that it belongs to");
    }

    #[test]
    fn what_says_more_of_objects_is_one_row_with_them() {
        let of = |kind: Kind, offset| Node { kind: kind.0, ..node(offset, 0, 0) };
        let mut nodes = vec![node(0, 0, 0), of(Image::KIND, 1)];
        nodes.extend((0..30).map(|n| node(10 + n, 0, 100 + n as u32)));
        nodes.extend((0..30).map(|n| of(InodeIdentity::KIND, 50 + n)));
        nodes.push(of(Warning::KIND, 100));
        nodes.push(node(3000, 0, 0));
        let tree = Tree::new(nodes);
        let rows: Vec<_> = (0..tree.rows()).filter_map(|row| tree.row(row)).collect();
        assert_eq!(rows.len(), 5, "head, image, objects, warning, end: {rows:?}");
        assert_eq!(tree.group(rows[2].0).map(<[u32]>::len), Some(60));
    }

    #[test]
    fn an_owner_that_comes_later_or_is_itself_owns_nothing() {
        let tree = Tree::new(vec![node(0, 2, 1), node(10, 2, 2), node(20, 9, 0)]);
        assert_eq!(tree.rows(), 3);
        assert_eq!(tree.at(15), Some(1));
    }
}
