//! Starts the helper so that the caller never notices: no SIGCHLD, nothing to wait for, no descriptor shared.
//!
//! The helper is the child of a child that ends at once. Both borrow the caller's memory until the helper has begun
//! its program (`CLONE_VM | CLONE_VFORK`, as posix_spawn(3) does), so nothing is copied, however large the caller is.
//! The one in between sends no signal at its end (exit signal 0, clone(2)) and is collected here. All signals are
//! blocked by then, in the helper for good.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::ptr;

use libc::{c_char, c_int, c_void};

use crate::sys;
use crate::wire::{HELPER_IMAGE, HELPER_SOCKET};

/// Where `stasis` was installed, unless `STASIS_PATH` says otherwise: `STASIS_PREFIX` at the time of the build.
const INSTALLED: &str = match option_env!("STASIS_PREFIX") {
    Some(prefix) => prefix,
    None => "/usr/local",
};

/// Stack of each of the two children. Nothing but system calls is made on it.
const STACK: usize = 32 << 10;
/// Longest path of the helper, with its NUL (PATH_MAX of the kernel).
const PATH_MAX: usize = 4096;

/// What the helper is to do.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    /// Save.
    Checkpoint,
    /// Replace.
    Restart,
}

/// A helper that has begun.
#[derive(Debug)]
pub struct Helper {
    /// Its pid.
    pub pid: c_int,
    /// Becomes readable when it ends.
    pub pidfd: c_int,
}

/// What caller and children share.
struct Launch {
    operation: Operation,
    socket: c_int,
    image: c_int,
    helper_stack: *mut u8,
    pid: c_int,
    pidfd: c_int,
    errno: c_int,
}

/// Starts the helper with one end of a socket and the image's descriptor. `ENOSYS`: there is no program `stasis`.
pub fn spawn(operation: Operation, socket: c_int, image: c_int) -> Result<Helper, i32> {
    let stacks = Stacks::map()?;
    let mut launch =
        Launch { operation, socket, image, helper_stack: stacks.top_of(1), pid: -1, pidfd: -1, errno: 0 };
    // The descriptor of the helper is to be ours, so this child shares our table; the helper gets a copy.
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
    // SAFETY: the child runs `between` on a stack of its own and has ended when this returns, so that `launch`, which
    // it alone uses meanwhile, and the stack outlive it.
    let child = unsafe { libc::clone(between, stacks.top_of(0).cast(), flags, (&raw mut launch).cast()) };
    if child < 0 {
        return Err(sys::errno());
    }
    sys::reap(child);
    // SAFETY: read after the children are done with it; volatile, as the compiler knows nothing of them.
    let (pid, pidfd, errno) = unsafe {
        let launch = &raw const launch;
        (
            ptr::read_volatile(&raw const (*launch).pid),
            ptr::read_volatile(&raw const (*launch).pidfd),
            ptr::read_volatile(&raw const (*launch).errno),
        )
    };
    if pid < 0 {
        return Err(if errno == 0 { libc::EAGAIN } else { errno });
    }
    if errno != 0 {
        sys::close(pidfd);
        sys::reap(pid);
        return Err(if errno == libc::ENOENT { libc::ENOSYS } else { errno });
    }
    Ok(Helper { pid, pidfd })
}

/// The child in between: starts the helper and ends.
extern "C" fn between(launch: *mut c_void) -> c_int {
    let launch: *mut Launch = launch.cast();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD;
    // SAFETY: `launch` is the caller's and stays until this process has ended, likewise the stack; the helper has
    // left both when the call returns.
    unsafe {
        let pid = libc::clone(
            helper,
            (*launch).helper_stack.cast(),
            flags,
            launch.cast(),
            &raw mut (*launch).pidfd,
        );
        if pid < 0 {
            (*launch).errno = sys::errno();
        }
        (*launch).pid = pid;
    }
    0
}

/// The helper, up to its program. What it returns is its exit code.
extern "C" fn helper(launch: *mut c_void) -> c_int {
    let launch: *mut Launch = launch.cast();
    // SAFETY: as in `between`; its table of descriptors is its own.
    unsafe {
        (*launch).errno = match begin(&*launch) {
            Err(errno) => errno,
            Ok(never) => match never {},
        };
    }
    127
}

/// Puts the descriptors where the helper expects them and becomes the program.
fn begin(launch: &Launch) -> Result<std::convert::Infallible, i32> {
    // Out of the way of the numbers that they will get.
    let socket = duplicate_from(10, launch.socket)?;
    let image = duplicate_from(10, launch.image)?;
    for (from, to) in [(socket, HELPER_SOCKET), (image, HELPER_IMAGE)] {
        // SAFETY: only numbers are passed.
        if unsafe { libc::dup2(from, to) } < 0 {
            return Err(sys::errno());
        }
    }
    // The caller's other descriptors are none of the helper's business: it would keep pipes open.
    // SAFETY: only numbers are passed.
    unsafe { libc::syscall(libc::SYS_close_range, HELPER_IMAGE + 1, u32::MAX, 0) };
    let operation = match launch.operation {
        Operation::Checkpoint => c"checkpoint",
        Operation::Restart => c"restart",
    };
    Err(exec_any(operation))
}

fn duplicate_from(lowest: c_int, fd: c_int) -> Result<c_int, i32> {
    // SAFETY: only numbers are passed.
    match unsafe { libc::fcntl(fd, libc::F_DUPFD, lowest) } {
        -1 => Err(sys::errno()),
        fd => Ok(fd),
    }
}

/// Tries the places where `stasis` may be; returns when it is in none, with the last error that was another.
fn exec_any(operation: &CStr) -> i32 {
    if let Some(path) = sys::environment(c"STASIS_PATH") {
        return exec(&[path.to_bytes()], operation);
    }
    let mut worst = exec(&[INSTALLED.as_bytes(), b"/bin/stasis"], operation);
    let path = sys::environment(c"PATH").map_or(&b"/usr/bin:/bin"[..], CStr::to_bytes);
    for dir in path.split(|byte| *byte == b':').filter(|dir| !dir.is_empty()) {
        match exec(&[dir, b"/stasis"], operation) {
            libc::ENOENT | libc::ENOTDIR => {}
            errno => worst = errno,
        }
    }
    worst
}

/// Becomes the program at this path, given in parts. It gets no environment: what preloads libraries into the caller
/// has no place in the helper.
fn exec(parts: &[&[u8]], operation: &CStr) -> i32 {
    let mut path = [0u8; PATH_MAX];
    let mut len = 0;
    for part in parts {
        match path.get_mut(len..len + part.len()) {
            Some(room) => room.copy_from_slice(part),
            None => return libc::ENAMETOOLONG,
        }
        len += part.len();
    }
    if len >= PATH_MAX {
        return libc::ENAMETOOLONG;
    }
    let argv: [*const c_char; 4] = [c"stasis".as_ptr(), c"call".as_ptr(), operation.as_ptr(), ptr::null()];
    let envp: [*const c_char; 1] = [ptr::null()];
    // SAFETY: strings that end with NUL, arrays that end with null.
    unsafe { libc::execve(path.as_ptr().cast(), argv.as_ptr(), envp.as_ptr()) };
    sys::errno()
}

/// Memory for the stacks of two children. The caller's own stack may be one for signals, of a few kB.
struct Stacks(*mut u8);

impl Stacks {
    fn map() -> Result<Self, i32> {
        let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping wherever there is room.
        match unsafe { libc::mmap(ptr::null_mut(), 2 * STACK, prot, flags, -1, 0) } {
            libc::MAP_FAILED => Err(sys::errno()),
            base => Ok(Self(base.cast())),
        }
    }

    /// Where stack number `n` begins; it grows down.
    fn top_of(&self, n: usize) -> *mut u8 {
        // At most the end of the mapping.
        self.0.wrapping_add((n + 1) * STACK)
    }
}

impl Drop for Stacks {
    fn drop(&mut self) {
        // SAFETY: our own mapping; the children have ended or begun their program, or there were none.
        unsafe { libc::munmap(self.0.cast(), 2 * STACK) };
    }
}
