//! With whose rights a file of the image is opened: those of the processes that have it, as they are in the image.

use std::collections::{BTreeMap, BTreeSet};

use stasis_format::record::{Creds, InotifyWatch, Pipe};

use crate::image::model::{Id, Tree};
use crate::memory::areas;
use crate::sys::creds::FsRights;

/// A user of a file: credentials and the root directory of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// CREDS of its first thread.
    pub creds: Id,
    /// INODE of its root.
    pub root: Id,
}

/// Who has what. A thing that several have is opened with the rights of each of them: what the least entitled may not
/// have, nobody gets.
#[derive(Debug, Default, Clone)]
pub struct Holders {
    files: BTreeMap<Id, BTreeSet<Who>>,
    inodes: BTreeMap<Id, BTreeSet<Who>>,
    /// Files that are mapped, and how they have to be opened for it.
    mapped: BTreeSet<(Id, Who, i32)>,
    /// By FS.
    directories: BTreeMap<Id, Who>,
}

impl Holders {
    /// From all tasks of the tree.
    pub fn of(tree: &Tree) -> Self {
        let mut holders = Self::default();
        for task in tree.tasks.iter().filter(|task| !task.is_zombie()) {
            let Some(leader) = task.threads.first() else { continue };
            let root = tree.fss.get(&task.task.fs).map_or(0, |fs| fs.root);
            let who = Who { creds: leader.thread.creds, root };
            holders.directories.insert(task.task.fs, who);
            for fd in tree.tables.get(&task.task.files).into_iter().flatten() {
                holders.files.entry(fd.file).or_default().insert(who);
                let Some(file) = tree.files.get(&fd.file) else { continue };
                let inode = tree.object::<Pipe>(file.object).map_or(file.object, |fifo| fifo.inode);
                holders.inodes.entry(inode).or_default().insert(who);
                for watch in tree.parts_of::<InotifyWatch>(file.object) {
                    holders.inodes.entry(watch.inode).or_default().insert(who);
                }
            }
            let Some(mm) = tree.mms.get(&task.task.mm) else { continue };
            for (inode, write) in areas::mapped(mm).chain([(mm.mm.exe, false)]) {
                holders.inodes.entry(inode).or_default().insert(who);
                holders.mapped.insert((inode, who, if write { libc::O_RDWR } else { libc::O_RDONLY }));
            }
        }
        holders
    }

    /// Those who have an open file description.
    pub fn of_file(&self, file: Id) -> impl Iterator<Item = Who> {
        self.files.get(&file).into_iter().flatten().copied()
    }

    /// Those who have a file open or mapped.
    pub fn of_inode(&self, inode: Id) -> impl Iterator<Item = Who> {
        self.inodes.get(&inode).into_iter().flatten().copied()
    }

    /// Files that are mapped, by whom, and how they have to be opened for it.
    pub fn mapped(&self) -> impl Iterator<Item = (Id, Who, i32)> {
        self.mapped.iter().copied()
    }

    /// Whose current directory and root an FS holds.
    pub fn of_directory(&self, fs: Id) -> Option<Who> {
        self.directories.get(&fs).copied()
    }

    /// The processes with this current directory and root, by FS.
    pub fn directories(&self) -> impl Iterator<Item = (Id, Who)> {
        self.directories.iter().map(|(fs, who)| (*fs, *who))
    }
}

/// The part of credentials that decides about files.
pub fn fs_rights(creds: &Creds) -> FsRights {
    let mut groups: Vec<u32> =
        creds.groups.chunks_exact(4).map(|g| g.try_into().map_or(u32::MAX, u32::from_le_bytes)).collect();
    groups.sort_unstable();
    FsRights { uid: creds.fsuid, gid: creds.fsgid, groups, effective: creds.cap_effective }
}
