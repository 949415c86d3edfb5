//! Sockets between processes of the tree: pairs of AF_UNIX without a name, what is in their queues, their options.
//!
//! Who is connected with whom only sock_diag(7) tells. A socket that leads out of the tree cannot be carried over; as
//! standard input, output or error it is taken from the process that restarts the image.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use stasis_format::record::{File, Socket};

use super::files::{self, Met, Open, Opened};
use super::pipes::{PipeFill, framed};
use crate::image::model::{Id, Tree};
use crate::kinds::{Contents, RestoreError};
use crate::procfs;
use crate::refusal::{Loss, Survey};
use crate::sys::{self, sock_diag, socket};

/// [`Socket::state`]: connected with nothing, and never was.
const UNCONNECTED: u32 = 0;
const CONNECTED: u32 = 1;
/// Its peer is gone.
const DISCONNECTED: u32 = 2;

/// Bits of [`Socket::shutdown`].
const RCV_SHUTDOWN: u32 = 1;
const SEND_SHUTDOWN: u32 = 2;

/// Bits of [`Socket::flags`] and the options that they stand for.
const OPTIONS: &[(u32, i32)] = &[(1, libc::SO_PASSCRED), (2, libc::SO_PASSSEC), (4, libc::SO_BROADCAST)];

/// Sockets met while the descriptors are walked, by inode.
#[derive(Debug, Default)]
pub struct Sockets {
    known: BTreeMap<u32, Id>,
}

impl Sockets {
    /// The SOCKET of a descriptor; or why sockets like it are not carried over.
    pub fn add(&mut self, tree: &mut Tree, open: &Open) -> Result<Id, String> {
        let unreadable = |error: io::Error| format!("this socket cannot be looked at ({error})");
        let option = |name| socket::option(&open.dup, name).map_err(unreadable);
        if option(libc::SO_DOMAIN)? != libc::AF_UNIX || option(libc::SO_ACCEPTCONN)? != 0 {
            return Err("only sockets of a socketpair(2) are carried over yet".into());
        }
        if socket::is_named(&open.dup).map_err(unreadable)? {
            return Err("sockets with an address are not carried over yet".into());
        }
        let mut flags = 0;
        for (bit, name) in OPTIONS {
            flags |= if option(*name)? != 0 { *bit } else { 0 };
        }
        let timeout = |name| socket::timeout(&open.dup, name).map_err(unreadable);
        let record = Socket {
            family: libc::AF_UNIX as u32,
            socktype: option(libc::SO_TYPE)? as u32,
            protocol: option(libc::SO_PROTOCOL)? as u32,
            sndbuf: option(libc::SO_SNDBUF)? as u32,
            rcvbuf: option(libc::SO_RCVBUF)? as u32,
            rcvlowat: option(libc::SO_RCVLOWAT)? as u32,
            flags,
            rcvtimeo: timeout(libc::SO_RCVTIMEO)?,
            sndtimeo: timeout(libc::SO_SNDTIMEO)?,
            ..Socket::default()
        };
        let id = tree.add(record);
        self.known.insert(inode_of(open), id);
        Ok(id)
    }
}

fn inode_of(open: &Open) -> u32 {
    open.stat.st_ino as u32
}

/// Once all sockets of all processes are known: who is connected with whom, and what is in their queues.
pub fn settle(met: &Met, tree: &mut Tree, survey: &mut Survey, contents: &mut Contents, members: &[i32]) {
    let known = &met.sockets.known;
    if known.is_empty() {
        return;
    }
    let links: BTreeSet<u64> = known.keys().map(|inode| u64::from(*inode)).collect();
    let holders = procfs::holders_of("socket", &links, &[members, &[std::process::id() as i32]].concat());
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
    for (file, open) in &met.seen {
        let inode = inode_of(open);
        let is_socket = open.stat.st_mode & libc::S_IFMT == libc::S_IFSOCK;
        let Some(id) = known.get(&inode).filter(|_| is_socket) else { continue };
        // One end of a pair is of no use without the other.
        let own = reasons.get(&inode).cloned();
        let of_peer = || Some(format!("of its other end: {}", reasons.get(&peer_of(inode)?)?));
        if let Some(why) = own.or_else(of_peer) {
            let hint = "close the connection before the checkpoint";
            let what = format!("{}: {why}", open.label());
            // As standard input, output or error it is the caller's of the restart.
            if files::is_standard(tree, *file) || survey.lose(Loss::Socket, open.pid, what, hint) {
                files::lead_outside(tree, *file, files::SOCKET, &open.link);
            }
            continue;
        }
        let info = diag.get(&inode).and_then(|info| info.as_ref().ok().copied()).unwrap_or_default();
        if let Some(socket) = tree.object_mut::<Socket>(*id) {
            socket.peer = peer_of(inode).and_then(|peer| known.get(&peer).copied()).unwrap_or(0);
            socket.state = match info.peer {
                None => UNCONNECTED,
                Some(0) => DISCONNECTED,
                Some(_) => CONNECTED,
            };
            socket.shutdown = info.shutdown.into();
            match queue(socket, open, info.queued) {
                Ok(bytes) => {
                    socket.size = bytes.len() as u64;
                    if !bytes.is_empty() {
                        contents.streams.push((*id, bytes));
                    }
                }
                Err(why) => {
                    let what = format!("{}: {why}", open.label());
                    survey.lose(Loss::Socket, open.pid, what, "try again when it has been read");
                }
            }
        }
    }
}

/// What can be read from a socket: bytes, or packets behind their lengths.
fn queue(record: &Socket, open: &Open, queued: u32) -> Result<Vec<u8>, String> {
    let is_stream = record.socktype == libc::SOCK_STREAM as u32;
    let seen = match is_stream {
        true => socket::peek_stream(&open.dup, queued as usize),
        false => socket::peek_packets(&open.dup),
    };
    let seen = seen.map_err(|error| format!("what is in its queue cannot be read ({error})"))?;
    if seen.rights {
        return Err("descriptors are under way in it (SCM_RIGHTS)".into());
    }
    Ok(if is_stream { seen.pieces.concat() } else { framed(&seen.pieces) })
}

/// Sockets made at restart whose files are still to come: the other ends of pairs.
#[derive(Debug, Default)]
pub struct Pairs {
    made: BTreeMap<Id, OwnedFd>,
}

impl Pairs {
    /// The socket that a description needs; its peer is made with it.
    pub fn open(
        &mut self,
        tree: &Tree,
        file: &File,
        record: &Socket,
        opened: &mut Opened,
    ) -> Result<OwnedFd, RestoreError> {
        let own = match self.made.remove(&file.object) {
            Some(own) => own,
            None => self.make(tree, file.object, record, opened)?,
        };
        set_options(&own, record).map_err(failed("options"))?;
        let nonblock = file.flags as i32 & (libc::O_NONBLOCK | libc::O_ASYNC);
        let wanted = nix::fcntl::OFlag::from_bits_truncate(nonblock);
        nix::fcntl::fcntl(&own, nix::fcntl::FcntlArg::F_SETFL(wanted))
            .map_err(RestoreError::nix("setting the flags of a socket"))?;
        Ok(own)
    }

    /// Makes a socket; its peer, if it has one, waits for its own description.
    fn make(
        &mut self,
        tree: &Tree,
        id: Id,
        record: &Socket,
        opened: &mut Opened,
    ) -> Result<OwnedFd, RestoreError> {
        if record.family != libc::AF_UNIX as u32 {
            return Err(RestoreError::Host("the image has a socket of an unknown family".into()));
        }
        let (kind, protocol) = (record.socktype as i32, record.protocol as i32);
        if record.state == UNCONNECTED {
            return socket::single(kind, protocol).map_err(failed("socket"));
        }
        let (own, peer) = socket::pair(kind, protocol).map_err(failed("socketpair"))?;
        self.fill(id, record, &own, &peer, opened)?;
        match tree.object::<Socket>(record.peer) {
            Some(other) if other.peer == id => {
                self.fill(record.peer, other, &peer, &own, opened)?;
                self.made.insert(record.peer, peer);
            }
            // The peer is gone; it stays until what it had sent is there.
            _ => opened.gone_peers.push(peer),
        }
        Ok(own)
    }

    /// Notes that what was in the queue of `own` is sent by `peer`.
    fn fill(
        &self,
        id: Id,
        record: &Socket,
        own: &OwnedFd,
        peer: &OwnedFd,
        opened: &mut Opened,
    ) -> Result<(), RestoreError> {
        if record.size == 0 {
            return Ok(());
        }
        // Room for all of it, however the program has set its buffers since.
        set_buffer(peer, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, record.size.saturating_mul(2));
        let duplicate = |fd: &OwnedFd| fd.try_clone().map_err(RestoreError::io("duplicating a socket"));
        let packets = record.socktype != libc::SOCK_STREAM as u32;
        let (read, write) = (duplicate(own)?, duplicate(peer)?);
        let begun = Mutex::default();
        opened
            .pipes
            .insert(id, PipeFill { _read: read, write, size: record.size, packets, socket: true, begun });
        Ok(())
    }
}

fn failed(what: &str) -> impl FnOnce(io::Error) -> RestoreError {
    RestoreError::io(format!("making a socket again ({what})"))
}

/// Sets a buffer's size by the privileged option, which knows no limit, or by the ordinary one. Too small a buffer only
/// makes the program wait sooner.
fn set_buffer(fd: &OwnedFd, force: i32, plain: i32, bytes: u64) {
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    if socket::set_option(fd, force, bytes).is_err() {
        let _ = socket::set_option(fd, plain, bytes);
    }
}

fn set_options(fd: &OwnedFd, record: &Socket) -> io::Result<()> {
    socket::set_timeout(fd, libc::SO_RCVTIMEO, record.rcvtimeo)?;
    socket::set_timeout(fd, libc::SO_SNDTIMEO, record.sndtimeo)?;
    if record.rcvlowat > 1 {
        socket::set_option(fd, libc::SO_RCVLOWAT, record.rcvlowat as i32)?;
    }
    OPTIONS
        .iter()
        .filter(|(bit, _)| record.flags & bit != 0)
        .try_for_each(|(_, name)| socket::set_option(fd, *name, 1))
}

/// What comes once the queues are filled: sizes of buffers, and directions that are shut down.
pub fn finish(tree: &Tree, opened: &Opened) -> Result<(), RestoreError> {
    for (id, file) in tree.files.iter().filter(|(_, file)| file.kind == files::LOCAL_SOCKET) {
        let (Some(record), Some(fd)) = (tree.object::<Socket>(file.object), opened.files.get(id)) else {
            continue;
        };
        // The kernel doubles what is set (socket(7)).
        set_buffer(fd, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, u64::from(record.sndbuf / 2));
        set_buffer(fd, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, u64::from(record.rcvbuf / 2));
        for (bit, how) in [(RCV_SHUTDOWN, libc::SHUT_RD), (SEND_SHUTDOWN, libc::SHUT_WR)] {
            if record.shutdown & bit != 0 && record.state == CONNECTED {
                sys::socket::shutdown(fd, how).map_err(RestoreError::io("shutting down a socket"))?;
            }
        }
    }
    Ok(())
}
