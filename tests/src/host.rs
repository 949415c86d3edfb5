//! What this machine offers. A test that cannot run here prints one sentence and returns.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// Whether the tests run as root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The path of a program, or nothing and a sentence on stderr if it is not installed.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("not tested here: {name} is not installed (`cargo xtask test` installs it)");
    }
    found
}

/// A fresh directory that every user may use, as /tmp is: victims become other users.
pub fn workdir() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::Builder::new().prefix("stasis-test-").tempdir().expect("a temporary directory");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o1777))
        .expect("its mode can be set");
    dir
}

/// Held by tests that want both processors or gigabytes, so that they run one after the other.
pub fn alone() -> MutexGuard<'static, ()> {
    static HEAVY: Mutex<()> = Mutex::new(());
    HEAVY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state letter of a process (proc_pid_stat(5), field 3), if there is such a process.
pub fn state_of(pid: i32) -> Option<char> {
    stat_field(pid, 3)?.chars().next()
}

/// When a process started, in clock ticks since boot: tells it from a later one with its pid.
pub fn start_of(pid: i32) -> Option<String> {
    stat_field(pid, 22)
}

/// The processor time a process has used, in clock ticks of 10 ms; 0 if there is no such process.
pub fn cpu_ticks(pid: i32) -> u64 {
    [14, 15].iter().filter_map(|&field| stat_field(pid, field)?.parse::<u64>().ok()).sum()
}

/// Whether a process is there and still runs (a zombie does not).
pub fn is_running(pid: i32) -> bool {
    !matches!(state_of(pid), None | Some('Z' | 'X'))
}

/// One field of `/proc/PID/stat`, counted from 1 as in its man page; only those behind the comm, from 3 on.
fn stat_field(pid: i32, field: usize) -> Option<String> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The comm may hold blanks and parentheses.
    let (_, behind) = text.rsplit_once(") ")?;
    behind.split_whitespace().nth(field.checked_sub(3)?).map(str::to_owned)
}

/// The first child of a process.
pub fn child_of(pid: i32) -> Option<i32> {
    children_of(pid).first().copied()
}

/// The children of a process with one thread.
pub fn children_of(pid: i32) -> Vec<i32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// A process other than `except` that has this pipe open, and is a program of its own by now.
pub fn holder_of(pipe: &impl std::os::fd::AsRawFd, except: &[i32]) -> Option<i32> {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", pipe.as_raw_fd())).ok()?;
    let command = |pid: i32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let known: Vec<_> = except.iter().map(|pid| command(*pid)).collect();
    let pids = std::fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has = |pid: &i32| {
        let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        fds.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|found| found == link)
    };
    pids.filter(|pid| !except.contains(pid) && !known.contains(&command(*pid))).find(has)
}

/// A process and its descendants.
pub fn family_of(pid: i32) -> Vec<i32> {
    let mut family = vec![pid];
    for i in 0.. {
        let Some(pid) = family.get(i) else { break };
        family.extend(children_of(*pid));
    }
    family
}

/// Whether a process runs or sleeps on its own: neither stopped nor under anybody's control.
pub fn is_free(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    field("TracerPid:") == Some("0") && matches!(state_of(pid), Some('R' | 'S'))
}

/// Whether any process was started with this path on its command line: what a killed engine left to clean up included.
pub fn is_mentioned(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let wanted = path.as_os_str().as_bytes();
    let Ok(entries) = std::fs::read_dir("/proc") else { return false };
    entries.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok()).any(|line| {
        // A killed process has no command line any more; one that runs has.
        line.split(|&byte| byte == 0).any(|word| word == wanted)
    })
}

/// All files below a directory, sorted: to show that a failed command left nothing behind.
pub fn files_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .expect("the directory can be read")
        .map(|entry| entry.expect("a directory entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
