//! Whether the kernel has what a restart needs and nothing else shows.
#![allow(unsafe_code)]

use std::io;

/// Length of `struct prctl_mm_map` that the kernel knows (`PR_SET_MM_MAP_SIZE`, prctl(2)). An error means that the
/// fields of an address space cannot be set: the kernel lacks CONFIG_CHECKPOINT_RESTORE.
pub fn mm_map_size() -> io::Result<u32> {
    let mut size = 0u32;
    // SAFETY: the kernel writes one unsigned int through the pointer, which outlives the call.
    let ret = unsafe { libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP_SIZE, &raw mut size, 0, 0) };
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(size) }
}
