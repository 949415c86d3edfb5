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

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> i32 {
        std::process::id() as i32
    }

    #[test]
    fn more_ranges_than_one_call_takes_are_read_in_order() {
        let data: Vec<u8> = (0..3 * IOV_MAX as u32).flat_map(u32::to_le_bytes).collect();
        let base = data.as_ptr() as u64;
        // Backwards, so that a wrong order shows.
        let ranges: Vec<(u64, u64)> = (0..3 * IOV_MAX as u64).rev().map(|i| (base + 4 * i, 4)).collect();
        let mut out = vec![0; data.len()];
        assert_eq!(read(me(), &ranges, &mut out).unwrap(), data.len());
        let want: Vec<u8> = data.chunks(4).rev().flatten().copied().collect();
        assert_eq!(out, want);
    }

    #[test]
    fn reading_stops_at_the_first_page_that_is_not_there() {
        let data = [7u8; 16];
        let at = data.as_ptr() as u64;
        let mut out = [0; 24];
        assert_eq!(read(me(), &[(at, 16), (0, 8)], &mut out).unwrap(), 16);
        assert_eq!(out[..16], data);
        assert_eq!(read(me(), &[(0, 8)], &mut out).unwrap_err().raw_os_error(), Some(libc::EFAULT));
        assert_eq!(read_exact_at(me(), 0, &mut out).unwrap_err().raw_os_error(), Some(libc::EFAULT));
    }

    #[test]
    fn ranges_longer_than_the_buffer_are_refused_before_anything_is_copied() {
        let data = [7u8; 16];
        let mut out = [0; 8];
        let error = read(me(), &[(data.as_ptr() as u64, 16)], &mut out).unwrap_err();
        assert_eq!((error.raw_os_error(), out), (Some(libc::EINVAL), [0; 8]));
    }

    #[test]
    fn a_process_that_is_gone_is_said_to_be() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let mut out = [0; 8];
        let error = read(child.id() as i32, &[(4096, 8)], &mut out).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }

    #[test]
    fn mem_reaches_what_may_not_be_read_or_written() {
        use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
        let len = std::num::NonZeroUsize::new(4096).unwrap();
        // SAFETY: a new mapping of the kernel's choice; no reference into it is made.
        let page = unsafe { mmap_anonymous(None, len, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }.unwrap();
        let at = page.as_ptr() as u64;
        let mut out = [0; 4];
        assert!(read_exact_at(me(), at, &mut out).is_err());
        let mem = File::options().read(true).write(true).open("/proc/self/mem").unwrap();
        mem_write(&mem, at + 8, b"here").unwrap();
        mem_read(&mem, at + 8, &mut out).unwrap();
        assert_eq!(&out, b"here");
        // SAFETY: mapped above, used by nobody else.
        unsafe { munmap(page, len.get()) }.unwrap();
    }
}
