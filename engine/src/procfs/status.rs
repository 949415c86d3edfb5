//! `/proc/PID/stat`, `/proc/PID/status` and `/proc/PID/timers`.

use super::{ParseError, missing, number};

/// Fields of stat by the names of proc(5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names are those of proc(5)
pub struct Stat {
    pub pid: i32,
    pub comm: Vec<u8>,
    pub state: u8,
    pub ppid: i32,
    pub pgrp: i32,
    pub session: i32,
    pub tty_nr: i32,
    pub tpgid: i32,
    pub flags: u64,
    pub num_threads: u64,
    pub starttime: u64,
    pub start_code: u64,
    pub end_code: u64,
    pub start_stack: u64,
    pub exit_signal: i32,
    pub processor: u64,
    pub start_data: u64,
    pub end_data: u64,
    pub start_brk: u64,
    pub arg_start: u64,
    pub arg_end: u64,
    pub env_start: u64,
    pub env_end: u64,
    pub exit_code: i32,
}

/// Parses `/proc/PID/stat`; the name may hold spaces and parentheses.
pub fn parse_stat(text: &[u8]) -> Result<Stat, ParseError> {
    let open = text.iter().position(|b| *b == b'(').ok_or_else(|| missing("name", text))?;
    let close = text.iter().rposition(|b| *b == b')').ok_or_else(|| missing("name", text))?;
    let (before, comm, after) = match (text.get(..open), text.get(open + 1..close), text.get(close + 1..)) {
        (Some(b), Some(c), Some(a)) => (b, c, a),
        _ => return Err(missing("name", text)),
    };
    let words: Vec<&[u8]> = after.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).collect();
    // Field 3 of proc(5) is the first word behind the name.
    let word = |field: usize| words.get(field - 3).copied().ok_or_else(|| missing("field", text));
    let signed = |field: usize| -> Result<i64, ParseError> {
        let word = std::str::from_utf8(word(field)?).ok();
        word.and_then(|w| w.parse().ok()).ok_or_else(|| missing("number", text))
    };
    let unsigned = |field: usize| number(word(field)?, 10).ok_or_else(|| missing("number", text));
    Ok(Stat {
        pid: number(before, 10).ok_or_else(|| missing("pid", text))? as i32,
        comm: comm.to_vec(),
        state: word(3)?.first().copied().unwrap_or(b'?'),
        ppid: signed(4)? as i32,
        pgrp: signed(5)? as i32,
        session: signed(6)? as i32,
        tty_nr: signed(7)? as i32,
        tpgid: signed(8)? as i32,
        flags: unsigned(9)?,
        num_threads: unsigned(20)?,
        starttime: unsigned(22)?,
        start_code: unsigned(26)?,
        end_code: unsigned(27)?,
        start_stack: unsigned(28)?,
        exit_signal: signed(38)? as i32,
        processor: unsigned(39)?,
        start_data: unsigned(45)?,
        end_data: unsigned(46)?,
        start_brk: unsigned(47)?,
        arg_start: unsigned(48)?,
        arg_end: unsigned(49)?,
        env_start: unsigned(50)?,
        env_end: unsigned(51)?,
        exit_code: signed(52)? as i32,
    })
}

/// What status says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// State letter.
    pub state: u8,
    /// Thread group.
    pub tgid: i32,
    /// Thread.
    pub pid: i32,
    /// Parent.
    pub ppid: i32,
    /// Who traces it, 0 for nobody.
    pub tracer_pid: i32,
    /// Real, effective, saved, file system uid.
    pub uid: [u32; 4],
    /// Real, effective, saved, file system gid.
    pub gid: [u32; 4],
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Thread group ids from our namespace down to its own.
    pub ns_tgid: Vec<u32>,
    /// Thread ids from our namespace down to its own.
    pub ns_pid: Vec<u32>,
    /// Process group ids from our namespace down to its own; 0 where the group is not of that namespace.
    pub ns_pgid: Vec<u32>,
    /// Session ids from our namespace down to its own; likewise.
    pub ns_sid: Vec<u32>,
    /// Threads that have not been reaped.
    pub threads: u32,
    /// Whether it is a kernel thread.
    pub kthread: bool,
    /// Umask.
    pub umask: Option<u32>,
    /// Signals ignored.
    pub sig_ign: u64,
    /// Signals caught.
    pub sig_cgt: u64,
    /// Inheritable capabilities.
    pub cap_inh: u64,
    /// Permitted capabilities.
    pub cap_prm: u64,
    /// Effective capabilities.
    pub cap_eff: u64,
    /// Bounding set.
    pub cap_bnd: u64,
    /// Ambient capabilities.
    pub cap_amb: u64,
    /// no_new_privs.
    pub no_new_privs: bool,
    /// Seccomp mode.
    pub seccomp: u32,
    /// Seccomp filters in force; 0 from kernels that do not tell (before 5.9).
    pub seccomp_filters: u32,
    /// Whether a shadow stack is in use.
    pub shadow_stack: bool,
}

/// Parses `/proc/PID/status`.
pub fn parse_status(text: &[u8]) -> Result<Status, ParseError> {
    let mut s = Status::default();
    for line in text.split(|b| *b == b'\n') {
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let words = || value.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
        let numbers = || words().filter_map(|w| number(w, 10)).map(|n| n as u32);
        let one = || numbers().next().ok_or_else(|| missing("number", line));
        let hex = || number(value, 16).ok_or_else(|| missing("mask", line));
        let four = || -> Result<[u32; 4], ParseError> {
            numbers().collect::<Vec<_>>().try_into().map_err(|_| missing("four ids", line))
        };
        match name {
            b"State" => s.state = words().next().and_then(|w| w.first().copied()).unwrap_or(b'?'),
            b"Tgid" => s.tgid = one()? as i32,
            b"Pid" => s.pid = one()? as i32,
            b"PPid" => s.ppid = one()? as i32,
            b"TracerPid" => s.tracer_pid = one()? as i32,
            b"Uid" => s.uid = four()?,
            b"Gid" => s.gid = four()?,
            b"Groups" => s.groups = numbers().collect(),
            b"NStgid" => s.ns_tgid = numbers().collect(),
            b"NSpid" => s.ns_pid = numbers().collect(),
            b"NSpgid" => s.ns_pgid = numbers().collect(),
            b"NSsid" => s.ns_sid = numbers().collect(),
            b"Threads" => s.threads = one()?,
            b"Kthread" => s.kthread = one()? != 0,
            b"Umask" => s.umask = number(value, 8).map(|u| u as u32),
            b"SigIgn" => s.sig_ign = hex()?,
            b"SigCgt" => s.sig_cgt = hex()?,
            b"CapInh" => s.cap_inh = hex()?,
            b"CapPrm" => s.cap_prm = hex()?,
            b"CapEff" => s.cap_eff = hex()?,
            b"CapBnd" => s.cap_bnd = hex()?,
            b"CapAmb" => s.cap_amb = hex()?,
            b"NoNewPrivs" => s.no_new_privs = one()? != 0,
            b"Seccomp" => s.seccomp = one()?,
            b"Seccomp_filters" => s.seccomp_filters = one()?,
            b"x86_Thread_features" => s.shadow_stack = words().any(|w| w == b"shstk"),
            _ => {}
        }
    }
    if s.tgid == 0 {
        return Err(missing("Tgid", text));
    }
    Ok(s)
}

impl Status {
    /// The process id in the process's own namespace.
    pub fn own_tgid(&self) -> u32 {
        self.ns_tgid.last().copied().unwrap_or(self.tgid as u32)
    }

    /// Whether the whole process has ended and only waits for its parent.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }
}

/// A POSIX timer as `/proc/PID/timers` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerLine {
    /// Identifier.
    pub id: i32,
    /// Signal it sends.
    pub signal: i32,
    /// Value it sends.
    pub sigev_value: u64,
    /// SIGEV_* of timer_create(2).
    pub notify: u32,
    /// Thread it notifies.
    pub tid: Option<i32>,
    /// Clock.
    pub clockid: i32,
}

/// Parses `/proc/PID/timers`.
pub fn parse_timers(text: &[u8]) -> Result<Vec<TimerLine>, ParseError> {
    let mut list: Vec<TimerLine> = Vec::new();
    for line in text.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let line_text = std::str::from_utf8(line).map_err(|_| missing("text", line))?;
        let (name, value) = line_text.split_once(": ").ok_or_else(|| missing("colon", line))?;
        if name == "ID" {
            let id = value.trim().parse().map_err(|_| missing("identifier", line))?;
            list.push(TimerLine { id, signal: 0, sigev_value: 0, notify: 0, tid: None, clockid: 0 });
            continue;
        }
        let last = list.last_mut().ok_or_else(|| missing("identifier", line))?;
        match name {
            "signal" => {
                let (signal, pointer) = value.split_once('/').ok_or_else(|| missing("signal", line))?;
                last.signal = signal.parse().map_err(|_| missing("signal", line))?;
                last.sigev_value = number(pointer.as_bytes(), 16).unwrap_or(0);
            }
            "notify" => {
                let (how, whom) = value.split_once('/').ok_or_else(|| missing("notification", line))?;
                last.notify = match how {
                    "signal" => 0,
                    "none" => 1,
                    "thread" => 2,
                    _ => return Err(missing("known notification", line)),
                };
                if let Some(tid) = whom.strip_prefix("tid.") {
                    // SIGEV_THREAD_ID is a bit beside SIGEV_SIGNAL.
                    last.notify |= 4;
                    last.tid = tid.parse().ok();
                }
            }
            "ClockID" => last.clockid = value.trim().parse().map_err(|_| missing("clock", line))?,
            _ => {}
        }
    }
    Ok(list)
}

/// The nice value in `/proc/PID/autogroup`: `/autogroup-25 nice 0`.
pub fn parse_autogroup(text: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(text).ok()?;
    text.trim().rsplit_once(" nice ")?.1.parse().ok()
}

/// Names of the limits in `/proc/PID/limits` (fs/proc/base.c) and their RLIMIT_* numbers.
const LIMITS: &[(&str, u32)] = &[
    ("Max cpu time", 0),
    ("Max file size", 1),
    ("Max data size", 2),
    ("Max stack size", 3),
    ("Max core file size", 4),
    ("Max resident set", 5),
    ("Max processes", 6),
    ("Max open files", 7),
    ("Max locked memory", 8),
    ("Max address space", 9),
    ("Max file locks", 10),
    ("Max pending signals", 11),
    ("Max msgqueue size", 12),
    ("Max nice priority", 13),
    ("Max realtime priority", 14),
    ("Max realtime timeout", 15),
];

/// Parses `/proc/PID/limits`: resource, soft limit, hard limit; all ones is no limit.
pub fn parse_limits(text: &[u8]) -> Result<Vec<(u32, u64, u64)>, ParseError> {
    let mut list = Vec::new();
    for line in text.split(|b| *b == b'\n') {
        let Some((name, resource)) = LIMITS.iter().find(|(name, _)| line.starts_with(name.as_bytes())) else {
            continue;
        };
        let mut words = line[name.len()..].split(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
        let mut limit = || match words.next() {
            Some(b"unlimited") => Ok(u64::MAX),
            word => word.and_then(|w| number(w, 10)).ok_or_else(|| missing("limit", line)),
        };
        list.push((*resource, limit()?, limit()?));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse_stat() {
        let tail = "R 2 3 4 5 -1 4194304 0 0 0 0 2 2 3 1 20 0 7 0 428082 18747392 3610 1 10 11 12 0 0 0 0 0 2 0 0 0 17 1 0 0 0 0 0 20 21 22 23 24 25 26 -1";
        let s = parse_stat(format!("42 (a) b (c) {tail}\n").as_bytes()).unwrap();
        assert_eq!(
            (s.pid, s.comm.as_slice(), s.state, s.ppid, s.num_threads),
            (42, b"a) b (c".as_slice(), b'R', 2, 7)
        );
        assert_eq!(
            (s.start_code, s.end_code, s.start_stack, s.exit_signal, s.processor),
            (10, 11, 12, 17, 1)
        );
        assert_eq!((s.start_data, s.env_end, s.exit_code), (20, 26, -1));
    }

    #[test]
    fn status_text_becomes_ids_and_masks() {
        let s = parse_status(b"Name:\tcat\nUmask:\t0022\nState:\tT (stopped)\nTgid:\t7\nPid:\t8\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t10 20 \nSigCgt:\t0000000180000000\nNoNewPrivs:\t1\n").unwrap();
        assert_eq!(
            (s.state, s.tgid, s.pid, s.uid, s.groups.as_slice()),
            (b'T', 7, 8, [1, 2, 3, 4], [10, 20].as_slice())
        );
        assert_eq!((s.sig_cgt, s.umask, s.no_new_privs), (0x1_8000_0000, Some(0o22), true));
    }

    #[test]
    fn timers_are_listed_with_their_notification() {
        let t =
            parse_timers(b"ID: 3\nsignal: 14/0000000000001234\nnotify: signal/tid.9\nClockID: -6\n").unwrap();
        let want = TimerLine { id: 3, signal: 14, sigev_value: 0x1234, notify: 4, tid: Some(9), clockid: -6 };
        assert_eq!(t, [want]);
    }

    #[test]
    fn texts_of_this_process_agree_with_each_other() {
        let read = |name: &str| std::fs::read(format!("/proc/self/{name}")).unwrap();
        let stat = parse_stat(&read("stat")).unwrap();
        let status = parse_status(&read("status")).unwrap();
        assert_eq!((stat.pid, stat.ppid), (status.pid, status.ppid));
        assert_eq!(status.uid[1], nix::unistd::geteuid().as_raw());
        assert!(stat.arg_start < stat.arg_end && stat.env_start <= stat.env_end && stat.num_threads > 0);
        let comm = read("comm");
        // The name belongs to the leader, as stat of the process does.
        assert_eq!(stat.comm, comm.strip_suffix(b"\n").unwrap());
    }

    #[test]
    fn a_stat_cut_short_anywhere_is_an_error() {
        let text = std::fs::read("/proc/self/stat").unwrap();
        let words = text.iter().filter(|b| **b == b' ').count();
        let cut = |n: usize| text.splitn(n + 1, |b| *b == b' ').take(n).collect::<Vec<_>>().join(&b' ');
        assert!(words >= 51 && parse_stat(&cut(52)).is_ok());
        for n in 0..52 {
            assert!(parse_stat(&cut(n)).is_err(), "{n} fields");
        }
    }

    #[test]
    fn clocks_of_processor_time_are_negative_and_notifications_differ() {
        // As Linux 6.18 prints CLOCK_PROCESS_CPUTIME_ID with SIGEV_NONE, and CLOCK_TAI with SIGEV_SIGNAL.
        let text = b"ID: 7\nsignal: 34/0000000000123456\nnotify: none/pid.13896\nClockID: -6\nID: 15\nsignal: 0/ffffffffffffffff\nnotify: signal/pid.13896\nClockID: 11\n";
        let t = parse_timers(text).unwrap();
        assert_eq!((t[0].id, t[0].clockid, t[0].notify, t[0].tid), (7, -6, 1, None));
        assert_eq!((t[1].id, t[1].clockid, t[1].notify, t[1].sigev_value), (15, 11, 0, u64::MAX));
        assert!(
            parse_timers(b"signal: 1/2\n").is_err()
                && parse_timers(b"ID: 1\nnotify: pigeon/pid.1\n").is_err()
        );
    }

    #[test]
    fn limits_are_numbers_or_none() {
        let text = b"Limit                     Soft Limit           Hard Limit           Units     \nMax cpu time              unlimited            unlimited            seconds   \nMax open files            1024                 4096                 files     \n";
        assert_eq!(parse_limits(text).unwrap(), [(0, u64::MAX, u64::MAX), (7, 1024, 4096)]);
    }
}
