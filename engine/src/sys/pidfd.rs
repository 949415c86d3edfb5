//! pidfds: a hold on a process that outlives its number, and on its descriptors (pidfd_getfd(2)).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

fn own(fd: i64) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: every caller passes the result of a call that has just made the descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Opens a pidfd.
pub fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: only numbers are passed.
    own(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Duplicates descriptor `fd` of the process into ours: the same open file description.
pub fn getfd(pidfd: &OwnedFd, fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: only numbers are passed.
    own(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, SeekFrom, Write};

    #[test]
    fn a_descriptor_taken_from_a_process_is_the_same_description() {
        let mut file = File::options().read(true).write(true).create_new(true).open(unnamed()).unwrap();
        std::fs::remove_file(unnamed()).unwrap();
        file.write_all(b"0123456789").unwrap();
        let me = open(std::process::id() as i32).unwrap();
        let mut taken = File::from(getfd(&me, file.as_raw_fd()).unwrap());
        file.seek(SeekFrom::Start(6)).unwrap();
        let mut rest = String::new();
        taken.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "6789");
        assert_eq!(getfd(&me, -1).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }

    fn unnamed() -> std::path::PathBuf {
        std::env::temp_dir().join(format!("stasis-pidfd-{}", std::process::id()))
    }

    #[test]
    fn there_is_no_pidfd_of_a_process_that_is_gone() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(open(child.id() as i32).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }
}
