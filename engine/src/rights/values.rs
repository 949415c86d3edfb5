//! What an image says, judged before anything is built: nothing that the kernel would take for something else, nothing without
//! a bound, and of an image that somebody else could have written nothing that the process could not have set itself.

use nix::unistd::{Gid, Uid, User, getgrouplist};
use stasis_format::record::{Creds, Pipe, Vma};

use super::holders::fs_rights;
use crate::arch;
use crate::image::model::{MmState, TaskState, Tree};
use crate::memory::areas::{ANON, VSYSCALL};

/// Most processes and threads of an image; `kernel.threads-max` of a large machine is not far above.
const MAX_THREADS: usize = 1 << 18;
/// Most areas of an address space: beyond what `vm.max_map_count` is set to by those who need most.
const MAX_AREAS: usize = 1 << 21;
/// Longest vDSO and data of it, in bytes; they have a few pages.
const MAX_VDSO: u64 = 1 << 20;
/// Largest pipe, in bytes: `F_SETPIPE_SZ` takes no more (fs/pipe.c).
const MAX_PIPE: u64 = 1 << 31;

/// `MAP_*` that an area may have: what is captured, and nothing that has an effect of its own (mmap(2)).
const MAP_FLAGS: u32 = (libc::MAP_SHARED
    | libc::MAP_PRIVATE
    | libc::MAP_DROPPABLE
    | libc::MAP_ANONYMOUS
    | libc::MAP_GROWSDOWN
    | libc::MAP_NORESERVE) as u32;

const CAP_SYS_NICE: u64 = 1 << 23;
const CAP_SYS_RESOURCE: u64 = 1 << 24;

/// Says in one sentence what cannot be. `proven`: nobody else can have written the image.
pub fn judge(tree: &Tree, proven: bool) -> Result<(), String> {
    let threads: usize = tree.tasks.iter().map(|task| task.threads.len().max(1)).sum();
    if threads > MAX_THREADS {
        return Err(format!("the image holds {threads} processes and threads, more than {MAX_THREADS}"));
    }
    tree.creds.values().try_for_each(judge_ids)?;
    tree.mms.values().try_for_each(judge_memory)?;
    for (id, pipe) in tree.objects_of::<Pipe>() {
        // Packets stand behind their lengths, so they may be longer here than in the pipe.
        if pipe.capacity > MAX_PIPE || pipe.size / 2 > pipe.capacity {
            return Err(format!("object {id}, a pipe of {} bytes, cannot hold {}", pipe.capacity, pipe.size));
        }
    }
    for task in &tree.tasks {
        judge_task(task)?;
        if !proven {
            judge_rights(tree, task)?;
        }
    }
    Ok(())
}

/// To the kernel the highest id means that an id stays as it is: whoever builds the process would leave it his own.
fn judge_ids(creds: &Creds) -> Result<(), String> {
    let ids =
        [creds.uid, creds.euid, creds.suid, creds.fsuid, creds.gid, creds.egid, creds.sgid, creds.fsgid];
    match ids.iter().chain(&fs_rights(creds).groups).any(|id| *id == u32::MAX) {
        true => Err(format!("the image has a process with the id {}, which is nobody's", u32::MAX)),
        false => Ok(()),
    }
}

fn judge_memory(mm: &MmState) -> Result<(), String> {
    if mm.vmas.len() > MAX_AREAS {
        return Err(format!(
            "the image has an address space of {} areas, more than {MAX_AREAS}",
            mm.vmas.len()
        ));
    }
    if mm.context.vdso_len > MAX_VDSO || mm.context.vvar_len > MAX_VDSO {
        let (vdso, vvar) = (mm.context.vdso_len, mm.context.vvar_len);
        return Err(format!(
            "the image has a vDSO of {vdso:#x} bytes and data of {vvar:#x}, more than {MAX_VDSO:#x}"
        ));
    }
    for (address, len) in
        [mm.context.vdso, mm.context.vvar].into_iter().zip([mm.context.vdso_len, mm.context.vvar_len])
    {
        if address.checked_add(len).is_none_or(|end| end > arch::TASK_SIZE) {
            return Err(format!("the image has a vDSO at {address:#x}, where no memory of a process can be"));
        }
    }
    let mut before = 0;
    for vma in mm.vmas.iter().filter(|vma| vma.kind != VSYSCALL) {
        judge_area(vma, before)?;
        before = vma.end;
    }
    for (address, pages) in &mm.guards {
        let end = pages.checked_mul(4096).and_then(|len| address.checked_add(len));
        if address % 4096 != 0 || end.is_none_or(|end| end > arch::TASK_SIZE) {
            return Err(format!("the image has {pages} guard pages at {address:#x}, where none can be"));
        }
    }
    Ok(())
}

fn judge_area(vma: &Vma, before: u64) -> Result<(), String> {
    let Vma { start, end, offset, prot, flags, .. } = vma;
    let place = format!("the image has an area {start:#x}-{end:#x}");
    if start % 4096 != 0 || end % 4096 != 0 || *end > arch::TASK_SIZE || start >= end {
        return Err(format!("{place}, where none can be"));
    }
    if *start < before {
        return Err(format!("{place} on top of another one or before it"));
    }
    let fits =
        |limit: u64| offset % 4096 == 0 && offset.checked_add(end - start).is_some_and(|end| end <= limit);
    if vma.kind != ANON && !fits(i64::MAX as u64) {
        return Err(format!("{place} of a part of a file, from {offset:#x} on, that no file has"));
    }
    if flags & !MAP_FLAGS != 0 || prot & !7 != 0 {
        return Err(format!("{place} with flags {flags:#x} and access {prot:#x}, which none has"));
    }
    Ok(())
}

fn judge_task(task: &TaskState) -> Result<(), String> {
    let pid = task.task.pid;
    if pid <= 1 || pid > i32::MAX as u32 {
        return Err(format!("the image has a process with the id {pid}, which cannot be given"));
    }
    if !(-1000..=1000).contains(&task.task.oom_score_adj) {
        return Err(format!("process {pid} has the OOM score {}", task.task.oom_score_adj));
    }
    match task.rlimits.iter().find(|limit| limit.resource > 15 || limit.rlim_cur > limit.rlim_max) {
        Some(limit) => {
            Err(format!("process {pid} has a limit that cannot be, of resource {}", limit.resource))
        }
        None => Ok(()),
    }
}

/// Whether the process could have come to what it has from its user's session: with one user, its groups as the host knows
/// them, no capability, and no priority that takes one. Root may have what it likes.
fn judge_rights(tree: &Tree, task: &TaskState) -> Result<(), String> {
    let pid = task.task.pid;
    for thread in task.threads.iter().map(|thread| &thread.thread) {
        let Some(creds) = tree.creds.get(&thread.creds) else { continue };
        let beyond = |what: String| {
            Err(format!(
                "process {pid} of uid {} has {what}, and somebody else could have written that",
                creds.uid
            ))
        };
        let caps = creds.cap_effective | creds.cap_permitted | creds.cap_inheritable | creds.cap_ambient;
        let uids = [creds.uid, creds.euid, creds.suid, creds.fsuid];
        let gids = [creds.gid, creds.egid, creds.sgid, creds.fsgid];
        if uids != [0; 4] {
            if uids.iter().any(|uid| *uid != creds.uid) {
                return beyond(format!("the user ids {uids:?}"));
            }
            if caps != 0 {
                return beyond(format!("capabilities {caps:#x}"));
            }
            let own = groups_of(creds.uid);
            let theirs = fs_rights(creds).groups;
            if let Some(gid) = gids.iter().chain(&theirs).find(|gid| !own.contains(gid)) {
                return beyond(format!("the group {gid}"));
            }
        }
        let policy = thread.sched_policy as i32;
        let is_idle_or_usual = matches!(policy, libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE);
        if (!is_idle_or_usual || thread.nice < 0) && caps & CAP_SYS_NICE == 0 {
            return beyond(format!("the scheduling policy {policy} and nice value {}", thread.nice));
        }
        if task.task.oom_score_adj < 0 && caps & CAP_SYS_RESOURCE == 0 {
            return beyond(format!("the OOM score {}", task.task.oom_score_adj));
        }
    }
    Ok(())
}

/// The groups that a user has when he logs in; of one whom nobody knows, the one with his number.
fn groups_of(uid: u32) -> Vec<u32> {
    let Some(user) = User::from_uid(Uid::from_raw(uid)).ok().flatten() else { return vec![uid] };
    let name = std::ffi::CString::new(user.name).unwrap_or_default();
    let groups = getgrouplist(&name, user.gid).unwrap_or_default();
    groups.into_iter().chain([user.gid]).map(Gid::as_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::model::ThreadState;

    /// What is changed, in words and in deed.
    type Case = (&'static str, fn(&mut Tree));

    /// A tree with one process of nobody's that is in order.
    fn tree() -> Tree {
        let mut tree = Tree::default();
        let ids = 65534;
        let nobody = Creds {
            uid: ids,
            euid: ids,
            suid: ids,
            fsuid: ids,
            gid: ids,
            egid: ids,
            sgid: ids,
            fsgid: ids,
            ..Creds::default()
        };
        tree.creds.insert(1, nobody);
        let vma = Vma { start: 0x1000, end: 0x3000, flags: 0x22, prot: 3, kind: ANON, ..Vma::default() };
        tree.mms.insert(2, MmState { vmas: vec![vma], ..MmState::default() });
        let mut thread = ThreadState::default();
        (thread.thread.tid, thread.thread.creds) = (100, 1);
        let mut task = TaskState { id: 3, threads: vec![thread], ..TaskState::default() };
        (task.task.pid, task.task.mm) = (100, 2);
        tree.tasks.push(task);
        tree
    }

    #[test]
    fn what_the_kernel_would_take_for_something_else_is_refused_of_any_image() {
        assert_eq!(judge(&tree(), true), Ok(()));
        let cases: [Case; 14] = [
            ("uid that means keep", |t| t.creds.get_mut(&1).unwrap().suid = u32::MAX),
            ("group that means keep", |t| t.creds.get_mut(&1).unwrap().groups = vec![0xff; 4]),
            ("pid 1", |t| t.tasks[0].task.pid = 1),
            ("MAP_POPULATE", |t| t.mms.get_mut(&2).unwrap().vmas[0].flags |= libc::MAP_POPULATE as u32),
            ("MAP_FIXED", |t| t.mms.get_mut(&2).unwrap().vmas[0].flags |= libc::MAP_FIXED as u32),
            ("access", |t| t.mms.get_mut(&2).unwrap().vmas[0].prot = 0x0100_0003),
            ("end before start", |t| t.mms.get_mut(&2).unwrap().vmas[0].end = 0),
            ("kernel's half", |t| t.mms.get_mut(&2).unwrap().vmas[0].end = u64::MAX - 4095),
            ("offset", |t| {
                let vma = &mut t.mms.get_mut(&2).unwrap().vmas[0];
                (vma.kind, vma.offset) = (2, u64::MAX - 4095);
            }),
            ("vDSO of 2^63", |t| t.mms.get_mut(&2).unwrap().context.vdso_len = 1 << 63),
            ("vDSO of 2^40", |t| t.mms.get_mut(&2).unwrap().context.vdso_len = 1 << 40),
            ("guards", |t| t.mms.get_mut(&2).unwrap().guards.push((4096, u64::MAX / 4096))),
            ("OOM score", |t| t.tasks[0].task.oom_score_adj = i32::MIN),
            ("pipe", |t| _ = t.add(Pipe { capacity: 4096, size: 1 << 40, inode: 0, flags: 0 })),
        ];
        for (what, change) in cases {
            let mut tree = tree();
            change(&mut tree);
            assert!(judge(&tree, true).is_err(), "{what}");
        }
    }

    #[test]
    fn of_an_image_that_somebody_else_could_have_written_a_user_gets_what_he_could_have() {
        assert_eq!(judge(&tree(), false), Ok(()));
        let cases: [Case; 8] = [
            ("capabilities", |t| t.creds.get_mut(&1).unwrap().cap_permitted = 1),
            ("ambient ones", |t| t.creds.get_mut(&1).unwrap().cap_ambient = 1 << 21),
            ("saved uid", |t| t.creds.get_mut(&1).unwrap().suid = 0),
            ("group", |t| t.creds.get_mut(&1).unwrap().egid = 0),
            ("other group", |t| t.creds.get_mut(&1).unwrap().groups = vec![0; 4]),
            ("real time", |t| t.tasks[0].threads[0].thread.sched_policy = libc::SCHED_FIFO as u32),
            ("nice", |t| t.tasks[0].threads[0].thread.nice = -1),
            ("OOM score", |t| t.tasks[0].task.oom_score_adj = -1000),
        ];
        for (what, change) in cases {
            let mut tree = tree();
            change(&mut tree);
            assert!(judge(&tree, false).is_err(), "{what}");
            assert_eq!(judge(&tree, true), Ok(()), "{what} of an image of our own");
        }
    }
}
