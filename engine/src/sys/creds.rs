//! Credentials of the calling thread, credentials(7): taken on for a while, or for good.
//!
//! The system calls change one thread; libc's wrappers would change all of them. What files are opened with are the file
//! system ids, the groups and the effective capabilities: these can be taken on without giving anybody else a hold on us, as
//! ptrace(2) and kill(2) go by the other ids.
#![allow(unsafe_code)]

use std::io;

use libc::c_long;

/// What a thread opens files with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsRights {
    /// File system user.
    pub uid: u32,
    /// File system group.
    pub gid: u32,
    /// Supplementary groups, sorted.
    pub groups: Vec<u32>,
    /// Effective capabilities.
    pub effective: u64,
}

/// The three sets of capabilities of a thread, capget(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// In force.
    pub effective: u64,
    /// What may be put into force.
    pub permitted: u64,
    /// Kept by execve(2), together with the program's.
    pub inheritable: u64,
}

fn check(ret: c_long) -> io::Result<c_long> {
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}

/// Nobody: what asks for the id without changing it.
const KEEP: u32 = u32::MAX;

const VERSION_3: u32 = 0x2008_0522;

/// Capabilities of the calling thread.
pub fn caps() -> io::Result<Caps> {
    let header = [VERSION_3, 0];
    let mut data = [0u32; 6];
    // SAFETY: header and data are live, and as long as version 3 of the call wants them.
    check(unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()) })?;
    let [e0, p0, i0, e1, p1, i1] = data.map(u64::from);
    Ok(Caps { effective: e0 | e1 << 32, permitted: p0 | p1 << 32, inheritable: i0 | i1 << 32 })
}

/// Sets the capabilities of the calling thread.
pub fn set_caps(caps: Caps) -> io::Result<()> {
    let header = [VERSION_3, 0];
    let (low, high) = (|set: u64| set as u32, |set: u64| (set >> 32) as u32);
    let Caps { effective: e, permitted: p, inheritable: i } = caps;
    let data = [low(e), low(p), low(i), high(e), high(p), high(i)];
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) }).map(drop)
}

fn groups() -> io::Result<Vec<u32>> {
    // SAFETY: with a length of 0 nothing is written.
    let count = check(unsafe { libc::syscall(libc::SYS_getgroups, 0, std::ptr::null_mut::<u32>()) })?;
    let mut list = vec![0u32; count as usize];
    // SAFETY: the list is as long as is said. Nobody else changes the groups of this thread in between.
    let count = check(unsafe { libc::syscall(libc::SYS_getgroups, list.len(), list.as_mut_ptr()) })?;
    list.truncate(count as usize);
    list.sort_unstable();
    Ok(list)
}

fn set_groups(list: &[u32]) -> io::Result<()> {
    // SAFETY: the list is as long as is said.
    check(unsafe { libc::syscall(libc::SYS_setgroups, list.len(), list.as_ptr()) }).map(drop)
}

/// Sets the file system user; the kernel says who it was, and not whether it worked (setfsuid(2)).
fn set_fs_id(nr: c_long, id: u32) -> io::Result<()> {
    // SAFETY: only numbers are passed, here and below.
    unsafe { libc::syscall(nr, id) };
    if fs_id(nr) == id { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

fn fs_id(nr: c_long) -> u32 {
    // SAFETY: as above.
    unsafe { libc::syscall(nr, KEEP) as u32 }
}

/// What the calling thread opens files with.
pub fn fs_rights() -> io::Result<FsRights> {
    let (uid, gid) = (fs_id(libc::SYS_setfsuid), fs_id(libc::SYS_setfsgid));
    Ok(FsRights { uid, gid, groups: groups()?, effective: caps()?.effective })
}

/// Runs `body` with these rights, and never with more capabilities than the thread has; puts back its own.
///
/// # Errors
/// `EPERM` when the thread may not take them on; `body` has not run then.
pub fn with<T>(rights: &FsRights, body: impl FnOnce() -> T) -> io::Result<T> {
    let own = fs_rights()?;
    let wanted = FsRights { effective: rights.effective & own.effective, ..rights.clone() };
    if wanted == own {
        return Ok(body());
    }
    if rights.uid == KEEP || rights.gid == KEEP {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let back = Back { caps: caps()?, own, dumpable: dumpable() };
    take_on(&wanted, &back.own, back.caps)?;
    let result = body();
    drop(back);
    Ok(result)
}

fn take_on(wanted: &FsRights, own: &FsRights, caps: Caps) -> io::Result<()> {
    if wanted.groups != own.groups {
        set_groups(&wanted.groups)?;
    }
    if wanted.gid != own.gid {
        set_fs_id(libc::SYS_setfsgid, wanted.gid)?;
    }
    if wanted.uid != own.uid {
        set_fs_id(libc::SYS_setfsuid, wanted.uid)?;
    }
    // Last, and whatever the change of user has done to them.
    set_caps(Caps { effective: wanted.effective, ..caps })
}

/// Puts the rights of the thread back.
struct Back {
    own: FsRights,
    caps: Caps,
    dumpable: c_long,
}

impl Drop for Back {
    fn drop(&mut self) {
        let own = &self.own;
        let put_back = || -> io::Result<()> {
            // What is permitted has not changed, and it lets us take everything else back.
            set_caps(self.caps)?;
            take_on(own, &fs_rights()?, self.caps)
        };
        if put_back().is_err() {
            // To go on with somebody else's rights, or with some of both, is worse than to end.
            std::process::abort();
        }
        // The kernel resets it when a file system id changes: a fork of ours has to be as accessible as before.
        // SAFETY: only numbers are passed.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, self.dumpable) };
    }
}

fn dumpable() -> c_long {
    // SAFETY: only numbers are passed.
    c_long::from(unsafe { libc::prctl(libc::PR_GET_DUMPABLE) })
}

/// Who a process becomes for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Real, effective and saved user.
    pub uids: [u32; 3],
    /// Real, effective and saved group.
    pub gids: [u32; 3],
    /// What it opens files with.
    pub fs: FsRights,
    /// Permitted and inheritable capabilities, and those in force.
    pub caps: Caps,
}

/// The credentials of the calling thread.
fn whole() -> io::Result<Whole> {
    let ids = |nr| -> io::Result<[u32; 3]> {
        let mut ids = [0u32; 3];
        let [real, effective, saved] = &mut ids;
        // SAFETY: three live numbers of the kernel's size.
        check(unsafe { libc::syscall(nr, &raw mut *real, &raw mut *effective, &raw mut *saved) })?;
        Ok(ids)
    };
    Ok(Whole {
        uids: ids(libc::SYS_getresuid)?,
        gids: ids(libc::SYS_getresgid)?,
        fs: fs_rights()?,
        caps: caps()?,
    })
}

/// Gives the calling process, which must have one thread, the credentials of another for good: nothing it had beyond them
/// stays within its reach, but for the capabilities `kept` as far as it has them.
pub fn become_whole(who: &Whole, kept: u64) -> io::Result<()> {
    if who.uids.iter().chain(&who.gids).any(|id| *id == KEEP) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let own = caps()?;
    if *who == whole()? {
        return Ok(());
    }
    // What we hold is not for whoever we become, who might trace us then.
    // SAFETY: only numbers are passed.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
    // SECBIT_NO_SETUID_FIXUP: only what is said here changes the capabilities.
    const NO_SETUID_FIXUP: u64 = 1 << 2;
    // SAFETY: only numbers are passed, here and below.
    let bits = unsafe { libc::prctl(libc::PR_GET_SECUREBITS) }.max(0) as u64;
    // Without CAP_SETPCAP this fails; the capabilities are then those that the change leaves, which are no more.
    // SAFETY: as above.
    unsafe { libc::prctl(libc::PR_SET_SECUREBITS, bits | NO_SETUID_FIXUP, 0, 0, 0) };
    if groups()? != who.fs.groups {
        set_groups(&who.fs.groups)?;
    }
    let ids = |nr, [real, effective, saved]: [u32; 3]| {
        // SAFETY: as above.
        check(unsafe { libc::syscall(nr, real, effective, saved) }).map(drop)
    };
    ids(libc::SYS_setresgid, who.gids)?;
    set_fs_id(libc::SYS_setfsgid, who.fs.gid)?;
    ids(libc::SYS_setresuid, who.uids)?;
    set_fs_id(libc::SYS_setfsuid, who.fs.uid)?;
    // SAFETY: as above. It takes CAP_SETPCAP, so it comes before the capabilities.
    unsafe { libc::prctl(libc::PR_SET_SECUREBITS, bits, 0, 0, 0) };
    let now = caps()?;
    let permitted = (who.caps.permitted | kept) & own.permitted & now.permitted;
    set_caps(Caps {
        permitted,
        effective: (who.caps.effective | kept) & permitted,
        inheritable: who.caps.inheritable & now.inheritable,
    })?;
    // SAFETY: as above. The change of ids may have set it to what fs.suid_dumpable says.
    check(c_long::from(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) })).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_taken_on_and_put_back() {
        let own = fs_rights().unwrap();
        let nobody = FsRights { uid: 65534, gid: 65534, groups: vec![65534], effective: 0 };
        let denied = with(&nobody, || {
            (fs_rights().unwrap(), std::fs::File::open("/proc/1/environ").is_err(), dumpable())
        });
        if own.effective & (3 << 6) == 3 << 6 {
            let (there, denied, _) = denied.unwrap();
            assert_eq!(there, nobody);
            assert!(denied);
        } else {
            assert!(denied.is_err());
        }
        assert_eq!(fs_rights().unwrap(), own);
        assert_eq!(dumpable(), 1);
    }

    #[test]
    fn nobody_is_no_user_to_be_taken_on() {
        let nobody = FsRights { uid: KEEP, gid: 0, groups: Vec::new(), effective: 0 };
        assert!(with(&nobody, || ()).is_err());
    }
}
