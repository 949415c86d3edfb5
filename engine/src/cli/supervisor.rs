//! Two processes for one checkpoint: the front, which the user sees, and the worker, which holds the target.
//!
//! A process that is killed while it makes a system call inside a target would leave the target in the middle of it.
//! So the one that can be killed by its name, by Ctrl-C or by the shell is not the one that does the work. Between
//! them is a socket: the front writes to call the checkpoint off, the worker to be stopped by tests, and each
//! sees the other's end as the end of the stream. The worker then finishes its current step, puts the target back and
//! leaves; that also holds when the front dies of SIGKILL.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use stasis_engine::sys::worker::{Side, fork};

/// Signals that call a checkpoint off.
pub const CANCEL: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Front to worker: give up. Any other byte: go on after a pause.
const GIVE_UP: u8 = b'x';
const GO_ON: u8 = b'c';

/// The worker's side.
#[derive(Debug)]
pub struct Worker {
    front: UnixStream,
    signalled: Arc<AtomicBool>,
    given_up: AtomicBool,
}

impl Worker {
    /// A worker for whoever has the other end of this socket.
    pub fn of(front: UnixStream) -> Self {
        Self { front, signalled: Arc::default(), given_up: AtomicBool::new(false) }
    }

    /// Whether the checkpoint is called off.
    pub fn is_cancelled(&self) -> bool {
        if self.signalled.load(Ordering::Relaxed) || self.given_up.load(Ordering::Relaxed) {
            return true;
        }
        let mut fds = [PollFd::new(self.front.as_fd(), PollFlags::POLLIN)];
        if !matches!(nix::poll::poll(&mut fds, PollTimeout::ZERO), Ok(1)) {
            return false;
        }
        let mut byte = [0];
        let given_up = match (&self.front).read(&mut byte) {
            Ok(0) => true,
            Ok(_) => byte[0] == GIVE_UP,
            Err(_) => false,
        };
        self.given_up.fetch_or(given_up, Ordering::Relaxed);
        given_up
    }

    /// Becomes readable when [`Self::is_cancelled`] may have changed.
    pub fn changes(&self) -> BorrowedFd<'_> {
        self.front.as_fd()
    }

    /// Has the front stop itself with SIGSTOP, and waits until it was continued, or has ended.
    pub fn pause(&self) {
        let mut front = &self.front;
        if front.write_all(b"p").is_err() {
            return;
        }
        let mut byte = [0];
        loop {
            match front.read(&mut byte) {
                Ok(1) if byte[0] != GIVE_UP => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return self.given_up.store(true, Ordering::Relaxed),
            }
        }
    }
}

/// Runs `work` in a worker and gives its exit code, or 128+n if it was called off by signal n.
pub fn run(work: impl FnOnce(Worker) -> u8) -> Result<u8> {
    let (front, worker) = UnixStream::pair().context("no socket for the worker")?;
    match fork().context("the worker could not be started")? {
        Side::Worker => {
            drop(front);
            // `killall -9 stasis` is meant for the front. A name cannot fail to be set.
            let _ = nix::sys::prctl::set_name(c"stasis-worker");
            let signalled = Arc::new(AtomicBool::new(false));
            for signal in CANCEL {
                signal_hook::flag::register(signal, Arc::clone(&signalled))
                    .context("no handler for signals")?;
            }
            let code = work(Worker { front: worker, signalled, given_up: AtomicBool::new(false) });
            std::process::exit(code.into());
        }
        Side::Front(pid) => {
            drop(worker);
            watch(Pid::from_raw(pid), front)
        }
    }
}

/// The front's whole life: it passes on, and ends as the worker does.
fn watch(pid: Pid, mut worker: UnixStream) -> Result<u8> {
    let caught = Arc::new(AtomicUsize::new(0));
    let (wake, wakes) = UnixStream::pair().context("no pipe for signals")?;
    wakes.set_nonblocking(true)?;
    for signal in CANCEL {
        signal_hook::flag::register_usize(signal, Arc::clone(&caught), signal.unsigned_abs() as usize)?;
        signal_hook::low_level::pipe::register(signal, wake.try_clone()?)?;
    }
    let mut told = false;
    loop {
        let both = [worker.as_fd(), wakes.as_fd()];
        let mut fds = both.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match nix::poll::poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error).context("waiting for the worker failed"),
        }
        let speaks = fds[0].any() == Some(true);
        // Empties the pipe; what matters is in `caught`.
        let _ = (&wakes).read(&mut [0; 64]);
        if speaks {
            match worker.read(&mut [0]) {
                Ok(1) => {
                    raise(Signal::SIGSTOP).context("no pause")?;
                    if caught.load(Ordering::Relaxed) == 0 {
                        let _ = worker.write_all(&[GO_ON]);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        if caught.load(Ordering::Relaxed) != 0 && !told {
            told = true;
            // Should the worker be gone, the next round sees it.
            let _ = worker.write_all(&[GIVE_UP]);
        }
    }
    let status = loop {
        match waitpid(pid, None) {
            Err(nix::errno::Errno::EINTR) => {}
            status => break status.context("the worker's end was not seen")?,
        }
    };
    let signal = u8::try_from(caught.load(Ordering::Relaxed)).unwrap_or_default();
    Ok(match status {
        WaitStatus::Exited(_, 0) => 0,
        WaitStatus::Exited(..) if signal != 0 => 128 + signal,
        WaitStatus::Exited(_, code) => u8::try_from(code).unwrap_or(crate::cli::failure::FAILED),
        WaitStatus::Signaled(_, signal, _) => anyhow::bail!("the worker was ended by {signal}"),
        _ => crate::cli::failure::FAILED,
    })
}
