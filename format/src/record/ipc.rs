//! Objects behind descriptors that have no file: pipes and the anonymous inodes.

/// EPOLL* of epoll_ctl(2).
pub const EPOLL_EVENTS: &[(u64, &str)] = &[
    (0x1, "EPOLLIN"),
    (0x2, "EPOLLPRI"),
    (0x4, "EPOLLOUT"),
    (0x8, "EPOLLERR"),
    (0x10, "EPOLLHUP"),
    (0x40, "EPOLLRDNORM"),
    (0x80, "EPOLLRDBAND"),
    (0x100, "EPOLLWRNORM"),
    (0x200, "EPOLLWRBAND"),
    (0x400, "EPOLLMSG"),
    (0x2000, "EPOLLRDHUP"),
    (1 << 28, "EPOLLEXCLUSIVE"),
    (1 << 29, "EPOLLWAKEUP"),
    (1 << 30, "EPOLLONESHOT"),
    (1 << 31, "EPOLLET"),
];

/// Bits of [`Pipe::flags`].
pub const PIPE_FLAGS: &[(u64, &str)] = &[(1, "FIFO"), (2, "PACKETS")];

/// TFD_TIMER_* of timerfd_settime(2).
pub const TIMERFD_FLAGS: &[(u64, &str)] = &[(1, "TFD_TIMER_ABSTIME"), (2, "TFD_TIMER_CANCEL_ON_SET")];

records! {
    /// A pipe or FIFO; EXTENTs hold what was in it. Of a pipe with PACKETS (O_DIRECT, pipe(2)) that is each packet behind
    /// its length as u32.
    Pipe = 306 "PIPE" {
        /// Its size (F_GETPIPE_SZ).
        capacity: u64 => Size,
        /// Bytes in it.
        size: u64 => Size,
        /// FIFO's INODE, 0 for a pipe.
        inode: u32 => Ref,
        /// Kind.
        flags: u32 => Flags(PIPE_FLAGS),
    }

    /// An eventfd counter.
    Eventfd = 307 "EVENTFD" {
        /// Count.
        count: u64 => Dec,
        /// 1 for EFD_SEMAPHORE.
        semaphore: u32 => Dec,
        /// Always zero.
        pad: u32 => Zero,
    }

    /// An epoll instance; EPOLL_TARGETs belong to it.
    Epoll = 308 "EPOLL" {
        /// Targets in it.
        nr_targets: u64 => Dec,
    }

    /// A descriptor watched by an epoll instance.
    EpollTarget = 309 "EPOLL_TARGET" {
        /// Descriptor number it was added under.
        fd: u32 => Dec,
        /// Events watched.
        events: u32 => Flags(crate::record::EPOLL_EVENTS),
        /// The program's own datum.
        data: u64 => Hex,
        /// Open file description watched.
        file: u32 => Ref,
        /// Always zero.
        pad: u32 => Zero,
    }

    /// A timer descriptor.
    Timerfd = 310 "TIMERFD" {
        /// Clock.
        clockid: u32 => Enum(crate::record::CLOCKS),
        /// Flags of timerfd_settime(2).
        settime_flags: u32 => Flags(crate::record::TIMERFD_FLAGS),
        /// Expirations not yet read.
        ticks: u64 => Dec,
        /// Time left until the next expiration, 0 when disarmed.
        value: u64 => Nanos,
        /// Interval.
        interval: u64 => Nanos,
    }

    /// A signal descriptor.
    Signalfd = 311 "SIGNALFD" {
        /// Signals it takes.
        mask: u64 => Sigset,
    }

    /// A process descriptor.
    Pidfd = 312 "PIDFD" {
        /// Process, as a pid of the image.
        pid: u32 => Dec,
        /// Always zero.
        pad: u32 => Zero,
    }

    /// The other end lies outside the tree; it is taken from the process that restarts the image.
    External = 313 "EXTERNAL", tail description: Text "What it was, as /proc/PID/fd shows it." {
        /// What it leads to.
        kind: u32 => Enum(crate::record::EXTERNAL_KINDS),
        /// Always zero.
        pad: u32 => Zero,
    }
}
