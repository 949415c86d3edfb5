//! `cargo xtask bench`: the engine's own benchmark program, in a release build.

use anyhow::Result;
use std::process::Command;

use crate::step;

/// Builds and runs the benchmark; arguments go on to it.
pub fn run(args: &[String]) -> Result<()> {
    let engine = step::build_engine()?.canonicalize()?;
    step::step("build the benchmark", || {
        step::run(&mut step::cargo(["build", "--release", "--package", "stasis-tests", "--bin", "bench"]))
    })?;
    let program = step::target_dir().join("release/bench");
    step::run(Command::new(program).env("STASIS_BIN", engine).args(args))
}
