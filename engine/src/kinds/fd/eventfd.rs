//! eventfd(2).

use std::os::fd::OwnedFd;

use stasis_format::record::{Eventfd as Record, File};

use super::descriptions::Open;
use super::kind::{Captured, FdKind, FdMaker, Making};
use crate::image::model::Id;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::sys;

/// [`File::kind`].
const EVENTFD: u32 = 6;

/// The kind.
#[derive(Debug)]
pub struct Eventfd;

impl FdKind for Eventfd {
    fn carries(&self) -> &'static [u32] {
        &[EVENTFD]
    }

    fn is_mine(&self, open: &Open) -> bool {
        open.info.value("eventfd-count").is_some()
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        let read =
            |name, radix| open.info.number(name, radix).map_err(CaptureError::parse(open.label(), open.pid));
        // The count is written in hexadecimal (fs/eventfd.c).
        let (count, semaphore) = (read("eventfd-count", 16)?, read("eventfd-semaphore", 10).unwrap_or(0));
        let object = c.tree.add(Record { count, semaphore: u32::from(semaphore != 0), pad: 0 });
        Ok(Some(Captured { kind: EVENTFD, object }))
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Self)
    }
}

impl FdMaker for Eventfd {
    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        let record: &Record = m.record(id, file)?;
        let nonblock = file.flags as i32 & libc::O_NONBLOCK;
        let made = sys::anon::eventfd(record.count, record.semaphore != 0, nonblock);
        made.map(Some).map_err(RestoreError::io("making an eventfd"))
    }
}
