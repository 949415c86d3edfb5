//! System calls. None of them allocates or takes a lock, and those of signal masks go to the kernel itself: the C
//! library's leave out two signals of its own, with which one thread interrupts all others (nptl(7)).
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::sync::atomic::AtomicI32;

use libc::{c_char, c_int, c_long};

/// Bytes of a signal mask as the kernel has it.
const MASK_LEN: usize = 8;

fn check(ret: c_long) -> Result<c_long, i32> {
    if ret < 0 { Err(errno()) } else { Ok(ret) }
}

fn small(ret: c_long) -> Result<i32, i32> {
    check(ret).and_then(|value| i32::try_from(value).map_err(|_| libc::EOVERFLOW))
}

/// The calling thread's errno.
pub fn errno() -> i32 {
    // SAFETY: the C library gives a valid pointer to this thread's own.
    unsafe { *libc::__errno_location() }
}

/// Sets the calling thread's errno.
pub fn set_errno(errno: i32) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// The process.
pub fn getpid() -> i32 {
    // SAFETY: no arguments.
    unsafe { libc::getpid() }
}

/// The thread.
pub fn gettid() -> i32 {
    // SAFETY: no arguments.
    unsafe { libc::syscall(libc::SYS_gettid) as i32 }
}

/// Blocks every signal of the calling thread; returns the mask before.
pub fn block_signals() -> u64 {
    let (all, mut old) = (!0u64, 0u64);
    // SAFETY: both masks are live locals of the length told.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const all, &raw mut old, MASK_LEN)
    };
    old
}

/// Sets the mask of the calling thread.
pub fn set_signal_mask(mask: u64) {
    let none = std::ptr::null_mut::<u64>();
    // SAFETY: the mask is a live local of the length told.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, none, MASK_LEN) };
}

/// Sleeps while `word` is `value`; returns for other reasons too.
pub fn futex_wait(word: &AtomicI32, value: i32) {
    let forever = std::ptr::null::<libc::timespec>();
    // SAFETY: the word is borrowed for the call.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value,
            forever,
        )
    };
}

/// Wakes one thread that sleeps on `word`.
pub fn futex_wake(word: &AtomicI32) {
    // SAFETY: the word is borrowed for the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1) };
}

/// A pair of connected sockets that keep messages apart.
pub fn socketpair() -> Result<[c_int; 2], i32> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two descriptors into a live array of two.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) }.into())?;
    Ok(ends)
}

/// Closes a descriptor of ours.
pub fn close(fd: c_int) {
    // SAFETY: only a number is passed, that of a descriptor which the caller made.
    unsafe { libc::syscall(libc::SYS_close, fd) };
}

/// `EBADF` unless the descriptor is open.
pub fn is_open(fd: c_int) -> Result<(), i32> {
    // SAFETY: only numbers are passed.
    check(unsafe { libc::fcntl(fd, libc::F_GETFD) }.into()).map(drop)
}

/// Lets a descriptor survive execve(2), or not.
pub fn keep_over_exec(fd: c_int, keep: bool) -> Result<(), i32> {
    let flags = if keep { 0 } else { libc::FD_CLOEXEC };
    // SAFETY: only numbers are passed.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, flags) }.into()).map(drop)
}

/// Sends one message, whole.
pub fn send(socket: c_int, message: &[u8]) -> Result<(), i32> {
    // SAFETY: the kernel reads from a borrowed buffer, not beyond its length.
    let sent = unsafe { libc::send(socket, message.as_ptr().cast(), message.len(), libc::MSG_NOSIGNAL) };
    check(sent as c_long).map(drop)
}

/// Takes a message that has come; its length, 0 when none will come.
pub fn receive(socket: c_int, message: &mut [u8]) -> Result<usize, i32> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: the kernel writes into a borrowed buffer, not beyond its length.
    let got = unsafe { libc::recv(socket, message.as_mut_ptr().cast(), message.len(), flags) };
    check(got as c_long).map(|got| got as usize)
}

/// Waits without limit until one of two descriptors is readable. This is the call that is answered with 0 in an image;
/// as it has no limit, the kernel never does.
pub fn wait_readable(fds: &mut [libc::pollfd; 2]) -> Result<i32, i32> {
    let (forever, same_mask) = (std::ptr::null::<libc::timespec>(), std::ptr::null::<u64>());
    // SAFETY: the array is borrowed for the call and has the length told.
    small(unsafe {
        libc::syscall(libc::SYS_ppoll, fds.as_mut_ptr(), fds.len(), forever, same_mask, MASK_LEN)
    })
}

/// Collects a child of any kind and waits for it if need be; one that is not ours is no concern.
pub fn reap(pid: c_int) {
    let (nowhere, nothing) = (std::ptr::null_mut::<c_int>(), std::ptr::null_mut::<libc::rusage>());
    loop {
        // SAFETY: the kernel is told to write nothing.
        let done = check(unsafe { libc::syscall(libc::SYS_wait4, pid, nowhere, libc::__WALL, nothing) });
        if done != Err(libc::EINTR) {
            return;
        }
    }
}

/// Lets a process trace this one where Yama restricts that; 0: none.
pub fn set_ptracer(pid: c_int) {
    // It fails where there is no Yama, and then nothing is restricted.
    // SAFETY: only numbers are passed.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, c_long::from(pid), 0, 0, 0) };
}

/// Whether others of this user may trace the process (PR_SET_DUMPABLE).
pub fn is_dumpable() -> bool {
    // SAFETY: only numbers are passed.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 }
}

/// Changes that.
pub fn set_dumpable(dumpable: bool) {
    // SAFETY: only numbers are passed.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, c_long::from(dumpable), 0, 0, 0) };
}

/// Names the calling thread.
pub fn set_name(name: &[u8; crate::wire::COMM]) {
    let mut text = *name;
    text[crate::wire::COMM - 1] = 0;
    // SAFETY: the kernel reads 16 bytes up to a NUL, which is the last at the latest.
    unsafe { libc::prctl(libc::PR_SET_NAME, text.as_ptr()) };
}

/// The value of an environment variable. Programs that gained privilege by being started get none (AT_SECURE of
/// getauxval(3)), so that the user cannot choose what they start.
pub fn environment(name: &CStr) -> Option<&'static CStr> {
    unsafe extern "C" {
        static mut environ: *const *const c_char;
    }
    // SAFETY: getauxval takes a number; `environ` is an array of strings that ends with a null pointer, and it is the
    // program's duty not to change it while others read (getenv(3)).
    unsafe {
        let mut at = environ;
        if libc::getauxval(libc::AT_SECURE) != 0 || at.is_null() {
            return None;
        }
        while !(*at).is_null() {
            let entry = CStr::from_ptr(*at);
            let value = entry.to_bytes_with_nul().strip_prefix(name.to_bytes());
            if let Some([b'=', value @ ..]) = value {
                return CStr::from_bytes_with_nul(value).ok();
            }
            at = at.add(1);
        }
    }
    None
}
