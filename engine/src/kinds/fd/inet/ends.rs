//! Who is at the other end of connections: a process of the tree, somebody outside, or nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv6Addr;
use std::os::fd::OwnedFd;

use stasis_format::record::{Inet, Socket};

use super::super::descriptions::Sight;
use super::super::kind::Settling;
use super::look::{self, has_end, has_ended, is_connection, local, remote};
use crate::image::model::Id;
use crate::kinds::CaptureError;
use crate::procfs;
use crate::refusal::Loss;
use crate::sys::inet::{self, Endpoint, TcpInfo};
use crate::sys::socket;

const HINT: &str = "close the connection before the checkpoint";
const HINT_CLOSE: &str = "close it before the checkpoint, or let the program see a reset with --tcp close";

/// A socket of the tree, its record, and what the kernel tells of it.
struct End {
    id: Id,
    /// Label and process, for reasons to refuse.
    pid: i32,
    label: String,
    fd: OwnedFd,
    record: Socket,
    inet: Inet,
    info: TcpInfo,
}

impl End {
    fn key(&self) -> (Endpoint, Endpoint) {
        (local(&self.inet), remote(&self.inet))
    }
}

/// Both ends of connections, and what is in their queues.
pub fn settle(s: &mut Settling, sockets: &BTreeMap<Id, Vec<(Id, &Sight)>>) -> Result<(), CaptureError> {
    // To ask who else has them is to walk over all of /proc, while everybody stands still.
    if sockets.is_empty() {
        return Ok(());
    }
    let mut ends = Vec::new();
    let mut inodes = BTreeMap::new();
    for (id, sights) in sockets {
        let Some((_, sight)) = sights.first() else { continue };
        let record = s.tree.object::<Socket>(*id).cloned();
        let inet = s.tree.parts_of::<Inet>(*id).next().cloned();
        inodes.insert(sight.stat.st_ino, (sight.pid, sight.label()));
        let (Some(record), Some(inet)) = (record, inet) else { continue };
        let fd = sight.duplicate().map_err(sight.unreadable())?;
        let info = inet::tcp_info(&fd).map_err(sight.unreadable())?;
        ends.push(End { id: *id, pid: sight.pid, label: sight.label(), fd, record, inet, info });
    }
    let links: BTreeSet<u64> = inodes.keys().copied().collect();
    let ours = [s.members, &[std::process::id() as i32]].concat();
    for (inode, holder) in procfs::holders_of("socket", &links, &ours) {
        if let Some((pid, label)) = inodes.get(&inode) {
            s.survey.refuse(
                Loss::Socket,
                *pid,
                format!("{label}: process {holder} outside has this socket too"),
                HINT,
            );
        }
    }
    let table = Table::read();
    let places: BTreeMap<_, usize> = ends
        .iter()
        .enumerate()
        .filter(|(_, end)| is_connection(end.inet.state))
        .map(|(at, end)| (end.key(), at))
        .collect();
    let mut accounted: BTreeMap<Endpoint, u32> = BTreeMap::new();
    for end in &ends {
        let found = match end.inet.state {
            look::LISTEN => continue,
            state if is_connection(state) => {
                let (own, other) = end.key();
                match places.get(&(other, own)).and_then(|at| ends.get(*at)) {
                    Some(peer) if peer.id != end.id => with_peer(end, peer),
                    _ => without_peer(end, &ends, &table),
                }
            }
            _ => queue_of(end).map(|bytes| Found { bytes, ..Found::default() }),
        };
        let found = match found {
            Ok(found) => found,
            Err(_) if s.close_connections => reset(end),
            Err(why) => {
                s.survey.refuse(Loss::Socket, end.pid, format!("{}: {why}", end.label), HINT_CLOSE);
                continue;
            }
        };
        if found.flags & look::IN_BACKLOG != 0 {
            *accounted.entry(remote(&end.inet)).or_default() += 1;
        }
        if found.peer != 0 || found.flags & (look::PEER_GONE | look::IN_BACKLOG) != 0 {
            s.contents.connections.extend(end.fd.try_clone());
        }
        note(s, end, found);
    }
    for end in ends.iter().filter(|end| end.inet.state == look::LISTEN) {
        let own = local(&end.inet);
        let at_it = |at: &Endpoint| at.port == own.port && (own.is_any() || at.address == own.address);
        let of_tree: u32 = accounted.iter().filter(|(at, _)| at_it(at)).map(|(_, count)| *count).sum();
        let others = end.info.waiting.saturating_sub(of_tree);
        if others > 0 {
            let text = format!(
                "{}: {others} connections wait to be accepted; their clients see a reset when the process ends",
                end.label
            );
            s.survey.warnings.push(stasis_format::record::Warning {
                pid: end.pid as u32,
                code: Loss::Socket as u32,
                text: text.into_bytes(),
            });
        }
    }
    Ok(())
}

/// What was found out of a socket.
#[derive(Default)]
struct Found {
    peer: Id,
    flags: u32,
    bytes: Vec<u8>,
}

fn note(s: &mut Settling, end: &End, found: Found) {
    if let Some(record) = s.tree.object_mut::<Socket>(end.id) {
        record.peer = found.peer;
        record.size = found.bytes.len() as u64;
    }
    if let Some(inet) = s.tree.part_mut::<Inet>(end.id) {
        inet.flags |= found.flags;
    }
    if !found.bytes.is_empty() {
        s.contents.streams.push((end.id, found.bytes));
    }
}

/// A connection that is given up: what had come can be read, then it is reset.
fn reset(end: &End) -> Found {
    Found { flags: look::RESET, bytes: queue_of(end).unwrap_or_default(), ..Found::default() }
}

/// What can be read.
fn queue_of(end: &End) -> Result<Vec<u8>, String> {
    let unreadable = |error: io::Error| format!("what is in its queue cannot be read ({error})");
    let len = inet::unread(&end.fd).map_err(unreadable)?;
    // Before Linux 6.9 no socket of TCP had one.
    let offset = socket::option(&end.fd, libc::SO_PEEK_OFF).unwrap_or(-1);
    if offset >= 0 {
        // Where the program looks next is not where the queue begins.
        socket::set_option(&end.fd, libc::SO_PEEK_OFF, -1).map_err(unreadable)?;
    }
    let seen = socket::peek_stream(&end.fd, len);
    if offset >= 0 {
        socket::set_option(&end.fd, libc::SO_PEEK_OFF, offset).map_err(unreadable)?;
    }
    Ok(seen.map_err(unreadable)?.pieces.concat())
}

/// The other end is in the tree: what can be read here, and what the other end has written and is not here yet.
fn with_peer(end: &End, peer: &End) -> Result<Found, String> {
    if [look::SYN_SENT, look::SYN_RECV].contains(&end.inet.state) {
        return Err("it is being connected".into());
    }
    let mut bytes = queue_of(end)?;
    let received = end.info.received.saturating_sub(u64::from(has_end(end.inet.state)));
    let unsent = inet::unsent(&peer.fd)
        .map_err(|error| format!("its other end does not tell what it sends ({error})"))?;
    // Its end counts as a byte that is to be sent.
    let is_ended = has_ended(peer.inet.state) && !has_end(end.inet.state);
    if unsent > usize::from(is_ended) || peer.info.sent != received {
        let refused = |error: io::Error| match error.raw_os_error() {
            Some(libc::EPERM) => "bytes are under way to it that only CAP_NET_ADMIN may read".to_owned(),
            _ => format!("bytes are under way to it that cannot be read ({error})"),
        };
        let there = inet::send_queue(&peer.fd, has_ended(peer.inet.state)).map_err(refused)?;
        let here = inet::send_queue(&end.fd, has_ended(end.inet.state)).map_err(refused)?;
        let missing = there.end.wrapping_sub(here.received) as usize;
        let tail = there.bytes.len().checked_sub(missing).and_then(|at| there.bytes.get(at..));
        bytes.extend_from_slice(tail.ok_or("its other end does not have what is under way to it")?);
    }
    Ok(Found { peer: peer.id, bytes, flags: 0 })
}

/// The other end is not in the tree: gone, in the backlog of a listening socket of the tree, or outside.
fn without_peer(end: &End, ends: &[End], table: &Table) -> Result<Found, String> {
    let (own, other) = end.key();
    let outside = || format!("its other end, {other}, is outside");
    if [look::SYN_SENT, look::SYN_RECV].contains(&end.inet.state) {
        return Err(format!("it is being connected with {other}"));
    }
    let fd = look::fresh(&end.record).map_err(|error| error.to_string())?;
    let is_here = inet::bind(&fd, end.record.family as i32, Endpoint { port: 0, ..other }).is_ok();
    if !is_here || own == other {
        return Err(outside());
    }
    let bytes = queue_of(end)?;
    match table.find(other, own) {
        Some((_, inode)) if inode != 0 => Err(outside()),
        Some((state, _)) if !has_ended(state) && state != 6 => {
            let is_it = |listener: &&End| {
                let at = local(&listener.inet);
                listener.inet.state == look::LISTEN
                    && at.port == other.port
                    && (at.is_any() || at.address == other.address)
            };
            if !ends.iter().any(|listener| is_it(&listener)) {
                return Err(outside());
            }
            let unsent = inet::unsent(&end.fd).unwrap_or(usize::MAX);
            if end.info.sent > 0 || unsent > 0 || end.inet.state != look::ESTABLISHED {
                return Err("it has sent bytes into a connection that nobody has accepted yet".into());
            }
            Ok(Found { flags: look::IN_BACKLOG, bytes, peer: 0 })
        }
        // Its last owner has closed it.
        _ if has_end(end.inet.state) => Ok(Found { flags: look::PEER_GONE, bytes, peer: 0 }),
        _ => Err(outside()),
    }
}

/// The tables of TCP sockets of proc(5): state and inode by both ends.
struct Table(BTreeMap<(Endpoint, Endpoint), (u32, u64)>);

impl Table {
    fn read() -> Self {
        let mut found = BTreeMap::new();
        for text in procfs::tcp_tables() {
            found.extend(text.lines().filter_map(line));
        }
        Self(found)
    }

    fn find(&self, own: Endpoint, other: Endpoint) -> Option<(u32, u64)> {
        let plain = |end: Endpoint| Endpoint { scope: 0, ..end };
        self.0.get(&(plain(own), plain(other))).copied()
    }
}

/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode` (Documentation/networking/proc_net_tcp.rst).
fn line(line: &str) -> Option<((Endpoint, Endpoint), (u32, u64))> {
    let mut words = line.split_whitespace().skip(1);
    let (own, other) = (endpoint(words.next()?)?, endpoint(words.next()?)?);
    let state = u32::from_str_radix(words.next()?, 16).ok()?;
    let inode = words.nth(5)?.parse().ok()?;
    Some(((own, other), (state, inode)))
}

/// Words of four bytes as the processor has them, then the port.
fn endpoint(text: &str) -> Option<Endpoint> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let address = if address.len() == 8 {
        std::net::Ipv4Addr::from(word(0)?).to_ipv6_mapped()
    } else {
        let mut bytes = [0; 16];
        for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
            part.copy_from_slice(&word(at * 8)?);
        }
        Ipv6Addr::from(bytes)
    };
    Some(Endpoint { address, port, scope: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_tables_are_read() {
        let v4 = "   0: 0100007F:1F90 0200007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0";
        let ((own, other), rest) = line(v4).unwrap();
        assert_eq!(
            (own.to_string(), other.to_string(), rest),
            ("127.0.0.1:8080".into(), "127.0.0.2:50000".into(), (1, 4242))
        );
        let v6 = "   1: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1";
        let ((own, other), rest) = line(v6).unwrap();
        assert_eq!((own.to_string(), other.is_any(), rest), ("[::1]:22".into(), true, (10, 7)));
        assert!(line("  sl  local_address rem_address   st").is_none());
    }
}
