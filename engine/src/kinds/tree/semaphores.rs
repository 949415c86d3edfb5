//! System V semaphores, sysvipc(7).
//!
//! A process does not hold a set: it is the system's, found by its id, and outlives whoever made it. Part of a tree are the
//! sets that a process of the tree was the last to change. At a restart such a set is mostly still there, and is used if it
//! is as it was; where it is not there it is made again with its key, id and values; where its id or key means something
//! else by now - another set, or the same with other values - the tree gets an IPC namespace with its own.
//!
//! What the kernel would undo when a process ends (SEM_UNDO) it tells nobody, so a process that has such a list is refused.

use std::collections::BTreeSet;
use std::fs::OpenOptions;

use stasis_format::record::{InBody as _, SemSet};

use super::kind::{Capturing, Making, TreeKind};
use crate::image::model::Tree;
use crate::kinds::{CaptureError, RestoreError};
use crate::procfs::{self, SemLine};
use crate::refusal::Loss;
use crate::sys;
use crate::tracee::batch::{Batch, args};

/// The kind.
#[derive(Debug)]
pub struct Semaphores;

impl TreeKind for Semaphores {
    fn capture(&self, c: &mut Capturing) -> Result<(), CaptureError> {
        let living: Vec<i32> = c
            .names
            .iter()
            .filter(|(_, own)| c.tree.tasks.iter().any(|t| t.task.pid == **own && !t.is_zombie()))
            .map(|(pid, _)| *pid)
            .collect();
        let first = living.first().copied().unwrap_or(0);
        let mut sets = Vec::new();
        for line in sets_here().map_err(CaptureError::parse("the list of sets of semaphores", first))? {
            // One that we may not read, or that has just been removed, is none that the processes could use either.
            let last: Option<BTreeSet<i32>> =
                (0..line.nr_sems).map(|index| sys::sem::last(line.id, index).ok()).collect();
            let Some(last) = last.filter(|last| last.iter().any(|pid| c.names.contains_key(pid))) else {
                continue;
            };
            if let Some(other) = last.iter().find(|pid| **pid != 0 && !c.names.contains_key(pid)) {
                let what = format!(
                    "process {other}, which is not in the tree, uses its set of semaphores {}",
                    line.id
                );
                if sys::pidfd::open(*other).is_ok() {
                    c.survey.lose(Loss::Sysv, first, what, "checkpoint a common parent of both");
                    continue;
                }
            }
            let values = sys::sem::values(line.id, line.nr_sems)
                .map_err(CaptureError::read(format!("the set of semaphores {}", line.id), first))?;
            sets.push(record(&line, &values));
        }
        // With its second thread a process gets a list, if an empty one, and keeps it (CLONE_SYSVSEM, clone(2)): so it says
        // something only of those who use a set.
        let with_undo = if sets.is_empty() { Ok(Vec::new()) } else { sys::sem::with_undo(&living) };
        for pid in with_undo.map_err(CaptureError::read("the list of SEM_UNDO", first))? {
            let what =
                "it may have changed semaphores by SEM_UNDO, and what would be undone is not to be seen";
            c.survey.lose(Loss::Sysv, pid, what, "");
        }
        c.tree.parts.extend(sets.into_iter().map(Into::into));
        Ok(())
    }

    fn judge(&self, tree: &Tree) -> Vec<String> {
        let is_wrong = |set: &&SemSet| set.values.len() as u64 != u64::from(set.nr_sems) * 4;
        let complaint = |set: &SemSet| {
            let values = set.values.len() / 4;
            format!("the set of semaphores {} has {} of them, but {values} values", set.semid, set.nr_sems)
        };
        sets_of(tree).filter(is_wrong).map(complaint).collect()
    }

    fn namespaces(&self, tree: &Tree) -> u64 {
        let here = sets_here().unwrap_or_default();
        let may_choose = || OpenOptions::new().write(true).open(procfs::SEM_NEXT_ID).is_ok();
        let outside = sets_of(tree).all(|set| match fate(set, &here) {
            Fate::There => true,
            Fate::Free => may_choose(),
            Fate::Taken => false,
        });
        if outside { 0 } else { libc::CLONE_NEWIPC as u64 }
    }

    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        let own = self.namespaces(m.tree) != 0;
        let here = if own { Vec::new() } else { sets_here().unwrap_or_default() };
        let mut missing = sets_of(m.tree).filter(|set| fate(set, &here) == Fate::Free);
        missing.try_for_each(|set| make(m, set))
    }
}

/// What becomes of a set of the image on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is there as it was.
    There,
    /// It is not there, and nothing is in its place.
    Free,
    /// Its id or its key is something else's, or its values are others.
    Taken,
}

fn fate(set: &SemSet, here: &[SemLine]) -> Fate {
    let same_key = |line: &SemLine| set.key != 0 && line.key as u32 == set.key;
    match here.iter().find(|line| line.id as u32 == set.semid || same_key(line)) {
        None => Fate::Free,
        Some(line) => match sys::sem::values(line.id, line.nr_sems) {
            Ok(values) if record(line, &values) == *set => Fate::There,
            _ => Fate::Taken,
        },
    }
}

fn sets_here() -> Result<Vec<SemLine>, String> {
    match procfs::read_sysvipc("sem") {
        Ok(text) => procfs::parse_sems(&text).map_err(|e| e.to_string()),
        // A kernel without any.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e.to_string()),
    }
}

fn sets_of(tree: &Tree) -> impl Iterator<Item = &SemSet> {
    tree.parts.iter().filter_map(SemSet::of)
}

fn record(line: &SemLine, values: &[u16]) -> SemSet {
    SemSet {
        semid: line.id as u32,
        key: line.key as u32,
        mode: line.mode,
        uid: line.uid,
        gid: line.gid,
        nr_sems: line.nr_sems,
        values: values.iter().flat_map(|value| u32::from(*value).to_le_bytes()).collect(),
    }
}

fn make(m: &mut Making, set: &SemSet) -> Result<(), RestoreError> {
    let what = |doing: &str| format!("{doing} the set of semaphores {}", set.semid);
    let mut open = Batch::new();
    let path = open.string(procfs::SEM_NEXT_ID.as_bytes());
    let opened =
        open.call(what("numbering"), libc::SYS_openat, args![libc::AT_FDCWD, path, libc::O_WRONLY, 0]);
    let fd = m.stub.make(&open)?.result(opened);
    let mut number = Batch::new();
    let text = set.semid.to_string();
    let bytes = number.put(text.as_bytes());
    number.call(what("numbering"), libc::SYS_write, args![fd, bytes, text.len()]);
    number.call(what("numbering"), libc::SYS_close, args![fd]);
    let flags = libc::IPC_CREAT as u32 | libc::IPC_EXCL as u32 | set.mode & 0o777;
    let got = number.call(what("making"), libc::SYS_semget, args![set.key as i32, set.nr_sems, flags]);
    let got = m.stub.make(&number)?.result(got);
    if got != i64::from(set.semid) {
        let mut remove = Batch::new();
        remove.call(what("removing"), libc::SYS_semctl, args![got, 0, libc::IPC_RMID]);
        m.stub.make(&remove)?;
        return Err(RestoreError::Host(format!(
            "the set of semaphores {} of the image would be {got} here",
            set.semid
        )));
    }
    let mut fill = Batch::new();
    let values: Vec<u16> = set.values.chunks_exact(4).map(|v| u16::from_le_bytes([v[0], v[1]])).collect();
    let values = fill.put(values.as_slice());
    fill.call(what("filling"), libc::SYS_semctl, args![got, 0, libc::SETALL, values]);
    // struct semid64_ds, of which IPC_SET takes uid, gid and mode (ipc/util.c).
    let mut status = [0u32; 26];
    (status[1], status[2], status[5]) = (set.uid, set.gid, set.mode);
    let status = fill.put(&status);
    fill.call(what("giving away"), libc::SYS_semctl, args![got, 0, libc::IPC_SET, status]);
    m.stub.make(&fill)?;
    Ok(())
}
