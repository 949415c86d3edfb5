//! How long a thread has been asleep in its call, which no call tells of another thread.
//!
//! The scheduler keeps when a thread last ran (`se.exec_start` in /proc/PID/task/TID/sched, milliseconds of the clock of
//! the processor it ran on). Looked at before the thread is stopped, and again when it stands still, it tells how long
//! the sleep was. A thread that ran in between was in another wait: one that did not has given up its processor exactly
//! once more, for the stop.

use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::procfs::Proc;

/// What the scheduler says about a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// When it last ran, nanoseconds of that processor's clock.
    ran: u64,
    /// The processor.
    cpu: usize,
    /// How often it has given up its processor.
    switches: u64,
}

impl Look {
    /// Looks at a thread; nothing if the kernel does not say (`CONFIG_SCHED_DEBUG`, which ended with Linux 6.15).
    pub fn at(task: &Proc) -> Option<Self> {
        let text = task.read("sched").ok()?;
        let text = std::str::from_utf8(&text).ok()?;
        let (millis, nanos) = value(text, "se.exec_start")?.split_once('.')?;
        let ran = millis.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(nanos.parse().ok()?)?;
        let switches = value(text, "nr_voluntary_switches")?.parse().ok()?;
        // proc_pid_stat(5): the name, which is in parentheses, is field 2, the processor field 39.
        let stat = task.read("stat").ok()?;
        let behind = stat.iter().rposition(|b| *b == b')')? + 1;
        let cpu = std::str::from_utf8(stat.get(behind..)?).ok()?.split_whitespace().nth(36)?.parse().ok()?;
        Some(Self { ran, cpu, switches })
    }

    /// How long the thread slept that was looked at when it slept, and now that it has been stopped; nothing if it was
    /// not the same sleep.
    pub fn slept(self, stopped: Self) -> Option<Duration> {
        if stopped.switches != self.switches + 1 || self.ran == 0 {
            return None;
        }
        let ahead = if self.cpu == stopped.cpu { 0 } else { clock(stopped.cpu)? - clock(self.cpu)? };
        let nanos = i128::from(stopped.ran) - ahead - i128::from(self.ran);
        Some(Duration::from_nanos(u64::try_from(nanos).ok()?))
    }
}

/// The value of a line `name : value`.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// How far the scheduler's clock of a processor is ahead of CLOCK_MONOTONIC: each leaves out the time that its own
/// interrupts took. Asked by running there for a moment.
fn clock(cpu: usize) -> Option<i128> {
    let own = Pid::from_raw(0);
    let before = sched_getaffinity(own).ok()?;
    let mut there = CpuSet::new();
    there.set(cpu).ok()?;
    sched_setaffinity(own, &there).ok()?;
    let read = || {
        // Only a thread that is given the processor anew is noted at once.
        std::thread::sleep(Duration::from_nanos(1));
        let own = Proc::open(nix::unistd::gettid().as_raw()).ok()?;
        let look = Look::at(&own)?;
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).ok()?;
        let now = i128::from(now.tv_sec()) * 1_000_000_000 + i128::from(now.tv_nsec());
        Some(i128::from(look.ran) - now)
    };
    let ahead = read();
    let _ = sched_setaffinity(own, &before);
    ahead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_by_their_whole_name() {
        let text = "se.exec_start   :  6286760.470291\nnr_switches : 3\nnr_voluntary_switches  :  2\n";
        assert_eq!(value(text, "se.exec_start"), Some("6286760.470291"));
        assert_eq!(value(text, "nr_voluntary_switches"), Some("2"));
        assert_eq!(value(text, "switches"), None);
    }

    #[test]
    fn a_thread_that_ran_in_between_was_in_another_sleep() {
        let look = Look { ran: 1000, cpu: 0, switches: 7 };
        let stopped = |switches| Look { ran: 5000, cpu: 0, switches };
        assert_eq!(look.slept(stopped(8)), Some(Duration::from_nanos(4000)));
        assert_eq!((look.slept(stopped(7)), look.slept(stopped(9))), (None, None));
        assert_eq!(look.slept(Look { ran: 999, ..stopped(8) }), None);
    }
}
