//! Signals to threads and the creation of the process that becomes the restored one.
#![allow(unsafe_code)]

use std::io;

use libc::{c_long, pid_t};

fn check(ret: c_long) -> io::Result<c_long> {
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}

/// Sends a signal to one thread, tgkill(2).
pub fn tgkill(tgid: pid_t, tid: pid_t, sig: i32) -> io::Result<()> {
    // SAFETY: only numbers are passed.
    check(unsafe { libc::syscall(libc::SYS_tgkill, tgid, tid, sig) }).map(drop)
}

/// Head of a thread's robust futex list and its length, get_robust_list(2).
pub fn get_robust_list(tid: pid_t) -> io::Result<(u64, u64)> {
    let (mut head, mut len) = (0u64, 0u64);
    // SAFETY: both pointers outlive the call and are as wide as the kernel writes.
    check(unsafe { libc::syscall(libc::SYS_get_robust_list, tid, &raw mut head, &raw mut len) })?;
    Ok((head, len))
}

/// `struct clone_args` of clone3(2).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct CloneArgs {
    /// CLONE_* flags.
    pub flags: u64,
    /// Where to store a pidfd.
    pub pidfd: u64,
    /// Where to store the tid in the child.
    pub child_tid: u64,
    /// Where to store the tid in the parent.
    pub parent_tid: u64,
    /// Signal at its end.
    pub exit_signal: u64,
    /// Lowest byte of the stack.
    pub stack: u64,
    /// Its length.
    pub stack_size: u64,
    /// Thread pointer.
    pub tls: u64,
    /// Array of pids, innermost namespace first.
    pub set_tid: u64,
    /// How many.
    pub set_tid_size: u64,
    /// Cgroup descriptor.
    pub cgroup: u64,
}

impl CloneArgs {
    /// The structure's bytes, for a clone3 made inside another process.
    pub fn bytes(&self) -> Vec<u8> {
        [
            self.flags,
            self.pidfd,
            self.child_tid,
            self.parent_tid,
            self.exit_signal,
            self.stack,
            self.stack_size,
            self.tls,
            self.set_tid,
            self.set_tid_size,
            self.cgroup,
        ]
        .iter()
        .flat_map(|v| v.to_ne_bytes())
        .collect()
    }
}

/// Forks a child that does nothing but wait to be seized, with this process id if one is asked for.
///
/// `EEXIST` means that the id is taken, `EPERM` that choosing one is not allowed. All signals are blocked in the
/// child, so that a Ctrl-C meant for us does not reach half a process.
pub fn fork_stub(pid: Option<pid_t>, flags: u64) -> io::Result<pid_t> {
    let set_tid = [pid.unwrap_or(0)];
    let args = CloneArgs {
        flags,
        exit_signal: libc::SIGCHLD as u64,
        set_tid: if pid.is_some() { set_tid.as_ptr() as u64 } else { 0 },
        set_tid_size: u64::from(pid.is_some()),
        ..CloneArgs::default()
    };
    // SAFETY: an all-zero sigset_t is valid memory for the calls that fill it.
    let mut old: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: both sets are live locals.
    unsafe {
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut old);
    }
    // SAFETY: `args` and `set_tid` outlive the call; without CLONE_VM the child has its own copy of everything, and it
    // makes nothing but system calls.
    let ret = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    if ret == 0 {
        loop {
            // SAFETY: plain system call; the tracer ends this loop by taking the process over.
            unsafe { libc::syscall(libc::SYS_pause) };
        }
    }
    let err = io::Error::last_os_error();
    // SAFETY: `old` was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &old, std::ptr::null_mut()) };
    if ret < 0 { Err(err) } else { Ok(ret as pid_t) }
}
