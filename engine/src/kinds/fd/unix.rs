//! Unix sockets between processes of the tree: pairs, named ones, those who listen, what is in their queues, their options.
//!
//! Who is connected with whom only sock_diag(7) tells. A socket that leads out of the tree cannot be carried over; as
//! standard input, output or error it is taken from the process that restarts the image.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;

use stasis_format::record::{
    Body, File, InBody as _, Socket as Record, SocketName, SocketOption, SocketPacket, SocketPlace,
};

use super::descriptions::{Open, Sight};
use super::external;
use super::kind::{Captured, FdKind, FdMaker, Judging, Making, Placed, Settling};
use super::sockopts::{self, Opt, When};
use super::stream::{Stream, framed};
use super::unixnames::{self, Reach};
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
const LISTENING: u32 = 3;
/// Connected with one who has not been accepted yet.
const WAITING: u32 = 4;

/// Bits of [`Record::shutdown`].
const RCV_SHUTDOWN: u32 = 1;
const SEND_SHUTDOWN: u32 = 2;

/// Options that they have.
const TABLES: &[&[Opt]] = &[sockopts::SOL_SOCKET];

const HINT: &str = "close the connection before the checkpoint";

/// The kind.
#[derive(Debug)]
pub struct Unix;

impl FdKind for Unix {
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
    let mut record = sockopts::look(&open.dup).map_err(unreadable)?;
    if record.family != libc::AF_UNIX as u32 {
        return Err(format!("sockets of family {} are not carried over yet", record.family));
    }
    if socket::option(&open.dup, libc::SO_ACCEPTCONN).map_err(unreadable)? != 0 {
        record.state = LISTENING;
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

/// What is known of one socket of the tree.
struct Seen {
    id: Id,
    /// How the kernel knows it.
    diag: sock_diag::UnixSocket,
    socktype: u32,
    listens: bool,
    name: Vec<u8>,
}

/// Who is connected with whom, what their names are, and what is in their queues.
fn settle(s: &mut Settling, sockets: &BTreeMap<Id, Vec<(Id, &Sight)>>) -> Result<(), CaptureError> {
    let mut seen: BTreeMap<u32, Seen> = BTreeMap::new();
    let mut reasons: BTreeMap<u32, String> = BTreeMap::new();
    let links: BTreeSet<u64> =
        sockets.values().flatten().map(|(_, sight)| u64::from(inode_of(sight))).collect();
    if links.is_empty() {
        return Ok(());
    }
    let holders = procfs::holders_of("socket", &links, &[s.members, &[std::process::id() as i32]].concat());
    for (id, sights) in sockets {
        let Some((_, sight)) = sights.first() else { continue };
        let inode = inode_of(sight);
        let record = s.tree.object::<Record>(*id).cloned().unwrap_or_default();
        let dup = sight.duplicate().map_err(sight.unreadable())?;
        let name = socket::name(&dup).map_err(sight.unreadable())?;
        let diag = match sock_diag::unix(inode) {
            Ok(diag) => diag,
            Err(error) => {
                reasons.insert(inode, format!("the kernel does not tell its peer (sock_diag: {error})"));
                sock_diag::UnixSocket::default()
            }
        };
        if let Some(pid) = holders.get(&inode.into()) {
            reasons.insert(inode, format!("process {pid} outside has this socket too"));
        }
        let listens = record.state == LISTENING;
        seen.insert(inode, Seen { id: *id, diag, socktype: record.socktype, listens, name });
    }
    let waiting: BTreeMap<u32, (Id, u32)> = seen
        .values()
        .flat_map(|at| at.diag.waiting.iter().enumerate().map(|(turn, who)| (*who, (at.id, turn as u32))))
        .collect();
    let peer_of = |inode: u32| seen.get(&inode)?.diag.peer.filter(|peer| *peer != 0);
    for (inode, at) in &seen {
        let is_datagram = at.socktype == libc::SOCK_DGRAM as u32;
        let why = match peer_of(*inode) {
            _ if at.diag.waiting.iter().any(|who| !seen.contains_key(who)) => {
                "a connection from outside, or from one who is gone, waits there to be accepted"
            }
            // One who only sends there can be connected again by that name.
            Some(peer) if is_datagram && seen.get(&peer).is_some_and(|peer| !peer.name.is_empty()) => {
                continue;
            }
            Some(peer) if is_datagram && !seen.contains_key(&peer) && is_reachable(at, sockets)? => continue,
            Some(peer) if peer_of(peer) != Some(*inode) => "the other end of this socket is outside",
            _ => continue,
        };
        reasons.entry(*inode).or_insert_with(|| why.to_owned());
    }
    for (id, sights) in sockets {
        let Some((_, first)) = sights.first() else { continue };
        let inode = inode_of(first);
        let Some(at) = seen.get(&inode) else { continue };
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
        let dup = first.duplicate().map_err(first.unreadable())?;
        let Some(mut record) = s.tree.object::<Record>(*id).cloned() else { continue };
        let peer = peer_of(inode).and_then(|peer| seen.get(&peer));
        record.peer = peer.map_or(0, |peer| peer.id);
        record.state = match (at.diag.peer, waiting.get(&inode)) {
            _ if at.listens => LISTENING,
            (_, Some((listener, turn))) => {
                (record.listener, record.turn) = (*listener, *turn);
                WAITING
            }
            (None, _) => UNCONNECTED,
            (Some(0), _) => DISCONNECTED,
            (Some(_), _) => CONNECTED,
        };
        record.backlog = at.diag.backlog;
        record.shutdown = at.diag.shutdown.into();
        let named = names(at, peer, &seen, first, &dup, &mut record);
        let looked = named.and_then(|names| {
            if record.state == WAITING && socket::unread(&dup).unwrap_or(1) != 0 {
                return Err(
                    "what it has sent is with one who has not accepted it yet, and cannot be read".into()
                );
            }
            let queue = if at.listens { Looked::default() } else { queue(&record, &dup, at.diag.queued)? };
            let taken = |name: &Vec<u8>| {
                let is_abstract = !name.is_empty() && !unixnames::is_path(name);
                is_abstract && unixnames::is_taken(name, |inode| seen.contains_key(&inode)).unwrap_or(false)
            };
            if queue.senders.iter().any(taken) {
                return Err("a packet from a socket outside is in its queue".into());
            }
            Ok((names, queue))
        });
        match looked {
            Ok((names, queue)) => {
                record.size = queue.bytes.len() as u64;
                let packets = packets(&queue.senders, at, &seen);
                if let Some(own) = s.tree.object_mut::<Record>(*id) {
                    *own = record;
                }
                s.tree.add_parts(*id, names);
                s.tree.add_parts(*id, packets);
                if !queue.bytes.is_empty() {
                    s.contents.streams.push((*id, queue.bytes));
                }
            }
            Err(why) => {
                let what = format!("{}: {why}", first.label());
                s.survey.lose(Loss::Socket, first.pid, what, "try again later");
            }
        }
    }
    Ok(())
}

/// Whether a socket's peer outside has a name that leads to it still.
fn is_reachable(at: &Seen, sockets: &BTreeMap<Id, Vec<(Id, &Sight)>>) -> Result<bool, CaptureError> {
    let Some((_, sight)) = sockets.get(&at.id).and_then(|sights| sights.first()) else { return Ok(false) };
    let dup = sight.duplicate().map_err(sight.unreadable())?;
    let name = socket::peer_name(&dup).unwrap_or_default();
    let file = at.diag.peer.and_then(|peer| sock_diag::unix(peer).ok()).and_then(|peer| peer.file);
    // What it sends from there on goes to whoever has that name then: it must be a name that says who (/dev/log).
    Ok(name.first() == Some(&b'/')
        && file
            .is_some_and(|file| unixnames::find(sight.pid, &name, file).is_ok_and(|found| found.is_some())))
}

/// The records of the names of a socket.
fn names(
    at: &Seen,
    peer: Option<&Seen>,
    seen: &BTreeMap<u32, Seen>,
    sight: &Sight,
    dup: &OwnedFd,
    record: &mut Record,
) -> Result<Vec<Body>, String> {
    let mut records: Vec<Body> = Vec::new();
    if peer.is_none() && record.state == CONNECTED {
        let name =
            socket::peer_name(dup).map_err(|error| format!("its peer's name is not known ({error})"))?;
        records.push(SocketName { flags: SocketName::PEER, name, ..SocketName::default() }.into());
    }
    if at.name.is_empty() {
        return Ok(records);
    }
    // One that was accepted has the name of who listened, whose the file is.
    let is_stream = record.socktype != libc::SOCK_DGRAM as u32;
    let listener = |seen: &Seen, name: &[u8]| seen.listens && seen.name == name;
    let was_accepted = is_stream
        && matches!(record.state, CONNECTED | DISCONNECTED)
        && (peer.is_none_or(|peer| peer.name.is_empty())
            || seen.values().any(|other| listener(other, &at.name))
            || peer.is_some_and(|peer| at.id > peer.id));
    let is_ours = |inode| seen.contains_key(&inode);
    if was_accepted
        && !unixnames::is_path(&at.name)
        && unixnames::is_taken(&at.name, is_ours).unwrap_or(false)
    {
        return Err("it was accepted by a socket outside, which has the name that it has".into());
    }
    let file = at.diag.file.filter(|_| unixnames::is_path(&at.name) && !was_accepted);
    match file.map(|file| unixnames::find(sight.pid, &at.name, file)).transpose()?.flatten() {
        Some((name, place)) => records.extend([name.into(), place.into()]),
        None => records.push(SocketName { name: at.name.clone(), ..SocketName::default() }.into()),
    }
    Ok(records)
}

/// Who sent what is in the queue of a socket; nothing where that is its peer.
fn packets(senders: &[Vec<u8>], at: &Seen, seen: &BTreeMap<u32, Seen>) -> Vec<SocketPacket> {
    if at.socktype != libc::SOCK_DGRAM as u32 || at.name.is_empty() && senders.iter().all(Vec::is_empty) {
        return Vec::new();
    }
    let from = |name: &Vec<u8>| {
        let is_it = |other: &&Seen| !name.is_empty() && other.name == *name && other.socktype == at.socktype;
        seen.values().find(is_it).map_or(0, |other| other.id)
    };
    senders.iter().map(|name| SocketPacket { from: from(name), pad: 0, sender: name.clone() }).collect()
}

/// What was in a queue.
#[derive(Default)]
struct Looked {
    bytes: Vec<u8>,
    senders: Vec<Vec<u8>>,
}

/// What can be read from a socket: bytes, or packets behind their lengths.
fn queue(record: &Record, dup: &OwnedFd, queued: u32) -> Result<Looked, String> {
    let is_stream = record.socktype == libc::SOCK_STREAM as u32;
    let seen = match is_stream {
        true if matches!(record.state, UNCONNECTED | WAITING) => return Ok(Looked::default()),
        true => socket::peek_stream(dup, queued as usize),
        false if record.socktype != libc::SOCK_DGRAM as u32 && record.state == UNCONNECTED => {
            return Ok(Looked::default());
        }
        false => socket::peek_packets(dup),
    };
    let seen = seen.map_err(|error| format!("what is in its queue cannot be read ({error})"))?;
    if seen.rights {
        return Err("descriptors are under way in it (SCM_RIGHTS)".into());
    }
    let bytes = if is_stream { seen.pieces.concat() } else { framed(&seen.pieces) };
    Ok(Looked { bytes, senders: seen.senders })
}

/// Sockets made whose files are still to come, how they are reached, and peers that are gone once what they had sent is
/// there.
#[derive(Debug, Default)]
struct Maker {
    begun: BTreeSet<Id>,
    made: BTreeMap<Id, OwnedFd>,
    /// Those who send packets to others, and those who accept others.
    kept: BTreeMap<Id, OwnedFd>,
    reach: BTreeMap<Id, Reach>,
    gone: Vec<OwnedFd>,
    aside: Vec<Reach>,
    /// Those outside with whom sockets are to be connected, by these.
    outside: BTreeMap<Id, Reach>,
    /// Descriptions by the socket that they are of.
    files: BTreeMap<Id, Id>,
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
        if let Some((name, place)) = placed(j.tree, file.object)
            && let Some(why) = unixnames::judge(name, place)
        {
            return Some(why);
        }
        if let Some(why) = outside(j.tree, file.object).and_then(|name| unixnames::judge_outside(&name.name))
        {
            return Some(why);
        }
        match fresh(record) {
            Ok(fresh) => sockopts::judge(&fresh, j.tree.parts_of(file.object), TABLES).map(of_socket),
            Err(error) => Some(of_socket(format!("none like it can be made here ({error})"))),
        }
    }

    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        if self.files.is_empty() {
            self.files = m.tree.files.iter().map(|(id, file)| (file.object, *id)).collect();
        }
        self.make(m, file.object)?;
        let own = self.made.remove(&file.object).ok_or_else(|| RestoreError::missing(m.tree, id))?;
        let nonblock = file.flags as i32 & (libc::O_NONBLOCK | libc::O_ASYNC);
        let wanted = nix::fcntl::OFlag::from_bits_truncate(nonblock);
        nix::fcntl::fcntl(&own, nix::fcntl::FcntlArg::F_SETFL(wanted))
            .map_err(RestoreError::nix("setting the flags of a socket"))?;
        Ok(Some(own))
    }

    /// Those who wait to be accepted, in their order.
    fn connect(&mut self, p: &mut Placed, _: Id, file: &File) -> Result<(), RestoreError> {
        let is_waiting = |(id, record): (Id, &Record)| {
            (record.state == WAITING && record.listener == file.object).then_some((record.turn, id))
        };
        let Some(listener) = p.tree.object::<Record>(file.object).filter(|r| r.state == LISTENING) else {
            return Ok(());
        };
        let mut waiting: Vec<(u32, Id)> = p.tree.objects_of::<Record>().filter_map(is_waiting).collect();
        waiting.sort_unstable();
        if waiting.len() > listener.backlog as usize + 1 {
            return Err(RestoreError::Host("more connections wait at a socket than it has room for".into()));
        }
        let Some(reach) = self.reach.get(&file.object) else { return Ok(()) };
        for (_, client) in waiting {
            let Some(client) = self.files.get(&client) else { continue };
            socket::connect(&p.fd(*client)?, &reach.name).map_err(failed("connect"))?;
        }
        Ok(())
    }

    /// What comes once the queues are filled: sizes of buffers, whom packets go to, directions that are shut down.
    fn arm(&mut self, p: &Placed, id: Id, file: &File) -> Result<(), RestoreError> {
        self.gone.clear();
        self.kept.clear();
        let Some(record) = p.tree.object::<Record>(file.object) else { return Ok(()) };
        let fd = p.fd(id)?;
        // Before the options: with SO_PASSCRED connect(2) would give it a name (unix(7), autobind).
        if is_alone(p.tree, file.object, record) {
            self.connect_datagrams(file.object, record, &fd)?;
        }
        sockopts::set_common(&fd, record, When::Filled).map_err(failed("options"))?;
        set_options(&fd, p.tree, file.object, When::Filled)?;
        for (bit, how) in [(RCV_SHUTDOWN, libc::SHUT_RD), (SEND_SHUTDOWN, libc::SHUT_WR)] {
            if record.shutdown & bit != 0 && record.state == CONNECTED {
                socket::shutdown(&fd, how).map_err(RestoreError::io("shutting down a socket"))?;
            }
        }
        if let Some(reach) = self.reach.get_mut(&file.object) {
            reach.keep();
        }
        Ok(())
    }
}

/// The name of a socket.
fn name_of(tree: &Tree, id: Id) -> Option<&SocketName> {
    tree.parts_of::<SocketName>(id).find(|name| name.flags & SocketName::PEER == 0)
}

/// The name of one outside with whom a socket is connected.
fn outside(tree: &Tree, id: Id) -> Option<&SocketName> {
    tree.parts_of::<SocketName>(id).find(|name| name.flags & SocketName::PEER != 0)
}

/// Name and place of a socket that is reached by its path.
fn placed(tree: &Tree, id: Id) -> Option<(&SocketName, &SocketPlace)> {
    Some((name_of(tree, id)?, tree.parts_of(id).next()?))
}

/// Whether it is made without its peer: everything but connected streams, and pairs of sockets without a name.
fn is_alone(tree: &Tree, id: Id, record: &Record) -> bool {
    let datagrams = record.socktype == libc::SOCK_DGRAM as u32;
    match record.state {
        CONNECTED if datagrams => {
            let mutual = tree.object::<Record>(record.peer).is_some_and(|peer| peer.peer == id);
            !mutual || name_of(tree, id).is_some() || name_of(tree, record.peer).is_some()
        }
        DISCONNECTED if datagrams => name_of(tree, id).is_some(),
        CONNECTED | DISCONNECTED => false,
        _ => true,
    }
}

impl Maker {
    /// Makes a socket, and its peer with it if they come in pairs; each waits for its own description.
    fn make(&mut self, m: &mut Making, id: Id) -> Result<(), RestoreError> {
        if !self.begun.insert(id) {
            return Ok(());
        }
        let unknown = || RestoreError::Host("a socket of the image is not in it".into());
        let record: &Record = m.tree.object(id).ok_or_else(unknown)?;
        let (kind, protocol) = (record.socktype as i32, record.protocol as i32);
        let duplicate = |fd: &OwnedFd| fd.try_clone().map_err(RestoreError::io("duplicating a socket"));
        if is_alone(m.tree, id, record) {
            let own = fresh(record).map_err(failed("socket"))?;
            self.prepare(m, id, record, &own)?;
            if record.state == LISTENING {
                socket::listen(&own, record.backlog).map_err(failed("listen"))?;
            }
            if let Some(name) = outside(m.tree, id) {
                let file = self.files.get(&id).copied().unwrap_or(0);
                self.outside.insert(id, unixnames::find_outside(&name.name, m.rights, file)?);
            }
            if kind == libc::SOCK_DGRAM || record.state == LISTENING {
                self.kept.insert(id, duplicate(&own)?);
            }
            self.made.insert(id, duplicate(&own)?);
            return self.fill_datagrams(m, id, record, &own);
        }
        let other = m.tree.object::<Record>(record.peer).filter(|other| other.peer == id);
        self.begun.extend(other.map(|_| record.peer));
        let is_named = |id| name_of(m.tree, id).is_some();
        let (own, peer) = if kind == libc::SOCK_DGRAM || !is_named(id) && !is_named(record.peer) {
            socket::pair(kind, protocol).map_err(failed("socketpair"))?
        } else {
            self.accepted(m, id, record)?
        };
        sockopts::set_common(&own, record, When::Made).map_err(failed("options"))?;
        set_options(&own, m.tree, id, When::Made)?;
        fill(m, id, record, &own, &peer)?;
        match other {
            Some(other) => {
                sockopts::set_common(&peer, other, When::Made).map_err(failed("options"))?;
                set_options(&peer, m.tree, record.peer, When::Made)?;
                fill(m, record.peer, other, &peer, &own)?;
                self.made.insert(record.peer, peer);
            }
            // The peer is gone; it stays until what it had sent is there.
            None => self.gone.push(peer),
        }
        self.made.insert(id, own);
        Ok(())
    }

    /// Options and name of a socket.
    fn prepare(&mut self, m: &Making, id: Id, record: &Record, own: &OwnedFd) -> Result<(), RestoreError> {
        sockopts::set_common(own, record, When::Made).map_err(failed("options"))?;
        set_options(own, m.tree, id, When::Made)?;
        self.bind(m, id, record.socktype as i32, own)
    }

    fn bind(&mut self, m: &Making, id: Id, kind: i32, own: &OwnedFd) -> Result<(), RestoreError> {
        let Some(name) = name_of(m.tree, id) else { return Ok(()) };
        let reach = match placed(m.tree, id) {
            Some((name, place)) => {
                let file = self.files.get(&id).copied().unwrap_or(0);
                unixnames::bind_at(own, kind, name, place, (m.rights, file))?
            }
            None => unixnames::bind_aside(own, &name.name).map_err(bound(&name.name))?,
        };
        self.reach.insert(id, reach);
        Ok(())
    }

    /// Two connected streams of which one has the name of who listened: it is accepted, by that one or, if that is gone, by
    /// another of the same name.
    fn accepted(
        &mut self,
        m: &mut Making,
        id: Id,
        record: &Record,
    ) -> Result<(OwnedFd, OwnedFd), RestoreError> {
        // Who has a place of its own is the one who connected.
        let own_is_accepted = match (name_of(m.tree, id), name_of(m.tree, record.peer)) {
            (Some(_), Some(_)) => {
                placed(m.tree, id).is_none() && (placed(m.tree, record.peer).is_some() || id > record.peer)
            }
            (own, _) => own.is_some(),
        };
        let (accepted, client) = if own_is_accepted { (id, record.peer) } else { (record.peer, id) };
        let name = name_of(m.tree, accepted).map(|n| n.name.clone()).unwrap_or_default();
        let kind = record.socktype;
        let is_listener = |(id, r): &(Id, &Record)| {
            r.state == LISTENING && r.socktype == kind && name_of(m.tree, *id).is_some_and(|n| n.name == name)
        };
        let listener = m.tree.objects_of::<Record>().find(is_listener).map(|(id, _)| id);
        if let Some(listener) = listener {
            self.make(m, listener)?;
        }
        let connecting = fresh(record).map_err(failed("socket"))?;
        self.bind(m, client, kind as i32, &connecting)?;
        let theirs = listener.and_then(|id| Some((self.kept.get(&id)?, self.reach.get(&id)?)));
        let accepting = if let Some((listening, reach)) = theirs {
            socket::connect(&connecting, &reach.name).map_err(bound(&name))?;
            socket::accept(listening).map_err(failed("accept"))?
        } else {
            let listening = fresh(record).map_err(failed("socket"))?;
            let reach = unixnames::bind_aside(&listening, &name).map_err(bound(&name))?;
            socket::listen(&listening, 1).map_err(failed("listen"))?;
            socket::connect(&connecting, &reach.name).map_err(bound(&name))?;
            socket::accept(&listening).map_err(failed("accept"))?
        };
        Ok(if own_is_accepted { (accepting, connecting) } else { (connecting, accepting) })
    }

    /// Notes that packets are sent by those who had sent them.
    fn fill_datagrams(
        &mut self,
        m: &mut Making,
        id: Id,
        record: &Record,
        own: &OwnedFd,
    ) -> Result<(), RestoreError> {
        if record.size == 0 {
            return Ok(());
        }
        let duplicate = |fd: &OwnedFd| fd.try_clone().map_err(RestoreError::io("duplicating a socket"));
        if let Entry::Vacant(place) = self.reach.entry(id) {
            // Nobody else will find it by this one.
            socket::bind(own, &[]).map_err(failed("bind"))?;
            let name = socket::name(own).map_err(failed("getsockname"))?;
            place.insert(Reach::by_name(&name));
        }
        let to = self.reach.get(&id).map(|reach| reach.name.clone()).unwrap_or_default();
        let nameless = fresh(record).map_err(failed("socket"))?;
        let mut gone: BTreeMap<Vec<u8>, OwnedFd> = BTreeMap::new();
        let mut stream = Stream::new(duplicate(own)?, duplicate(&nameless)?, record.size, true, true);
        let packets: Vec<SocketPacket> = m.tree.parts_of::<SocketPacket>(id).cloned().collect();
        for packet in packets {
            if packet.from != 0 {
                self.make(m, packet.from)?;
            }
            let from = match self.kept.get(&packet.from) {
                Some(sender) => duplicate(sender)?,
                None if packet.sender.is_empty() => duplicate(&nameless)?,
                None => {
                    if !gone.contains_key(&packet.sender) {
                        let sender = fresh(record).map_err(failed("socket"))?;
                        let reach = unixnames::bind_aside(&sender, &packet.sender);
                        self.aside.push(reach.map_err(bound(&packet.sender))?);
                        gone.insert(packet.sender.clone(), sender);
                    }
                    duplicate(gone.get(&packet.sender).unwrap_or(&nameless))?
                }
            };
            sockopts::set_buffer(&from, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, record.size.saturating_mul(2));
            stream.senders.push_back((from, to.clone()));
        }
        m.streams.insert(id, stream);
        Ok(())
    }

    /// Whom a socket of packets sends to, if it was told by connect(2).
    fn connect_datagrams(&self, id: Id, record: &Record, fd: &OwnedFd) -> Result<(), RestoreError> {
        let peer = self.outside.get(&id).or_else(|| self.reach.get(&record.peer));
        match (record.state, peer) {
            (CONNECTED, Some(reach)) => socket::connect(fd, &reach.name).map_err(failed("connect")),
            (DISCONNECTED, _) => {
                // With one who goes at once.
                let gone = fresh(record).map_err(failed("socket"))?;
                socket::bind(&gone, &[]).map_err(failed("bind"))?;
                let name = socket::name(&gone).map_err(failed("getsockname"))?;
                socket::connect(fd, &name).map_err(failed("connect"))
            }
            _ => Ok(()),
        }
    }
}

fn bound(name: &[u8]) -> impl FnOnce(io::Error) -> RestoreError + use<> {
    RestoreError::io(format!("the name {} of a Unix socket", name.escape_ascii()))
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
