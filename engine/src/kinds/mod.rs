//! One file for each kind of process state: how it is captured on top, how it is put back below.

pub mod fd;
pub mod task;
pub mod tree;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::OwnedFd;

use fd::descriptions::{Descriptions, Sight};

use crate::checkpoint::{Answer, LeaveOut};
use crate::image::model::{Id, Tree};
use crate::procfs::{LockLine, Stat, Status};
use crate::refusal::Survey;
use crate::tracee::stub::StubError;
use crate::tracee::target::{Target, TargetError};

/// What the capture of every kind works on: one process after the other of a tree.
#[derive(Debug)]
pub struct Capture<'a> {
    /// The process, standing still.
    pub target: &'a mut Target,
    /// What /proc says of it, in its status.
    pub status: &'a Status,
    /// What /proc says of it, in its stat.
    pub stat: &'a Stat,
    /// A thread of it that waits in a system call for this checkpoint, and what the call returns in the image.
    pub answer: Option<Answer>,
    /// All processes of the tree, this one included: their ids as we see them, and as they see themselves.
    pub names: &'a BTreeMap<i32, u32>,
    /// Open file descriptions met so far, of all processes.
    pub met: &'a mut Descriptions,
    /// The descriptor that the image goes to.
    pub to_image: &'a mut Option<Sight>,
    /// File locks seen through the descriptors of this process: number, description, lock.
    pub locks: Vec<(u32, Id, LockLine)>,
    /// Where it is written down.
    pub tree: &'a mut Tree,
    /// Reasons to refuse.
    pub survey: &'a mut Survey,
    /// Contents to be stored behind the metadata.
    pub contents: &'a mut Contents,
    /// Whether mapped and opened files go into the image too.
    pub embed_files: bool,
    /// What belongs to whoever makes the checkpoint.
    pub leave_out: &'a LeaveOut,
}

/// Contents that go into the image after all metadata.
#[derive(Debug, Default)]
pub struct Contents {
    /// Pages of address spaces.
    pub memory: Vec<crate::memory::pages::MemoryContents>,
    /// Files, memfds and shared memory.
    pub inodes: Vec<(Id, OwnedFd, u64)>,
    /// What was in pipes and sockets.
    pub streams: Vec<(Id, Vec<u8>)>,
    /// Connections inside the tree. If its processes are to end, these do so without a trace: what the kernel remembers of a
    /// connection for a minute (TIME_WAIT) would keep a restart from making it again.
    pub connections: Vec<OwnedFd>,
    /// INODEs known so far, by device and inode number.
    pub known: HashMap<(u64, u64), Id>,
}

/// Why capture failed for another reason than state that cannot be carried over.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The target could not be worked with.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Something of the process could not be read.
    #[error("{what} of process {pid} could not be read: {source}")]
    Read {
        /// What.
        what: String,
        /// Process.
        pid: i32,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The thread that asked for the checkpoint is not in the call that it is to return from.
    #[error("thread {tid} of process {pid} does not wait for this checkpoint")]
    NotWaiting {
        /// Process.
        pid: i32,
        /// Thread.
        tid: i32,
    },
    /// The kernel wrote something unexpected into /proc.
    #[error("{what} of process {pid} is not understood: {detail}")]
    Parse {
        /// Which file.
        what: String,
        /// Process.
        pid: i32,
        /// What is wrong with it.
        detail: String,
    },
}

impl CaptureError {
    /// For `map_err`.
    pub fn read(what: impl Into<String>, pid: i32) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Read { what, pid, source }
    }

    /// For `map_err`.
    pub fn parse<E: std::fmt::Display>(what: impl Into<String>, pid: i32) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |e| Self::Parse { what, pid, detail: e.to_string() }
    }
}

/// Why a restart failed while state was put back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A step inside the new process failed.
    #[error(transparent)]
    Stub(#[from] StubError),
    /// A step outside of it failed.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The host is not what the image needs.
    #[error("{0}")]
    Host(String),
    /// It would give a process what it may not have.
    #[error("{0}")]
    Rights(String),
    /// Files changed since the checkpoint: all of them.
    #[error("{}", .0.join("; "))]
    Files(Vec<String>),
}

impl RestoreError {
    /// For a description that leads to something that is not in the image.
    pub fn missing(tree: &Tree, file: Id) -> Self {
        let fds = tree.tables.values().flatten().filter(|fd| fd.file == file);
        let numbers: Vec<u32> = fds.map(|fd| fd.fd).collect();
        Self::Host(format!("descriptor {numbers:?} leads to an object that is not in the image"))
    }

    /// For `map_err`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// The same for errors of nix.
    pub fn nix(what: impl Into<String>) -> impl FnOnce(nix::errno::Errno) -> Self {
        let what = what.into();
        move |e| Self::Io { what, source: e.into() }
    }
}
