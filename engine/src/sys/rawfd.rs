//! read(2) and write(2) on a descriptor that the caller names by its number, as the two calls of revision 1 take it.
//!
//! A number that is not open is an error of the kernel's (`EBADF`), so nothing is assumed about it. Errors are errno.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

fn check(ret: isize) -> Result<usize, i32> {
    usize::try_from(ret).map_err(|_| io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

/// Whether the number is open, as `F_GETFD` of fcntl(2) finds it: 0 or `EBADF`.
pub fn is_open(fd: RawFd) -> Result<(), i32> {
    // SAFETY: only numbers are passed.
    check(unsafe { libc::fcntl(fd, libc::F_GETFD) } as isize).map(drop)
}

/// Takes over a descriptor that whoever started this process has opened for it. To be called once for a number, and before
/// anything else could have opened one.
pub fn take(fd: RawFd) -> Result<OwnedFd, i32> {
    is_open(fd)?;
    // SAFETY: it is open, and by the contract above nobody else in this process knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// One read(2).
pub fn read(fd: RawFd, buf: &mut [u8]) -> Result<usize, i32> {
    // SAFETY: the kernel writes into `buf`, which is borrowed for the call, and not beyond its length.
    check(unsafe { libc::read(fd, buf.as_mut_ptr().cast(), buf.len()) })
}

/// One write(2). A broken pipe is `EPIPE` and no SIGPIPE, whatever its action is: the signal that this write makes is
/// for the calling thread (signal(7)), where it is blocked, taken and forgotten.
pub fn write(fd: RawFd, buf: &[u8]) -> Result<usize, i32> {
    // SAFETY: an all-zero sigset_t is valid memory for the calls that fill it.
    let (mut pipe, mut old, mut pending): (libc::sigset_t, libc::sigset_t, libc::sigset_t) =
        unsafe { std::mem::zeroed() };
    // SAFETY: the sets are live locals; the signal number is valid.
    let was_pending = unsafe {
        libc::sigemptyset(&mut pipe);
        libc::sigaddset(&mut pipe, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &pipe, &mut old);
        libc::sigpending(&mut pending);
        libc::sigismember(&pending, libc::SIGPIPE) == 1
    };
    // SAFETY: the kernel reads from `buf`, which is borrowed for the call, and not beyond its length.
    let done = check(unsafe { libc::write(fd, buf.as_ptr().cast(), buf.len()) });
    if done == Err(libc::EPIPE) && !was_pending {
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the set and the time outlive the call, no siginfo is asked for.
        unsafe { libc::sigtimedwait(&pipe, std::ptr::null_mut(), &now) };
    }
    // SAFETY: `old` was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &old, std::ptr::null_mut()) };
    done
}

/// Waits until the descriptor can be read, or written, or is broken (poll(2)).
pub fn wait_ready(fd: RawFd, to_write: bool) -> Result<(), i32> {
    let events = if to_write { libc::POLLOUT } else { libc::POLLIN };
    let mut poll = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one structure, which outlives the call.
    check(unsafe { libc::poll(&mut poll, 1, -1) } as isize).map(drop)
}
