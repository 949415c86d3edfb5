//! `/proc/sysvipc/sem`.

use super::{ParseError, missing};

/// The id that the next set of semaphores gets, if it is free, proc_sys_kernel(5).
pub const SEM_NEXT_ID: &str = "/proc/sys/kernel/sem_next_id";

/// What there is of one kind of System V object: `msg`, `sem`, `shm`.
pub fn read_sysvipc(kind: &str) -> std::io::Result<Vec<u8>> {
    std::fs::read(format!("/proc/sysvipc/{kind}"))
}

/// A set of semaphores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SemLine {
    /// Its key, 0 for none.
    pub key: i32,
    /// Its id.
    pub id: i32,
    /// Permissions.
    pub mode: u32,
    /// Semaphores in it.
    pub nr_sems: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Parses all lines behind the heading (ipc/sem.c: key, id, permissions in octal, number, uid, gid, ...).
pub fn parse_sems(text: &[u8]) -> Result<Vec<SemLine>, ParseError> {
    let lines = text.split(|b| *b == b'\n').skip(1).filter(|line| !line.is_empty());
    lines.map(|line| set(line).ok_or_else(|| missing("set of semaphores", line))).collect()
}

fn set(line: &[u8]) -> Option<SemLine> {
    let words: Vec<&str> = std::str::from_utf8(line).ok()?.split_whitespace().collect();
    let number = |at: usize| words.get(at)?.parse::<u32>().ok();
    Some(SemLine {
        key: words.first()?.parse().ok()?,
        id: words.get(1)?.parse().ok()?,
        mode: u32::from_str_radix(words.get(2)?, 8).ok()?,
        nr_sems: number(3)?,
        uid: number(4)?,
        gid: number(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_its_permissions_in_octal_and_its_key_signed() {
        let text = b"       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n\
                     -559038737          7   640          2     5     6     0     0          0 1795645473\n";
        let want = SemLine { key: -559_038_737, id: 7, mode: 0o640, nr_sems: 2, uid: 5, gid: 6 };
        assert_eq!(parse_sems(text).unwrap(), [want]);
        assert!(parse_sems(b"heading\n 1 2 three\n").is_err());
    }
}
