//! Signals: actions, and those pending for the process or one thread, with their siginfo.

use stasis_format::record::{Sigaction, Sigpending};

use super::kind::{Making, TaskKind};
use crate::image::model::{Id, TaskState};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::Status;
use crate::sys::abi::Action;
use crate::sys::ptrace;
use crate::tracee::batch::{Batch, args};
use crate::tracee::stub::Stub;

/// Length of a kernel signal mask.
const SIGSET_LEN: u64 = 8;

/// Signal actions.
#[derive(Debug)]
pub struct Actions;

impl TaskKind for Actions {
    fn capture(&self, c: &mut Capture, task: &mut TaskState) -> Result<(), CaptureError> {
        task.task.sighand = capture_actions(c, c.status)?;
        Ok(())
    }

    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        restore_actions(m.stub, actions(m))
    }
}

/// The action of SIGTRAP, with which series of calls end: by itself, after all of them.
#[derive(Debug)]
pub struct TrapAction;

impl TaskKind for TrapAction {
    fn arm(&self, m: &mut Making) -> Result<(), RestoreError> {
        if let Some(call) = trap_action(actions(m)) {
            m.stub.stepped(m.stub.pid, &call)?;
        }
        Ok(())
    }
}

fn actions<'t>(m: &Making<'t>) -> &'t [Sigaction] {
    m.tree.sighands.get(&m.task.task.sighand).map_or(&[], Vec::as_slice)
}

/// Signals pending for the process.
#[derive(Debug)]
pub struct Pending;

impl TaskKind for Pending {
    fn capture(&self, c: &mut Capture, task: &mut TaskState) -> Result<(), CaptureError> {
        task.pending = capture_pending(c.target.pid, true)?;
        Ok(())
    }

    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        let (pid, own) = (m.stub.pid, m.task.task.pid);
        restore_pending(m.stub, pid, (own, own), &m.task.pending, true)
    }
}

/// Captures the actions that are not the default; returns the object they became.
///
/// Which signals have one is known from /proc; only those are asked for, by calls inside.
fn capture_actions(c: &mut Capture, status: &Status) -> Result<Id, CaptureError> {
    let set = status.sig_ign | status.sig_cgt;
    let mut calls = Batch::new();
    let mut asked = Vec::new();
    for signo in (1..=64u32).filter(|s| set & (1 << (s - 1)) != 0) {
        let action = calls.room::<Action>();
        let args = args![signo, 0, action, SIGSET_LEN];
        asked.push((signo, calls.ask("a signal action", libc::SYS_rt_sigaction, args), action));
    }
    let done = c.target.make(0, &calls)?;
    let mut actions = Vec::new();
    for (signo, call, action) in asked {
        let Action { handler, flags, restorer, mask } = done
            .answer(call, action)
            .map_err(CaptureError::read(format!("the action of signal {signo}"), c.target.pid))?;
        actions.push(Sigaction { signo, pad: 0, handler, flags, restorer, mask });
    }
    let id = c.tree.new_id();
    c.tree.sighands.insert(id, actions);
    Ok(id)
}

/// Reads a queue of pending signals: the thread's own, or the process's.
pub fn capture_pending(tid: i32, shared: bool) -> Result<Vec<Sigpending>, CaptureError> {
    let queue = ptrace::peek_siginfo(tid, shared).map_err(CaptureError::read("pending signals", tid))?;
    Ok(queue
        .into_iter()
        .map(|info| {
            let word = |i: usize| i32::from_ne_bytes(info[i * 4..][..4].try_into().unwrap_or_default());
            Sigpending { signo: word(0) as u32, code: word(2), siginfo: info.to_vec() }
        })
        .collect())
}

/// Installs the actions. SIGTRAP's comes from [`trap_action`], because the series of calls end with that signal.
fn restore_actions(stub: &mut Stub, actions: &[Sigaction]) -> Result<(), RestoreError> {
    let mut calls = Batch::new();
    // Ours were inherited: all to the default first.
    let default = calls.put(&Action::default());
    for signo in (1..=64).filter(|s| ![libc::SIGKILL, libc::SIGSTOP].contains(s)) {
        let args = args![signo, default, 0, SIGSET_LEN];
        calls.call("resetting a signal", libc::SYS_rt_sigaction, args);
    }
    for a in actions.iter().filter(|a| a.signo != libc::SIGTRAP as u32) {
        set_action(&mut calls, a);
    }
    stub.make(&calls)?;
    Ok(())
}

fn set_action(calls: &mut Batch, a: &Sigaction) {
    let at = calls.put(&Action { handler: a.handler, flags: a.flags, restorer: a.restorer, mask: a.mask });
    let what = format!("setting the action of signal {}", a.signo);
    calls.call(what, libc::SYS_rt_sigaction, args![a.signo, at, 0, SIGSET_LEN]);
}

/// The call that sets SIGTRAP's action, to be made by itself after all series.
fn trap_action(actions: &[Sigaction]) -> Option<Batch> {
    let action = actions.iter().find(|a| a.signo == libc::SIGTRAP as u32)?;
    let mut call = Batch::new();
    set_action(&mut call, action);
    Some(call)
}

/// Queues pending signals again. A process may send itself any siginfo, even the kernel's (rt_sigqueueinfo(2)).
pub fn restore_pending(
    stub: &mut Stub,
    tid: i32,
    own: (u32, u32),
    list: &[Sigpending],
    shared: bool,
) -> Result<(), RestoreError> {
    let (pid, own_tid) = own;
    let mut calls = Batch::new();
    for p in list {
        let at = calls.put(p.siginfo.as_slice());
        let what = format!("queueing pending signal {}", p.signo);
        if shared {
            calls.call(what, libc::SYS_rt_sigqueueinfo, args![pid, p.signo, at]);
        } else {
            calls.call(what, libc::SYS_rt_tgsigqueueinfo, args![pid, own_tid, p.signo, at]);
        }
    }
    stub.make_in(tid, &calls)?;
    Ok(())
}
