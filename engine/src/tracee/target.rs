//! A seized process: all of its threads stand still, and whatever happens they run on again.
//!
//! [`Target`] is a guard. Dropping it puts every thread back to where it was found and detaches, so that neither an
//! error nor an early return can leave the process stopped or changed.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::arch;
use crate::procfs::Proc;
use crate::sys::ptrace::{self, Regs, Stop};
use crate::sys::vm;
use crate::tracee::asleep::Look;
use crate::tracee::rescue::{Code, WayBack};
use crate::tracee::wait::{self, PutBack, Wait};

/// Why a process could not be seized.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// No such process.
    #[error("there is no process {0}")]
    Gone(i32),
    /// The kernel says no.
    #[error("process {pid} cannot be stopped: {source}")]
    Seize {
        /// The process or thread.
        pid: i32,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The process ended while it was looked at.
    #[error("process {pid} ended while it was being checkpointed")]
    Died {
        /// The process.
        pid: i32,
    },
    /// A system call made inside of it failed to run.
    #[error("a system call could not be made inside thread {tid}: {source}")]
    Call {
        /// The thread.
        tid: i32,
        /// The kernel's reason.
        source: io::Error,
    },
    /// No `syscall` instruction was found.
    #[error("process {0} has no system call instruction in its vDSO or code to borrow")]
    NoSyscall(i32),
    /// New threads or children kept appearing.
    #[error("process {0} starts threads or children faster than they can be stopped; try again")]
    Busy(i32),
    /// It does not stop.
    #[error(
        "thread {tid} of process {pid} is in a wait that cannot be interrupted, such as a vfork(2) whose child has not \
         started a program yet; try again"
    )]
    Stuck {
        /// The process.
        pid: i32,
        /// The thread.
        tid: i32,
    },
    /// Whoever takes the checkpoint is a descendant of what is to stand still.
    #[error(
        "process {pid} cannot be checkpointed by its own child {child}: run stasis from outside, or leave its children out \
         with --allow children"
    )]
    Ourselves {
        /// The root of the tree.
        pid: i32,
        /// Its descendant.
        child: i32,
    },
}

/// A seized thread.
#[derive(Debug)]
pub struct Thread {
    /// Its id.
    pub tid: i32,
    /// Registers it was found with, as they are to be put back.
    pub regs: Regs,
    /// Mask of blocked signals.
    pub sigmask: u64,
    /// Signal of the job-control stop it was found in.
    pub stopped_by: Option<i32>,
    /// The wait that it was in, if it has an end.
    pub wait: Option<Wait>,
    /// Whether a call of ours has changed its registers and mask.
    dirty: bool,
    /// Whether the registers found were corrected and have to be written back.
    corrected: bool,
    /// Signals that arrived during our calls and cannot be blocked.
    postponed: Vec<i32>,
    gone: bool,
    /// Stack pointer for calls of ours, below which a frame leads back.
    frame: Option<u64>,
}

/// A seized process.
#[derive(Debug)]
pub struct Target {
    /// Process id.
    pub pid: i32,
    /// Its /proc directory.
    pub proc: Proc,
    /// Its threads, the leader first.
    pub threads: Vec<Thread>,
    /// Private memory that it may read and write, where results of calls made inside can be put for a moment.
    pub writable: Vec<(u64, u64)>,
    syscall_insn: u64,
    /// How threads get back by themselves should we be killed while they make our calls.
    way_back: Option<WayBack>,
}

/// How long a thread may take to stop.
const PATIENCE: Duration = Duration::from_secs(3);

/// Rounds of looking for new threads before giving up.
const MAX_ROUNDS: usize = 100;

impl Target {
    /// Seizes and stops all threads of a process.
    pub fn seize(pid: i32) -> Result<Self, TargetError> {
        let proc = Proc::open(pid).map_err(|_| TargetError::Gone(pid))?;
        let mut target =
            Self { pid, proc, threads: Vec::new(), writable: Vec::new(), syscall_insn: 0, way_back: None };
        target.seize_all()?;
        Ok(target)
    }

    /// Seizes and stops one thread alone, the leader for instance; the others run on.
    pub fn seize_one(pid: i32) -> Result<Self, TargetError> {
        let proc = Proc::open(pid).map_err(|_| TargetError::Gone(pid))?;
        let mut target =
            Self { pid, proc, threads: Vec::new(), writable: Vec::new(), syscall_insn: 0, way_back: None };
        let asleep = wait::look(&target.proc, pid);
        ptrace::seize(pid, false)
            .and_then(|()| ptrace::interrupt(pid))
            .map_err(|source| TargetError::Seize { pid, source })?;
        target.adopt(pid, asleep)?;
        if target.threads.iter().any(|t| t.gone) { Err(TargetError::Died { pid }) } else { Ok(target) }
    }

    /// Lets go of a process that is none of the one that was seized any more; whoever calls this goes on with it.
    pub fn forget(mut self) {
        self.way_back = None;
        for thread in &mut self.threads {
            thread.gone = true;
        }
    }

    fn seize_all(&mut self) -> Result<(), TargetError> {
        let (pid, target) = (self.pid, self);
        for _ in 0..MAX_ROUNDS {
            let tids = target.proc.tids().map_err(|_| TargetError::Gone(pid))?;
            let new: Vec<i32> =
                tids.into_iter().filter(|t| target.threads.iter().all(|h| h.tid != *t)).collect();
            if new.is_empty() {
                target.threads.retain(|t| !t.gone);
                return if target.threads.is_empty() { Err(TargetError::Died { pid }) } else { Ok(()) };
            }
            let mut seized = Vec::new();
            for tid in new {
                let asleep = wait::look(&target.proc, tid);
                match ptrace::seize(tid, false).and_then(|()| ptrace::interrupt(tid)) {
                    Ok(()) => seized.push((tid, asleep)),
                    // A thread that has just ended is no obstacle; the leader that cannot be seized is.
                    Err(e) if e.raw_os_error() == Some(libc::ESRCH) && tid != pid => {}
                    Err(e) if e.raw_os_error() == Some(libc::ESRCH) => return Err(TargetError::Gone(pid)),
                    Err(source) => {
                        for (tid, asleep) in seized {
                            target.adopt(tid, asleep)?;
                        }
                        return Err(TargetError::Seize { pid: tid, source });
                    }
                }
            }
            // All of them, so that those who have stopped can be let go of.
            let adopted: Vec<_> = seized.into_iter().map(|(tid, asleep)| target.adopt(tid, asleep)).collect();
            adopted.into_iter().collect::<Result<(), _>>()?;
        }
        Err(TargetError::Busy(pid))
    }

    /// Waits for the stop of a thread that was asked to stop, and notes how it was found. One that has ended is no error.
    /// `asleep` is what could be seen of its sleep before.
    fn adopt(&mut self, tid: i32, asleep: Option<Look>) -> Result<(), TargetError> {
        let mut stuck = false;
        let mut thread = Thread {
            tid,
            // Overwritten below; a thread that is gone has no registers that matter.
            regs: arch::from_record(&Default::default()),
            sigmask: 0,
            stopped_by: None,
            wait: None,
            dirty: false,
            corrected: false,
            postponed: Vec::new(),
            gone: false,
            frame: None,
        };
        match thread.wait_event() {
            Ok(stopped_by) => {
                thread.stopped_by = stopped_by;
                match (ptrace::get_regs(tid), ptrace::get_sigmask(tid)) {
                    (Ok(regs), Ok(mask)) => (thread.regs, thread.sigmask) = (regs, mask),
                    _ => thread.gone = true,
                }
                let found = thread.regs.rax;
                let note = arch::take_note(&mut thread.regs);
                arch::hide_interruption(&mut thread.regs);
                let slept = asleep.and_then(|look| look.slept(Look::at(&self.proc.task(tid).ok()?)?));
                thread.wait = Wait::found(&self.proc, tid, &mut thread.regs, note, slept);
                if thread.regs.rax != found {
                    // At once, so that it holds should we be killed; again when the thread is put back.
                    thread.corrected = true;
                    thread.gone = ptrace::set_regs(tid, &thread.regs).is_err();
                }
            }
            Err(error) => {
                thread.gone = true;
                stuck = matches!(error, TargetError::Stuck { .. });
            }
        }
        self.threads.push(thread);
        if stuck { Err(TargetError::Stuck { pid: self.pid, tid }) } else { Ok(()) }
    }

    /// The leader.
    pub fn leader(&mut self) -> Result<&mut Thread, TargetError> {
        let pid = self.pid;
        self.threads.iter_mut().find(|t| t.tid == pid).ok_or(TargetError::Died { pid })
    }

    /// Finds a `syscall` instruction in the vDSO or, failing that, in other code: `areas` are the executable ones.
    pub fn find_syscall(&mut self, areas: &[(u64, u64)]) -> Result<(), TargetError> {
        const PIECE: usize = 64 << 10;
        let mut buf = vec![0u8; PIECE];
        for &(start, end) in areas {
            let mut at = start;
            while at < end {
                let want = PIECE.min((end - at) as usize);
                let Ok(n) = vm::read(self.pid, &[(at, want as u64)], &mut buf[..want]) else { break };
                if let Some(i) = buf[..n].windows(2).position(|w| w == arch::SYSCALL_INSN) {
                    self.syscall_insn = at + i as u64;
                    return Ok(());
                }
                at += PIECE as u64 - 1;
            }
        }
        Err(TargetError::NoSyscall(self.pid))
    }

    /// Makes a system call inside thread number `index`; the result is the kernel's, negative errno for an error.
    pub fn call(&mut self, index: usize, nr: i64, args: [u64; 6]) -> Result<i64, TargetError> {
        let pid = self.pid;
        let thread = self.threads.get_mut(index).ok_or(TargetError::Died { pid })?;
        if let Some(way_back) = self.way_back.as_ref().filter(|_| thread.frame.is_none()) {
            thread.frame = way_back.frame_of(index, thread)?;
        }
        let insn = match (&self.way_back, thread.frame) {
            (Some(way_back), Some(_)) => way_back.code.syscall,
            _ => self.syscall_insn,
        };
        if insn == 0 {
            return Err(TargetError::NoSyscall(pid));
        }
        thread.call(insn, nr, args)
    }

    /// Gives all threads a way back, should we be killed while they make calls for us. `code` is where it leads over,
    /// `stack` the area `[stack]` of the process.
    ///
    /// The leader's frame lies on its own stack, those of the others in an area that is mapped for them.
    pub fn prepare_way_back(&mut self, code: Code, stack: Option<(u64, u64)>) -> Result<(), TargetError> {
        let Some(leader) = self.threads.first() else { return Ok(()) };
        let way_back = WayBack::on_stack(self.pid, code, leader, stack);
        let others = self.threads.len() > 1 || !way_back.has_stack();
        self.way_back = Some(way_back);
        if others {
            let args = WayBack::area_args(self.threads.len());
            let at = self.call(0, libc::SYS_mmap, args)?;
            match &mut self.way_back {
                Some(way_back) if at > 0 => way_back.area = Some((at as u64, args[1])),
                // No room for it: the leader at least has one.
                _ => {}
            }
        }
        Ok(())
    }

    /// Where results of calls inside may be written without borrowing memory from the process.
    pub fn result_area(&self) -> Option<u64> {
        self.way_back.as_ref().and_then(WayBack::result_area)
    }

    /// Has a thread that is in a system call run on behind it, with this result.
    pub fn return_from_call(&mut self, tid: i32, value: i64) {
        if let Some(thread) = self.threads.iter_mut().find(|t| t.tid == tid) {
            (thread.regs.rax, thread.regs.orig_rax) = (value.cast_unsigned(), u64::MAX);
            thread.corrected = true;
        }
    }

    /// Corrects the registers that thread number `index` will run on with.
    pub fn correct(&mut self, index: usize, change: impl FnOnce(&mut Regs)) {
        if let Some(thread) = self.threads.get_mut(index) {
            let before = thread.regs.rip;
            change(&mut thread.regs);
            thread.corrected |= thread.regs.rip != before;
        }
    }

    /// Puts every thread back to where it was found, all still stopped. No call is made inside from here on, so that
    /// whatever becomes of us, SIGKILL included, the kernel lets an unchanged process run on.
    pub fn settle(&mut self) -> Result<(), TargetError> {
        let mut result = Ok(());
        // The leader last: it removes the area in which the others' ways back lie.
        for thread in self.threads.iter_mut().skip(1) {
            result = result.and(thread.settle());
        }
        let area = self.way_back.as_mut().and_then(|w| w.area.take());
        if let Some((start, len)) = area.filter(|_| self.threads.first().is_some_and(|t| !t.gone)) {
            let unmapped = self.call(0, libc::SYS_munmap, [start, len, 0, 0, 0, 0]);
            result = result.and(unmapped.map(drop));
        }
        if let Some(leader) = self.threads.first_mut() {
            result = result.and(leader.settle());
        }
        if let Some(Err(error)) = self.way_back.take().map(WayBack::clear_stack) {
            // Nothing lives below the stack pointer; it would be in the image, though.
            tracing::debug!(pid = self.pid, %error, "the stack could not be cleared");
        }
        for thread in &mut self.threads {
            thread.frame = None;
        }
        result
    }

    /// Ends the process, which does not run any more; with `wait`, it is its parent's to reap on return.
    pub fn kill(mut self, wait: bool) -> io::Result<()> {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid), nix::sys::signal::Signal::SIGKILL)?;
        // The leader is dead only when the others are.
        for thread in self.threads.iter_mut().rev() {
            thread.gone = true;
            while wait && ptrace::wait(thread.tid).is_ok_and(|(_, stop)| !stop.is_end()) {}
        }
        Ok(())
    }
}

impl Thread {
    /// Waits for the event stop; signals on their way are let through first, their handlers then begin behind the
    /// stop.
    fn wait_event(&mut self) -> Result<Option<i32>, TargetError> {
        loop {
            match ptrace::wait_for(self.tid, PATIENCE) {
                Ok(Some(Stop::Event)) => return Ok(None),
                Ok(Some(Stop::Group(sig))) => return Ok(Some(sig)),
                Ok(Some(Stop::Signal(sig))) => {
                    ptrace::cont(self.tid, sig)
                        .map_err(|source| TargetError::Call { tid: self.tid, source })?;
                }
                Ok(Some(Stop::Exited(_) | Stop::Killed(_))) | Err(_) => {
                    self.gone = true;
                    return Err(TargetError::Died { pid: self.tid });
                }
                // Only a thread that has stopped can be let go of; this one is when we end.
                Ok(None) => {
                    self.gone = true;
                    return Err(TargetError::Stuck { pid: self.tid, tid: self.tid });
                }
                Ok(Some(Stop::Syscall | Stop::Other(_))) => {
                    ptrace::cont(self.tid, 0)
                        .map_err(|source| TargetError::Call { tid: self.tid, source })?;
                }
            }
        }
    }

    fn call(&mut self, insn: u64, nr: i64, args: [u64; 6]) -> Result<i64, TargetError> {
        let tid = self.tid;
        let failed = |source| TargetError::Call { tid, source };
        let mut regs = arch::call_regs(&self.regs, insn, nr, args);
        regs.rsp = self.frame.unwrap_or(regs.rsp);
        ptrace::set_regs(tid, &regs).map_err(failed)?;
        // Only now that the way back, which has the thread's own mask, is there.
        if !self.dirty {
            self.dirty = true;
            ptrace::set_sigmask(tid, !0).map_err(failed)?;
        }
        self.next_syscall_stop()?;
        self.next_syscall_stop()?;
        Ok(arch::result(&ptrace::get_regs(tid).map_err(failed)?))
    }

    fn next_syscall_stop(&mut self) -> Result<(), TargetError> {
        let tid = self.tid;
        loop {
            ptrace::cont_to_syscall(tid, 0).map_err(|source| TargetError::Call { tid, source })?;
            match ptrace::wait(tid) {
                Ok((_, Stop::Syscall)) => return Ok(()),
                // SIGSTOP cannot be blocked: it is sent again when the thread runs on.
                Ok((_, Stop::Signal(sig))) => self.postponed.push(sig),
                Ok((_, Stop::Event | Stop::Group(_) | Stop::Other(_))) => {}
                Ok((_, Stop::Exited(_) | Stop::Killed(_))) | Err(_) => {
                    self.gone = true;
                    return Err(TargetError::Died { pid: tid });
                }
            }
        }
    }

    /// Puts the thread back to where it was found, still stopped.
    ///
    /// After calls of ours it is brought to an event stop first: only from there does the kernel look at the
    /// registers for a call to restart.
    fn settle(&mut self) -> Result<(), TargetError> {
        if self.gone {
            return Ok(());
        }
        let tid = self.tid;
        let failed = |source| TargetError::Call { tid, source };
        if self.dirty {
            ptrace::interrupt(tid).map_err(failed)?;
            ptrace::cont(tid, 0).map_err(failed)?;
            loop {
                match ptrace::wait(tid) {
                    Ok((_, Stop::Event | Stop::Group(_))) => break,
                    Ok((_, Stop::Exited(_) | Stop::Killed(_))) | Err(_) => {
                        return Err(TargetError::Died { pid: tid });
                    }
                    Ok((_, Stop::Signal(sig))) => {
                        self.postponed.push(sig);
                        ptrace::cont(tid, 0).map_err(failed)?;
                    }
                    Ok(_) => ptrace::cont(tid, 0).map_err(failed)?,
                }
            }
        }
        // The registers last: until then the way back holds, which sets both.
        if self.dirty {
            ptrace::set_sigmask(tid, self.sigmask).map_err(failed)?;
        }
        if self.dirty || self.corrected {
            ptrace::set_regs(tid, &self.regs).map_err(failed)?;
        }
        (self.dirty, self.corrected) = (false, false);
        Ok(())
    }

    /// Puts the thread back and lets it run.
    ///
    /// A wait goes on with what is left of it; whoever waits for the end of a stop does not go on yet.
    fn release(&mut self) -> Result<Option<PutBack>, TargetError> {
        self.settle()?;
        let tid = self.tid;
        if self.gone {
            return Ok(None);
        }
        let failed = |source| TargetError::Call { tid, source };
        let mut put_back = None;
        if let Some(wait) = self.wait.take().filter(|_| self.stopped_by.is_none()) {
            let mut regs = self.regs;
            put_back = wait.go_on(tid, &mut regs);
            if regs != self.regs {
                ptrace::set_regs(tid, &regs).map_err(failed)?;
            }
        }
        ptrace::detach(tid).map_err(failed)?;
        Ok(put_back)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Err(error) = self.settle() {
            tracing::debug!(pid = self.pid, %error, "a thread could not be put back");
        }
        let mut again: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        let mut lent = Vec::new();
        for thread in &mut self.threads {
            match thread.release() {
                Ok(put_back) => lent.extend(put_back),
                Err(e) => tracing::debug!(tid = thread.tid, error = %e, "thread could not be released"),
            }
            if !thread.gone {
                again.insert(thread.tid, std::mem::take(&mut thread.postponed));
            }
        }
        for (tid, signals) in again {
            for sig in signals {
                let _ = crate::sys::process::tgkill(self.pid, tid, sig);
            }
        }
        PutBack::all(lent);
    }
}
