//! kcmp(2): whether two processes or descriptors share a kernel object.
#![allow(unsafe_code)]

use std::cmp::Ordering;
use std::io;

const KCMP_FILE: i32 = 0;
const KCMP_EPOLL_TFD: i32 = 7;

fn kcmp(pid1: i32, pid2: i32, what: i32, a: u64, b: u64) -> io::Result<Ordering> {
    // SAFETY: numbers, or for KCMP_EPOLL_TFD a pointer to a live structure.
    match unsafe { libc::syscall(libc::SYS_kcmp, pid1, pid2, what, a, b) } {
        0 => Ok(Ordering::Equal),
        1 => Ok(Ordering::Less),
        2 | 3 => Ok(Ordering::Greater),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Compares two open file descriptions.
pub fn file(pid1: i32, fd1: i32, pid2: i32, fd2: i32) -> io::Result<Ordering> {
    kcmp(pid1, pid2, KCMP_FILE, fd1 as u64, fd2 as u64)
}

/// Compares the description of `fd1` with the one that epoll instance `epfd` watches under number `tfd`; `toff` counts
/// descriptions that were added under the same number.
pub fn epoll_target(pid1: i32, fd1: i32, pid2: i32, epfd: i32, tfd: u32, toff: u32) -> io::Result<Ordering> {
    // struct kcmp_epoll_slot.
    let slot = [epfd as u32, tfd, toff];
    kcmp(pid1, pid2, KCMP_EPOLL_TFD, fd1 as u64, slot.as_ptr() as u64)
}
