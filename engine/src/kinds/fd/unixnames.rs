//! Names of Unix sockets: where their files are, and binding sockets to them again.
//!
//! A name is only what bind(2) was given; connect(2) goes by the file that came of it. Where the file has gone, or never was
//! this socket's own, the socket is bound in a folder of ours, under the same name.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use stasis_format::record::{SocketName, SocketPlace};

use crate::image::model::Id;
use crate::kinds::RestoreError;
use crate::rights::files::Files;
use crate::sys::open::{self, Resolve};
use crate::sys::socket;

/// Whether a name is a path, not abstract.
pub fn is_path(name: &[u8]) -> bool {
    name.first().is_some_and(|byte| *byte != 0)
}

fn path(name: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(name))
}

/// Where the file of a socket is now: `file` is what sock_diag(7) says of it, `pid` a process that has it.
///
/// # Errors
/// In words, if it has another name now.
pub fn find(pid: i32, name: &[u8], file: (u32, u32)) -> Result<Option<(SocketName, SocketPlace)>, String> {
    let is_it = |found: &std::fs::Metadata| {
        let dev = found.dev();
        let kernels = libc::major(dev) << 20 | libc::minor(dev);
        (found.ino() as u32, kernels) == file && found.file_type().is_socket()
    };
    let from = if path(name).is_absolute() { "root" } else { "cwd" };
    let whole = PathBuf::from(format!("/proc/{pid}/{from}/"))
        .join(path(name).strip_prefix("/").unwrap_or(path(name)));
    let (Some(folder), Some(last)) = (whole.parent(), whole.file_name()) else { return Ok(None) };
    let Ok(folder) = std::fs::canonicalize(folder) else { return Ok(None) };
    let place = folder.join(last);
    if let Some(found) = std::fs::symlink_metadata(&place).ok().filter(is_it) {
        let name = SocketName {
            flags: SocketName::PLACED,
            mode: found.mode(),
            uid: found.uid(),
            gid: found.gid(),
            dev: found.dev(),
            ino: found.ino(),
            name: name.to_vec(),
        };
        return Ok(Some((name, SocketPlace { pad: 0, path: place.into_os_string().as_bytes().to_vec() })));
    }
    let others = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    match others.map(|entry| entry.path()).find(|p| std::fs::symlink_metadata(p).is_ok_and(|m| is_it(&m))) {
        Some(other) => Err(format!("its file was renamed since to {}", other.display())),
        None => Ok(None),
    }
}

/// The folder from which a name leads to a place, if it is that.
fn base<'p>(name: &[u8], place: &'p [u8]) -> Option<&'p [u8]> {
    if path(name).is_absolute() {
        return Some(b"/");
    }
    place.strip_suffix(name)?.strip_suffix(b"/").map(|base| if base.is_empty() { b"/" } else { base })
}

/// Why a socket could not be bound at its place.
pub fn judge(name: &SocketName, place: &SocketPlace) -> Option<String> {
    let shown = place.path.escape_ascii();
    match std::fs::symlink_metadata(path(&place.path)) {
        Ok(now) if now.file_type().is_socket() && (now.dev(), now.ino()) == (name.dev, name.ino) => None,
        Ok(_) => {
            Some(format!("a socket was bound to {shown}, where there is something else now; move it away"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path(&place.path).parent().is_some_and(Path::is_dir);
            (!folder).then(|| format!("a socket was bound to {shown}, whose folder is not there"))
        }
        Err(error) => Some(format!("a socket was bound to {shown}, which cannot be looked at ({error})")),
    }
}

/// How a socket is reached while others are connected with it; what was made for that goes with it.
#[derive(Debug)]
pub struct Reach {
    /// The address.
    pub name: Vec<u8>,
    folder: Option<OwnedFd>,
    scratch: Option<tempfile::TempDir>,
    /// To be removed if it does not come to a restart.
    file: Option<PathBuf>,
}

impl Reach {
    /// By its name alone.
    pub fn by_name(name: &[u8]) -> Self {
        Self { name: name.to_vec(), folder: None, scratch: None, file: None }
    }

    fn by_folder(folder: OwnedFd, last: &[u8]) -> Self {
        let mut name = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
        name.extend_from_slice(last);
        let mut reach = Self::by_name(&name);
        reach.folder = Some(folder);
        reach
    }

    /// Its file stays.
    pub fn keep(&mut self) {
        self.file = None;
    }
}

impl Drop for Reach {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            let _ = std::fs::remove_file(file);
        }
        // The folder is let go before what it is in.
        drop(self.folder.take());
        drop(self.scratch.take());
    }
}

fn last(name: &[u8]) -> &[u8] {
    path(name).file_name().map_or(&[], OsStrExt::as_bytes)
}

fn folder_of(name: &[u8]) -> &Path {
    path(name).parent().unwrap_or(Path::new(""))
}

/// Binds a socket where its file was, with the rights of whoever had it.
pub fn bind_at(
    fd: &OwnedFd,
    kind: i32,
    name: &SocketName,
    place: &SocketPlace,
    (rights, file): (&Files, Id),
) -> Result<Reach, RestoreError> {
    let failed = |source| RestoreError::Io {
        what: format!("binding a socket to {}", place.path.escape_ascii()),
        source,
    };
    let not_so = || failed(io::Error::from_raw_os_error(libc::EINVAL));
    let base = base(&name.name, &place.path).ok_or_else(not_so)?;
    let folder = folder_of(&place.path).as_os_str().as_bytes();
    // The file gets the permissions of the socket (net/unix/af_unix.c, unix_bind_bsd()), which is ours as yet.
    let permissions = |mode| -> Result<(), RestoreError> {
        nix::sys::stat::fchmod(fd, nix::sys::stat::Mode::from_bits_truncate(mode))
            .map_err(RestoreError::nix("setting the permissions of a socket"))
    };
    permissions(name.mode & 0o7777)?;
    // Sockets are not made in the process, which has neither credentials nor directories yet; rights are lent instead.
    let bound = rights.on_behalf(file, || {
        let folder = open::find(None, folder, libc::O_DIRECTORY, Resolve::NoMagicLinks)?;
        let base = open::find(None, base, libc::O_DIRECTORY, Resolve::NoMagicLinks)?;
        let mut reach = Reach::by_folder(folder, last(&place.path));
        clear(&reach, kind, name)?;
        socket::in_directory(&base, false, || socket::bind(fd, &name.name))?;
        reach.file = Some(path(&place.path).to_owned());
        let made = std::fs::symlink_metadata(path(&reach.name))?;
        if (made.uid(), made.gid()) != (name.uid, name.gid) {
            // With the rights that are lent, so at most what the process could do itself.
            std::os::unix::fs::lchown(path(&reach.name), Some(name.uid), Some(name.gid))?;
        }
        Ok(reach)
    })?;
    permissions(0o777)?;
    bound.map_err(failed)
}

/// Finds somebody outside who has a name in the file system, for one who could connect with him.
pub fn find_outside(name: &[u8], rights: &Files, file: Id) -> Result<Reach, RestoreError> {
    let found = rights.on_behalf(file, || -> io::Result<OwnedFd> {
        let fd = open::find(None, name, 0, Resolve::NoMagicLinks)?;
        open::access(&fd, libc::W_OK)?;
        Ok(fd)
    })?;
    let fd = found.map_err(RestoreError::io(format!("finding the socket {}", name.escape_ascii())))?;
    let mut reach = Reach::by_name(format!("/proc/self/fd/{}", fd.as_raw_fd()).as_bytes());
    reach.folder = Some(fd);
    Ok(reach)
}

/// Why one who is connected with this name outside cannot be so again.
pub fn judge_outside(name: &[u8]) -> Option<String> {
    let is_socket = std::fs::metadata(path(name)).is_ok_and(|found| found.file_type().is_socket());
    (!is_socket).then(|| format!("a socket sends to {}, where no socket is now", name.escape_ascii()))
}

/// Whether somebody else has an abstract name: one who listens or receives packets there, and is none of `ours`.
pub fn is_taken(name: &[u8], ours: impl Fn(u32) -> bool) -> io::Result<bool> {
    // Zeroes are shown as @ (net/unix/af_unix.c, unix_seq_show()).
    let shown: Vec<u8> = name.iter().map(|byte| if *byte == 0 { b'@' } else { *byte }).collect();
    let table = std::fs::read("/proc/net/unix")?;
    let is_it = |line: &[u8]| {
        // Num RefCount Protocol Flags Type St Inode Path
        let text = String::from_utf8_lossy(line);
        let mut words = text.split_whitespace().skip(3);
        let (flags, kind, inode) = (words.next(), words.next(), words.nth(1));
        let receives = flags == Some("00010000") || kind == Some("0002");
        let inode = inode.and_then(|inode| inode.parse().ok()).unwrap_or(0);
        // A name may have spaces.
        let is_named = line.strip_suffix(shown.as_slice()).is_some_and(|rest| rest.ends_with(b" "));
        is_named && receives && !ours(inode)
    };
    Ok(table.split(|byte| *byte == b'\n').any(is_it))
}

/// Takes the file of the socket that was away, if that is what is there and nobody has it.
fn clear(reach: &Reach, kind: i32, name: &SocketName) -> io::Result<()> {
    let now = match std::fs::symlink_metadata(path(&reach.name)) {
        Ok(now) => now,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let in_use = || io::Error::from_raw_os_error(libc::EADDRINUSE);
    if !now.file_type().is_socket() || (now.dev(), now.ino()) != (name.dev, name.ino) {
        return Err(in_use());
    }
    // A socket of another type is told whether there is one, and has no effect on it (EPROTOTYPE or ECONNREFUSED).
    let other = if kind == libc::SOCK_DGRAM { libc::SOCK_STREAM } else { libc::SOCK_DGRAM };
    let probe = socket::socket(libc::AF_UNIX, other, 0)?;
    match socket::connect(&probe, &reach.name) {
        Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED) => {}
        _ => return Err(in_use()),
    }
    std::fs::remove_file(path(&reach.name))
}

/// Gives a socket a name that leads to it no more: in a folder of ours.
pub fn bind_aside(fd: &OwnedFd, name: &[u8]) -> io::Result<Reach> {
    if !is_path(name) {
        socket::bind(fd, name)?;
        return Ok(Reach::by_name(name));
    }
    let scratch = tempfile::tempdir()?;
    let absolute = path(name).is_absolute();
    // Deep enough for all steps back in it.
    let back = path(name).components().filter(|part| *part == Component::ParentDir).count();
    let mut start = scratch.path().to_owned();
    if !absolute {
        start.extend(std::iter::repeat_n("d", back));
    }
    let inside = folder_of(name);
    let folder = start.join(inside.strip_prefix("/").unwrap_or(inside));
    std::fs::create_dir_all(&start)?;
    std::fs::create_dir_all(&folder)?;
    let find =
        |at: &Path| open::find(None, at.as_os_str().as_bytes(), libc::O_DIRECTORY, Resolve::NoMagicLinks);
    let bound = socket::in_directory(&find(&start)?, absolute, || socket::bind(fd, name));
    match bound {
        Ok(()) => {
            let mut reach = Reach::by_folder(find(&std::fs::canonicalize(&folder)?)?, last(name));
            reach.scratch = Some(scratch);
            Ok(reach)
        }
        // Without CAP_SYS_CHROOT there is only the place itself, if it is free.
        Err(error) if absolute && error.raw_os_error() == Some(libc::EPERM) => {
            socket::bind(fd, name)?;
            let mut reach = Reach::by_name(name);
            reach.file = Some(path(name).to_owned());
            Ok(reach)
        }
        Err(error) => Err(error),
    }
}
