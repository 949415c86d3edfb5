//! `cargo xtask lint`: formatting and clippy, natively and for the browser, with warnings as errors.

use anyhow::Result;

use crate::step::{self, cargo, step};
use crate::{tools, web};

/// Runs all lints; stops at the first that complains.
pub fn run() -> Result<()> {
    step("rustfmt", || step::run(&mut cargo(["fmt", "--all", "--check"])))?;
    step("clippy", || {
        step::run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    tools::ensure_wasm_target()?;
    let mut wasm = vec!["clippy", "--target", "wasm32-unknown-unknown", "--package", "stasis-format"];
    if web::present() {
        wasm.extend(["--package", "stasis-web"]);
    }
    wasm.extend(["--", "-D", "warnings"]);
    step("clippy for wasm", || step::run(&mut cargo(wasm)))
}
