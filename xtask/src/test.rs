//! `cargo xtask test`: installs what is missing, then runs every test there is.
//!
//! Words after `test` go to the test binaries, so `cargo xtask test pipe` runs the tests with "pipe" in their name.
//! The last line, alone, is the sum over all runs.

use anyhow::Result;

use crate::step::{self, cargo, step};
use crate::tally::Tally;
use crate::{tools, web};

/// Runs all tests whose names contain one of `filter`, or all of them.
pub fn run(filter: &[String]) -> Result<()> {
    tools::ensure_programs()?;
    tools::ensure_wasm_target()?;
    tools::ensure_wasm_bindgen()?;
    // No package is named: with the same set of packages in every command, no dependency is built twice.
    step("build the engine and the tests", || {
        step::run(&mut cargo(["build"]))?;
        step::run(&mut cargo(["test", "--no-run"]))
    })?;
    let mut tally = Tally::default();
    step("format, engine, command line and end-to-end tests", || tally.run(&mut test_command(&[], filter)))?;
    step("the format in WebAssembly", || tally.run(&mut wasm_test_command(filter)))?;
    if web::present() {
        tools::ensure_browser()?;
        tally.check("the inspector builds", web::build());
        let viewer = build_viewer();
        let is_built = viewer.is_ok();
        tally.check("the engine builds with the inspector in it", viewer);
        if is_built {
            step("stasis view", || tally.run(&mut view_test_command(filter)))?;
        }
        step("test the inspector", || tally.run(&mut test_command(&["--package", "stasis-web"], filter)))?;
        step("its worker in a browser", || tally.run(&mut worker_test_command(filter)))?;
        web::test(&mut tally, filter)?;
    }
    tally.close()
}

fn test_command(packages: &[&str], filter: &[String]) -> std::process::Command {
    let mut command = cargo(["test", "--no-fail-fast"]);
    command.args(packages).arg("--").args(filter);
    command.env("STASIS_BIN", step::target_dir().join("debug/stasis"));
    command
}

/// Builds the engine once more, with the inspector that was built before. In the same directory and with the same set
/// of packages, so that only the engine itself is built twice; the second command puts the plain one back in its place.
fn build_viewer() -> Result<()> {
    step("build the engine with the inspector in it", || {
        step::run(&mut cargo(["build", "--features", "stasis-engine/viewer"]))?;
        std::fs::copy(step::target_dir().join("debug/stasis"), web::viewer())?;
        step::run(&mut cargo(["build"]))
    })
}

/// The tests that were left out before for want of a viewer.
fn view_test_command(filter: &[String]) -> std::process::Command {
    let mut command = cargo(["test", "--no-fail-fast", "--test", "view", "--"]);
    if filter.is_empty() {
        command.arg("built_in");
    }
    command.args(filter).env("STASIS_BIN", step::target_dir().join("debug/stasis"));
    command.env("STASIS_VIEWER_BIN", web::viewer());
    command
}

/// The format's own tests as the browser would run it; wasm-bindgen's runner takes them to node.
fn wasm_test_command(filter: &[String]) -> std::process::Command {
    let mut command = cargo(["test", "--no-fail-fast", "--package", "stasis-format"]);
    command.args(["--target", "wasm32-unknown-unknown", "--test", "wasm", "--"]).args(filter);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner");
    command
}

/// What only a browser has: the worker's reading of files, in headless Chromium.
fn worker_test_command(filter: &[String]) -> std::process::Command {
    let mut command = cargo(["test", "--no-fail-fast", "--package", "stasis-web"]);
    command.args(["--target", "wasm32-unknown-unknown", "--test", "browser", "--"]).args(filter);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner");
    // Two cores that build something else besides take their time.
    command.env("WASM_BINDGEN_TEST_TIMEOUT", "120").env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60");
    command
}
