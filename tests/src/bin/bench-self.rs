//! How long one checkpoint of oneself takes: a process with 10 MiB of random data that calls libstasis, image on tmpfs,
//! against a plain write(2) of the same bytes.
//!
//! `cargo xtask bench [ROUNDS]` builds all in release mode and runs this behind the other benchmark. The process that is
//! measured is this program again, started without the descriptors that whoever runs it left open.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::time::Instant;

use stasis_tests::engine::run;
use stasis_tests::library;

/// Data of the process.
const SIZE: usize = 10 << 20;
/// Rounds unless the command line says otherwise.
const ROUNDS: usize = 20;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rounds = |word: Option<&String>| word.and_then(|word| word.parse().ok()).unwrap_or(ROUNDS).max(1);
    if args.first().is_some_and(|word| word == "measured") {
        return measure(rounds(args.get(1)));
    }
    let mut command = library::program(&std::env::current_exe()?);
    let rounds = rounds(args.first()).to_string();
    println!("{}", run(command.args(["measured", &rounds])).succeeded().stdout.trim_end());
    Ok(())
}

/// Checkpoints this process, and prints the medians.
fn measure(rounds: usize) -> io::Result<()> {
    let data = random();
    let mut image = tempfile::tempfile_in("/dev/shm")?;
    let mut copy = tempfile::tempfile_in("/dev/shm")?;
    let (mut saves, mut writes) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        saves.push(timed(&mut image, |image| stasis::checkpoint_self(image).map(drop))?);
        writes.push(timed(&mut copy, |copy| copy.write_all(&data))?);
        // It has no name, so it would be in the next image.
        copy.set_len(0)?;
    }
    println!(
        "one checkpoint of oneself, {} MiB of data, image on tmpfs, median of {rounds}: {:.1} ms; \
         a plain write of the data: {:.1} ms",
        SIZE >> 20,
        median(saves),
        median(writes),
    );
    Ok(())
}

/// Milliseconds that it takes to fill a file again.
fn timed(file: &mut File, body: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<f64> {
    file.set_len(0)?;
    file.rewind()?;
    let start = Instant::now();
    body(file)?;
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Bytes that no compression and no zero page makes less of.
fn random() -> Vec<u8> {
    let mut state = 0x5eed_5eed_5eed_5eed_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_ne_bytes()
    });
    words.take(SIZE / 8).flatten().collect()
}
