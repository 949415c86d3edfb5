//! The program of `self.c` in Rust: `cargo run -p stasis-lib --example self /tmp/cr-self.out > self.image`.
//!
//! It opens a file, duplicates a descriptor, writes a line, checkpoints itself to standard output, writes what the call
//! returned, and spins.

use std::fs::File;
use std::io::{self, Write};

fn main() -> io::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "/tmp/cr-self.out".into());
    let mut file = File::create(name)?;
    let mut second = file.try_clone()?;
    file.write_all(b"hello, world!\n")?;

    let ret = stasis::checkpoint_self(io::stdout())?;

    second.write_all(b"world, hello!\n")?;
    writeln!(file, "ret = {ret}")?;
    loop {
        std::hint::spin_loop();
    }
}
