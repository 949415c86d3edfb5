//! File system context: current directory, root, umask.

use stasis_format::record::Fs;

use crate::image::model::{Id, Tree};
use crate::kinds::fd::inodes;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::Status;
use crate::refusal::Loss;
use crate::tracee::batch::{Batch, args};
use crate::tracee::stub::Stub;

/// Captures the context; returns the object it became.
pub fn capture(c: &mut Capture, status: &Status) -> Result<Id, CaptureError> {
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

/// Changes root and directory, and sets the umask.
pub fn restore(stub: &mut Stub, tree: &Tree, fs: &Fs) -> Result<(), RestoreError> {
    let mut calls = Batch::new();
    calls.call("setting the umask", libc::SYS_umask, args![fs.umask]);
    let root = tree.path_of(fs.root);
    if !root.is_empty() && root != b"/" {
        let at = calls.string(root);
        calls.call(format!("changing the root to {}", root.escape_ascii()), libc::SYS_chroot, args![at]);
    }
    let cwd = tree.path_of(fs.cwd);
    let inside = cwd.strip_prefix(root).filter(|_| root != b"/").unwrap_or(cwd);
    let at = calls.string(if inside.is_empty() { b"/" } else { inside });
    calls.call(format!("changing the directory to {}", cwd.escape_ascii()), libc::SYS_chdir, args![at]);
    stub.make(&calls)?;
    Ok(())
}
