//! Timers of a process.

use crate::show::{named, nanos};

/// Interval timers of setitimer(2).
pub const ITIMERS: &[(u64, &str)] = &[(0, "ITIMER_REAL"), (1, "ITIMER_VIRTUAL"), (2, "ITIMER_PROF")];

/// Clocks of clock_gettime(2).
pub const CLOCKS: &[(u64, &str)] = &[
    (0, "CLOCK_REALTIME"),
    (1, "CLOCK_MONOTONIC"),
    (2, "CLOCK_PROCESS_CPUTIME_ID"),
    (3, "CLOCK_THREAD_CPUTIME_ID"),
    (4, "CLOCK_MONOTONIC_RAW"),
    (7, "CLOCK_BOOTTIME"),
    (8, "CLOCK_REALTIME_ALARM"),
    (9, "CLOCK_BOOTTIME_ALARM"),
    (11, "CLOCK_TAI"),
];

/// SIGEV_* of timer_create(2).
pub const SIGEV: &[(u64, &str)] =
    &[(0, "SIGEV_SIGNAL"), (1, "SIGEV_NONE"), (2, "SIGEV_THREAD"), (4, "SIGEV_THREAD_ID")];

/// Bits of [`PosixTimer::flags`].
pub const POSIX_TIMER_FLAGS: &[(u64, &str)] = &[(1, "TIMER_ABSTIME")];

records! {
    /// An interval timer of a task.
    Itimer = 501 "ITIMER", of Task {
        /// Which one.
        which: u32 => Enum(ITIMERS),
        /// Always zero.
        pad: u32 => Zero,
        /// Time left, 0 when disarmed.
        value: u64 => Nanos,
        /// Interval.
        interval: u64 => Nanos,
    } words(timer) { format!("{} {}", named(timer.which, ITIMERS), nanos(timer.value)) }

    /// A POSIX timer of a task.
    PosixTimer = 502 "POSIX_TIMER", of Task {
        /// Identifier that the program knows it by.
        timer_id: u32 => Dec,
        /// Clock.
        clockid: i32 => Dec,
        /// How it notifies.
        notify: u32 => Enum(SIGEV),
        /// Signal that it sends.
        signo: u32 => Signal,
        /// Value that it sends.
        sigev_value: u64 => Hex,
        /// Thread that it notifies (SIGEV_THREAD_ID).
        tid: u32 => Dec,
        /// Bits.
        flags: u32 => Flags(POSIX_TIMER_FLAGS),
        /// Time left, or the instant of the clock if it is absolute; 0 when disarmed.
        value: u64 => Nanos,
        /// Interval.
        interval: u64 => Nanos,
        /// Expirations overrun since the last signal.
        overrun: u32 => Dec,
        /// Always zero.
        pad: u32 => Zero,
    } words(timer) { format!("timer {}, {}", timer.timer_id, nanos(timer.value)) }
}
