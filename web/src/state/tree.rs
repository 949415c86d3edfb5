//! The tree of records as a scrolled list: browsers cap the height of an element, so that in a tree of hundreds of
//! thousands of rows a pixel is more than its share of a row.

use super::{Command, State};
use crate::proto::{Request, Row};

/// Rows that are asked for beyond the visible ones, on both sides.
const MARGIN: u32 = 40;

/// This part of the state.
#[derive(Debug, Default)]
pub struct Tree {
    /// Number of the first row that the page has.
    pub first: u32,
    /// Rows that the page has.
    pub rows: Vec<Row>,
    /// Rows in all.
    pub total: u32,
    /// First row in sight.
    pub top: u32,
    /// Rows in sight.
    pub visible: u32,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The tree was scrolled.
    Scrolled {
        /// First row in sight.
        top: u32,
        /// Rows in sight.
        visible: u32,
    },
    /// Selects the record so many rows further down.
    Move(i64),
    /// Folds or unfolds a node.
    Fold {
        /// The node.
        node: u32,
        /// Whether what is below is shown.
        open: bool,
    },
    /// Folds or unfolds the selected record, or goes on to its owner or to what is below.
    FoldSelected(bool),
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    match action {
        Action::Scrolled { top, visible } => {
            state.tree.top = top;
            state.tree.visible = visible.max(1);
            state.ask_rows(false, out);
        }
        Action::Move(by) => {
            let row = state.record.as_ref().map_or(0, |record| record.row);
            let last = i64::from(state.tree.total.max(1) - 1);
            let row = i64::from(row).saturating_add(by).clamp(0, last) as u32;
            out.push(Command::Ask(match state.tree.row(row).map(|row| row.offset) {
                Some(offset) => Request::Reveal { offset },
                // One that the page does not have is selected all the same; the tree scrolls to it then.
                None => Request::RevealRow { row },
            }));
        }
        Action::Fold { node, open } => {
            out.push(Command::Ask(Request::Fold { node, open }));
            state.ask_rows(true, out);
        }
        Action::FoldSelected(open) => {
            let Some(record) = &state.record else { return };
            let (node, row) = (record.node, state.tree.row(record.row));
            let owner = record.owners.last().map(|owner| owner.1);
            match (row.and_then(|row| row.open), owner) {
                (Some(is_open), _) if is_open != open => reduce(state, Action::Fold { node, open }, out),
                (Some(true), _) if open => reduce(state, Action::Move(1), out),
                (_, Some(offset)) if !open => out.push(Command::Ask(Request::Reveal { offset })),
                _ => {}
            }
        }
    }
}

impl Tree {
    /// How it scrolls.
    pub fn scroll(&self) -> Scroll {
        Scroll { rows: self.total, visible: self.visible }
    }

    /// The row with this number, if the page has it.
    pub fn row(&self, row: u32) -> Option<&Row> {
        self.rows.get(row.checked_sub(self.first)? as usize)
    }

    /// Rows came. The answer to a fold has only the number of rows; the rows follow.
    pub(super) fn came(&mut self, first: u32, rows: Vec<Row>, total: u32) {
        self.total = total;
        if !rows.is_empty() || total == 0 {
            (self.first, self.rows) = (first, rows);
        }
    }
}

impl State {
    /// Asks for the rows in sight, if some are not there.
    pub(super) fn ask_rows(&self, always: bool, out: &mut Vec<Command>) {
        let tree = &self.tree;
        let first = tree.top.saturating_sub(MARGIN);
        let count = tree.visible + 2 * MARGIN;
        let wanted_end = (tree.top + tree.visible).min(tree.total);
        let has_end = tree.first + tree.rows.len() as u32;
        if always || tree.top < tree.first || wanted_end > has_end {
            out.push(Command::Ask(Request::Tree { first, count }));
        }
    }

    /// Brings a row into view, and asks for the rows anew: others may be folded now.
    pub(super) fn show_row(&mut self, row: u32, out: &mut Vec<Command>) {
        let tree = &mut self.tree;
        if row < tree.top || row + 2 > tree.top + tree.visible {
            tree.top = row.saturating_sub(tree.visible / 3);
            out.push(Command::ScrollTree(tree.top));
        }
        self.ask_rows(true, out);
    }
}

/// Height of a row in pixels; the style sheet says the same.
pub const TREE_ROW_PX: f64 = 24.0;
/// Height of the scrolled element at the most.
const MAX_PX: f64 = 8_000_000.0;

/// How a list of so many rows, of which some are visible at once, scrolls.
#[derive(Debug, Clone, Copy)]
pub struct Scroll {
    /// Rows in all.
    pub rows: u32,
    /// Rows in sight.
    pub visible: u32,
}

impl Scroll {
    /// Height of the scrolled element.
    pub fn height(self) -> f64 {
        (f64::from(self.rows) * TREE_ROW_PX).min(MAX_PX)
    }

    /// Whether rows are more than fit at their height.
    pub fn is_scaled(self) -> bool {
        f64::from(self.rows) * TREE_ROW_PX > MAX_PX
    }

    /// Where the scrollbar is when this row is the first in sight.
    pub fn px(self, row: u32) -> f64 {
        if self.is_scaled() {
            f64::from(row.min(self.last())) / f64::from(self.last()) * self.travel()
        } else {
            f64::from(row) * TREE_ROW_PX
        }
    }

    /// The first row in sight when the scrollbar is there.
    pub fn row(self, px: f64) -> u32 {
        if self.is_scaled() {
            (px / self.travel() * f64::from(self.last())).round().clamp(0.0, f64::from(self.last())) as u32
        } else {
            (px / TREE_ROW_PX) as u32
        }
    }

    /// The last row that can be the first in sight.
    fn last(self) -> u32 {
        self.rows.saturating_sub(self.visible.saturating_sub(1)).max(1)
    }

    /// How far the scrollbar goes.
    fn travel(self) -> f64 {
        (MAX_PX - f64::from(self.visible) * TREE_ROW_PX).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_PX, Scroll, TREE_ROW_PX};

    #[test]
    fn few_rows_stand_at_their_height() {
        let scroll = Scroll { rows: 1000, visible: 30 };
        assert_eq!((scroll.height(), scroll.px(10), scroll.row(245.0)), (24_000.0, 240.0, 10));
    }

    #[test]
    fn of_a_million_rows_every_one_is_reached_and_the_last_is_in_sight_at_the_end() {
        let scroll = Scroll { rows: 1_000_000, visible: 30 };
        assert!(scroll.is_scaled() && scroll.height() <= MAX_PX);
        for row in [0, 1, 2, 333_334, 999_000, 999_971] {
            assert_eq!(scroll.row(scroll.px(row)), row);
        }
        let end = scroll.row(MAX_PX - 30.0 * TREE_ROW_PX);
        assert!(end + 30 >= 1_000_000, "{end}");
        assert_eq!(scroll.row(2.0 * MAX_PX), end);
    }
}
