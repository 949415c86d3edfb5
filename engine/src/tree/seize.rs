//! A process and all its descendants, standing still: whom a checkpoint takes.
//!
//! A process that stands still forks nobody, so looking for children ends: parents are stopped before their children
//! are listed, and the list is gone through until nobody new turns up. Stopping the parent first also lets a
//! vfork(2) come to its end, for which the child has to run.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io;

use crate::procfs::{self, Proc, Status};
use crate::sys::kcmp::{self, Shared};
use crate::tracee::target::{Target, TargetError};

/// A tree of processes that are seized. Dropping it lets all of them run on.
#[derive(Debug)]
pub struct Family {
    /// Those that live, parents before their children; the root is the first.
    pub members: Vec<Target>,
    /// Those that have ended and wait for their parents.
    pub zombies: Vec<Zombie>,
    /// The parent of everybody but the root.
    pub parents: BTreeMap<i32, i32>,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Zombie {
    /// Its id.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// What is left of it in /proc.
    pub proc: Proc,
}

/// Two processes that share what fork(2) copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// One of them.
    pub pid: i32,
    /// The other.
    pub other: i32,
    /// What they share.
    pub what: Shared,
}

/// Rounds of looking for new children before giving up.
const MAX_ROUNDS: usize = 100;

impl Family {
    /// Seizes one process alone.
    pub fn of_one(pid: i32) -> Result<Self, TargetError> {
        Ok(Self { members: vec![Target::seize(pid)?], zombies: Vec::new(), parents: BTreeMap::new() })
    }

    /// Seizes a process and its descendants, but for `skip` and theirs. `look` judges each child before it is stopped.
    pub fn seize<E: From<TargetError>>(
        root: i32,
        skip: &[i32],
        mut look: impl FnMut(&Status) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut family = Self::of_one(root)?;
        let own_line = line_of(std::process::id() as i32);
        for _ in 0..MAX_ROUNDS {
            let before = family.members.len();
            let mut unsettled = false;
            family.zombies.clear();
            for i in 0.. {
                let Some(parent) = family.members.get(i) else { break };
                let parent_pid = parent.pid;
                let children = parent.proc.children().map_err(|_| TargetError::Died { pid: parent_pid })?;
                for child in children {
                    if skip.contains(&child) || family.members.iter().any(|m| m.pid == child) {
                        continue;
                    }
                    if own_line.contains(&child) {
                        return Err(TargetError::Ourselves { pid: root, child }.into());
                    }
                    family.parents.insert(child, parent_pid);
                    // One that is gone was waited for: by a parent that has not been stopped yet.
                    let Ok(proc) = Proc::open(child) else { continue };
                    let Some(status) = status(&proc) else { continue };
                    if status.is_zombie() {
                        family.zombies.push(Zombie { pid: child, parent: parent_pid, proc });
                        continue;
                    }
                    look(&status)?;
                    match Target::seize(child) {
                        Ok(target) => family.members.push(target),
                        // It has ended just now; the kernel says EPERM about one that has.
                        Err(TargetError::Gone(_) | TargetError::Died { .. }) => unsettled = true,
                        Err(_) if self::status(&proc).is_none_or(|now| now.is_zombie()) => unsettled = true,
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            if family.members.len() == before && !unsettled {
                return Ok(family);
            }
        }
        Err(TargetError::Busy(root).into())
    }

    /// Ids of all processes: as we see them, and as they see themselves.
    pub fn names(&self) -> BTreeMap<i32, u32> {
        let members = self.members.iter().map(|m| (m.pid, &m.proc));
        let zombies = self.zombies.iter().map(|z| (z.pid, &z.proc));
        let own = |pid: i32, proc: &Proc| status(proc).map_or(pid as u32, |s| s.own_tgid());
        members.chain(zombies).map(|(pid, proc)| (pid, own(pid, proc))).collect()
    }

    /// Processes that share what only threads usually do.
    pub fn sharing(&self) -> io::Result<Vec<Sharing>> {
        let mut found = Vec::new();
        for what in [Shared::Memory, Shared::Descriptors, Shared::Directories, Shared::SignalActions] {
            let mut pids: Vec<i32> = self.members.iter().map(|m| m.pid).collect();
            let mut failure = None;
            pids.sort_by(|a, b| {
                kcmp::shared(*a, *b, what).unwrap_or_else(|error| {
                    failure = Some(error);
                    Ordering::Equal
                })
            });
            if let Some(error) = failure {
                return Err(error);
            }
            for pair in pids.windows(2) {
                if let &[a, b] = pair
                    && kcmp::shared(a, b, what)? == Ordering::Equal
                {
                    found.push(Sharing { pid: a.max(b), other: a.min(b), what });
                }
            }
        }
        Ok(found)
    }

    /// Puts every thread of every process back to where it was found, all still stopped.
    pub fn settle(&mut self) -> Result<(), TargetError> {
        let mut result = Ok(());
        for member in &mut self.members {
            // The others too, whatever became of one.
            result = result.and(member.settle());
        }
        result
    }

    /// Has a thread of the root that is in a system call run on behind it, with this result.
    pub fn return_from_call(&mut self, tid: i32, value: i64) {
        if let Some(root) = self.members.first_mut() {
            root.return_from_call(tid, value);
        }
    }

    /// Lets everybody run on, children before their parents.
    pub fn release(self) {}

    /// Ends everybody, without letting anybody run. Children are ended and reaped before their parents, so that their ids
    /// are free at once and nothing stays where nobody reaps orphans.
    pub fn kill(mut self) -> io::Result<()> {
        let mut result = Ok(());
        let has_children = |pid: &i32, parents: &BTreeMap<i32, i32>| parents.values().any(|p| p == pid);
        while let Some(mut member) = self.members.pop() {
            if has_children(&member.pid, &self.parents) {
                let args = [u64::MAX, 0, (libc::__WALL | libc::WNOHANG) as u64, 0, 0, 0];
                while member.call(0, libc::SYS_wait4, args).is_ok_and(|pid| pid > 0) {}
            }
            let is_root = self.members.is_empty();
            result = result.and(member.kill(!is_root));
        }
        result
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        // Children first: a parent that runs on finds them as they were.
        while self.members.pop().is_some() {}
    }
}

fn status(proc: &Proc) -> Option<Status> {
    procfs::parse_status(&proc.read("status").ok()?).ok()
}

/// A process, its parent, and so on.
fn line_of(pid: i32) -> Vec<i32> {
    let mut line = vec![pid];
    while let Some(parent) = line
        .last()
        .and_then(|pid| status(&Proc::open(*pid).ok()?))
        .map(|s| s.ppid)
        .filter(|parent| *parent > 0 && !line.contains(parent))
    {
        line.push(parent);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn grandchildren_and_the_dead_are_found() {
        // What becomes of the shell in the end never asks for its children.
        let script = "(exit 3) & sh -c 'sleep 1000 & exec cat' </dev/zero & exec cat";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        let has_all = |f: &Family| f.members.len() == 3 && f.zombies.len() == 1;
        let family = loop {
            let family = Family::seize(pid, &[], |_| Ok::<_, TargetError>(())).unwrap();
            if has_all(&family) {
                break family;
            }
            drop(family);
            std::thread::yield_now();
        };
        assert_eq!((family.members[0].pid, family.parents.get(&pid)), (pid, None));
        let [_, child_of_it, grandchild] = family.members.as_slice() else { unreachable!() };
        assert_eq!(family.parents.get(&child_of_it.pid), Some(&pid));
        assert_eq!(family.parents.get(&grandchild.pid), Some(&child_of_it.pid));
        assert_eq!((family.zombies[0].parent, family.sharing().unwrap()), (pid, Vec::new()));
        assert_eq!(family.names().len(), family.members.len() + 1);
        family.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn processes_that_come_and_go_are_not_harmed() {
        const ROUNDS: usize = 200;
        let script = format!(
            "i=0; while [ $i -lt {ROUNDS} ]; do i=$((i+1)); sleep 0 | cat || exit; sleep 0 || exit; echo; done"
        );
        let mut command = Command::new("sh");
        let mut child =
            command.args(["-c", &script]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let pid = child.id() as i32;
        let out = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || std::io::read_to_string(out).unwrap());
        while !reader.is_finished() {
            drop(Family::seize(pid, &[], |_| Ok::<_, TargetError>(())));
        }
        assert_eq!(reader.join().unwrap().len(), ROUNDS);
        // Its end may have been heard of already, by us as its tracer.
        let _ = child.wait();
    }

    #[test]
    fn whoever_looks_is_not_stopped() {
        let parent = nix::unistd::getppid().as_raw();
        let line = line_of(std::process::id() as i32);
        assert_eq!(line[..2], [std::process::id() as i32, parent]);
    }
}
