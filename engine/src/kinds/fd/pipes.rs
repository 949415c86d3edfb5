//! Pipes and FIFOs: both ends, size, and what is in them.
//!
//! A pipe that leads out of the tree cannot be carried over; as standard input, output or error it is taken from the
//! process that restarts the image.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use stasis_format::record::{File, Pipe};

use super::files::{self, Met, Open, Opened};
use super::inodes;
use crate::image::model::{Id, Tree};
use crate::kinds::{Contents, RestoreError};
use crate::procfs;
use crate::refusal::{Loss, Survey};
use crate::sys;

/// Bit of [`Pipe::flags`]: contents are packets, each behind its length.
const PACKETS: u32 = 2;

/// Pipes met while the descriptors are walked, by device and inode.
#[derive(Debug, Default)]
pub struct Ends {
    known: BTreeMap<(u64, u64), Id>,
}

impl Ends {
    /// The PIPE of a descriptor.
    pub fn add(&mut self, tree: &mut Tree, open: &Open, inode: Id) -> Id {
        let key = (open.stat.st_dev, open.stat.st_ino);
        *self.known.entry(key).or_insert_with(|| {
            let capacity = sys::file::pipe_size(&open.dup).unwrap_or(65536) as u64;
            tree.add(Pipe { capacity, size: 0, inode, flags: u32::from(inode != 0) })
        })
    }
}

/// Once all ends of all processes are known: which pipes are ours, which lead outside, and what is in ours.
///
/// `members` are the processes of the tree.
pub fn settle(met: &Met, tree: &mut Tree, survey: &mut Survey, contents: &mut Contents, members: &[i32]) {
    let pipes: Vec<(Id, Vec<(Id, &Open)>)> = met
        .ends
        .known
        .values()
        .map(|id| {
            let of = |file: &Id| tree.files.get(file).is_some_and(|f| f.object == *id);
            let ends = met.seen.iter().filter(|(file, _)| of(file)).map(|(file, open)| (*file, open));
            (*id, ends.collect())
        })
        .collect();
    let closed: BTreeSet<u64> =
        pipes.iter().filter(|(_, ends)| both(ends)).filter_map(|(_, ends)| inode_of(ends)).collect();
    let holders = if closed.is_empty() {
        BTreeMap::new()
    } else {
        procfs::holders_of("pipe", &closed, &[members, &[std::process::id() as i32]].concat())
    };
    for (id, ends) in pipes {
        let holder = inode_of(&ends).and_then(|inode| holders.get(&inode).copied());
        settle_one(tree, survey, contents, id, &ends, holder);
    }
}

/// Whether the tree has both ends.
fn both(ends: &[(Id, &Open)]) -> bool {
    let reads = ends.iter().any(|(_, o)| access(o) != libc::O_WRONLY);
    let writes = ends.iter().any(|(_, o)| access(o) != libc::O_RDONLY);
    reads && writes
}

fn inode_of(ends: &[(Id, &Open)]) -> Option<u64> {
    ends.first().map(|(_, open)| open.stat.st_ino)
}

fn access(open: &Open) -> i32 {
    open.info.flags as i32 & libc::O_ACCMODE
}

/// `holder` is a process outside that has a pipe of which both ends are in ours.
fn settle_one(
    tree: &mut Tree,
    survey: &mut Survey,
    into: &mut Contents,
    id: Id,
    ends: &[(Id, &Open)],
    holder: Option<i32>,
) {
    let Some((_, first)) = ends.first() else { return };
    let alone = if both(ends) { holder.is_none() } else { other_end_closed(&first.dup) };
    let named = tree.object::<Pipe>(id).is_some_and(|p| p.inode != 0);
    if alone || named {
        let size = sys::file::readable_bytes(&first.dup).unwrap_or(0) as u64;
        let packets = ends.iter().any(|(_, o)| o.info.flags as i32 & libc::O_DIRECT != 0);
        if size > 0 {
            match contents(ends, size, packets) {
                Some(bytes) => {
                    if let Some(p) = tree.object_mut::<Pipe>(id) {
                        p.size = bytes.len() as u64;
                        p.flags |= if packets { PACKETS } else { 0 };
                    }
                    into.streams.push((id, bytes));
                }
                None => {
                    let what = format!("{}: its contents cannot be read", first.label());
                    survey.lose(Loss::ForeignPipe, first.pid, what, "");
                }
            }
        }
        return;
    }
    let to_outside = ends.iter().any(|(file, _)| files::is_standard(tree, *file));
    tree.objects.remove(&id);
    for (file, open) in ends {
        if to_outside {
            files::lead_outside(tree, *file, files::OUTER_PIPE, &open.link);
            continue;
        }
        let outside = match holder {
            Some(pid) => format!("process {pid} outside has this pipe too"),
            None => "the other end of this pipe is outside".to_owned(),
        };
        let what = format!("{}: {outside}", open.label());
        let hint = "checkpoint the processes on both ends together, by a common parent of theirs";
        if survey.lose(Loss::ForeignPipe, open.pid, what, hint) {
            files::lead_outside(tree, *file, files::OUTER_PIPE, &open.link);
        }
    }
}

/// Whether nobody holds the other end: the kernel says so to poll(2).
fn other_end_closed(fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::empty())];
    let done = PollFlags::POLLHUP | PollFlags::POLLERR;
    poll(&mut fds, PollTimeout::ZERO).is_ok()
        && fds.first().and_then(PollFd::revents).is_some_and(|r| r.intersects(done))
}

/// Copies what is in a pipe without taking it.
fn contents(ends: &[(Id, &Open)], size: u64, packets: bool) -> Option<Vec<u8>> {
    let (_, open) = ends.iter().find(|(_, o)| access(o) != libc::O_WRONLY).or_else(|| ends.first())?;
    let size = usize::try_from(size).ok()?;
    let readable = if access(open) == libc::O_WRONLY {
        // Nobody can read from it any more but the contents still count for a writer that fills it up.
        inodes::reopen(&open.dup, libc::O_RDONLY | libc::O_NONBLOCK).ok()?
    } else {
        open.dup.try_clone().ok()?
    };
    let pieces = sys::file::peek_pipe(&readable, size).ok()?;
    Some(if packets { framed(&pieces) } else { pieces.concat() })
}

/// Packets one after the other, each behind its length.
pub fn framed(packets: &[Vec<u8>]) -> Vec<u8> {
    packets.iter().flat_map(|p| (p.len() as u32).to_le_bytes().into_iter().chain(p.iter().copied())).collect()
}

/// Pipes made anew at restart, both ends of each.
#[derive(Debug, Default)]
pub struct Pairs {
    made: BTreeMap<Id, (OwnedFd, OwnedFd, u64)>,
}

impl Pairs {
    /// The end that a description needs, of a pipe made at first sight.
    pub fn open(
        &mut self,
        tree: &Tree,
        file: &File,
        pipe: &Pipe,
        opened: &mut Opened,
    ) -> Result<OwnedFd, RestoreError> {
        let (read, write, _) = match self.made.entry(file.object) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(place) => {
                let (read, write) = make(tree, pipe, opened)?;
                place.insert((read, write, pipe.size))
            }
        };
        let mode = file.flags as i32 & libc::O_ACCMODE;
        let end = if mode == libc::O_WRONLY { write } else { read };
        // Another description of the same end, so that flags and sharing are this one's own.
        let flags = mode | file.flags as i32 & (libc::O_NONBLOCK | libc::O_DIRECT | libc::O_APPEND);
        // Opening must not wait for the other side, and O_DIRECT can only be set afterwards (fcntl(2)).
        let opening = (flags & !libc::O_DIRECT) | libc::O_NONBLOCK;
        let fd = inodes::reopen(end, opening).map_err(RestoreError::io("opening the end of a pipe"))?;
        if opening != flags {
            let wanted = nix::fcntl::OFlag::from_bits_truncate(flags);
            nix::fcntl::fcntl(fd.as_fd(), nix::fcntl::FcntlArg::F_SETFL(wanted))
                .map_err(RestoreError::nix("setting the flags of a pipe"))?;
        }
        Ok(fd)
    }

    /// Keeps both ends of those pipes that have to be filled: without a reader nothing could be written.
    pub fn finish(self, tree: &Tree, opened: &mut Opened) {
        for (id, (read, write, size)) in self.made {
            let packets = tree.object::<Pipe>(id).is_some_and(|p| p.flags & PACKETS != 0);
            if size > 0 {
                opened.pipes.insert(
                    id,
                    PipeFill { _read: read, write, size, packets, socket: false, begun: Mutex::default() },
                );
            }
        }
    }
}

/// A pipe or socket to be filled with what was in it.
#[derive(Debug)]
pub struct PipeFill {
    /// Its read end, or the socket itself: without a reader nothing could be written.
    pub _read: OwnedFd,
    /// Its write end, or the socket's peer.
    pub write: OwnedFd,
    /// Bytes of contents in the image.
    pub size: u64,
    /// Whether contents are packets, each behind its length.
    pub packets: bool,
    /// Whether it is a socket.
    pub socket: bool,
    /// Bytes of a packet whose rest is still to come.
    pub begun: Mutex<Vec<u8>>,
}

impl PipeFill {
    /// Writes the contents that stand at `start`; they come in order.
    pub fn fill(&self, start: u64, data: &[u8]) -> io::Result<()> {
        let len = (data.len() as u64).min(self.size.saturating_sub(start)) as usize;
        let data = data.get(..len).unwrap_or_default();
        if !self.packets {
            return self.write(data);
        }
        let mut begun = self.begun.lock().map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        begun.extend_from_slice(data);
        let mut rest = begun.as_slice();
        while let Some((packet, after)) = split_packet(rest) {
            self.write(packet)?;
            rest = after;
        }
        *begun = rest.to_vec();
        Ok(())
    }
}

impl PipeFill {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        if self.socket {
            sys::socket::send(&self.write, bytes)
        } else {
            sys::file::write_all(&self.write, bytes)
        }
    }
}

/// The first packet of a stream of them, if it is complete.
fn split_packet(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = stream.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

/// Makes a pipe of the right size, or opens a FIFO: its read and its write end.
fn make(tree: &Tree, pipe: &Pipe, opened: &Opened) -> Result<(OwnedFd, OwnedFd), RestoreError> {
    let pair = if pipe.inode != 0 {
        let inode = tree
            .inodes
            .get(&pipe.inode)
            .ok_or_else(|| RestoreError::Host("a FIFO of the image has no file".into()))?;
        // Opened both ways it does not wait for the other side.
        let fifo = files::open_inode(inode, opened.made.get(&pipe.inode), libc::O_RDWR | libc::O_NONBLOCK)?;
        let other = fifo.try_clone().map_err(RestoreError::io("opening a FIFO"))?;
        (fifo, other)
    } else {
        let packets =
            if pipe.flags & PACKETS != 0 { nix::fcntl::OFlag::O_DIRECT } else { nix::fcntl::OFlag::empty() };
        let flags = nix::fcntl::OFlag::O_CLOEXEC | packets;
        nix::unistd::pipe2(flags).map_err(RestoreError::nix("making a pipe"))?
    };
    sys::file::set_pipe_size(&pair.1, pipe.capacity as usize)
        .map_err(RestoreError::io(format!("setting the size of a pipe to {}", pipe.capacity)))?;
    Ok(pair)
}
