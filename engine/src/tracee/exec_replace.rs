//! A running process becomes one under construction: what a restart does to the process that asked for it.
//!
//! The process itself makes an execve(2) of the program in the image and is stopped before the first instruction of it.
//! That is the kernel's own way to end threads and empty memory, signal actions and timers while PID, parent, process
//! group and session stay. Until it succeeds the process can be put back; afterwards it is a [`Stub`].

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::procfs;
use crate::sys::{pidfd, vm};
use crate::tracee::stub::{Stub, StubError};
use crate::tracee::target::{Target, TargetError};

/// A process that is to be replaced, and the way to hand it descriptors.
#[derive(Debug)]
pub struct Place<'a> {
    /// The process.
    pub pid: i32,
    /// Its descriptor of a socket (AF_UNIX) that survives an execve(2).
    pub socket: Socket<'a>,
    /// The other end of that, which is ours.
    pub channel: OwnedFd,
}

/// How a process comes by its end of the channel.
#[derive(Clone, Copy)]
pub enum Socket<'a> {
    /// It has it, by this number.
    Theirs(i32),
    /// It gets it when all has been judged, by this, which returns the number.
    Given(&'a dyn Fn() -> io::Result<i32>),
}

impl std::fmt::Debug for Socket<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Theirs(number) => f.debug_tuple("Theirs").field(number).finish(),
            Self::Given(_) => f.write_str("Given"),
        }
    }
}

/// Why a process was not taken over. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum TakeoverError {
    /// It cannot be stopped, or make calls.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Something about it cannot be read or written.
    #[error("{what} of process {pid} cannot be used: {source}")]
    Memory {
        /// What.
        what: &'static str,
        /// The process.
        pid: i32,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The program of the image does not start.
    #[error("process {pid} cannot start {program}: {source}")]
    Exec {
        /// The process.
        pid: i32,
        /// The program.
        program: String,
        /// The kernel's reason.
        source: io::Error,
    },
}

impl Place<'_> {
    /// The standard descriptors of the process, which take the place of those that led out of the image's.
    pub fn standard(&self) -> [Option<OwnedFd>; 3] {
        let process = pidfd::open(self.pid).ok();
        [0, 1, 2].map(|fd| process.as_ref().and_then(|process| pidfd::getfd(process, fd).ok()))
    }

    /// Whether its limit on open files leaves room for descriptors up to `highest`.
    pub fn has_room(&self, highest: i32) -> bool {
        let limits = fs::read(format!("/proc/{}/limits", self.pid)).unwrap_or_default();
        let limits = procfs::parse_limits(&limits).unwrap_or_default();
        let nofile = limits.iter().find(|(resource, _, _)| *resource == libc::RLIMIT_NOFILE);
        nofile.is_none_or(|(_, _, hard)| u64::try_from(highest).is_ok_and(|highest| highest < *hard))
    }

    /// Has the process execute the first of these programs that it can, up to its first instruction. Returns it with
    /// the number of its end of the channel.
    pub fn take(&self, programs: &[PathBuf]) -> Result<(Stub, i32), Failure> {
        let (socket, is_ours) = match self.socket {
            Socket::Theirs(number) => (Ok(number), false),
            Socket::Given(give) => (give(), true),
        };
        let socket = socket.map_err(|source| {
            let what = "the table of descriptors";
            Failure::Unharmed(TakeoverError::Memory { what, pid: self.pid, source })
        })?;
        let target = self.execute(programs, is_ours.then_some(socket)).map_err(Failure::Unharmed)?;
        // From here on there is nothing to put back.
        target.forget();
        let mut stub = Stub::taken(self.pid).map_err(Failure::Lost)?;
        stub.exact_ids = false;
        Ok((stub, socket))
    }

    /// `given`: a descriptor to be closed again should it fail.
    fn execute(&self, programs: &[PathBuf], given: Option<i32>) -> Result<Target, TakeoverError> {
        let pid = self.pid;
        let unusable = |what| move |source| TakeoverError::Memory { what, pid, source };
        let mut target = Target::seize_one(pid)?;
        let text = fs::read(format!("/proc/{pid}/maps")).map_err(unusable("the memory map"))?;
        let maps = procfs::parse_maps(&text)
            .map_err(|e| unusable("the memory map")(io::Error::new(io::ErrorKind::InvalidData, e)))?;
        let code: Vec<(u64, u64)> = maps
            .iter()
            .filter(|m| m.exec && m.read && m.path != b"[vsyscall]")
            .map(|m| (m.start, m.end))
            .collect();
        target.find_syscall(&code)?;
        // Arguments lie at the far end of the stack, where nothing is yet.
        let stack = maps.iter().find(|m| m.path == b"[stack]");
        let at = stack
            .map(|m| m.start)
            .ok_or_else(|| unusable("the stack")(io::Error::from_raw_os_error(libc::EFAULT)))?;
        let mut saved = [0u8; ARGUMENTS];
        vm::read_exact_at(pid, at, &mut saved).map_err(unusable("the stack"))?;
        let mut failure = io::Error::from_raw_os_error(libc::ENOENT);
        for program in programs {
            let Some(bytes) = arguments(at, program) else { continue };
            vm::write(pid, &[(at, bytes.len() as u64)], &bytes).map_err(unusable("the stack"))?;
            let ret = target.call(0, libc::SYS_execve, [at + PATH_AT, at, at + 8, 0, 0, 0]);
            if matches!(ret, Ok(0)) {
                return Ok(target);
            }
            vm::write(pid, &[(at, saved.len() as u64)], &saved).map_err(unusable("the stack"))?;
            failure = io::Error::from_raw_os_error(-ret? as i32);
        }
        if let Some(given) = given {
            target.call(0, libc::SYS_close, [given as u64, 0, 0, 0, 0, 0])?;
        }
        let program = programs.first().map_or_else(String::new, |p| p.display().to_string());
        Err(TakeoverError::Exec { pid, program, source: failure })
    }
}

/// Why a process was not replaced.
#[derive(Debug)]
pub enum Failure {
    /// It is as it was.
    Unharmed(TakeoverError),
    /// It is gone.
    Lost(StubError),
}

/// Room for `{argv[0], NULL}`, an empty environment and a path.
const ARGUMENTS: usize = 4096 + 64;
/// Where the path lies in it.
const PATH_AT: u64 = 16;

/// The arrays and the path for an execve(2); nothing for a path that is too long.
fn arguments(at: u64, program: &std::path::Path) -> Option<Vec<u8>> {
    let mut bytes = [at + PATH_AT, 0].iter().flat_map(|w| w.to_ne_bytes()).collect::<Vec<u8>>();
    bytes.extend_from_slice(program.as_os_str().as_encoded_bytes());
    bytes.push(0);
    (bytes.len() <= ARGUMENTS).then_some(bytes)
}
