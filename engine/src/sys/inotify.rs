//! inotify(7): instances, and watches under numbers of our choice.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `INOTIFY_IOC_SETNEXTWD`, include/uapi/linux/inotify.h; kernels built with CONFIG_CHECKPOINT_RESTORE have it.
const INOTIFY_IOC_SETNEXTWD: u64 = 0x4004_4900;

/// An instance without watches; `nonblock` is O_NONBLOCK or 0.
pub fn instance(nonblock: i32) -> io::Result<OwnedFd> {
    // SAFETY: only numbers are passed.
    let fd = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | nonblock) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just made the descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The number that the next watch gets, unless a watch has it already.
pub fn set_next(instance: &OwnedFd, wd: u32) -> io::Result<()> {
    // SAFETY: the argument of this request is a number (fs/notify/inotify/inotify_user.c).
    let ret = unsafe { libc::ioctl(instance.as_raw_fd(), INOTIFY_IOC_SETNEXTWD, u64::from(wd)) };
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Watches a file, or changes what a watch of it tells of; returns its number.
pub fn watch(instance: &OwnedFd, path: &Path, mask: u32) -> io::Result<u32> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path outlives the call and ends with a NUL.
    let wd = unsafe { libc::inotify_add_watch(instance.as_raw_fd(), path.as_ptr(), mask) };
    u32::try_from(wd).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_gets_the_number_that_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        std::fs::write(&one, "").unwrap();
        std::fs::write(&other, "").unwrap();
        let instance = instance(libc::O_NONBLOCK).unwrap();
        for (path, wd) in [(&one, 70_000), (&other, 12)] {
            set_next(&instance, wd).unwrap();
            assert_eq!(watch(&instance, path, libc::IN_OPEN).unwrap(), wd);
        }
        assert!(watch(&instance, &dir.path().join("none"), libc::IN_OPEN).is_err());
    }
}
