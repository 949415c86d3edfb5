//! Pipes and FIFOs: both ends, size, and what is in them.
//!
//! A pipe that leads out of the tree cannot be carried over; as standard input, output or error it is taken from the
//! process that restarts the image.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use stasis_format::record::{File, Pipe as Record};

use super::descriptions::{Open, Sight};
use super::file::open_inode;
use super::kind::{Captured, FdKind, FdMaker, Making, Settling};
use super::stream::{Stream, framed};
use super::{external, inodes};
use crate::image::model::Id;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs;
use crate::refusal::Loss;
use crate::sys;

/// [`File::kind`] of a pipe.
const PIPE: u32 = 4;
/// A named pipe.
const FIFO: u32 = 5;

/// Bit of [`Record::flags`]: contents are packets, each behind its length.
const PACKETS: u32 = 2;

/// The kind.
#[derive(Debug)]
pub struct Pipe;

impl FdKind for Pipe {
    fn carries(&self) -> &'static [u32] {
        &[PIPE, FIFO]
    }

    fn is_mine(&self, open: &Open) -> bool {
        open.file_type() == libc::S_IFIFO
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        let kind = if open.link.starts_with(b"pipe:") { PIPE } else { FIFO };
        let inode = if kind == FIFO {
            let dup = open.dup.try_clone().map_err(open.unreadable())?;
            c.inode(dup, &open.link, inodes::OPEN).map_err(open.unreadable())?
        } else {
            0
        };
        let tree = &mut *c.tree;
        let object = c.met.object(open, || {
            let capacity = sys::file::pipe_size(&open.dup).unwrap_or(65536) as u64;
            tree.add(Record { capacity, size: 0, inode, flags: u32::from(inode != 0) })
        });
        Ok(Some(Captured { kind, object }))
    }

    /// Which pipes are ours, which lead outside, and what is in ours.
    fn settle(&self, s: &mut Settling) -> Result<(), CaptureError> {
        let pipes = s.by_object(self.carries());
        let closed: BTreeSet<u64> =
            pipes.values().filter(|ends| both(ends)).filter_map(|ends| inode_of(ends)).collect();
        let holders = if closed.is_empty() {
            BTreeMap::new()
        } else {
            procfs::holders_of("pipe", &closed, &[s.members, &[std::process::id() as i32]].concat())
        };
        for (id, ends) in pipes {
            let holder = inode_of(&ends).and_then(|inode| holders.get(&inode).copied());
            settle_one(s, id, &ends, holder)?;
        }
        Ok(())
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Maker::default())
    }
}

/// Whether the tree has both ends.
fn both(ends: &[(Id, &Sight)]) -> bool {
    let reads = ends.iter().any(|(_, o)| o.access() != libc::O_WRONLY);
    let writes = ends.iter().any(|(_, o)| o.access() != libc::O_RDONLY);
    reads && writes
}

fn inode_of(ends: &[(Id, &Sight)]) -> Option<u64> {
    ends.first().map(|(_, sight)| sight.stat.st_ino)
}

/// `holder` is a process outside that has a pipe of which both ends are in ours.
fn settle_one(
    s: &mut Settling,
    id: Id,
    ends: &[(Id, &Sight)],
    holder: Option<i32>,
) -> Result<(), CaptureError> {
    let Some((_, first)) = ends.first() else { return Ok(()) };
    let dup = first.duplicate().map_err(first.unreadable())?;
    let alone = if both(ends) { holder.is_none() } else { other_end_closed(&dup) };
    let named = s.tree.object::<Record>(id).is_some_and(|p| p.inode != 0);
    if alone || named {
        let size = sys::file::readable_bytes(&dup).unwrap_or(0) as u64;
        let packets = ends.iter().any(|(_, o)| o.info.flags as i32 & libc::O_DIRECT != 0);
        if size > 0 {
            match contents(ends, size, packets) {
                Some(bytes) => {
                    if let Some(p) = s.tree.object_mut::<Record>(id) {
                        p.size = bytes.len() as u64;
                        p.flags |= if packets { PACKETS } else { 0 };
                    }
                    s.contents.streams.push((id, bytes));
                }
                None => {
                    let what = format!("{}: its contents cannot be read", first.label());
                    s.survey.lose(Loss::ForeignPipe, first.pid, what, "");
                }
            }
        }
        return Ok(());
    }
    let to_outside = ends.iter().any(|(file, _)| external::is_standard(s.tree, *file));
    s.tree.objects.remove(&id);
    for (file, sight) in ends {
        if to_outside {
            external::lead_outside(s.tree, *file, external::PIPE, &sight.link);
            continue;
        }
        let outside = match holder {
            Some(pid) => format!("process {pid} outside has this pipe too"),
            None => "the other end of this pipe is outside".to_owned(),
        };
        let what = format!("{}: {outside}", sight.label());
        let hint = "checkpoint the processes on both ends together, by a common parent of theirs";
        if s.survey.lose(Loss::ForeignPipe, sight.pid, what, hint) {
            external::lead_outside(s.tree, *file, external::PIPE, &sight.link);
        }
    }
    Ok(())
}

/// Whether nobody holds the other end: the kernel says so to poll(2).
fn other_end_closed(fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::empty())];
    let done = PollFlags::POLLHUP | PollFlags::POLLERR;
    poll(&mut fds, PollTimeout::ZERO).is_ok()
        && fds.first().and_then(PollFd::revents).is_some_and(|r| r.intersects(done))
}

/// Copies what is in a pipe without taking it.
fn contents(ends: &[(Id, &Sight)], size: u64, packets: bool) -> Option<Vec<u8>> {
    let (_, sight) = ends.iter().find(|(_, o)| o.access() != libc::O_WRONLY).or_else(|| ends.first())?;
    let size = usize::try_from(size).ok()?;
    let dup = sight.duplicate().ok()?;
    let readable = if sight.access() == libc::O_WRONLY {
        // Nobody can read from it any more but the contents still count for a writer that fills it up.
        inodes::reopen(&dup, libc::O_RDONLY | libc::O_NONBLOCK).ok()?
    } else {
        dup
    };
    let pieces = sys::file::peek_pipe(&readable, size).ok()?;
    Some(if packets { framed(&pieces) } else { pieces.concat() })
}

/// Pipes made anew, both ends of each, until all their descriptions have theirs.
#[derive(Debug, Default)]
struct Maker {
    made: BTreeMap<Id, (OwnedFd, OwnedFd)>,
    /// Descriptions of each pipe that are still to come.
    left: Option<BTreeMap<Id, usize>>,
}

impl FdMaker for Maker {
    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        let object = file.object;
        let record: &Record = m.record(id, file)?;
        let left = self.left.get_or_insert_with(|| {
            let mut left = BTreeMap::new();
            let pipes = m.tree.files.values().filter(|file| [PIPE, FIFO].contains(&file.kind));
            pipes.for_each(|file| *left.entry(file.object).or_default() += 1);
            left
        });
        let (read, write) = match self.made.remove(&object) {
            Some(made) => made,
            None => make(m, id, object, record)?,
        };
        let mode = file.flags as i32 & libc::O_ACCMODE;
        let end = if mode == libc::O_WRONLY { &write } else { &read };
        // Another description of the same end, so that flags and sharing are this one's own.
        let flags = mode | file.flags as i32 & (libc::O_NONBLOCK | libc::O_DIRECT | libc::O_APPEND);
        // Opening must not wait for the other side, and O_DIRECT can only be set afterwards (fcntl(2)).
        let opening = (flags & !libc::O_DIRECT) | libc::O_NONBLOCK;
        let fd = inodes::reopen(end, opening).map_err(RestoreError::io("opening the end of a pipe"))?;
        if opening != flags {
            nix::fcntl::fcntl(fd.as_fd(), FcntlArg::F_SETFL(OFlag::from_bits_truncate(flags)))
                .map_err(RestoreError::nix("setting the flags of a pipe"))?;
        }
        let more = left.entry(object).or_insert(1);
        *more -= 1;
        if *more > 0 {
            self.made.insert(object, (read, write));
        } else if record.size > 0 {
            // Kept to be filled: without a reader nothing could be written.
            // What does not fit must not be waited for: nobody reads.
            nix::fcntl::fcntl(write.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK | packets_of(record)))
                .map_err(RestoreError::nix("setting the flags of a pipe"))?;
            let stream = Stream::new(read, write, record.size, record.flags & PACKETS != 0, false);
            m.streams.insert(object, stream);
        }
        Ok(Some(fd))
    }
}

/// What all descriptions of a FIFO together are for: that much its processes must be allowed. It is opened both ways then.
fn access_of(m: &Making, object: Id) -> i32 {
    let modes = m.tree.files.values().filter(|file| file.kind == FIFO && file.object == object);
    let mut modes = modes.map(|file| file.flags as i32 & libc::O_ACCMODE);
    match modes.next() {
        Some(first) if modes.all(|mode| mode == first) => first,
        _ => libc::O_RDWR,
    }
}

/// What has a write make a packet.
fn packets_of(record: &Record) -> OFlag {
    if record.flags & PACKETS != 0 { OFlag::O_DIRECT } else { OFlag::empty() }
}

/// Makes a pipe of the right size, or opens a FIFO: its read and its write end.
fn make(m: &Making, id: Id, object: Id, record: &Record) -> Result<(OwnedFd, OwnedFd), RestoreError> {
    let pair = if record.inode != 0 {
        let inode = m.tree.inodes.get(&record.inode).ok_or_else(|| RestoreError::missing(m.tree, id))?;
        // Opened both ways it does not wait for the other side.
        let made = m.made.get(&record.inode);
        let fifo =
            open_inode(m.rights, None, (record.inode, inode), made, access_of(m, object) | libc::O_NONBLOCK)?;
        let other = fifo.try_clone().map_err(RestoreError::io("opening a FIFO"))?;
        (fifo, other)
    } else {
        nix::unistd::pipe2(OFlag::O_CLOEXEC | packets_of(record))
            .map_err(RestoreError::nix("making a pipe"))?
    };
    sys::file::set_pipe_size(&pair.1, record.capacity as usize)
        .map_err(RestoreError::io(format!("setting the size of a pipe to {}", record.capacity)))?;
    Ok(pair)
}
