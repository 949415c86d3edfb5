//! timerfd_create(2): a timer of the kernel behind a descriptor.

use std::os::fd::OwnedFd;

use stasis_format::record::{File, Timerfd as Record};

use super::descriptions::{Open, Sight};
use super::kind::{Captured, FdKind, FdMaker, Making, Placed};
use crate::image::model::Id;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::sys;
use crate::sys::anon::TimerSetting;

/// [`File::kind`].
const TIMERFD: u32 = 8;

const TFD_TIMER_ABSTIME: u32 = 1;

/// The kind.
#[derive(Debug)]
pub struct Timerfd;

impl FdKind for Timerfd {
    fn carries(&self) -> &'static [u32] {
        &[TIMERFD]
    }

    fn is_mine(&self, open: &Open) -> bool {
        open.link == b"anon_inode:[timerfd]"
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        // A periodic timer that has expired is set going again only when it is asked.
        sys::anon::timerfd_touch(&open.dup).map_err(open.unreadable())?;
        let now = Sight::of(&c.target.proc, open.pid, open.fd)?;
        let info = &now.info;
        let parse = || CaptureError::parse(open.label(), open.pid);
        let record = Record {
            clockid: info.number("clockid", 10).map_err(parse())? as u32,
            settime_flags: info.number("settime flags", 8).map_err(parse())? as u32,
            ticks: info.number("ticks", 10).map_err(parse())?,
            value: info.timespec("it_value").map_err(parse())?,
            interval: info.timespec("it_interval").map_err(parse())?,
        };
        Ok(Some(Captured { kind: TIMERFD, object: c.tree.add(record) }))
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Self)
    }
}

impl FdMaker for Timerfd {
    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        let record: &Record = m.record(id, file)?;
        let made = sys::anon::timerfd(record.clockid as i32, file.flags as i32 & libc::O_NONBLOCK);
        made.map(Some).map_err(RestoreError::io("making a timerfd"))
    }

    fn arm(&mut self, p: &Placed, id: Id, file: &File) -> Result<(), RestoreError> {
        let Some(t) = p.tree.object::<Record>(file.object).filter(|t| t.value != 0 || t.ticks != 0) else {
            return Ok(());
        };
        let fd = p.fd(id)?;
        if t.value != 0 {
            let image = &p.tree.image;
            let base = match t.clockid as i32 {
                libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_ALARM => Some(image.realtime),
                libc::CLOCK_MONOTONIC if p.same_boot => Some(image.monotonic),
                libc::CLOCK_BOOTTIME | libc::CLOCK_BOOTTIME_ALARM if p.same_boot => Some(image.boottime),
                _ => None,
            };
            let setting = match base.filter(|_| t.settime_flags & TFD_TIMER_ABSTIME != 0) {
                Some(now) => TimerSetting {
                    flags: t.settime_flags as i32,
                    value: now.saturating_add(t.value),
                    interval: t.interval,
                },
                None => TimerSetting { flags: 0, value: t.value, interval: t.interval },
            };
            sys::anon::timerfd_set(&fd, setting).map_err(RestoreError::io("arming a timerfd"))?;
        }
        if t.ticks != 0 {
            sys::anon::timerfd_ticks(&fd, t.ticks)
                .map_err(RestoreError::io("setting the ticks of a timerfd"))?;
        }
        Ok(())
    }
}
