//! Descriptions of files that have a name or had one: regular files, directories, memfds, harmless devices, and whatever was
//! opened by O_PATH. Which file it is stands in [`inodes`].

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use stasis_format::record::{File, Inode};

use super::descriptions::Open;
use super::inodes::{self, Need};
use super::kind::{Captured, FdKind, FdMaker, Making};
use crate::image::model::{Id, Tree};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::rights::files::Files as Rights;

/// [`File::kind`] of a regular file.
const REGULAR: u32 = 1;
/// A directory.
const DIRECTORY: u32 = 2;
/// A device that can simply be opened again.
pub const DEVICE: u32 = 3;
/// A memfd.
const MEMFD: u32 = 11;
/// Opened with O_PATH.
const PATH: u32 = 12;

/// The kind.
#[derive(Debug)]
pub struct Files;

impl FdKind for Files {
    fn carries(&self) -> &'static [u32] {
        &[REGULAR, DIRECTORY, DEVICE, MEMFD, PATH]
    }

    fn is_mine(&self, open: &Open) -> bool {
        kind_of(open).is_some()
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        let Some(kind) = kind_of(open) else { return Ok(None) };
        let dup = open.dup.try_clone().map_err(open.unreadable())?;
        let object = c.inode(dup, &open.link, inodes::OPEN).map_err(open.unreadable())?;
        Ok(Some(Captured { kind, object }))
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Self)
    }
}

fn kind_of(open: &Open) -> Option<u32> {
    if open.info.flags & libc::O_PATH as u32 != 0 {
        return Some(PATH);
    }
    match open.file_type() {
        libc::S_IFREG if open.link.starts_with(b"anon_inode:") => None,
        libc::S_IFREG if open.link.starts_with(b"/memfd:") => Some(MEMFD),
        libc::S_IFREG => Some(REGULAR),
        libc::S_IFDIR => Some(DIRECTORY),
        libc::S_IFCHR if inodes::is_plain_device(open.stat.st_rdev) => Some(DEVICE),
        _ => None,
    }
}

/// What open files have to hold, for the judgement at restart.
pub fn needs(tree: &Tree, needs: &mut BTreeMap<Id, Need>) {
    // A file opened only for writing has not been read: nothing of it is needed.
    let read = |f: &&File| f.kind == REGULAR && f.flags as i32 & libc::O_ACCMODE != libc::O_WRONLY;
    for file in tree.files.values().filter(read) {
        let size = tree.inodes.get(&file.object).map_or(0, |i| i.size);
        let need = needs.entry(file.object).or_default();
        need.bytes = need.bytes.max(file.pos.min(size));
    }
}

/// Opens a file of the image with these flags: from what was made anew if it was, else with the rights of those who have
/// this description or, without one, have the file mapped.
pub fn open_inode(
    rights: &Rights,
    description: Option<Id>,
    (id, inode): (Id, &Inode),
    made: Option<&OwnedFd>,
    flags: i32,
) -> Result<OwnedFd, RestoreError> {
    let strip = libc::O_CREAT | libc::O_EXCL | libc::O_TRUNC | libc::O_NOFOLLOW;
    // Two bits make O_TMPFILE, one of them is O_DIRECTORY.
    let tmpfile = libc::O_TMPFILE & !libc::O_DIRECTORY;
    let mut flags = flags & !strip;
    if flags & tmpfile != 0 {
        flags &= !libc::O_TMPFILE;
    }
    match (made, description) {
        (Some(fd), _) => {
            let what = format!("opening {}", inode.path.escape_ascii());
            inodes::reopen(fd, flags).map_err(RestoreError::io(what))
        }
        (None, Some(description)) => rights.open_description(description, (id, inode), flags),
        (None, None) => rights.open_for_all((id, inode), flags),
    }
}

impl FdMaker for Files {
    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        let inode = m.tree.inodes.get(&file.object).ok_or_else(|| RestoreError::missing(m.tree, id))?;
        let made = m.made.get(&file.object);
        let fd = open_inode(m.rights, Some(id), (file.object, inode), made, file.flags as i32)?;
        if matches!(file.kind, REGULAR | MEMFD | DIRECTORY) && file.pos != 0 {
            let what = || format!("setting the offset of {}", inode.path.escape_ascii());
            nix::unistd::lseek(fd.as_fd(), file.pos as i64, nix::unistd::Whence::SeekSet)
                .map_err(RestoreError::nix(what()))?;
        }
        Ok(Some(fd))
    }
}
