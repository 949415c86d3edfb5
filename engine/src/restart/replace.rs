//! A running process is replaced by the one in an image: what a restart does when a process asks for it on itself.
//!
//! All that can be judged is judged before the process is touched, so the whole image is read twice: once to see that it is
//! sound, and once to be put into place.

use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use stasis_format::reader::Reader;
use stasis_format::record::{Body, Creds};

use super::source::validated;
use super::{
    Error, Options, check_creds, check_host, creds_of, empty, finish, judge_tree, make_tree, part, plan,
    read_metadata, root_of,
};
use crate::image::model::Tree;
use crate::kinds::RestoreError;
use crate::kinds::fd::kind::Redirects;
use crate::kinds::fd::table::Descriptors;
use crate::kinds::task::{creds, process as task, timers};
use crate::progress::Progress;
use crate::rights::values;
use crate::tracee::exec_replace::{self, Place};
use crate::tracee::handover::Channel;
use crate::tree::respawn::{self, Plan, Stubs};

/// Why a process was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum NotReplaced {
    /// It is as it was.
    #[error(transparent)]
    Unharmed(Error),
    /// It was in the middle of becoming another, and has been ended.
    #[error("the process could not be replaced and has ended: {0}")]
    Lost(Error),
}

/// Replaces a running process by the one in the image, as an execve(2) does: its PID, parent, process group and session
/// stay. Takes not one byte behind the image's TAIL.
///
/// All of the image is read and judged first, so that an error of that kind leaves the process as it was. What fails
/// after the process has begun to be another one ends it, as the kernel does in execve(2).
pub fn into(
    place: &Place,
    image: &mut File,
    opts: &Options,
    progress: &dyn Progress,
) -> Result<(), NotReplaced> {
    let unharmed = NotReplaced::Unharmed;
    progress.step("read");
    let mut image = validated(image, progress).map_err(unharmed)?;
    let mut reader = Reader::new(&mut image);
    let (mut tree, first) = read_metadata(&mut reader).map_err(unharmed)?;

    progress.step("host");
    // What the caller may not have the kernel refuses: we have no more rights than he.
    values::judge(&tree, true).map_err(|why| unharmed(Error::Host(why)))?;
    check_host(&tree).map_err(unharmed)?;
    judge_tree(&tree).map_err(unharmed)?;

    progress.step("open");
    let redirects = Redirects { paths: opts.redirects.clone(), standard: Some(place.standard()) };
    let root = root_of(&tree).map_err(unharmed)?;
    let exe = part(&tree.mms, root.task.mm, "address space").map_err(unharmed)?.mm.exe;
    let left = creds::after_exec(&creds_of(place.pid).map_err(unharmed)?);
    check_creds(&tree, &left).map_err(unharmed)?;
    renumber(&mut tree, place.pid as u32);
    let plan = plan(&tree).map_err(unharmed)?;
    check_ids(&tree, &plan, &left).map_err(unharmed)?;
    let mut descriptors = Descriptors::judge(&tree, redirects, opts.force_files, opts.proven)
        .map_err(|e| unharmed(e.into()))?;
    let highest = descriptors.numbers().last().map_or(0, |highest| *highest as i32);
    if !place.has_room(highest) {
        let why = format!("process {} may not have {highest} open files (ulimit -Hn)", place.pid);
        return Err(unharmed(Error::Host(why)));
    }
    let ours = place
        .channel
        .try_clone()
        .map_err(|e| unharmed(RestoreError::io("duplicating a socket")(e).into()))?;

    progress.step("create");
    if progress.cancelled() {
        return Err(unharmed(Error::Cancelled));
    }
    // Any program would do; with the image's own /proc/PID/exe is right without a privilege.
    let named = PathBuf::from(std::ffi::OsStr::from_bytes(tree.path_of(exe)));
    let named = Some(named).filter(|_| !opts.on_behalf);
    let programs: Vec<PathBuf> = [named, std::env::current_exe().ok()].into_iter().flatten().collect();
    let (mut stub, socket) = place.take(&programs).map_err(|failure| match failure {
        exec_replace::Failure::Unharmed(e) => NotReplaced::Unharmed(e.into()),
        exec_replace::Failure::Lost(e) => NotReplaced::Lost(e.into()),
    })?;
    let rest = || -> Result<(), Error> {
        empty(&mut stub, &tree)?;
        task::raise_rlimits(&mut stub)?;
        timers::disarm(&mut stub)?;
        let mut channel = Channel::of(ours, socket as u32);
        descriptors.used = vec![channel.clear(&mut stub, &descriptors.numbers())?; tree.tasks.len()];
        make_tree(&mut stub, &tree)?;
        let stubs = Stubs::raise(stub, &plan, &tree.tasks)?;
        finish(stubs, &mut reader, first, &tree, (descriptors, channel), &PastReturn(progress))
    };
    rest().map_err(NotReplaced::Lost)
}

/// Progress that can no longer be called off.
struct PastReturn<'a>(&'a dyn Progress);

impl Progress for PastReturn<'_> {
    fn step(&self, name: &'static str) {
        self.0.step(name);
    }

    fn total(&self, bytes: u64) {
        self.0.total(bytes);
    }

    fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }
}

/// Whether a process that is replaced can have the children of the image: it knows them by their ids, which a namespace of
/// its own cannot give it any more.
fn check_ids(tree: &Tree, plan: &Plan, ours: &Creds) -> Result<(), Error> {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    const CAP_CHECKPOINT_RESTORE: u64 = 1 << 40;
    let [root, rest @ ..] = tree.tasks.as_slice() else { return Ok(()) };
    if rest.is_empty() {
        return Ok(());
    }
    if ours.cap_effective & (CAP_SYS_ADMIN | CAP_CHECKPOINT_RESTORE) == 0 {
        return Err(Error::Rights(format!(
            "the image holds {} processes, and to give children their ids takes CAP_CHECKPOINT_RESTORE; run stasis restart, \
             which can make them a namespace",
            tree.tasks.len()
        )));
    }
    let mut ids = respawn::ids(plan, &tree.tasks);
    // Threads of the root itself do with other ids.
    ids.retain(|id| root.threads.iter().all(|thread| thread.thread.tid != *id));
    match respawn::taken(&ids).as_slice() {
        [] => Ok(()),
        taken => Err(Error::Busy(taken.to_vec())),
    }
}

/// Makes the image that of a process with another id, and in another session and group.
fn renumber(tree: &mut Tree, pid: u32) {
    let Some(t) = tree.tasks.first_mut() else { return };
    let old = std::mem::replace(&mut t.task.pid, pid);
    let (led_session, led_group) = (t.task.sid == old, t.task.pgid == old);
    let root = t.id;
    if let Some(leader) = t.threads.first_mut() {
        leader.former_tid = (leader.thread.tid != pid).then_some(leader.thread.tid);
        leader.thread.tid = pid;
    }
    t.posix_timers.iter_mut().filter(|timer| timer.tid == old).for_each(|timer| timer.tid = pid);
    for t in &mut tree.tasks {
        if t.parent == root {
            t.task.ppid = pid;
        }
        // The session and group of whoever is replaced, whatever their numbers.
        if led_session && t.task.sid == old {
            t.task.sid = 0;
        }
        if led_group && t.task.pgid == old {
            t.task.pgid = 0;
        }
    }
    for file in tree.files.values_mut().filter(|file| file.owner == old as i32) {
        file.owner = pid as i32;
    }
    for object in tree.objects.values_mut() {
        if let Body::Pidfd(p) = &mut object.body
            && p.pid == old
        {
            p.pid = pid;
        }
    }
}
