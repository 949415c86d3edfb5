//! Files that appear complete or not at all, and streams that can be called off.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};

use stasis_engine::rights::place;

use crate::cli::supervisor::Worker;

/// A file that gets its name by [`Unnamed::commit`]; until then it goes with its last descriptor (`O_TMPFILE`, open(2)),
/// or, on file systems that cannot do that, with the drop of this.
#[derive(Debug)]
pub struct Unnamed {
    file: File,
    path: PathBuf,
    /// Its temporary name, where it has to have one.
    temporary: Option<PathBuf>,
}

impl Unnamed {
    /// A new file that will be called `path`, with exactly this mode.
    pub fn create(path: &Path, mode: u32) -> io::Result<Self> {
        // A link that leads to a file stays a link, if it is not somebody else's.
        let path = place::of(path, nix::unistd::geteuid().as_raw())?;
        if fs::symlink_metadata(&path).is_ok_and(|there| there.is_dir()) {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        }
        let unnamed =
            OpenOptions::new().write(true).custom_flags(libc::O_TMPFILE).mode(mode).open(directory(&path));
        let this = match unnamed {
            Ok(file) => Self { file, path, temporary: None },
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) =>
            {
                let name = temporary(&path);
                let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&name)?;
                Self { file, path, temporary: Some(name) }
            }
            Err(error) => return Err(error),
        };
        // The umask may have taken bits away.
        this.file.set_permissions(Permissions::from_mode(mode))?;
        Ok(this)
    }

    /// Brings it to disk and then under its name, in place of a file that had it.
    pub fn commit(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let name = match self.temporary.take() {
            Some(name) => name,
            None => {
                if self.link(&self.path).is_ok() {
                    return self.sync_directory();
                }
                let name = temporary(&self.path);
                self.link(&name)?;
                name
            }
        };
        if let Err(error) = fs::rename(&name, &self.path) {
            self.temporary = Some(name);
            return Err(error);
        }
        self.sync_directory()
    }

    fn link(&self, name: &Path) -> io::Result<()> {
        // open(2) on O_TMPFILE: this way needs no privilege.
        let file = PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        Ok(nix::unistd::linkat(AT_FDCWD, &file, AT_FDCWD, name, AtFlags::AT_SYMLINK_FOLLOW)?)
    }

    fn sync_directory(&self) -> io::Result<()> {
        match File::open(directory(&self.path))?.sync_all() {
            // Not every file system knows how.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            done => done,
        }
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if let Some(name) = &self.temporary {
            let _ = fs::remove_file(name);
        }
    }
}

impl Write for Unnamed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.file.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name beside `path` that nothing else has: the pid is ours.
fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

/// Where an image goes.
#[derive(Debug)]
pub enum Sink<'a> {
    /// A file of its own.
    File(Unnamed),
    /// A pipe, or whatever else was there already.
    Stream(Stream<'a>),
}

impl<'a> Sink<'a> {
    /// Opens the file, or the stream when `path` leads to something else than a file.
    pub fn open(path: &Path, worker: &'a Worker) -> io::Result<Self> {
        let place = place::of(path, nix::unistd::geteuid().as_raw())?;
        let found = match place.starts_with("/proc") {
            // A descriptor by its name.
            true => fs::metadata(&place),
            false => fs::symlink_metadata(&place),
        };
        match found {
            Ok(there) if !there.is_file() && !there.is_dir() && !there.is_symlink() => {
                let file = OpenOptions::new().write(true).open(place)?;
                Stream::new(file, worker).map(Self::Stream)
            }
            _ => Unnamed::create(path, 0o600).map(Self::File),
        }
    }

    /// Our stdout.
    pub fn stdout(worker: &'a Worker) -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Stream::new(file, worker).map(Self::Stream)
    }

    /// The file behind it.
    pub fn file(&self) -> &File {
        match self {
            Self::File(file) => &file.file,
            Self::Stream(stream) => &stream.file,
        }
    }

    /// Makes it durable.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::File(file) => file.commit(),
            Self::Stream(stream) => match stream.file.sync_all() {
                // Pipes and terminals keep nothing (fsync(2)).
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
                done => done,
            },
        }
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stream(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write_vectored(parts),
            Self::Stream(stream) => stream.write_vectored(parts),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream whose reader may be slow, or never read: a write ends when the checkpoint is called off.
#[derive(Debug)]
pub struct Stream<'a> {
    file: File,
    is_socket: bool,
    worker: &'a Worker,
}

impl<'a> Stream<'a> {
    /// A stream into `file`, which is a pipe, a socket or a terminal.
    pub fn new(file: File, worker: &'a Worker) -> io::Result<Self> {
        // A description of our own: making the one we were given non-blocking would show in other processes.
        let kind = file.metadata()?.file_type();
        let own = if kind.is_fifo() {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path).ok()
        } else {
            None
        };
        Ok(Self { file: own.unwrap_or(file), is_socket: kind.is_socket(), worker })
    }

    fn when_ready<T>(&self, mut write: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            let mut fds = [
                PollFd::new(self.file.as_fd(), PollFlags::POLLOUT),
                PollFd::new(self.worker.changes(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let is_ready = fds[0].any() == Some(true);
            if self.worker.is_cancelled() {
                return Err(io::Error::other("it was called off"));
            }
            if !is_ready {
                continue;
            }
            match write() {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                done => return done,
            }
        }
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A socket takes part of a write and waits for the rest, unless it is told not to.
        let now = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        self.when_ready(|| match self.is_socket {
            true => Ok(send(self.file.as_raw_fd(), bytes, now)?),
            false => (&self.file).write(bytes),
        })
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self.is_socket {
            true => self.write(parts.iter().find(|part| !part.is_empty()).map_or(&[], |part| part)),
            false => self.when_ready(|| (&self.file).write_vectored(parts)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Unnamed, temporary};
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    /// A directory of this test's own, removed at its end.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("stasis-output-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let names = fs::read_dir(&self.0).unwrap();
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// The way of a file system without O_TMPFILE.
    fn named(path: PathBuf) -> Unnamed {
        let name = temporary(&path);
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&name).unwrap();
        Unnamed { file, path, temporary: Some(name) }
    }

    #[test]
    fn a_file_has_its_name_when_it_is_complete_and_not_before() {
        let dir = Dir::new("commit");
        for text in ["first", "second"] {
            let mut file = Unnamed::create(&dir.0.join("image"), 0o600).unwrap();
            let before = dir.names();
            file.write_all(text.as_bytes()).unwrap();
            assert_eq!(dir.names(), before);
            file.commit().unwrap();
            assert_eq!(dir.names(), ["image"]);
            assert_eq!(fs::read_to_string(dir.0.join("image")).unwrap(), text);
            let mode = fs::metadata(dir.0.join("image")).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600);
        }
    }

    #[test]
    fn without_unnamed_files_a_temporary_name_does() {
        let dir = Dir::new("named");
        let mut file = named(dir.0.join("image"));
        file.write_all(b"text").unwrap();
        file.commit().unwrap();
        assert_eq!(dir.names(), ["image"]);
        drop(named(dir.0.join("other")));
        assert_eq!(dir.names(), ["image"], "a file that was given up is still there");
    }

    #[test]
    fn a_link_to_an_image_stays_a_link() {
        let dir = Dir::new("link");
        fs::write(dir.0.join("image"), "old").unwrap();
        std::os::unix::fs::symlink("image", dir.0.join("link")).unwrap();
        let mut file = Unnamed::create(&dir.0.join("link"), 0o600).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert!(fs::symlink_metadata(dir.0.join("link")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(dir.0.join("image")).unwrap(), "new");
    }

    #[test]
    fn a_directory_is_no_place_for_an_image() {
        let dir = Dir::new("directory");
        assert!(Unnamed::create(&dir.0, 0o600).is_err());
        assert!(Unnamed::create(&dir.0.join("missing/image"), 0o600).is_err());
    }
}
