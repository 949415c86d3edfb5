//! What belongs to a process as a whole: identity, limits, attributes, and the survey of what it must not have.

use std::fs;

use stasis_format::record::{Namespace, RESOURCES, Rlimit, Task};

use super::kind::{Making, TaskKind};
use super::thread;
use crate::image::model::{TaskState, Tree, ZOMBIE};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::{self, Status};
use crate::refusal::{Loss, Survey};
use crate::sys::abi::Rlimit64;
use crate::tracee::batch::{Batch, args};
use crate::tracee::stub::{Call, Stub};
use crate::tree::seize::Zombie;

const PR_GET_CHILD_SUBREAPER: i32 = 37;
const PR_SET_CHILD_SUBREAPER: i32 = 36;
const PR_SET_MDWE: u64 = 65;

/// Names under /proc/PID/ns and their CLONE_NEW* bits.
const NAMESPACES: &[(&str, u32)] = &[
    ("mnt", 0x0002_0000),
    ("cgroup", 0x0200_0000),
    ("uts", 0x0400_0000),
    ("ipc", 0x0800_0000),
    ("user", 0x1000_0000),
    ("pid", 0x2000_0000),
    ("net", 0x4000_0000),
    ("time", 0x80),
];

/// Looks for what cannot be carried over.
pub fn survey(c: &mut Capture, status: &Status) -> Result<(), CaptureError> {
    let pid = c.target.pid;
    if status.seccomp != 0 && !c.leave_out.has_seccomp_of(status) {
        let what = format!("a seccomp filter is in force (mode {})", status.seccomp);
        c.survey.refuse(Loss::Seccomp, pid, what, "start it without the sandbox");
    }
    let program = c.target.proc.stat("exe").map_err(CaptureError::read("the link to the program", pid))?;
    if program.st_mode & 0o111 == 0 {
        let what = "nobody may execute its program any more, and /proc/PID/exe leads only to one that may be (prctl(2))";
        c.survey.refuse(Loss::Attribute, pid, what, "give the file back its permission with chmod +x");
    }
    let label = c.target.proc.read("attr/current").unwrap_or_default();
    let label = label.strip_suffix(b"\0").unwrap_or(&label);
    let label = label.strip_suffix(b"\n").unwrap_or(label);
    if !label.is_empty() && !label.starts_with(b"unconfined") {
        let what = format!("it runs under the security label {}", label.escape_ascii());
        c.survey.lose(Loss::Label, pid, what, "");
    }
    Ok(())
}

/// Captures a process that has ended; its parent is a task of the tree.
pub fn capture_zombie(
    tree: &mut Tree,
    survey: &mut Survey,
    zombie: &Zombie,
) -> Result<TaskState, CaptureError> {
    let pid = zombie.pid;
    let read = |name: &str| zombie.proc.read(name).map_err(CaptureError::read(name, pid));
    let status = procfs::parse_status(&read("status")?).map_err(CaptureError::parse("status", pid))?;
    let stat = procfs::parse_stat(&read("stat")?).map_err(CaptureError::parse("stat", pid))?;
    if stat.exit_code & 0x80 != 0 {
        let what = "it has ended with a core dump, which would be made a second time to say so again";
        survey.lose(Loss::Attribute, pid, what, "let its parent wait for it first");
    }
    let task = Task {
        pid: status.own_tgid(),
        pgid: status.ns_pgid.last().copied().unwrap_or(stat.pgrp as u32),
        sid: status.ns_sid.last().copied().unwrap_or(stat.session as u32),
        state: ZOMBIE,
        exit_code: stat.exit_code as u32,
        exit_signal: stat.exit_signal as u32,
        comm: thread::comm(&stat.comm),
        start_time: stat.starttime,
        ..Task::default()
    };
    Ok(TaskState { id: tree.new_id(), task, ..TaskState::default() })
}

/// Who it is: ids, name, how it was stopped. The objects that it refers to are filled in by their kinds, its parent by the
/// conductor.
#[derive(Debug)]
pub struct Identity;

impl TaskKind for Identity {
    fn capture(&self, c: &mut Capture, task: &mut TaskState) -> Result<(), CaptureError> {
        survey(c, c.status)?;
        let mm = task.task.mm;
        task.task = capture(c, c.status)?;
        (task.task.mm, task.task.ppid) = (mm, c.status.ppid as u32);
        Ok(())
    }
}

/// Limits, namespaces, and what prctl(2) and /proc set for a process as a whole.
#[derive(Debug)]
pub struct Attributes;

impl TaskKind for Attributes {
    fn capture(&self, c: &mut Capture, task: &mut TaskState) -> Result<(), CaptureError> {
        task.rlimits = rlimits(c)?;
        task.namespaces = namespaces(c)?;
        Ok(())
    }

    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        restore_inside(m.stub, &m.task.task, &m.mm.mm)?;
        restore_outside(m.stub.pid, &m.task.task, &m.mm.mm)?;
        restore_rlimits(m.stub, &m.task.rlimits)
    }
}

/// Who may trace it.
#[derive(Debug)]
pub struct Permits;

impl TaskKind for Permits {
    fn arm(&self, m: &mut Making) -> Result<(), RestoreError> {
        if let Some(call) = dumpable(&m.mm.mm) {
            m.stub.call(call)?;
        }
        // The stub let anybody trace it; the process has not.
        let no_tracer = [libc::PR_SET_PTRACER as u64, 0, 0, 0, 0];
        let take_back = Call::new("taking back the tracer's permit", libc::SYS_prctl, &no_tracer);
        m.stub.call(take_back.forgiving(&[libc::EINVAL]))?;
        Ok(())
    }
}

/// Captures the record of the task.
fn capture(c: &mut Capture, status: &Status) -> Result<Task, CaptureError> {
    let pid = c.target.pid;
    let stat = c.stat;
    let comm = c.target.proc.read("comm").map_err(CaptureError::read("the name", pid))?;
    let oom = c.target.proc.read("oom_score_adj").unwrap_or_default();
    let stopped = c.target.threads.iter().find_map(|t| t.stopped_by);
    let mut calls = Batch::new();
    let (mce_kill, subreaper) = (args![libc::PR_MCE_KILL_GET, 0, 0, 0, 0], calls.room::<u32>());
    let mce_kill = calls.ask("the memory failure policy", libc::SYS_prctl, mce_kill);
    let is_subreaper = args![PR_GET_CHILD_SUBREAPER, subreaper, 0, 0, 0];
    let is_subreaper = calls.ask("the subreaper attribute", libc::SYS_prctl, is_subreaper);
    let done = c.target.make(0, &calls)?;
    let task = Task {
        pid: status.own_tgid(),
        pgid: status.ns_pgid.last().copied().unwrap_or(stat.pgrp as u32),
        sid: status.ns_sid.last().copied().unwrap_or(stat.session as u32),
        state: u32::from(stopped.is_some()),
        stop_signal: stopped.unwrap_or(0) as u32,
        exit_code: 0,
        exit_signal: stat.exit_signal as u32,
        comm: thread::comm(&comm),
        child_subreaper: done.filled(is_subreaper, subreaper).unwrap_or(0),
        oom_score_adj: std::str::from_utf8(&oom).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0),
        mce_kill: match done.result(mce_kill) {
            1 => 1,
            0 => 2,
            _ => 0,
        },
        start_time: stat.starttime,
        ..Task::default()
    };
    Ok(task)
}

/// Limits, from the text of /proc: prlimit(2) from outside needs CAP_SYS_RESOURCE if the process has another uid.
fn rlimits(c: &Capture) -> Result<Vec<Rlimit>, CaptureError> {
    let pid = c.target.pid;
    let text = c.target.proc.read("limits").map_err(CaptureError::read("the limits", pid))?;
    let limits = procfs::parse_limits(&text).map_err(CaptureError::parse("limits", pid))?;
    Ok(limits
        .into_iter()
        .map(|(resource, cur, max)| Rlimit { resource, pad: 0, rlim_cur: cur, rlim_max: max })
        .collect())
}

/// Namespaces; the process is refused when it lives in others than the caller, which restart could not give it.
fn namespaces(c: &mut Capture) -> Result<Vec<Namespace>, CaptureError> {
    let pid = c.target.pid;
    let mut list = Vec::new();
    for (name, of) in [("pid_for_children", "pid"), ("time_for_children", "time")] {
        // The link is missing where no child has been there yet.
        let own = c.target.proc.readlink(&format!("ns/{of}"));
        let is_own = |theirs: Vec<u8>| own.as_ref().is_ok_and(|own| *own == theirs);
        if own.is_ok() && !c.target.proc.readlink(&format!("ns/{name}")).is_ok_and(is_own) {
            let what = format!("its children to come will live in another {of} namespace (unshare(2))");
            c.survey.lose(Loss::Namespace, pid, what, "");
        }
    }
    for (name, kind) in NAMESPACES {
        let Ok(theirs) = c.target.proc.readlink(&format!("ns/{name}")) else { continue };
        let ours =
            fs::read_link(format!("/proc/self/ns/{name}")).map(|p| p.into_os_string().into_encoded_bytes());
        let shared = ours.is_ok_and(|o| o == theirs);
        let digits: String = String::from_utf8_lossy(&theirs).chars().filter(char::is_ascii_digit).collect();
        let ino = digits.parse().unwrap_or(0);
        list.push(Namespace { kind: *kind, shared: u32::from(shared), ino });
        let root = c.tree.tasks.first();
        let root = root.and_then(|root| root.namespaces.iter().find(|namespace| namespace.kind == *kind));
        if root.is_some_and(|root| root.ino != ino) {
            let what = format!("it lives in another {name} namespace than the root of its tree");
            c.survey.lose(Loss::Namespace, pid, what, "checkpoint it by itself");
        } else if !shared && !matches!(*name, "pid" | "user") {
            // A process that was restarted into a PID namespace of its own is at home in any.
            let what = format!("it lives in another {name} namespace than stasis");
            c.survey.lose(Loss::Namespace, pid, what, "run stasis inside that namespace (nsenter)");
        }
    }
    Ok(list)
}

/// Raises the limits that stand in the way of building; [`Attributes`] sets the right ones at the end.
pub fn raise_rlimits(stub: &mut Stub) -> Result<(), RestoreError> {
    use nix::sys::resource::{Resource, getrlimit};
    let raised = [
        Resource::RLIMIT_NOFILE,
        Resource::RLIMIT_MEMLOCK,
        Resource::RLIMIT_STACK,
        Resource::RLIMIT_SIGPENDING,
    ];
    let mut calls = Batch::new();
    for resource in raised {
        let Ok((_, hard)) = getrlimit(resource) else { continue };
        let limit = calls.put(&Rlimit64 { cur: hard, max: hard });
        calls.call("raising a limit", libc::SYS_prlimit64, args![0, resource as u32, limit, 0]);
    }
    stub.make(&calls)?;
    Ok(())
}

/// Sets the resource limits. Raising a hard limit needs CAP_SYS_RESOURCE: without it ours is kept and said so.
fn restore_rlimits(stub: &mut Stub, limits: &[Rlimit]) -> Result<(), RestoreError> {
    let mut calls = Batch::new();
    let mut set = Vec::with_capacity(limits.len());
    for limit in limits {
        let at = calls.put(&Rlimit64 { cur: limit.rlim_cur, max: limit.rlim_max });
        let name =
            RESOURCES.iter().find(|(n, _)| *n == u64::from(limit.resource)).map_or("a limit", |(_, n)| n);
        let args = args![0, limit.resource, at, 0];
        let call = calls.forgiving(format!("setting {name}"), libc::SYS_prlimit64, args, &[libc::EPERM]);
        set.push((call, name));
    }
    let done = stub.make(&calls)?;
    for (_, name) in set.into_iter().filter(|(call, _)| done.result(*call) != 0) {
        tracing::warn!("{name} stays as it is here: raising it to what it was needs CAP_SYS_RESOURCE");
    }
    Ok(())
}

/// Sets what the process can only set itself.
fn restore_inside(stub: &mut Stub, task: &Task, mm: &stasis_format::record::Mm) -> Result<(), RestoreError> {
    let prctl = |what: &str, op: u64, value: u64| Call::new(what, libc::SYS_prctl, &[op, value, 0, 0, 0]);
    let mut calls = Vec::new();
    if task.child_subreaper != 0 {
        calls.push(prctl("child subreaper", PR_SET_CHILD_SUBREAPER as u64, 1));
    }
    if task.mce_kill != 0 {
        let policy = if task.mce_kill == 1 { libc::PR_MCE_KILL_EARLY } else { libc::PR_MCE_KILL_LATE };
        let args = [libc::PR_MCE_KILL as u64, libc::PR_MCE_KILL_SET as u64, policy as u64, 0, 0];
        calls.push(Call::new("memory failure policy", libc::SYS_prctl, &args));
    }
    if mm.flags & 1 != 0 {
        calls.push(prctl("huge page switch", libc::PR_SET_THP_DISABLE as u64, 1));
    }
    if mm.flags & 2 != 0 {
        calls.push(prctl("MDWE", PR_SET_MDWE, 1));
    }
    stub.run(&calls)?;
    Ok(())
}

/// Sets what is set through /proc.
fn restore_outside(pid: i32, task: &Task, mm: &stasis_format::record::Mm) -> Result<(), RestoreError> {
    let write = |name: &str, value: String| {
        let path = format!("/proc/{pid}/{name}");
        let current = fs::read_to_string(&path).unwrap_or_default();
        if current.trim() == value.trim_start_matches("0x") {
            return Ok(());
        }
        fs::write(&path, &value).map_err(RestoreError::io(format!("setting {name} to {value}")))
    };
    if let Err(e) = write("oom_score_adj", task.oom_score_adj.to_string()) {
        // Lowering it needs CAP_SYS_RESOURCE.
        tracing::warn!("oom_score_adj stays as it is here: {e}");
    }
    write("coredump_filter", format!("{:#x}", mm.coredump_filter))
}

/// Dumpable is set last: changing credentials resets it, and it governs who may trace the process.
fn dumpable(mm: &stasis_format::record::Mm) -> Option<Call> {
    (mm.dumpable <= 1).then(|| {
        Call::new("dumpable", libc::SYS_prctl, &[libc::PR_SET_DUMPABLE as u64, mm.dumpable.into(), 0, 0, 0])
    })
}
