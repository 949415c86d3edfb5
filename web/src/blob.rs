//! A file of the browser as a source of bytes, for the worker: nothing is read that is not asked for.

use stasis_format::ReadAt;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};
use std::rc::Rc;
use web_sys::{Blob, FileReaderSync};

/// Bytes of a cached block; a read costs half a millisecond however short it is.
const BLOCK: u64 = 64 << 10;
/// Blocks held, 16 MiB.
const MAX_BLOCKS: usize = 256;
/// Most bytes of one read of the browser.
const MAX_READ: u64 = 16 << 20;

/// The file; clones share the cache.
#[derive(Debug, Clone)]
pub struct BlobReader(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    blob: Blob,
    reader: FileReaderSync,
    len: u64,
    blocks: RefCell<HashMap<u64, (u64, Vec<u8>)>>,
    clock: Cell<u64>,
}

impl BlobReader {
    /// Over this file, whose length does not change from now on.
    pub fn new(blob: Blob) -> Result<Self> {
        let reader =
            FileReaderSync::new().map_err(|_| Error::other("the browser cannot read files in a worker"))?;
        let len = blob.size() as u64;
        Ok(Self(Rc::new(Inner { blob, reader, len, blocks: RefCell::default(), clock: Cell::default() })))
    }

    fn read(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        // A file that changed since it was chosen is not readable any more, and says so in no other way.
        let gone = |_| Error::other("the file changed on disk or cannot be read any more; open it again");
        let end = offset + buf.len() as u64;
        let part = self.0.blob.slice_with_f64_and_f64(offset as f64, end as f64).map_err(gone)?;
        let buffer = self.0.reader.read_as_array_buffer(&part).map_err(gone)?;
        let bytes = js_sys::Uint8Array::new(&buffer);
        if bytes.length() as usize != buf.len() {
            return Err(gone(wasm_bindgen::JsValue::NULL));
        }
        bytes.copy_to(buf);
        Ok(())
    }

    fn block(&self, offset: u64, from: usize, out: &mut [u8]) -> Result<()> {
        let now = self.0.clock.get() + 1;
        self.0.clock.set(now);
        let mut blocks = self.0.blocks.borrow_mut();
        if !blocks.contains_key(&offset) {
            let mut bytes = vec![0; BLOCK.min(self.0.len - offset) as usize];
            self.read(offset, &mut bytes)?;
            if blocks.len() >= MAX_BLOCKS
                && let Some(oldest) =
                    blocks.iter().min_by_key(|(_, block)| block.0).map(|(offset, _)| *offset)
            {
                blocks.remove(&oldest);
            }
            blocks.insert(offset, (now, bytes));
        }
        let block = blocks.get_mut(&offset).ok_or(ErrorKind::UnexpectedEof)?;
        block.0 = now;
        let part = block.1.get(from..from + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(part);
        Ok(())
    }
}

impl ReadAt for BlobReader {
    fn len(&self) -> Result<u64> {
        Ok(self.0.len)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.0.len);
        end.ok_or(ErrorKind::UnexpectedEof)?;
        let (mut at, mut left) = (offset, buf);
        if left.len() as u64 > 2 * BLOCK {
            for piece in left.chunks_mut(MAX_READ as usize) {
                self.read(at, piece)?;
                at += piece.len() as u64;
            }
            return Ok(());
        }
        while !left.is_empty() {
            let from = at % BLOCK;
            let len = (BLOCK - from).min(left.len() as u64) as usize;
            let (now, rest) = left.split_at_mut(len);
            self.block(at - from, from as usize, now)?;
            (at, left) = (at + len as u64, rest);
        }
        Ok(())
    }
}
