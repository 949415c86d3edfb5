//! `cargo xtask serve`: builds the inspector and serves it on the loopback address.

use anyhow::{Result, ensure};
use std::process::Command;

use crate::step;
use crate::web;

/// Builds, then serves until interrupted.
pub fn run() -> Result<()> {
    ensure!(
        web::present(),
        "this revision has no inspector (web/Cargo.toml is missing), so there is nothing to serve"
    );
    web::build()?;
    step::run(
        Command::new("trunk")
            .args([
                "serve",
                "--release",
                "--offline",
                "--address",
                "127.0.0.1",
                "--port",
                "8080",
                "--no-autoreload=true",
            ])
            .env_remove("NO_COLOR"),
    )
}
