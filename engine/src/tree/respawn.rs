//! The processes of a tree come into being: who forks whom and when, so that sessions and process groups are what they
//! were, and those that had ended end again.
//!
//! A session is inherited at birth, so a child that is in the session its parent was in before it led one of its own has to
//! be born before the parent calls setsid(2). Process groups can be joined at any time, but only while one of their
//! members is there: a group whose leader has gone is led by a stand-in for as long as it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use crate::image::model::{Id, TaskState};
use crate::tracee::batch::{Batch, args};
use crate::tracee::stub::{Call, Stub, StubError};

/// Why a tree cannot come back as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impossible {
    /// The process concerned, as it sees itself.
    pub pid: u32,
    /// Why, in words that follow "process PID: ".
    pub why: String,
}

/// The order of births, by places in the list of tasks.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is done, in this order.
    steps: Vec<Step>,
    /// Groups without a leader: the number, and a task of the session that the group belongs to.
    leaderless: Vec<(u32, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The parent of this task forks it.
    Birth(usize),
    /// This task leads a session from here on.
    Setsid(usize),
}

/// A session as far as the tree is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    /// That of whoever restarts; the number that stood for it.
    Outer(Option<u32>),
    /// Led by a process of the tree.
    Led(u32),
}

impl Session {
    /// Whether a process with this session was born into it. The first number that can only be the outer session's
    /// becomes it.
    fn takes(&mut self, sid: u32, leaders: &BTreeSet<u32>) -> bool {
        match self {
            Self::Led(own) | Self::Outer(Some(own)) => *own == sid,
            Self::Outer(outer @ None) => {
                *outer = (!leaders.contains(&sid)).then_some(sid);
                outer.is_some()
            }
        }
    }
}

/// Finds the order in which the processes have to be born.
///
/// # Errors
/// When there is none: a session whose leader has gone, or records that make no tree.
pub fn plan(tasks: &[TaskState]) -> Result<Plan, Impossible> {
    let Some(root) = tasks.first() else { return Ok(Plan::default()) };
    let impossible = |task: &TaskState, why: &str| Impossible { pid: task.task.pid, why: why.to_owned() };
    if root.is_zombie() {
        return Err(impossible(root, "it has ended, so there is nothing to restart"));
    }
    let mut places: BTreeMap<Id, usize> = BTreeMap::new();
    let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let (mut pids, mut owned) = (BTreeSet::new(), BTreeSet::new());
    for (i, task) in tasks.iter().enumerate() {
        let parent = places.get(&task.parent);
        match parent {
            Some(parent) if tasks.get(*parent).is_some_and(|p| !p.is_zombie()) => {
                children.entry(*parent).or_default().push(i);
            }
            None if i == 0 => {}
            _ => return Err(impossible(task, "its parent is not in the image before it")),
        }
        if !pids.insert(task.task.pid) {
            return Err(impossible(task, "another process of the image has the same id"));
        }
        places.insert(task.id, i);
        let parts = [task.task.mm, task.task.files, task.task.fs, task.task.sighand];
        if !task.is_zombie() && !parts.into_iter().all(|part| owned.insert(part)) {
            return Err(impossible(task, "it shares with another process what only threads can share here"));
        }
    }
    let leaders: BTreeSet<u32> = tasks.iter().filter(|t| leads_session(t)).map(|t| t.task.sid).collect();
    let outer = Session::Outer((!leads_session(root)).then_some(root.task.sid));
    let mut births = Births { tasks, children, leaders, steps: Vec::new(), outer };
    births.of(0, outer)?;
    let Births { steps, outer, .. } = births;
    let leaderless = leaderless(tasks, outer)?;
    Ok(Plan { steps, leaderless })
}

fn leads_session(task: &TaskState) -> bool {
    task.task.sid == task.task.pid
}

/// Where the plan is made.
struct Births<'t> {
    tasks: &'t [TaskState],
    children: BTreeMap<usize, Vec<usize>>,
    leaders: BTreeSet<u32>,
    steps: Vec<Step>,
    /// The caller's session, once its number is known.
    outer: Session,
}

impl Births<'_> {
    /// Plans the life of a task that was born into `session`, with all its descendants.
    ///
    /// Recursion would be as deep as the image says, so the work still to be done is a list.
    fn of(&mut self, root: usize, session: Session) -> Result<(), Impossible> {
        let mut waiting = vec![(root, session)];
        while let Some((place, mut born_into)) = waiting.pop() {
            if matches!(born_into, Session::Outer(_)) {
                born_into = self.outer;
            }
            let Some(task) = self.tasks.get(place) else { continue };
            let mut late = Vec::new();
            let own = if leads_session(task) { Session::Led(task.task.sid) } else { born_into };
            for child in self.children.remove(&place).unwrap_or_default() {
                let Some(state) = self.tasks.get(child) else { continue };
                let sid = state.task.sid;
                if leads_session(state) || own == Session::Led(sid) || own == Session::Outer(Some(sid)) {
                    late.push(child);
                } else if own != born_into && born_into.takes(sid, &self.leaders) {
                    if matches!(born_into, Session::Outer(_)) {
                        self.outer = born_into;
                    }
                    self.steps.push(Step::Birth(child));
                    waiting.push((child, born_into));
                } else {
                    let why = format!("it belongs to session {sid}, whose leader has ended");
                    return Err(Impossible { pid: state.task.pid, why });
                }
            }
            if leads_session(task) {
                self.steps.push(Step::Setsid(place));
            }
            for child in late {
                self.steps.push(Step::Birth(child));
                waiting.push((child, own));
            }
        }
        Ok(())
    }
}

/// Groups that have members but no leader in the tree, apart from the one that the root has from whoever restarts.
fn leaderless(tasks: &[TaskState], outer: Session) -> Result<Vec<(u32, usize)>, Impossible> {
    let pids: BTreeSet<u32> = tasks.iter().map(|t| t.task.pid).collect();
    let Some(root) = tasks.first() else { return Ok(Vec::new()) };
    let mut found: Vec<(u32, usize)> = Vec::new();
    for task in tasks {
        let (pgid, sid) = (task.task.pgid, task.task.sid);
        if pids.contains(&pgid) || found.iter().any(|(known, _)| *known == pgid) {
            continue;
        }
        // A group that was there before the tree: the caller's takes its place.
        let is_outer = outer == Session::Outer(Some(sid));
        if is_outer && (pgid == root.task.pgid || leads_session(root)) {
            continue;
        }
        let host = tasks.iter().position(|t| t.task.sid == sid && !t.is_zombie()).ok_or_else(|| {
            let why = format!("nobody is left who could found its process group {pgid} again");
            Impossible { pid: task.task.pid, why }
        })?;
        found.push((pgid, host));
    }
    Ok(found)
}

/// Processes under construction, in the order of the tasks; nothing in the place of those that have ended. Dropping it kills
/// children before their parents, who reap them: not even zombies stay where nobody reaps orphans.
#[derive(Debug)]
pub struct Stubs(Vec<Option<Stub>>);

impl Stubs {
    /// Makes all processes. `root` is the first one, emptied; it and its children fork the others.
    ///
    /// # Errors
    /// `EEXIST` in a [`StubError::Call`] when an id is taken.
    pub fn raise(root: Stub, plan: &Plan, tasks: &[TaskState]) -> Result<Self, StubError> {
        let mut stubs = Self(Vec::new());
        stubs.0.resize_with(tasks.len(), || None);
        if let Some(first) = stubs.0.first_mut() {
            *first = Some(root);
        }
        if tasks.len() > 1 {
            // One who ignores SIGCHLD has no zombies, and whoever called us may do so.
            stubs.at(0)?.reset_signal(libc::SIGCHLD)?;
        }
        let places: BTreeMap<Id, usize> = tasks.iter().enumerate().map(|(i, t)| (t.id, i)).collect();
        for step in &plan.steps {
            match *step {
                Step::Setsid(place) => {
                    stubs.at(place)?.call(Call::new("setsid", libc::SYS_setsid, &[]))?;
                }
                Step::Birth(place) => {
                    let Some(task) = tasks.get(place) else { continue };
                    let parent = places.get(&task.parent).copied().unwrap_or(0);
                    let child = stubs.at(parent)?.fork(task.task.pid, task.task.exit_signal)?;
                    if let Some(slot) = stubs.0.get_mut(place) {
                        *slot = Some(child);
                    }
                }
            }
        }
        stubs.group(plan, tasks)?;
        stubs.bury(tasks, &places)?;
        Ok(stubs)
    }

    fn at(&mut self, place: usize) -> Result<&mut Stub, StubError> {
        let gone = || StubError::Died("it was not there when it was needed".into());
        self.0.get_mut(place).and_then(Option::as_mut).ok_or_else(gone)
    }

    /// Puts everybody into the right process group.
    fn group(&mut self, plan: &Plan, tasks: &[TaskState]) -> Result<(), StubError> {
        let pids: BTreeSet<u32> = tasks.iter().map(|t| t.task.pid).collect();
        let setpgid = |pgid: u32| {
            Call::new(format!("joining process group {pgid}"), libc::SYS_setpgid, &[0, pgid.into()])
        };
        for (place, task) in tasks.iter().enumerate() {
            if task.task.pgid == task.task.pid && !leads_session(task) {
                self.at(place)?.call(setpgid(0))?;
            }
        }
        let mut stand_ins = Vec::new();
        for (pgid, host) in &plan.leaderless {
            let mut stand_in = self.at(*host)?.fork(*pgid, 0)?;
            stand_in.call(setpgid(0))?;
            stand_ins.push((*host, stand_in));
        }
        let led = |pgid| pids.contains(&pgid) || plan.leaderless.iter().any(|(known, _)| *known == pgid);
        for (place, task) in tasks.iter().enumerate() {
            let (pid, pgid) = (task.task.pid, task.task.pgid);
            if pgid != pid && !leads_session(task) && led(pgid) {
                self.at(place)?.call(setpgid(pgid))?;
            }
        }
        for (host, stand_in) in stand_ins {
            let pid = stand_in.own_pid;
            drop(stand_in);
            self.reap(host, pid)?;
        }
        Ok(())
    }

    /// Has a parent wait for a child that is dead, so that the child's number is free.
    fn reap(&mut self, parent: usize, own_pid: u32) -> Result<(), StubError> {
        let args = [own_pid.into(), 0, libc::__WALL as u64, 0];
        self.at(parent)?.call(Call::new("waiting for a stand-in", libc::SYS_wait4, &args)).map(drop)
    }

    /// Those that had ended do so again, in the same way, and their parents do not hear of it: what they had not heard
    /// yet is among their pending signals.
    fn bury(&mut self, tasks: &[TaskState], places: &BTreeMap<Id, usize>) -> Result<(), StubError> {
        let mut bereaved = BTreeSet::new();
        for (place, task) in tasks.iter().enumerate().filter(|(_, task)| task.is_zombie()) {
            if let Some(mut stub) = self.0.get_mut(place).and_then(Option::take) {
                let mut name = Batch::new();
                let comm = name.put(&task.task.comm);
                name.call("naming a process", libc::SYS_prctl, args![libc::PR_SET_NAME, comm, 0, 0, 0]);
                stub.make(&name)?;
                stub.end(task.task.exit_code)?;
            }
            bereaved.extend(places.get(&task.parent).map(|parent| (*parent, task.task.exit_signal)));
        }
        for (parent, signal) in bereaved {
            if (1..=64).contains(&signal) {
                self.at(parent)?.forget_signal(signal)?;
            }
        }
        Ok(())
    }

    /// Those that live, in the order of their tasks.
    pub fn living(&mut self) -> impl Iterator<Item = &mut Stub> {
        self.0.iter_mut().flatten()
    }

    /// The restart has succeeded: the processes stay.
    pub fn keep(mut self) {
        self.0.drain(..).flatten().for_each(Stub::keep);
    }
}

impl Drop for Stubs {
    fn drop(&mut self) {
        while let Some(stub) = self.0.pop() {
            if let Some(mut stub) = stub.filter(|stub| stub.boot() != 0) {
                let args = [u64::MAX, 0, (libc::__WALL | libc::WNOHANG) as u64, 0];
                let reap = Call::new("reaping a child", libc::SYS_wait4, &args);
                while stub.call(reap.clone()).is_ok_and(|pid| pid > 0) {}
            }
        }
    }
}

/// The ids that a tree needs, for its processes, threads and leaderless groups, apart from the root's own.
pub fn ids(plan: &Plan, tasks: &[TaskState]) -> BTreeSet<u32> {
    let threads = tasks.iter().flat_map(|t| &t.threads).map(|t| t.thread.tid);
    let processes = tasks.iter().map(|t| t.task.pid);
    let mut ids: BTreeSet<u32> = threads.chain(processes).collect();
    ids.extend(plan.leaderless.iter().map(|(pgid, _)| *pgid));
    if let Some(root) = tasks.first() {
        ids.remove(&root.task.pid);
    }
    ids
}

/// Which of these ids somebody has here.
pub fn taken(ids: &BTreeSet<u32>) -> Vec<u32> {
    ids.iter().copied().filter(|id| Path::new("/proc").join(id.to_string()).exists()).collect()
}

/// Whether a process could not be made because its id is taken.
pub fn is_taken(error: &StubError) -> bool {
    matches!(error, StubError::Call { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::model::ZOMBIE;

    /// A task whose reference is its pid.
    fn task(pid: u32, parent: u32, sid: u32, pgid: u32) -> TaskState {
        let mut state = TaskState { id: pid, parent, ..TaskState::default() };
        (state.task.pid, state.task.sid, state.task.pgid) = (pid, sid, pgid);
        [state.task.mm, state.task.files, state.task.fs, state.task.sighand] =
            [1, 2, 3, 4].map(|part| pid * 10 + part);
        state
    }

    #[test]
    fn a_child_of_the_session_before_is_born_before_setsid() {
        // The root led a session after its first child was born; the second came later.
        let tasks = [task(10, 0, 10, 10), task(11, 10, 7, 7), task(12, 10, 10, 10), task(13, 11, 7, 7)];
        let plan = plan(&tasks).unwrap();
        let at = |step| plan.steps.iter().position(|s| *s == step).unwrap();
        assert!(at(Step::Birth(1)) < at(Step::Setsid(0)));
        assert!(at(Step::Setsid(0)) < at(Step::Birth(2)));
        assert!(at(Step::Birth(1)) < at(Step::Birth(3)));
        assert_eq!((plan.steps.len(), plan.leaderless.len()), (4, 0));
    }

    #[test]
    fn a_group_whose_leader_has_gone_gets_a_stand_in_of_its_session() {
        let tasks = [task(10, 0, 7, 7), task(11, 10, 7, 5), task(12, 10, 7, 12), task(13, 12, 7, 12)];
        assert_eq!(plan(&tasks).unwrap().leaderless, [(5, 0)]);
        assert_eq!(ids(&plan(&tasks).unwrap(), &tasks), BTreeSet::from([5, 11, 12, 13]));
    }

    #[test]
    fn the_group_and_the_session_of_whoever_restarts_need_no_leader() {
        let tasks = [task(10, 0, 7, 3), task(11, 10, 7, 3), task(12, 10, 12, 12)];
        let plan = plan(&tasks).unwrap();
        assert_eq!(plan.leaderless, []);
        let born = [Step::Birth(1), Step::Birth(2), Step::Setsid(2)];
        assert_eq!(plan.steps, born);
    }

    #[test]
    fn what_cannot_come_back_is_named() {
        let orphaned = [task(10, 0, 7, 7), task(11, 10, 9, 9)];
        assert_eq!(plan(&orphaned).unwrap_err().pid, 11);
        // Two sessions cannot both be the one that the root was born into.
        let two = [task(10, 0, 10, 10), task(11, 10, 7, 7), task(12, 10, 8, 8)];
        assert_eq!(plan(&two).unwrap_err().pid, 12);
        let fatherless = [task(10, 0, 7, 7), task(11, 99, 7, 7)];
        assert!(plan(&fatherless).unwrap_err().why.contains("parent"));
        let twins = [task(10, 0, 7, 7), task(10, 10, 7, 7)];
        assert!(plan(&twins).unwrap_err().why.contains("same id"));
        let mut alike = [task(10, 0, 7, 7), task(11, 10, 7, 7)];
        alike[1].task.mm = alike[0].task.mm;
        assert!(plan(&alike).unwrap_err().why.contains("shares"));
        let mut dead = task(10, 0, 7, 7);
        dead.task.state = ZOMBIE;
        assert!(plan(std::slice::from_ref(&dead)).is_err());
        let of_the_dead = [task(9, 0, 7, 7), TaskState { parent: 9, ..dead }, task(11, 10, 7, 7)];
        assert_eq!(plan(&of_the_dead).unwrap_err().pid, 11);
    }
}
