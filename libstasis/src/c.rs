//! The two calls as C sees them. `stasis.h` is made from this file; stasis_checkpoint(3) says it all.
#![allow(unsafe_code)] // the names are exported

use libc::{c_int, c_ulong, pid_t};

use crate::{call, sys};

/// Number of the call `checkpoint(pid, fd, flags)` under `stasis run`, unless that was told another one.
///
/// Linux on x86-64 counts up from 0 and has not come to 500; 512 to 547 are those of x32 programs (arch/x86/entry/
/// syscalls/syscall_64.tbl). Without `stasis run`, a kernel answers this number with `ENOSYS`.
pub const NR_CHECKPOINT: i64 = 1454;
/// Number of the call `restart(crid, fd, flags)` under `stasis run`, unless that was told another one.
pub const NR_RESTART: i64 = 1455;

/// Writes an image of the process `pid`, 0 for the caller, to the descriptor `fd`: a file, a pipe or a socket. `flags`
/// has to be 0.
///
/// Returns a positive identifier to the caller, which goes on; 0 to the process that is restarted from the image; -1
/// and sets errno if there is no image. May be called in a signal handler.
// SAFETY: no other object exports this name, which begins with that of the library.
#[unsafe(no_mangle)]
pub extern "C" fn stasis_checkpoint(pid: pid_t, fd: c_int, flags: c_ulong) -> c_int {
    returned(call::checkpoint(pid, fd, flags))
}

/// Replaces the calling process by the one in the image that the descriptor `fd` gives. `crid` is the identifier that the
/// checkpoint returned, `flags` has to be 0.
///
/// Returns -1 and sets errno if that fails, and then nothing of the caller has changed. Returns 0 after an image of
/// revision 1, which holds a name for the caller and no process.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn stasis_restart(crid: c_int, fd: c_int, flags: c_ulong) -> c_int {
    returned(call::restart(crid, fd, flags).map(|()| 0))
}

/// The way of C to return an error.
fn returned(result: Result<i32, i32>) -> c_int {
    result.unwrap_or_else(|errno| {
        sys::set_errno(errno);
        -1
    })
}
