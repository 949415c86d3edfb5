//! Connections of TCP at a restart: made between the addresses that they had, over the loopback device.
//!
//! One end listens for a moment, the other connects to it. Nobody else who connects in that moment is let in. For a
//! connection that is over, any other end will do.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use super::look::{self, local, remote};
use super::wanted::{Wanted, failed};
use crate::kinds::RestoreError;
use crate::sys::inet::{self, Endpoint};
use crate::sys::socket;

/// Time after which a connection over the loopback device has failed: a filter of packets holds it back.
const PATIENCE: u64 = 5_000_000_000;
const PATIENCE_MS: i32 = 5000;

/// Both ends of a connection.
#[derive(Debug)]
pub struct Joined {
    /// The end that was asked for.
    pub own: OwnedFd,
    /// The other one.
    pub far: OwnedFd,
}

/// Makes a connection for `wanted`, whose other end is `peer` or nobody's.
pub fn join(wanted: Wanted, peer: Option<Wanted>) -> Result<Joined, RestoreError> {
    let is_over = wanted.inet.flags & (look::RESET | look::ENDED) != 0;
    let other = if is_over { somewhere(wanted) } else { remote(wanted.inet) };
    let far_like = peer.unwrap_or(wanted);
    let what = |step: &str| failed(&format!("connection between {} and {other}: {step}", local(wanted.inet)));
    let listening = far_like.fresh().map_err(what("socket"))?;
    inet::bind(&listening, far_like.family(), other).map_err(what("bind"))?;
    inet::listen(&listening, 1).map_err(what("listen"))?;
    let at = inet::local(&listening).map_err(what("getsockname"))?;
    let own = wanted.fresh().map_err(what("socket"))?;
    let bound = inet::bind(&own, wanted.family(), local(wanted.inet));
    if !is_over {
        bound.map_err(what("bind"))?;
    }
    socket::set_timeout(&own, libc::SO_SNDTIMEO, PATIENCE).map_err(what("time limit"))?;
    socket::set_timeout(&listening, libc::SO_RCVTIMEO, PATIENCE).map_err(what("time limit"))?;
    inet::connect(&own, wanted.family(), at).map_err(what("connect"))?;
    let from = inet::local(&own).map_err(what("getsockname"))?;
    loop {
        let far = inet::accept(&listening).map_err(what("accept"))?;
        if inet::remote(&far).is_ok_and(|end| (end.address, end.port) == (from.address, from.port)) {
            return Ok(Joined { own, far });
        }
    }
}

/// An address of this machine that a socket can connect to.
fn somewhere(wanted: Wanted) -> Endpoint {
    let is_v4 = local(wanted.inet).address.to_ipv4_mapped().is_some();
    let address = if is_v4 { Ipv4Addr::LOCALHOST.to_ipv6_mapped() } else { Ipv6Addr::LOCALHOST };
    Endpoint { address, port: 0, scope: 0 }
}

/// Connects a socket again whose other end waits in the backlog of a listening socket of the tree.
pub fn again(fd: &OwnedFd, wanted: Wanted) -> Result<(), RestoreError> {
    let to = remote(wanted.inet);
    match inet::connect(fd, wanted.family(), to) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        done => return done.map_err(failed(&format!("connecting with {to}"))),
    }
    let is_there = inet::wait_for(fd, libc::POLLOUT, PATIENCE_MS).map_err(failed("poll"))?;
    let timed_out = || io::Error::from_raw_os_error(libc::ETIMEDOUT);
    if is_there { Ok(()) } else { Err(failed(&format!("connecting with {to}"))(timed_out())) }
}

/// Resets a connection from its other end.
pub fn reset(own: &OwnedFd, far: OwnedFd) -> io::Result<()> {
    inet::leave_no_trace(&far);
    drop(far);
    inet::wait_for(own, libc::POLLERR, PATIENCE_MS).map(drop)
}

/// Ends a connection from both sides.
pub fn end(own: &OwnedFd, far: OwnedFd) -> io::Result<()> {
    socket::shutdown(&far, libc::SHUT_WR)?;
    socket::shutdown(own, libc::SHUT_WR)?;
    drop(far);
    inet::wait_for(own, libc::POLLHUP, PATIENCE_MS).map(drop)
}
