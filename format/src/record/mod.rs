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
mod net;
mod signal;
mod sysv;
mod task;
mod terminal;
mod timer;

pub use crate::schema::{FieldDef, FieldType, FileKind, RecordDef, Role, Show, TailKind};
pub use cpu::*;
pub use files::*;
pub use image::*;
pub use ipc::*;
pub use macros::{FieldPrim, InBody, RecordBody};
pub use mm::*;
pub use net::*;
pub use signal::*;
pub use sysv::*;
pub use task::*;
pub use terminal::*;
pub use timer::*;

use crate::header::Kind;
use crate::show::{self, Value};
use std::borrow::Cow;

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
    /// The fixed part is longer than the structure, and says something there.
    #[error("{name} is of a newer format: what it says at byte {at} of its fixed part is not known here")]
    Newer {
        /// Name of the record.
        name: &'static str,
        /// Position of the first byte that is not zero.
        at: usize,
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
    Task, Thread, Wait, Creds, Rlimit, Namespace, Fs,
    CpuX86_64,
    Mm, Vma, MmContext, Extent, Guard,
    FileTable, Fd, File, Inode, InodeIdentity, Pipe, Eventfd, Epoll, EpollTarget, Timerfd, Signalfd, Pidfd, Socket,
    SocketOption, SocketName, SocketPlace, SocketPacket, Inotify, InotifyWatch, External, Lock, Pty, PtyQueue,
    ControllingTerminal, Prctl, Autogroup, Inet,
    Sighand, Sigaction, Sigpending,
    Itimer, PosixTimer,
    SemSet,
    Index, IndexEnd,
}

/// What an object behind an open file may belong to: the image, or the first that was seen to use it.
pub const OWNERS_OF_FILES: &[Kind] = &[Image::KIND, Task::KIND, FileTable::KIND, File::KIND];

/// What an open file description is of, all kinds in ascending order.
pub const FILE_KINDS: &[(u64, &str)] = &{
    let mut all = [(0, ""); NR_FILE_KINDS];
    let (mut have, mut at) = (0, 0);
    while at < BEHIND.len() {
        let mut of = 0;
        while of < BEHIND[at].1.len() {
            let kind = &BEHIND[at].1[of];
            let mut place = have;
            while place > 0 && all[place - 1].0 > kind.number as u64 {
                all[place] = all[place - 1];
                place -= 1;
            }
            all[place] = (kind.number as u64, kind.name);
            have += 1;
            of += 1;
        }
        at += 1;
    }
    all
};

const NR_FILE_KINDS: usize = {
    let (mut count, mut at) = (0, 0);
    while at < BEHIND.len() {
        count += BEHIND[at].1.len();
        at += 1;
    }
    count
};

/// The kind of open file with this number.
pub fn file_kind(number: u32) -> Option<&'static FileKind> {
    BEHIND.iter().flat_map(|(_, kinds)| *kinds).find(|kind| kind.number == number)
}

/// The description of a kind of record of revision 2.
pub fn definition(kind: Kind) -> Option<&'static RecordDef> {
    DEFS.iter().find(|def| def.kind == kind.0)
}

impl Kind {
    /// The name in the specification, if it is a known type.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::HEAD => Some("HEAD"),
            Self::STRING => Some("STRING"),
            Self::TAIL => Some("TAIL"),
            _ => definition(self).map(|def| def.name),
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None if self.is_ignorable() => write!(f, "type {} (ignorable)", self.0),
            None => write!(f, "type {} (required)", self.0),
        }
    }
}

/// A fixed part with the length that is known here.
fn grown<'a>(def: &RecordDef, fixed: &'a [u8]) -> Result<Cow<'a, [u8]>, BodyError> {
    let want = def.fixed_len();
    let wrong = BodyError::FixedLength { name: def.name, got: fixed.len(), want };
    // INDEX_END is found from the end by its length.
    let is_rigid = Kind(def.kind) == IndexEnd::KIND;
    match fixed.split_at_checked(want) {
        Some((_, [])) => Ok(Cow::Borrowed(fixed)),
        _ if is_rigid || !fixed.len().is_multiple_of(8) => Err(wrong),
        Some((known, more)) => match more.iter().position(|byte| *byte != 0) {
            Some(at) => Err(BodyError::Newer { name: def.name, at: want + at }),
            None => Ok(Cow::Borrowed(known)),
        },
        None if fixed.len() < def.least_len() => Err(wrong),
        None => {
            let mut all = fixed.to_vec();
            all.resize(want, 0);
            Ok(Cow::Owned(all))
        }
    }
}

/// The fixed part as it is written: what was added since the kind was new is left out while it says nothing, so that
/// readers from before read it.
pub fn shortest<'a>(def: &RecordDef, fixed: &'a [u8]) -> &'a [u8] {
    let said = fixed.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1).next_multiple_of(8);
    fixed.get(..said.max(def.least_len())).unwrap_or(fixed)
}

/// The words of a record that has none of its own: its text, or the first few fields that say something.
fn plain_words(def: &RecordDef, fixed: &[u8], tail: &[u8]) -> String {
    const FEW: usize = 4;
    if def.tail == TailKind::Text && !tail.is_empty() {
        return show::escape(tail);
    }
    let field = |(at, field): (usize, &FieldDef)| {
        let value = Value::read(field.ty, fixed.get(at..at + field.ty.size())?);
        (value.unsigned() != 0).then(|| format!("{} {}", field.name, show::text(field, &value)))
    };
    def.placed().filter_map(field).take(FEW).collect::<Vec<_>>().join(", ")
}
