//! A file of the browser, read in slices: a handle, so that nothing is read that is not asked for.

use js_sys::{Array, Uint8Array};
use std::io::{Error, Result};
use wasm_bindgen::JsValue;
use web_sys::{Blob, FileReaderSync};

/// Slices that are read in one call.
const TOGETHER: usize = 256;

/// The file. Only a worker can read it so.
#[derive(Debug)]
pub struct BlobReader {
    blob: Blob,
    reader: FileReaderSync,
}

impl BlobReader {
    /// Over this file, whose length does not change from now on.
    ///
    /// # Errors
    /// Outside of a worker.
    pub fn new(blob: Blob) -> Result<Self> {
        let reader =
            FileReaderSync::new().map_err(|_| Error::other("the browser reads files in a worker only"))?;
        Ok(Self { blob, reader })
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.blob.size() as u64
    }

    /// Fills `buf` from `offset` on.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let part = self.slice(offset, buf.len() as u64)?;
        self.read_all(&part, buf)
    }

    /// Reads many short pieces, each given by offset and length, in few calls: a blob made of slices is read at once.
    pub fn read_many(&self, pieces: &[(u64, u64)], take: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        for group in pieces.chunks(TOGETHER) {
            let parts = Array::new();
            let mut len = 0;
            for (offset, piece) in group {
                let part = self.slice(*offset, *piece)?;
                parts.push(&part);
                len += *piece as usize;
            }
            let mut bytes = vec![0; len];
            self.read_all(&Blob::new_with_blob_sequence(&parts).map_err(gone)?, &mut bytes)?;
            let mut rest = bytes.as_slice();
            for (offset, piece) in group {
                let (now, left) = rest.split_at(*piece as usize);
                take(*offset, now);
                rest = left;
            }
        }
        Ok(())
    }

    fn slice(&self, offset: u64, len: u64) -> Result<Blob> {
        self.blob.slice_with_f64_and_f64(offset as f64, (offset + len) as f64).map_err(gone)
    }

    fn read_all(&self, part: &Blob, buf: &mut [u8]) -> Result<()> {
        let buffer = self.reader.read_as_array_buffer(part).map_err(gone)?;
        let bytes = Uint8Array::new(&buffer);
        if bytes.length() as usize != buf.len() {
            return Err(gone(JsValue::NULL));
        }
        bytes.copy_to(buf);
        Ok(())
    }
}

/// A file that changed since it was chosen is not readable any more, and the browser says so in no other way.
fn gone(_: JsValue) -> Error {
    Error::other("the file changed on disk or cannot be read any more; open it again")
}
