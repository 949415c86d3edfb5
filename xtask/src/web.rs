//! Builds and tests the browser inspector.

use anyhow::Result;
use std::path::Path;
use std::process::Command;

use crate::step::{run, step};
use crate::tally::Tally;
use crate::tools;

/// Where the browser tests and their node packages are.
const TESTS: &str = "tests/web";

/// Whether this repository has the inspector.
pub fn present() -> bool {
    Path::new("web/Cargo.toml").is_file()
}

/// Where the engine with the inspector in it is put, for the tests that want one (`STASIS_VIEWER_BIN`).
pub fn viewer() -> std::path::PathBuf {
    crate::step::target_dir().join("debug/stasis-viewer")
}

/// Builds the inspector into `dist/` with Trunk, which prints what a first load costs over the wire.
pub fn build() -> Result<()> {
    tools::ensure_wasm_target()?;
    tools::ensure_wasm_bindgen()?;
    tools::ensure_trunk()?;
    step("build the inspector", || {
        run(&mut crate::step::cargo(["fetch", "--locked", "--target", "wasm32-unknown-unknown"]))?;
        // Trunk takes NO_COLOR for its own option and rejects the value "1"; --offline keeps it from downloading
        // the tools that were just installed.
        run(Command::new("trunk").args(["build", "--release", "--offline"]).env_remove("NO_COLOR"))
    })
}

/// Uses the built inspector in Chromium, with a sparse image of 10 GiB among others.
pub fn test(tally: &mut Tally, filter: &[String]) -> Result<()> {
    step("install the browser tests", || {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(TESTS))
    })?;
    let big = crate::step::target_dir().join("big-sparse.img");
    let mut make = crate::step::cargo(["run", "--package", "stasis-web", "--example", "big_sparse", "--"]);
    step("write an image of 10 GiB with holes", || run(make.arg(&big)))?;
    let family = crate::step::target_dir().join("family");
    let mut make = crate::step::cargo(["run", "--package", "stasis-web", "--example", "family", "--"]);
    step("write images of a process tree", || run(make.arg(&family)))?;
    let mut node = Command::new("node");
    node.env("STASIS_FAMILY", std::path::absolute(family)?);
    node.arg("e2e.mjs").args(filter).current_dir(TESTS).env("STASIS_BIG", std::path::absolute(&big)?);
    node.env("STASIS_BIN", std::path::absolute(crate::step::target_dir().join("debug/stasis"))?);
    let viewer = viewer();
    if viewer.is_file() {
        node.env("STASIS_VIEWER_BIN", std::path::absolute(viewer)?);
    }
    let result = step("use the inspector in a browser", || tally.run(&mut node));
    std::fs::remove_file(&big)?;
    result
}
