//! Sockets at a restart: judged by making one like each, then made, and at last let to listen.
//!
//! Until the end every TCP socket has SO_REUSEADDR and none listens: so connections get the port of the socket that has
//! accepted them, and a port whose last connection has not been forgotten (TIME_WAIT) is no obstacle. Nobody else's
//! listening socket is covered by that.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use stasis_format::record::{File, SocketOption};

use super::super::kind::{FdMaker, Judging, Making, Placed};
use super::super::sockopts::{self, When};
use super::super::stream::Stream;
use super::join::{self, Joined};
use super::look::{self, is_connection, local};
use super::wanted::{Wanted, failed};
use crate::image::model::Id;
use crate::kinds::RestoreError;
use crate::sys::{inet, socket};

/// Sockets made whose files are still to come, and the other ends of those whose other end is nobody's.
#[derive(Debug, Default)]
pub struct Maker {
    made: BTreeMap<Id, OwnedFd>,
    far: BTreeMap<Id, OwnedFd>,
}

impl FdMaker for Maker {
    fn judge(&self, j: &Judging, _: Id, file: &File) -> Option<String> {
        let wanted = Wanted::of(j.tree, file.object)?;
        let at = local(wanted.inet);
        let of_socket = |why: String| Some(format!("the image has a socket of {at}, and {why}"));
        if ![libc::AF_INET, libc::AF_INET6].contains(&wanted.family()) {
            return of_socket(format!("address family {} is not known here", wanted.family()));
        }
        if wanted.record.socktype != libc::SOCK_STREAM as u32 {
            return of_socket(format!("sockets of type {} are not known here", wanted.record.socktype));
        }
        let fd = match look::fresh(wanted.record) {
            Ok(fd) => fd,
            Err(error) => return of_socket(format!("none like it can be made here ({error})")),
        };
        if let Some(why) = sockopts::judge(&fd, wanted.parts(), &wanted.tables()) {
            return of_socket(why);
        }
        if wanted.has(look::RESET | look::ENDED) || !wanted.has(look::BOUND) {
            return None;
        }
        if socket::set_option(&fd, libc::SO_REUSEADDR, 1).is_err() {
            return of_socket("its port cannot be used again".into());
        }
        let error = inet::bind(&fd, wanted.family(), at).err()?;
        of_socket(match error.raw_os_error() {
            Some(libc::EADDRNOTAVAIL) => "this machine does not have that address".into(),
            Some(libc::EADDRINUSE) => {
                "the port is taken here, or the kernel remembers a connection of it for a minute".into()
            }
            Some(libc::EACCES) => "the port takes a privilege (CAP_NET_BIND_SERVICE)".into(),
            _ => format!("it cannot be bound here ({error})"),
        })
    }

    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        let wanted = Wanted::of(m.tree, file.object).ok_or_else(|| RestoreError::missing(m.tree, id))?;
        let own = match self.made.remove(&wanted.id) {
            Some(own) => own,
            None if wanted.is_joined() => self.join(m, wanted)?,
            None => single(wanted)?,
        };
        // Only root gives it to somebody else, and only root has one of somebody else.
        let _ = inet::set_owner(&own, wanted.inet.uid);
        let status = file.flags as i32 & (libc::O_NONBLOCK | libc::O_ASYNC);
        fcntl(&own, FcntlArg::F_SETFL(OFlag::from_bits_truncate(status)))
            .map_err(RestoreError::nix("setting the flags of a socket"))?;
        Ok(Some(own))
    }

    /// All connections stand, so those that listen may.
    fn connect(&mut self, p: &mut Placed, id: Id, file: &File) -> Result<(), RestoreError> {
        let Some(wanted) = Wanted::of(p.tree, file.object) else { return Ok(()) };
        if wanted.inet.state != look::LISTEN {
            return Ok(());
        }
        let backlog = i32::try_from(wanted.inet.backlog).unwrap_or(i32::MAX);
        let taken = |error: io::Error| match error.raw_os_error() {
            Some(libc::EADDRINUSE) => RestoreError::Host(format!(
                "the image has a socket that listens at {}, and somebody else does here",
                local(wanted.inet)
            )),
            _ => failed("listen")(error),
        };
        inet::listen(&p.fd(id)?, backlog).map_err(taken)
    }

    /// What comes once the queues are filled: sizes of buffers, and ends.
    fn arm(&mut self, p: &Placed, id: Id, file: &File) -> Result<(), RestoreError> {
        let Some(wanted) = Wanted::of(p.tree, file.object) else { return Ok(()) };
        let fd = p.fd(id)?;
        if wanted.has(look::IN_BACKLOG) {
            join::again(&fd, wanted)?;
        }
        let shutdown = wanted.record.shutdown;
        for (bit, how) in [(look::SEND_SHUTDOWN, libc::SHUT_WR), (look::RCV_SHUTDOWN, libc::SHUT_RD)] {
            if shutdown & bit != 0 && is_connection(wanted.inet.state) {
                socket::shutdown(&fd, how).map_err(failed("shutdown"))?;
            }
        }
        if let Some(far) = self.far.remove(&wanted.id) {
            let end = match wanted.inet.flags {
                flags if flags & look::RESET != 0 => join::reset(&fd, far),
                flags if flags & look::ENDED != 0 => join::end(&fd, far),
                _ => {
                    drop(far);
                    Ok(())
                }
            };
            end.map_err(failed("its end"))?;
        }
        wanted.set(&fd, When::Filled)?;
        let is_it =
            |o: &SocketOption| (o.level, o.name) == (libc::SOL_SOCKET as u32, libc::SO_REUSEADDR as u32);
        let reuse = i32::from(wanted.parts().any(is_it));
        socket::set_option(&fd, libc::SO_REUSEADDR, reuse).map_err(failed("SO_REUSEADDR"))
    }
}

impl Maker {
    /// Makes a connection; the other end waits for its own description, or for the end of the restart.
    fn join(&mut self, m: &mut Making, wanted: Wanted) -> Result<OwnedFd, RestoreError> {
        let peer = Wanted::of(m.tree, wanted.record.peer).filter(|peer| peer.record.peer == wanted.id);
        let Joined { own, far } = join::join(wanted, peer)?;
        wanted.set(&own, When::Made)?;
        fill(m, wanted, &own, &far)?;
        match peer {
            Some(peer) => {
                peer.set(&far, When::Made)?;
                fill(m, peer, &far, &own)?;
                self.made.insert(peer.id, far);
            }
            None => drop(self.far.insert(wanted.id, far)),
        }
        Ok(own)
    }
}

/// A socket that is connected with nothing.
fn single(wanted: Wanted) -> Result<OwnedFd, RestoreError> {
    let fd = wanted.fresh().map_err(failed("socket"))?;
    wanted.set(&fd, When::Made)?;
    socket::set_option(&fd, libc::SO_REUSEADDR, 1).map_err(failed("SO_REUSEADDR"))?;
    if wanted.has(look::BOUND) {
        inet::bind(&fd, wanted.family(), local(wanted.inet)).map_err(failed("bind"))?;
    }
    Ok(fd)
}

/// Notes that what was in the queue of `own` is sent by `far`.
fn fill(m: &mut Making, wanted: Wanted, own: &OwnedFd, far: &OwnedFd) -> Result<(), RestoreError> {
    let size = wanted.record.size;
    if size == 0 {
        return Ok(());
    }
    // Room for all of it, with what the kernel keeps beside the bytes, however the program has set its buffers since.
    let room = size.saturating_mul(4).saturating_add(1 << 18);
    sockopts::set_buffer(own, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, room);
    sockopts::set_buffer(far, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, room);
    let duplicate = |fd: &OwnedFd| fd.try_clone().map_err(RestoreError::io("duplicating a socket"));
    m.streams.insert(wanted.id, Stream::new(duplicate(own)?, duplicate(far)?, size, false, true));
    Ok(())
}
