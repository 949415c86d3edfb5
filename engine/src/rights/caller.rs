//! A worker acts for whoever made the call, and so with his rights: what he may not trace, open or read, it may not either.
//!
//! `stasis run` may be root's while a process under it has given up its rights, or runs a set-uid program. The worker takes on
//! the credentials of the calling thread for good before it does anything. What the kernel then refuses (ptrace(2): other ids,
//! more capabilities, not dumpable, Yama) is refused.
//!
//! One thing a process may do to itself that nobody else of its user may: it is not dumpable once it has given up rights, and
//! so out of his reach, but not out of its own. For a call on the calling process the worker keeps the right to trace, and
//! judges its descendants itself.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use crate::procfs::{self, Proc};
use crate::sys::creds::{self, Caps, FsRights, Whole};

/// The credentials of a thread. Certain only if the thread is known to have been there after this.
pub fn of(tid: i32) -> io::Result<Whole> {
    let text = Proc::open(tid)?.read("status")?;
    let status =
        procfs::parse_status(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    // Of a thread in another user namespace the capabilities count there only, and the ids are not told from each other.
    if namespace(&tid.to_string())? != namespace("self")? {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    let [uid, euid, suid, fsuid] = status.uid;
    let [gid, egid, sgid, fsgid] = status.gid;
    let mut groups = status.groups.clone();
    groups.sort_unstable();
    Ok(Whole {
        uids: [uid, euid, suid],
        gids: [gid, egid, sgid],
        fs: FsRights { uid: fsuid, gid: fsgid, groups, effective: status.cap_eff },
        caps: Caps { effective: status.cap_eff, permitted: status.cap_prm, inheritable: status.cap_inh },
    })
}

const CAP_SYS_PTRACE: u64 = 1 << 19;
const CAP_DAC_READ_SEARCH: u64 = 1 << 2;

/// Takes on the credentials of somebody for good. `itself`: the calling process, if the call is on that, and whether it is to
/// be replaced. Tells whether rights to look at it were kept: then its descendants and what is in files is still to be judged.
pub fn act_as(who: &Whole, itself: Option<i32>, replaced: bool) -> io::Result<bool> {
    let keeps = match itself {
        Some(pid) => !is_dumpable(pid)? && creds::caps()?.permitted & CAP_SYS_PTRACE != 0,
        None => false,
    };
    // To be read its files in /proc take another one, as they are root's. What is replaced is not read.
    let look = if replaced { CAP_SYS_PTRACE } else { CAP_SYS_PTRACE | CAP_DAC_READ_SEARCH };
    creds::become_whole(who, if keeps { look } else { 0 })?;
    Ok(keeps)
}

/// Whether the files of a process in /proc are its user's: those of one that is not dumpable are root's (proc(5)). Of a
/// process of root's it is not seen, and does not matter.
fn is_dumpable(pid: i32) -> io::Result<bool> {
    let text = Proc::open(pid)?.read("status")?;
    let status =
        procfs::parse_status(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(fs::metadata(format!("/proc/{pid}/stat"))?.uid() == status.uid[1])
}

/// Whether somebody may trace a process that stands still, by the rules of ptrace(2) for who has no capability for it.
pub fn may_trace(pid: i32, who: &Whole) -> io::Result<bool> {
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let tid = entry?.file_name().to_string_lossy().parse().unwrap_or(pid);
        let theirs = match of(tid) {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => return Ok(false),
            theirs => theirs?,
        };
        if !may_have_of(who, &theirs) {
            return Ok(false);
        }
    }
    is_dumpable(pid)
}

/// Whether what is kept for one may be given to another: he could have had it anyway, as he could trace the first.
pub fn may_have_of(asker: &Whole, maker: &Whole) -> bool {
    let all = |ids: &[u32; 3], real: u32| ids.iter().all(|id| *id == real);
    all(&maker.uids, asker.uids[0])
        && all(&maker.gids, asker.gids[0])
        && maker.caps.permitted & !asker.caps.permitted == 0
}

fn namespace(pid: &str) -> io::Result<(u64, u64)> {
    let meta = fs::metadata(format!("/proc/{pid}/ns/user"))?;
    Ok((meta.dev(), meta.ino()))
}
