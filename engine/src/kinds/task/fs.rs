//! File system context: current directory, root, umask.

use std::os::unix::ffi::OsStrExt;

use stasis_format::record::Fs;

use crate::image::model::{Id, Tree};
use crate::kinds::fd::inodes;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::Status;
use crate::refusal::Loss;
use crate::tracee::stub::{Call, Stub};

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
    let mut calls = vec![Call::new("setting the umask", libc::SYS_umask, &[fs.umask.into()])];
    let root = tree.path_of(fs.root);
    if !root.is_empty() && root != b"/" {
        let at = stub.put(0, &c_string(root))?;
        calls.push(Call::new(
            format!("changing the root to {}", root.escape_ascii()),
            libc::SYS_chroot,
            &[at],
        ));
    }
    let cwd = tree.path_of(fs.cwd);
    let inside = cwd.strip_prefix(root).filter(|_| root != b"/").unwrap_or(cwd);
    let at = stub.put(4096 * 2, &c_string(if inside.is_empty() { b"/" } else { inside }))?;
    calls.push(Call::new(
        format!("changing the directory to {}", cwd.escape_ascii()),
        libc::SYS_chdir,
        &[at],
    ));
    stub.run(&calls)?;
    Ok(())
}

fn c_string(path: &[u8]) -> Vec<u8> {
    let mut bytes = std::ffi::OsStr::from_bytes(path).as_bytes().to_vec();
    bytes.push(0);
    bytes
}
