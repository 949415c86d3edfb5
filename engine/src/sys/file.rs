//! What fcntl(2), ioctl(2) and tee(2) tell of descriptors, where nix has no wrapper.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

const F_GETOWN_EX: i32 = 16;
const F_GETSIG: i32 = 11;
const F_GET_SEALS: i32 = 1034;

fn check(ret: i64) -> io::Result<i64> {
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}

fn fcntl(fd: &impl AsFd, command: i32, arg: u64) -> io::Result<i64> {
    // SAFETY: callers pass numbers, or pointers to live structures of the size the command wants.
    check(i64::from(unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), command, arg) }))
}

/// Seals of a memfd.
pub fn seals(fd: &impl AsFd) -> io::Result<u32> {
    Ok(fcntl(fd, F_GET_SEALS, 0)? as u32)
}

/// Adds seals to a memfd.
pub fn add_seals(fd: &impl AsFd, seals: u32) -> io::Result<()> {
    const F_ADD_SEALS: i32 = 1033;
    fcntl(fd, F_ADD_SEALS, seals.into()).map(drop)
}

/// Magic number of the file system (statfs(2)).
pub fn fs_magic(fd: &impl AsFd) -> io::Result<u64> {
    Ok(nix::sys::statfs::fstatfs(fd)?.filesystem_type().0 as u64)
}

/// Receiver of SIGIO: kind (F_OWNER_*) and id, 0 for none.
pub fn get_owner(fd: &impl AsFd) -> io::Result<(i32, i32)> {
    let mut owner = [0i32; 2];
    fcntl(fd, F_GETOWN_EX, owner.as_mut_ptr() as u64)?;
    Ok((owner[0], owner[1]))
}

/// Signal sent instead of SIGIO, 0 for SIGIO itself.
pub fn get_signal(fd: &impl AsFd) -> io::Result<i32> {
    Ok(fcntl(fd, F_GETSIG, 0)? as i32)
}

/// Size of a pipe in bytes.
pub fn pipe_size(fd: &impl AsFd) -> io::Result<usize> {
    Ok(fcntl(fd, libc::F_GETPIPE_SZ, 0)? as usize)
}

/// Sets the size of a pipe.
pub fn set_pipe_size(fd: &impl AsFd, size: usize) -> io::Result<()> {
    fcntl(fd, libc::F_SETPIPE_SZ, size as u64).map(drop)
}

/// Bytes that wait to be read (`FIONREAD`).
pub fn readable_bytes(fd: &impl AsFd) -> io::Result<usize> {
    let mut n = 0i32;
    // SAFETY: the argument outlives the call and is an int, as the request says.
    check(i64::from(unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut n) }))?;
    Ok(n.max(0) as usize)
}

/// Reads up to `len` bytes and appends them; how many there were.
pub fn read_some(fd: &OwnedFd, len: usize, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut bytes = vec![0; len];
    let got = if len == 0 { 0 } else { nix::unistd::read(fd, &mut bytes)? };
    into.extend_from_slice(bytes.get(..got).unwrap_or_default());
    Ok(got)
}

/// An ioctl(2) that takes the address of an int.
pub fn ioctl_number(fd: &impl AsFd, request: u64, value: i32) -> io::Result<()> {
    // SAFETY: the argument outlives the call and is an int, as every caller's request says.
    let ret = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), request as libc::Ioctl, &raw const value) };
    check(i64::from(ret)).map(drop)
}

/// A duplicate with a number not below `floor`, closed on execve(2).
pub fn dup_above(fd: &impl AsFd, floor: i32) -> io::Result<OwnedFd> {
    let new = fcntl(fd, libc::F_DUPFD_CLOEXEC, floor as u64)?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(new as i32) })
}

/// Writes all of it.
pub fn write_all(fd: &OwnedFd, data: &[u8]) -> io::Result<()> {
    File::from(fd.try_clone()?).write_all(data)
}

/// Copies up to `len` bytes from the front of a pipe without taking them, as reads give them: packet by packet if
/// packets were written.
pub fn peek_pipe(fd: &OwnedFd, len: usize) -> io::Result<Vec<Vec<u8>>> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    // tee moves whole buffers, one page each at least, so the helper has to be as large as the original.
    let size = pipe_size(fd)?.max(len);
    set_pipe_size(&write, size)?;
    // SAFETY: only descriptors and numbers are passed.
    check(unsafe { libc::tee(fd.as_raw_fd(), write.as_raw_fd(), size, libc::SPLICE_F_NONBLOCK) as i64 })?;
    drop(write);
    let mut copy = File::from(read);
    let mut pieces = Vec::new();
    loop {
        let mut piece = vec![0u8; len];
        match copy.read(&mut piece)? {
            0 => break,
            n => piece.truncate(n),
        }
        pieces.push(piece);
    }
    if pieces.iter().map(Vec::len).sum::<usize>() < len {
        return Err(io::Error::from_raw_os_error(libc::EAGAIN));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn looking_into_a_pipe_takes_nothing_from_it() {
        let (read, write) = nix::unistd::pipe().unwrap();
        set_pipe_size(&write, 1 << 20).unwrap();
        // More than a new pipe holds, and not a whole number of pages.
        let data: Vec<u8> = (0..300_001u32).map(|i| (i % 251) as u8).collect();
        File::from(write).write_all(&data).unwrap();
        for _ in 0..2 {
            assert_eq!(readable_bytes(&read).unwrap(), data.len());
            assert!(peek_pipe(&read, data.len()).unwrap().concat() == data);
        }
        let mut taken = Vec::new();
        File::from(read).read_to_end(&mut taken).unwrap();
        assert!(taken == data);
    }

    #[test]
    fn a_pipe_that_is_partly_read_shows_what_is_left() {
        let (read, write) = nix::unistd::pipe().unwrap();
        let mut write = File::from(write);
        write.write_all(&[1; 5000]).unwrap();
        let mut some = [0; 4999];
        File::from(read.try_clone().unwrap()).read_exact(&mut some).unwrap();
        write.write_all(&[2; 5000]).unwrap();
        let left = peek_pipe(&read, readable_bytes(&read).unwrap()).unwrap().concat();
        assert_eq!((left.len(), left[0], left[1]), (5001, 1, 2));
    }

    #[test]
    fn more_than_is_in_a_pipe_cannot_be_seen() {
        let (read, write) = nix::unistd::pipe().unwrap();
        File::from(write.try_clone().unwrap()).write_all(b"abc").unwrap();
        assert!(peek_pipe(&read, 4).is_err());
    }

    #[test]
    fn a_duplicate_above_a_floor_is_closed_on_exec() {
        let file = File::open("/dev/null").unwrap();
        let dup = dup_above(&file, 200).unwrap();
        assert!(dup.as_raw_fd() >= 200);
        assert_eq!(fcntl(&dup, libc::F_GETFD, 0).unwrap(), i64::from(libc::FD_CLOEXEC));
        assert_eq!(get_owner(&dup).unwrap(), (0, 0));
        assert_eq!(get_signal(&dup).unwrap(), 0);
    }
}
