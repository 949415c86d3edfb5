//! `stasis run`: a command whose processes may make the calls `checkpoint(pid, fd, flags)` and `restart(crid, fd, flags)`
//! as if the kernel had them.
//!
//! A seccomp filter has the kernel ask us about these two numbers and nothing else. This process only keeps the books: it
//! hears of calls, starts a worker for each, answers, forwards signals, and ends as the command does. It has one thread,
//! so that workers can be forked from it, and they, not it, trace processes.

mod calls;
mod worker;

use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;

use anyhow::{Context as _, anyhow};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;
use stasis_engine::sys::seccomp::Listener;

use crate::cli::args::Run;
use crate::cli::failure::{Explain as _, NOT_RUN, Outcome};
use crate::cli::foreground;
use calls::Calls;

/// Exit codes of shells for a command that is not there, and one that cannot be executed.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

type Signals = SignalDelivery<UnixStream, WithRawSiginfo>;

/// Runs the command to its end and gives its exit code.
pub fn run(args: &Run) -> Outcome {
    if args.nr_checkpoint == args.nr_restart {
        return Err(anyhow!("one number cannot stand for two calls")).code(NOT_RUN);
    }
    let mut signals = listen().context("no handlers for signals").code(NOT_RUN)?;
    let listener = Listener::install([args.nr_checkpoint, args.nr_restart])
        .context("the kernel does not let us answer system calls (seccomp user notification)")
        .hint("a sandbox may forbid it; the library libstasis does without")
        .code(NOT_RUN)?;
    let Some((program, rest)) = args.command.split_first() else {
        return Err(anyhow!("there is no command to run")).code(NOT_RUN);
    };
    let child = match Command::new(program).args(rest).spawn() {
        Ok(child) => Pid::from_raw(child.id().cast_signed()),
        Err(error) => {
            let is_missing = error.kind() == std::io::ErrorKind::NotFound;
            let code = if is_missing { NOT_FOUND } else { NOT_EXECUTABLE };
            let context = format!("{} cannot be run", program.display());
            return Err(anyhow::Error::new(error).context(context)).code(code);
        }
    };
    let mut calls = Calls::new(listener, args);
    loop {
        if let Some(code) = ended(child).code(NOT_RUN)? {
            return Ok(code);
        }
        let asked = wait(&calls, &signals).code(NOT_RUN)?;
        signals.pending().for_each(|info| foreground::forward(&info, child));
        if asked {
            calls.receive();
        }
        calls.collect();
    }
}

fn listen() -> std::io::Result<Signals> {
    let (read, write) = UnixStream::pair()?;
    SignalDelivery::with_pipe(read, write, WithRawSiginfo, foreground::HEARD)
}

/// Reaps what has ended, workers too; the exit code of the command if that has.
fn ended(child: Pid) -> anyhow::Result<Option<u8>> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => {
                return Ok(Some(u8::try_from(code & 0xff).unwrap_or_default()));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                return Ok(Some(128 + u8::try_from(signal as i32).unwrap_or_default()));
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(None),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("the end of the command was not seen"),
        }
    }
}

/// Waits for something to do: whether a call has come.
fn wait(calls: &Calls, signals: &Signals) -> anyhow::Result<bool> {
    let sources: Vec<BorrowedFd> =
        [calls.listener(), signals.get_read().as_fd()].into_iter().chain(calls.sockets()).collect();
    let mut fds: Vec<PollFd> = sources.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    match nix::poll::poll(&mut fds, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error).context("waiting failed"),
    }
    Ok(fds.first().is_some_and(|fd| fd.any() == Some(true)))
}
