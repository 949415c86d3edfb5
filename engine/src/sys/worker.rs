//! fork(2) of the process that does the work of a checkpoint, apart from the terminal and the shell's job.
#![allow(unsafe_code)]

use std::io;

/// Which of the two processes this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that was called, with the pid of the other.
    Front(i32),
    /// The new one.
    Worker,
}

/// Forks a worker in a session of its own (setsid(2)), so that no signal of a terminal reaches it, and which gets
/// SIGTERM when the thread that called this ends (`PR_SET_PDEATHSIG`, prctl(2)).
///
/// # Errors
/// `EBUSY` when the process has more than one thread: the others would be missing in the worker, and the locks that
/// they hold would stay locked.
pub fn fork() -> io::Result<Side> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    // SAFETY: there is one thread, so the copy of the process is complete and no lock is held by a missing one.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: plain system calls on ourselves; setsid cannot fail, a new child leads no process group.
            unsafe {
                libc::setsid();
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            }
            Ok(Side::Worker)
        }
        pid => Ok(Side::Front(pid)),
    }
}
