//! `stasis syscall`: the two calls of the patch, on descriptors that the shell opened.

use std::fs;
use std::io::Write as _;

use anyhow::Context as _;
use stasis_engine::revision1;
use stasis_format::show::hex;

use crate::cli::args::Syscall;
use crate::cli::failure::Outcome;

/// Makes one call and prints one line. What the call returns is in the line, not in the exit code.
pub fn run(call: &Syscall) -> Outcome {
    match *call {
        Syscall::Checkpoint { pid, fd, flags } => {
            eprintln!("ret {}", revision1::sys_checkpoint(pid, fd, flags));
        }
        Syscall::Restart { crid, fd, flags, kernel } => {
            // So that whether the call changes the name can be seen.
            fs::write("/proc/self/comm", "before").context("the name of this process could not be set")?;
            let done = match kernel {
                Some(kernel) => revision1::sys_restart_as(crid, fd, flags, kernel),
                None => revision1::sys_restart_here(crid, fd, flags),
            };
            let line = format!("ret {} off {} comm {}\n", done.ret, done.taken, hex(&done.comm));
            std::io::stdout().write_all(line.as_bytes())?;
        }
    }
    Ok(0)
}
