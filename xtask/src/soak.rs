//! `cargo xtask soak`: the end-to-end tests in a release build, again and again, until one fails or the rounds are up.

use anyhow::{Context, Result};

use crate::step::{cargo, step};
use crate::tally::Tally;
use crate::tools;

/// Rounds when none are asked for.
const ROUNDS: u32 = 20;

/// Runs `ROUNDS` rounds, or as many as the first argument says.
pub fn run(args: &[String]) -> Result<()> {
    let rounds = match args.first() {
        Some(word) => word.parse().with_context(|| format!("{word:?} is no number of rounds"))?,
        None => ROUNDS,
    };
    tools::ensure_programs()?;
    let engine = crate::step::build_engine()?.canonicalize()?;
    let mut tally = Tally::default();
    for round in 1..=rounds {
        step(&format!("round {round} of {rounds}"), || {
            tally.run(cargo(["test", "--release", "--package", "stasis-tests"]).env("STASIS_BIN", &engine))
        })?;
    }
    tally.close()
}
