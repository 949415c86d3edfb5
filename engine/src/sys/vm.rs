//! Memory of other processes: process_vm_readv(2) and, for what that refuses, `/proc/PID/mem`.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Most ranges in one call (`UIO_MAXIOV`).
const IOV_MAX: usize = 1024;

/// Reads ranges `(address, length)` one after the other into `local`; returns the bytes read. Fewer than asked for
/// means that the next page cannot be read.
pub fn read(pid: i32, remote: &[(u64, u64)], local: &mut [u8]) -> io::Result<usize> {
    transfer(pid, remote, local.as_mut_ptr(), local.len(), libc::SYS_process_vm_readv)
}

/// Writes `local` into ranges one after the other; returns the bytes written.
pub fn write(pid: i32, remote: &[(u64, u64)], local: &[u8]) -> io::Result<usize> {
    transfer(pid, remote, local.as_ptr().cast_mut(), local.len(), libc::SYS_process_vm_writev)
}

/// `base` and `len` describe a live buffer of the caller's; it is written to only by `SYS_process_vm_readv`.
fn transfer(pid: i32, remote: &[(u64, u64)], base: *mut u8, len: usize, nr: i64) -> io::Result<usize> {
    let mut done = 0usize;
    for part in remote.chunks(IOV_MAX) {
        let iov: Vec<libc::iovec> = part
            .iter()
            .map(|(addr, n)| libc::iovec { iov_base: *addr as *mut libc::c_void, iov_len: *n as usize })
            .collect();
        let want: usize = iov.iter().map(|v| v.iov_len).sum();
        if want > len - done {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // SAFETY: `done <= len`, so the pointer stays within the caller's buffer or one past its end.
        let own = libc::iovec { iov_base: unsafe { base.add(done) }.cast(), iov_len: want };
        // SAFETY: the local range was checked to lie in the caller's buffer; remote addresses are the kernel's to judge.
        let ret = unsafe { libc::syscall(nr, pid, &raw const own, 1usize, iov.as_ptr(), iov.len(), 0usize) };
        if ret < 0 {
            return if done > 0 { Ok(done) } else { Err(io::Error::last_os_error()) };
        }
        done += ret as usize;
        if ret as usize != want {
            break;
        }
    }
    Ok(done)
}

/// Reads exactly `buf.len()` bytes.
pub fn read_exact_at(pid: i32, addr: u64, buf: &mut [u8]) -> io::Result<()> {
    let len = buf.len();
    match read(pid, &[(addr, len as u64)], buf)? {
        n if n == len => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EFAULT)),
    }
}

/// Reads through `/proc/PID/mem`, which does not ask for permission to read.
pub fn mem_read(mem: &File, addr: u64, buf: &mut [u8]) -> io::Result<()> {
    mem.read_exact_at(buf, addr)
}

/// Writes through `/proc/PID/mem` (opened for writing), which does not ask for permission to write.
pub fn mem_write(mem: &File, addr: u64, buf: &[u8]) -> io::Result<()> {
    mem.write_all_at(buf, addr)
}
