//! File locks: POSIX, open-file-description and flock ones, taken again through the descriptor they were seen on.

use stasis_format::record::{Fd, Lock};

use crate::image::model::Id;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::{self, LockKind};
use crate::refusal::Loss;
use crate::tracee::stub::{Call, Stub};

const POSIX: u32 = 1;
const OFD: u32 = 2;
const FLOCK: u32 = 3;

const F_OFD_SETLK: u64 = 37;

/// Captures the locks that fdinfo shows for the descriptors of a table.
pub fn capture(c: &mut Capture, table: Id) -> Result<Vec<Lock>, CaptureError> {
    let pid = c.target.pid;
    let fds: Vec<Fd> = c.tree.tables.get(&table).cloned().unwrap_or_default();
    let mut locks: Vec<Lock> = Vec::new();
    let mut posix_of: Vec<(u32, u64, u64)> = Vec::new();
    let mut seen_files: Vec<Id> = Vec::new();
    for fd in &fds {
        // Duplicates show the same locks again.
        if seen_files.contains(&fd.file) {
            continue;
        }
        seen_files.push(fd.file);
        let what = format!("fdinfo/{}", fd.fd);
        let info = c.target.proc.read(&what).map_err(CaptureError::read(what.clone(), pid))?;
        let info = procfs::parse_fdinfo(&info).map_err(CaptureError::parse(what, pid))?;
        for line in &info.locks {
            let kind = match line.kind {
                LockKind::Posix => POSIX,
                LockKind::Ofd => OFD,
                LockKind::Flock => FLOCK,
                LockKind::Lease | LockKind::Other => {
                    let what = format!("descriptor {}: a lease is held on it", fd.fd);
                    c.survey.lose(Loss::Lock, pid, what, "give the lease back first");
                    continue;
                }
            };
            let len = line.end.map_or(0, |end| end - line.start + 1);
            let lock =
                Lock { kind, lock_type: u32::from(line.write), fd: fd.fd, pad: 0, start: line.start, len };
            // A POSIX lock belongs to process and file, and shows on every description of that file.
            let inode = c.tree.files.get(&fd.file).map_or(0, |f| f.object);
            if kind == POSIX {
                if posix_of.contains(&(inode, lock.start, lock.len)) {
                    continue;
                }
                posix_of.push((inode, lock.start, lock.len));
            }
            locks.push(lock);
        }
    }
    Ok(locks)
}

/// Takes the locks again; somebody else who has taken one meanwhile is an error that names the descriptor.
pub fn restore(stub: &mut Stub, locks: &[Lock]) -> Result<(), RestoreError> {
    for lock in locks {
        let fd = u64::from(lock.fd);
        let what =
            format!("taking the file lock of descriptor {} again (has somebody else taken it?)", lock.fd);
        let call = if lock.kind == FLOCK {
            let op = if lock.lock_type == 1 { libc::LOCK_EX } else { libc::LOCK_SH } | libc::LOCK_NB;
            Call::new(what, libc::SYS_flock, &[fd, op as u64])
        } else {
            let lock_type = if lock.lock_type == 1 { libc::F_WRLCK } else { libc::F_RDLCK };
            let at = stub.put(0, &flock_bytes(lock_type as i16, lock.start, lock.len))?;
            let command = if lock.kind == OFD { F_OFD_SETLK } else { libc::F_SETLK as u64 };
            Call::new(what, libc::SYS_fcntl, &[fd, command, at])
        };
        stub.call(call)?;
    }
    Ok(())
}

/// `struct flock` of fcntl(2) on 64-bit machines, from the start of the file.
fn flock_bytes(lock_type: i16, start: u64, len: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32);
    bytes.extend_from_slice(&lock_type.to_ne_bytes());
    bytes.extend_from_slice(&(libc::SEEK_SET as i16).to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&start.to_ne_bytes());
    bytes.extend_from_slice(&len.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes
}
