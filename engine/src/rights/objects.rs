//! Files that stand for a process or a namespace: by the time of a restart the number in their path may be somebody else's.
//!
//! Below /proc/PID lie a process's memory, its descriptors, its attributes; a link below /proc/PID/ns is a namespace itself.
//! Opened again by their path they would be an object of whichever process has the number then.

use std::os::fd::AsFd;

use crate::sys;

/// Magic numbers of file systems, linux/magic.h.
const PROC: u64 = 0x9fa0;
const NSFS: u64 = 0x6e73_6673;
const PIDFS: u64 = 0x5049_4446;

/// Says what a file is of, if it is of a process or namespace. `path`: its name from the root of its procfs.
pub fn of_process(fd: &impl AsFd, path: &[u8]) -> Option<&'static str> {
    match sys::file::fs_magic(fd).ok()? {
        NSFS => Some("a namespace"),
        PIDFS => Some("a process"),
        PROC if is_below_pid(path) => Some("an object of a process in /proc"),
        _ => None,
    }
}

/// Whether a path has a component that is the number of a process, or leads to the reader's own. A procfs may be mounted
/// anywhere, so every component counts.
fn is_below_pid(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(|name| {
        !name.is_empty() && name.iter().all(u8::is_ascii_digit) || name == b"self" || name == b"thread-self"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn objects_of_processes_are_told_from_files_of_the_kernel() {
        let of = |path: &str| of_process(&File::open(path).unwrap(), path.as_bytes());
        for path in ["/proc/self/mem", "/proc/self/task", "/proc/thread-self/stat", "/proc/self/ns/net"] {
            assert!(of(path).is_some(), "{path}");
        }
        for path in ["/proc/meminfo", "/proc/sys/kernel/pid_max", "/proc", "/dev/null", "/"] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
