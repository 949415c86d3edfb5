//! userfaultfd(2) as a way to give pages to a process: the kernel copies into a fresh page and maps it, without
//! clearing it first and without a fault per page, which process_vm_writev(2) costs.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// `UFFD_USER_MODE_ONLY`: asks for no faults of the kernel's own accesses, and so for no privilege (Linux 5.11).
pub const USER_MODE_ONLY: i32 = 1;

/// `UFFD_API`, the one version there is.
const API: u64 = 0xaa;
/// `UFFDIO_REGISTER_MODE_MISSING`.
const MODE_MISSING: u64 = 1;

/// `struct uffdio_api`.
#[repr(C)]
#[derive(Debug, Default)]
struct ApiArg {
    api: u64,
    features: u64,
    ioctls: u64,
}

/// `struct uffdio_register`.
#[repr(C)]
#[derive(Debug, Default)]
struct RegisterArg {
    start: u64,
    len: u64,
    mode: u64,
    ioctls: u64,
}

/// `struct uffdio_copy`.
#[repr(C)]
#[derive(Debug, Default)]
struct CopyArg {
    dst: u64,
    src: u64,
    len: u64,
    mode: u64,
    copy: i64,
}

mod ioctls {
    nix::ioctl_readwrite!(api, 0xaa, 0x3f, super::ApiArg);
    nix::ioctl_readwrite!(register, 0xaa, 0x00, super::RegisterArg);
    nix::ioctl_readwrite!(copy, 0xaa, 0x03, super::CopyArg);
}

/// A userfaultfd of another process. Nothing is registered any more once it is dropped.
#[derive(Debug)]
pub struct Userfault(OwnedFd);

impl Userfault {
    /// Takes a descriptor that userfaultfd(2) has just made, in whatever process.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        let mut arg = ApiArg { api: API, ..ApiArg::default() };
        // SAFETY: `arg` is the structure of this ioctl and outlives the call.
        unsafe { ioctls::api(fd.as_raw_fd(), &raw mut arg) }?;
        Ok(Self(fd))
    }

    /// Makes the pages that are missing in `start..start + len` (whole pages of private anonymous memory) ours to give.
    pub fn register(&self, start: u64, len: u64) -> io::Result<()> {
        let mut arg = RegisterArg { start, len, mode: MODE_MISSING, ioctls: 0 };
        // SAFETY: `arg` is the structure of this ioctl and outlives the call; addresses are the kernel's to judge.
        unsafe { ioctls::register(self.0.as_raw_fd(), &raw mut arg) }?;
        Ok(())
    }

    /// Gives the pages from `dst` on, in a range that is registered, and returns how many bytes were taken: whole pages,
    /// fewer than asked for when one of them is there already.
    ///
    /// # Errors
    /// `EEXIST` when the first page is there already, `ENOENT` when the range is not registered.
    pub fn copy(&self, dst: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut arg =
            CopyArg { dst, src: bytes.as_ptr() as u64, len: bytes.len() as u64, ..CopyArg::default() };
        // SAFETY: `arg` is the structure of this ioctl; it and the `len` bytes at `src` outlive the call.
        match unsafe { ioctls::copy(self.0.as_raw_fd(), &raw mut arg) } {
            Ok(_) => Ok(bytes.len()),
            // Some pages were copied before one could not be.
            Err(nix::errno::Errno::EAGAIN) if arg.copy > 0 => Ok((arg.copy as usize).min(bytes.len())),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
    use std::os::fd::FromRawFd;

    #[test]
    fn missing_pages_are_given_and_one_that_is_there_is_not_touched() {
        let len = std::num::NonZeroUsize::new(4 * 4096).unwrap();
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping of the kernel's choice, reached through raw pointers only.
        let area = unsafe { mmap_anonymous(None, len, prot, MapFlags::MAP_PRIVATE) }.unwrap();
        let (ptr, start) = (area.as_ptr().cast::<u8>(), area.as_ptr() as u64);
        // SAFETY: within the mapping, which is writable.
        unsafe { ptr.add(2 * 4096).write(7) };
        // SAFETY: only numbers are passed; the result is checked before it is owned.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | USER_MODE_ONLY) } as i32;
        assert!(fd >= 0, "userfaultfd: {}", io::Error::last_os_error());
        // SAFETY: just made and owned by nobody else.
        let uffd = Userfault::new(unsafe { OwnedFd::from_raw_fd(fd) }).unwrap();
        let pages = [1u8; 4 * 4096];
        assert_eq!(uffd.copy(start, &pages).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        uffd.register(start, 4 * 4096).unwrap();
        assert_eq!(uffd.copy(start, &pages).unwrap(), 2 * 4096);
        let there = uffd.copy(start + 2 * 4096, &pages[..4096]).unwrap_err();
        assert_eq!(there.raw_os_error(), Some(libc::EEXIST));
        drop(uffd);
        // SAFETY: within the mapping; the last page is the kernel's zero page now that nobody watches.
        let seen = [0, 4096, 2 * 4096, 3 * 4096].map(|at| unsafe { ptr.add(at).read() });
        assert_eq!(seen, [1, 1, 7, 0]);
        // SAFETY: mapped above, used by nobody else.
        unsafe { munmap(area, len.get()) }.unwrap();
    }
}
