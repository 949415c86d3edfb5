//! pidfd_open(2): a descriptor of a process of the tree, or of one that is no more.

use std::os::fd::OwnedFd;

use stasis_format::record::{File, Pidfd as Record};

use super::descriptions::Open;
use super::kind::{Captured, FdKind, FdMaker, Judging, Making};
use crate::image::model::{Id, Tree};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::refusal::Loss;
use crate::sys;
use crate::tracee::stub::{Call, Stub};

/// [`File::kind`].
const PIDFD: u32 = 10;

/// [`Record::pid`] of a process that has ended and was waited for.
const GONE: u32 = 0;

/// The kind.
#[derive(Debug)]
pub struct Pidfd;

impl FdKind for Pidfd {
    fn carries(&self) -> &'static [u32] {
        &[PIDFD]
    }

    fn is_mine(&self, open: &Open) -> bool {
        open.info.value("Pid").is_some()
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        // fs/pidfs.c: -1 of a process that was waited for, whoever it was.
        let pid = open.info.value("Pid").and_then(|pid| pid.parse::<i32>().ok()).unwrap_or(0);
        let named = if pid == -1 { Some(GONE) } else { c.names.get(&pid).copied() };
        let Some(pid) = named else {
            let what = format!("{}: a pidfd of process {pid}, which is not in the tree", open.label());
            c.survey.lose(Loss::Descriptor, open.pid, what, "checkpoint a common parent of both");
            return Ok(None);
        };
        Ok(Some(Captured { kind: PIDFD, object: c.tree.add(Record { pid, pad: 0 }) }))
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Self)
    }
}

impl FdMaker for Pidfd {
    fn judge(&self, j: &Judging, _: Id, file: &File) -> Option<String> {
        let pid = j.tree.object::<Record>(file.object)?.pid;
        let is_there = pid == GONE || j.tree.tasks.iter().any(|task| task.task.pid == pid);
        (!is_there).then(|| format!("the image has a pidfd of process {pid}, which is not in it"))
    }

    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        let record: &Record = m.record(id, file)?;
        if record.pid != GONE {
            return Ok(None);
        }
        let made = sys::process::pidfd_of_nobody(file.flags as i32 & libc::O_NONBLOCK);
        made.map(Some).map_err(RestoreError::io("making a pidfd of a process that is no more"))
    }

    /// The number is the one that the process has in its own namespace, so it is opened there.
    fn make_inside(
        &mut self,
        stub: &mut Stub,
        tree: &Tree,
        id: Id,
        file: &File,
    ) -> Result<u64, RestoreError> {
        let record: &Record = tree.object(file.object).ok_or_else(|| RestoreError::missing(tree, id))?;
        let flags = file.flags & libc::O_NONBLOCK as u32;
        let what = format!("opening a pidfd of process {}", record.pid);
        Ok(stub.call(Call::new(what, libc::SYS_pidfd_open, &[record.pid.into(), flags.into()]))? as u64)
    }
}
