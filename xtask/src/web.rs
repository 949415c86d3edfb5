//! Builds the browser inspector, once the repository has one.

use anyhow::Result;
use std::path::Path;
use std::process::Command;

use crate::step::{run, step};
use crate::tools;

/// Whether this repository has the inspector.
pub fn present() -> bool {
    Path::new("web/Cargo.toml").is_file()
}

/// Builds the inspector into `dist/` with Trunk.
pub fn build() -> Result<()> {
    tools::ensure_wasm_target()?;
    tools::ensure_wasm_tools()?;
    step("build the inspector", || {
        // Trunk takes NO_COLOR for its own option and rejects the value "1"; --offline keeps it from downloading
        // the tools that were just installed.
        run(Command::new("trunk").args(["build", "--release", "--offline"]).env_remove("NO_COLOR"))
    })
}
