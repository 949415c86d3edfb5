//! pidfds: a hold on a process that outlives its number, and on its descriptors (pidfd_getfd(2)).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

fn own(fd: i64) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: every caller passes the result of a call that has just made the descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Opens a pidfd.
pub fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: only numbers are passed.
    own(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Duplicates descriptor `fd` of the process into ours: the same open file description.
pub fn getfd(pidfd: &OwnedFd, fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: only numbers are passed.
    own(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) })
}
