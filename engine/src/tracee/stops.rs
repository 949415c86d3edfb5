//! How a thread that we hold is let run, and waited for until it stops: the one loop over what ptrace(2) reports.
//!
//! Every time that a thread runs and stops again is a round trip: two changes of process for us, and what a checkpoint of
//! a small process mostly consists of. They are counted.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::sys::ptrace::{self, Stop};

/// What a thread is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// The stop that was asked for, also that of job control.
    Event,
    /// The next entry to or exit from a system call.
    Syscall,
    /// A signal that says that it is done.
    Signal(i32),
    /// Its end.
    End,
}

impl Until {
    fn is(self, stop: Stop) -> bool {
        match self {
            Self::Event => matches!(stop, Stop::Event | Stop::Group(_)),
            Self::Syscall => stop == Stop::Syscall,
            Self::Signal(sig) => stop == Stop::Signal(sig),
            Self::End => stop.is_end(),
        }
    }
}

/// Why a thread did not come to the stop.
#[derive(Debug)]
pub(super) enum Missed {
    /// It ended.
    Ended(Stop),
    /// It has not stopped for as long as we wait.
    Stuck,
    /// A signal came that it must not go on with.
    Signal(i32),
    /// The kernel does not let us have it.
    Kernel(io::Error),
}

/// What happens on the way to a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnTheWay {
    /// This signal is about to be delivered.
    Signal(i32),
    /// An event of clone(2) or fork(2).
    Event(i32),
}

/// How the thread goes on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// With this signal delivered; 0 for none.
    Deliver(i32),
    /// Not at all.
    GiveUp,
}

/// Says how to go on from what happens on the way.
pub(super) type Meanwhile<'a> = &'a mut dyn FnMut(OnTheWay) -> Answer;

static ROUND_TRIPS: AtomicU64 = AtomicU64::new(0);

/// How often a thread that we hold has stopped so far.
pub fn round_trips() -> u64 {
    ROUND_TRIPS.load(Ordering::Relaxed)
}

/// Lets a stopped thread run until it stops for this. `meanwhile` says which signal is delivered (0: none).
pub(super) fn run(tid: i32, until: Until, meanwhile: Meanwhile) -> Result<Stop, Missed> {
    go_on(tid, until, 0)?;
    wait(tid, until, None, meanwhile)
}

/// Waits for this stop of a thread that runs, no longer than `patience` if there is one.
pub(super) fn wait(
    tid: i32,
    until: Until,
    patience: Option<Duration>,
    meanwhile: Meanwhile,
) -> Result<Stop, Missed> {
    loop {
        let stop = match patience {
            Some(patience) => {
                ptrace::wait_for(tid, patience).map_err(Missed::Kernel)?.ok_or(Missed::Stuck)?
            }
            None => ptrace::wait(tid).map_err(Missed::Kernel)?.1,
        };
        ROUND_TRIPS.fetch_add(1, Ordering::Relaxed);
        if until.is(stop) {
            return Ok(stop);
        }
        let deliver = match stop {
            Stop::Exited(_) | Stop::Killed(_) => return Err(Missed::Ended(stop)),
            Stop::Signal(sig) => match meanwhile(OnTheWay::Signal(sig)) {
                Answer::Deliver(sig) => sig,
                Answer::GiveUp => return Err(Missed::Signal(sig)),
            },
            Stop::Other(event) => {
                meanwhile(OnTheWay::Event(event));
                0
            }
            Stop::Event | Stop::Group(_) | Stop::Syscall => 0,
        };
        go_on(tid, until, deliver)?;
    }
}

/// For processes under construction, which have all signals blocked that can be: what comes nevertheless is swallowed, but
/// for those that the kernel sends about what the thread itself has done.
pub(super) fn swallow(event: OnTheWay) -> Answer {
    match event {
        OnTheWay::Signal(libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGSYS) => {
            Answer::GiveUp
        }
        _ => Answer::Deliver(0),
    }
}

fn go_on(tid: i32, until: Until, deliver: i32) -> Result<(), Missed> {
    let gone = |e: io::Error| match e.raw_os_error() {
        // Killed while it stood still: its end is there to be waited for.
        Some(libc::ESRCH) => None,
        _ => Some(Missed::Kernel(e)),
    };
    let went = match until {
        Until::Syscall => ptrace::cont_to_syscall(tid, deliver),
        _ => ptrace::cont(tid, deliver),
    };
    match went.map_err(gone) {
        Ok(()) | Err(None) => Ok(()),
        Err(Some(error)) => Err(error),
    }
}
