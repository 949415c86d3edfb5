//! `stasis steps`: the steps that a checkpoint and a restart announce, one a line.

use std::io::Write as _;

use crate::cli::failure::Outcome;

/// Prints `checkpoint NAME` and `restart NAME` lines.
pub fn run() -> Outcome {
    let mut out = std::io::stdout().lock();
    for step in stasis_engine::checkpoint::STEPS {
        writeln!(out, "checkpoint {step}")?;
    }
    for step in stasis_engine::restart::STEPS {
        writeln!(out, "restart {step}")?;
    }
    Ok(0)
}
