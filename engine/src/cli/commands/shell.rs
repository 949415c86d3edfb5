//! `stasis completions` and `stasis man`: what shells and man(1) want, from the definitions of the command line.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::args::Cli;
use crate::cli::failure::Outcome;

/// Prints the completions for a shell.
pub fn completions(shell: Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "stasis", &mut text);
    std::io::stdout().write_all(&text).context("the completions could not be written")?;
    Ok(0)
}

/// Writes `stasis.1` and a page for each command.
pub fn man(dir: &Path) -> Outcome {
    fs::create_dir_all(dir).with_context(|| format!("{} could not be made", dir.display()))?;
    clap_mangen::generate_to(Cli::command(), dir)
        .with_context(|| format!("the manual could not be written into {}", dir.display()))?;
    Ok(0)
}
