//! `/proc/PID/fdinfo/N`.

use super::{ParseError, missing, number};

/// What fdinfo says of a descriptor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FdInfo {
    /// Offset.
    pub pos: u64,
    /// Status flags, with O_CLOEXEC if the descriptor has it.
    pub flags: u32,
    /// Locks seen through it.
    pub locks: Vec<LockLine>,
    /// Its other lines, which are particular to its kind and understood there.
    lines: Vec<String>,
}

impl FdInfo {
    /// What stands behind a name and a colon.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    /// The lines that begin so.
    pub fn starting(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str).filter(move |line| line.starts_with(prefix))
    }

    /// The number behind a name.
    pub fn number(&self, name: &str, radix: u32) -> Result<u64, ParseError> {
        let value = self.value(name).ok_or_else(|| missing("line", name.as_bytes()))?;
        number(value.as_bytes(), radix)
            .ok_or_else(|| missing("number", format!("{name}: {value}").as_bytes()))
    }

    /// The time behind a name, `(seconds, nanoseconds)`, in nanoseconds.
    pub fn timespec(&self, name: &str) -> Result<u64, ParseError> {
        let value = self.value(name).ok_or_else(|| missing("line", name.as_bytes()))?;
        timespec(value).ok_or_else(|| missing("time", format!("{name}: {value}").as_bytes()))
    }
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
    let mut info = FdInfo::default();
    for line in text.split(|b| *b == b'\n') {
        let Ok(line_text) = std::str::from_utf8(line) else { continue };
        let Some((name, value)) = line_text.split_once(':') else { continue };
        let value = value.trim();
        let read = |radix| number(value.as_bytes(), radix).ok_or_else(|| missing("number", line));
        match name {
            "pos" => info.pos = read(10)?,
            "flags" => info.flags = read(8)? as u32,
            "lock" => info.locks.push(lock(value).ok_or_else(|| missing("lock", line))?),
            _ => info.lines.push(line_text.to_owned()),
        }
    }
    Ok(info)
}

/// `(seconds, nanoseconds)`.
fn timespec(text: &str) -> Option<u64> {
    let (s, ns) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(", ")?;
    s.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(ns.parse().ok()?)
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
    fn what_is_particular_to_a_kind_is_found_by_name() {
        let text = "pos:\t7\nflags:\t02000002\nclockid: 1\nticks: 2\nsettime flags: 01\nit_value: (99, 5)\nPid:\t-1\n";
        let info = parse_fdinfo(text.as_bytes()).unwrap();
        assert_eq!((info.pos, info.flags, info.number("ticks", 10).unwrap()), (7, 0o2_000_002, 2));
        assert_eq!((info.number("settime flags", 8).unwrap(), info.value("Pid")), (1, Some("-1")));
        assert_eq!(info.timespec("it_value").unwrap(), 99_000_000_005);
        assert!(info.number("Pid", 10).is_err() && info.value("tick").is_none());
        assert_eq!(info.starting("it_").count(), 1);
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
    fn a_line_cut_short_is_an_error_that_quotes_it() {
        for line in ["lock:\t1: POSIX  ADVISORY  WRITE 1 fe:00:1 5", "pos:\tx"] {
            assert!(parse_fdinfo(line.as_bytes()).unwrap_err().to_string().contains(&line[..3]), "{line}");
        }
        let info = parse_fdinfo(b"it_value: (4\n").unwrap();
        assert!(info.timespec("it_value").unwrap_err().to_string().contains("it_value"));
    }
}
