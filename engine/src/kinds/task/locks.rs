//! File locks: POSIX, open-file-description and flock ones, taken again through the descriptor they were seen on.

use std::collections::{BTreeMap, BTreeSet};

use stasis_format::record::Lock;

use super::kind::{Making, TaskKind};
use crate::image::model::{Id, TaskState};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::LockKind;
use crate::refusal::Loss;
use crate::sys::abi::Flock;
use crate::tracee::batch::{Batch, args};
use crate::tracee::stub::Stub;

const POSIX: u32 = 1;
const OFD: u32 = 2;
const FLOCK: u32 = 3;

const F_OFD_SETLK: i32 = 37;

/// The kind. The descriptors of the process have been captured before.
#[derive(Debug)]
pub struct Locks;

impl TaskKind for Locks {
    fn capture(&self, c: &mut Capture, task: &mut TaskState) -> Result<(), CaptureError> {
        task.locks = capture(c);
        Ok(())
    }

    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        restore(m.stub, &m.task.locks)
    }
}

/// Captures the locks that were seen through the descriptors of the process.
fn capture(c: &mut Capture) -> Vec<Lock> {
    let pid = c.target.pid;
    let mut locks: Vec<Lock> = Vec::new();
    let mut posix_of: BTreeSet<(Id, u64, u64)> = BTreeSet::new();
    let mut first_of: BTreeMap<Id, u32> = BTreeMap::new();
    for (fd, file, line) in std::mem::take(&mut c.locks) {
        // Duplicates show the same locks again.
        if *first_of.entry(file).or_insert(fd) != fd {
            continue;
        }
        let kind = match line.kind {
            LockKind::Posix => POSIX,
            LockKind::Ofd => OFD,
            LockKind::Flock => FLOCK,
            LockKind::Lease | LockKind::Other => {
                let what = format!("descriptor {fd}: a lease is held on it");
                c.survey.lose(Loss::Lock, pid, what, "give the lease back first");
                continue;
            }
        };
        let len = line.end.map_or(0, |end| end.saturating_sub(line.start).saturating_add(1));
        let lock = Lock { kind, lock_type: u32::from(line.write), fd, pad: 0, start: line.start, len };
        // A POSIX lock belongs to process and file, and shows on every description of that file.
        let inode = c.tree.files.get(&file).map_or(0, |f| f.object);
        if kind != POSIX || posix_of.insert((inode, lock.start, lock.len)) {
            locks.push(lock);
        }
    }
    locks
}

/// Takes the locks again; somebody else who has taken one meanwhile is an error that names the descriptor.
fn restore(stub: &mut Stub, locks: &[Lock]) -> Result<(), RestoreError> {
    let mut calls = Batch::new();
    for lock in locks {
        let what =
            format!("taking the file lock of descriptor {} again (has somebody else taken it?)", lock.fd);
        if lock.kind == FLOCK {
            let op = if lock.lock_type == 1 { libc::LOCK_EX } else { libc::LOCK_SH } | libc::LOCK_NB;
            calls.call(what, libc::SYS_flock, args![lock.fd, op]);
        } else {
            let lock_type = if lock.lock_type == 1 { libc::F_WRLCK } else { libc::F_RDLCK };
            let (lock_type, whence) = (lock_type as i16, libc::SEEK_SET as i16);
            let range = Flock { lock_type, whence, start: lock.start, len: lock.len, ..Flock::default() };
            let at = calls.put(&range);
            let command = if lock.kind == OFD { F_OFD_SETLK } else { libc::F_SETLK };
            calls.call(what, libc::SYS_fcntl, args![lock.fd, command, at]);
        }
    }
    stub.make(&calls)?;
    Ok(())
}
