//! The program of `restart.c` in Rust: it becomes the one in the image on its standard input.
//!
//! `cargo run -p stasis-lib --example restart < self.image`

use std::io;

fn main() -> io::Result<()> {
    // It returns only if it fails.
    stasis::restart_self(io::stdin())
}
