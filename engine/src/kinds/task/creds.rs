//! Credentials: user and group ids, capabilities, securebits. They belong to threads; most often all have the same.

use stasis_format::record::Creds;

use crate::image::model::{Id, Tree};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::Status;
use crate::refusal::Loss;
use crate::sys::abi::{CapData, CapHeader};
use crate::tracee::batch::{Batch, args};
use crate::tracee::stub::Stub;

/// Highest capability that a 64-bit set could hold; the kernel says EINVAL to those it does not know.
const CAP_LAST: u64 = 63;
const CAP_VERSION_3: u32 = 0x2008_0522;

/// Most supplementary groups that a record takes beside all else; the kernel allows 65,536.
const MAX_GROUPS: usize = (stasis_format::limits::MAX_PAYLOAD - 256) / size_of::<u32>();

/// Reasons to refuse: more groups than an image can hold.
pub fn survey(c: &mut Capture, status: &Status) {
    let count = status.groups.len();
    let what = format!("it has {count} supplementary groups, of which an image holds {MAX_GROUPS}");
    let pid = c.target.pid;
    // Threads mostly have the same ones.
    let is_said = c.survey.reasons.iter().any(|reason| reason.pid == pid && reason.what == what);
    if count > MAX_GROUPS && !is_said {
        c.survey.refuse(Loss::Attribute, pid, what, "give it fewer");
    }
}

/// The credentials of a thread; the same ones are one object.
pub fn capture(tree: &mut Tree, status: &Status, securebits: u32) -> Result<Id, CaptureError> {
    let creds = Creds {
        uid: status.uid[0],
        euid: status.uid[1],
        suid: status.uid[2],
        fsuid: status.uid[3],
        gid: status.gid[0],
        egid: status.gid[1],
        sgid: status.gid[2],
        fsgid: status.gid[3],
        cap_inheritable: status.cap_inh,
        cap_permitted: status.cap_prm,
        cap_effective: status.cap_eff,
        cap_bset: status.cap_bnd,
        cap_ambient: status.cap_amb,
        securebits,
        pad: 0,
        groups: status.groups.iter().flat_map(|g| g.to_le_bytes()).collect(),
    };
    if let Some((id, _)) = tree.creds.iter().find(|(_, c)| **c == creds) {
        return Ok(*id);
    }
    let id = tree.new_id();
    tree.creds.insert(id, creds);
    Ok(id)
}

/// Says in one sentence what the caller could not give itself, and so cannot give a process (capabilities(7)).
pub fn check(want: &Creds, own: &Creds) -> Result<(), String> {
    const CAP_SETGID: u64 = 1 << 6;
    const CAP_SETUID: u64 = 1 << 7;
    let lacks = |cap: u64| own.cap_effective & cap == 0;
    let run_as = "run stasis restart as root";
    let foreign = |want: [u32; 4], own: [u32; 3]| want.into_iter().find(|id| !own.contains(id));
    let uid = foreign([want.uid, want.euid, want.suid, want.fsuid], [own.uid, own.euid, own.suid]);
    if let Some(uid) = uid.filter(|_| lacks(CAP_SETUID)) {
        return Err(format!("the process had uid {uid}, which uid {} cannot give it; {run_as}", own.euid));
    }
    let gid = foreign([want.gid, want.egid, want.sgid, want.fsgid], [own.gid, own.egid, own.sgid]);
    if let Some(gid) = gid.filter(|_| lacks(CAP_SETGID)) {
        return Err(format!("the process had gid {gid}, which uid {} cannot give it; {run_as}", own.euid));
    }
    if want.groups != own.groups && lacks(CAP_SETGID) {
        return Err(format!(
            "the process had other supplementary groups than uid {} has; {run_as}",
            own.euid
        ));
    }
    let more = (want.cap_permitted | want.cap_inheritable) & !own.cap_permitted;
    if more != 0 {
        return Err(format!(
            "the process had capabilities ({more:#x}) that the caller does not have; {run_as}"
        ));
    }
    Ok(())
}

/// What these credentials become at an execve(2) of a program without privileges of its own (capabilities(7)): only root
/// keeps more than the ambient capabilities.
pub fn after_exec(creds: &Creds) -> Creds {
    const SECBIT_NOROOT: u32 = 1;
    let mut after = creds.clone();
    (after.suid, after.sgid, after.fsuid, after.fsgid) = (creds.euid, creds.egid, creds.euid, creds.egid);
    let is_root = (creds.uid == 0 || creds.euid == 0) && creds.securebits & SECBIT_NOROOT == 0;
    after.cap_permitted = if is_root { creds.cap_bset | creds.cap_inheritable } else { creds.cap_ambient };
    after.cap_effective = if is_root && creds.euid != 0 { 0 } else { after.cap_permitted };
    after
}

/// Gives a thread its credentials. `own`: what the engine, and so the new thread, has now; what is equal is not touched,
/// so that no privilege is needed for it.
pub fn restore(stub: &mut Stub, tid: i32, want: &Creds, own: &Creds) -> Result<(), RestoreError> {
    if want == own {
        return Ok(());
    }
    let mut calls = Batch::new();
    if want.groups != own.groups {
        let groups = calls.put(want.groups.as_slice());
        let count = want.groups.len() / size_of::<u32>();
        calls.call("setting the supplementary groups", libc::SYS_setgroups, args![count, groups]);
    }
    let ids = |c: &Creds| ((c.uid, c.euid, c.suid, c.fsuid), (c.gid, c.egid, c.sgid, c.fsgid));
    let changes_ids = ids(want) != ids(own);
    if changes_ids {
        // SECBIT_KEEP_CAPS and NO_SETUID_FIXUP: permitted capabilities must outlive the change of uid for a moment.
        let args = args![libc::PR_SET_SECUREBITS, own.securebits | 4 | 16, 0, 0, 0];
        calls.forgiving("keeping capabilities", libc::SYS_prctl, args, &[libc::EPERM]);
        let gids = args![want.gid, want.egid, want.sgid];
        calls.call("setting the group ids", libc::SYS_setresgid, gids);
        calls.call("setting the file system group id", libc::SYS_setfsgid, args![want.fsgid]);
        calls.call("setting the user ids", libc::SYS_setresuid, args![want.uid, want.euid, want.suid]);
        calls.call("setting the file system user id", libc::SYS_setfsuid, args![want.fsuid]);
    }
    for cap in (0..=CAP_LAST).filter(|c| own.cap_bset & !want.cap_bset & (1 << c) != 0) {
        let what = format!("dropping capability {cap} from the bounding set");
        calls.call(what, libc::SYS_prctl, args![libc::PR_CAPBSET_DROP, cap, 0, 0, 0]);
    }
    if changes_ids || want.securebits != own.securebits {
        let args = args![libc::PR_SET_SECUREBITS, want.securebits, 0, 0, 0];
        let forgive: &[i32] = if want.securebits == own.securebits { &[libc::EPERM] } else { &[] };
        calls.forgiving("setting the securebits", libc::SYS_prctl, args, forgive);
    }
    let header = calls.put(&CapHeader { version: CAP_VERSION_3, pid: 0 });
    let data = calls.put(&[0, 32].map(|shift| CapData {
        effective: (want.cap_effective >> shift) as u32,
        permitted: (want.cap_permitted >> shift) as u32,
        inheritable: (want.cap_inheritable >> shift) as u32,
    }));
    let no_ambient = args![libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0];
    calls.call("clearing ambient capabilities", libc::SYS_prctl, no_ambient);
    calls.call("setting the capabilities", libc::SYS_capset, args![header, data]);
    for cap in (0..=CAP_LAST).filter(|c| want.cap_ambient & (1 << c) != 0) {
        let args = args![libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, cap, 0, 0];
        calls.call(format!("raising ambient capability {cap}"), libc::SYS_prctl, args);
    }
    stub.make_in(tid, &calls)?;
    Ok(())
}
