//! `cargo xtask lint`: formatting and clippy, natively and for the browser, with warnings as errors; and what clippy does
//! not look for: modules that import each other in a circle, and things done outside the one place for them.

mod circles;
mod places;
mod source;

use anyhow::{Result, bail};

use crate::step::{self, cargo, step};
use crate::{tools, web};

/// The packages whose modules are looked at.
const PACKAGES: [&str; 6] = ["engine", "format", "libstasis", "tests", "web", "xtask"];

/// Runs all lints, or the one over modules alone, which takes a second; stops at the first that complains.
pub fn run(only: &[String]) -> Result<()> {
    step("modules", modules)?;
    if only.iter().any(|name| name == "modules") {
        return Ok(());
    }
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

/// Where modules import each other in a circle, and what stands in a place that is not its own.
fn modules() -> Result<()> {
    let mut found = Vec::new();
    for package in PACKAGES.into_iter().filter(|package| std::path::Path::new(package).join("src").is_dir()) {
        let sources = source::read(package)?;
        found.extend(circles::find(package, &sources));
        if package == "engine" {
            found.extend(places::find(&sources));
        }
    }
    if found.is_empty() { Ok(()) } else { bail!("{}", found.join("\n")) }
}
