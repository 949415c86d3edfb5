//! Pseudoterminals: pty(7), ioctl_tty(2).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `struct termios2` of asm-generic/termbits.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Termios {
    /// Input modes.
    pub iflag: u32,
    /// Output modes.
    pub oflag: u32,
    /// Control modes.
    pub cflag: u32,
    /// Local modes.
    pub lflag: u32,
    /// Line discipline.
    pub line: u8,
    /// Control characters.
    pub cc: [u8; 19],
    /// Input speed.
    pub ispeed: u32,
    /// Output speed.
    pub ospeed: u32,
}

const TCGETS2: u64 = 0x802c_542a;
const TCSETS2: u64 = 0x402c_542b;
const TIOCGPTN: u64 = 0x8004_5430;
const TIOCSPTLCK: u64 = 0x4004_5431;
const TIOCGPKT: u64 = 0x8004_5438;
const TIOCGPTLCK: u64 = 0x8004_5439;
const TIOCGEXCL: u64 = 0x8004_5440;
const TIOCGPTPEER: u64 = 0x5441;

/// `TIOCSCTTY`: makes a terminal the controlling one of the caller's session.
pub const TIOCSCTTY: u64 = 0x540e;
/// `TIOCSPGRP`: sets the foreground process group.
pub const TIOCSPGRP: u64 = 0x5410;

fn ioctl<T>(fd: &OwnedFd, request: u64, value: &mut T) -> io::Result<()> {
    // SAFETY: the value outlives the call, and every caller passes the type that the request reads or writes.
    let ret = unsafe { libc::ioctl(fd.as_raw_fd(), request as libc::Ioctl, std::ptr::from_mut(value)) };
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn number(fd: &OwnedFd, request: u64) -> io::Result<u32> {
    let mut value = 0u32;
    ioctl(fd, request, &mut value)?;
    Ok(value)
}

/// The number of the pair, of its master: N of /dev/pts/N.
pub fn index(master: &OwnedFd) -> io::Result<u32> {
    number(master, TIOCGPTN)
}

/// Whether its slave cannot be opened by name yet, of a master (unlockpt(3)).
pub fn is_locked(master: &OwnedFd) -> io::Result<bool> {
    Ok(number(master, TIOCGPTLCK)? != 0)
}

/// Locks or unlocks it.
pub fn set_locked(master: &OwnedFd, locked: bool) -> io::Result<()> {
    ioctl(master, TIOCSPTLCK, &mut i32::from(locked))
}

/// Whether a master is in packet mode.
pub fn packet_mode(master: &OwnedFd) -> io::Result<bool> {
    Ok(number(master, TIOCGPKT)? != 0)
}

/// Puts it into packet mode.
pub fn set_packet_mode(master: &OwnedFd) -> io::Result<()> {
    ioctl(master, libc::TIOCPKT, &mut 1i32)
}

/// Whether a terminal may not be opened any more (TIOCEXCL).
pub fn is_exclusive(terminal: &OwnedFd) -> io::Result<bool> {
    Ok(number(terminal, TIOCGEXCL)? != 0)
}

/// Sets that.
pub fn set_exclusive(terminal: &OwnedFd) -> io::Result<()> {
    ioctl(terminal, libc::TIOCEXCL, &mut 0i32)
}

/// Modes of a pair; asked of either end.
pub fn modes(terminal: &OwnedFd) -> io::Result<Termios> {
    let mut modes = Termios::default();
    ioctl(terminal, TCGETS2, &mut modes)?;
    Ok(modes)
}

/// Sets them.
pub fn set_modes(terminal: &OwnedFd, modes: &Termios) -> io::Result<()> {
    ioctl(terminal, TCSETS2, &mut { *modes })
}

/// Rows, columns, and pixels of both.
pub fn window(terminal: &OwnedFd) -> io::Result<[u16; 4]> {
    let mut window = [0; 4];
    ioctl(terminal, libc::TIOCGWINSZ, &mut window)?;
    Ok(window)
}

/// Sets them. The foreground process group gets a SIGWINCH if there is one.
pub fn set_window(terminal: &OwnedFd, window: [u16; 4]) -> io::Result<()> {
    ioctl(terminal, libc::TIOCSWINSZ, &mut { window })
}

/// The foreground process group of the session that a terminal controls.
pub fn foreground(terminal: &OwnedFd) -> io::Result<i32> {
    Ok(number(terminal, libc::TIOCGPGRP)? as i32)
}

/// Opens the other end of a master, whatever its name leads to here (Linux 4.13).
pub fn slave(master: &OwnedFd, flags: i32) -> io::Result<OwnedFd> {
    let flags = flags | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: only numbers are passed.
    let fd = unsafe { libc::ioctl(master.as_raw_fd(), TIOCGPTPEER as libc::Ioctl, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was made just now.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes a pair, locked as yet; its master.
pub fn open() -> io::Result<OwnedFd> {
    let flags = nix::fcntl::OFlag::O_RDWR | nix::fcntl::OFlag::O_NOCTTY | nix::fcntl::OFlag::O_CLOEXEC;
    Ok(nix::fcntl::open("/dev/ptmx", flags, nix::sys::stat::Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_pair_tell_the_same_modes() {
        let master = open().unwrap();
        assert!(is_locked(&master).unwrap());
        set_locked(&master, false).unwrap();
        let slave = slave(&master, libc::O_RDWR).unwrap();
        let mut raw = modes(&slave).unwrap();
        raw.lflag &= !(libc::ECHO | libc::ICANON);
        set_modes(&master, &raw).unwrap();
        set_window(&master, [33, 77, 5, 6]).unwrap();
        assert_eq!((modes(&slave).unwrap(), window(&slave).unwrap()), (raw, [33, 77, 5, 6]));
        assert!(!packet_mode(&master).unwrap() && !is_exclusive(&slave).unwrap());
    }
}
