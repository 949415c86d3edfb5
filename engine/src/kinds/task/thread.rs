//! What belongs to one thread: registers, masks, alternate stack, robust list, rseq, scheduling.

use std::io;

use stasis_format::record::{self, InBody as _, Thread};
use zerocopy::IntoBytes;

use super::creds;
use super::kind::{Making, TaskKind};
use super::signals::{capture_pending, restore_pending};
use crate::arch;
use crate::image::model::{TaskState, ThreadState};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs;
use crate::refusal::Loss;
use crate::sys::abi::{SchedAttr, Stack};
use crate::sys::kcmp::{self, Shared};
use crate::sys::ptrace::Regs;
use crate::sys::{process, ptrace, sched, vm};
use crate::tracee::batch::{Arg, Batch, args};
use crate::tracee::stub::{Call, Stub};
use crate::tracee::wait::{PutBack, Wait};

const SS_DISABLE: u32 = 2;
const PR_GET_TID_ADDRESS: i32 = 40;
const PR_TASK_COMM: usize = 16;

/// The threads themselves: that they are there, and their ids.
#[derive(Debug)]
pub struct Threads;

impl TaskKind for Threads {
    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        for i in 1..m.task.threads.len() {
            let Some(old) = m.task.threads.get(i).map(|state| state.thread.tid) else { continue };
            let new = m.stub.add_thread(old)? as u32;
            // Where ids are exact they may still be others to us, who live in another namespace.
            if !m.stub.exact_ids && new != old {
                m.task.renumber_thread(i, new);
            }
        }
        for state in &m.task.threads {
            if let Some(old) = state.former_tid {
                tell_libc(m.stub, &state.thread, old);
            }
        }
        Ok(())
    }
}

/// What each thread has: all but its registers, credentials and pending signals included.
#[derive(Debug)]
pub struct States;

impl TaskKind for States {
    fn capture(&self, c: &mut Capture, task: &mut TaskState) -> Result<(), CaptureError> {
        let mut answered = false;
        for index in 0..c.target.threads.len() {
            let mut thread = capture(c, index)?;
            let tid = c.target.threads.get(index).map(|thread| thread.tid);
            if let Some(answer) = c.answer.filter(|answer| Some(answer.tid) == tid) {
                answered = arch::return_from_call(&mut thread.cpu, answer.value);
            }
            task.threads.push(thread);
        }
        match c.answer.filter(|_| !answered) {
            Some(answer) => Err(CaptureError::NotWaiting { pid: c.target.pid, tid: answer.tid }),
            None => Ok(()),
        }
    }

    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        for (tid, state) in m.stub.tids.clone().into_iter().zip(&m.task.threads) {
            restore(m.stub, tid, &state.thread)?;
            if let Some(want) = m.tree.creds.get(&state.thread.creds) {
                creds::restore(m.stub, tid, want, m.own)?;
            }
            restore_death_signal(m.stub, tid, &state.thread)?;
            let own = (m.task.task.pid, state.thread.tid);
            restore_pending(m.stub, tid, own, &state.pending, false)?;
        }
        Ok(())
    }
}

/// Captures thread number `index` of the target.
fn capture(c: &mut Capture, index: usize) -> Result<ThreadState, CaptureError> {
    let Some(tid) = c.target.threads.get(index).map(|t| t.tid) else {
        return Err(CaptureError::Target(crate::tracee::target::TargetError::Died { pid: c.target.pid }));
    };
    let what = |what: &str| format!("{what} of thread {tid}");
    let task = c.target.proc.task(tid).map_err(CaptureError::read(what("/proc"), tid))?;
    let status = task.read("status").map_err(CaptureError::read(what("the status"), tid))?;
    let status = procfs::parse_status(&status).map_err(CaptureError::parse("status", tid))?;
    let rseq = ptrace::get_rseq(tid).map_err(CaptureError::read(what("the rseq registration"), tid))?;
    survey(c, tid);
    if ptrace::has_syscall_user_dispatch(tid).unwrap_or(false) {
        c.survey.refuse(Loss::Attribute, c.target.pid, "its system calls are dispatched to user space", "");
    }
    let (regs, sigmask, stopped, wait) = match c.target.threads.get(index) {
        Some(t) => (t.regs, t.sigmask, t.stopped_by, t.wait),
        None => {
            return Err(CaptureError::Target(crate::tracee::target::TargetError::Died { pid: c.target.pid }));
        }
    };
    let xstate = ptrace::get_xstate(tid).map_err(CaptureError::read(what("the extended registers"), tid))?;

    let mut thread = Thread {
        tid: status.ns_pid.last().copied().unwrap_or(status.pid as u32),
        state: u32::from(stopped.is_some()),
        comm: comm(&task.read("comm").map_err(CaptureError::read(what("the name"), tid))?),
        sigmask,
        rseq: rseq.rseq_abi_pointer,
        rseq_len: rseq.rseq_abi_size,
        rseq_sig: rseq.signature,
        no_new_privs: u32::from(status.no_new_privs),
        affinity: sched::affinity(tid).map_err(CaptureError::read(what("the CPU affinity"), tid))?,
        ioprio: sched::ioprio(tid).map_err(CaptureError::read(what("the I/O priority"), tid))?,
        personality: personality(&task.read("personality").unwrap_or_default()),
        ..Thread::default()
    };
    (thread.robust_list, thread.robust_list_len) =
        process::get_robust_list(tid).map_err(CaptureError::read(what("the robust list"), tid))?;
    scheduling(&mut thread, tid).map_err(CaptureError::read(what("the scheduling"), tid))?;
    let securebits = inside(c, index, &mut thread)?;
    creds::survey(c, &status);
    thread.creds = creds::capture(c.tree, &status, securebits)?;
    if status.seccomp != 0 {
        // Already refused for the process as a whole, see the task's survey.
        tracing::debug!(tid, "seccomp");
    }
    let id = c.tree.new_id();
    let pending = capture_pending(tid, false)?;
    let wait = wait.map(|wait| record::Wait { remaining: wait.rest, whole: wait.whole }.into());
    let (cpu, parts) = (arch::to_record(&regs, xstate), wait.into_iter().collect());
    Ok(ThreadState { id, thread, cpu, pending, parts, ..ThreadState::default() })
}

/// Looks for what a thread usually shares with its process and can have of its own after an unshare(2).
fn survey(c: &mut Capture, tid: i32) {
    let pid = c.target.pid;
    let parts =
        [(Shared::Descriptors, "table of descriptors"), (Shared::Directories, "current directory and umask")];
    for (part, name) in parts {
        if tid != pid && !kcmp::shared(pid, tid, part).is_ok_and(std::cmp::Ordering::is_eq) {
            c.survey.refuse(Loss::Attribute, pid, format!("its thread {tid} has a {name} of its own"), "");
        }
    }
}

/// comm with its newline taken off, padded with NULs.
pub fn comm(text: &[u8]) -> [u8; PR_TASK_COMM] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let mut comm = [0u8; PR_TASK_COMM];
    for (to, from) in comm.iter_mut().zip(text).take(PR_TASK_COMM - 1) {
        *to = *from;
    }
    comm
}

fn personality(text: &[u8]) -> u32 {
    std::str::from_utf8(text).ok().and_then(|t| u32::from_str_radix(t.trim(), 16).ok()).unwrap_or(0)
}

/// A thread inside a restartable sequence is moved to its abort handler, in the target as in the image: calls of ours
/// would make the kernel forget that it was inside.
pub fn leave_rseq(c: &mut Capture, index: usize) -> Result<(), CaptureError> {
    let pid = c.target.pid;
    let Some(tid) = c.target.threads.get(index).map(|t| t.tid) else { return Ok(()) };
    let area = ptrace::get_rseq(tid)
        .map_err(CaptureError::read("the rseq registration (Linux 5.13)", tid))?
        .rseq_abi_pointer;
    if area == 0 {
        return Ok(());
    }
    let mut word = [0u8; 8];
    // struct rseq: cpu_id_start u32, cpu_id u32, rseq_cs u64 (include/uapi/linux/rseq.h).
    if vm::read_exact_at(pid, area + 8, &mut word).is_err() {
        return Ok(());
    }
    let cs = u64::from_ne_bytes(word);
    if cs == 0 {
        return Ok(());
    }
    // struct rseq_cs: version u32, flags u32, start_ip u64, post_commit_offset u64, abort_ip u64.
    let mut bytes = [0u8; 32];
    if vm::read_exact_at(pid, cs, &mut bytes).is_err() {
        return Ok(());
    }
    let at = |i: usize| u64::from_ne_bytes(bytes[i..][..8].try_into().unwrap_or_default());
    c.target.correct(index, |regs| arch::abort_rseq(regs, at(8), at(16), at(24)));
    Ok(())
}

fn scheduling(t: &mut Thread, tid: i32) -> io::Result<()> {
    let attr = sched::getattr(tid)?;
    t.sched_policy = attr.policy;
    t.sched_flags = attr.flags as u32;
    t.nice = sched::nice(tid)?;
    t.sched_priority = attr.priority;
    (t.sched_runtime, t.sched_deadline, t.sched_period) = (attr.runtime, attr.deadline, attr.period);
    (t.sched_util_min, t.sched_util_max) = (attr.util_min, attr.util_max);
    Ok(())
}

/// What only the thread itself can tell; the last is its securebits.
fn inside(c: &mut Capture, index: usize, t: &mut Thread) -> Result<u32, CaptureError> {
    let mut calls = Batch::new();
    let (stack, tid_address, death) = (calls.room::<Stack>(), calls.room::<u64>(), calls.room::<u32>());
    let asked_stack = calls.ask("the alternate stack", libc::SYS_sigaltstack, args![0, stack]);
    let mut prctl = |what: &str, args: &[Arg]| calls.ask(what, libc::SYS_prctl, args);
    let asked_address = prctl("the tid address", args![PR_GET_TID_ADDRESS, tid_address, 0, 0, 0]);
    let asked_death = prctl("the death signal", args![libc::PR_GET_PDEATHSIG, death, 0, 0, 0]);
    let slack = prctl("the timer slack", args![libc::PR_GET_TIMERSLACK, 0, 0, 0, 0]);
    let securebits = prctl("the securebits", args![libc::PR_GET_SECUREBITS, 0, 0, 0, 0]);
    let done = c.target.make(index, &calls)?;
    // What a kernel does not know it does not fill: that is then zero.
    let stack: Stack = done.filled(asked_stack, stack).unwrap_or_default();
    (t.ss_sp, t.ss_flags, t.ss_size) = (stack.sp, stack.flags, stack.size);
    t.clear_child_tid = done.filled(asked_address, tid_address).unwrap_or(0);
    t.pdeath_signal = done.filled(asked_death, death).unwrap_or(0);
    t.timer_slack = done.result(slack).max(0) as u64;
    Ok(done.result(securebits).max(0) as u32)
}

/// Gives a new thread everything but registers, credentials and pending signals.
fn restore(stub: &mut Stub, tid: i32, t: &Thread) -> Result<(), RestoreError> {
    let mut calls = Batch::new();
    let comm = calls.put(&t.comm);
    calls.call("naming a thread", libc::SYS_prctl, args![libc::PR_SET_NAME, comm, 0, 0, 0]);
    calls.call("set_tid_address", libc::SYS_set_tid_address, args![t.clear_child_tid]);
    calls.call("timer slack", libc::SYS_prctl, args![libc::PR_SET_TIMERSLACK, t.timer_slack, 0, 0, 0]);
    calls.call("personality", libc::SYS_personality, args![t.personality]);
    if t.robust_list != 0 {
        calls.call("robust list", libc::SYS_set_robust_list, args![t.robust_list, t.robust_list_len]);
    }
    // A thread that runs on its alternate stack cannot say so itself; the kernel finds out by the stack pointer.
    let flags = if t.ss_size == 0 { SS_DISABLE } else { t.ss_flags & !1 };
    let stack = calls.put(&Stack { sp: t.ss_sp, flags, pad: 0, size: t.ss_size });
    calls.call("alternate signal stack", libc::SYS_sigaltstack, args![stack, 0]);
    if t.rseq != 0 {
        calls.call("registering rseq", libc::SYS_rseq, args![t.rseq, t.rseq_len, 0, t.rseq_sig]);
    }
    // Processors that this host does not have are no reason to fail; none of them is (EINVAL), and then any will do.
    let mask = calls.put(t.affinity.as_slice());
    let affinity = args![0, t.affinity.len(), mask];
    calls.forgiving("CPU affinity", libc::SYS_sched_setaffinity, affinity, &[libc::EINVAL]);
    calls.forgiving("I/O priority", libc::SYS_ioprio_set, args![1, 0, t.ioprio], &[libc::EPERM]);
    // Policies other than SCHED_OTHER and SCHED_BATCH leave the nice value alone, so it is set by itself.
    calls.call("nice value", libc::SYS_setpriority, args![0, 0, t.nice]);
    let attr = calls.put(&sched_attr(t));
    calls.call("scheduling", libc::SYS_sched_setattr, args![0, attr, 0]);
    if t.no_new_privs != 0 {
        calls.call("no_new_privs", libc::SYS_prctl, args![libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
    }
    stub.make_in(tid, &calls)?;
    Ok(())
}

/// Lets the C library know that a thread has another id than `old`, which it keeps where the kernel clears it at the
/// thread's end (`set_tid_address`; glibc's does, musl keeps it elsewhere).
fn tell_libc(stub: &Stub, t: &Thread, old: u32) {
    let mut word = [0u8; 4];
    if t.clear_child_tid == 0 || vm::read_exact_at(stub.pid, t.clear_child_tid, &mut word).is_err() {
        return;
    }
    if u32::from_ne_bytes(word) == old
        && let Err(error) = stub.write(t.clear_child_tid, t.tid.as_bytes())
    {
        tracing::debug!(tid = t.tid, %error, "the C library keeps an old thread id");
    }
}

/// The signal at the parent's death; every change of credentials takes it away (prctl(2)), so it comes after them.
fn restore_death_signal(stub: &mut Stub, tid: i32, t: &Thread) -> Result<(), RestoreError> {
    let args = [libc::PR_SET_PDEATHSIG as u64, t.pdeath_signal.into(), 0, 0, 0];
    stub.run_in(tid, &[Call::new("death signal", libc::SYS_prctl, &args)])?;
    Ok(())
}

fn sched_attr(t: &Thread) -> SchedAttr {
    // SCHED_FLAG_RESET_ON_FORK, RECLAIM, DL_OVERRUN: what a policy itself can set.
    const SETTABLE: u32 = 0x7;
    // SCHED_FLAG_UTIL_CLAMP_MIN and MAX, when they are not the default.
    let clamp =
        if t.sched_util_min != 0 || (t.sched_util_max != 0 && t.sched_util_max != 1024) { 0x60 } else { 0 };
    SchedAttr {
        size: size_of::<SchedAttr>() as u32,
        policy: t.sched_policy,
        flags: u64::from(t.sched_flags & SETTABLE | clamp),
        nice: t.nice,
        priority: t.sched_priority,
        runtime: t.sched_runtime,
        deadline: t.sched_deadline,
        period: t.sched_period,
        util_min: t.sched_util_min,
        util_max: t.sched_util_max,
    }
}

/// What a thread starts with: its registers, and what it has to give back then.
#[derive(Debug)]
pub struct Start {
    regs: Regs,
    /// What it was lent to go on with a wait.
    pub put_back: Option<PutBack>,
}

/// Finds out what a thread starts with, and has the kernel know how long it still waits if it was taken in a wait.
pub fn resume_wait(stub: &mut Stub, tid: i32, t: &ThreadState) -> Result<Start, RestoreError> {
    let mut regs = arch::from_record(&t.cpu);
    let record = t.parts.iter().find_map(record::Wait::of);
    let wait = Wait::of_image(stub.pid, &regs, record.map(|wait| wait.remaining));
    if let Some(call) = wait.and_then(|wait| wait.kept()) {
        let result = stub.interrupt_in(tid, call.nr, call.args, call.time)?;
        if !arch::is_restart_block(result) {
            // It is over: the time is up, or what it waited for is there.
            arch::end_call(&mut regs, result);
            return Ok(Start { regs, put_back: None });
        }
    } else {
        arch::without_restart_block(&mut regs);
    }
    let put_back = wait.and_then(|wait| wait.go_on(tid, &mut regs));
    Ok(Start { regs, put_back })
}

/// Sets the final registers and mask of a thread that has come to its last stop.
pub fn restore_cpu(tid: i32, t: &ThreadState, start: &Start) -> Result<(), RestoreError> {
    let what = |what: &str| format!("setting the {what} of thread {}", t.thread.tid);
    if !t.cpu.xstate.is_empty() {
        ptrace::set_xstate(tid, &t.cpu.xstate).map_err(|e| match e.raw_os_error() {
            Some(libc::EINVAL) => RestoreError::Host(format!(
                "this processor cannot take the extended registers of thread {} ({} bytes, components {:#x}); restart \
                 it on one of the same kind",
                t.thread.tid,
                t.cpu.xstate.len(),
                t.cpu.xfeatures
            )),
            _ => RestoreError::io(what("extended registers"))(e),
        })?;
    }
    ptrace::set_regs(tid, &start.regs).map_err(RestoreError::io(what("registers")))?;
    ptrace::set_sigmask(tid, t.thread.sigmask).map_err(RestoreError::io(what("signal mask")))
}
