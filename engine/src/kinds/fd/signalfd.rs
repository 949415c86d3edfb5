//! signalfd(2).

use std::os::fd::OwnedFd;

use stasis_format::record::{File, Signalfd as Record};

use super::descriptions::Open;
use super::kind::{Captured, FdKind, FdMaker, Making};
use crate::image::model::Id;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::sys;

/// [`File::kind`].
const SIGNALFD: u32 = 9;

/// The kind.
#[derive(Debug)]
pub struct Signalfd;

impl FdKind for Signalfd {
    fn carries(&self) -> &'static [u32] {
        &[SIGNALFD]
    }

    fn is_mine(&self, open: &Open) -> bool {
        open.info.value("sigmask").is_some()
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        let mask = open.info.number("sigmask", 16).map_err(CaptureError::parse(open.label(), open.pid))?;
        Ok(Some(Captured { kind: SIGNALFD, object: c.tree.add(Record { mask }) }))
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Self)
    }
}

impl FdMaker for Signalfd {
    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        let record: &Record = m.record(id, file)?;
        let made = sys::anon::signalfd(record.mask, file.flags as i32 & libc::O_NONBLOCK);
        made.map(Some).map_err(RestoreError::io("making a signalfd"))
    }
}
