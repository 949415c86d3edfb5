//! Bytes with random access: a file, a blob of the browser, a slice.

use std::io::{Error, ErrorKind, Result};

/// A source of bytes that can be read anywhere. Its length does not change while it is read.
pub trait ReadAt {
    /// Length in bytes.
    fn len(&self) -> Result<u64>;

    /// Fills all of `buf` from the bytes at `offset` on; fewer are an error of kind `UnexpectedEof`.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    /// Whether there is nothing.
    fn is_empty(&self) -> Result<bool> {
        self.len().map(|len| len == 0)
    }
}

impl ReadAt for [u8] {
    fn len(&self) -> Result<u64> {
        Ok(<[u8]>::len(self) as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = || Error::from(ErrorKind::UnexpectedEof);
        let offset = usize::try_from(offset).map_err(|_| end())?;
        let bytes = self.get(offset..).and_then(|rest| rest.get(..buf.len())).ok_or_else(end)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> Result<u64> {
        ReadAt::len(self.as_slice())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.as_slice().read_at(offset, buf)
    }
}

impl<S: ReadAt + ?Sized> ReadAt for &S {
    fn len(&self) -> Result<u64> {
        (**self).len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        (**self).read_at(offset, buf)
    }
}

#[cfg(unix)]
impl ReadAt for std::fs::File {
    fn len(&self) -> Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buf, offset)
    }
}
