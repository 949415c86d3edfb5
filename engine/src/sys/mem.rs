//! Memory objects that can be shared: memfds and shared anonymous memory.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Creates a memfd of this name.
pub fn memfd(name: &[u8], sealable: bool) -> io::Result<OwnedFd> {
    let name = CString::new(name).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let flags = libc::MFD_CLOEXEC | if sealable { libc::MFD_ALLOW_SEALING } else { 0 };
    // SAFETY: `name` is NUL-terminated and outlives the call.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Creates shared anonymous memory, as `mmap(MAP_SHARED | MAP_ANONYMOUS)` does, and returns a descriptor of it.
///
/// The descriptor comes from `/proc/self/map_files`, which needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN.
pub fn shared_anonymous(len: u64) -> io::Result<OwnedFd> {
    let len = usize::try_from(len).map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
    let addr = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if addr == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = addr as usize;
    let end = start + len.next_multiple_of(4096);
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(format!("/proc/self/map_files/{start:x}-{end:x}"));
    // SAFETY: the range was mapped above and no reference into it exists; the descriptor keeps the memory alive.
    unsafe { libc::munmap(addr, len) };
    Ok(file?.into())
}
