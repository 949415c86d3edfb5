//! The last in the registry: descriptors that no kind has claimed are refused by name.

use super::descriptions::Open;
use super::kind::{Captured, FdKind, FdMaker, Making};
use crate::image::model::Id;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::refusal::Loss;

use stasis_format::record::File;
use std::os::fd::OwnedFd;

/// The kind of what is not carried over.
#[derive(Debug)]
pub struct Unsupported;

impl FdKind for Unsupported {
    fn carries(&self) -> &'static [u32] {
        &[]
    }

    fn is_mine(&self, _: &Open) -> bool {
        true
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        let (loss, what) = match open.file_type() {
            libc::S_IFCHR | libc::S_IFBLK => (Loss::Device, "a device"),
            libc::S_IFSOCK => (Loss::Socket, "this kind of socket is not carried over"),
            _ => (Loss::Descriptor, "this kind of descriptor is not carried over"),
        };
        let what = format!("{}: {what}", open.label());
        c.survey.lose(loss, open.pid, what, "close it before the checkpoint");
        Ok(None)
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Self)
    }
}

impl FdMaker for Unsupported {
    fn open(&mut self, m: &mut Making, id: Id, _: &File) -> Result<Option<OwnedFd>, RestoreError> {
        Err(RestoreError::missing(m.tree, id))
    }
}
