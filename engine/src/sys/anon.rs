//! Making descriptors without a file: eventfd(2), epoll(7), timerfd_create(2), signalfd(2).
#![allow(unsafe_code)]

use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

fn own(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: every caller passes the result of a call that has just made the descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// An eventfd with this count, all 64 bits of it.
pub fn eventfd(count: u64, semaphore: bool, nonblock: i32) -> io::Result<OwnedFd> {
    let flags = libc::EFD_CLOEXEC | nonblock | if semaphore { libc::EFD_SEMAPHORE } else { 0 };
    // SAFETY: only numbers are passed.
    let fd = own(unsafe { libc::eventfd(0, flags) })?;
    if count != 0 {
        std::fs::File::from(fd.try_clone()?).write_all(&count.to_ne_bytes())?;
    }
    Ok(fd)
}

/// An empty epoll instance.
pub fn epoll() -> io::Result<OwnedFd> {
    // SAFETY: only numbers are passed.
    own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// A signalfd for a kernel signal mask.
pub fn signalfd(mask: u64, nonblock: i32) -> io::Result<OwnedFd> {
    let flags = libc::O_CLOEXEC | nonblock;
    // SAFETY: the mask outlives the call and is 8 bytes long, as said.
    own(unsafe { libc::syscall(libc::SYS_signalfd4, -1, &raw const mask, 8usize, flags) } as i32)
}

/// A disarmed timerfd.
pub fn timerfd(clockid: i32, nonblock: i32) -> io::Result<OwnedFd> {
    // SAFETY: only numbers are passed.
    own(unsafe { libc::timerfd_create(clockid, libc::TFD_CLOEXEC | nonblock) })
}

/// What a timerfd is set to: flags of timerfd_settime(2), value and interval in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct TimerSetting {
    /// TFD_TIMER_*.
    pub flags: i32,
    /// First expiration.
    pub value: u64,
    /// Later ones.
    pub interval: u64,
}

fn timespec(ns: u64) -> libc::timespec {
    libc::timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 }
}

/// Arms a timerfd.
pub fn timerfd_set(fd: &OwnedFd, setting: TimerSetting) -> io::Result<()> {
    let spec =
        libc::itimerspec { it_value: timespec(setting.value), it_interval: timespec(setting.interval) };
    // SAFETY: `spec` outlives the call; no old value is asked for.
    let ret = unsafe { libc::timerfd_settime(fd.as_raw_fd(), setting.flags, &spec, std::ptr::null_mut()) };
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Has the kernel bring a periodic timerfd up to date (timerfd_gettime(2)).
pub fn timerfd_touch(fd: &OwnedFd) -> io::Result<()> {
    let mut spec = libc::itimerspec { it_value: timespec(0), it_interval: timespec(0) };
    // SAFETY: `spec` outlives the call.
    let ret = unsafe { libc::timerfd_gettime(fd.as_raw_fd(), &mut spec) };
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sets the expirations not yet read (`TFD_IOC_SET_TICKS`, timerfd_create(2)).
pub fn timerfd_ticks(fd: &OwnedFd, ticks: u64) -> io::Result<()> {
    const TFD_IOC_SET_TICKS: u64 = 0x4008_5400;
    // SAFETY: the argument outlives the call and is a u64, as the request says.
    let ret = unsafe { libc::ioctl(fd.as_raw_fd(), TFD_IOC_SET_TICKS, &raw const ticks) };
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
