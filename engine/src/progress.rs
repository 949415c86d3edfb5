//! How far a checkpoint or restart has come: told to whoever watches, and the way to call it off.

/// Watches a checkpoint or restart. All methods have a default that does nothing.
pub trait Progress: Sync {
    /// A step begins; the names are those of [`STEPS`](crate::checkpoint::STEPS) and
    /// [`STEPS`](crate::restart::STEPS).
    fn step(&self, _name: &'static str) {}

    /// So many bytes of contents are to be moved.
    fn total(&self, _bytes: u64) {}

    /// So many more have been moved.
    fn advance(&self, _bytes: u64) {}

    /// Whether to give up at the next opportunity.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
