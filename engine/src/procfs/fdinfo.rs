//! `/proc/PID/fdinfo/N`.

use super::{ParseError, missing, number};

/// What fdinfo says of a descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FdInfo {
    /// Offset.
    pub pos: u64,
    /// Status flags, with O_CLOEXEC if the descriptor has it.
    pub flags: u32,
    /// Locks seen through it.
    pub locks: Vec<LockLine>,
    /// What is particular to its kind.
    pub kind: FdKind,
}

/// What is particular to a kind of descriptor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FdKind {
    /// Nothing.
    #[default]
    Plain,
    /// An eventfd.
    Eventfd {
        /// Count.
        count: u64,
        /// Whether reads take one at a time.
        semaphore: bool,
    },
    /// An epoll instance.
    Epoll {
        /// What it watches.
        targets: Vec<EpollLine>,
    },
    /// A timerfd; times in nanoseconds.
    Timerfd {
        /// Clock.
        clockid: i32,
        /// Expirations not yet read.
        ticks: u64,
        /// Flags of timerfd_settime(2).
        settime_flags: u32,
        /// Time left.
        value: u64,
        /// Interval.
        interval: u64,
    },
    /// A signalfd.
    Signalfd {
        /// Signals it takes.
        mask: u64,
    },
    /// A pidfd.
    Pidfd {
        /// Process, -1 when it has ended.
        pid: i64,
    },
}

/// A descriptor watched by epoll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpollLine {
    /// Number it was added under.
    pub tfd: i32,
    /// Events.
    pub events: u32,
    /// The program's datum.
    pub data: u64,
}

/// Kinds of lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// fcntl(2) F_SETLK.
    Posix,
    /// fcntl(2) F_OFD_SETLK.
    Ofd,
    /// flock(2).
    Flock,
    /// A lease or delegation.
    Lease,
    /// Anything else.
    Other,
}

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockLine {
    /// Kind.
    pub kind: LockKind,
    /// Whether it excludes readers.
    pub write: bool,
    /// First byte.
    pub start: u64,
    /// Last byte; none for up to the end of the file.
    pub end: Option<u64>,
}

/// Parses fdinfo.
pub fn parse_fdinfo(text: &[u8]) -> Result<FdInfo, ParseError> {
    let mut info = FdInfo { pos: 0, flags: 0, locks: Vec::new(), kind: FdKind::Plain };
    for line in text.split(|b| *b == b'\n') {
        let Ok(line_text) = std::str::from_utf8(line) else { continue };
        let Some((name, value)) = line_text.split_once(':') else { continue };
        let value = value.trim();
        let dec = || number(value.as_bytes(), 10).ok_or_else(|| missing("number", line));
        let hex = || number(value.as_bytes(), 16).ok_or_else(|| missing("number", line));
        let oct = || number(value.as_bytes(), 8).ok_or_else(|| missing("number", line));
        match name {
            "pos" => info.pos = dec()?,
            "flags" => info.flags = oct()? as u32,
            "lock" => info.locks.push(lock(value).ok_or_else(|| missing("lock", line))?),
            // The count is written in hexadecimal (fs/eventfd.c).
            "eventfd-count" => info.kind = FdKind::Eventfd { count: hex()?, semaphore: false },
            "eventfd-semaphore" => {
                if let FdKind::Eventfd { semaphore, .. } = &mut info.kind {
                    *semaphore = dec()? != 0;
                }
            }
            "tfd" => {
                let target = epoll(line_text).ok_or_else(|| missing("epoll target", line))?;
                match &mut info.kind {
                    FdKind::Epoll { targets } => targets.push(target),
                    kind => *kind = FdKind::Epoll { targets: vec![target] },
                }
            }
            "clockid" => {
                let clockid = value.parse().map_err(|_| missing("clock", line))?;
                info.kind = FdKind::Timerfd { clockid, ticks: 0, settime_flags: 0, value: 0, interval: 0 };
            }
            "ticks" | "settime flags" | "it_value" | "it_interval" => {
                if let FdKind::Timerfd { ticks, settime_flags, value: left, interval, .. } = &mut info.kind {
                    match name {
                        "ticks" => *ticks = dec()?,
                        "settime flags" => *settime_flags = oct()? as u32,
                        "it_value" => *left = timespec(value).ok_or_else(|| missing("time", line))?,
                        _ => *interval = timespec(value).ok_or_else(|| missing("time", line))?,
                    }
                }
            }
            "sigmask" => info.kind = FdKind::Signalfd { mask: hex()? },
            "Pid" => info.kind = FdKind::Pidfd { pid: value.parse().map_err(|_| missing("pid", line))? },
            _ => {}
        }
    }
    Ok(info)
}

/// `(seconds, nanoseconds)`.
fn timespec(text: &str) -> Option<u64> {
    let (s, ns) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(", ")?;
    s.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(ns.parse().ok()?)
}

/// `tfd: 3 events: 19 data: 3  pos:0 ino:40e sdev:10`, fs/eventpoll.c.
fn epoll(line: &str) -> Option<EpollLine> {
    let mut words = line.split_whitespace();
    let mut after = |name: &str| {
        words.by_ref().find(|w| *w == name)?;
        words.next()
    };
    Some(EpollLine {
        tfd: after("tfd:")?.parse().ok()?,
        events: u32::from_str_radix(after("events:")?, 16).ok()?,
        data: u64::from_str_radix(after("data:")?, 16).ok()?,
    })
}

/// `1: POSIX  ADVISORY  WRITE 23438 fe:00:10010680 5 14`, as in /proc/locks.
fn lock(text: &str) -> Option<LockLine> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let kind = match *words.get(1)? {
        "POSIX" => LockKind::Posix,
        "OFDLCK" => LockKind::Ofd,
        "FLOCK" => LockKind::Flock,
        "LEASE" | "DELEG" => LockKind::Lease,
        _ => LockKind::Other,
    };
    let write = *words.get(3)? == "WRITE";
    let end = match *words.get(7)? {
        "EOF" => None,
        n => Some(n.parse().ok()?),
    };
    Some(LockLine { kind, write, start: words.get(6)?.parse().ok()?, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_descriptor_is_recognised() {
        let kind = |t: &str| parse_fdinfo(format!("pos:\t7\nflags:\t02000002\n{t}").as_bytes()).unwrap().kind;
        assert_eq!(
            kind("eventfd-count:  fffffffffffffffe\neventfd-id: 1\neventfd-semaphore: 1\n"),
            FdKind::Eventfd { count: u64::MAX - 1, semaphore: true }
        );
        assert_eq!(
            kind("tfd:        3 events:       19 data:                a  pos:0 ino:40e sdev:10\n"),
            FdKind::Epoll { targets: vec![EpollLine { tfd: 3, events: 0x19, data: 10 }] }
        );
        assert_eq!(
            kind("clockid: 1\nticks: 2\nsettime flags: 01\nit_value: (99, 5)\nit_interval: (1, 7)\n"),
            FdKind::Timerfd {
                clockid: 1,
                ticks: 2,
                settime_flags: 1,
                value: 99_000_000_005,
                interval: 1_000_000_007
            }
        );
        assert_eq!(kind("sigmask:\t0000000000000005\n"), FdKind::Signalfd { mask: 5 });
        assert_eq!(kind("Pid:\t-1\nNSpid:\t-1\n"), FdKind::Pidfd { pid: -1 });
    }

    #[test]
    fn locks_keep_their_range() {
        let i = parse_fdinfo(b"pos:\t0\nflags:\t01\nlock:\t1: POSIX  ADVISORY  WRITE 1 fe:00:1 5 14\nlock:\t2: FLOCK  ADVISORY  READ 1 fe:00:1 0 EOF\n").unwrap();
        assert_eq!(i.locks[0], LockLine { kind: LockKind::Posix, write: true, start: 5, end: Some(14) });
        assert_eq!(i.locks[1], LockLine { kind: LockKind::Flock, write: false, start: 0, end: None });
    }

    #[test]
    fn locks_of_descriptions_and_leases_have_kinds_of_their_own() {
        // As Linux 6.18 prints them; an OFD lock has no owner.
        let i = parse_fdinfo(b"pos:\t0\nflags:\t0100002\nmnt_id:\t27\nino:\t1\nlock:\t1: OFDLCK ADVISORY  READ -1 fe:00:10010849 100 EOF\nlock:\t2: LEASE  ACTIVE    WRITE 13896 fe:00:10010866 0 EOF\n").unwrap();
        assert_eq!(i.locks[0], LockLine { kind: LockKind::Ofd, write: false, start: 100, end: None });
        assert_eq!(i.locks[1], LockLine { kind: LockKind::Lease, write: true, start: 0, end: None });
        assert_eq!(i.flags, 0o100_002);
    }

    #[test]
    fn every_descriptor_watched_by_epoll_is_listed() {
        let i = parse_fdinfo(b"pos:\t0\nflags:\t02\ntfd:        4 events: 40000019 data:                0  pos:0 ino:40e sdev:10\ntfd: 123456789 events: 80000019 data: 123456789abcdef0  pos:0 ino:40e sdev:10\n").unwrap();
        let FdKind::Epoll { targets } = i.kind else { panic!("{:?}", i.kind) };
        assert_eq!(targets[0], EpollLine { tfd: 4, events: 0x4000_0019, data: 0 });
        assert_eq!(
            targets[1],
            EpollLine { tfd: 123_456_789, events: 0x8000_0019, data: 0x1234_5678_9abc_def0 }
        );
    }

    #[test]
    fn a_line_cut_short_is_an_error_that_quotes_it() {
        for line in
            ["tfd: 4 events: 19", "lock:\t1: POSIX  ADVISORY  WRITE 1 fe:00:1 5", "it_value: (4", "pos:\tx"]
        {
            let text = format!("clockid: 1\n{line}\n");
            assert!(parse_fdinfo(text.as_bytes()).unwrap_err().to_string().contains(&line[..3]), "{line}");
        }
    }
}
