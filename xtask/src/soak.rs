//! `cargo xtask soak`: the end-to-end tests in a release build, again and again, then every fuzz target for a while.

use anyhow::{Context, Result};
use std::process::{Command, Stdio};

use crate::step::{self, cargo, step};
use crate::tally::Tally;
use crate::tools;

/// Rounds when none are asked for.
const ROUNDS: u32 = 20;
/// Seconds that each fuzz target runs.
const FUZZ_SECONDS: u32 = 300;

/// Runs `ROUNDS` rounds, or as many as the first argument says.
pub fn run(args: &[String]) -> Result<()> {
    let rounds = match args.first() {
        Some(word) => word.parse().with_context(|| format!("{word:?} is no number of rounds"))?,
        None => ROUNDS,
    };
    tools::ensure_programs()?;
    let engine = step::build_engine()?.canonicalize()?;
    let mut tally = Tally::default();
    for round in 1..=rounds {
        step(&format!("round {round} of {rounds}"), || {
            tally.run(cargo(["test", "--release", "--package", "stasis-tests"]).env("STASIS_BIN", &engine))
        })?;
    }
    fuzz(&mut tally)?;
    tally.close()
}

/// Runs the targets of `format/fuzz`, which takes cargo-fuzz. Its flags are for a nightly toolchain, on which binrw's macro
/// does not build; the stable one takes them, too, when told so.
fn fuzz(tally: &mut Tally) -> Result<()> {
    let fuzz = |args: &[&str]| {
        let mut command: Command = cargo(["fuzz"]);
        command.args(args).current_dir("format").env("RUSTC_BOOTSTRAP", "1");
        command
    };
    let listed = fuzz(&["list"]).stderr(Stdio::null()).output().ok().filter(|output| output.status.success());
    let Some(listed) = listed else {
        println!("not fuzzed: `cargo install cargo-fuzz` is needed for it");
        return Ok(());
    };
    for target in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
        let time = format!("-max_total_time={FUZZ_SECONDS}");
        // What is found goes into the first directory, the seeds are where it starts.
        let corpus = format!("fuzz/corpus/{target}");
        std::fs::create_dir_all(format!("format/{corpus}"))?;
        let run = step(&format!("fuzz {target}"), || {
            step::run(&mut fuzz(&["run", target, &corpus, "fuzz/seeds", "--", &time]))
        });
        tally.check(&format!("fuzz target {target}"), run);
    }
    Ok(())
}
