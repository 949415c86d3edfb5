//! The table of open file descriptions of a tree: first sight writes one down, later sights refer to it.
//!
//! A process has those of its parent from before the fork(2), offset and all, so they are told apart across processes, by
//! kcmp(2). That gives an order, so finding one among thousands takes a dozen calls; descriptions of different files are
//! told apart without any.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;

use crate::image::model::Id;
use crate::kinds::CaptureError;
use crate::procfs::{self, FdInfo, Proc};
use crate::sys;

/// A descriptor of a process that stands still, as /proc shows it.
#[derive(Debug)]
pub struct Sight {
    /// The process that has it.
    pub pid: i32,
    /// Its number.
    pub fd: i32,
    /// What the kernel's link says.
    pub link: Vec<u8>,
    /// Its fdinfo.
    pub info: FdInfo,
    /// Its fstat.
    pub stat: libc::stat,
}

impl Sight {
    /// Looks at a descriptor.
    pub fn of(proc: &Proc, pid: i32, fd: i32) -> Result<Self, CaptureError> {
        let what = || format!("descriptor {fd}");
        let link = proc.readlink(&format!("fd/{fd}")).map_err(CaptureError::read(what(), pid))?;
        let info = proc.read(&format!("fdinfo/{fd}")).map_err(CaptureError::read(what(), pid))?;
        let info = procfs::parse_fdinfo(&info).map_err(CaptureError::parse(format!("fdinfo/{fd}"), pid))?;
        let stat = proc.stat(&format!("fd/{fd}")).map_err(CaptureError::read(what(), pid))?;
        Ok(Self { pid, fd, link, info, stat })
    }

    /// What it is called in a reason to refuse.
    pub fn label(&self) -> String {
        format!("descriptor {} ({})", self.fd, self.link.escape_ascii())
    }

    /// Device and inode number of what it leads to.
    pub fn file(&self) -> (u64, u64) {
        (self.stat.st_dev, self.stat.st_ino)
    }

    /// The type of what it leads to, S_IFMT of inode(7).
    pub fn file_type(&self) -> u32 {
        self.stat.st_mode & libc::S_IFMT
    }

    /// O_RDONLY, O_WRONLY or O_RDWR.
    pub fn access(&self) -> i32 {
        self.info.flags as i32 & libc::O_ACCMODE
    }

    /// A duplicate of ours, of the same description: it must not be read from or moved.
    pub fn duplicate(&self) -> io::Result<OwnedFd> {
        let process = sys::pidfd::open(self.pid)?;
        sys::pidfd::getfd(&process, self.fd)
    }

    /// For what could not be learned of it.
    pub fn unreadable(&self) -> impl FnOnce(io::Error) -> CaptureError + use<> {
        CaptureError::read(format!("descriptor {}", self.fd), self.pid)
    }

    /// Whether another descriptor has the same description.
    pub fn is_same(&self, other: &Self) -> bool {
        self.file() == other.file() && self.compare(other).is_ok_and(Ordering::is_eq)
    }

    fn compare(&self, other: &Self) -> io::Result<Ordering> {
        sys::kcmp::file(self.pid, self.fd, other.pid, other.fd)
    }
}

/// A descriptor that is examined, with a duplicate of ours for as long as that takes.
#[derive(Debug)]
pub struct Open {
    sight: Sight,
    /// A duplicate, of the same description: it must not be read from or moved.
    pub dup: OwnedFd,
}

impl Open {
    /// Takes a duplicate of what was seen.
    pub fn new(sight: Sight, process: &OwnedFd) -> Result<Self, CaptureError> {
        let dup = sys::pidfd::getfd(process, sight.fd).map_err(sight.unreadable())?;
        Ok(Self { sight, dup })
    }

    /// Lets go of the duplicate.
    pub fn close(self) -> Sight {
        self.sight
    }
}

impl Deref for Open {
    type Target = Sight;

    fn deref(&self) -> &Sight {
        &self.sight
    }
}

/// The descriptions met so far, of all processes.
#[derive(Debug, Default)]
pub struct Descriptions {
    /// Each one, with the first descriptor that led to it; nothing in the place of those that are no part of the image.
    seen: Vec<(Option<Id>, Sight)>,
    /// Places in `seen` by the file that they are of, in the order of kcmp(2).
    order: HashMap<(u64, u64), Vec<usize>>,
    /// What lies behind descriptions and is one thing, however many lead to it: pipes, sockets.
    objects: HashMap<(u64, u64), Id>,
}

/// Whether a description was met before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// It is this FILE.
    Known(Id),
    /// It is no part of the image.
    LeftOut,
    /// It is new, and stands at this place among those of its file.
    New(usize),
}

impl Descriptions {
    /// Looks a descriptor's description up.
    pub fn meet(&self, sight: &Sight) -> Result<Meeting, CaptureError> {
        let Some(places) = self.order.get(&sight.file()) else { return Ok(Meeting::New(0)) };
        let mut failure = None;
        let found = places.binary_search_by(|place| {
            let Some((_, other)) = self.seen.get(*place) else { return Ordering::Less };
            other.compare(sight).unwrap_or_else(|error| {
                failure = Some(error);
                Ordering::Equal
            })
        });
        if let Some(error) = failure {
            return Err(sight.unreadable()(error));
        }
        Ok(match found {
            Err(at) => Meeting::New(at),
            Ok(at) => match places.get(at).and_then(|place| self.seen.get(*place)) {
                Some((Some(id), _)) => Meeting::Known(*id),
                _ => Meeting::LeftOut,
            },
        })
    }

    /// Notes a description; `at` is what [`meet`](Self::meet) said. Without a reference it is no part of the image.
    pub fn note(&mut self, id: Option<Id>, at: usize, sight: Sight) {
        let places = self.order.entry(sight.file()).or_default();
        places.insert(at.min(places.len()), self.seen.len());
        self.seen.push((id, sight));
    }

    /// The descriptions that are part of the image.
    pub fn seen(&self) -> impl Iterator<Item = (Id, &Sight)> {
        self.seen.iter().filter_map(|(id, sight)| Some((((*id)?), sight)))
    }

    /// The one that `is` says of, among those of this file, or all if it is not known.
    pub fn find(&self, file: Option<(u64, u64)>, is: impl Fn(&Sight) -> bool) -> Option<Id> {
        let of_file = file.and_then(|file| self.order.get(&file)).into_iter().flatten();
        let first = of_file.filter_map(|place| self.seen.get(*place)).find(|(_, sight)| is(sight));
        let found = first.or_else(|| self.seen.iter().find(|(_, sight)| is(sight)));
        found.and_then(|(id, _)| *id)
    }

    /// The object behind a description that others can lead to as well; `make` makes it at first sight.
    pub fn object(&mut self, sight: &Sight, make: impl FnOnce() -> Id) -> Id {
        *self.objects.entry(sight.file()).or_insert_with(make)
    }

    /// The same when making it can fail.
    pub fn try_object<E>(&mut self, sight: &Sight, make: impl FnOnce() -> Result<Id, E>) -> Result<Id, E> {
        if let Some(id) = self.objects.get(&sight.file()) {
            return Ok(*id);
        }
        let id = make()?;
        self.objects.insert(sight.file(), id);
        Ok(id)
    }
}
