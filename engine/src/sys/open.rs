//! Opening without an effect: openat2(2), what a file is, and who it lets in.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// How the names on the way are resolved, openat2(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolve {
    /// No links of the kernel's own, such as those below /proc/PID/fd.
    NoMagicLinks,
    /// No links at all.
    NoLinks,
    /// As the first, and the directory that it starts from is the root.
    InRoot,
}

impl Resolve {
    fn bits(self) -> u64 {
        match self {
            Self::NoMagicLinks => libc::RESOLVE_NO_MAGICLINKS,
            Self::NoLinks => libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS,
            Self::InRoot => libc::RESOLVE_NO_MAGICLINKS | libc::RESOLVE_IN_ROOT,
        }
    }
}

/// Finds a file without opening it (`O_PATH`, which neither waits nor has an effect). `flags`: `O_NOFOLLOW` and
/// `O_DIRECTORY`, if wanted. `dir`: where the path starts.
pub fn find(dir: Option<BorrowedFd>, path: &[u8], flags: i32, how: Resolve) -> io::Result<OwnedFd> {
    let path = CString::new(path).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let flags = (libc::O_PATH | libc::O_CLOEXEC | flags & (libc::O_NOFOLLOW | libc::O_DIRECTORY)) as u64;
    // struct open_how.
    let open_how = [flags, 0, how.bits()];
    let dir = dir.map_or(libc::AT_FDCWD, |dir| dir.as_raw_fd());
    // A rename on the way makes the kernel ask for another try when it has to stay below a root.
    for _ in 0..32 {
        // SAFETY: path and open_how are live, and open_how is as long as is said.
        let fd = unsafe {
            libc::syscall(libc::SYS_openat2, dir, path.as_ptr(), open_how.as_ptr(), size_of_val(&open_how))
        };
        if fd >= 0 {
            // SAFETY: the descriptor is new and nobody else's.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) });
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EAGAIN) {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(libc::EAGAIN))
}

/// Whether the thread's file system ids may read (4), write (2) or execute (1) a file, faccessat2(2).
pub fn access(fd: &impl AsFd, mode: i32) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    // SAFETY: the path is a literal.
    let ret =
        unsafe { libc::syscall(libc::SYS_faccessat2, fd.as_fd().as_raw_fd(), c"".as_ptr(), mode, flags) };
    if ret == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Room for the handle of a file, `MAX_HANDLE_SZ`.
const HANDLE_MAX: usize = 128;

/// Type and bytes of a file's handle, name_to_handle_at(2). Not every file system has one.
pub fn handle(fd: &impl AsFd) -> io::Result<(i32, Vec<u8>)> {
    // struct file_handle: length, type, bytes.
    #[repr(C)]
    struct Handle {
        len: u32,
        kind: i32,
        bytes: [u8; HANDLE_MAX],
    }
    let mut handle = Handle { len: HANDLE_MAX as u32, kind: 0, bytes: [0; HANDLE_MAX] };
    let mut mount = 0i32;
    // SAFETY: the handle has the room that it says it has, and both outlive the call.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            fd.as_fd().as_raw_fd(),
            c"".as_ptr(),
            &raw mut handle,
            &raw mut mount,
            libc::AT_EMPTY_PATH,
        )
    };
    if ret < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((handle.kind, handle.bytes.get(..handle.len as usize).unwrap_or_default().to_vec()))
}
