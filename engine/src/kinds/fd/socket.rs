//! Sockets between processes of the tree: pairs of AF_UNIX without a name, what is in their queues, their options.
//!
//! Who is connected with whom only sock_diag(7) tells. A socket that leads out of the tree cannot be carried over; as
//! standard input, output or error it is taken from the process that restarts the image.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;

use stasis_format::record::{File, InBody as _, Socket as Record, SocketOption};

use super::descriptions::{Open, Sight};
use super::external;
use super::kind::{Captured, FdKind, FdMaker, Judging, Making, Placed, Settling};
use super::sockopts::{self, Opt, When};
use super::stream::{Stream, framed};
use crate::image::model::{Id, Tree};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs;
use crate::refusal::Loss;
use crate::sys::{sock_diag, socket};

/// [`File::kind`].
const SOCKET: u32 = 14;

/// [`Record::state`]: connected with nothing, and never was.
const UNCONNECTED: u32 = 0;
const CONNECTED: u32 = 1;
/// Its peer is gone.
const DISCONNECTED: u32 = 2;

/// Bits of [`Record::shutdown`].
const RCV_SHUTDOWN: u32 = 1;
const SEND_SHUTDOWN: u32 = 2;

/// Options that they have.
const TABLES: &[&[Opt]] = &[sockopts::SOL_SOCKET];

const HINT: &str = "close the connection before the checkpoint";

/// The kind.
#[derive(Debug)]
pub struct Socket;

impl FdKind for Socket {
    fn carries(&self) -> &'static [u32] {
        &[SOCKET]
    }

    fn is_mine(&self, open: &Open) -> bool {
        open.file_type() == libc::S_IFSOCK
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        let tree = &mut *c.tree;
        let note = |(record, options): (Record, Vec<SocketOption>)| {
            let id = tree.add(record);
            tree.add_parts(id, options);
            id
        };
        match c.met.try_object(open, || look(open).map(note)) {
            Ok(object) => Ok(Some(Captured { kind: SOCKET, object })),
            Err(_) if open.fd <= 2 => Ok(Some(external::describe(c.tree, external::SOCKET, &open.link))),
            Err(why) => {
                c.survey.lose(Loss::Socket, open.pid, format!("{}: {why}", open.label()), HINT);
                Ok(None)
            }
        }
    }

    fn settle(&self, s: &mut Settling) -> Result<(), CaptureError> {
        settle(s, &s.by_object(self.carries()))
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Maker::default())
    }
}

/// The record of a socket and its options; or why sockets like it are not carried over.
fn look(open: &Open) -> Result<(Record, Vec<SocketOption>), String> {
    let unreadable = |error: io::Error| format!("this socket cannot be looked at ({error})");
    let record = sockopts::look(&open.dup).map_err(unreadable)?;
    let listens = socket::option(&open.dup, libc::SO_ACCEPTCONN).map_err(unreadable)? != 0;
    if record.family != libc::AF_UNIX as u32 || listens {
        return Err("only sockets of a socketpair(2) are carried over yet".into());
    }
    if socket::is_named(&open.dup).map_err(unreadable)? {
        return Err("sockets with an address are not carried over yet".into());
    }
    let fresh = fresh(&record).map_err(unreadable)?;
    let options = sockopts::options(&open.dup, &fresh, TABLES)?;
    Ok((record, options))
}

/// A socket of the same kind just made.
fn fresh(record: &Record) -> io::Result<OwnedFd> {
    socket::socket(libc::AF_UNIX, record.socktype as i32, record.protocol as i32)
}

fn inode_of(sight: &Sight) -> u32 {
    sight.stat.st_ino as u32
}

/// Who is connected with whom, and what is in their queues.
fn settle(s: &mut Settling, sockets: &BTreeMap<Id, Vec<(Id, &Sight)>>) -> Result<(), CaptureError> {
    let known: BTreeMap<u32, Id> =
        sockets.iter().filter_map(|(id, sights)| Some((inode_of(sights.first()?.1), *id))).collect();
    if known.is_empty() {
        return Ok(());
    }
    let links: BTreeSet<u64> = known.keys().map(|inode| u64::from(*inode)).collect();
    let holders = procfs::holders_of("socket", &links, &[s.members, &[std::process::id() as i32]].concat());
    let diag: BTreeMap<u32, io::Result<sock_diag::UnixSocket>> =
        known.keys().map(|inode| (*inode, sock_diag::unix(*inode))).collect();
    let peer_of = |inode: u32| diag.get(&inode)?.as_ref().ok()?.peer.filter(|peer| *peer != 0);
    let outside = |inode: u32| match diag.get(&inode) {
        Some(Ok(_)) if peer_of(inode).is_some_and(|peer| peer_of(peer) != Some(inode)) => {
            Some("the other end of this socket is outside".to_owned())
        }
        Some(Ok(_)) => {
            holders.get(&inode.into()).map(|pid| format!("process {pid} outside has this socket too"))
        }
        Some(Err(error)) => Some(format!("the kernel does not tell its peer (sock_diag: {error})")),
        None => Some("it is not known to sock_diag".to_owned()),
    };
    let reasons: BTreeMap<u32, String> =
        known.keys().filter_map(|inode| Some((*inode, outside(*inode)?))).collect();
    for (id, sights) in sockets {
        let Some((_, first)) = sights.first() else { continue };
        let inode = inode_of(first);
        // One end of a pair is of no use without the other.
        let own = reasons.get(&inode).cloned();
        let of_peer = || Some(format!("of its other end: {}", reasons.get(&peer_of(inode)?)?));
        if let Some(why) = own.or_else(of_peer) {
            for (file, sight) in sights {
                let what = format!("{}: {why}", sight.label());
                // As standard input, output or error it is the caller's of the restart.
                if external::is_standard(s.tree, *file) || s.survey.lose(Loss::Socket, sight.pid, what, HINT)
                {
                    external::lead_outside(s.tree, *file, external::SOCKET, &sight.link);
                }
            }
            continue;
        }
        let info = diag.get(&inode).and_then(|info| info.as_ref().ok().copied()).unwrap_or_default();
        let dup = first.duplicate().map_err(first.unreadable())?;
        let Some(record) = s.tree.object_mut::<Record>(*id) else { continue };
        record.peer = peer_of(inode).and_then(|peer| known.get(&peer).copied()).unwrap_or(0);
        record.state = match info.peer {
            None => UNCONNECTED,
            Some(0) => DISCONNECTED,
            Some(_) => CONNECTED,
        };
        record.shutdown = info.shutdown.into();
        match queue(record, &dup, info.queued) {
            Ok(bytes) => {
                record.size = bytes.len() as u64;
                if !bytes.is_empty() {
                    s.contents.streams.push((*id, bytes));
                }
            }
            Err(why) => {
                let what = format!("{}: {why}", first.label());
                s.survey.lose(Loss::Socket, first.pid, what, "try again when it has been read");
            }
        }
    }
    Ok(())
}

/// What can be read from a socket: bytes, or packets behind their lengths.
fn queue(record: &Record, dup: &OwnedFd, queued: u32) -> Result<Vec<u8>, String> {
    let is_stream = record.socktype == libc::SOCK_STREAM as u32;
    let seen = match is_stream {
        true => socket::peek_stream(dup, queued as usize),
        false => socket::peek_packets(dup),
    };
    let seen = seen.map_err(|error| format!("what is in its queue cannot be read ({error})"))?;
    if seen.rights {
        return Err("descriptors are under way in it (SCM_RIGHTS)".into());
    }
    Ok(if is_stream { seen.pieces.concat() } else { framed(&seen.pieces) })
}

/// Sockets made whose files are still to come, the other ends of pairs; and peers that are gone once what they had sent is
/// there.
#[derive(Debug, Default)]
struct Maker {
    made: BTreeMap<Id, OwnedFd>,
    gone: Vec<OwnedFd>,
}

impl FdMaker for Maker {
    fn judge(&self, j: &Judging, _: Id, file: &File) -> Option<String> {
        let record: &Record = j.tree.object(file.object)?;
        if record.family != libc::AF_UNIX as u32 {
            return Some(format!(
                "the image has a socket of family {}, which is not known here",
                record.family
            ));
        }
        let of_socket = |why: String| format!("the image has a socket, and {why}");
        match fresh(record) {
            Ok(fresh) => sockopts::judge(&fresh, j.tree.parts_of(file.object), TABLES).map(of_socket),
            Err(error) => Some(of_socket(format!("none like it can be made here ({error})"))),
        }
    }

    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        let record: &Record = m.tree.object(file.object).ok_or_else(|| RestoreError::missing(m.tree, id))?;
        let own = match self.made.remove(&file.object) {
            Some(own) => own,
            None => self.make(m, file.object, record)?,
        };
        sockopts::set_common(&own, record, When::Made).map_err(failed("options"))?;
        set_options(&own, m.tree, file.object, When::Made)?;
        let nonblock = file.flags as i32 & (libc::O_NONBLOCK | libc::O_ASYNC);
        let wanted = nix::fcntl::OFlag::from_bits_truncate(nonblock);
        nix::fcntl::fcntl(&own, nix::fcntl::FcntlArg::F_SETFL(wanted))
            .map_err(RestoreError::nix("setting the flags of a socket"))?;
        Ok(Some(own))
    }

    /// What comes once the queues are filled: sizes of buffers, and directions that are shut down.
    fn arm(&mut self, p: &Placed, id: Id, file: &File) -> Result<(), RestoreError> {
        self.gone.clear();
        let Some(record) = p.tree.object::<Record>(file.object) else { return Ok(()) };
        let fd = p.fd(id)?;
        sockopts::set_common(&fd, record, When::Filled).map_err(failed("options"))?;
        set_options(&fd, p.tree, file.object, When::Filled)?;
        for (bit, how) in [(RCV_SHUTDOWN, libc::SHUT_RD), (SEND_SHUTDOWN, libc::SHUT_WR)] {
            if record.shutdown & bit != 0 && record.state == CONNECTED {
                socket::shutdown(&fd, how).map_err(RestoreError::io("shutting down a socket"))?;
            }
        }
        Ok(())
    }
}

impl Maker {
    /// Makes a socket; its peer, if it has one, waits for its own description.
    fn make(&mut self, m: &mut Making, id: Id, record: &Record) -> Result<OwnedFd, RestoreError> {
        let (kind, protocol) = (record.socktype as i32, record.protocol as i32);
        if record.state == UNCONNECTED {
            return socket::socket(libc::AF_UNIX, kind, protocol).map_err(failed("socket"));
        }
        let (own, peer) = socket::pair(kind, protocol).map_err(failed("socketpair"))?;
        fill(m, id, record, &own, &peer)?;
        match m.tree.object::<Record>(record.peer) {
            Some(other) if other.peer == id => {
                fill(m, record.peer, other, &peer, &own)?;
                self.made.insert(record.peer, peer);
            }
            // The peer is gone; it stays until what it had sent is there.
            _ => self.gone.push(peer),
        }
        Ok(own)
    }
}

/// Notes that what was in the queue of `own` is sent by `peer`.
fn fill(m: &mut Making, id: Id, record: &Record, own: &OwnedFd, peer: &OwnedFd) -> Result<(), RestoreError> {
    if record.size == 0 {
        return Ok(());
    }
    // Room for all of it, however the program has set its buffers since.
    sockopts::set_buffer(peer, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, record.size.saturating_mul(2));
    let duplicate = |fd: &OwnedFd| fd.try_clone().map_err(RestoreError::io("duplicating a socket"));
    let packets = record.socktype != libc::SOCK_STREAM as u32;
    m.streams.insert(id, Stream::new(duplicate(own)?, duplicate(peer)?, record.size, packets, true));
    Ok(())
}

fn failed(what: &str) -> impl FnOnce(io::Error) -> RestoreError {
    RestoreError::io(format!("making a socket again ({what})"))
}

fn set_options(fd: &OwnedFd, tree: &Tree, id: Id, now: When) -> Result<(), RestoreError> {
    let options = tree.objects.get(&id).into_iter().flat_map(|object| &object.parts);
    sockopts::set(fd, options.filter_map(SocketOption::of), TABLES, now)
        .map_err(|(label, source)| failed(&label)(source))
}
