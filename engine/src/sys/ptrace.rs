//! ptrace(2): seizing, stopping and inspecting the threads of another process.
//!
//! Only the requests that Stasis needs, each returning `io::Result`; `ESRCH` means that the thread is gone or not
//! stopped by us.
#![allow(unsafe_code)]

use std::io;
use std::time::{Duration, Instant};

use libc::{c_int, c_uint, c_void, pid_t};

/// `NT_PRSTATUS`: general registers.
const NT_PRSTATUS: usize = 1;
/// `NT_X86_XSTATE`: the whole XSAVE area.
const NT_X86_XSTATE: usize = 0x202;
/// Room for any XSAVE area known today (AMX tiles make it 11 KiB).
const XSTATE_MAX: usize = 32 << 10;

const PTRACE_PEEKSIGINFO: c_uint = 0x4209;
const PTRACE_GETSIGMASK: c_uint = 0x420a;
const PTRACE_SETSIGMASK: c_uint = 0x420b;
const PTRACE_GET_RSEQ_CONFIGURATION: c_uint = 0x420f;
const PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG: c_uint = 0x4211;

/// General registers of an x86-64 thread (`struct user_regs_struct`).
pub type Regs = libc::user_regs_struct;

fn request(req: c_uint, tid: pid_t, addr: usize, data: usize) -> io::Result<i64> {
    // SAFETY: every caller passes either plain numbers or pointers to live buffers of the size the request wants;
    // the kernel checks the tid itself.
    let ret = unsafe { libc::ptrace(req, tid, addr as *mut c_void, data as *mut c_void) };
    if ret == -1 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}

/// What a tracee that was waited for did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// `PTRACE_EVENT_STOP` after `PTRACE_INTERRUPT` (or the first stop of an auto-attached thread).
    Event,
    /// Group-stop: job control stopped the process with this signal.
    Group(i32),
    /// About to deliver this signal.
    Signal(i32),
    /// Entry to or exit from a system call.
    Syscall,
    /// Another ptrace event, such as `PTRACE_EVENT_CLONE`.
    Other(i32),
    /// Ended with this exit code.
    Exited(i32),
    /// Killed by this signal.
    Killed(i32),
}

impl Stop {
    /// Whether the thread has ended.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Exited(_) | Self::Killed(_))
    }
}

/// Seizes a thread. `exit_kill`: it and what it clones die with the tracer (for processes that we are building).
pub fn seize(tid: pid_t, exit_kill: bool) -> io::Result<()> {
    let mut options = libc::PTRACE_O_TRACESYSGOOD;
    if exit_kill {
        options |= libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_TRACEFORK;
    }
    request(libc::PTRACE_SEIZE, tid, 0, options as usize).map(drop)
}

/// The same for a process that was seized without and is now one that we build.
pub fn build(tid: pid_t) -> io::Result<()> {
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_EXITKILL
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEFORK;
    request(libc::PTRACE_SETOPTIONS, tid, 0, options as usize).map(drop)
}

/// Asks a seized thread to stop; the stop is reported to [`wait`].
pub fn interrupt(tid: pid_t) -> io::Result<()> {
    request(libc::PTRACE_INTERRUPT, tid, 0, 0).map(drop)
}

/// Lets a stopped thread run, delivering `sig` unless 0.
pub fn cont(tid: pid_t, sig: i32) -> io::Result<()> {
    request(libc::PTRACE_CONT, tid, 0, sig as usize).map(drop)
}

/// Lets a stopped thread run up to the next entry to or exit from a system call, delivering `sig` unless 0.
pub fn cont_to_syscall(tid: pid_t, sig: i32) -> io::Result<()> {
    request(libc::PTRACE_SYSCALL, tid, 0, sig as usize).map(drop)
}

/// Detaches from a stopped thread, which runs on.
pub fn detach(tid: pid_t) -> io::Result<()> {
    request(libc::PTRACE_DETACH, tid, 0, 0).map(drop)
}

/// Waits for the next change of one tracee, or with `-1` of any tracee or child; returns whose it was.
pub fn wait(tid: pid_t) -> io::Result<(pid_t, Stop)> {
    loop {
        let mut status: c_int = 0;
        // SAFETY: `status` outlives the call.
        let ret = unsafe { libc::waitpid(tid, &mut status, libc::__WALL) };
        if ret >= 0 {
            return Ok((ret, decode(status)));
        }
        let err = io::Error::last_os_error();
        if err.kind() != io::ErrorKind::Interrupted {
            return Err(err);
        }
    }
}

/// The same for one tracee, for no longer than `patience`; nothing if it did not change by then.
pub fn wait_for(tid: pid_t, patience: Duration) -> io::Result<Option<Stop>> {
    const AT_ONCE: u32 = 200;
    const PAUSE: Duration = Duration::from_micros(200);
    let since = Instant::now();
    for round in 0.. {
        let mut status: c_int = 0;
        // SAFETY: `status` outlives the call.
        match unsafe { libc::waitpid(tid, &mut status, libc::__WALL | libc::WNOHANG) } {
            0 if round < AT_ONCE => std::thread::yield_now(),
            0 if since.elapsed() < patience => std::thread::sleep(PAUSE),
            0 => break,
            1.. => return Ok(Some(decode(status))),
            _ => return Err(io::Error::last_os_error()),
        }
    }
    Ok(None)
}

fn decode(status: c_int) -> Stop {
    if libc::WIFEXITED(status) {
        return Stop::Exited(libc::WEXITSTATUS(status));
    }
    if libc::WIFSIGNALED(status) {
        return Stop::Killed(libc::WTERMSIG(status));
    }
    let (sig, event) = (libc::WSTOPSIG(status), status >> 16);
    match event {
        0 if sig == libc::SIGTRAP | 0x80 => Stop::Syscall,
        0 => Stop::Signal(sig),
        libc::PTRACE_EVENT_STOP if sig == libc::SIGTRAP => Stop::Event,
        libc::PTRACE_EVENT_STOP => Stop::Group(sig),
        other => Stop::Other(other),
    }
}

/// Reads the general registers.
pub fn get_regs(tid: pid_t) -> io::Result<Regs> {
    // SAFETY: user_regs_struct is integers only, so all zeroes is a value of it.
    let mut regs: Regs = unsafe { std::mem::zeroed() };
    let mut iov = libc::iovec { iov_base: (&raw mut regs).cast(), iov_len: size_of::<Regs>() };
    request(libc::PTRACE_GETREGSET, tid, NT_PRSTATUS, (&raw mut iov) as usize)?;
    Ok(regs)
}

/// Sets the general registers.
pub fn set_regs(tid: pid_t, regs: &Regs) -> io::Result<()> {
    let mut iov = libc::iovec { iov_base: (&raw const *regs).cast_mut().cast(), iov_len: size_of::<Regs>() };
    request(libc::PTRACE_SETREGSET, tid, NT_PRSTATUS, (&raw mut iov) as usize).map(drop)
}

/// Reads the extended state, whatever size the processor's is.
pub fn get_xstate(tid: pid_t) -> io::Result<Vec<u8>> {
    let mut buf = vec![0u8; XSTATE_MAX];
    let mut iov = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    request(libc::PTRACE_GETREGSET, tid, NT_X86_XSTATE, (&raw mut iov) as usize)?;
    buf.truncate(iov.iov_len);
    Ok(buf)
}

/// Sets the extended state; its length must be the processor's.
pub fn set_xstate(tid: pid_t, xstate: &[u8]) -> io::Result<()> {
    let mut iov = libc::iovec { iov_base: xstate.as_ptr().cast_mut().cast(), iov_len: xstate.len() };
    request(libc::PTRACE_SETREGSET, tid, NT_X86_XSTATE, (&raw mut iov) as usize).map(drop)
}

/// The mask of blocked signals; the one to go back to when a call has put another in place (`sigsuspend`, `ppoll`).
pub fn get_sigmask(tid: pid_t) -> io::Result<u64> {
    let mut mask = 0u64;
    request(PTRACE_GETSIGMASK, tid, 8, (&raw mut mask) as usize)?;
    Ok(mask)
}

/// Sets the mask of blocked signals.
pub fn set_sigmask(tid: pid_t, mask: u64) -> io::Result<()> {
    request(PTRACE_SETSIGMASK, tid, 8, (&raw const mask) as usize).map(drop)
}

/// `struct ptrace_peeksiginfo_args`.
#[repr(C)]
struct PeekSiginfo {
    off: u64,
    flags: u32,
    nr: i32,
}

/// Reads a queue of pending signals without taking them: the thread's own, or the whole process's (`shared`).
pub fn peek_siginfo(tid: pid_t, shared: bool) -> io::Result<Vec<[u8; 128]>> {
    const BATCH: usize = 32;
    let mut all = Vec::new();
    loop {
        let mut batch = [[0u8; 128]; BATCH];
        let mut args = PeekSiginfo { off: all.len() as u64, flags: u32::from(shared), nr: BATCH as i32 };
        let n = request(PTRACE_PEEKSIGINFO, tid, (&raw mut args) as usize, (&raw mut batch) as usize)?;
        let n = usize::try_from(n).unwrap_or(0).min(BATCH);
        all.extend_from_slice(&batch[..n]);
        if n < BATCH {
            return Ok(all);
        }
    }
}

/// A thread's rseq(2) registration.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct RseqConfiguration {
    /// Address of its `struct rseq`, 0 when none is registered.
    pub rseq_abi_pointer: u64,
    /// Length it was registered with.
    pub rseq_abi_size: u32,
    /// Signature in front of abort handlers.
    pub signature: u32,
    /// Flags, always 0 so far.
    pub flags: u32,
    pad: u32,
}

/// Reads the rseq registration (Linux 5.13).
pub fn get_rseq(tid: pid_t) -> io::Result<RseqConfiguration> {
    let mut conf = RseqConfiguration::default();
    request(PTRACE_GET_RSEQ_CONFIGURATION, tid, size_of::<RseqConfiguration>(), (&raw mut conf) as usize)?;
    Ok(conf)
}

/// Whether system calls of the thread are dispatched to user space (prctl(2), PR_SET_SYSCALL_USER_DISPATCH).
pub fn has_syscall_user_dispatch(tid: pid_t) -> io::Result<bool> {
    let mut conf = [0u64; 4];
    request(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, tid, size_of_val(&conf), (&raw mut conf) as usize)?;
    Ok(conf[0] != 0)
}

/// The new thread or process a clone or fork event is about.
pub fn event_message(tid: pid_t) -> io::Result<u64> {
    let mut msg: libc::c_ulong = 0;
    request(libc::PTRACE_GETEVENTMSG, tid, 0, (&raw mut msg) as usize)?;
    Ok(msg)
}
