//! The records of revision 2, one family of process state a file.
//!
//! A record is described once, by the [`records!`](crate::record) macro: from that one description come the
//! binrw structure, its table of fields (name, offset, type, how to show it), its place in [`Body`], and with
//! them the CLI's tree, the browser's field list, the JSON, docs/format.md and docs/stasis.ksy.
//!
//! On the wire every revision-2 record but HEAD and TAIL is
//!
//! ```text
//! kind s16 | len s16 | parent u32 | id u32 | tail_len u32 | fixed fields | tail | zero padding to 8 | xxh3 u64
//! \------- record header -------/ \------------------------- payload, len bytes -------------------------/
//! ```
//!
//! `id` is the object reference this record defines (0: none), `parent` the one it belongs to (0: the image).
//! The checksum covers everything before it, the record header included.

#[macro_use]
mod macros;

mod cpu;
mod files;
mod image;
mod ipc;
mod mm;
mod signal;
mod task;
mod timer;

pub use cpu::*;
pub use files::*;
pub use image::*;
pub use ipc::*;
pub use macros::{FieldDef, FieldPrim, FieldType, InBody, RecordBody, RecordDef, Show, TailKind};
pub use mm::*;
pub use signal::*;
pub use task::*;
pub use timer::*;

use crate::header::Kind;

/// Why the fixed part or the tail of a record could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The fixed part has another length than the structure.
    #[error("the fixed part of {name} is {got} bytes long, {want} are due")]
    FixedLength {
        /// Name of the record.
        name: &'static str,
        /// Bytes found.
        got: usize,
        /// Bytes due.
        want: usize,
    },
    /// The kind has no tail, or its tail is a list whose length does not divide.
    #[error("{name} has a tail of {got} bytes, which is not {what}")]
    Tail {
        /// Name of the record.
        name: &'static str,
        /// Bytes found.
        got: usize,
        /// What would be right.
        what: &'static str,
    },
}

bodies! {
    Image, Warning,
    Task, Thread, Creds, Rlimit, Namespace, Fs,
    CpuX86_64,
    Mm, Vma, MmContext, Extent, Guard,
    FileTable, Fd, File, Inode, InodeIdentity, Pipe, Eventfd, Epoll, EpollTarget, Timerfd, Signalfd, Pidfd, Socket, External, Lock,
    Sighand, Sigaction, Sigpending,
    Itimer, PosixTimer,
    Index, IndexEnd,
}
