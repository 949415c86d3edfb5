//! A seized process: all of its threads stand still, and whatever happens they run on again.
//!
//! [`Target`] is a guard. Dropping it puts every thread back to where it was found and detaches, so that neither an
//! error nor an early return can leave the process stopped or changed.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::arch;
use crate::procfs;
use crate::procfs::Proc;
use crate::sys::ptrace::{self, Regs, Stop};
use crate::sys::vm;
use crate::tracee::area::{self, Area, Manner, Trouble};
use crate::tracee::asleep::Look;
use crate::tracee::batch::{Batch, Done, Room, Slot};
use crate::tracee::code;
use crate::tracee::rescue::{Code, Found, WayBack};
use crate::tracee::stops::{self, Answer, Missed, OnTheWay, Until};
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
    /// An area mapped for our calls and for the frames of threads.
    guest: Option<Guest>,
}

/// An area of ours in a process that is to run on.
#[derive(Debug, Clone, Copy)]
struct Guest {
    area: Area,
    /// Its length with the frames behind it.
    len: u64,
    /// The signal by which a thread says that it has gone through a list of calls; without one each call is made by itself.
    signal: Option<i32>,
}

impl Guest {
    /// Longest list of calls; there are 64 signals.
    const CALLS: usize = 128;
    /// A page of code, the list, and room.
    const LEN: u64 = 32 << 10;
}

/// Signals that mean nothing to a process that has no handler for them (signal(7), "Ign").
const QUIET: [i32; 2] = [libc::SIGURG, libc::SIGWINCH];

/// How long a thread may take to stop.
const PATIENCE: Duration = Duration::from_secs(3);

/// Rounds of looking for new threads before giving up.
const MAX_ROUNDS: usize = 100;

impl Target {
    /// A process of which nothing is seized yet.
    fn of(pid: i32) -> Result<Self, TargetError> {
        Ok(Self {
            pid,
            proc: Proc::open(pid).map_err(|_| TargetError::Gone(pid))?,
            threads: Vec::new(),
            writable: Vec::new(),
            syscall_insn: 0,
            way_back: None,
            guest: None,
        })
    }

    /// Seizes and stops all threads of a process.
    pub fn seize(pid: i32) -> Result<Self, TargetError> {
        let mut target = Self::of(pid)?;
        target.seize_all()?;
        Ok(target)
    }

    /// Seizes and stops one thread alone, the leader for instance; the others run on.
    pub fn seize_one(pid: i32) -> Result<Self, TargetError> {
        let mut target = Self::of(pid)?;
        let asleep = wait::look(&target.proc, pid);
        ptrace::seize(pid, false)
            .and_then(|()| ptrace::interrupt(pid))
            .map_err(|source| TargetError::Seize { pid, source })?;
        target.adopt(pid, asleep)?;
        if target.threads.iter().any(|t| t.gone) { Err(TargetError::Died { pid }) } else { Ok(target) }
    }

    /// Lets go of a process that is none of the one that was seized any more; whoever calls this goes on with it.
    pub fn forget(mut self) {
        (self.way_back, self.guest) = (None, None);
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
                let found = arch::result(&thread.regs);
                let note = arch::take_note(&mut thread.regs);
                arch::hide_interruption(&mut thread.regs);
                let slept = asleep.and_then(|look| look.slept(Look::at(&self.proc.task(tid).ok()?)?));
                thread.wait = Wait::found(&self.proc, tid, &mut thread.regs, note, slept);
                if arch::result(&thread.regs) != found {
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
        let found = code::find(self.pid, areas.iter().copied(), &arch::SYSCALL_INSN);
        self.syscall_insn = found.ok_or(TargetError::NoSyscall(self.pid))?;
        Ok(())
    }

    /// Makes a system call inside thread number `index`; the result is the kernel's, negative errno for an error.
    pub fn call(&mut self, index: usize, nr: i64, args: [u64; 6]) -> Result<i64, TargetError> {
        let pid = self.pid;
        self.lay_frame(index)?;
        let thread = self.threads.get_mut(index).ok_or(TargetError::Died { pid })?;
        let insn = match (&self.way_back, thread.frame) {
            (Some(way_back), Some(_)) => way_back.code.syscall,
            _ => self.syscall_insn,
        };
        if insn == 0 {
            return Err(TargetError::NoSyscall(pid));
        }
        thread.call(insn, nr, args)
    }

    /// Makes sure that a thread has its way back before it makes a call, where there can be one.
    fn lay_frame(&mut self, index: usize) -> Result<(), TargetError> {
        let pid = self.pid;
        let thread = self.threads.get_mut(index).ok_or(TargetError::Died { pid })?;
        if let Some(way_back) = self.way_back.as_ref().filter(|_| thread.frame.is_none()) {
            let found = Found { tid: thread.tid, regs: &thread.regs, sigmask: thread.sigmask };
            let failed = |source| TargetError::Call { tid: thread.tid, source };
            thread.frame = way_back.frame_of(index, found).map_err(failed)?;
        }
        Ok(())
    }

    /// Makes the calls of a batch inside thread number `index`. All of them are made, whatever the others return.
    pub fn make(&mut self, index: usize, batch: &Batch) -> Result<Done, TargetError> {
        if batch.is_empty() {
            return Ok(Done::default());
        }
        self.lay_frame(index)?;
        let has_frame = self.threads.get(index).is_some_and(|thread| thread.frame.is_some());
        match self.guest {
            Some(Guest { area, signal: Some(signal), .. }) if has_frame => {
                self.make_in_a_row(index, area, signal, batch)
            }
            _ => self.make_one_by_one(index, batch),
        }
    }

    fn make_in_a_row(
        &mut self,
        index: usize,
        area: Area,
        signal: i32,
        batch: &Batch,
    ) -> Result<Done, TargetError> {
        let pid = self.pid;
        let [own_pid, own_tid] = self.own_ids(index)?;
        let thread = self.threads.get_mut(index).ok_or(TargetError::Died { pid })?;
        let tid = thread.tid;
        let base = arch::with_stack(&thread.regs, thread.frame.unwrap_or_default());
        let (dirty, postponed) = (&mut thread.dirty, &mut thread.postponed);
        let mut ready = || {
            // Only now that the way back, which has the thread's own mask, is there. A call made by itself blocks all.
            *dirty = true;
            ptrace::set_sigmask(tid, !bit(signal))
        };
        let args = [own_pid.into(), own_tid.into(), signal as u64, 0, 0, 0];
        let mut manner = Manner {
            tid,
            pid,
            base: &base,
            last: Some(Slot::new(libc::SYS_tgkill, args)),
            until: Until::Signal(signal),
            ready: &mut ready,
            meanwhile: &mut |event| postpone(event, postponed),
        };
        area.make(&mut manner, batch).map_err(|trouble| match trouble {
            Trouble::Missed(_) => {
                thread.gone = true;
                TargetError::Died { pid }
            }
            Trouble::TooLong(_) => too_long(tid),
            Trouble::Io(_, source) => TargetError::Call { tid, source },
        })
    }

    /// Ids of the process and of a thread, as they see themselves.
    fn own_ids(&self, index: usize) -> Result<[u32; 2], TargetError> {
        let pid = self.pid;
        let tid = self.threads.get(index).ok_or(TargetError::Died { pid })?.tid;
        let own = |tid: i32| {
            let text = self.proc.task(tid).and_then(|task| task.read("status"));
            let status = procfs::parse_status(&text.ok()?).ok()?;
            Some(status.ns_pid.last().copied().unwrap_or(status.pid as u32))
        };
        let ids = own(pid).zip(own(tid)).ok_or(TargetError::Died { pid })?;
        Ok([ids.0, ids.1])
    }

    /// The same without a loop in the process: bytes are borrowed for what a call reads or fills, and put back.
    fn make_one_by_one(&mut self, index: usize, batch: &Batch) -> Result<Done, TargetError> {
        let pid = self.pid;
        let tid = self.threads.get(index).ok_or(TargetError::Died { pid })?.tid;
        let failed = |source| TargetError::Call { tid, source };
        let room = self.guest.map_or_else(|| self.borrowed(), |guest| Room { calls: 1, ..guest.area.room() });
        let mut done = Done::default();
        while done.results.len() < batch.len() {
            let piece = batch.piece(done.results.len(), &room).map_err(|_| too_long(tid))?;
            let mut saved = vec![0; piece.bytes.len()];
            vm::read_exact_at(pid, room.at, &mut saved).map_err(failed)?;
            let mut ret = Ok(0);
            for slot in &piece.slots {
                area::write(pid, room.at, &piece.bytes).map_err(failed)?;
                ret = self.call(index, slot.nr.cast_signed(), slot.args);
            }
            let mut filled = vec![0; piece.bytes.len()];
            let read = vm::read_exact_at(pid, room.at, &mut filled);
            let back = area::write(pid, room.at, &saved);
            done.results.push(ret?);
            back.and(read).map_err(failed)?;
            batch.collect(&piece, &room, &filled, &mut done);
        }
        Ok(done)
    }

    /// Below the stack pointer and its red zone of 128 bytes, where nothing lives. A stack without room there (a
    /// goroutine's, say) is spared: another writable page is borrowed.
    fn borrowed(&self) -> Room {
        const LEN: u64 = 128;
        let sp = self.threads.first().map_or(0, |thread| arch::stack_pointer(&thread.regs));
        let below = sp.wrapping_sub(128 + 256) & !63;
        let fits = |at: u64| self.writable.iter().any(|(start, end)| *start <= at && at + LEN <= *end);
        let other = || self.writable.last().map_or(below, |(start, _)| *start);
        Room { at: if fits(below) { below } else { other() }, len: LEN, calls: 1 }
    }

    /// Makes ready for calls inside: all threads get a way back, should we be killed while they make them, and the calls an
    /// area in which they are made in a row. `code` is where the way back leads over, `stack` the area `[stack]` of the
    /// process, `caught` the set of signals that it has handlers for.
    ///
    /// The leader's frame lies on its own stack, those of the others in the area.
    pub fn prepare_calls(
        &mut self,
        code: Code,
        stack: Option<(u64, u64)>,
        caught: u64,
    ) -> Result<(), TargetError> {
        let Some(leader) = self.threads.first() else { return Ok(()) };
        let way_back = WayBack::on_stack(self.pid, code, &leader.regs, stack);
        let others = self.threads.len() > 1 || !way_back.has_stack();
        self.way_back = Some(way_back);
        // Nobody must be able to notice the signal.
        let is_quiet = |sig: i32| {
            caught & bit(sig) == 0 && self.threads.iter().all(|thread| thread.sigmask & bit(sig) == 0)
        };
        let signal = QUIET.into_iter().find(|sig| is_quiet(*sig));
        if signal.is_none() && !others {
            return Ok(());
        }
        let len = Guest::LEN + self.threads.len() as u64 * arch::FRAME_MAX;
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
        let mut map = |prot: i32| self.call(0, libc::SYS_mmap, [0, len, prot as u64, flags, u64::MAX, 0]);
        let data = libc::PROT_READ | libc::PROT_WRITE;
        let (at, signal) = match (map(data | if signal.is_some() { libc::PROT_EXEC } else { 0 })?, signal) {
            // Memory that can be written and executed is not for everybody (PR_SET_MDWE, SELinux).
            (..=0, Some(_)) => (map(data)?, None),
            mapped => mapped,
        };
        // No room for it: the leader at least has a way back.
        let Ok(at @ 1..) = u64::try_from(at) else { return Ok(()) };
        let area = Area { at, len: Guest::LEN, calls: Guest::CALLS };
        // The next checkpoint knows the area by it, should we be killed.
        let signal = signal.filter(|_| area.prepare(self.pid, &marked_code(len)).is_ok());
        self.guest = Some(Guest { area, len, signal });
        if let Some(way_back) = &mut self.way_back {
            way_back.frames = Some(at + Guest::LEN);
        }
        Ok(())
    }

    /// Whether private anonymous memory is an area of ours that was left behind when we were killed: it begins with our code
    /// and is as long as that says, so nothing of the process's own has become one with it; and nobody is on the way back
    /// over it any more.
    pub fn is_left_behind(&self, start: u64, end: u64) -> bool {
        let is_inside = |at: u64| (start..end).contains(&at);
        let is_used =
            |regs: &Regs| is_inside(arch::program_counter(regs)) || is_inside(arch::stack_pointer(regs));
        let wanted = marked_code(end - start);
        let mut code = vec![0; wanted.len()];
        vm::read_exact_at(self.pid, start, &mut code).is_ok()
            && code == wanted
            && !self.threads.iter().any(|thread| is_used(&thread.regs))
    }

    /// Has a thread that is in a system call run on behind it, with this result.
    pub fn return_from_call(&mut self, tid: i32, value: i64) {
        if let Some(thread) = self.threads.iter_mut().find(|t| t.tid == tid) {
            arch::finish_call(&mut thread.regs, value);
            thread.corrected = true;
        }
    }

    /// Corrects the registers that thread number `index` will run on with.
    pub fn correct(&mut self, index: usize, change: impl FnOnce(&mut Regs)) {
        if let Some(thread) = self.threads.get_mut(index) {
            let before = arch::program_counter(&thread.regs);
            change(&mut thread.regs);
            thread.corrected |= arch::program_counter(&thread.regs) != before;
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
        let guest = self.guest.take().filter(|_| self.threads.first().is_some_and(|t| !t.gone));
        if let Some(Guest { area, len, .. }) = guest {
            let unmapped = self.call(0, libc::SYS_munmap, [area.at, len, 0, 0, 0, 0]);
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
        let mut deliver = |event| match event {
            OnTheWay::Signal(sig) => Answer::Deliver(sig),
            OnTheWay::Event(_) => Answer::Deliver(0),
        };
        match stops::wait(self.tid, Until::Event, Some(PATIENCE), &mut deliver) {
            Ok(Stop::Group(sig)) => Ok(Some(sig)),
            Ok(_) => Ok(None),
            // Only a thread that has stopped can be let go of; this one is when we end.
            Err(Missed::Stuck) => {
                self.gone = true;
                Err(TargetError::Stuck { pid: self.tid, tid: self.tid })
            }
            Err(_) => {
                self.gone = true;
                Err(TargetError::Died { pid: self.tid })
            }
        }
    }

    fn call(&mut self, insn: u64, nr: i64, args: [u64; 6]) -> Result<i64, TargetError> {
        let tid = self.tid;
        let failed = |source| TargetError::Call { tid, source };
        let mut regs = arch::call_regs(&self.regs, insn, nr, args);
        if let Some(frame) = self.frame {
            regs = arch::with_stack(&regs, frame);
        }
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
        self.run(Until::Syscall)
    }

    /// Runs up to a stop. SIGSTOP cannot be blocked: it is sent again when the thread runs on.
    fn run(&mut self, until: Until) -> Result<(), TargetError> {
        let postponed = &mut self.postponed;
        let stop = stops::run(self.tid, until, &mut |event| postpone(event, postponed));
        stop.map(drop).map_err(|_| {
            self.gone = true;
            TargetError::Died { pid: self.tid }
        })
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
            self.run(Until::Event)?;
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

/// Keeps a signal that came while a thread made calls of ours, for later.
fn postpone(event: OnTheWay, postponed: &mut Vec<i32>) -> Answer {
    if let OnTheWay::Signal(sig) = event {
        postponed.push(sig);
    }
    Answer::Deliver(0)
}

/// What an area of ours of this length begins with.
fn marked_code(len: u64) -> Vec<u8> {
    [arch::BATCH_CODE_RETURNING.as_slice(), &len.to_ne_bytes()].concat()
}

fn bit(sig: i32) -> u64 {
    1 << (sig - 1)
}

fn too_long(tid: i32) -> TargetError {
    TargetError::Call { tid, source: io::Error::from_raw_os_error(libc::E2BIG) }
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
