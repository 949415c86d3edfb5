//! Signals: actions, and those pending for the process or one thread, with their siginfo.

use stasis_format::record::{Sigaction, Sigpending};

use super::borrow::words;
use crate::image::model::Id;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::Status;
use crate::sys::ptrace;
use crate::tracee::stub::{Call, Stub};

/// Length of the kernel's `struct sigaction` on x86-64: handler, flags, restorer, mask.
const ACTION_LEN: usize = 32;
/// Length of a kernel signal mask.
const SIGSET_LEN: u64 = 8;

/// Captures the actions that are not the default; returns the object they became.
///
/// Which signals have one is known from /proc; only those are asked for, by calls inside.
pub fn capture_actions(c: &mut Capture, status: &Status) -> Result<Id, CaptureError> {
    let set = status.sig_ign | status.sig_cgt;
    let mut actions = Vec::new();
    for signo in (1..=64u32).filter(|s| set & (1 << (s - 1)) != 0) {
        let (ret, bytes) = c.ask::<ACTION_LEN>(0, "a signal action", libc::SYS_rt_sigaction, |place| {
            [signo.into(), 0, place, SIGSET_LEN, 0, 0]
        })?;
        if ret < 0 {
            let error = std::io::Error::from_raw_os_error(-ret as i32);
            return Err(CaptureError::read("a signal action", c.target.pid)(error));
        }
        let [handler, flags, restorer, mask] = words(&bytes);
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
pub fn restore_actions(stub: &mut Stub, actions: &[Sigaction]) -> Result<(), RestoreError> {
    let mut bytes = Vec::new();
    let mut calls = Vec::new();
    // Ours were inherited: all to the default first.
    let zero = stub.put(0, &[0u8; ACTION_LEN])?;
    for signo in (1..=64u64).filter(|s| ![libc::SIGKILL as u64, libc::SIGSTOP as u64].contains(s)) {
        calls.push(Call::new("resetting a signal", libc::SYS_rt_sigaction, &[signo, zero, 0, SIGSET_LEN]));
    }
    for a in actions.iter().filter(|a| a.signo != libc::SIGTRAP as u32) {
        let at = stub.scratch() + 64 + bytes.len() as u64;
        bytes.extend(action_bytes(a));
        let what = format!("setting the action of signal {}", a.signo);
        calls.push(Call::new(what, libc::SYS_rt_sigaction, &[a.signo.into(), at, 0, SIGSET_LEN]));
    }
    stub.put(64, &bytes)?;
    stub.run(&calls)?;
    Ok(())
}

fn action_bytes(a: &Sigaction) -> Vec<u8> {
    [a.handler, a.flags, a.restorer, a.mask].iter().flat_map(|w| w.to_ne_bytes()).collect()
}

/// The call that sets SIGTRAP's action, to be made by itself after all series.
pub fn trap_action(stub: &Stub, actions: &[Sigaction]) -> Result<Option<Call>, RestoreError> {
    let Some(a) = actions.iter().find(|a| a.signo == libc::SIGTRAP as u32) else { return Ok(None) };
    let at = stub.put(0, &action_bytes(a))?;
    let args = [a.signo.into(), at, 0, SIGSET_LEN];
    Ok(Some(Call::new("setting the action of SIGTRAP", libc::SYS_rt_sigaction, &args)))
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
    for p in list {
        let at = stub.put(0, &p.siginfo)?;
        let what = format!("queueing pending signal {}", p.signo);
        let call = if shared {
            Call::new(what, libc::SYS_rt_sigqueueinfo, &[pid.into(), p.signo.into(), at])
        } else {
            Call::new(what, libc::SYS_rt_tgsigqueueinfo, &[pid.into(), own_tid.into(), p.signo.into(), at])
        };
        stub.run_in(tid, &[call])?;
    }
    Ok(())
}
