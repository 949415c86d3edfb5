//! Descriptors without a file: eventfd, epoll, timerfd, signalfd, pidfd.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd};

use stasis_format::record::{Body, Epoll, EpollTarget, Eventfd, Fd, File, Pidfd, Signalfd, Timerfd};

use super::files::{self, Met, Open, Opened};
use crate::image::model::{Id, Tree};
use crate::kinds::{Capture, RestoreError};
use crate::procfs::FdKind;
use crate::refusal::{Loss, Survey};
use crate::sys;
use crate::sys::anon::TimerSetting;
use crate::tracee::stub::{Call, SCRATCH_LEN, Stub};

const TFD_TIMER_ABSTIME: u32 = 1;
/// [`Pidfd::pid`] of a process that has ended and was waited for.
const GONE: u32 = 0;

/// The kind and state of an anonymous inode; nothing if it is of an unsupported kind.
pub fn describe(c: &mut Capture, open: &Open) -> Option<(u32, Body)> {
    Some(match &open.info.kind {
        FdKind::Eventfd { count, semaphore, .. } => (
            files::EVENTFD,
            Body::Eventfd(Eventfd { count: *count, semaphore: u32::from(*semaphore), pad: 0 }),
        ),
        FdKind::Epoll { targets } => (files::EPOLL, Body::Epoll(Epoll { nr_targets: targets.len() as u64 })),
        FdKind::Timerfd { clockid, ticks, settime_flags, value, interval } => (
            files::TIMERFD,
            Body::Timerfd(Timerfd {
                clockid: *clockid as u32,
                settime_flags: *settime_flags,
                ticks: *ticks,
                value: *value,
                interval: *interval,
            }),
        ),
        FdKind::Signalfd { mask } => (files::SIGNALFD, Body::Signalfd(Signalfd { mask: *mask })),
        // To a process of the tree, whose number is the one that it has itself; or to one that is no more (-1), whoever it
        // was.
        FdKind::Pidfd { pid, .. } => {
            let pid = if *pid == -1 { GONE } else { *c.names.get(&i32::try_from(*pid).ok()?)? };
            (files::PIDFD, Body::Pidfd(Pidfd { pid, pad: 0 }))
        }
        // One that watches nothing has nothing to tell but its name.
        FdKind::Plain if open.link == b"anon_inode:[eventpoll]" => {
            (files::EPOLL, Body::Epoll(Epoll { nr_targets: 0 }))
        }
        _ => return None,
    })
}

/// Fills in what epoll instances watch, once all descriptions are known.
///
/// An instance watches a description under the number it was added with; by now that number may be closed or stand
/// for something else, in another process even, so the kernel is asked which description it really is.
pub fn capture_epoll_targets(met: &Met, tree: &mut Tree, survey: &mut Survey) {
    for (id, open) in &met.seen {
        let FdKind::Epoll { targets } = &open.info.kind else { continue };
        let mut list = Vec::new();
        for (i, t) in targets.iter().enumerate() {
            // Several descriptions can have been added under one number.
            let nth = targets.iter().take(i).filter(|earlier| earlier.tfd == t.tfd).count() as u32;
            let is = |(_, seen): &&(Id, Open)| {
                sys::kcmp::epoll_target(seen.pid, seen.fd, open.pid, open.fd, t.tfd as u32, nth)
                    .is_ok_and(std::cmp::Ordering::is_eq)
            };
            let likely = |(_, seen): &&(Id, Open)| (seen.pid, seen.fd) == (open.pid, t.tfd);
            let found = met.seen.iter().find(|s| likely(s) && is(s)).or_else(|| met.seen.iter().find(is));
            let file = found.map(|(id, _)| *id);
            match file {
                Some(file) => {
                    list.push(EpollTarget { fd: t.tfd as u32, events: t.events, data: t.data, file, pad: 0 });
                }
                None => {
                    let what = format!(
                        "descriptor {} (epoll) watches number {}, which is closed here but held elsewhere",
                        open.fd, t.tfd
                    );
                    survey.lose(Loss::Descriptor, open.pid, what, "");
                }
            }
        }
        let object = tree.files.get(id).map(|f| f.object);
        if let Some(object) = object {
            tree.set_parts(object, list);
        }
    }
}

/// Makes a description of this kind; timers are armed later, by [`arm_timerfds`].
pub fn open(file: &File, object: &Body) -> Result<OwnedFd, RestoreError> {
    let nonblock = file.flags as i32 & libc::O_NONBLOCK;
    let made = match object {
        Body::Eventfd(e) => sys::anon::eventfd(e.count, e.semaphore != 0, nonblock),
        Body::Epoll(_) => sys::anon::epoll(),
        Body::Timerfd(t) => sys::anon::timerfd(t.clockid as i32, nonblock),
        Body::Signalfd(s) => sys::anon::signalfd(s.mask, nonblock),
        Body::Pidfd(p) if p.pid == GONE => sys::process::pidfd_of_nobody(nonblock),
        // A pidfd can be had only once the process exists; until then something holds its place.
        Body::Pidfd(_) => sys::anon::epoll(),
        _ => {
            return Err(RestoreError::Host(
                "a descriptor of the image leads to an object of another kind".into(),
            ));
        }
    };
    made.map_err(RestoreError::io("making an anonymous descriptor"))
}

/// Puts real pidfds in the place of their place holders, at whose numbers the process has inherited them.
///
/// Each process opens its own: a pidfd that a parent and its child share by a fork(2) becomes two, which only show in
/// flags of theirs that are changed later.
pub fn make_pidfds(stub: &mut Stub, table: &[&Fd], tree: &Tree, opened: &Opened) -> Result<(), RestoreError> {
    let files: BTreeSet<Id> = table.iter().map(|fd| fd.file).collect();
    for id in files {
        let Some(file) = tree.files.get(&id).filter(|file| file.kind == files::PIDFD) else { continue };
        let (Some(p), Some(holder)) = (tree.object::<Pidfd>(file.object), opened.files.get(&id)) else {
            continue;
        };
        if p.pid == GONE {
            continue;
        }
        let flags = file.flags & libc::O_NONBLOCK as u32;
        let what = format!("opening a pidfd of process {}", p.pid);
        let new = stub.call(Call::new(what, libc::SYS_pidfd_open, &[p.pid.into(), flags.into()]))? as u64;
        stub.run(&[
            Call::new("placing a pidfd", libc::SYS_dup3, &[new, holder.as_raw_fd() as u64, 0]),
            Call::new("placing a pidfd", libc::SYS_close, &[new]),
        ])?;
    }
    Ok(())
}

/// Fills the epoll instances that `is_ours` says this process has to fill, while every watched description stands at the
/// number it was added under.
///
/// What a signalfd reports to an instance is what comes to the process that added it, so it has to be one that had it.
pub fn fill_epolls(
    stub: &mut Stub,
    table: &[&Fd],
    tree: &Tree,
    opened: &Opened,
    is_ours: impl Fn(Id) -> bool,
) -> Result<(), RestoreError> {
    let files: BTreeSet<Id> = table.iter().map(|fd| fd.file).collect();
    for id in files {
        let Some(file) = tree.files.get(&id).filter(|file| file.kind == files::EPOLL && is_ours(id)) else {
            continue;
        };
        let Some(epfd) = opened.files.get(&id) else { continue };
        let targets: Vec<&EpollTarget> = tree.parts_of(file.object).collect();
        // struct epoll_event is packed on x86-64: events u32, data u64.
        const EVENT: usize = 12;
        for some in targets.chunks(SCRATCH_LEN as usize / EVENT) {
            let mut events: Vec<u8> = Vec::with_capacity(some.len() * EVENT);
            let mut calls = Vec::with_capacity(some.len() * 2);
            for t in some {
                let Some(watched) = opened.files.get(&t.file) else { continue };
                let at = stub.scratch() + events.len() as u64;
                events.extend_from_slice(&t.events.to_ne_bytes());
                events.extend_from_slice(&t.data.to_ne_bytes());
                let number = u64::from(t.fd);
                let args = [watched.as_raw_fd() as u64, number, 0];
                calls.push(Call::new("epoll target", libc::SYS_dup3, &args));
                let args = [epfd.as_raw_fd() as u64, libc::EPOLL_CTL_ADD as u64, number, at];
                let what = format!("watching descriptor {number} by epoll");
                calls.push(Call::new(what, libc::SYS_epoll_ctl, &args));
            }
            stub.put(0, &events)?;
            stub.run(&calls)?;
        }
    }
    Ok(())
}

/// Sets timerfds going, as the last thing before the process runs.
pub fn arm_timerfds(tree: &Tree, opened: &Opened, same_boot: bool) -> Result<(), RestoreError> {
    for (id, file) in tree.files.iter().filter(|(_, f)| f.kind == files::TIMERFD) {
        let (Some(t), Some(fd)) = (tree.object::<Timerfd>(file.object), opened.files.get(id)) else {
            continue;
        };
        if t.value != 0 {
            let absolute = t.settime_flags & TFD_TIMER_ABSTIME != 0;
            let base = match t.clockid as i32 {
                libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_ALARM => Some(tree.image.realtime),
                libc::CLOCK_MONOTONIC if same_boot => Some(tree.image.monotonic),
                libc::CLOCK_BOOTTIME | libc::CLOCK_BOOTTIME_ALARM if same_boot => Some(tree.image.boottime),
                _ => None,
            };
            let setting = match base.filter(|_| absolute) {
                Some(now) => {
                    TimerSetting { flags: t.settime_flags as i32, value: now + t.value, interval: t.interval }
                }
                None => TimerSetting { flags: 0, value: t.value, interval: t.interval },
            };
            sys::anon::timerfd_set(fd, setting).map_err(RestoreError::io("arming a timerfd"))?;
        }
        if t.ticks != 0 {
            sys::anon::timerfd_ticks(fd, t.ticks)
                .map_err(RestoreError::io("setting the ticks of a timerfd"))?;
        }
    }
    Ok(())
}
