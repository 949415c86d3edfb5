//! Signals to threads and the creation of the process that becomes the restored one.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use libc::{c_long, pid_t};

use super::abi::CloneArgs;

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

impl CloneArgs {
    /// A child process with this id, which has to live as long as the arguments.
    fn with_pid(pid: &pid_t) -> Self {
        let set_tid = std::ptr::from_ref(pid) as u64;
        Self { exit_signal: libc::SIGCHLD as u64, set_tid, set_tid_size: 1, ..Self::default() }
    }
}

/// Forks a child that does nothing but wait to be seized, with this process id.
///
/// `EEXIST` means that the id is taken, `EPERM` that choosing one is not allowed. All signals are blocked in the
/// child, so that a Ctrl-C meant for us does not reach half a process.
pub fn fork_stub(pid: pid_t) -> io::Result<pid_t> {
    let args = CloneArgs::with_pid(&pid);
    let old = block_all();
    // SAFETY: `args` and `pid` outlive the call; without CLONE_VM the child has its own copy of everything, and it
    // makes nothing but system calls.
    let ret = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    if ret == 0 {
        // A process that is not a descendant of its tracer has to agree to it where Yama is strict (ptrace(2)).
        // SAFETY: only numbers are passed.
        unsafe { libc::prctl(libc::PR_SET_PTRACER, -1i64) };
        loop {
            // SAFETY: plain system call; the tracer ends this loop by taking the process over.
            unsafe { libc::syscall(libc::SYS_pause) };
        }
    }
    let err = io::Error::last_os_error();
    unblock(&old);
    if ret < 0 { Err(err) } else { Ok(ret as pid_t) }
}

/// The same by way of a process in between that ends at once: the stub is not our child.
pub fn fork_orphan_stub(pid: pid_t) -> io::Result<pid_t> {
    let (read, write) = nix::unistd::pipe()?;
    let old = block_all();
    // SAFETY: the child calls only what is async-signal-safe before it leaves by _exit.
    let between = unsafe { libc::fork() };
    if between == 0 {
        let errno: i32 = match fork_stub(pid) {
            Ok(_) => 0,
            Err(e) => e.raw_os_error().unwrap_or(libc::EPERM),
        };
        // SAFETY: the buffer is live; _exit does not return.
        unsafe {
            libc::write(raw(&write), (&raw const errno).cast(), 4);
            libc::_exit(0);
        }
    }
    let err = io::Error::last_os_error();
    unblock(&old);
    if between < 0 {
        return Err(err);
    }
    drop(write);
    let mut errno = [0u8; 4];
    let n = nix::unistd::read(&read, &mut errno)?;
    // SAFETY: only numbers are passed; the process in between is our child.
    unsafe { libc::waitpid(between, std::ptr::null_mut(), libc::__WALL) };
    match (n, i32::from_ne_bytes(errno)) {
        (4, 0) => Ok(pid),
        (4, errno) => Err(io::Error::from_raw_os_error(errno)),
        _ => Err(io::Error::from_raw_os_error(libc::ECHILD)),
    }
}

/// Blocks all signals of the calling thread; returns the mask before.
fn block_all() -> libc::sigset_t {
    // SAFETY: both sets are live locals, filled by the calls.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut old);
        old
    }
}

fn unblock(old: &libc::sigset_t) {
    // SAFETY: `old` is a mask that the kernel has given.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old, std::ptr::null_mut()) };
}

/// Securebits of the calling thread.
pub fn securebits() -> u32 {
    // SAFETY: only numbers are passed.
    unsafe { libc::prctl(libc::PR_GET_SECUREBITS) }.max(0) as u32
}

/// A pidfd of a process that has ended and was waited for.
pub fn pidfd_of_nobody(flags: i32) -> io::Result<OwnedFd> {
    // SAFETY: the child makes one system call, which does not return.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: plain system call.
        unsafe { libc::_exit(0) };
    }
    check(child.into())?;
    // SAFETY: only numbers are passed; the child is ours, so the id is its own until it is waited for.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, child, flags) });
    // SAFETY: likewise.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), libc::__WALL) };
    // SAFETY: the descriptor was made just now.
    Ok(unsafe { OwnedFd::from_raw_fd(fd? as i32) })
}

/// Kills a process that we made and reaps it if it is our child.
pub fn kill_and_reap(pid: pid_t) {
    // SAFETY: only numbers are passed; we trace the process or are its parent, so the id is still its own.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL);
    }
}

/// Forks the init of a new PID namespace (and other namespaces in `flags`), which forks a stub with this id; returns
/// both as we see them.
///
/// The init keeps no descriptor, reaps what comes to it, and ends when the last process of the namespace does: with the
/// exit code of the stub, or 128 and the signal's number. In a new user namespace our user and group are mapped to
/// themselves.
pub fn fork_in_namespace(pid: pid_t, flags: u64) -> io::Result<(pid_t, pid_t)> {
    let (go_read, go_write) = nix::unistd::pipe()?;
    let (said_read, said_write) = nix::unistd::pipe()?;
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    let args = CloneArgs { flags, exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() };
    // SAFETY: `args` outlives the call; the child has its own copy of everything and calls only what is async-signal-safe.
    let init = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    if init == 0 {
        be_init(pid, raw(&go_read), raw(&said_write));
    }
    if init < 0 {
        return Err(io::Error::last_os_error());
    }
    let init = init as pid_t;
    drop((go_read, said_write));
    let prepared = if flags & 0x1000_0000 != 0 { map_ids(init, uid.as_raw(), gid.as_raw()) } else { Ok(()) };
    let result = prepared.and_then(|()| {
        nix::unistd::write(&go_write, b"g")?;
        let mut errno = [0u8; 4];
        let n = nix::unistd::read(&said_read, &mut errno)?;
        if n != 4 {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        match i32::from_ne_bytes(errno) {
            0 => first_child(init),
            e => Err(io::Error::from_raw_os_error(e)),
        }
    });
    if result.is_err() {
        kill_and_reap(init);
    }
    result.map(|child| (init, child))
}

fn raw(fd: &std::os::fd::OwnedFd) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(fd)
}

/// Writes the id maps of a new user namespace (user_namespaces(7)).
fn map_ids(init: pid_t, uid: u32, gid: u32) -> io::Result<()> {
    std::fs::write(format!("/proc/{init}/setgroups"), "deny")?;
    std::fs::write(format!("/proc/{init}/uid_map"), format!("{uid} {uid} 1"))?;
    std::fs::write(format!("/proc/{init}/gid_map"), format!("{gid} {gid} 1"))
}

fn first_child(init: pid_t) -> io::Result<pid_t> {
    let text = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children"))?;
    let first = text.split_whitespace().next().and_then(|w| w.parse().ok());
    first.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

/// The life of the init of a namespace. Only system calls: this is a fork of a process that may have had threads.
fn be_init(pid: pid_t, go: i32, said: i32) -> ! {
    // SAFETY: async-signal-safe calls on live locals; the pointers passed to clone3 and read outlive the calls.
    unsafe {
        let mut byte = 0u8;
        if libc::read(go, (&raw mut byte).cast(), 1) != 1 {
            libc::_exit(125);
        }
        let args = CloneArgs::with_pid(&pid);
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
        let child = libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>());
        if child == 0 {
            libc::close(go);
            libc::close(said);
            loop {
                libc::syscall(libc::SYS_pause);
            }
        }
        let errno: i32 = if child < 0 { *libc::__errno_location() } else { 0 };
        libc::write(said, (&raw const errno).cast(), 4);
        if child < 0 {
            libc::_exit(125);
        }
        libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0);
        let mut code = 125;
        loop {
            let mut status = 0;
            let who = libc::waitpid(-1, &mut status, libc::__WALL);
            if i64::from(who) == child {
                code = if libc::WIFEXITED(status) {
                    libc::WEXITSTATUS(status)
                } else {
                    128 + libc::WTERMSIG(status)
                };
            }
            // Its children may outlive it; to end before them would end them.
            if who < 0 && *libc::__errno_location() != libc::EINTR {
                libc::_exit(code);
            }
        }
    }
}
