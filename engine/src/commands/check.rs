//! `stasis check`.

use crate::failure::Outcome;

/// Says what this host can do.
pub fn run() -> Outcome {
    Ok(0)
}
