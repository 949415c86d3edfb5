//! The contract of what belongs to no process but to the tree, or to the system as the tree sees it: System V objects,
//! namespaces, networks.

use std::collections::BTreeMap;

use crate::image::model::Tree;
use crate::kinds::{CaptureError, Contents, RestoreError};
use crate::refusal::Survey;
use crate::tracee::stub::Stub;

/// A kind of state of a tree.
pub trait TreeKind: Sync {
    /// Captures it, when all processes have been captured and none runs yet.
    fn capture(&self, _: &mut Capturing) -> Result<(), CaptureError> {
        Ok(())
    }

    /// Why it cannot be made here, one sentence each; before anything is done.
    fn judge(&self, _: &Tree) -> Vec<String> {
        Vec::new()
    }

    /// Namespaces (CLONE_NEW* of clone(2)) that the processes have to live in, because what they had is somebody else's
    /// here. Asked after [`judge`](Self::judge).
    fn namespaces(&self, _: &Tree) -> u64 {
        0
    }

    /// Makes it, in the first process, which has no memory of its own yet and whose children do not exist.
    fn make(&self, _: &mut Making) -> Result<(), RestoreError> {
        Ok(())
    }

    /// What comes last, in the first process, when all others are made and have their contents.
    fn arm(&self, _: &mut Making) -> Result<(), RestoreError> {
        Ok(())
    }
}

/// What is at hand to capture.
#[derive(Debug)]
pub struct Capturing<'a> {
    /// The tree so far; what is found goes into it.
    pub tree: &'a mut Tree,
    /// Reasons to refuse.
    pub survey: &'a mut Survey,
    /// Contents to be stored behind the metadata.
    pub contents: &'a mut Contents,
    /// All processes of the tree: their ids as we see them, and as they see themselves.
    pub names: &'a BTreeMap<i32, u32>,
    /// Whether the processes end with this checkpoint.
    pub kill: bool,
}

/// What is at hand to make.
#[derive(Debug)]
pub struct Making<'a> {
    /// The first process.
    pub stub: &'a mut Stub,
    /// The image.
    pub tree: &'a Tree,
}
