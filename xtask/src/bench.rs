//! `cargo xtask bench`: the engine's own benchmark programs, in a release build.

use anyhow::Result;
use std::process::Command;

use crate::step;

/// The programs, in this order.
const PROGRAMS: [&str; 3] = ["bench", "bench-self", "bench-run"];

/// Builds and runs the benchmarks; arguments go on to them.
pub fn run(args: &[String]) -> Result<()> {
    let engine = step::build_engine()?.canonicalize()?;
    step::step("build the benchmarks", || {
        step::run(&mut step::cargo(["build", "--release", "--package", "stasis-tests", "--bins"]))
    })?;
    PROGRAMS.iter().try_for_each(|name| {
        let program = step::target_dir().join("release").join(name);
        step::run(Command::new(program).env("STASIS_BIN", &engine).args(args))
    })
}
