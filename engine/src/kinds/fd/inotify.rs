//! inotify(7): an instance, and which files it watches under which numbers.
//!
//! A watch is of a file, not of a name: that may be another by now, or gone. fdinfo tells the handle that the file system has
//! for it, which leads to the file and so to the name that it has; without the right to open handles the names that the
//! process deals with are tried. Nothing is opened on the way, as whoever watches would be told.
//!
//! Events that wait to be read cannot be copied without taking them, so an instance that has some is refused.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use stasis_format::record::{File, Inotify as Record, InotifyWatch};

use super::descriptions::Open;
use super::inodes;
use super::kind::{Captured, FdKind, FdMaker, Making, Placed};
use crate::image::model::Id;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::{self, Proc};
use crate::refusal::Loss;
use crate::sys;

/// [`File::kind`].
const INOTIFY: u32 = 15;

/// The kind.
#[derive(Debug)]
pub struct Inotify;

impl FdKind for Inotify {
    fn carries(&self) -> &'static [u32] {
        &[INOTIFY]
    }

    fn is_mine(&self, open: &Open) -> bool {
        open.link == b"anon_inode:inotify"
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        let waiting = sys::file::readable_bytes(&open.dup).map_err(open.unreadable())?;
        if waiting > 0 {
            let what = format!(
                "{}: {waiting} bytes of events wait in it, which cannot be copied without taking them",
                open.label()
            );
            c.survey.lose(Loss::Descriptor, open.pid, what, "try again when the process has read them");
        }
        let mut watches = Vec::new();
        for line in open.info.starting("inotify ") {
            let line = line_of(line).ok_or_else(|| {
                CaptureError::parse(open.label(), open.pid)(format!("no inotify watch in {line:?}"))
            })?;
            let Some((fd, path)) = find(&c.target.proc, &line) else {
                let what = format!(
                    "{}: its watch {} is of inode {} of device {}:{}, of which no name is found",
                    open.label(),
                    line.wd,
                    line.ino,
                    line.major,
                    line.minor
                );
                c.survey.lose(Loss::Descriptor, open.pid, what, "");
                continue;
            };
            let inode = c.inode(fd, &path, inodes::WATCHED).map_err(open.unreadable())?;
            let gone = c
                .tree
                .inodes
                .get(&inode)
                .is_some_and(|i| i.flags & (inodes::DELETED | inodes::EMBEDDED) == inodes::DELETED);
            if gone {
                let what =
                    format!("{}: its watch {} is of a directory that was deleted", open.label(), line.wd);
                c.survey.lose(Loss::Descriptor, open.pid, what, "");
                continue;
            }
            watches.push(InotifyWatch { wd: line.wd, mask: line.mask, inode, pad: 0 });
        }
        watches.sort_by_key(|watch| watch.wd);
        let object = c.tree.add(Record { nr_watches: watches.len() as u64 });
        c.tree.set_parts(object, watches);
        Ok(Some(Captured { kind: INOTIFY, object }))
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Maker::default())
    }
}

/// A line of fdinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    wd: u32,
    mask: u32,
    ino: u64,
    major: u64,
    minor: u64,
    /// Type and bytes of the handle, where the file system has one.
    handle: Option<(i32, Vec<u8>)>,
}

/// `inotify wd:1 ino:3c4a7 sdev:fe00000 mask:102 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:a7c4030000000000`,
/// fs/notify/fdinfo.c.
fn line_of(line: &str) -> Option<Line> {
    let after =
        |name: &str| line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
    let number = |name: &str| u64::from_str_radix(after(name)?, 16).ok();
    // The kernel writes its own form of a device number: minor in the lower 20 bits.
    let device = number("sdev")?;
    let bytes = after("f_handle").and_then(|hex| {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect::<Option<Vec<u8>>>()
    });
    Some(Line {
        wd: number("wd")?.try_into().ok()?,
        mask: number("mask")?.try_into().ok()?,
        ino: number("ino")?,
        major: device >> 20,
        minor: device & 0xf_ffff,
        handle: number("fhandle-type").and_then(|kind| i32::try_from(kind).ok()).zip(bytes),
    })
}

/// A descriptor by O_PATH of what is watched, and what the kernel calls it.
fn find(process: &Proc, line: &Line) -> Option<(OwnedFd, Vec<u8>)> {
    by_handle(line).or_else(|| by_name(process, line))
}

/// By the handle, from any place where its file system is mounted. A file that has a name but is not found under the one
/// that the kernel tells - it knows none of a file that nobody has looked up lately - is not found at all.
fn by_handle(line: &Line) -> Option<(OwnedFd, Vec<u8>)> {
    let (kind, bytes) = line.handle.as_ref()?;
    let mounts = procfs::parse_mounts(&Proc::open(std::process::id() as i32).ok()?.read("mountinfo").ok()?);
    let of_device = |mount: &&procfs::Mount| (mount.major, mount.minor) == (line.major, line.minor);
    mounts.iter().filter(of_device).find_map(|mount| {
        let point = Path::new(OsStr::from_bytes(&mount.point));
        let fd = sys::handle::open(point, *kind, bytes).ok()?;
        let found = std::fs::File::from(fd);
        let meta = found.metadata().ok()?;
        let path = std::fs::read_link(format!("/proc/self/fd/{}", found.as_raw_fd())).ok()?;
        let has_name = std::fs::symlink_metadata(&path)
            .is_ok_and(|named| (named.dev(), named.ino()) == (meta.dev(), meta.ino()));
        (meta.ino() == line.ino && (has_name || meta.nlink() == 0))
            .then(|| (found.into(), path.into_os_string().into_vec()))
    })
}

/// Among the names that the process deals with: what it has open, where it is, the words that it was called with, and all
/// directories on the way to these.
fn by_name(process: &Proc, line: &Line) -> Option<(OwnedFd, Vec<u8>)> {
    let link = |name: &str| Some(PathBuf::from(OsStr::from_bytes(&process.readlink(name).ok()?)));
    let directory = link("cwd")?;
    let fds = process.fds().unwrap_or_default();
    let opened = fds.iter().filter_map(|fd| link(&format!("fd/{fd}")));
    let words = process.read("cmdline").unwrap_or_default();
    let called = words.split(|b| *b == 0).map(|word| directory.join(OsStr::from_bytes(word)));
    let device = nix::sys::stat::makedev(line.major, line.minor);
    let is = |path: &Path| std::fs::metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == (device, line.ino));
    let start = opened.chain(called).chain([directory.clone()]).chain(link("exe"));
    let named = start
        .filter(|path| path.is_absolute())
        .find_map(|path| path.ancestors().find(|path| is(path)).map(Path::to_path_buf));
    // One that is open may have no name any more.
    let nameless =
        || fds.iter().map(|fd| PathBuf::from(process.path_of(&format!("fd/{fd}")))).find(|path| is(path));
    let fd = inodes::open_path(&named.or_else(nameless)?, libc::O_PATH).ok()?;
    let path = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
    Some((fd, path.into_os_string().into_vec()))
}

/// Files to be watched, found but not opened, by description and INODE.
#[derive(Default)]
struct Maker {
    found: BTreeMap<(Id, Id), OwnedFd>,
}

impl FdMaker for Maker {
    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        for watch in m.tree.parts_of::<InotifyWatch>(file.object) {
            let inode = m.tree.inodes.get(&watch.inode).ok_or_else(|| RestoreError::missing(m.tree, id))?;
            let fd = match m.made.get(&watch.inode) {
                Some(made) => inodes::reopen(made, libc::O_PATH)
                    .map_err(RestoreError::io("finding a deleted file that is watched"))?,
                None => m.rights.find_watched(id, (watch.inode, inode))?,
            };
            self.found.insert((id, watch.inode), fd);
        }
        let made = sys::inotify::instance(file.flags as i32 & libc::O_NONBLOCK);
        made.map(Some).map_err(RestoreError::io("making an inotify instance"))
    }

    /// Last, so that nothing that is done to build the processes is told to them.
    fn arm(&mut self, p: &Placed, id: Id, file: &File) -> Result<(), RestoreError> {
        let mut watches = p.tree.parts_of::<InotifyWatch>(file.object).peekable();
        if watches.peek().is_none() {
            return Ok(());
        }
        let instance = p.fd(id)?;
        for watch in watches {
            let Some(fd) = self.found.get(&(id, watch.inode)) else { continue };
            let what = format!("watching {} again", p.tree.path_of(watch.inode).escape_ascii());
            let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
            // A kernel without it gives numbers from 1 on, which may be the ones that are wanted.
            let _ = sys::inotify::set_next(&instance, watch.wd);
            let wd = sys::inotify::watch(&instance, Path::new(&path), watch.mask)
                .map_err(RestoreError::io(what.clone()))?;
            if wd != watch.wd {
                return Err(RestoreError::Host(format!(
                    "{what}: the kernel calls the watch {wd} and not {}, as the process knows it",
                    watch.wd
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_watched() {
        let line = "inotify wd:1a ino:3c4a7 sdev:fe00001 mask:80000102 ignored_mask:0 fhandle-bytes:8 \
                    fhandle-type:1 f_handle:a7c4030000000000";
        let mut want = Line {
            wd: 26,
            mask: 0x8000_0102,
            ino: 0x3c4a7,
            major: 254,
            minor: 1,
            handle: Some((1, vec![0xa7, 0xc4, 3, 0, 0, 0, 0, 0])),
        };
        assert_eq!(line_of(line), Some(want.clone()));
        let (line, _) = line.split_once("fhandle").unwrap();
        want.handle = None;
        assert_eq!(line_of(line), Some(want));
        assert_eq!(line_of("inotify wd:1a ino:3c4a7"), None);
    }
}
