//! The contract of what belongs to a process or to its threads: what the file of a kind does in each phase.
//!
//! A kind has one file beside this one and one line in the [registry](super::KINDS). At a checkpoint they are captured in the
//! order of the registry, at a restart made in the same order; where that matters the registry says why.

use stasis_format::record::Creds;

use crate::image::model::{MmState, TaskState, Tree};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::tracee::stub::Stub;

/// A kind of state of a process.
pub trait TaskKind: Sync {
    /// Captures it, of a process that stands still and whose memory has been looked at.
    fn capture(&self, _: &mut Capture, _: &mut TaskState) -> Result<(), CaptureError> {
        Ok(())
    }

    /// Makes it in the new process, whose memory is filled and whose descriptors stand at their numbers.
    fn make(&self, _: &mut Making) -> Result<(), RestoreError> {
        Ok(())
    }

    /// What comes last, when all processes are made: nothing that could fail for a reason that was there before.
    fn arm(&self, _: &mut Making) -> Result<(), RestoreError> {
        Ok(())
    }
}

/// A process under construction.
#[derive(Debug)]
pub struct Making<'a> {
    /// It.
    pub stub: &'a mut Stub,
    /// The image.
    pub tree: &'a Tree,
    /// Its records; ids in it are changed where it could not have the old ones.
    pub task: &'a mut TaskState,
    /// Its address space.
    pub mm: &'a MmState,
    /// What it has of credentials until it gets its own.
    pub own: &'a Creds,
    /// Numbers of descriptors that were lent to it: of its current directory, and of its root if that is not the one of
    /// whoever restarts. They were opened with the rights of the process.
    pub directories: &'a [u32],
}
