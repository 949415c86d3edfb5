//! The one file that is shown, opened once: a rename or a replacement does not switch it.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Why a file cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be opened.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It cannot be read at any place, as the inspector does.
    #[error("it is {0}, and the inspector reads a file at many places")]
    NotAFile(&'static str),
}

/// An open file and its name.
#[derive(Debug)]
pub struct Image {
    file: File,
    name: Vec<u8>,
}

/// What a file is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its length in bytes.
    pub size: u64,
    /// A strong validator (RFC 9110, section 8.8.1): another one when the file was written to.
    pub etag: String,
}

impl Image {
    /// Opens a regular file. Whether it is an image is for the inspector to say.
    pub fn open(path: &Path) -> Result<Self, Error> {
        // Looked at first: to open a FIFO or a device is to do something to it.
        must_be_a_file(&std::fs::metadata(path)?)?;
        let file =
            OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
        must_be_a_file(&file.metadata()?)?;
        let name = path.file_name().map_or_else(|| b"image".to_vec(), |name| name.as_bytes().to_vec());
        Ok(Self { file, name })
    }

    /// The name that it was opened under, without directories.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// What it is now.
    pub fn state(&self) -> io::Result<State> {
        let now = self.file.metadata()?;
        let (size, inode) = (now.size(), now.ino());
        let etag = format!("\"{size:x}-{:x}.{:x}-{inode:x}\"", now.mtime(), now.mtime_nsec());
        Ok(State { size, etag })
    }

    /// Fills as much of `buffer` as there is in one read; 0 at the end of the file.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match self.file.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

fn must_be_a_file(metadata: &Metadata) -> Result<(), Error> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    Err(Error::NotAFile(match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }))
}
