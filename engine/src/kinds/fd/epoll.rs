//! epoll(7): an instance, and which descriptions it watches under which numbers.
//!
//! An instance watches a description under the number that it was added with. By the time of a checkpoint that number may be
//! closed or stand for something else, in another process even, so the kernel is asked which description it really is.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use stasis_format::record::{Epoll as Record, EpollTarget, File};

use super::descriptions::{Open, Sight};
use super::kind::{Captured, FdKind, FdMaker, Making, Placed, Settling};
use crate::image::model::Id;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::refusal::Loss;
use crate::sys;
use crate::tracee::batch::{Batch, args};
use crate::tracee::handover::Numbers;
use crate::tracee::stub::{Call, Stub};

/// [`File::kind`].
const EPOLL: u32 = 7;

/// The kind.
#[derive(Debug)]
pub struct Epoll;

impl FdKind for Epoll {
    fn carries(&self) -> &'static [u32] {
        &[EPOLL]
    }

    fn is_mine(&self, open: &Open) -> bool {
        open.link == b"anon_inode:[eventpoll]"
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        let nr_targets = targets(open)?.len() as u64;
        Ok(Some(Captured { kind: EPOLL, object: c.tree.add(Record { nr_targets }) }))
    }

    fn settle(&self, s: &mut Settling) -> Result<(), CaptureError> {
        let mut lists = Vec::new();
        for (object, sights) in s.by_object(self.carries()) {
            let Some((_, sight)) = sights.first() else { continue };
            let mut list = Vec::new();
            // Several descriptions can have been added under one number.
            let mut nth: BTreeMap<i32, u32> = BTreeMap::new();
            for target in targets(sight)? {
                let place = nth.entry(target.tfd).or_default();
                let is = |other: &Sight| {
                    sys::kcmp::epoll_target(
                        other.pid,
                        other.fd,
                        sight.pid,
                        sight.fd,
                        target.tfd as u32,
                        *place,
                    )
                    .is_ok_and(std::cmp::Ordering::is_eq)
                };
                match s.met.find(target.file, is) {
                    Some(file) => list.push(EpollTarget {
                        fd: target.tfd as u32,
                        events: target.events,
                        data: target.data,
                        file,
                        pad: 0,
                    }),
                    None => {
                        let what = format!(
                            "descriptor {} (epoll) watches number {}, which is closed here but held elsewhere",
                            sight.fd, target.tfd
                        );
                        s.survey.lose(Loss::Descriptor, sight.pid, what, "");
                    }
                }
                *place += 1;
            }
            lists.push((object, list));
        }
        for (object, list) in lists {
            s.tree.set_parts(object, list);
        }
        Ok(())
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Self)
    }
}

/// A line of fdinfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    /// Number it was added under.
    tfd: i32,
    events: u32,
    /// The program's datum.
    data: u64,
    /// Device and inode number of what is watched.
    file: Option<(u64, u64)>,
}

/// `tfd: 3 events: 19 data: 3  pos:0 ino:40e sdev:10`, fs/eventpoll.c.
fn targets(sight: &Sight) -> Result<Vec<Line>, CaptureError> {
    let parse = |line: &str| {
        line_of(line).ok_or_else(|| {
            CaptureError::parse(sight.label(), sight.pid)(format!("no epoll target in {line:?}"))
        })
    };
    sight.info.starting("tfd:").map(parse).collect()
}

fn line_of(line: &str) -> Option<Line> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |name: &str| words.iter().position(|w| *w == name).and_then(|at| words.get(at + 1));
    let with = |name: &str| words.iter().find_map(|w| u64::from_str_radix(w.strip_prefix(name)?, 16).ok());
    // The kernel writes its own form of a device number: minor in the lower 20 bits.
    let device = |dev: u64| nix::sys::stat::makedev(dev >> 20, dev & 0xf_ffff);
    Some(Line {
        tfd: after("tfd:")?.parse().ok()?,
        events: u32::from_str_radix(after("events:")?, 16).ok()?,
        data: u64::from_str_radix(after("data:")?, 16).ok()?,
        file: with("sdev:").zip(with("ino:")).map(|(dev, ino)| (device(dev), ino)),
    })
}

impl FdMaker for Epoll {
    fn open(&mut self, _: &mut Making, _: Id, _: &File) -> Result<Option<OwnedFd>, RestoreError> {
        sys::anon::epoll().map(Some).map_err(RestoreError::io("making an epoll instance"))
    }

    /// What a signalfd reports to an instance is what comes to the process that added it, so it has to be one that had it:
    /// the first, as parents come before their children.
    fn connect(&mut self, p: &mut Placed, id: Id, file: &File) -> Result<(), RestoreError> {
        let targets: Vec<EpollTarget> = p.tree.parts_of(file.object).cloned().collect();
        let Some(&(holder, epfd)) = p.places.get(&id).and_then(|places| places.first()) else {
            return Ok(());
        };
        for target in targets {
            watch(p, holder, epfd, &target)?;
        }
        Ok(())
    }
}

/// Adds a target in the process `holder`, while the description stands at the number that it was added under.
fn watch(p: &mut Placed, holder: usize, epfd: u32, target: &EpollTarget) -> Result<(), RestoreError> {
    let places = p.places.get(&target.file).map_or(&[][..], Vec::as_slice);
    let here: Vec<u32> =
        places.iter().filter(|(stub, _)| *stub == holder).map(|(_, number)| *number).collect();
    let elsewhere = if here.is_empty() { Some(p.fd(target.file)?) } else { None };
    let (Some(stub), Some(numbers)) = (p.stubs.get_mut(holder), p.used.get_mut(holder)) else {
        return Ok(());
    };
    let stub = &mut **stub;
    let lent = elsewhere.map(|fd| p.channel.lend(stub, numbers, fd)).transpose()?;
    let from = if here.contains(&target.fd) { Some(target.fd) } else { here.first().copied().or(lent) };
    if from == Some(target.fd) {
        add(stub, epfd, target)?;
    } else if let Some(from) = from {
        stand_at(stub, numbers, from, epfd, target)?;
    }
    if let Some(lent) = lent {
        p.channel.take_back(stub, numbers, &[lent])?;
    }
    Ok(())
}

/// The same while the description stands at another number, `from`.
fn stand_at(
    stub: &mut Stub,
    numbers: &Numbers,
    from: u32,
    epfd: u32,
    target: &EpollTarget,
) -> Result<(), RestoreError> {
    let number = u64::from(target.fd);
    let dup = |from: u64, to: u64, flags: u64| {
        Call::new("making room for an epoll target", libc::SYS_dup3, &[from, to, flags])
    };
    let close = |number: u64| Call::new("closing a descriptor", libc::SYS_close, &[number]);
    if !numbers.is_taken(target.fd) {
        stub.run(&[dup(from.into(), number, 0)])?;
        add(stub, epfd, target)?;
        stub.run(&[close(number)])?;
        return Ok(());
    }
    // What stands there now steps aside for a moment; whether it is closed on execve(2) is asked first.
    let aside = numbers.lowest();
    let flags = stub.call(Call::new("F_GETFD", libc::SYS_fcntl, &[number, libc::F_GETFD as u64]))?;
    let cloexec = if flags & i64::from(libc::FD_CLOEXEC) != 0 { libc::O_CLOEXEC as u64 } else { 0 };
    stub.run(&[dup(number, aside.into(), 0), dup(from.into(), number, 0)])?;
    add(stub, if target.fd == epfd { aside } else { epfd }, target)?;
    stub.run(&[dup(aside.into(), number, cloexec), close(aside.into())])?;
    Ok(())
}

fn add(stub: &mut Stub, instance: u32, target: &EpollTarget) -> Result<(), RestoreError> {
    let mut call = Batch::new();
    // struct epoll_event is packed on x86-64: events u32, data u64.
    let event = call.put(&[target.events, target.data as u32, (target.data >> 32) as u32]);
    let what = format!("watching descriptor {} by epoll", target.fd);
    call.call(what, libc::SYS_epoll_ctl, args![instance, libc::EPOLL_CTL_ADD, target.fd, event]);
    stub.make(&call)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_watched() {
        let line = "tfd: 123456789 events: 80000019 data: 123456789abcdef0  pos:0 ino:40e sdev:10";
        let want = Line {
            tfd: 123_456_789,
            events: 0x8000_0019,
            data: 0x1234_5678_9abc_def0,
            file: Some((0x10, 0x40e)),
        };
        assert_eq!(line_of(line), Some(want));
        assert_eq!(line_of("tfd: 4 events: 19"), None);
    }
}
