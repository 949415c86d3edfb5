//! The image that a process asks to become: read to its end before anything is done, and kept if it can be read only once.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsFd as _;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use stasis_format::encoding::Encoding;
use stasis_format::error::ReadError;
use stasis_format::parser::Event;
use stasis_format::reader::{Reader, decode_extent};

use super::{Error, undecodable};
use crate::progress::Progress;
use crate::sys;

/// Reads an image to its end, every checksum compared, and gives it back from its beginning: the file itself, or a copy
/// in memory of what can be read only once.
pub(super) fn validated(image: &mut File, progress: &dyn Progress) -> Result<File, Error> {
    let io = |source| Error::Read(ReadError::Io { offset: 0, source });
    let start = image.stream_position();
    let seekable = start.is_ok() && image.metadata().is_ok_and(|m| m.is_file());
    if let (true, Ok(start)) = (seekable, start) {
        read_all(&mut *image)?;
        image.seek(SeekFrom::Start(start)).map_err(io)?;
        return image.try_clone().map_err(io);
    }
    let mut copy = File::from(sys::mem::memfd(b"stasis-image", false).map_err(io)?);
    read_all(Tee { source: image, copy: &mut copy, progress })
        .map_err(|error| if progress.cancelled() { Error::Cancelled } else { error })?;
    copy.rewind().map_err(io)?;
    Ok(copy)
}

fn read_all<R: Read>(source: R) -> Result<(), Error> {
    let mut reader = Reader::new(source);
    let mut data = Vec::new();
    while let Some(event) = reader.next_event()? {
        if let Event::Extent(extent) = event {
            reader.extent_data(&mut data)?;
            // What is damaged inside of its encoding shows only here.
            if !matches!(extent.encoding, Encoding::NONE | Encoding::ZERO) {
                decode_extent(&extent, &data).map_err(|e| undecodable(&extent, &e))?;
            }
        }
    }
    Ok(())
}

/// Keeps a copy of what is read, and waits for a source that is slow, a nonblocking one too, until it is called off.
struct Tee<'a> {
    source: &'a mut File,
    copy: &'a mut File,
    progress: &'a dyn Progress,
}

impl Read for Tee<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        /// How often whoever watches is asked whether to give up, in milliseconds.
        const LOOK_UP: u8 = 200;
        let n = loop {
            let mut fds = [PollFd::new(self.source.as_fd(), PollFlags::POLLIN)];
            let ready = poll(&mut fds, PollTimeout::from(LOOK_UP));
            if self.progress.cancelled() {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            match ready {
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            match self.source.read(buf) {
                // Somebody else has the same description and was quicker.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => break result?,
            }
        };
        self.copy.write_all(buf.get(..n).unwrap_or_default())?;
        Ok(n)
    }
}
