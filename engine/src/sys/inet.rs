//! Sockets of the network: addresses, connecting and listening, and what TCP tells of a connection (ip(7), ipv6(7), tcp(7)).
#![allow(unsafe_code)]

use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::{c_int, c_ulong, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};

use super::socket;

/// `SIOCOUTQNSD` (linux/sockios.h): bytes that were not yet sent.
const SIOCOUTQNSD: c_ulong = 0x894b;

/// The end of a connection, of IPv4 as a mapped address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Address.
    pub address: Ipv6Addr,
    /// Port.
    pub port: u16,
    /// Interface, of a link-local address.
    pub scope: u32,
}

impl Endpoint {
    /// Whether it is the wildcard of IPv6 or of IPv4.
    pub fn is_any(&self) -> bool {
        self.address.is_unspecified() || self.address.to_ipv4_mapped().is_some_and(|v4| v4.is_unspecified())
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.address.to_ipv4_mapped() {
            Some(v4) => write!(f, "{v4}:{}", self.port),
            None => write!(f, "[{}]:{}", self.address, self.port),
        }
    }
}

fn check(ret: c_int) -> io::Result<c_int> {
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}

/// An address as the kernel takes it.
fn encode(family: i32, end: Endpoint) -> (sockaddr_storage, socklen_t) {
    // SAFETY: all zeroes is a value of it.
    let mut storage: sockaddr_storage = unsafe { std::mem::zeroed() };
    let at = &raw mut storage;
    if family == libc::AF_INET {
        // An address that is none of IPv4 is not bound or connected to by anybody: the wildcard stands for it.
        let v4 = end.address.to_ipv4_mapped().unwrap_or(std::net::Ipv4Addr::UNSPECIFIED);
        let address = sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: end.port.to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.octets()) },
            sin_zero: [0; 8],
        };
        // SAFETY: the storage is large enough and aligned for every address.
        unsafe { at.cast::<sockaddr_in>().write(address) };
        (storage, size_of::<sockaddr_in>() as socklen_t)
    } else {
        let address = sockaddr_in6 {
            sin6_family: libc::AF_INET6 as u16,
            sin6_port: end.port.to_be(),
            sin6_flowinfo: 0,
            sin6_addr: libc::in6_addr { s6_addr: end.address.octets() },
            sin6_scope_id: end.scope,
        };
        // SAFETY: the storage is large enough and aligned for every address.
        unsafe { at.cast::<sockaddr_in6>().write(address) };
        (storage, size_of::<sockaddr_in6>() as socklen_t)
    }
}

fn decode(storage: &sockaddr_storage) -> io::Result<Endpoint> {
    let at = std::ptr::from_ref(storage);
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the storage is large enough and aligned, and integers have no invalid values.
            let address = unsafe { at.cast::<sockaddr_in>().read() };
            let v4 = std::net::Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes());
            Ok(Endpoint { address: v4.to_ipv6_mapped(), port: u16::from_be(address.sin_port), scope: 0 })
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let address = unsafe { at.cast::<sockaddr_in6>().read() };
            let v6 = Ipv6Addr::from(address.sin6_addr.s6_addr);
            Ok(Endpoint { address: v6, port: u16::from_be(address.sin6_port), scope: address.sin6_scope_id })
        }
        _ => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    }
}

type Namer = unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut socklen_t) -> c_int;

fn name(fd: &OwnedFd, namer: Namer) -> io::Result<Endpoint> {
    // SAFETY: all zeroes is a value of it.
    let mut storage: sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut len = size_of::<sockaddr_storage>() as socklen_t;
    // SAFETY: the address is live and as long as said.
    check(unsafe { namer(fd.as_raw_fd(), (&raw mut storage).cast(), &mut len) })?;
    decode(&storage)
}

/// Its own end (getsockname(2)).
pub fn local(fd: &OwnedFd) -> io::Result<Endpoint> {
    name(fd, libc::getsockname)
}

/// The other end (getpeername(2)).
pub fn remote(fd: &OwnedFd) -> io::Result<Endpoint> {
    name(fd, libc::getpeername)
}

/// Gives it an address (bind(2)).
pub fn bind(fd: &OwnedFd, family: i32, end: Endpoint) -> io::Result<()> {
    let (storage, len) = encode(family, end);
    // SAFETY: the address is live and as long as said.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const storage).cast(), len) }).map(drop)
}

/// Connects it (connect(2)).
pub fn connect(fd: &OwnedFd, family: i32, end: Endpoint) -> io::Result<()> {
    let (storage, len) = encode(family, end);
    // SAFETY: the address is live and as long as said.
    check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const storage).cast(), len) }).map(drop)
}

/// Lets it listen (listen(2)).
pub fn listen(fd: &OwnedFd, backlog: i32) -> io::Result<()> {
    // SAFETY: only numbers are passed.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

/// Takes a connection, and waits for one (accept(2)).
pub fn accept(fd: &OwnedFd) -> io::Result<OwnedFd> {
    let none = std::ptr::null_mut();
    // SAFETY: no address is asked for.
    let got =
        check(unsafe { libc::accept4(fd.as_raw_fd(), none, std::ptr::null_mut(), libc::SOCK_CLOEXEC) })?;
    // SAFETY: it was made just now.
    Ok(unsafe { OwnedFd::from_raw_fd(got) })
}

/// What poll(2) says of it now.
pub fn events(fd: &OwnedFd) -> io::Result<i16> {
    let wanted = libc::POLLIN | libc::POLLPRI | libc::POLLRDHUP;
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: wanted, revents: 0 };
    // SAFETY: there is one structure, as said.
    check(unsafe { libc::poll(&raw mut poll, 1, 0) })?;
    Ok(poll.revents)
}

/// Waits until it has one of these events, for some milliseconds at most; whether it has.
pub fn wait_for(fd: &OwnedFd, events: i16, most: i32) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: there is one structure, as said.
    Ok(check(unsafe { libc::poll(&raw mut poll, 1, most) })? > 0)
}

fn ask(fd: &OwnedFd, what: c_ulong) -> io::Result<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: these requests write one int.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), what as _, &raw mut bytes) })?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Bytes that can be read (SIOCINQ).
pub fn unread(fd: &OwnedFd) -> io::Result<usize> {
    ask(fd, libc::FIONREAD)
}

/// Bytes that the other end has not acknowledged (SIOCOUTQ).
fn unacknowledged(fd: &OwnedFd) -> io::Result<usize> {
    ask(fd, libc::TIOCOUTQ)
}

/// Bytes that were not yet sent (SIOCOUTQNSD).
pub fn unsent(fd: &OwnedFd) -> io::Result<usize> {
    ask(fd, SIOCOUTQNSD)
}

/// What the kernel tells of a TCP socket (`struct tcp_info` of linux/tcp.h).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// State, of include/net/tcp_states.h.
    pub state: u8,
    /// Of a listening socket: connections that wait for accept(2).
    pub waiting: u32,
    /// Of a listening socket: how many may.
    pub backlog: u32,
    /// Bytes that came, and one more for the end.
    pub received: u64,
    /// Bytes that went, each once.
    pub sent: u64,
    /// Bytes that were acknowledged, and one more for the beginning.
    pub acknowledged: u64,
}

/// Asks for TCP_INFO.
pub fn tcp_info(fd: &OwnedFd) -> io::Result<TcpInfo> {
    let bytes = socket::bytes_of(fd, libc::IPPROTO_TCP, libc::TCP_INFO, 256)?;
    let word =
        |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes);
    let long =
        |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_ne_bytes);
    Ok(TcpInfo {
        state: bytes.first().copied().unwrap_or(0),
        waiting: word(24),
        backlog: word(28),
        acknowledged: long(120),
        received: long(128),
        sent: long(200).saturating_sub(long(208)),
    })
}

/// What TCP_REPAIR tells of what was written and has not been acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendQueue {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Sequence number behind the last of them.
    pub end: u32,
    /// Sequence number behind the last that came from the other end.
    pub received: u32,
}

/// Reads what was written into a connection and has not been acknowledged, by TCP_REPAIR (tcp(7), linux/tcp.h). It is as
/// before afterwards.
///
/// `ended`: that nothing follows is one of them, in the kernel's count, and not one of `bytes`.
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN.
pub fn send_queue(fd: &OwnedFd, ended: bool) -> io::Result<SendQueue> {
    const TCP_REPAIR: c_int = 19;
    const TCP_REPAIR_QUEUE: c_int = 20;
    const TCP_QUEUE_SEQ: c_int = 21;
    const RECEIVING: i32 = 1;
    const SENDING: i32 = 2;
    /// TCP_REPAIR_OFF_NO_WP: no packet is sent for it.
    const OFF: i32 = -1;
    let set = |name, value: i32| socket::set_bytes(fd, libc::IPPROTO_TCP, name, &value.to_ne_bytes());
    let sequence = || -> io::Result<u32> {
        let bytes = socket::bytes_of(fd, libc::IPPROTO_TCP, TCP_QUEUE_SEQ, 4)?;
        Ok(bytes.as_slice().try_into().map_or(0, u32::from_ne_bytes))
    };
    let look = || -> io::Result<SendQueue> {
        let len = unacknowledged(fd)?.saturating_sub(usize::from(ended));
        set(TCP_REPAIR_QUEUE, RECEIVING)?;
        let received = sequence()?;
        set(TCP_REPAIR_QUEUE, SENDING)?;
        let end = sequence()?.wrapping_sub(u32::from(ended));
        let bytes = if len == 0 { Vec::new() } else { socket::peek_stream(fd, len)?.pieces.concat() };
        Ok(SendQueue { bytes, end, received })
    };
    // To let it in sets SO_REUSEADDR, to let it out clears it (net/ipv4/tcp.c, do_tcp_setsockopt()).
    let reuse = socket::option(fd, libc::SO_REUSEADDR)?;
    set(TCP_REPAIR, 1)?;
    let seen = look();
    let out = set(TCP_REPAIR, OFF).and_then(|()| socket::set_option(fd, libc::SO_REUSEADDR, reuse.min(1)));
    let seen = seen?;
    out.map(|()| seen)
}

/// Owner of the socket, as the kernel sees it where it matters (SO_REUSEPORT, sock_diag(7)).
pub fn set_owner(fd: &OwnedFd, uid: u32) -> io::Result<()> {
    // SAFETY: only numbers are passed; u32::MAX leaves the group as it is.
    check(unsafe { libc::fchown(fd.as_raw_fd(), uid, u32::MAX) }).map(drop)
}

/// Has its last close reset the connection (SO_LINGER of socket(7)), so that nothing of it is left.
pub fn leave_no_trace(fd: &OwnedFd) {
    let now: Vec<u8> = [1i32, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
    // The option is known to every socket; one that is closed already has nothing to reset.
    let _ = socket::set_bytes(fd, libc::SOL_SOCKET, libc::SO_LINGER, &now);
}
