//! Starts the helper so that the caller never notices: no SIGCHLD, nothing that it could wait for, no descriptor shared.
//!
//! The helper is the child of a child, the *keeper*. Both borrow the caller's memory until the helper has begun its program
//! (`CLONE_VM`, as posix_spawn(3) does), so nothing is copied, however large the caller is. A program that is started by
//! execve(2) tells its parent of its end by SIGCHLD whatever was asked for; the keeper, which starts none, does not
//! (exit signal 0, clone(2)). So the keeper waits for the helper, and we for the keeper.
//!
//! When the caller is to be replaced, the keeper ends at once instead: it would keep the caller's old memory, and be a
//! child of which the new program knows nothing.
#![allow(unsafe_code)]

use std::convert::Infallible;
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_int, c_void};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    keeper: Option<c_int>,
    _stacks: Stacks,
}

impl Helper {
    /// Waits until it has ended. Not for a second life, in which there is no helper.
    pub fn end(self) {
        sys::close(self.pidfd);
        match self.keeper {
            Some(keeper) => sys::reap(keeper),
            // It is our child only if we are a subreaper or the init of a PID namespace.
            None => sys::reap(self.pid),
        }
    }
}

/// What caller, keeper and helper share until the helper's program has begun.
struct Launch {
    operation: Operation,
    socket: c_int,
    image: c_int,
    helper_stack: *mut u8,
    pid: AtomicI32,
    pidfd: c_int,
    errno: AtomicI32,
    /// 1 when the rest is final.
    done: AtomicI32,
}

/// Starts the helper with one end of a socket and the image's descriptor. `ENOSYS`: there is no program `stasis`.
pub fn spawn(operation: Operation, socket: c_int, image: c_int) -> Result<Helper, i32> {
    let stacks = Stacks::map()?;
    let mut launch = Launch {
        operation,
        socket,
        image,
        helper_stack: stacks.top_of(1),
        pid: AtomicI32::new(-1),
        pidfd: -1,
        errno: AtomicI32::new(0),
        done: AtomicI32::new(0),
    };
    let launch = &raw mut launch;
    // The helper's pidfd is to be ours, so the keeper shares our table of descriptors; the helper gets a copy.
    let flags = libc::CLONE_VM | libc::CLONE_FILES;
    // SAFETY: `launch` is not used by the keeper any more when it says that it is done, which is waited for; the stack is
    // unmapped when the keeper has ended.
    let keeper = unsafe { libc::clone(keeper, stacks.top_of(0).cast(), flags, launch.cast()) };
    if keeper < 0 {
        return Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EAGAIN));
    }
    // SAFETY: a live local; what others change are atomics, and the pidfd before `done`.
    let (pid, errno, pidfd) = unsafe {
        let done = &(*launch).done;
        while done.load(Ordering::Acquire) == 0 {
            sys::futex_wait(done, 0);
        }
        ((*launch).pid.load(Ordering::Relaxed), (*launch).errno.load(Ordering::Relaxed), (*launch).pidfd)
    };
    let stays = operation == Operation::Checkpoint;
    if !stays || errno != 0 {
        sys::reap(keeper);
    }
    if errno != 0 {
        if pid >= 0 {
            sys::close(pidfd);
        }
        return Err(if errno == libc::ENOENT { libc::ENOSYS } else { errno });
    }
    Ok(Helper { pid, pidfd, keeper: stays.then_some(keeper), _stacks: stacks })
}

/// The keeper: starts the helper, and waits for it if it is to stay.
extern "C" fn keeper(launch: *mut c_void) -> c_int {
    let launch: *mut Launch = launch.cast();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD;
    // SAFETY: `launch` is the caller's and stays until it is told that we are done. The helper has left it and its stack
    // when clone returns (CLONE_VFORK).
    let (pid, stays) = unsafe {
        let pidfd = &raw mut (*launch).pidfd;
        let pid = libc::clone(helper, (*launch).helper_stack.cast(), flags, launch.cast(), pidfd);
        if pid < 0 {
            (*launch).errno.store(libc::EAGAIN, Ordering::Relaxed);
        }
        (*launch).pid.store(pid, Ordering::Relaxed);
        let failed = (*launch).errno.load(Ordering::Relaxed) != 0;
        let stays = failed || (*launch).operation == Operation::Checkpoint;
        // The caller's files are its own; it may end before us.
        sys::close_from(0);
        let done = &(*launch).done;
        done.store(1, Ordering::Release);
        sys::futex_wake(done);
        (pid, stays)
    };
    if stays && pid >= 0 {
        sys::reap(pid);
    }
    0
}

/// The helper, up to its program. What it returns is its exit code.
extern "C" fn helper(launch: *mut c_void) -> c_int {
    let launch: *const Launch = launch.cast_const().cast();
    // SAFETY: it stays until this process has ended or begun its program, and nobody changes what is read here.
    let launch = unsafe { &*launch };
    match begin(launch.operation, launch.socket, launch.image) {
        Err(errno) => launch.errno.store(errno, Ordering::Relaxed),
        Ok(never) => match never {},
    }
    127
}

/// Puts the descriptors where the helper expects them and becomes the program.
fn begin(operation: Operation, socket: c_int, image: c_int) -> Result<Infallible, i32> {
    // Out of the way of the numbers that they will get.
    let socket = sys::duplicate_from(10, socket)?;
    let image = sys::duplicate_from(10, image)?;
    sys::duplicate_to(socket, HELPER_SOCKET)?;
    sys::duplicate_to(image, HELPER_IMAGE)?;
    // The caller's other descriptors are none of the helper's business: it would keep pipes open.
    sys::close_from(HELPER_IMAGE + 1);
    let operation = match operation {
        Operation::Checkpoint => c"checkpoint",
        Operation::Restart => c"restart",
    };
    Err(exec_any(operation))
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
    let argv = [c"stasis".as_ptr(), c"call".as_ptr(), operation.as_ptr(), ptr::null()];
    let envp: [*const libc::c_char; 1] = [ptr::null()];
    let args = [
        path.as_ptr().expose_provenance(),
        argv.as_ptr().expose_provenance(),
        envp.as_ptr().expose_provenance(),
    ];
    // SAFETY: strings that end with NUL, arrays that end with null.
    match unsafe { sys::call(libc::SYS_execve, args) } {
        Err(errno) => errno,
        // It does not return but with an error.
        Ok(_) => libc::EIO,
    }
}

/// Memory for the stacks of two children. The caller's own stack may be one for signals, of a few kB.
#[derive(Debug)]
struct Stacks(*mut u8);

impl Stacks {
    fn map() -> Result<Self, i32> {
        let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let args = [0, 2 * STACK, prot as usize, flags as usize, usize::MAX, 0];
        // SAFETY: a new mapping wherever there is room.
        unsafe { sys::call(libc::SYS_mmap, args) }.map(|base| Self(ptr::with_exposed_provenance_mut(base)))
    }

    /// Where stack number `n` begins; it grows down.
    fn top_of(&self, n: usize) -> *mut u8 {
        // At most the end of the mapping.
        self.0.wrapping_add((n + 1) * STACK)
    }
}

impl Drop for Stacks {
    fn drop(&mut self) {
        // SAFETY: our own mapping; who ran on it has ended, or has not been in this life.
        let _ = unsafe { sys::call(libc::SYS_munmap, [self.0.expose_provenance(), 2 * STACK]) };
    }
}
