//! Descriptions whose other end lies outside of the tree: terminals, and what pipes and sockets turn out to be.
//!
//! They are taken from whoever restarts: the descriptor of the same number for standard input, output and error, the
//! terminal of the caller for other descriptors that led to one.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use stasis_format::record::{External as Record, File};

use super::descriptions::Open;
use super::kind::{Captured, FdKind, FdMaker, Judging, Making, Redirects};
use crate::image::model::{Id, Tree};
use crate::kinds::{Capture, CaptureError, RestoreError};

/// [`File::kind`].
const EXTERNAL: u32 = 13;

/// [`Record::kind`].
pub const TERMINAL: u32 = 1;
/// A pipe to somebody outside.
pub const PIPE: u32 = 2;
/// A socket.
pub const SOCKET: u32 = 3;
/// Something else.
pub const OTHER: u32 = 4;

/// The kind.
#[derive(Debug)]
pub struct External;

impl FdKind for External {
    fn carries(&self) -> &'static [u32] {
        &[EXTERNAL]
    }

    fn is_mine(&self, open: &Open) -> bool {
        let is_terminal = || {
            std::io::IsTerminal::is_terminal(&open.dup)
                || open.link.starts_with(b"/dev/tty")
                || open.link == b"/dev/console"
        };
        open.file_type() == libc::S_IFCHR && is_terminal()
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        Ok(Some(describe(c.tree, TERMINAL, &open.link)))
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Self)
    }
}

/// Writes down a description whose other end lies outside.
pub fn describe(tree: &mut Tree, kind: u32, link: &[u8]) -> Captured {
    Captured { kind: EXTERNAL, object: tree.add(Record { kind, pad: 0, description: link.to_vec() }) }
}

/// Makes a description one whose other end lies outside: what it was of is not carried over.
pub fn lead_outside(tree: &mut Tree, file: Id, kind: u32, link: &[u8]) {
    let captured = describe(tree, kind, link);
    if let Some(f) = tree.files.get_mut(&file) {
        tree.objects.remove(&f.object);
        (f.kind, f.object) = (captured.kind, captured.object);
    }
}

/// Whether some process of the tree has a description as standard input, output or error.
pub fn is_standard(tree: &Tree, file: Id) -> bool {
    tree.tables.values().flatten().any(|fd| fd.file == file && fd.fd <= 2)
}

impl FdMaker for External {
    fn judge(&self, j: &Judging, id: Id, file: &File) -> Option<String> {
        let record: &Record = j.tree.object(file.object)?;
        let numbers = j.numbers.get(&id).map_or(&[][..], Vec::as_slice);
        if find(record, numbers, j.redirects).is_some_and(|found| found.is_ok()) {
            return None;
        }
        Some(format!(
            "descriptor {numbers:?} led to {} outside of the process; say what takes its place with --fd {}=PATH",
            record.description.escape_ascii(),
            numbers.first().copied().unwrap_or(0)
        ))
    }

    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        let missing = || RestoreError::missing(m.tree, id);
        let record: &Record = m.tree.object(file.object).ok_or_else(missing)?;
        let numbers = m.numbers.get(&id).map_or(&[][..], Vec::as_slice);
        let found = find(record, numbers, m.redirects).ok_or_else(missing)?;
        found.map(Some).map_err(RestoreError::io("duplicating a standard descriptor"))
    }
}

fn find(record: &Record, numbers: &[u32], redirects: &Redirects) -> Option<std::io::Result<OwnedFd>> {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let own: [Option<BorrowedFd>; 3] = match &redirects.standard {
        Some(theirs) => theirs.each_ref().map(|fd| fd.as_ref().map(AsFd::as_fd)),
        None => [Some(stdin.as_fd()), Some(stdout.as_fd()), Some(stderr.as_fd())],
    };
    let standard = numbers.iter().find_map(|n| own.get(*n as usize).copied().flatten());
    let terminal = || own.iter().flatten().copied().find(std::io::IsTerminal::is_terminal);
    let found = standard.or_else(|| if record.kind == TERMINAL { terminal() } else { None });
    found.map(|fd| fd.try_clone_to_owned())
}
