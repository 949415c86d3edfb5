//! A process under construction: system calls made inside of it, one by one or as a series.
//!
//! A stub starts as a fork of the engine, is emptied, and becomes the restored process. It dies with the engine, or
//! when this guard is dropped, so that a failed restart leaves nothing behind.

use std::io;

use crate::arch;
use crate::procfs;
use crate::sys::abi::{Action, CloneArgs, Timespec};
use crate::sys::process;
use crate::sys::ptrace::{self, Regs, Stop};
use crate::tracee::area::{self, Area, Manner, Trouble};
use crate::tracee::batch::{Batch, Done, args};
use crate::tracee::stops::{self, Answer, Missed, OnTheWay, Until, swallow};

pub use crate::tracee::batch::Call;

/// Why a step inside the process under construction failed.
#[derive(Debug, thiserror::Error)]
pub enum StubError {
    /// A system call made inside returned an error.
    #[error("{what} failed in the new process: {source}")]
    Call {
        /// What was attempted.
        what: String,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The stub could not be controlled.
    #[error("the new process cannot be controlled ({what}): {source}")]
    Control {
        /// What was attempted.
        what: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The stub ended.
    #[error("the new process ended while it was being built ({0})")]
    Died(String),
    /// The arguments of a call are longer than anything that a process can have.
    #[error("{what} takes more than the {room} bytes that the new process has for arguments")]
    TooLong {
        /// What was attempted.
        what: String,
        /// How much room there is.
        room: u64,
    },
}

impl StubError {
    fn missed(what: &'static str) -> impl Fn(Missed) -> Self {
        move |missed| match missed {
            Missed::Ended(Stop::Killed(sig)) => Self::Died(format!("killed by signal {sig}")),
            Missed::Ended(Stop::Exited(code)) => Self::Died(format!("exit code {code}")),
            Missed::Signal(sig) => Self::Died(format!("signal {sig} while {what}")),
            Missed::Ended(_) | Missed::Stuck => Self::Died(what.into()),
            Missed::Kernel(source) => Self::Control { what, source },
        }
    }
}

/// Length of the boot area: a page of code, a list of calls, and room for their arguments. The longest argument is a list of
/// 65,536 supplementary groups (NGROUPS_MAX); pages that are not touched cost nothing.
pub const BOOT_LEN: u64 = 1 << 20;
/// Calls in a row.
const CALLS_MAX: usize = 1024;

/// A process under construction.
#[derive(Debug)]
pub struct Stub {
    /// Its process id as we see it.
    pub pid: i32,
    /// Its process id as it sees it itself, in a namespace of its own for instance.
    pub own_pid: u32,
    /// Its threads as we see them, the leader first.
    pub tids: Vec<i32>,
    boot: u64,
    base: Regs,
    armed: bool,
    /// Threads get exactly the ids of the image, or there is none; else whatever they can have.
    pub exact_ids: bool,
}

fn control(what: &'static str) -> impl Fn(io::Error) -> StubError {
    move |source| StubError::Control { what, source }
}

impl Stub {
    fn new(pid: i32, own_pid: u32) -> Self {
        let base = arch::from_record(&Default::default());
        Self { pid, own_pid, tids: vec![pid], boot: 0, base, armed: true, exact_ids: true }
    }

    /// Takes over a process made by [`process::fork_stub`].
    pub fn adopt(pid: i32, own_pid: u32) -> Result<Self, StubError> {
        let mut stub = Self::new(pid, own_pid);
        ptrace::seize(pid, true).map_err(control("seizing"))?;
        ptrace::interrupt(pid).map_err(control("stopping"))?;
        stub.wait_event(pid)?;
        stub.base = ptrace::get_regs(pid).map_err(control("reading registers"))?;
        Ok(stub)
    }

    /// Goes on with a process that is held at the end of an execve(2), before the first instruction of its program.
    pub fn taken(pid: i32) -> Result<Self, StubError> {
        let mut stub = Self::new(pid, pid as u32);
        ptrace::build(pid).map_err(control("taking over"))?;
        ptrace::interrupt(pid).map_err(control("stopping"))?;
        stops::run(pid, Until::Event, &mut swallow).map_err(StubError::missed("stopping"))?;
        stub.base = ptrace::get_regs(pid).map_err(control("reading registers"))?;
        Ok(stub)
    }

    /// Address of the boot area, 0 before [`map_boot`](Self::map_boot).
    pub fn boot(&self) -> u64 {
        self.boot
    }

    fn area(&self) -> Area {
        Area { at: self.boot, len: BOOT_LEN, calls: CALLS_MAX }
    }

    /// Signals that have to stay blocked while the process is built: all but SIGTRAP, which the series end with.
    const BUILD_MASK: u64 = !(1 << (libc::SIGTRAP - 1));

    /// Maps the boot area at `addr`, from a `syscall` instruction that is there already.
    pub fn map_boot(&mut self, insn: u64, addr: u64) -> Result<(), StubError> {
        ptrace::set_sigmask(self.pid, Self::BUILD_MASK).map_err(control("blocking signals"))?;
        let prot = (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC) as u64;
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE) as u64;
        let got = self.single(self.pid, insn, libc::SYS_mmap, [addr, BOOT_LEN, prot, flags, u64::MAX, 0])?;
        if got != addr as i64 {
            return Err(StubError::Call {
                what: format!("mapping the boot area at {addr:#x}"),
                source: io::Error::from_raw_os_error(-got as i32),
            });
        }
        self.boot = addr;
        self.area().prepare(self.pid, &arch::BATCH_CODE).map_err(control("writing memory"))
    }

    /// Makes the rseq area that libc registered before the fork unknown to the kernel: it would kill the process when
    /// that memory goes.
    pub fn forget_rseq(&mut self) -> Result<(), StubError> {
        let conf = ptrace::get_rseq(self.pid).map_err(control("asking for rseq"))?;
        if conf.rseq_abi_pointer == 0 {
            return Ok(());
        }
        const RSEQ_FLAG_UNREGISTER: u64 = 1;
        let args =
            [conf.rseq_abi_pointer, conf.rseq_abi_size.into(), RSEQ_FLAG_UNREGISTER, conf.signature.into()];
        self.call(Call::new("unregistering rseq", libc::SYS_rseq, &args)).map(drop)
    }

    /// Writes into the memory of the process.
    pub fn write(&self, addr: u64, bytes: &[u8]) -> Result<(), StubError> {
        area::write(self.pid, addr, bytes).map_err(control("writing memory"))
    }

    /// Makes a batch of calls in one thread; the first one that fails ends it.
    pub fn make_in(&mut self, tid: i32, batch: &Batch) -> Result<Done, StubError> {
        let mut manner = Manner {
            tid,
            pid: self.pid,
            base: &self.base,
            last: None,
            until: Until::Signal(libc::SIGTRAP),
            ready: &mut || Ok(()),
            meanwhile: &mut swallow,
        };
        let done = self.area().make(&mut manner, batch);
        let done = done.map_err(|trouble| match trouble {
            Trouble::Missed(missed) => StubError::missed("running")(missed),
            Trouble::TooLong(e) => StubError::TooLong { what: e.what, room: e.room },
            Trouble::Io(what, source) => StubError::Control { what, source },
        })?;
        batch.check(&done).map_err(|(what, source)| StubError::Call { what, source })?;
        Ok(done)
    }

    /// The same in the leader.
    pub fn make(&mut self, batch: &Batch) -> Result<Done, StubError> {
        self.make_in(self.pid, batch)
    }

    /// Makes calls without arguments in memory in one thread; the first one that fails ends it.
    pub fn run_in(&mut self, tid: i32, calls: &[Call]) -> Result<Vec<i64>, StubError> {
        self.make_in(tid, &Batch::from(calls)).map(|done| done.results)
    }

    /// The same in the leader.
    pub fn run(&mut self, calls: &[Call]) -> Result<Vec<i64>, StubError> {
        self.run_in(self.pid, calls)
    }

    /// One call in the leader.
    pub fn call(&mut self, call: Call) -> Result<i64, StubError> {
        Ok(self.run(std::slice::from_ref(&call))?.first().copied().unwrap_or(0))
    }

    /// One call through system-call stops, from the `syscall` instruction at `insn`: there is no boot area yet.
    fn single(&mut self, tid: i32, insn: u64, nr: i64, args: [u64; 6]) -> Result<i64, StubError> {
        ptrace::set_regs(tid, &arch::call_regs(&self.base, insn, nr, args))
            .map_err(control("setting registers"))?;
        self.to_syscall_stop(tid)?;
        self.to_syscall_stop(tid)?;
        Ok(arch::result(&ptrace::get_regs(tid).map_err(control("reading registers"))?))
    }

    /// Lets a thread run up to the next entry to or exit from a system call.
    fn to_syscall_stop(&self, tid: i32) -> Result<(), StubError> {
        stops::run(tid, Until::Syscall, &mut swallow).map(drop).map_err(StubError::missed("running"))
    }

    /// Puts the arguments of a single call into memory, and the registers to it that make it from the boot area.
    fn lay_out(&self, tid: i32, batch: &Batch) -> Result<(), StubError> {
        let room = self.area().room();
        let piece = batch.piece(0, &room).map_err(|e| StubError::TooLong { what: e.what, room: e.room })?;
        if !piece.bytes.is_empty() {
            self.write(room.at, &piece.bytes)?;
        }
        let Some(slot) = piece.slots.first() else { return Ok(()) };
        let insn = self.boot + arch::BATCH_SYSCALL;
        let regs = arch::call_regs(&self.base, insn, slot.nr.cast_signed(), slot.args);
        ptrace::set_regs(tid, &regs).map_err(control("setting registers"))
    }

    /// The first call of a batch by itself, through system-call stops: for what ends or changes the way that batches are
    /// made.
    pub fn stepped(&mut self, tid: i32, batch: &Batch) -> Result<i64, StubError> {
        self.lay_out(tid, batch)?;
        self.to_syscall_stop(tid)?;
        self.to_syscall_stop(tid)?;
        let ret = arch::result(&ptrace::get_regs(tid).map_err(control("reading registers"))?);
        batch.check(&Done::of(ret)).map_err(|(what, source)| StubError::Call { what, source })?;
        Ok(ret)
    }

    /// Makes a call in a thread and interrupts it at once, so that the kernel notes how it would go on; returns what it
    /// came to. `time` is what the argument of that number points to.
    pub fn interrupt_in(
        &mut self,
        tid: i32,
        nr: i64,
        mut args: [u64; 6],
        time: Option<(usize, [u8; 16])>,
    ) -> Result<i64, StubError> {
        if let Some((index, bytes)) = time {
            let at = self.area().room().at;
            self.write(at, &bytes)?;
            if let Some(arg) = args.get_mut(index) {
                *arg = at;
            }
        }
        let regs = arch::call_regs(&self.base, self.boot + arch::BATCH_SYSCALL, nr, args);
        ptrace::set_regs(tid, &regs).map_err(control("setting registers"))?;
        self.to_syscall_stop(tid)?;
        ptrace::interrupt(tid).map_err(control("stopping"))?;
        self.to_syscall_stop(tid)?;
        Ok(arch::result(&ptrace::get_regs(tid).map_err(control("reading registers"))?))
    }

    /// Adds a thread with this id (in the process's own namespace), or with another if [`exact_ids`](Self::exact_ids)
    /// is off and this one cannot be had; returns its id as we see it.
    pub fn add_thread(&mut self, tid: u32) -> Result<i32, StubError> {
        match self.clone_thread(Some(tid)) {
            Err(StubError::Call { .. }) if !self.exact_ids => self.clone_thread(None),
            result => result,
        }
    }

    fn clone_thread(&mut self, tid: Option<u32>) -> Result<i32, StubError> {
        let flags = libc::CLONE_VM
            | libc::CLONE_FS
            | libc::CLONE_FILES
            | libc::CLONE_SIGHAND
            | libc::CLONE_THREAD
            | libc::CLONE_SYSVSEM;
        let args = CloneArgs { flags: flags as u64, ..CloneArgs::default() };
        let new = self.clone_by("thread", args, tid)?;
        // Whatever becomes of it, it has to be reaped before the leader can be.
        self.tids.push(new);
        self.wait_event(new)?;
        Ok(new)
    }

    /// Forks a child with this id (in the process's own namespace), which signals its end by `exit_signal`, or by none if
    /// that is 0. It is a copy of the process as it is now, boot area and all.
    pub fn fork(&mut self, own_pid: u32, exit_signal: u32) -> Result<Self, StubError> {
        let args = CloneArgs { exit_signal: exit_signal.into(), ..CloneArgs::default() };
        let pid = self.clone_by("process", args, Some(own_pid))?;
        let mut child = Self::new(pid, own_pid);
        (child.boot, child.base, child.exact_ids) = (self.boot, self.base, self.exact_ids);
        child.wait_event(pid)?;
        Ok(child)
    }

    /// Ends the process in the way that a wait status (wait(2)) tells; it becomes a zombie of its parent.
    pub fn end(mut self, status: u32) -> Result<(), StubError> {
        let (code, signal) = (status >> 8 & 0xff, (status & 0x7f) as i32);
        if signal == 0 {
            let regs = arch::call_regs(
                &self.base,
                self.boot + arch::BATCH_SYSCALL,
                libc::SYS_exit_group,
                [code.into(), 0, 0, 0, 0, 0],
            );
            ptrace::set_regs(self.pid, &regs).map_err(control("setting registers"))?;
        } else {
            // The signal's own action, and no core dump a second time.
            self.reset_signal(signal)?;
            // From here on its memory may be out of our reach.
            let args = [libc::PR_SET_DUMPABLE as u64, 0, 0, 0, 0];
            self.stepped(self.pid, &Call::new("dumpable", libc::SYS_prctl, &args).into())?;
            ptrace::set_sigmask(self.pid, 0).map_err(control("unblocking signals"))?;
            process::tgkill(self.pid, self.pid, signal).map_err(control("ending"))?;
        }
        let mut deliver = |event| match event {
            OnTheWay::Signal(sig) if sig == signal => Answer::Deliver(sig),
            _ => Answer::Deliver(0),
        };
        stops::run(self.pid, Until::End, &mut deliver).map_err(StubError::missed("ending"))?;
        self.armed = false;
        Ok(())
    }

    /// Gives a signal its default action; EINVAL, for those that have no other, is no failure.
    pub fn reset_signal(&mut self, signal: i32) -> Result<(), StubError> {
        let mut batch = Batch::new();
        let default = batch.put(&Action::default());
        let what = format!("resetting signal {signal}");
        batch.forgiving(what, libc::SYS_rt_sigaction, args![signal, default, 0, 8], &[libc::EINVAL]);
        self.make(&batch).map(drop)
    }

    /// Takes a pending signal away, as often as it is there.
    pub fn forget_signal(&mut self, signal: u32) -> Result<(), StubError> {
        let mut batch = Batch::new();
        let set = batch.put(&(1u64 << (signal.clamp(1, 64) - 1)));
        let at_once = batch.put(&Timespec::default());
        let args = args![set, 0, at_once, 8];
        let take = batch.forgiving("taking a signal", libc::SYS_rt_sigtimedwait, args, &[libc::EAGAIN]);
        while self.make(&batch)?.result(take) > 0 {}
        Ok(())
    }

    /// Makes a clone3(2) of these arguments; returns the id of what it made as we see it, which comes to a stop.
    fn clone_by(&mut self, what: &str, mut args: CloneArgs, tid: Option<u32>) -> Result<i32, StubError> {
        let mut batch = Batch::new();
        args.set_tid_size = tid.is_some().into();
        let at = batch.put(&args);
        if let Some(tid) = tid {
            let wanted = batch.put(&tid);
            batch.link(at, std::mem::offset_of!(CloneArgs, set_tid), wanted);
        }
        let what = format!("creating {what} {}", tid.unwrap_or(0));
        batch.call(what.as_str(), libc::SYS_clone3, args![at, size_of::<CloneArgs>()]);
        self.lay_out(self.pid, &batch)?;
        let (pid, mut seen) = (self.pid, None);
        let mut note = |event| {
            if let OnTheWay::Event(libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK) = event {
                seen = ptrace::event_message(pid).ok();
            }
            swallow(event)
        };
        for _ in 0..2 {
            stops::run(pid, Until::Syscall, &mut note).map_err(StubError::missed("cloning"))?;
        }
        let ret = arch::result(&ptrace::get_regs(self.pid).map_err(control("reading registers"))?);
        batch.check(&Done::of(ret)).map_err(|(what, source)| StubError::Call { what, source })?;
        let seen = seen.and_then(|id| i32::try_from(id).ok());
        seen.ok_or_else(|| control("asking for what was made")(io::Error::from_raw_os_error(libc::ESRCH)))
    }

    fn wait_event(&self, tid: i32) -> Result<(), StubError> {
        stops::wait(tid, Until::Event, None, &mut swallow).map(drop).map_err(StubError::missed("stopping"))
    }

    /// Unmaps the boot area from inside and brings every thread to a stop from which final registers take effect.
    ///
    /// The stop at the end of the call comes before the next instruction, which is gone by then; the kernel looks at
    /// the registers for a call to restart only in an event stop.
    pub fn leave_boot(&mut self) -> Result<(), StubError> {
        let call = Call::new("unmapping the boot area", libc::SYS_munmap, &[self.boot, BOOT_LEN]).into();
        for tid in self.tids.clone() {
            if tid == self.pid {
                self.stepped(tid, &call)?;
            }
            ptrace::interrupt(tid).map_err(control("stopping"))?;
            stops::run(tid, Until::Event, &mut swallow).map_err(StubError::missed("stopping"))?;
        }
        Ok(())
    }

    /// Lets the process go: it is complete and runs on its own. It still ends with this guard, until that is told to
    /// [keep](Self::keep) it.
    ///
    /// The first thread that runs may end the process, or make it another program, before the others are let go of: then
    /// they have ended, which is theirs to do.
    pub fn release(&self) -> Result<(), StubError> {
        let mut result = Ok(());
        for tid in self.tids.iter().rev() {
            match ptrace::detach(*tid) {
                Err(e) if e.raw_os_error() == Some(libc::ESRCH) => self.bury(*tid),
                Err(e) => result = Err(control("detaching")(e)),
                Ok(()) => {}
            }
        }
        result
    }

    /// Takes note of the end of a thread that we held, without which the kernel tells nobody of the end of the process. The
    /// status of a process that is a child of ours is kept for whoever waits for that.
    fn bury(&self, tid: i32) {
        let parent = || {
            let text = std::fs::read(format!("/proc/{tid}/status")).ok()?;
            procfs::parse_status(&text).ok().map(|status| status.ppid)
        };
        if tid != self.pid || parent() != Some(std::process::id() as i32) {
            let mut any = |_| Answer::Deliver(0);
            // Not ours (ECHILD): another thread has become this one by an execve(2).
            let _ = stops::wait(tid, Until::End, None, &mut any);
        }
    }

    /// The restart has succeeded: the process stays.
    pub fn keep(mut self) {
        self.armed = false;
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let _ = process::tgkill(self.pid, self.pid, libc::SIGKILL);
        // Reap it, so that not even a zombie stays: the leader last, whose end the kernel tells only when every traced thread
        // has been waited for. Those that were let go of are none of ours any more (ECHILD).
        for tid in self.tids.iter().rev() {
            let mut any = |_| Answer::Deliver(0);
            let _ = stops::wait(*tid, Until::End, None, &mut any);
        }
    }
}
