//! Sockets: options, what is in their queues, and sending without waiting (socket(7), unix(7)).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::{c_int, c_void, socklen_t};

/// `SO_PEEK_OFF`, socket(7).
const SO_PEEK_OFF: c_int = 42;
/// asm-generic/socket.h.
const SO_ATTACH_REUSEPORT_CBPF: c_int = 51;
/// Length of a `struct sock_filter`.
const INSTRUCTION: usize = 8;
/// Room for control messages: credentials, a security label and 253 descriptors (SCM_MAX_FD).
const CONTROL: usize = 2048;

fn check(ret: isize) -> io::Result<usize> {
    usize::try_from(ret).map_err(|_| io::Error::last_os_error())
}

/// Reads an option of level SOL_SOCKET into `value`.
fn get<T>(fd: &OwnedFd, name: c_int, value: &mut T) -> io::Result<()> {
    let mut len = size_of::<T>() as socklen_t;
    let at = std::ptr::from_mut(value).cast::<c_void>();
    // SAFETY: `value` is live and as long as said; every caller passes integers or structures of them.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, at, &mut len) } as isize)
        .map(drop)
}

fn set<T>(fd: &OwnedFd, name: c_int, value: &T) -> io::Result<()> {
    let at = std::ptr::from_ref(value).cast::<c_void>();
    let len = size_of::<T>() as socklen_t;
    // SAFETY: `value` is live and as long as said.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, at, len) } as isize).map(drop)
}

/// An option of level SOL_SOCKET that is a number.
pub fn option(fd: &OwnedFd, name: c_int) -> io::Result<i32> {
    let mut value: c_int = 0;
    get(fd, name, &mut value)?;
    Ok(value)
}

/// Sets such an option.
pub fn set_option(fd: &OwnedFd, name: c_int, value: i32) -> io::Result<()> {
    set(fd, name, &value)
}

/// The bytes of an option of any level; `most` is the length of its longest value.
pub fn bytes_of(fd: &OwnedFd, level: c_int, name: c_int, most: usize) -> io::Result<Vec<u8>> {
    let mut value = vec![0u8; most];
    let mut len = most as socklen_t;
    let at = value.as_mut_ptr().cast::<c_void>();
    // SAFETY: `value` is live and as long as said.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, at, &mut len) } as isize)?;
    value.truncate(len as usize);
    Ok(value)
}

/// Sets an option of any level.
pub fn set_bytes(fd: &OwnedFd, level: c_int, name: c_int, value: &[u8]) -> io::Result<()> {
    let (at, len) = (value.as_ptr().cast::<c_void>(), value.len() as socklen_t);
    if level == libc::SOL_SOCKET && [libc::SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF].contains(&name) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: `value` is live and as long as said; the options that take a pointer inside of it were refused.
    let ret = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, at, len) };
    check(ret as isize).map(drop)
}

/// The instructions of its filter, `struct sock_filter` of linux/filter.h one after the other; nothing without one.
///
/// # Errors
/// `EACCES` for a program of eBPF, which the kernel does not tell (net/core/filter.c, sk_get_filter()).
pub fn filter(fd: &OwnedFd) -> io::Result<Vec<u8>> {
    /// BPF_MAXINSNS of linux/bpf_common.h.
    const MOST: usize = 4096;
    let mut instructions = vec![0u8; MOST * INSTRUCTION];
    // This one option counts instructions, not bytes.
    let mut count = MOST as socklen_t;
    let at = instructions.as_mut_ptr().cast::<c_void>();
    // SAFETY: there is room for as many instructions as said.
    let ret =
        unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_GET_FILTER, at, &mut count) };
    check(ret as isize)?;
    instructions.truncate(count as usize * INSTRUCTION);
    Ok(instructions)
}

/// Gives it a filter, as [`filter`] tells it.
pub fn set_filter(fd: &OwnedFd, instructions: &[u8]) -> io::Result<()> {
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    let len = u16::try_from(instructions.len() / INSTRUCTION).map_err(|_| invalid())?;
    // In memory of our own that is aligned as the structure is.
    let mut aligned: Vec<u64> = instructions
        .chunks_exact(INSTRUCTION)
        .filter_map(|i| i.try_into().ok())
        .map(u64::from_ne_bytes)
        .collect();
    let program = libc::sock_fprog { len, filter: aligned.as_mut_ptr().cast() };
    set(fd, libc::SO_ATTACH_FILTER, &program)
}

/// A socket that is neither bound nor connected.
pub fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: only numbers are passed.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    check(fd as isize)?;
    // SAFETY: it was made just now.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// An option that is a time (SO_RCVTIMEO, SO_SNDTIMEO), in nanoseconds; 0 is none.
pub fn timeout(fd: &OwnedFd, name: c_int) -> io::Result<u64> {
    let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
    get(fd, name, &mut time)?;
    Ok((time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_usec as u64 * 1000))
}

/// Sets such an option.
pub fn set_timeout(fd: &OwnedFd, name: c_int, nanos: u64) -> io::Result<()> {
    let tv_sec = (nanos / 1_000_000_000) as i64;
    set(fd, name, &libc::timeval { tv_sec, tv_usec: (nanos % 1_000_000_000 / 1000) as i64 })
}

/// The longest name of a Unix socket.
const SUN_PATH: usize = 108;

/// The name that it was given (bind(2)), as `sun_path` of unix(7) holds it; empty if it has none.
pub fn name(fd: &OwnedFd) -> io::Result<Vec<u8>> {
    address(|at, len| {
        // SAFETY: the address is live and as long as said.
        unsafe { libc::getsockname(fd.as_raw_fd(), at, len) }
    })
}

/// The name of whoever it is connected with.
pub fn peer_name(fd: &OwnedFd) -> io::Result<Vec<u8>> {
    address(|at, len| {
        // SAFETY: as above.
        unsafe { libc::getpeername(fd.as_raw_fd(), at, len) }
    })
}

fn address(call: impl FnOnce(*mut libc::sockaddr, *mut socklen_t) -> c_int) -> io::Result<Vec<u8>> {
    // SAFETY: all zeroes is a value of it.
    let mut address: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut len = size_of::<libc::sockaddr_storage>() as socklen_t;
    check(call((&raw mut address).cast(), &mut len) as isize)?;
    Ok(name_in(&address, len))
}

/// The name in an address that the kernel wrote: a path ends with a zero, which is no part of it.
fn name_in(address: &libc::sockaddr_storage, len: socklen_t) -> Vec<u8> {
    let at = std::ptr::from_ref(address).cast::<u8>();
    // SAFETY: the structure is live, of bytes without padding as the kernel filled it or zeroed before.
    let bytes = unsafe { std::slice::from_raw_parts(at, size_of::<libc::sockaddr_storage>()) };
    let name = bytes.get(size_of::<libc::sa_family_t>()..len as usize).unwrap_or_default();
    match name.first() {
        Some(0) | None => name.to_vec(),
        Some(_) => name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
    }
}

/// An address of AF_UNIX.
fn named(name: &[u8]) -> io::Result<(libc::sockaddr_un, socklen_t)> {
    // SAFETY: all zeroes is a value of it.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if name.len() > SUN_PATH {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    address.sun_path.iter_mut().zip(name).for_each(|(to, from)| *to = *from as libc::c_char);
    // A path is longer by its zero, where there is room for one; the kernel adds it otherwise.
    let is_path = name.first().is_some_and(|byte| *byte != 0);
    let len = (name.len() + usize::from(is_path)).min(SUN_PATH) + size_of::<libc::sa_family_t>();
    Ok((address, len as socklen_t))
}

/// Gives a Unix socket a name.
pub fn bind(fd: &OwnedFd, name: &[u8]) -> io::Result<()> {
    let (address, len) = named(name)?;
    // SAFETY: the address is live and as long as said.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) } as isize).map(drop)
}

/// Connects a Unix socket with whoever has this name.
pub fn connect(fd: &OwnedFd, name: &[u8]) -> io::Result<()> {
    let (address, len) = named(name)?;
    // SAFETY: as above.
    check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const address).cast(), len) } as isize).map(drop)
}

/// Listens.
pub fn listen(fd: &OwnedFd, backlog: u32) -> io::Result<()> {
    let backlog = c_int::try_from(backlog).unwrap_or(c_int::MAX);
    // SAFETY: only numbers are passed.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) } as isize).map(drop)
}

/// Accepts a connection that is there.
pub fn accept(fd: &OwnedFd) -> io::Result<OwnedFd> {
    let none = std::ptr::null_mut();
    // SAFETY: nobody asks for the address.
    let new = unsafe { libc::accept4(fd.as_raw_fd(), none, none.cast(), libc::SOCK_CLOEXEC) };
    check(new as isize)?;
    // SAFETY: it was made just now.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Sends a packet to whoever has this name, without waiting.
pub fn send_to(fd: &OwnedFd, data: &[u8], name: &[u8]) -> io::Result<()> {
    let (address, len) = named(name)?;
    let (at, flags) = (data.as_ptr().cast(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
    let to = (&raw const address).cast();
    // SAFETY: bytes and address are live and as many as said.
    check(unsafe { libc::sendto(fd.as_raw_fd(), at, data.len(), flags, to, len) }).map(drop)
}

/// Memory of what it has sent that is not yet read (SIOCOUTQ, unix(7)).
pub fn unread(fd: &OwnedFd) -> io::Result<u32> {
    let mut bytes: c_int = 0;
    // SAFETY: there is room for the number.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) } as isize)?;
    Ok(bytes as u32)
}

/// Runs `body` in a thread whose current directory is `directory`, which is its root too if `is_root`, and whose umask is
/// 0; nobody else of the process notices.
pub fn in_directory<T: Send>(
    directory: &OwnedFd,
    is_root: bool,
    body: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let there = || {
        // SAFETY: from here on this thread has a current directory, a root and an umask of its own; it ends below.
        check(unsafe { libc::unshare(libc::CLONE_FS) } as isize)?;
        // SAFETY: only numbers and a live text are passed.
        unsafe {
            check(libc::fchdir(directory.as_raw_fd()) as isize)?;
            if is_root {
                check(libc::chroot(c".".as_ptr()) as isize)?;
            }
            libc::umask(0);
        }
        body()
    };
    std::thread::scope(|scope| scope.spawn(there).join())
        .unwrap_or_else(|_| Err(io::Error::other("a thread of ours ended")))
}

/// What stands in a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// Bytes of a stream, or each packet.
    pub pieces: Vec<Vec<u8>>,
    /// The name of the sender of each, which may be empty.
    pub senders: Vec<Vec<u8>>,
    /// Whether descriptors are under way in it (SCM_RIGHTS).
    pub rights: bool,
}

/// Looks at the `len` bytes that a stream has to be read, without taking them.
///
/// # Errors
/// `EAGAIN` when fewer are to be had in one piece.
pub fn peek_stream(fd: &OwnedFd, len: usize) -> io::Result<Queue> {
    let mut queue = Queue::default();
    if len > 0 {
        let (piece, _) = receive(fd, len, &mut queue.rights)?;
        // Behind descriptors a read stops.
        if piece.len() < len && !queue.rights {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        queue.pieces.push(piece);
    }
    Ok(queue)
}

/// Looks at the packets that are to be read, without taking them.
///
/// # Errors
/// `E2BIG` when there is no end of them.
pub fn peek_packets(fd: &OwnedFd) -> io::Result<Queue> {
    /// More than any queue holds (net.unix.max_dgram_qlen, and what fits into a buffer).
    const MOST: usize = 1 << 20;
    let mut queue = Queue::default();
    // Nothing at all is the end there, over and over.
    let ends_with_nothing = option(fd, libc::SO_TYPE)? == libc::SOCK_SEQPACKET;
    let before = option(fd, SO_PEEK_OFF)?;
    // From here on every look begins behind the one before; it is the one way to see more than the first.
    set_option(fd, SO_PEEK_OFF, 0)?;
    let result = loop {
        match receive(fd, 0, &mut queue.rights) {
            Ok((piece, _)) if piece.is_empty() && ends_with_nothing => break Ok(()),
            Ok(_) if queue.pieces.len() == MOST => break Err(io::Error::from_raw_os_error(libc::E2BIG)),
            Ok((piece, sender)) => {
                queue.pieces.push(piece);
                queue.senders.push(sender);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    set_option(fd, SO_PEEK_OFF, before)?;
    result.map(|()| queue)
}

/// One look, at `len` bytes or, if that is 0, at a packet of whatever length.
fn receive(fd: &OwnedFd, len: usize, rights: &mut bool) -> io::Result<(Vec<u8>, Vec<u8>)> {
    const PEEK: c_int = libc::MSG_PEEK | libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    let mut data = vec![0u8; len];
    loop {
        let mut control = [0u64; CONTROL / 8];
        let mut iov = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() };
        // SAFETY: all zeroes is a value of both.
        let (mut message, mut sender): (libc::msghdr, libc::sockaddr_storage) = unsafe { std::mem::zeroed() };
        (message.msg_name, message.msg_namelen) =
            ((&raw mut sender).cast(), size_of::<libc::sockaddr_storage>() as socklen_t);
        (message.msg_iov, message.msg_iovlen) = (&raw mut iov, 1);
        (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), CONTROL);
        // With MSG_TRUNC the length of a packet is told even where it does not fit; peeking at nothing moves no offset.
        let flags = if len == 0 { PEEK | libc::MSG_TRUNC } else { PEEK };
        // SAFETY: the message and what it points to outlive the call.
        let got = check(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, flags) })?;
        *rights |= take_rights(&message);
        if len == 0 && got > data.len() {
            // Its length is known now.
            data.resize(got, 0);
            continue;
        }
        data.truncate(got);
        return Ok((data, name_in(&sender, message.msg_namelen)));
    }
}

/// Closes the descriptors that came with a message; whether there were any.
fn take_rights(message: &libc::msghdr) -> bool {
    let mut any = message.msg_flags & libc::MSG_CTRUNC != 0;
    // SAFETY: the message was filled by the kernel, and its control messages lie in its own buffer; the descriptors in
    // them were made for us and nobody else knows of them.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let head = std::ptr::read_unaligned(header);
            if head.cmsg_level == libc::SOL_SOCKET && head.cmsg_type == libc::SCM_RIGHTS {
                any = true;
                let data = libc::CMSG_DATA(header).cast::<c_int>();
                let count = head.cmsg_len.saturating_sub(libc::CMSG_LEN(0) as usize) / size_of::<c_int>();
                for i in 0..count {
                    drop(OwnedFd::from_raw_fd(std::ptr::read_unaligned(data.add(i))));
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    any
}

/// Sends all of it without waiting: a stream's bytes, or one packet.
pub fn send(fd: &OwnedFd, data: &[u8]) -> io::Result<()> {
    let mut rest = data;
    loop {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the bytes are live and as many as said.
        let sent = check(unsafe { libc::send(fd.as_raw_fd(), rest.as_ptr().cast(), rest.len(), flags) })?;
        rest = rest.get(sent..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// A pair of connected sockets of AF_UNIX.
pub fn pair(kind: i32, protocol: i32) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds: [c_int; 2] = [-1; 2];
    // SAFETY: there is room for both descriptors.
    let ret =
        unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, protocol, fds.as_mut_ptr()) };
    check(ret as isize)?;
    // SAFETY: both were made just now.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Shuts one direction or both down (shutdown(2)).
pub fn shutdown(fd: &OwnedFd, how: i32) -> io::Result<()> {
    // SAFETY: only numbers are passed.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), how) } as isize).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_takes_nothing_and_tells_packets_apart() {
        let (a, b) = pair(libc::SOCK_DGRAM, 0).unwrap();
        let long = vec![7; 3000];
        for packet in [&b"one"[..], &long, b"x"] {
            send(&a, packet).unwrap();
        }
        for _ in 0..2 {
            let seen = peek_packets(&b).unwrap();
            assert!(seen.pieces == [b"one".to_vec(), long.clone(), b"x".to_vec()] && !seen.rights);
        }
        assert_eq!(option(&b, SO_PEEK_OFF).unwrap(), -1);
        assert_eq!(peek_packets(&a).unwrap(), Queue::default());
    }

    #[test]
    fn packets_have_an_end_when_their_sender_is_gone() {
        let (a, b) = pair(libc::SOCK_SEQPACKET, 0).unwrap();
        send(&a, b"last words").unwrap();
        drop(a);
        assert_eq!(peek_packets(&b).unwrap().pieces, [b"last words".to_vec()]);
    }

    #[test]
    fn a_stream_is_seen_whole() {
        let (a, b) = pair(libc::SOCK_STREAM, 0).unwrap();
        let data: Vec<u8> = (0..50_000u32).map(|i| (i % 251) as u8).collect();
        data.chunks(1777).for_each(|part| send(&a, part).unwrap());
        for _ in 0..2 {
            assert!(peek_stream(&b, data.len()).unwrap().pieces.concat() == data);
        }
        assert!(peek_stream(&b, data.len() + 1).is_err());
    }

    #[test]
    fn options_and_names_are_what_was_set() {
        let (a, _b) = pair(libc::SOCK_STREAM, 0).unwrap();
        set_timeout(&a, libc::SO_RCVTIMEO, 2_000_000_000).unwrap();
        assert_eq!(timeout(&a, libc::SO_RCVTIMEO).unwrap(), 2_000_000_000);
        assert_eq!(option(&a, libc::SO_TYPE).unwrap(), libc::SOCK_STREAM);
        assert!(name(&a).unwrap().is_empty());
        let alone = std::os::unix::net::UnixDatagram::unbound().unwrap();
        assert!(name(&alone.into()).unwrap().is_empty());
    }
}
