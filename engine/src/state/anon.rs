//! Descriptors without a file: eventfd, epoll, timerfd, signalfd, pidfd.

use std::os::fd::{AsRawFd, OwnedFd};

use stasis_format::record::{Epoll, EpollTarget, Eventfd, Fd, File, Pidfd, Signalfd, Timerfd};

use super::files::{self, Open, Opened};
use super::{Capture, CaptureError, RestoreError};
use crate::model::{Id, Object, Tree};
use crate::procfs::FdKind;
use crate::refusal::Loss;
use crate::stub::{Call, SCRATCH_LEN, Stub};
use crate::sys;
use crate::sys::anon::TimerSetting;

const TFD_TIMER_ABSTIME: u32 = 1;

/// The kind and state of an anonymous inode; nothing if it is of an unsupported kind.
pub fn describe(c: &mut Capture, open: &Open) -> Option<(u32, Object)> {
    Some(match &open.info.kind {
        FdKind::Eventfd { count, semaphore, .. } => (
            files::EVENTFD,
            Object::Eventfd(Eventfd { count: *count, semaphore: u32::from(*semaphore), pad: 0 }),
        ),
        FdKind::Epoll { targets } => {
            (files::EPOLL, Object::Epoll(Epoll { nr_targets: targets.len() as u64 }, Vec::new()))
        }
        FdKind::Timerfd { clockid, ticks, settime_flags, value, interval } => (
            files::TIMERFD,
            Object::Timerfd(Timerfd {
                clockid: *clockid as u32,
                settime_flags: *settime_flags,
                ticks: *ticks,
                value: *value,
                interval: *interval,
            }),
        ),
        FdKind::Signalfd { mask } => (files::SIGNALFD, Object::Signalfd(Signalfd { mask: *mask })),
        FdKind::Pidfd { pid, .. } if *pid == i64::from(c.target.pid) => {
            (files::PIDFD, Object::Pidfd(Pidfd { pid: c.target.pid as u32, pad: 0 }))
        }
        // One that watches nothing has nothing to tell but its name.
        FdKind::Plain if open.link == b"anon_inode:[eventpoll]" => {
            (files::EPOLL, Object::Epoll(Epoll { nr_targets: 0 }, Vec::new()))
        }
        _ => return None,
    })
}

/// Fills in what epoll instances watch, once all descriptions are known.
///
/// An instance watches a description under the number it was added with; by now that number may be closed or stand
/// for something else, so the kernel is asked which description it really is.
pub fn capture_epoll_targets(c: &mut Capture, seen: &[(Id, Open)], table: &[Fd]) -> Result<(), CaptureError> {
    let pid = c.target.pid;
    for (id, open) in seen {
        let FdKind::Epoll { targets } = &open.info.kind else { continue };
        let mut list = Vec::new();
        for t in targets {
            let is = |fd: i32| {
                sys::kcmp::epoll_target(pid, fd, pid, open.fd, t.tfd as u32, 0)
                    .is_ok_and(|o| o == std::cmp::Ordering::Equal)
            };
            let file = table
                .iter()
                .find(|fd| fd.fd == t.tfd as u32 && is(fd.fd as i32))
                .or_else(|| table.iter().find(|fd| is(fd.fd as i32)))
                .map(|fd| fd.file);
            match file {
                Some(file) => {
                    list.push(EpollTarget { fd: t.tfd as u32, events: t.events, data: t.data, file, pad: 0 });
                }
                None => {
                    let what = format!(
                        "descriptor {} (epoll) watches number {}, which is closed here but held elsewhere",
                        open.fd, t.tfd
                    );
                    c.survey.lose(Loss::Descriptor, pid, what, "");
                }
            }
        }
        let object = c.tree.files.get(id).map(|f| f.object);
        if let Some(Object::Epoll(_, targets)) = object.and_then(|o| c.tree.objects.get_mut(&o)) {
            *targets = list;
        }
    }
    Ok(())
}

/// Makes a description of this kind; timers are armed later, by [`arm_timerfds`].
pub fn open(file: &File, object: &Object) -> Result<OwnedFd, RestoreError> {
    let nonblock = file.flags as i32 & libc::O_NONBLOCK;
    let made = match object {
        Object::Eventfd(e) => sys::anon::eventfd(e.count, e.semaphore != 0, nonblock),
        Object::Epoll(..) => sys::anon::epoll(),
        Object::Timerfd(t) => sys::anon::timerfd(t.clockid as i32, nonblock),
        Object::Signalfd(s) => sys::anon::signalfd(s.mask, nonblock),
        // A pidfd can be had only once the process exists; until then something holds its place.
        Object::Pidfd(_) => sys::anon::epoll(),
        Object::Pipe(_) | Object::External(_) => {
            return Err(RestoreError::Host(
                "a descriptor of the image leads to an object of another kind".into(),
            ));
        }
    };
    made.map_err(RestoreError::io("making an anonymous descriptor"))
}

/// Calls that fill the epoll instances: while every watched description stands at the number it was added under.
pub fn epoll_calls(
    stub: &mut Stub,
    table: &[Fd],
    tree: &Tree,
    opened: &Opened,
) -> Result<Vec<Call>, RestoreError> {
    let mut calls = Vec::new();
    let mut events: Vec<u8> = Vec::new();
    let flush = |stub: &mut Stub, calls: &mut Vec<Call>, events: &mut Vec<u8>| -> Result<(), RestoreError> {
        stub.put(0, events)?;
        stub.run(calls)?;
        calls.clear();
        events.clear();
        Ok(())
    };
    for (id, file) in tree.files.iter().filter(|(_, f)| f.kind == files::EPOLL) {
        if !table.iter().any(|fd| fd.file == *id) {
            continue;
        }
        let (Some(Object::Epoll(_, targets)), Some(epfd)) =
            (tree.objects.get(&file.object), opened.files.get(id))
        else {
            continue;
        };
        for t in targets {
            let Some(watched) = opened.files.get(&t.file) else { continue };
            let at = stub.scratch() + events.len() as u64;
            // struct epoll_event is packed on x86-64: events u32, data u64.
            events.extend_from_slice(&t.events.to_ne_bytes());
            events.extend_from_slice(&t.data.to_ne_bytes());
            calls.push(Call::new(
                "epoll target",
                libc::SYS_dup3,
                &[watched.as_raw_fd() as u64, t.fd.into(), 0],
            ));
            calls.push(Call::new(
                format!("watching descriptor {} by epoll", t.fd),
                libc::SYS_epoll_ctl,
                &[epfd.as_raw_fd() as u64, libc::EPOLL_CTL_ADD as u64, t.fd.into(), at],
            ));
            if events.len() as u64 + 16 > SCRATCH_LEN {
                flush(stub, &mut calls, &mut events)?;
            }
        }
    }
    flush(stub, &mut calls, &mut events)?;
    Ok(calls)
}

/// Calls that replace the place holder of a pidfd.
///
/// The new descriptor's number is not known beforehand, so the lowest free one is made to be the right one.
pub fn pidfd_calls(
    stub: &mut Stub,
    pid: u32,
    file: &File,
    fd: &Fd,
    calls: &mut Vec<Call>,
) -> Result<(), RestoreError> {
    stub.run(calls)?;
    calls.clear();
    let flags = file.flags & libc::O_NONBLOCK as u32;
    let new = stub.call(Call::new("pidfd_open", libc::SYS_pidfd_open, &[pid.into(), flags.into()]))? as u64;
    let cloexec = if fd.cloexec != 0 { libc::O_CLOEXEC as u64 } else { 0 };
    if new != u64::from(fd.fd) {
        calls.push(Call::new("placing a pidfd", libc::SYS_dup3, &[new, fd.fd.into(), cloexec]));
        calls.push(Call::new("placing a pidfd", libc::SYS_close, &[new]));
    }
    Ok(())
}

/// Sets timerfds going, as the last thing before the process runs.
pub fn arm_timerfds(tree: &Tree, opened: &Opened, same_boot: bool) -> Result<(), RestoreError> {
    for (id, file) in tree.files.iter().filter(|(_, f)| f.kind == files::TIMERFD) {
        let (Some(Object::Timerfd(t)), Some(fd)) = (tree.objects.get(&file.object), opened.files.get(id))
        else {
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
