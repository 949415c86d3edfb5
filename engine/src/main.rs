//! The command `stasis`: parses, calls the engine, prints, and ends with the right code.
#![forbid(unsafe_code)]
#![allow(missing_docs)] // a program has no API; its help is in `cli`

mod cli;

use std::process::ExitCode;

use clap::Parser as _;
use tracing::level_filters::LevelFilter;

use cli::args::{Cli, Command};
use cli::commands;
use cli::failure::{self, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    tell_steps(cli.verbose);
    let outcome = match &cli.command {
        Command::Checkpoint(args) => commands::checkpoint::run(args),
        Command::Restart(args) => commands::restart::run(args),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::Validate(args) => commands::validate::run(args),
        Command::View(args) => commands::view::run(args),
        Command::Check => commands::check::run(),
        Command::Syscall(call) => commands::syscall::run(call),
        Command::Completions { shell } => commands::shell::completions(*shell),
        Command::Man { dir } => commands::shell::man(dir),
        Command::Run(args) => commands::run::run(args),
        Command::Call { operation } => commands::call::run(*operation),
        Command::Steps => commands::steps::run(),
    };
    // Whoever read our output has seen enough (`stasis inspect FILE | head`); of images every byte is wanted.
    let makes_images = matches!(cli.command, Command::Checkpoint(_) | Command::Restart(_));
    ExitCode::from(outcome.unwrap_or_else(|failure| match failure::is_broken_pipe(&failure.error) {
        true if !makes_images => failure::BROKEN_PIPE,
        _ => report(failure),
    }))
}

/// Prints a failure and gives its exit code.
fn report(failure: Failure) -> u8 {
    let Failure { error, hint, code } = failure;
    eprintln!("stasis: {}", sentence(&error));
    if let Some(hint) = hint {
        eprintln!("hint: {}", cli::text::harmless(&hint));
    }
    code
}

/// The error and its causes, without what one has said already of the next.
fn sentence(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !words.contains(&cause) {
            words.push_str(": ");
            words.push_str(&cause);
        }
    }
    cli::text::harmless(&words)
}

/// `-v`: what the engine says of itself goes to stderr, each line with the seconds since the start.
fn tell_steps(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_timer(tracing_subscriber::fmt::time::uptime())
        .with_target(verbose > 1)
        .init();
}
