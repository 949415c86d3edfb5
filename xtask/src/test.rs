//! `cargo xtask test`: installs what is missing, then runs every test there is.
//!
//! Words after `test` go to the test binaries, so `cargo xtask test pipe` runs the tests with "pipe" in their name.
//! The last line, alone, is the sum over all runs.

use anyhow::Result;
use std::path::Path;

use crate::step::{self, cargo, step};
use crate::tally::Tally;
use crate::{tools, web};

/// Packages with native tests, in the order of their layers: what a later one builds on is tested first.
const PACKAGES: [&str; 4] = ["xtask", "stasis-format", "stasis-engine", "stasis-tests"];

/// Runs all tests whose names contain one of `filter`, or all of them.
pub fn run(filter: &[String]) -> Result<()> {
    tools::ensure_programs()?;
    tools::ensure_wasm_target()?;
    step("build the engine and the tests", || {
        step::run(&mut cargo(["build", "--package", "stasis-engine"]))?;
        step::run(&mut cargo(["test", "--workspace", "--no-run", "--quiet"]))
    })?;
    let mut tally = Tally::default();
    for package in PACKAGES {
        step(&format!("test {package}"), || tally.run(&mut test_command(package, filter)))?;
    }
    step("build the format for wasm", || {
        let built = step::run(&mut cargo([
            "build",
            "--package",
            "stasis-format",
            "--target",
            "wasm32-unknown-unknown",
        ]));
        tally.check("the format builds for wasm32-unknown-unknown", built);
        Ok(())
    })?;
    if web::present() {
        tools::ensure_browser()?;
        tally.check("the inspector builds", web::build());
        step("test the inspector", || tally.run(&mut test_command("stasis-web", filter)))?;
    }
    tally.close()
}

fn test_command(package: &str, filter: &[String]) -> std::process::Command {
    let mut command = cargo(["test", "--no-fail-fast", "--package", package]);
    command.arg("--").args(filter);
    command.env("STASIS_BIN", Path::new(&crate::step::target_dir()).join("debug/stasis"));
    command
}
