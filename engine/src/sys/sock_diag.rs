//! sock_diag(7): what the kernel knows of a Unix socket and tells only by netlink, such as who its peer is.

use std::io;
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// `SOCK_DIAG_BY_FAMILY` (linux/sock_diag.h).
const BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
/// `UDIAG_SHOW_VFS`, `_PEER`, `_ICONS` and `_RQLEN` (linux/unix_diag.h).
const SHOW: u32 = 0x2 | 0x4 | 0x8 | 0x10;
const UNIX_DIAG_VFS: u16 = 1;
const UNIX_DIAG_ICONS: u16 = 3;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_RQLEN: u16 = 4;
const UNIX_DIAG_SHUTDOWN: u16 = 6;
/// Lengths of `struct nlmsghdr` and `struct unix_diag_msg`.
const HEADER: usize = 16;
const MESSAGE: usize = 16;

/// A Unix socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnixSocket {
    /// Inode of its peer; 0 for one that is gone, nothing if it was never connected.
    pub peer: Option<u32>,
    /// Bytes that can be read, of a stream.
    pub queued: u32,
    /// Connections that may wait to be accepted, of one that listens.
    pub backlog: u32,
    /// Low half of the inode number and device (as the kernel keeps it, include/linux/kdev_t.h) of the file that it was
    /// bound to.
    pub file: Option<(u32, u32)>,
    /// Inodes of those who wait to be accepted, 0 for one that is gone.
    pub waiting: Vec<u32>,
    /// RCV_SHUTDOWN and SEND_SHUTDOWN (include/net/sock.h).
    pub shutdown: u8,
}

/// Asks about the Unix socket with this inode, in our own network namespace.
///
/// # Errors
/// `ENOENT` when there is none.
pub fn unix(inode: u32) -> io::Result<UnixSocket> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, flags, Some(SockProtocol::NetlinkSockDiag))?;
    send(netlink.as_raw_fd(), &request(inode), MsgFlags::empty())?;
    // Up to 4096 who wait, four bytes each.
    let mut answer = [0; 32768];
    let len = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    parse(answer.get(..len).unwrap_or_default())
}

/// `struct nlmsghdr` and `struct unix_diag_req`.
fn request(inode: u32) -> Vec<u8> {
    const LEN: u32 = HEADER as u32 + 24;
    let mut bytes = LEN.to_ne_bytes().to_vec();
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([libc::AF_UNIX as u8, 0, 0, 0]);
    // All states; no cookie.
    for word in [u32::MAX, inode, SHOW, u32::MAX, u32::MAX] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes
}

fn parse(answer: &[u8]) -> io::Result<UnixSocket> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let half = |at: usize| -> io::Result<u16> {
        let bytes = answer.get(at..at + 2).and_then(|b| b.try_into().ok()).ok_or_else(invalid)?;
        Ok(u16::from_ne_bytes(bytes))
    };
    let word = |at: usize| -> io::Result<u32> {
        let bytes = answer.get(at..at + 4).and_then(|b| b.try_into().ok()).ok_or_else(invalid)?;
        Ok(u32::from_ne_bytes(bytes))
    };
    let len = (word(0)? as usize).min(answer.len());
    match half(4)? {
        BY_FAMILY => {}
        NLMSG_ERROR => return Err(io::Error::from_raw_os_error((word(HEADER)? as i32).wrapping_neg())),
        _ => return Err(invalid()),
    }
    let mut found = UnixSocket::default();
    let mut at = HEADER + MESSAGE;
    // Attributes: length, type, value, each on a multiple of four bytes.
    while at + 4 <= len {
        let (attribute_len, kind) = (usize::from(half(at)?), half(at + 2)?);
        match kind {
            UNIX_DIAG_PEER => found.peer = Some(word(at + 4)?),
            UNIX_DIAG_RQLEN => (found.queued, found.backlog) = (word(at + 4)?, word(at + 8)?),
            UNIX_DIAG_VFS => found.file = Some((word(at + 4)?, word(at + 8)?)),
            UNIX_DIAG_ICONS => {
                let ends = (at + attribute_len).min(len);
                found.waiting =
                    (at + 4..ends.saturating_sub(3)).step_by(4).map(word).collect::<io::Result<_>>()?;
            }
            UNIX_DIAG_SHUTDOWN => found.shutdown = answer.get(at + 4).copied().unwrap_or(0),
            _ => {}
        }
        at += attribute_len.max(4).next_multiple_of(4);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    fn inode(fd: impl AsFd) -> u32 {
        nix::sys::stat::fstat(fd).unwrap().st_ino as u32
    }

    #[test]
    fn a_pair_know_each_other_and_one_that_is_alone_nobody() {
        let (mut a, b) = UnixStream::pair().unwrap();
        a.write_all(b"12345").unwrap();
        a.shutdown(std::net::Shutdown::Write).unwrap();
        let (of_a, of_b) = (unix(inode(&a)).unwrap(), unix(inode(&b)).unwrap());
        assert_eq!((of_a.peer, of_a.queued, of_a.shutdown), (Some(inode(&b)), 0, 2));
        assert_eq!((of_b.peer, of_b.queued, of_b.shutdown), (Some(inode(&a)), 5, 1));
        drop(a);
        assert_eq!(unix(inode(&b)).unwrap().peer, Some(0));
        let alone = UnixDatagram::unbound().unwrap();
        assert_eq!(unix(inode(&alone)).unwrap().peer, None);
        let gone = unix(u32::MAX).unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn an_answer_cut_short_anywhere_is_no_panic() {
        let answer = [&[36u8, 0, 0, 0, 20, 0][..], &[0; 26], &[5, 0, 6, 0]].concat();
        (0..answer.len()).for_each(|n| drop(parse(&answer[..n])));
    }
}
