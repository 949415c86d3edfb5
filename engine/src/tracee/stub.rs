//! A process under construction: system calls made inside of it, one by one or as a series.
//!
//! A stub starts as a fork of the engine, is emptied, and becomes the restored process. It dies with the engine, or
//! when this guard is dropped, so that a failed restart leaves nothing behind.

use std::io;

use crate::arch;
use crate::sys::process::{self, CloneArgs};
use crate::sys::ptrace::{self, Regs, Stop};
use crate::sys::vm;

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
}

/// One system call to be made inside.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it is for, for the error.
    pub what: String,
    /// Number.
    pub nr: i64,
    /// Arguments.
    pub args: [u64; 6],
    /// Errors that do not matter (positive errno), such as EINVAL of an advice that the kernel does not know.
    pub forgive: &'static [i32],
}

impl Call {
    /// A call that must succeed.
    pub fn new(what: impl Into<String>, nr: i64, args: &[u64]) -> Self {
        let mut all = [0u64; 6];
        for (slot, arg) in all.iter_mut().zip(args) {
            *slot = *arg;
        }
        Self { what: what.into(), nr, args: all, forgive: &[] }
    }

    /// The same, but these errors are no failure.
    pub fn forgiving(mut self, errnos: &'static [i32]) -> Self {
        self.forgive = errnos;
        self
    }
}

/// Length of the boot area: a page of code, then scratch for calls and their arguments.
pub const BOOT_LEN: u64 = 256 << 10;
/// Where the arrays of calls start in the boot area; arguments lie behind them.
const CALLS_AT: u64 = 4096;
/// Calls in one series.
const CALLS_MAX: usize = 1024;
const CALL_LEN: u64 = 64;
/// Where arguments start.
const SCRATCH_AT: u64 = CALLS_AT + CALLS_MAX as u64 * CALL_LEN;
/// Room for arguments.
pub const SCRATCH_LEN: u64 = BOOT_LEN - SCRATCH_AT;

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
        ptrace::cont(pid, 0).map_err(control("running"))?;
        stub.wait_event(pid)?;
        stub.base = ptrace::get_regs(pid).map_err(control("reading registers"))?;
        Ok(stub)
    }

    /// Address of the boot area, 0 before [`map_boot`](Self::map_boot).
    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// Address of the scratch space for arguments.
    pub fn scratch(&self) -> u64 {
        self.boot + SCRATCH_AT
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
        self.write(addr, &arch::BATCH_CODE)
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
        match vm::write(self.pid, &[(addr, bytes.len() as u64)], bytes) {
            Ok(n) if n == bytes.len() => Ok(()),
            Ok(_) => Err(control("writing memory")(io::Error::from_raw_os_error(libc::EFAULT))),
            Err(e) => Err(control("writing memory")(e)),
        }
    }

    /// Writes an argument into the scratch space, at this offset, and returns its address.
    pub fn put(&self, offset: u64, bytes: &[u8]) -> Result<u64, StubError> {
        if offset + bytes.len() as u64 > SCRATCH_LEN {
            return Err(control("passing an argument")(io::Error::from_raw_os_error(libc::E2BIG)));
        }
        self.write(self.scratch() + offset, bytes)?;
        Ok(self.scratch() + offset)
    }

    /// Makes a series of calls in one thread; the first one that fails ends it.
    pub fn run_in(&mut self, tid: i32, calls: &[Call]) -> Result<Vec<i64>, StubError> {
        let mut results = Vec::with_capacity(calls.len());
        while results.len() < calls.len() {
            let rest = &calls[results.len()..];
            let rest = &rest[..rest.len().min(CALLS_MAX)];
            let before = results.len();
            self.series(tid, rest, &mut results)?;
            if results.len() == before {
                return Err(StubError::Died("it made no call".into()));
            }
        }
        Ok(results)
    }

    /// The same in the leader.
    pub fn run(&mut self, calls: &[Call]) -> Result<Vec<i64>, StubError> {
        self.run_in(self.pid, calls)
    }

    /// One call in the leader.
    pub fn call(&mut self, call: Call) -> Result<i64, StubError> {
        Ok(self.run(std::slice::from_ref(&call))?.first().copied().unwrap_or(0))
    }

    /// Runs calls until the end or the first error; forgiven errors count as done.
    fn series(&mut self, tid: i32, calls: &[Call], results: &mut Vec<i64>) -> Result<(), StubError> {
        let mut bytes = Vec::with_capacity(calls.len() * CALL_LEN as usize);
        for call in calls {
            bytes.extend_from_slice(&call.nr.to_ne_bytes());
            call.args.iter().for_each(|a| bytes.extend_from_slice(&a.to_ne_bytes()));
            bytes.extend_from_slice(&[0; 8]);
        }
        let at = self.boot + CALLS_AT;
        self.write(at, &bytes)?;
        let regs = arch::batch_regs(&self.base, self.boot, at, calls.len() as u64);
        ptrace::set_regs(tid, &regs).map_err(control("setting registers"))?;
        loop {
            ptrace::cont(tid, 0).map_err(control("running"))?;
            match ptrace::wait(tid).map_err(control("waiting"))?.1 {
                Stop::Signal(libc::SIGTRAP) => break,
                Stop::Signal(sig) => {
                    return Err(StubError::Died(format!("signal {sig} at {}", describe(calls))));
                }
                Stop::Exited(code) => return Err(StubError::Died(format!("exit code {code}"))),
                Stop::Killed(sig) => return Err(StubError::Died(format!("killed by signal {sig}"))),
                Stop::Event | Stop::Group(_) | Stop::Syscall | Stop::Other(_) => {}
            }
        }
        vm::read_exact_at(self.pid, at, &mut bytes).map_err(control("reading results"))?;
        let done = ptrace::get_regs(tid).map_err(control("reading registers"))?;
        let count = ((done.r12.wrapping_sub(at)) / CALL_LEN) as usize;
        for (i, call) in calls.iter().enumerate().take((count + 1).min(calls.len())) {
            let slot = &bytes[i * CALL_LEN as usize + 56..(i + 1) * CALL_LEN as usize];
            let ret = slot.try_into().map_or(0, i64::from_ne_bytes);
            if (-4095..0).contains(&ret) && !call.forgive.contains(&(-ret as i32)) {
                let source = io::Error::from_raw_os_error(-ret as i32);
                return Err(StubError::Call { what: call.what.clone(), source });
            }
            results.push(ret);
        }
        Ok(())
    }

    /// One call through system-call stops, from the `syscall` instruction at `insn`: for what cannot be done from the
    /// boot area, such as mapping and unmapping it.
    fn single(&mut self, tid: i32, insn: u64, nr: i64, args: [u64; 6]) -> Result<i64, StubError> {
        ptrace::set_regs(tid, &arch::call_regs(&self.base, insn, nr, args))
            .map_err(control("setting registers"))?;
        self.to_syscall_stop(tid)?;
        self.to_syscall_stop(tid)?;
        Ok(arch::result(&ptrace::get_regs(tid).map_err(control("reading registers"))?))
    }

    /// Lets a thread run up to the next entry to or exit from a system call.
    fn to_syscall_stop(&self, tid: i32) -> Result<(), StubError> {
        loop {
            ptrace::cont_to_syscall(tid).map_err(control("running"))?;
            match ptrace::wait(tid).map_err(control("waiting"))?.1 {
                Stop::Syscall => return Ok(()),
                Stop::Event | Stop::Group(_) | Stop::Other(_) | Stop::Signal(_) => {}
                Stop::Exited(code) => return Err(StubError::Died(format!("exit code {code}"))),
                Stop::Killed(sig) => return Err(StubError::Died(format!("killed by signal {sig}"))),
            }
        }
    }

    /// The same from the boot area's own instruction.
    pub fn stepped(&mut self, tid: i32, call: &Call) -> Result<i64, StubError> {
        let ret = self.single(tid, self.boot + arch::BATCH_SYSCALL, call.nr, call.args)?;
        if (-4095..0).contains(&ret) && !call.forgive.contains(&(-ret as i32)) {
            let source = io::Error::from_raw_os_error(-ret as i32);
            return Err(StubError::Call { what: call.what.clone(), source });
        }
        Ok(ret)
    }

    /// Makes a call in a thread and interrupts it at once, so that the kernel notes how it would go on.
    pub fn interrupt_in(&mut self, tid: i32, nr: i64, args: [u64; 6]) -> Result<(), StubError> {
        let regs = arch::call_regs(&self.base, self.boot + arch::BATCH_SYSCALL, nr, args);
        ptrace::set_regs(tid, &regs).map_err(control("setting registers"))?;
        self.to_syscall_stop(tid)?;
        ptrace::interrupt(tid).map_err(control("stopping"))?;
        self.to_syscall_stop(tid)
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
        self.tids.push(new);
        Ok(new)
    }

    /// Forks a child with this id (in the process's own namespace), which signals its end by `exit_signal`, or by none if
    /// that is 0. It is a copy of the process as it is now, boot area and all.
    pub fn fork(&mut self, own_pid: u32, exit_signal: u32) -> Result<Self, StubError> {
        let args = CloneArgs { exit_signal: exit_signal.into(), ..CloneArgs::default() };
        let pid = self.clone_by("process", args, Some(own_pid))?;
        let mut child = Self::new(pid, own_pid);
        (child.boot, child.base, child.exact_ids) = (self.boot, self.base, self.exact_ids);
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
            self.stepped(self.pid, &Call::new("dumpable", libc::SYS_prctl, &args))?;
            ptrace::set_sigmask(self.pid, 0).map_err(control("unblocking signals"))?;
            process::tgkill(self.pid, self.pid, signal).map_err(control("ending"))?;
        }
        let mut deliver = 0;
        loop {
            ptrace::cont(self.pid, deliver).map_err(control("running"))?;
            deliver = match ptrace::wait(self.pid).map_err(control("waiting"))?.1 {
                Stop::Exited(_) | Stop::Killed(_) => break,
                Stop::Signal(sig) if sig == signal => sig,
                _ => 0,
            };
        }
        self.armed = false;
        Ok(())
    }

    /// Gives a signal its default action; EINVAL, for those that have no other, is no failure.
    pub fn reset_signal(&mut self, signal: i32) -> Result<(), StubError> {
        let default = self.put(0, &[0; 32])?;
        let args = [signal as u64, default, 0, 8];
        let reset = Call::new(format!("resetting signal {signal}"), libc::SYS_rt_sigaction, &args);
        self.call(reset.forgiving(&[libc::EINVAL])).map(drop)
    }

    /// Takes a pending signal away, as often as it is there.
    pub fn forget_signal(&mut self, signal: u32) -> Result<(), StubError> {
        let set = self.put(0, &(1u64 << (signal.clamp(1, 64) - 1)).to_ne_bytes())?;
        let at_once = self.put(16, &[0; 16])?;
        let args = [set, 0, at_once, 8];
        let take = Call::new("taking a signal", libc::SYS_rt_sigtimedwait, &args).forgiving(&[libc::EAGAIN]);
        while self.call(take.clone())? > 0 {}
        Ok(())
    }

    /// Makes a clone3(2) of these arguments and waits until what it made has stopped; returns its id as we see it.
    fn clone_by(&mut self, what: &str, mut args: CloneArgs, tid: Option<u32>) -> Result<i32, StubError> {
        if let Some(tid) = tid {
            (args.set_tid, args.set_tid_size) = (self.put(128, &tid.to_ne_bytes())?, 1);
        }
        let at = self.put(0, &args.bytes())?;
        let regs = arch::call_regs(
            &self.base,
            self.boot + arch::BATCH_SYSCALL,
            libc::SYS_clone3,
            [at, size_of::<CloneArgs>() as u64, 0, 0, 0, 0],
        );
        ptrace::set_regs(self.pid, &regs).map_err(control("setting registers"))?;
        let mut seen = None;
        let mut stops = 0;
        while stops < 2 {
            ptrace::cont_to_syscall(self.pid).map_err(control("running"))?;
            match ptrace::wait(self.pid).map_err(control("waiting"))?.1 {
                Stop::Syscall => stops += 1,
                Stop::Other(libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK) => {
                    seen = Some(
                        ptrace::event_message(self.pid).map_err(control("asking for the thread"))? as i32
                    );
                }
                Stop::Event | Stop::Group(_) | Stop::Other(_) | Stop::Signal(_) => {}
                Stop::Exited(code) => return Err(StubError::Died(format!("exit code {code}"))),
                Stop::Killed(sig) => return Err(StubError::Died(format!("killed by signal {sig}"))),
            }
        }
        let ret = arch::result(&ptrace::get_regs(self.pid).map_err(control("reading registers"))?);
        let Some(new) = seen.filter(|_| ret > 0) else {
            let source = io::Error::from_raw_os_error(-ret as i32);
            return Err(StubError::Call { what: format!("creating {what} {}", tid.unwrap_or(0)), source });
        };
        self.wait_event(new)?;
        Ok(new)
    }

    fn wait_event(&mut self, tid: i32) -> Result<(), StubError> {
        loop {
            match ptrace::wait(tid).map_err(control("waiting"))?.1 {
                Stop::Event | Stop::Group(_) => return Ok(()),
                Stop::Exited(code) => return Err(StubError::Died(format!("exit code {code}"))),
                Stop::Killed(sig) => return Err(StubError::Died(format!("killed by signal {sig}"))),
                Stop::Signal(_) | Stop::Syscall | Stop::Other(_) => {
                    ptrace::cont(tid, 0).map_err(control("running"))?;
                }
            }
        }
    }

    /// Unmaps the boot area from inside and brings every thread to a stop from which final registers take effect.
    ///
    /// The stop at the end of the call comes before the next instruction, which is gone by then; the kernel looks at
    /// the registers for a call to restart only in an event stop.
    pub fn leave_boot(&mut self) -> Result<(), StubError> {
        let call = Call::new("unmapping the boot area", libc::SYS_munmap, &[self.boot, BOOT_LEN]);
        for tid in self.tids.clone() {
            if tid == self.pid {
                self.stepped(tid, &call)?;
            }
            ptrace::interrupt(tid).map_err(control("stopping"))?;
            ptrace::cont(tid, 0).map_err(control("running"))?;
            self.wait_event(tid)?;
        }
        Ok(())
    }

    /// Lets the process go: it is complete and runs on its own. It still ends with this guard, until that is told to
    /// [keep](Self::keep) it.
    pub fn release(&self) -> Result<(), StubError> {
        let mut result = Ok(());
        for tid in &self.tids {
            if let Err(e) = ptrace::detach(*tid) {
                result = Err(control("detaching")(e));
            }
        }
        result
    }

    /// The restart has succeeded: the process stays.
    pub fn keep(mut self) {
        self.armed = false;
    }
}

fn describe(calls: &[Call]) -> String {
    calls.first().map_or_else(String::new, |c| c.what.clone())
}

impl Drop for Stub {
    fn drop(&mut self) {
        if self.armed {
            let _ = process::tgkill(self.pid, self.pid, libc::SIGKILL);
            // Reap it, so that not even a zombie stays.
            while let Ok((_, stop)) = ptrace::wait(self.pid) {
                if matches!(stop, Stop::Exited(_) | Stop::Killed(_)) {
                    break;
                }
                let _ = ptrace::cont(self.pid, 0);
            }
        }
    }
}
