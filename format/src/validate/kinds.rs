//! Which kinds of record may belong to which, and refer to which.

use crate::header::Kind;
use crate::record::{
    CpuX86_64, Creds, Epoll, EpollTarget, Eventfd, Extent, External, Fd, File, FileTable, Fs, Guard, Image,
    Inode, InodeIdentity, Itimer, Lock, Mm, MmContext, Namespace, Pidfd, Pipe, PosixTimer, Rlimit, Sigaction,
    Sighand, Signalfd, Sigpending, Socket, Task, Thread, Timerfd, Vma,
};

/// Stands for the image among the kinds of owner: parent 0.
pub const THE_IMAGE: Kind = Kind(0);

/// Objects that an open file description may be of.
const OBJECTS: &[Kind] = &[
    Inode::KIND,
    Pipe::KIND,
    Eventfd::KIND,
    Epoll::KIND,
    Timerfd::KIND,
    Signalfd::KIND,
    Pidfd::KIND,
    Socket::KIND,
    External::KIND,
];

/// Kinds of owner that a record of this kind may have; `None` for any. Objects that can be shared belong to the
/// image or to the first that was seen to use them.
pub fn owners(kind: Kind) -> Option<&'static [Kind]> {
    const SHARED: &[Kind] = &[THE_IMAGE, Task::KIND];
    const FILES: &[Kind] = &[THE_IMAGE, Task::KIND, FileTable::KIND, File::KIND, Fd::KIND];
    Some(match kind {
        Task::KIND | Mm::KIND | FileTable::KIND | Fs::KIND | Sighand::KIND | Namespace::KIND => SHARED,
        Thread::KIND | Rlimit::KIND | Itimer::KIND | PosixTimer::KIND => &[Task::KIND],
        Creds::KIND => &[THE_IMAGE, Task::KIND, Thread::KIND],
        CpuX86_64::KIND => &[Thread::KIND],
        Vma::KIND | MmContext::KIND | Guard::KIND => &[Mm::KIND],
        Extent::KIND => &[Mm::KIND, Inode::KIND, Pipe::KIND, Socket::KIND],
        Fd::KIND => &[FileTable::KIND],
        EpollTarget::KIND => &[Epoll::KIND],
        Sigaction::KIND => &[Sighand::KIND],
        Sigpending::KIND => &[Task::KIND, Thread::KIND],
        Image::KIND | InodeIdentity::KIND => &[THE_IMAGE],
        Inode::KIND => &[THE_IMAGE, Task::KIND, Mm::KIND, Fs::KIND, FileTable::KIND, File::KIND, Pipe::KIND],
        Lock::KIND => &[THE_IMAGE, Task::KIND, FileTable::KIND, File::KIND, Inode::KIND],
        File::KIND => &[THE_IMAGE, Task::KIND, FileTable::KIND, Epoll::KIND],
        kind if OBJECTS.contains(&kind) => FILES,
        _ => return None,
    })
}

/// Kinds that this field of this record may refer to; empty for any.
pub fn targets(kind: Kind, field: &str) -> &'static [Kind] {
    match (kind, field) {
        (Image::KIND, "root") => &[Task::KIND],
        (Task::KIND, "mm") => &[Mm::KIND],
        (Task::KIND, "files") => &[FileTable::KIND],
        (Task::KIND, "fs") => &[Fs::KIND],
        (Task::KIND, "sighand") => &[Sighand::KIND],
        (Thread::KIND, "creds") => &[Creds::KIND],
        (Mm::KIND, "exe")
        | (Vma::KIND | Pipe::KIND | InodeIdentity::KIND, "inode")
        | (Fs::KIND, "cwd" | "root") => &[Inode::KIND],
        (Fd::KIND | EpollTarget::KIND, "file") => &[File::KIND],
        (File::KIND, "object") => OBJECTS,
        (Socket::KIND, "peer") => &[Socket::KIND],
        _ => &[],
    }
}

/// Whether this reference has to be there.
pub fn is_required(kind: Kind, field: &str) -> bool {
    matches!(
        (kind, field),
        (Image::KIND, "root")
            | (Thread::KIND, "creds")
            | (Fd::KIND | EpollTarget::KIND, "file")
            | (InodeIdentity::KIND, "inode")
    )
}
