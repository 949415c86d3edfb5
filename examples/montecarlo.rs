//! An estimate of pi that survives being killed: it checkpoints itself every so many seconds.
//!
//! ```sh
//! cargo run --release -p stasis-lib --example montecarlo POINTS SECONDS IMAGE
//! stasis restart IMAGE        # whenever it was killed: goes on from the newest image
//! ```
//!
//! An image is written beside the newest and takes its place when it is complete, so there is always a whole one. The
//! generator of random numbers is part of the image too: the result is that of a run without interruption.

use std::fs::{self, File};
use std::io;
use std::time::{Duration, Instant};

/// Points between two looks at the clock.
const BATCH: u64 = 1 << 16;

/// xorshift64* (Vigna, 2014).
struct Random(u64);

impl Random {
    /// A number from 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [points, seconds, image] = args.as_slice() else {
        return Err(io::Error::other("usage: montecarlo POINTS SECONDS IMAGE"));
    };
    let wrong = |what: &str| io::Error::other(format!("{what} is no number"));
    let points: u64 = points.parse().map_err(|_| wrong(points))?;
    let every = Duration::from_secs_f64(seconds.parse().map_err(|_| wrong(seconds))?);

    let mut random = Random(0x5eed_5eed_5eed_5eed);
    let (mut done, mut inside) = (0u64, 0u64);
    let mut last = Instant::now();
    while done < points {
        for _ in 0..BATCH.min(points - done) {
            let (x, y) = (random.next(), random.next());
            inside += u64::from(x * x + y * y < 1.0);
            done += 1;
        }
        if last.elapsed() >= every {
            save(image)?;
            last = Instant::now();
        }
    }
    println!("{inside} of {points} points inside, pi is about {}", 4.0 * inside as f64 / points as f64);
    Ok(())
}

/// Writes an image and gives it its name. A restarted process comes back here and goes on.
fn save(image: &str) -> io::Result<()> {
    let unfinished = format!("{image}.part");
    if stasis::checkpoint_self(File::create(&unfinished)?)? > 0 {
        fs::rename(unfinished, image)?;
    }
    Ok(())
}
