//! The tree of records as a scrolled list: browsers cap the height of an element, so that in a tree of hundreds of
//! thousands of rows a pixel is more than its share of a row.

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
