//! What /proc says about a process: a handle on its directory, and pure parsers of the texts in it (proc(5)).
//!
//! Paths are bytes. The parsers never panic; what they do not understand is an error that quotes it.

mod fdinfo;
mod holders;
mod maps;
mod mounts;
mod status;
mod sysvipc;

pub use fdinfo::*;
pub use holders::holders_of;
pub use maps::*;
pub use mounts::*;
pub use status::*;
pub use sysvipc::*;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;

/// Text of /proc that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} not found in {line:?}")]
pub struct ParseError {
    what: &'static str,
    line: String,
}

/// For `ok_or_else`.
fn missing(what: &'static str, line: &[u8]) -> ParseError {
    ParseError { what, line: String::from_utf8_lossy(&line[..line.len().min(120)]).into_owned() }
}

/// A number in text.
fn number(text: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    u64::from_str_radix(text.strip_prefix("0x").filter(|_| radix == 16).unwrap_or(text), radix).ok()
}

/// The tables of TCP sockets in our network namespace, of IPv4 and IPv6; empty where there are none.
pub fn tcp_tables() -> [String; 2] {
    ["/proc/net/tcp", "/proc/net/tcp6"].map(|name| std::fs::read_to_string(name).unwrap_or_default())
}

/// Writes a file of `/proc/PID`.
pub fn set(pid: i32, name: &str, value: &str) -> io::Result<()> {
    std::fs::write(format!("/proc/{pid}/{name}"), value)
}

/// The directory of one process or thread, held open so that a pid used again cannot fool us.
#[derive(Debug)]
pub struct Proc {
    dir: OwnedFd,
    pid: i32,
}

impl Proc {
    /// Opens `/proc/PID`.
    pub fn open(pid: i32) -> io::Result<Self> {
        Self::at(&format!("/proc/{pid}"), pid)
    }

    fn at(path: &str, pid: i32) -> io::Result<Self> {
        let dir = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(path)?;
        Ok(Self { dir: dir.into(), pid })
    }

    /// A path to one of its files that this process can use.
    pub fn path_of(&self, name: &str) -> String {
        self.path(name)
    }

    fn path(&self, name: &str) -> String {
        format!("/proc/self/fd/{}/{name}", self.dir.as_raw_fd())
    }

    /// Reads a whole file.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        File::open(self.path(name))?.read_to_end(&mut text)?;
        Ok(text)
    }

    /// Reads a link.
    pub fn readlink(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(std::fs::read_link(self.path(name))?.into_os_string().into_vec())
    }

    /// What a link in it leads to, stat(2).
    pub fn stat(&self, name: &str) -> io::Result<libc::stat> {
        Ok(nix::sys::stat::stat(self.path(name).as_str())?)
    }

    /// The directory of one of its threads.
    pub fn task(&self, tid: i32) -> io::Result<Self> {
        Self::at(&self.path(&format!("task/{tid}")), tid)
    }

    /// Numbers that are names in a directory, ascending.
    fn numbers(&self, name: &str) -> io::Result<Vec<i32>> {
        let mut list = Vec::new();
        for entry in std::fs::read_dir(self.path(name))? {
            if let Some(n) = entry?.file_name().to_str().and_then(|n| n.parse().ok()) {
                list.push(n);
            }
        }
        list.sort_unstable();
        Ok(list)
    }

    /// Open descriptors.
    pub fn fds(&self) -> io::Result<Vec<i32>> {
        self.numbers("fd")
    }

    /// Threads.
    pub fn tids(&self) -> io::Result<Vec<i32>> {
        let mut tids = self.numbers("task")?;
        // The leader comes first, whatever its number.
        tids.sort_by_key(|t| *t != self.pid);
        Ok(tids)
    }

    /// Children of all of its threads. Where the process is not stopped, those of a thread that ends meanwhile may be
    /// missing: they pass to another one.
    pub fn children(&self) -> io::Result<Vec<i32>> {
        let mut list = Vec::new();
        for tid in self.tids()? {
            let text = match self.read(&format!("task/{tid}/children")) {
                // From open(2) and from read(2).
                Err(error)
                    if tid != self.pid
                        && matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) =>
                {
                    continue;
                }
                text => text?,
            };
            list.extend(text.split(u8::is_ascii_whitespace).filter_map(|w| number(w, 10)).map(|n| n as i32));
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_handle_on_a_process_that_is_gone_shows_no_other() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pid = child.id() as i32;
        let proc = Proc::open(pid).unwrap();
        assert_eq!(parse_status(&proc.read("status").unwrap()).unwrap().pid, pid);
        assert_eq!(proc.fds().unwrap()[..3], [0, 1, 2]);
        assert_eq!(proc.readlink("fd/1").unwrap(), b"/dev/null");
        // Without its input cat ends, and wait gives the number back.
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(proc.read("status").is_err() && proc.fds().is_err() && proc.tids().is_err());
    }

    #[test]
    fn children_of_every_thread_are_found() {
        let me = Proc::open(std::process::id() as i32).unwrap();
        let mut child =
            std::thread::spawn(|| Command::new("cat").stdin(Stdio::piped()).spawn().unwrap()).join().unwrap();
        assert!(me.children().unwrap().contains(&(child.id() as i32)));
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn the_leader_is_the_first_of_the_threads() {
        let pid = std::process::id() as i32;
        let me = Proc::open(pid).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(nix::unistd::gettid().as_raw()).unwrap();
            let _ = wait.recv();
        });
        let tid = told.recv().unwrap();
        let tids = me.tids().unwrap();
        assert!(tids[0] == pid && tids[1..].contains(&tid));
        let status = parse_status(&me.task(tid).unwrap().read("status").unwrap()).unwrap();
        assert_eq!((status.tgid, status.pid), (pid, tid));
        drop(go);
        thread.join().unwrap();
    }
}
