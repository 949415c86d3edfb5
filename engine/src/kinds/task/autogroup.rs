//! The nice value of a session's autogroup (sched(7)), which belongs to the process that leads it.

use stasis_format::record::Autogroup as Record;

use super::kind::{Making, TaskKind};
use crate::image::model::TaskState;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs;

/// The kind.
#[derive(Debug)]
pub struct Autogroup;

impl TaskKind for Autogroup {
    fn capture(&self, c: &mut Capture, task: &mut TaskState) -> Result<(), CaptureError> {
        // A kernel without autogroups has no such file.
        let text = c.target.proc.read("autogroup").unwrap_or_default();
        let nice = procfs::parse_autogroup(&text).unwrap_or(0);
        if nice != 0 && task.task.sid == task.task.pid {
            task.parts.push(Record { nice, pad: 0 }.into());
        }
        Ok(())
    }

    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        let Some(nice) = m.task.parts::<Record>().next().map(|record| record.nice) else { return Ok(()) };
        if let Err(error) = procfs::set(m.stub.pid, "autogroup", &nice.to_string()) {
            // A lower one takes CAP_SYS_NICE.
            tracing::warn!("the nice value of the session's autogroup stays 0: {error}");
        }
        Ok(())
    }
}
