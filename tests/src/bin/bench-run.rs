//! What `stasis run` costs a program that makes other system calls: a million getppid(2), under it and without.
//!
//! `cargo xtask bench [ROUNDS]` builds all in release mode and runs this. The program that is measured is this one again.

use std::process::Command;
use std::time::Instant;

use stasis_tests::engine::{run, stasis_path};

/// Calls in a round.
const CALLS: u32 = 1_000_000;
/// Rounds unless the command line says otherwise.
const ROUNDS: usize = 9;

fn main() -> std::io::Result<()> {
    let word = std::env::args().nth(1);
    if word.as_deref() == Some("measured") {
        let start = Instant::now();
        for _ in 0..CALLS {
            std::hint::black_box(nix::unistd::getppid());
        }
        println!("{}", start.elapsed().as_secs_f64() * 1000.0);
        return Ok(());
    }
    let rounds = word.and_then(|word| word.parse().ok()).unwrap_or(ROUNDS).max(1);
    let this = std::env::current_exe()?;
    let milliseconds = |command: &mut Command| -> f64 {
        let out = run(command.arg(&this).arg("measured")).succeeded().stdout;
        out.trim().parse().unwrap_or(f64::NAN)
    };
    let (mut under, mut without) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        under.push(milliseconds(Command::new(stasis_path()).arg("run")));
        without.push(milliseconds(&mut Command::new("env")));
    }
    let (under, without) = (median(under), median(without));
    println!(
        "{CALLS} other system calls, median of {rounds}: {under:.0} ms under `stasis run`, {without:.0} ms without: {:.2} times, \
         {:.0} ns a call",
        under / without,
        (under - without) * 1e6 / f64::from(CALLS),
    );
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
