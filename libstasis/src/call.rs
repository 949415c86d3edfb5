//! One call, from its beginning to both of its returns.
//!
//! 1. judge what needs no help: flags, the descriptor, the revision;
//! 2. block all signals and take the lock;
//! 3. start the helper, permit it to trace us, and tell it what is wanted;
//! 4. wait for its answer in a ppoll(2) without a limit. In the original it returns when the answer has come. In the
//!    image the helper makes it return 0, which no ppoll without a limit does: that is the second life;
//! 5. in both: take back the permit, give back lock and signals. The descriptors of this call are closed in the
//!    original; in the image they are not.

use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_int, c_ulong, pollfd};

use crate::spawn::{self, Operation};
use crate::wire::{Answer, Request};
use crate::{lock, sys};

/// The next identifier.
static NEXT_ID: AtomicI32 = AtomicI32::new(1);

/// The waiting call's return.
enum Life {
    Original(Answer),
    Restarted,
}

/// The call `checkpoint(pid, fd, flags)`.
pub fn checkpoint(pid: c_int, fd: c_int, flags: c_ulong) -> Result<c_int, i32> {
    let revision = judge(fd, flags)?;
    if pid < 0 {
        return Err(libc::ESRCH);
    }
    unnoticed(|| {
        // Taken before the picture, so that a restarted process does not give out the same identifier.
        let id = NEXT_ID
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| id.checked_add(1))
            .map_err(|_| libc::EOVERFLOW)?;
        match ask(Operation::Checkpoint, pid, fd, revision) {
            Ok(Life::Restarted) => Ok(0),
            Ok(Life::Original(Answer { errno: 0, .. })) => Ok(id),
            failed => {
                // One at a time: nobody has taken another since.
                NEXT_ID.store(id, Ordering::Relaxed);
                Err(failed.map_or_else(|errno| errno, errno_of))
            }
        }
    })
}

/// The call `restart(crid, fd, flags)`. Without a supervisor no image is kept under an identifier.
pub fn restart(_crid: c_int, fd: c_int, flags: c_ulong) -> Result<(), i32> {
    let revision = judge(fd, flags)?;
    unnoticed(|| match ask(Operation::Restart, 0, fd, revision)? {
        Life::Restarted => Ok(()),
        Life::Original(answer) => {
            if let Some(comm) = answer.comm {
                sys::set_name(&comm);
            }
            if answer.errno == 0 { Ok(()) } else { Err(answer.errno) }
        }
    })
}

fn errno_of(life: Life) -> i32 {
    match life {
        Life::Original(answer) => answer.errno,
        Life::Restarted => 0,
    }
}

/// What both calls look at first, in this order; gives the revision of the image.
fn judge(fd: c_int, flags: c_ulong) -> Result<i32, i32> {
    if flags != 0 {
        return Err(libc::EINVAL);
    }
    sys::is_open(fd)?;
    match sys::environment(c"STASIS_REV").map(std::ffi::CStr::to_bytes) {
        None | Some(b"2") => Ok(2),
        Some(b"1") => Ok(1),
        Some(_) => Err(libc::EINVAL),
    }
}

/// Runs `body` with all signals blocked and no other call going on.
fn unnoticed<T>(body: impl FnOnce() -> Result<T, i32>) -> Result<T, i32> {
    let mask = sys::block_signals();
    let held = lock::take();
    let result = body();
    drop(held);
    sys::set_signal_mask(mask);
    result
}

/// Has a helper do it, and waits.
fn ask(operation: Operation, pid: c_int, fd: c_int, revision: i32) -> Result<Life, i32> {
    let [ours, theirs] = sys::socketpair()?;
    let helper = match spawn::spawn(operation, theirs, fd) {
        Ok(helper) => helper,
        Err(errno) => {
            sys::close(ours);
            sys::close(theirs);
            return Err(errno);
        }
    };
    sys::close(theirs);
    if operation == Operation::Restart {
        // The files of the image come through it, when the process is past its execve(2). A failure shows there.
        let _ = sys::keep_over_exec(ours);
    }
    sys::set_ptracer(helper.pid);
    let was_dumpable = sys::is_dumpable();
    if !was_dumpable {
        sys::set_dumpable(true);
    }
    let mut fds = [ours, helper.pidfd].map(|fd| pollfd { fd, events: libc::POLLIN, revents: 0 });
    let caller = sys::getpid();
    let request = Request {
        caller,
        thread: sys::gettid(),
        pid: if pid == 0 { caller } else { pid },
        fd,
        socket: ours,
        pidfd: helper.pidfd,
        revision,
        verbose: sys::environment(c"STASIS_VERBOSE").is_some_and(|value| !value.is_empty()),
        wait: fds.as_mut_ptr() as u64,
    };
    // A helper that has ended already is noticed by the wait.
    let _ = sys::send(ours, &request.to_bytes());
    let life = wait(ours, &mut fds);
    if !was_dumpable {
        sys::set_dumpable(false);
    }
    sys::set_ptracer(0);
    if !matches!(life, Ok(Life::Restarted)) {
        sys::close(ours);
        helper.end();
    }
    life
}

/// Waits for the answer. `EIO`: the helper was killed.
fn wait(socket: c_int, fds: &mut [pollfd; 2]) -> Result<Life, i32> {
    loop {
        match sys::wait_readable(fds) {
            Ok(0) => return Ok(Life::Restarted),
            Ok(_) => break,
            Err(libc::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    let mut message = [0; Answer::LEN + 1];
    let len = sys::receive(socket, &mut message).map_err(|_| libc::EIO)?;
    message.get(..len).and_then(Answer::from_bytes).map(Life::Original).ok_or(libc::EIO)
}
