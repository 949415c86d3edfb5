//! libstasis: a program checkpoints itself, and replaces itself by what it once saved.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! let image = std::fs::File::create("image.stasis")?;
//! match stasis::checkpoint_self(&image)? {
//!     0 => println!("restarted from the image"),
//!     id => println!("checkpoint {id} is written, and we go on"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The work is done by a helper, the program `stasis`, which is started for the time of one call and of which the caller
//! sees neither a signal nor a zombie.
//!
//! * [`wire`]: what caller and helper say to each other; the helper uses it too.
//! * `call`: one call from its beginning to both of its returns. `lock`: one call at a time.
//! * `spawn`: how the helper is started. `sys`: system calls. `c`: the names that C knows.
//!
//! Design constraints: every function may be called in a signal handler, in any thread, on any stack. So nothing is
//! allocated, no lock of the C library's is taken, and no signal comes in between. `unsafe` is in `sys`, `spawn` and
//! `c` only.
#![deny(unsafe_code)]

mod c;
mod call;
mod lock;
mod spawn;
mod sys;
pub mod wire;

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

pub use c::{NR_CHECKPOINT, NR_RESTART, stasis_checkpoint, stasis_restart};

/// Writes an image of the calling process to `fd`: a file, a pipe or a socket.
///
/// Returns twice, like fork(2): with a positive identifier in the process that goes on, which no other call in this
/// process returns, and with 0 in every process that is restarted from the image. All threads are in the image; those
/// of the original go on.
///
/// Errors are those of `stasis_checkpoint(3)`; after an error the process is as it was.
pub fn checkpoint_self(fd: impl AsFd) -> io::Result<i32> {
    call::checkpoint(0, fd.as_fd().as_raw_fd(), 0).map_err(io::Error::from_raw_os_error)
}

/// Replaces the calling process by the one in the image that `fd` gives, like execve(2), and returns only if that fails:
/// then nothing of the caller has been touched.
///
/// Under revision 1 (`STASIS_REV=1`), whose images hold no process, it sets the name of the calling thread and
/// succeeds.
pub fn restart_self(fd: impl AsFd) -> io::Result<()> {
    call::restart(0, fd.as_fd().as_raw_fd(), 0).map_err(io::Error::from_raw_os_error)
}
