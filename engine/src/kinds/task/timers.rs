//! Timers of a process: setitimer(2) and timer_create(2).

use stasis_format::record::{Itimer, PosixTimer};

use super::kind::{Making, TaskKind};
use crate::image::model::TaskState;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs;
use crate::sys::abi::{Itimerspec, Itimerval, Sigevent, Timespec};
use crate::tracee::batch::{Batch, args};
use crate::tracee::stub::{Call, Stub};

const NANOS: u64 = 1_000_000_000;
/// `PR_TIMER_CREATE_RESTORE_IDS`, Linux 6.16.
const PR_TIMER_CREATE_RESTORE_IDS: u64 = 77;
/// Most timers that are made and thrown away to reach an identifier on kernels without that call.
const MAX_TRIES: u32 = 100_000;

/// The kind.
#[derive(Debug)]
pub struct Timers;

impl TaskKind for Timers {
    fn capture(&self, c: &mut Capture, task: &mut TaskState) -> Result<(), CaptureError> {
        task.itimers = capture_itimers(c)?;
        task.posix_timers = capture_posix(c)?;
        Ok(())
    }

    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        restore_posix(m.stub, &m.task.posix_timers)
    }

    fn arm(&self, m: &mut Making) -> Result<(), RestoreError> {
        arm(m.stub, &m.task.itimers, &m.task.posix_timers)
    }
}

/// Interval timers that are armed. A periodic one whose signal is still pending shows no time left; the kernel sets it
/// going again when the signal is delivered.
fn capture_itimers(c: &mut Capture) -> Result<Vec<Itimer>, CaptureError> {
    let mut calls = Batch::new();
    let asked = [0u32, 1, 2].map(|which| {
        let timer = calls.room::<Itimerval>();
        (which, calls.ask("an interval timer", libc::SYS_getitimer, args![which, timer]), timer)
    });
    let done = c.target.make(0, &calls)?;
    let mut timers = Vec::new();
    for (which, call, timer) in asked {
        let t: Itimerval =
            done.answer(call, timer).map_err(CaptureError::read("an interval timer", c.target.pid))?;
        let nanos = |s: u64, us: u64| s.saturating_mul(NANOS).saturating_add(us.saturating_mul(1000));
        let (interval, value) = (nanos(t.interval_sec, t.interval_usec), nanos(t.value_sec, t.value_usec));
        if value != 0 || interval != 0 {
            timers.push(Itimer { which, pad: 0, value, interval });
        }
    }
    Ok(timers)
}

/// POSIX timers.
fn capture_posix(c: &mut Capture) -> Result<Vec<PosixTimer>, CaptureError> {
    let pid = c.target.pid;
    let text = c.target.proc.read("timers").map_err(CaptureError::read("the list of timers", pid))?;
    let list = procfs::parse_timers(&text).map_err(CaptureError::parse("timers", pid))?;
    let mut calls = Batch::new();
    let asked: Vec<_> = list
        .into_iter()
        .map(|t| {
            let times = calls.room::<Itimerspec>();
            let call = calls.ask("a timer", libc::SYS_timer_gettime, args![t.id, times]);
            let overrun = calls.ask("the overruns of a timer", libc::SYS_timer_getoverrun, args![t.id]);
            (t, call, times, overrun)
        })
        .collect();
    let done = c.target.make(0, &calls)?;
    let mut timers = Vec::with_capacity(asked.len());
    for (t, call, times, overrun) in asked {
        let times: Itimerspec =
            done.answer(call, times).map_err(CaptureError::read(format!("timer {}", t.id), pid))?;
        let nanos = |t: Timespec| t.sec.saturating_mul(NANOS).saturating_add(t.nsec);
        timers.push(PosixTimer {
            timer_id: t.id as u32,
            clockid: t.clockid,
            notify: t.notify,
            signo: t.signal as u32,
            sigev_value: t.sigev_value,
            tid: t.tid.unwrap_or(0) as u32,
            flags: 0,
            interval: nanos(times.interval),
            value: nanos(times.value),
            overrun: done.result(overrun).max(0) as u32,
            pad: 0,
        });
    }
    Ok(timers)
}

/// Makes the POSIX timers with their identifiers, disarmed.
fn restore_posix(stub: &mut Stub, timers: &[PosixTimer]) -> Result<(), RestoreError> {
    if timers.is_empty() {
        return Ok(());
    }
    let invalid: &[i32] = &[libc::EINVAL];
    let by_id = stub.call(
        Call::new("timer identifiers", libc::SYS_prctl, &[PR_TIMER_CREATE_RESTORE_IDS, 1, 0, 0, 0])
            .forgiving(invalid),
    )? == 0;
    let mut sorted: Vec<&PosixTimer> = timers.iter().collect();
    sorted.sort_by_key(|t| t.timer_id);
    for t in sorted {
        create(stub, t, by_id)?;
    }
    if by_id {
        stub.call(Call::new(
            "timer identifiers",
            libc::SYS_prctl,
            &[PR_TIMER_CREATE_RESTORE_IDS, 0, 0, 0, 0],
        ))?;
    }
    Ok(())
}

fn create(stub: &mut Stub, t: &PosixTimer, by_id: bool) -> Result<(), RestoreError> {
    let mut calls = Batch::new();
    let event = calls.put(&Sigevent {
        value: t.sigev_value,
        signo: t.signo,
        notify: t.notify,
        tid: t.tid,
        ..Sigevent::default()
    });
    // The kernel reads the one that is wanted there, and writes the one that it gave.
    let id = calls.exchanged(&t.timer_id);
    let what = format!("creating timer {}", t.timer_id);
    calls.call(what, libc::SYS_timer_create, args![t.clockid, event, id]);
    for _ in 0..MAX_TRIES {
        let got: u32 = stub.make(&calls)?.read(id);
        if got == t.timer_id {
            return Ok(());
        }
        stub.call(Call::new("deleting a timer", libc::SYS_timer_delete, &[got.into()]))?;
        if by_id {
            break;
        }
    }
    Err(RestoreError::Host(format!("this kernel does not give timer {} its identifier back", t.timer_id)))
}

/// Stops the interval timers, which outlive an execve(2).
pub fn disarm(stub: &mut Stub) -> Result<(), RestoreError> {
    let mut calls = Batch::new();
    let never = calls.put(&Itimerval::default());
    for which in 0..3 {
        calls.call("stopping an interval timer", libc::SYS_setitimer, args![which, never, 0]);
    }
    stub.make(&calls)?;
    Ok(())
}

/// Arms all timers, as the last thing before the process runs. The leader makes the calls.
fn arm(stub: &mut Stub, itimers: &[Itimer], posix: &[PosixTimer]) -> Result<(), RestoreError> {
    let mut calls = Batch::new();
    for t in itimers {
        let value = if t.value == 0 { t.interval } else { t.value };
        let at = calls.put(&Itimerval {
            interval_sec: t.interval / NANOS,
            interval_usec: t.interval % NANOS / 1000,
            value_sec: value / NANOS,
            value_usec: (value % NANOS / 1000).max(u64::from(value < NANOS)),
        });
        calls.call("arming an interval timer", libc::SYS_setitimer, args![t.which, at, 0]);
    }
    for t in posix.iter().filter(|t| t.value != 0) {
        let time = |nanos: u64| Timespec { sec: nanos / NANOS, nsec: nanos % NANOS };
        let at = calls.put(&Itimerspec { interval: time(t.interval), value: time(t.value) });
        let what = format!("arming timer {}", t.timer_id);
        calls.call(what, libc::SYS_timer_settime, args![t.timer_id, 0, at, 0]);
    }
    stub.make(&calls)?;
    Ok(())
}
