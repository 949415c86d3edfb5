//! Files of an image are opened with the rights of the process that had them.
//!
//! A path of the image may lead elsewhere by now: whoever may write a directory on the way can put a symbolic link there.
//! So it is followed with the rights of the process, at most, and then only names somebody it could have opened itself.
//! What the process held beyond its rights, from before it gave them up, is opened with ours only if the image is known to
//! be our own record and the file is provably the very same.
//!
//! Nothing here waits or has an effect: a file is found by `O_PATH`, judged, and only then opened.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::stat::{FileStat, fstat};
use stasis_format::record::{Fs, InBody as _, Inode, InodeIdentity, Pipe};

use super::holders::{Holders, Who, fs_rights};
use super::objects;
use crate::image::model::{Id, Tree};
use crate::kinds::RestoreError;
use crate::kinds::fd::inodes;
use crate::sys::creds::{self, FsRights};
use crate::sys::open::{self, Resolve};

/// CAP_SYS_CHROOT, capabilities(7).
const CAP_SYS_CHROOT: u64 = 1 << 18;

/// How the files of one image are opened.
#[derive(Debug, Default)]
pub struct Files {
    holders: Holders,
    /// By CREDS.
    rights: BTreeMap<Id, FsRights>,
    /// Root directories other than ours, by INODE.
    roots: BTreeMap<Id, (Vec<u8>, OwnedFd)>,
    /// By INODE.
    identities: BTreeMap<Id, InodeIdentity>,
    /// Whether the image is known to be a true record: then what a process held beyond its rights is its own.
    proven: bool,
}

/// Where a file is, before it is opened.
struct Found {
    fd: OwnedFd,
    /// It could be reached with our rights only, and is the same as before.
    by_proof: bool,
}

impl Files {
    /// Judges from all tasks of the tree who has what. `proven`: nobody else can have written the image.
    pub fn new(tree: &Tree, proven: bool) -> Result<Self, RestoreError> {
        let rights = tree.creds.iter().map(|(id, creds)| (*id, fs_rights(creds))).collect();
        let identities =
            tree.parts.iter().filter_map(InodeIdentity::of).map(|i| (i.inode, i.clone())).collect();
        let mut files = Self { holders: Holders::of(tree), rights, identities, proven, ..Self::default() };
        let users: Vec<Who> = files.holders.directories().map(|(_, who)| who).collect();
        for who in users {
            files.find_root(tree, who)?;
        }
        Ok(files)
    }

    /// Opens a file for everybody who has this description, with these flags.
    pub fn open_description(
        &self,
        file: Id,
        inode: (Id, &Inode),
        flags: i32,
    ) -> Result<OwnedFd, RestoreError> {
        self.open(self.holders.of_file(file), inode, flags)
    }

    /// Finds a file for everybody who has this description of an inotify instance that watches it, which takes the right to
    /// read it (inotify(7)).
    pub fn find_watched(&self, file: Id, (id, inode): (Id, &Inode)) -> Result<OwnedFd, RestoreError> {
        let users: Vec<Who> = self.holders.of_file(file).collect();
        users.iter().try_for_each(|who| self.check(*who, id, inode, libc::O_RDONLY))?;
        self.open(users.into_iter(), (id, inode), libc::O_PATH)
    }

    /// Opens a file for everybody who has it open or mapped, with these flags.
    pub fn open_for_all(&self, inode: (Id, &Inode), flags: i32) -> Result<OwnedFd, RestoreError> {
        self.open(self.holders.of_inode(inode.0), inode, flags)
    }

    fn open(
        &self,
        users: impl Iterator<Item = Who>,
        (id, inode): (Id, &Inode),
        flags: i32,
    ) -> Result<OwnedFd, RestoreError> {
        let mut opened: Option<(OwnedFd, FileStat)> = None;
        for who in users {
            let found = self.find(who, id, inode, flags)?;
            let fd = self.open_found(who, id, inode, found, flags)?;
            let stat = fstat(&fd).map_err(RestoreError::nix(name(inode)))?;
            if opened
                .as_ref()
                .is_some_and(|(_, other)| (other.st_dev, other.st_ino) != (stat.st_dev, stat.st_ino))
            {
                let why = format!("{} is another file to each of the processes that share it", name(inode));
                return Err(RestoreError::Rights(why));
            }
            opened = Some((fd, stat));
        }
        opened.map(|(fd, _)| fd).ok_or_else(|| {
            RestoreError::Host(format!("{} is in the image, but no process has it", name(inode)))
        })
    }

    /// Judges everything that is to be opened, before anything is done. `made`: what is made anew.
    pub fn judge_all(&self, tree: &Tree, made: &BTreeMap<Id, OwnedFd>) -> Result<(), RestoreError> {
        for (id, file) in &tree.files {
            let fifo = tree.object::<Pipe>(file.object).map_or(file.object, |pipe| pipe.inode);
            let Some(inode) = tree.inodes.get(&fifo).filter(|_| !made.contains_key(&fifo)) else { continue };
            for who in self.holders.of_file(*id) {
                self.check(who, fifo, inode, file.flags as i32)?;
            }
        }
        for (id, who, flags) in self.holders.mapped() {
            let Some(inode) = tree.inodes.get(&id).filter(|_| !made.contains_key(&id)) else { continue };
            self.check(who, id, inode, flags)?;
        }
        self.holders.directories().try_for_each(|(fs, _)| self.directories(tree, fs).map(drop))
    }

    /// Whether a file may be opened with these flags.
    fn check(&self, who: Who, id: Id, inode: &Inode, flags: i32) -> Result<(), RestoreError> {
        let found = self.find(who, id, inode, flags)?;
        if flags & libc::O_PATH != 0 {
            return Ok(());
        }
        let mode = access_mode(flags);
        let denied = match self.under(who, || open::access(&found.fd, mode))? {
            Ok(()) => return Ok(()),
            Err(source) => source,
        };
        // Ours may be no more than those of the process.
        let may_be_ours = open::access(&found.fd, mode).is_ok();
        match may_be_ours && (found.by_proof || self.is_provably(id, inode, &found.fd)) {
            true => Ok(()),
            false => Err(beyond(inode, &denied)),
        }
    }

    /// The current directory of an FS, and its root if that is not ours.
    pub fn directories(&self, tree: &Tree, fs: Id) -> Result<Directories, RestoreError> {
        let missing = || RestoreError::Host("a process of the image has no current directory in it".into());
        let who = self.holders.of_directory(fs).ok_or_else(missing)?;
        let Fs { cwd: id, root, .. } = tree.fss.get(&fs).ok_or_else(missing)?;
        let inode = tree.inodes.get(id).ok_or_else(missing)?;
        let cwd = self.find(who, *id, inode, libc::O_DIRECTORY)?;
        // What chdir(2) asks for.
        if !cwd.by_proof
            && let Err(source) = self.under(who, || open::access(&cwd.fd, libc::X_OK))?
            && !self.is_provably(*id, inode, &cwd.fd)
        {
            return Err(beyond(inode, &source));
        }
        let root = self.roots.get(root).map(|(_, fd)| fd.try_clone()).transpose();
        Ok(Directories { cwd: cwd.fd, root: root.map_err(RestoreError::io("duplicating a descriptor"))? })
    }

    /// Runs `body` with the rights of a user of files.
    fn under<T>(&self, who: Who, body: impl FnOnce() -> T) -> Result<T, RestoreError> {
        let rights = self
            .rights
            .get(&who.creds)
            .ok_or_else(|| RestoreError::Host("a process of the image has no credentials in it".into()))?;
        creds::with(rights, body)
            .map_err(RestoreError::io(format!("taking on the rights of uid {} to open files", rights.uid)))
    }

    /// Runs `body`, which makes a file anew, with the rights of whoever has it.
    pub fn make<T>(
        &self,
        inode: Id,
        body: impl FnOnce() -> io::Result<T>,
    ) -> Result<io::Result<T>, RestoreError> {
        match self.holders.of_inode(inode).next() {
            Some(who) => self.under(who, body),
            None => Ok(body()),
        }
    }

    /// Runs `body`, which makes something in the file system, with the rights of whoever has this description.
    pub fn on_behalf<T>(&self, file: Id, body: impl FnOnce() -> T) -> Result<T, RestoreError> {
        match self.holders.of_file(file).next() {
            Some(who) => self.under(who, body),
            None => Ok(body()),
        }
    }

    /// Whether the image is known to be a true record.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    fn find_root(&mut self, tree: &Tree, who: Who) -> Result<(), RestoreError> {
        let Some(inode) = tree.inodes.get(&who.root) else { return Ok(()) };
        if inode.path.is_empty() || inode.path == b"/" || self.roots.contains_key(&who.root) {
            return Ok(());
        }
        // chroot(2) by whoever may not make it is only put back where it was.
        let may = self.rights.get(&who.creds).is_some_and(|r| r.effective & CAP_SYS_CHROOT != 0);
        let fd = open::find(None, &inode.path, libc::O_DIRECTORY, Resolve::NoLinks)
            .map_err(RestoreError::io(format!("opening the root directory {}", name(inode))))?;
        if !may && !self.is_provably(who.root, inode, &fd) {
            let denied = io::Error::from_raw_os_error(libc::EPERM);
            return Err(beyond(inode, &denied));
        }
        self.roots.insert(who.root, (inode.path.clone(), fd));
        Ok(())
    }

    fn find(&self, who: Who, id: Id, inode: &Inode, flags: i32) -> Result<Found, RestoreError> {
        let is_link = inode.mode & libc::S_IFMT == libc::S_IFLNK;
        let flags = flags & libc::O_DIRECTORY | if is_link { libc::O_NOFOLLOW } else { 0 };
        let root = self.roots.get(&who.root);
        let reached = self.under(who, || match root {
            None => open::find(None, &inode.path, flags, Resolve::NoMagicLinks),
            Some((path, root)) => match inside(&inode.path, path) {
                Some(rest) => open::find(Some(root.as_fd()), rest, flags, Resolve::InRoot),
                None => Err(io::Error::from_raw_os_error(libc::EXDEV)),
            },
        })?;
        let found = match reached {
            Ok(fd) => Found { fd, by_proof: false },
            Err(source) => {
                let ours = open::find(None, &inode.path, flags, Resolve::NoLinks);
                match ours {
                    Ok(fd) if self.is_provably(id, inode, &fd) => Found { fd, by_proof: true },
                    // It is not there for us either: that is no question of rights.
                    Err(_) if source.raw_os_error() == Some(libc::ENOENT) => {
                        return Err(RestoreError::Io { what: opening(inode), source });
                    }
                    _ => return Err(beyond(inode, &source)),
                }
            }
        };
        self.judge(inode, &found.fd)?;
        Ok(found)
    }

    /// What has been found must be of the kind that it was, before it is opened: opening a FIFO or a device can wait, or have
    /// an effect.
    fn judge(&self, inode: &Inode, fd: &OwnedFd) -> Result<(), RestoreError> {
        let stat = fstat(fd).map_err(RestoreError::nix(opening(inode)))?;
        let (was, is) = (inode.mode & libc::S_IFMT, stat.st_mode & libc::S_IFMT);
        if was != is {
            let why = format!("{} was a file of type {was:o} and is now one of type {is:o}", name(inode));
            return Err(RestoreError::Host(why));
        }
        if matches!(is, libc::S_IFCHR | libc::S_IFBLK) && stat.st_rdev != inode.rdev {
            return Err(RestoreError::Host(format!("{} is another device now", name(inode))));
        }
        // Where it really lies, whatever its name in the image.
        let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))
            .map_err(RestoreError::io(opening(inode)))?;
        if let Some(what) = objects::of_process(fd, link.as_os_str().as_encoded_bytes()) {
            let why = format!("{} is {what}, which is not opened again: it would be another's", name(inode));
            return Err(RestoreError::Rights(why));
        }
        Ok(())
    }

    fn open_found(
        &self,
        who: Who,
        id: Id,
        inode: &Inode,
        found: Found,
        flags: i32,
    ) -> Result<OwnedFd, RestoreError> {
        if flags & libc::O_PATH != 0 {
            // The descriptor that it was found by is one already; its flags are those it had.
            return Ok(found.fd);
        }
        if inode.mode & libc::S_IFMT == libc::S_IFIFO {
            return self.open_fifo(who, id, inode, found, flags);
        }
        if matches!(inode.mode & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK)
            && !inodes::is_plain_device(inode.rdev)
        {
            return Err(RestoreError::Host(format!(
                "{} is a device that keeps state of its own",
                name(inode)
            )));
        }
        let open = || inodes::reopen(&found.fd, flags);
        if found.by_proof {
            return open().map_err(RestoreError::io(opening(inode)));
        }
        match self.under(who, open)? {
            Err(source) if is_denial(&source) => match self.is_provably(id, inode, &found.fd) {
                true => open().map_err(RestoreError::io(opening(inode))),
                false => Err(beyond(inode, &source)),
            },
            done => done.map_err(RestoreError::io(opening(inode))),
        }
    }

    /// Opens a FIFO both ways, which does not wait; its ends are then opened from that, so all of them have to be within
    /// reach. `flags` say which there are.
    fn open_fifo(
        &self,
        who: Who,
        id: Id,
        inode: &Inode,
        found: Found,
        flags: i32,
    ) -> Result<OwnedFd, RestoreError> {
        if !found.by_proof
            && let Err(source) = self.under(who, || open::access(&found.fd, access_mode(flags)))?
            && !self.is_provably(id, inode, &found.fd)
        {
            return Err(beyond(inode, &source));
        }
        inodes::reopen(&found.fd, flags & !libc::O_ACCMODE | libc::O_RDWR | libc::O_NONBLOCK)
            .map_err(RestoreError::io(opening(inode)))
    }

    /// Whether a file is the one of the image beyond doubt, and the image is beyond doubt too.
    fn is_provably(&self, id: Id, inode: &Inode, fd: &OwnedFd) -> bool {
        let identity = self.identities.get(&id);
        let (Some(identity), Ok(stat), true) = (identity, fstat(fd), self.proven) else { return false };
        if (stat.st_dev, stat.st_ino) != (inode.dev, inode.ino)
            || (stat.st_mode ^ inode.mode) & libc::S_IFMT != 0
            || stat.st_rdev != inode.rdev
        {
            return false;
        }
        if has_generation(identity.handle_type) && !identity.handle.is_empty() {
            return open::handle(fd)
                .is_ok_and(|handle| handle == (identity.handle_type, identity.handle.clone()));
        }
        let nanos = |s: i64, ns: i64| (s as u64).wrapping_mul(1_000_000_000).wrapping_add(ns as u64);
        stat.st_size as u64 == inode.size
            && nanos(stat.st_mtime, stat.st_mtime_nsec) == inode.mtime
            && nanos(stat.st_ctime, stat.st_ctime_nsec) == identity.ctime
    }
}

/// Where a process is in the file system.
#[derive(Debug)]
pub struct Directories {
    /// Its current directory.
    pub cwd: OwnedFd,
    /// Its root, if it has another than we have.
    pub root: Option<OwnedFd>,
}

/// Types of handle that hold the generation of an inode, so that another file with its number has another handle: those of
/// linux/exportfs.h with INO32_GEN or INO64_GEN, which ext4, xfs and tmpfs have too, and those of Btrfs.
fn has_generation(kind: i32) -> bool {
    matches!(kind, 1 | 2 | 0x81 | 0x82 | 0x4d..=0x4f)
}

/// The part of a path below a root; nothing if it lies outside.
fn inside<'p>(path: &'p [u8], root: &[u8]) -> Option<&'p [u8]> {
    match path.strip_prefix(root)? {
        [] => Some(b"/"),
        rest => rest.starts_with(b"/").then_some(rest),
    }
}

/// What access(2) calls an access mode of open(2).
fn access_mode(flags: i32) -> i32 {
    match flags & libc::O_ACCMODE {
        libc::O_RDONLY => libc::R_OK,
        libc::O_WRONLY => libc::W_OK,
        _ => libc::R_OK | libc::W_OK,
    }
}

fn is_denial(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EROFS))
}

fn name(inode: &Inode) -> String {
    inode.path.escape_ascii().to_string()
}

fn opening(inode: &Inode) -> String {
    format!("opening {}", name(inode))
}

fn beyond(inode: &Inode, source: &io::Error) -> RestoreError {
    RestoreError::Rights(format!(
        "{} is not opened again: the process itself may not open it ({source}), and it is not provably the file that \
         the process had",
        name(inode)
    ))
}
