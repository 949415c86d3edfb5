//! File system context: current directory, root, umask.

use stasis_format::record::Fs;

use super::kind::{Making, TaskKind};
use crate::image::model::{Id, TaskState};
use crate::kinds::fd::inodes;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::Status;
use crate::refusal::Loss;
use crate::tracee::batch::{Batch, args};
use crate::tracee::stub::Stub;

/// The kind.
#[derive(Debug)]
pub struct Directories;

impl TaskKind for Directories {
    fn capture(&self, c: &mut Capture, task: &mut TaskState) -> Result<(), CaptureError> {
        task.task.fs = capture(c, c.status)?;
        Ok(())
    }

    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        let Some(fs) = m.tree.fss.get(&m.task.task.fs) else { return Ok(()) };
        restore(m.stub, fs, m.directories)
    }
}

/// Captures the context; returns the object it became.
fn capture(c: &mut Capture, status: &Status) -> Result<Id, CaptureError> {
    let pid = c.target.pid;
    let cwd = c.inode_of_link("cwd", 0).map_err(CaptureError::read("the current directory", pid))?;
    let root = c.inode_of_link("root", 0).map_err(CaptureError::read("the root directory", pid))?;
    if c.tree.inodes.get(&cwd).is_some_and(|i| i.flags & inodes::DELETED != 0) {
        let what = format!("its current directory {} is deleted", c.tree.path_of(cwd).escape_ascii());
        c.survey.refuse(Loss::Attribute, pid, what, "let it change to another directory");
    }
    let fs = Fs { cwd, root, umask: status.umask.unwrap_or(0o022), pad: 0 };
    let id = c.tree.new_id();
    c.tree.fss.insert(id, fs);
    Ok(id)
}

/// Changes root and directory, and sets the umask. `directories` are the numbers of descriptors: of the current directory,
/// and of the root if it is not that of whoever restarts. They were opened with the rights of the process.
fn restore(stub: &mut Stub, fs: &Fs, directories: &[u32]) -> Result<(), RestoreError> {
    let mut calls = Batch::new();
    calls.call("setting the umask", libc::SYS_umask, args![fs.umask]);
    if let Some(root) = directories.get(1) {
        calls.call("entering the root directory", libc::SYS_fchdir, args![*root]);
        let here = calls.string(b".");
        calls.call("changing the root", libc::SYS_chroot, args![here]);
    }
    if let Some(cwd) = directories.first() {
        calls.call("changing the directory", libc::SYS_fchdir, args![*cwd]);
    }
    stub.make(&calls)?;
    Ok(())
}
