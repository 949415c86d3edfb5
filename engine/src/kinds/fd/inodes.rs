//! Files as such: which file it is, whether its contents go into the image, and finding or making it again.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File as StdFile, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use stasis_format::record::{Inode, InodeIdentity};

use crate::image::model::{Id, Tree};
use crate::kinds::{Capture, RestoreError};
use crate::refusal::Loss;
use crate::rights::files::Files;
use crate::rights::objects;
use crate::sys;

/// Bits of [`Inode::flags`].
pub const DELETED: u32 = 1;
/// The contents are in the image.
pub const EMBEDDED: u32 = 2;
/// Shared anonymous memory.
pub const SHMEM: u32 = 4;
/// A memfd.
pub const MEMFD: u32 = 8;
/// Some area maps it.
pub const MAPPED: u32 = 16;
/// Some descriptor has it open.
pub const OPEN: u32 = 32;
/// A file of /proc.
pub const PROC: u32 = 64;
/// An inotify instance watches it.
pub const WATCHED: u32 = 128;

/// File system magic of procfs (linux/magic.h).
const PROC_SUPER_MAGIC: u64 = 0x9fa0;

impl Capture<'_> {
    /// The INODE of an open file; `path` is what the kernel's link says, `use_` is [`MAPPED`], [`OPEN`] or
    /// [`WATCHED`].
    ///
    /// The contents of deleted files, memfds and shared memory go into the image, those of others on request.
    pub fn inode(&mut self, fd: OwnedFd, path: &[u8], use_: u32) -> io::Result<Id> {
        let file = StdFile::from(fd);
        let meta = file.metadata()?;
        let key = (meta.dev(), meta.ino());
        if let Some(id) = self.contents.known.get(&key) {
            if let Some(inode) = self.tree.inodes.get_mut(id) {
                inode.flags |= use_;
            }
            return Ok(*id);
        }
        let (name, deleted) =
            if still_there(self.target.pid, path, &meta) { (path, false) } else { strip_deleted(path) };
        let mut flags = use_;
        let mut seals = 0;
        // The kernel's own files of these names have no links; a file in / could have such a name too.
        if let Some(memfd) = name.strip_prefix(b"/memfd:").filter(|_| deleted) {
            flags |= MEMFD | EMBEDDED;
            // A descriptor that only names the file cannot be asked.
            let readable = sys::file::seals(&file).is_err().then(|| reopen_file(&file)).transpose()?;
            seals = sys::file::seals(readable.as_ref().unwrap_or(&file))?;
            return self.add_inode(file, &meta, memfd.to_vec(), flags, seals);
        }
        if name == b"/dev/zero" && deleted && meta.is_file() {
            flags |= SHMEM | EMBEDDED;
            return self.add_inode(file, &meta, Vec::new(), flags, 0);
        }
        if let Some(what) = objects::of_process(&file, name) {
            let what = format!("{} is {what}, which would be another's after a restart", name.escape_ascii());
            self.survey.refuse(Loss::Descriptor, self.target.pid, what, "close it before the checkpoint");
        }
        if sys::file::fs_magic(&file).is_ok_and(|m| m == PROC_SUPER_MAGIC) {
            flags |= PROC;
        }
        if deleted || meta.nlink() == 0 {
            flags |= DELETED;
            if meta.is_file() {
                flags |= EMBEDDED;
                if meta.nlink() > 0 {
                    self.survey.lose(
                        Loss::Attribute,
                        self.target.pid,
                        format!(
                            "{} was deleted under this name but lives on under another, which the restored process \
                             would no longer share",
                            name.escape_ascii()
                        ),
                        "close it or give it its name back",
                    );
                }
            }
        } else if self.embed_files && meta.is_file() && flags & PROC == 0 {
            flags |= EMBEDDED;
        }
        self.add_inode(file, &meta, name.to_vec(), flags, seals)
    }

    fn add_inode(
        &mut self,
        file: StdFile,
        meta: &std::fs::Metadata,
        path: Vec<u8>,
        flags: u32,
        seals: u32,
    ) -> io::Result<Id> {
        let id = self.tree.new_id();
        self.contents.known.insert((meta.dev(), meta.ino()), id);
        self.tree.inodes.insert(id, record(meta, path, flags, seals));
        if flags & (MEMFD | SHMEM | DELETED) == 0 {
            self.tree.parts.push(identity(id, &file, meta).into());
        }
        if flags & EMBEDDED != 0 && meta.size() > 0 {
            // A descriptor opened for writing only cannot be read from; /proc gives another one.
            let readable = match &self.leave_out.on_behalf {
                Some(who) => sys::creds::with(&who.fs, || reopen_file(&file))??,
                None => reopen_file(&file)?,
            };
            self.contents.inodes.push((id, readable.into(), meta.size()));
        }
        Ok(id)
    }

    /// The INODE of a path, for directories and programs.
    pub fn inode_of_link(&mut self, link: &str, use_: u32) -> io::Result<Id> {
        let path = self.target.proc.readlink(link)?;
        let name = format!("/proc/{}/{link}", self.target.pid);
        // O_PATH is enough for all but embedding, and never has an effect on the file.
        let fd = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(name)?;
        self.inode(fd.into(), &path, use_)
    }
}

fn reopen_file(file: &StdFile) -> io::Result<StdFile> {
    StdFile::open(format!("/proc/self/fd/{}", raw(file)))
}

fn raw(file: &StdFile) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(file)
}

/// What tells a file from a later one with its number.
fn identity(inode: Id, file: &StdFile, meta: &std::fs::Metadata) -> InodeIdentity {
    let (handle_type, handle) = sys::open::handle(file).unwrap_or_default();
    InodeIdentity { inode, handle_type, ctime: nanos(meta.ctime(), meta.ctime_nsec()), handle }
}

fn nanos(seconds: i64, nanoseconds: i64) -> u64 {
    (seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(nanoseconds as u64)
}

/// Whether a device is one without state of its own, which can simply be opened again: null, zero, full, random, urandom
/// (Documentation/admin-guide/devices.txt).
pub fn is_plain_device(rdev: u64) -> bool {
    let (major, minor) = (nix::sys::stat::major(rdev), nix::sys::stat::minor(rdev));
    major == 1 && matches!(minor, 3 | 5 | 7 | 8 | 9)
}

fn record(meta: &std::fs::Metadata, path: Vec<u8>, flags: u32, seals: u32) -> Inode {
    Inode {
        dev: meta.dev(),
        ino: meta.ino(),
        mode: meta.mode(),
        nlink: meta.nlink() as u32,
        size: meta.size(),
        mtime: nanos(meta.mtime(), meta.mtime_nsec()),
        rdev: meta.rdev(),
        flags,
        seals,
        uid: meta.uid(),
        gid: meta.gid(),
        path,
    }
}

/// Whether a file whose link ends in " (deleted)" is one that has this very name, and not one that was deleted.
fn still_there(pid: i32, path: &[u8], meta: &std::fs::Metadata) -> bool {
    if meta.nlink() == 0 || !strip_deleted(path).1 {
        return false;
    }
    let name = [format!("/proc/{pid}/root").as_bytes(), path].concat();
    std::fs::symlink_metadata(OsStr::from_bytes(&name))
        .is_ok_and(|found| (found.dev(), found.ino()) == (meta.dev(), meta.ino()))
}

/// Takes the kernel's " (deleted)" off the end of a link.
pub fn strip_deleted(path: &[u8]) -> (&[u8], bool) {
    path.strip_suffix(b" (deleted)").map_or((path, false), |p| (p, true))
}

/// The path of an INODE on this host.
pub fn path(inode: &Inode) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&inode.path))
}

/// What the restored process needs of a file, for the judgement whether it still is the one it had.
#[derive(Debug, Clone, Copy, Default)]
pub struct Need {
    /// Bytes that were mapped or read.
    pub bytes: u64,
    /// Whether its contents must not have changed: it is mapped privately, as programs and libraries are.
    pub unchanged: bool,
}

/// Judges a file that is to be opened again; `None` when it will do, else the complaint.
pub fn judge(inode: &Inode, need: Need) -> Option<String> {
    let name = inode.path.escape_ascii();
    let path = path(inode);
    let is_link = inode.mode & libc::S_IFMT == libc::S_IFLNK;
    let meta = if is_link { std::fs::symlink_metadata(path) } else { std::fs::metadata(path) };
    let meta = match meta {
        Ok(meta) => meta,
        Err(e) => return Some(format!("{name} cannot be opened again: {e}")),
    };
    let (was, is) = (inode.mode & libc::S_IFMT, meta.mode() & libc::S_IFMT);
    if was != is {
        return Some(format!("{name} was a file of type {was:o} and is now one of type {is:o}"));
    }
    if was != libc::S_IFREG || inode.flags & PROC != 0 {
        return None;
    }
    if meta.size() < need.bytes {
        return Some(format!(
            "{name} is {} bytes long now, but the process had mapped or read {} bytes of it",
            meta.size(),
            need.bytes
        ));
    }
    let now = record(&meta, Vec::new(), 0, 0);
    let same_content = now.mtime == inode.mtime && now.size == inode.size;
    if now.ino != inode.ino && !same_content {
        return Some(format!(
            "{name} was replaced by another file (inode {} before, {} now)",
            inode.ino, now.ino
        ));
    }
    if need.unchanged && !same_content {
        return Some(format!("{name} has changed since the checkpoint, and the process had it mapped"));
    }
    None
}

/// Makes a file whose contents are in the image: a memfd, shared memory, or an unnamed file where the deleted one was.
pub fn make(id: Id, inode: &Inode, rights: &Files) -> Result<OwnedFd, RestoreError> {
    let what = || format!("making {} again", inode.path.escape_ascii());
    let fd = if inode.flags & SHMEM != 0 {
        match sys::mem::shared_anonymous(inode.size) {
            Ok(fd) => return Ok(fd),
            Err(_) => sys::mem::memfd(b"stasis-shared", false).map_err(RestoreError::io(what()))?,
        }
    } else if inode.flags & MEMFD != 0 {
        sys::mem::memfd(&inode.path, true).map_err(RestoreError::io(what()))?
    } else {
        make_deleted(id, inode, rights)?
    };
    nix::unistd::ftruncate(fd.as_fd(), inode.size as i64).map_err(RestoreError::nix(what()))?;
    Ok(fd)
}

/// A file without a name where the deleted one was, with its mode and owner, as the process could make it.
///
/// It never has a name, so a restart that is killed leaves nothing; only a file system that cannot make such files
/// (overlayfs of old, NFS) sees a name for a moment.
fn make_deleted(id: Id, inode: &Inode, rights: &Files) -> Result<OwnedFd, RestoreError> {
    let what = || format!("making {} again", inode.path.escape_ascii());
    let path = path(inode);
    let dir = path.parent().filter(|d| d.is_dir()).map_or_else(std::env::temp_dir, Path::to_path_buf);
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    let unnamed = || match options.clone().custom_flags(libc::O_TMPFILE).open(&dir) {
        Ok(file) => Ok(file),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM)) => Err(error),
        Err(_) => Ok(tempfile::Builder::new().prefix(".stasis-").tempfile_in(&dir)?.into_file()),
    };
    let file = match rights.make(id, unnamed)? {
        // The process held it from when it could make files there.
        Err(error) if rights.is_proven() && error.kind() == io::ErrorKind::PermissionDenied => unnamed(),
        made => made,
    };
    let file = file.map_err(RestoreError::io(what()))?;
    let owned = || -> io::Result<()> {
        nix::unistd::fchown(&file, Some(inode.uid.into()), Some(inode.gid.into()))?;
        let mode = nix::sys::stat::Mode::from_bits_truncate(inode.mode & 0o7777);
        Ok(nix::sys::stat::fchmod(&file, mode)?)
    };
    let by_itself = rights.make(id, owned)?;
    if by_itself.is_ok() {
        return Ok(file.into());
    }
    if inode.mode & (libc::S_ISUID | libc::S_ISGID) != 0 {
        let why = format!(
            "{} ran with the rights of uid {} and gid {}: the process could not make such a file",
            inode.path.escape_ascii(),
            inode.uid,
            inode.gid
        );
        return Err(RestoreError::Rights(why));
    }
    if !rights.is_proven() || owned().is_err() {
        // Another owner needs privilege; without it the file is the process's own, as all else of it is.
        let mode = nix::sys::stat::Mode::from_bits_truncate(inode.mode & 0o777);
        nix::sys::stat::fchmod(&file, mode).map_err(RestoreError::nix(what()))?;
    }
    Ok(file.into())
}

/// Opens another description of the same file, with these flags.
pub fn reopen(fd: &OwnedFd, flags: i32) -> io::Result<OwnedFd> {
    let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(fd));
    open_path(Path::new(&name), flags)
}

/// Opens a path with exactly these flags.
pub fn open_path(path: &Path, flags: i32) -> io::Result<OwnedFd> {
    let flags = nix::fcntl::OFlag::from_bits_truncate(flags | libc::O_CLOEXEC | libc::O_NOCTTY);
    Ok(nix::fcntl::open(path, flags, nix::sys::stat::Mode::empty())?)
}

/// Seals the memfds that were made anew and are filled.
pub fn seal(tree: &Tree, made: &BTreeMap<Id, OwnedFd>) -> Result<(), RestoreError> {
    for (id, fd) in made {
        if let Some(inode) = tree.inodes.get(id).filter(|i| i.seals != 0) {
            sys::file::add_seals(fd, inode.seals).map_err(RestoreError::io("sealing a memfd"))?;
        }
    }
    Ok(())
}

/// The INODEs of a tree whose contents are in the image.
pub fn embedded(tree: &Tree) -> impl Iterator<Item = (Id, &Inode)> {
    tree.inodes.iter().filter(|(_, i)| i.flags & EMBEDDED != 0).map(|(id, i)| (*id, i))
}
