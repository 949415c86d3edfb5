//! What one socket tells of itself: its kind, options, addresses, and the state of its connection.

use std::io;
use std::os::fd::OwnedFd;

use stasis_format::record::{Inet, Socket, SocketOption};

use super::super::descriptions::Sight;
use super::super::sockopts;
use super::options;
use crate::sys::inet::{self, Endpoint};
use crate::sys::socket;

/// IPPROTO_MPTCP (linux/in.h).
pub const MPTCP: u32 = 262;

/// States of include/net/tcp_states.h.
pub const ESTABLISHED: u32 = 1;
pub const SYN_SENT: u32 = 2;
pub const SYN_RECV: u32 = 3;
pub const FIN_WAIT1: u32 = 4;
pub const FIN_WAIT2: u32 = 5;
pub const CLOSE: u32 = 7;
pub const CLOSE_WAIT: u32 = 8;
pub const LAST_ACK: u32 = 9;
pub const LISTEN: u32 = 10;
pub const CLOSING: u32 = 11;

/// Bits of [`Inet::flags`]: an address was given to it, or it got one.
pub const BOUND: u32 = 1;
/// It was reset: what was in its queue can be read, then comes ECONNRESET.
pub const RESET: u32 = 2;
/// Both ends have ended the connection.
pub const ENDED: u32 = 4;
/// Nobody has the other end any more.
pub const PEER_GONE: u32 = 8;
/// The other end waits in the backlog of a listening socket of the tree.
pub const IN_BACKLOG: u32 = 16;

/// Bits of [`Socket::shutdown`].
pub const RCV_SHUTDOWN: u32 = 1;
pub const SEND_SHUTDOWN: u32 = 2;

/// Whether a connection has two ends in this state.
pub fn is_connection(state: u32) -> bool {
    ![CLOSE, LISTEN].contains(&state)
}

/// Whether it is connected, or was before.
pub fn was_connected(inet: &Inet) -> bool {
    is_connection(inet.state) || inet.flags & (RESET | ENDED) != 0
}

/// The other end has said that nothing more comes.
pub fn has_end(state: u32) -> bool {
    [CLOSE_WAIT, LAST_ACK, CLOSING].contains(&state)
}

/// It has said so itself.
pub fn has_ended(state: u32) -> bool {
    [FIN_WAIT1, FIN_WAIT2, CLOSING, LAST_ACK].contains(&state)
}

/// A socket of the same kind just made.
pub fn fresh(record: &Socket) -> io::Result<OwnedFd> {
    socket::socket(record.family as i32, record.socktype as i32, record.protocol as i32)
}

/// Its own end.
pub fn local(inet: &Inet) -> Endpoint {
    Endpoint { address: inet.local.into(), port: inet.local_port as u16, scope: inet.local_scope }
}

/// The other end.
pub fn remote(inet: &Inet) -> Endpoint {
    Endpoint { address: inet.remote.into(), port: inet.remote_port as u16, scope: inet.remote_scope }
}

/// Looks at a socket; or why sockets like it are not carried over.
pub fn look(sight: &Sight, fd: &OwnedFd) -> Result<(Socket, Inet, Vec<SocketOption>), String> {
    let unreadable = |error: io::Error| format!("this socket cannot be looked at ({error})");
    let mut record = sockopts::look(fd).map_err(unreadable)?;
    if ![libc::IPPROTO_TCP as u32, MPTCP].contains(&record.protocol) {
        return Err(format!("sockets of protocol {} are not carried over yet", record.protocol));
    }
    let mut inet = Inet { state: CLOSE, uid: sight.stat.st_uid, ..Inet::default() };
    let own = inet::local(fd).map_err(unreadable)?;
    (inet.local, inet.local_port, inet.local_scope) = (own.address.octets(), own.port.into(), own.scope);
    inet.flags = if own.port == 0 { 0 } else { BOUND };
    match inet::remote(fd) {
        Ok(other) => {
            (inet.remote, inet.remote_port) = (other.address.octets(), other.port.into());
            inet.remote_scope = other.scope;
            inet.state = ESTABLISHED;
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => {}
        Err(error) => return Err(unreadable(error)),
    }
    look_at_tcp(fd, &mut record, &mut inet)?;
    record.state = u32::from(is_connection(inet.state));
    let fresh = fresh(&record).map_err(unreadable)?;
    let tables = options::tables(record.family, was_connected(&inet));
    let options = sockopts::options(fd, &fresh, &tables)?;
    Ok((record, inet, options))
}

fn look_at_tcp(fd: &OwnedFd, record: &mut Socket, inet: &mut Inet) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("this socket cannot be looked at ({error})");
    let info = inet::tcp_info(fd).map_err(unreadable)?;
    let events = inet::events(fd).map_err(unreadable)?;
    inet.state = info.state.into();
    match inet.state {
        LISTEN => {
            inet.backlog = info.backlog;
            return Ok(());
        }
        CLOSE => {
            if events & libc::POLLERR != 0 {
                inet.flags |= RESET;
            } else {
                // A socket that was never connected says so; of one whose connection has ended the end is read.
                let looked = socket::peek_stream(fd, 1);
                let never = looked.is_err_and(|error| error.raw_os_error() == Some(libc::ENOTCONN));
                inet.flags |= if never { 0 } else { ENDED };
            }
        }
        _ => {}
    }
    if events & libc::POLLPRI != 0 {
        return Err("an urgent byte (MSG_OOB) is in it, which is not carried over yet".into());
    }
    record.shutdown = if has_ended(inet.state) { SEND_SHUTDOWN } else { 0 };
    if events & libc::POLLRDHUP != 0 && is_connection(inet.state) && !has_end(inet.state) {
        record.shutdown |= RCV_SHUTDOWN;
    }
    Ok(())
}
