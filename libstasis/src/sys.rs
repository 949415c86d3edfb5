//! System calls, made without the C library: its wrappers keep errno in the thread, which two processes share while the
//! helper is started, and its signal masks leave out two signals with which one thread interrupts all others (nptl(7)).
//!
//! None of these allocates or takes a lock. Errors are errno.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::sync::atomic::AtomicI32;

use libc::{c_char, c_int, c_long};

/// Bytes of a signal mask as the kernel has it.
const MASK_LEN: usize = 8;

/// One system call (syscall(2), x86-64).
///
/// # Safety
/// As the call demands: what the arguments point to has to be there for as long as the kernel uses it.
pub unsafe fn call<const N: usize>(nr: c_long, args: [usize; N]) -> Result<usize, i32> {
    const { assert!(N <= 6) };
    let mut all = [0; 6];
    all[..N].copy_from_slice(&args);
    let ret: isize;
    // SAFETY: the kernel keeps every register but these three; the rest is the caller's duty.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") nr as isize => ret,
            in("rdi") all[0], in("rsi") all[1], in("rdx") all[2],
            in("r10") all[3], in("r8") all[4], in("r9") all[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    // The last page of numbers is for errors.
    if (-4095..0).contains(&ret) { Err(-ret as i32) } else { Ok(ret.cast_unsigned()) }
}

/// A signed argument as the kernel takes it.
const fn signed(value: c_int) -> usize {
    (value as isize).cast_unsigned()
}

/// A call that takes numbers only and may not run anything or touch memory.
fn plain<const N: usize>(nr: c_long, args: [usize; N]) -> Result<i32, i32> {
    // SAFETY: the callers below pass no addresses.
    unsafe { call(nr, args) }.map(|value| value as i32)
}

/// Sets the calling thread's errno, for C.
pub fn set_errno(errno: i32) {
    // SAFETY: the C library gives a valid pointer to this thread's own.
    unsafe { *libc::__errno_location() = errno };
}

/// The process.
pub fn getpid() -> i32 {
    plain(libc::SYS_getpid, []).unwrap_or_default()
}

/// The thread.
pub fn gettid() -> i32 {
    plain(libc::SYS_gettid, []).unwrap_or_default()
}

/// Blocks every signal of the calling thread; returns the mask before.
pub fn block_signals() -> u64 {
    let (all, mut old) = (!0u64, 0u64);
    let args = [
        signed(libc::SIG_SETMASK),
        (&raw const all).expose_provenance(),
        (&raw mut old).expose_provenance(),
        MASK_LEN,
    ];
    // SAFETY: both masks are live locals of the length told.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, args) };
    old
}

/// Sets the mask of the calling thread.
pub fn set_signal_mask(mask: u64) {
    let args = [signed(libc::SIG_SETMASK), (&raw const mask).expose_provenance(), 0, MASK_LEN];
    // SAFETY: the mask is a live local of the length told.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, args) };
}

/// Sleeps while `word` is `value`; returns for other reasons too.
pub fn futex_wait(word: &AtomicI32, value: i32) {
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word is borrowed for the call; there is no limit of time.
    let _ = unsafe {
        call(libc::SYS_futex, [word.as_ptr().expose_provenance(), signed(operation), signed(value), 0])
    };
}

/// Wakes one thread that sleeps on `word`.
pub fn futex_wake(word: &AtomicI32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel takes the address as a name and reads nothing.
    let _ = unsafe { call(libc::SYS_futex, [word.as_ptr().expose_provenance(), signed(operation), 1]) };
}

/// A pair of connected sockets that keep messages apart.
pub fn socketpair() -> Result<[c_int; 2], i32> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    let args = [signed(libc::AF_UNIX), signed(kind), 0, ends.as_mut_ptr().expose_provenance()];
    // SAFETY: the kernel writes two descriptors into a live array of two.
    unsafe { call(libc::SYS_socketpair, args) }?;
    Ok(ends)
}

/// Closes a descriptor of ours.
pub fn close(fd: c_int) {
    let _ = plain(libc::SYS_close, [signed(fd)]);
}

/// Gives the process a table of descriptors of its own, in which there are none from `first` on.
pub fn close_from(first: c_int) {
    let _ =
        plain(libc::SYS_close_range, [signed(first), u32::MAX as usize, libc::CLOSE_RANGE_UNSHARE as usize]);
}

/// Duplicates a descriptor to the first free number from `lowest` on, to survive execve(2).
pub fn duplicate_from(lowest: c_int, fd: c_int) -> Result<c_int, i32> {
    plain(libc::SYS_fcntl, [signed(fd), signed(libc::F_DUPFD), signed(lowest)])
}

/// Duplicates a descriptor to this number, to survive execve(2).
pub fn duplicate_to(fd: c_int, to: c_int) -> Result<c_int, i32> {
    plain(libc::SYS_dup2, [signed(fd), signed(to)])
}

/// `EBADF` unless the descriptor is open.
pub fn is_open(fd: c_int) -> Result<(), i32> {
    plain(libc::SYS_fcntl, [signed(fd), signed(libc::F_GETFD)]).map(drop)
}

/// Lets a descriptor survive execve(2).
pub fn keep_over_exec(fd: c_int) -> Result<(), i32> {
    plain(libc::SYS_fcntl, [signed(fd), signed(libc::F_SETFD), 0]).map(drop)
}

/// Sends one message, whole.
pub fn send(socket: c_int, message: &[u8]) -> Result<(), i32> {
    let (address, flags) = (message.as_ptr().expose_provenance(), signed(libc::MSG_NOSIGNAL));
    // SAFETY: the kernel reads from a borrowed buffer, not beyond its length.
    unsafe { call(libc::SYS_sendto, [signed(socket), address, message.len(), flags]) }.map(drop)
}

/// Takes a message that has come; its length, 0 when none will come.
pub fn receive(socket: c_int, message: &mut [u8]) -> Result<usize, i32> {
    let (address, flags) = (message.as_mut_ptr().expose_provenance(), libc::MSG_DONTWAIT | libc::MSG_TRUNC);
    // SAFETY: the kernel writes into a borrowed buffer, not beyond its length.
    unsafe { call(libc::SYS_recvfrom, [signed(socket), address, message.len(), signed(flags)]) }
}

/// Waits without limit until one of two descriptors is readable. This is the call that is answered with 0 in an image;
/// as it has no limit, the kernel never does.
pub fn wait_readable(fds: &mut [libc::pollfd; 2]) -> Result<usize, i32> {
    let args = [fds.as_mut_ptr().expose_provenance(), fds.len(), 0, 0, MASK_LEN];
    // SAFETY: the array is borrowed for the call and has the length told; there is no limit and no other mask.
    unsafe { call(libc::SYS_ppoll, args) }
}

/// Collects a child of any kind and waits for its end if need be; one that is not ours is no concern.
pub fn reap(pid: c_int) {
    // Neither status nor usage is asked for.
    while plain(libc::SYS_wait4, [signed(pid), 0, signed(libc::__WALL), 0]) == Err(libc::EINTR) {}
}

/// Lets a process trace this one where Yama restricts that; 0: none.
pub fn set_ptracer(pid: c_int) {
    // It fails where there is no Yama, and then nothing is restricted.
    let _ = plain(libc::SYS_prctl, [signed(libc::PR_SET_PTRACER), signed(pid), 0, 0, 0]);
}

/// Whether others of this user may trace the process (PR_SET_DUMPABLE).
pub fn is_dumpable() -> bool {
    plain(libc::SYS_prctl, [signed(libc::PR_GET_DUMPABLE), 0, 0, 0, 0]) == Ok(1)
}

/// Changes that.
pub fn set_dumpable(dumpable: bool) {
    let _ = plain(libc::SYS_prctl, [signed(libc::PR_SET_DUMPABLE), dumpable.into(), 0, 0, 0]);
}

/// Names the calling thread.
pub fn set_name(name: &[u8; crate::wire::COMM]) {
    let mut text = *name;
    text[crate::wire::COMM - 1] = 0;
    let args = [signed(libc::PR_SET_NAME), text.as_ptr().expose_provenance(), 0, 0, 0];
    // SAFETY: the kernel reads 16 bytes up to a NUL, which is the last at the latest.
    let _ = unsafe { call(libc::SYS_prctl, args) };
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
