//! open_by_handle_at(2): finding a file by what its file system calls it, whatever name it has by now.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;

/// Longest handle that the kernel gives out, `MAX_HANDLE_SZ` of include/linux/exportfs.h.
const MAX_HANDLE: usize = 128;

/// `struct file_handle`, with room for any handle.
#[repr(C)]
struct FileHandle {
    handle_bytes: u32,
    handle_type: i32,
    f_handle: [u8; MAX_HANDLE],
}

/// Opens a file of the file system mounted at `mount` by O_PATH, so that nobody who watches it is told.
///
/// That takes CAP_DAC_READ_SEARCH. The mount point is not opened either - that could be watched too - but is the current
/// directory of a thread that shares its own with nobody.
pub fn open(mount: &Path, kind: i32, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut handle =
        FileHandle { handle_bytes: bytes.len() as u32, handle_type: kind, f_handle: [0; MAX_HANDLE] };
    let Some(room) = handle.f_handle.get_mut(..bytes.len()) else {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    };
    room.copy_from_slice(bytes);
    let look = move || {
        // SAFETY: only a number is passed; what changes is this thread's alone.
        if unsafe { libc::unshare(libc::CLONE_FS) } < 0 {
            return Err(io::Error::last_os_error());
        }
        nix::unistd::chdir(mount)?;
        let flags = libc::O_PATH | libc::O_CLOEXEC;
        // SAFETY: the handle outlives the call and is as long as it says.
        let fd =
            unsafe { libc::syscall(libc::SYS_open_by_handle_at, libc::AT_FDCWD, &raw const handle, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just made the descriptor, and nobody else knows of it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("handle".into()).spawn_scoped(scope, look)?;
        thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    })
}
