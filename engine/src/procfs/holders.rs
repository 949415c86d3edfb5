//! Who else holds a pipe or a socket: the kernel tells nobody but those who walk over the descriptors of all processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// Which of these pipes or sockets (`kind` and inode, as in the links `pipe:[INODE]` and `socket:[INODE]`) are held by a
/// process other than `except`, and by which. Processes whose descriptors we may not see count for nothing.
pub fn holders_of(kind: &str, inodes: &BTreeSet<u64>, except: &[i32]) -> BTreeMap<u64, i32> {
    let mut found = BTreeMap::new();
    let Ok(processes) = fs::read_dir("/proc") else { return found };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if except.contains(&pid) {
            continue;
        }
        // Threads nearly always share the table of their process.
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        for link in descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()) {
            if let Some(inode) = inode_of(link.as_os_str().as_bytes(), kind).filter(|i| inodes.contains(i)) {
                found.entry(inode).or_insert(pid);
            }
        }
    }
    found
}

fn inode_of(link: &[u8], kind: &str) -> Option<u64> {
    let digits = link.strip_prefix(kind.as_bytes())?.strip_prefix(b":[")?.strip_suffix(b"]")?;
    super::number(digits, 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio};

    #[test]
    fn a_child_that_inherited_a_pipe_is_found_and_one_that_did_not_is_not() {
        let (read, _write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        let (_other_read, other) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        let inode = |fd: &std::os::fd::OwnedFd| nix::sys::stat::fstat(fd.as_fd()).unwrap().st_ino;
        let wanted = BTreeSet::from([inode(&read), inode(&other)]);
        let mut child = Command::new("cat").stdin(Stdio::from(read)).stdout(Stdio::null()).spawn().unwrap();
        let own = std::process::id() as i32;
        let held = holders_of("pipe", &wanted, &[own]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(held, BTreeMap::from([(*wanted.first().unwrap(), child.id() as i32)]));
    }
}
