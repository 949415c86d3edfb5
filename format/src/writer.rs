//! Writes an image of revision 2 in one pass: it never seeks and knows the offset it is at.

use crate::checksum::{Checksum, checksum};
use crate::encoding::Encoding;
use crate::extent::{self, Run, check_runs};
use crate::frame;
use crate::head::{Head, tail_record};
use crate::header::Kind;
use crate::limits::{MAX_EXTENT_BYTES, MAX_INDEX_ENTRIES, PAGE};
use crate::parser::Totals;
use crate::record::{
    Body, Extent, INDEX_ENTRY_LEN, Image, Index, IndexEnd, IndexEntry, RecordBody, RecordDef, shortest,
};
use std::io::Write;

/// Records gathered before they are written: small enough to stay in the cache, large enough for few calls.
const BUFFER: usize = 128 << 10;

/// Writing an image failed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The sink failed.
    #[error("cannot write the image (at offset {offset:#x})")]
    Io {
        /// Bytes of the image handed to the sink before.
        offset: u64,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A record does not fit into 32767 bytes.
    #[error("{name} with a tail of {tail} bytes does not fit into a record")]
    TooLong {
        /// Name of the record.
        name: &'static str,
        /// Length of its tail in bytes.
        tail: usize,
    },
    /// The record may not stand here.
    #[error("{name} cannot be written here: {why}")]
    Order {
        /// Name of the record.
        name: &'static str,
        /// Where it belongs.
        why: &'static str,
    },
    /// The extent breaks a rule.
    #[error("an extent cannot be written: {0}")]
    Extent(&'static str),
}

/// Writes HEAD, then what it is given, then the index and TAIL.
///
/// Records are gathered and written in large pieces; the contents of an extent go to the sink as they are, without
/// a copy. The index costs 32 bytes of memory for each record.
#[derive(Debug)]
pub struct Writer<W> {
    sink: W,
    buffer: Vec<u8>,
    /// Bytes handed to the sink.
    written: u64,
    head_checksum: u64,
    chain: Checksum,
    index: Vec<u8>,
    totals: Totals,
}

impl<W: Write> Writer<W> {
    /// Starts an image with this HEAD, whose revision has to be 2.
    pub fn new(sink: W, head: &Head) -> Result<Self, WriteError> {
        if head.rev != 2 {
            return Err(WriteError::Order { name: "HEAD", why: "this writer makes revision 2" });
        }
        let buffer = head.to_record();
        Ok(Self {
            sink,
            head_checksum: checksum(&buffer),
            buffer,
            written: 0,
            chain: Checksum::new(),
            index: Vec::new(),
            totals: Totals::default(),
        })
    }

    /// What [`Image::head_checksum`] has to be.
    pub fn head_checksum(&self) -> u64 {
        self.head_checksum
    }

    /// Bytes of the image up to here.
    pub fn offset(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Counts up to here.
    pub fn totals(&self) -> Totals {
        Totals { length: self.offset(), ..self.totals }
    }

    /// Writes a record. `parent` is the object it belongs to, 0 for the image; `id` the object it defines, 0 for
    /// none. IMAGE comes first. What belongs to an object comes behind it, but for extents.
    pub fn record<B: RecordBody>(&mut self, parent: u32, id: u32, body: &B) -> Result<(), WriteError> {
        self.described(&B::DEF, parent, id, &body.fixed(), body.tail())
    }

    /// The same for a body whose kind is not known beforehand.
    pub fn record_body(&mut self, parent: u32, id: u32, body: &Body) -> Result<(), WriteError> {
        self.described(body.def(), parent, id, &body.fixed(), body.tail())
    }

    fn described(
        &mut self,
        def: &RecordDef,
        parent: u32,
        id: u32,
        fixed: &[u8],
        tail: &[u8],
    ) -> Result<(), WriteError> {
        let kind = Kind(def.kind);
        let order = |why| Err(WriteError::Order { name: def.name, why });
        match kind {
            Image::KIND if self.totals.records > 0 => return order("IMAGE is the first record"),
            Extent::KIND => return order("extents have a call of their own"),
            Index::KIND | IndexEnd::KIND => return order("the writer makes the index itself"),
            Image::KIND => {}
            _ if self.totals.records == 0 => return order("IMAGE is the first record"),
            _ => {}
        }
        self.append(def.kind, def.name, parent, id, shortest(def, fixed), tail, (0, 0))?;
        self.drain(BUFFER)
    }

    /// Writes an extent of the object `parent`: `stored` is the contents of the runs, encoded already.
    pub fn extent(
        &mut self,
        parent: u32,
        runs: &[Run],
        encoding: Encoding,
        stored: &[u8],
    ) -> Result<(), WriteError> {
        self.extent_hashed(parent, runs, encoding, stored, checksum(stored))
    }

    /// The same when the caller has the checksum of `stored` already, computed on another thread perhaps.
    pub fn extent_hashed(
        &mut self,
        parent: u32,
        runs: &[Run],
        encoding: Encoding,
        stored: &[u8],
        checksum: u64,
    ) -> Result<(), WriteError> {
        self.extent_record(parent, runs, encoding, stored.len() as u64, checksum)?;
        // The record and the gap are small, the contents are not: they are not copied.
        self.drain(0)?;
        self.write_out(stored)?;
        self.buffer.resize(self.buffer.len() + extent::padding_after(stored.len() as u64) as usize, 0);
        Ok(())
    }

    /// Writes the index and TAIL and flushes the sink.
    pub fn finish(mut self) -> Result<(W, Totals), WriteError> {
        if self.totals.records == 0 {
            return Err(WriteError::Order { name: "INDEX", why: "the image has no IMAGE" });
        }
        let index_offset = self.offset();
        let totals = self.totals;
        let index = std::mem::take(&mut self.index);
        let mut first = 0;
        for piece in index.chunks(MAX_INDEX_ENTRIES * INDEX_ENTRY_LEN) {
            let body = Index { first, entries: Vec::new() };
            self.append(Index::DEF.kind, Index::DEF.name, 0, 0, &body.fixed(), piece, (0, 0))?;
            first += (piece.len() / INDEX_ENTRY_LEN) as u64;
            self.drain(BUFFER)?;
        }
        let end = IndexEnd {
            index_offset,
            nr_records: totals.records,
            nr_extents: totals.extents,
            nr_objects: totals.objects,
            page_bytes: totals.page_bytes,
            stored_bytes: totals.stored_bytes,
            chain: self.chain.digest(),
        };
        self.append(IndexEnd::DEF.kind, IndexEnd::DEF.name, 0, 0, &end.fixed(), &[], (0, 0))?;
        self.buffer.extend_from_slice(&tail_record());
        self.drain(0)?;
        self.sink.flush().map_err(|source| WriteError::Io { offset: self.written, source })?;
        Ok((self.sink, Totals { length: self.written, ..totals }))
    }

    fn extent_record(
        &mut self,
        parent: u32,
        runs: &[Run],
        encoding: Encoding,
        stored_len: u64,
        checksum: u64,
    ) -> Result<(), WriteError> {
        if self.totals.records == 0 {
            return Err(WriteError::Order { name: "EXTENT", why: "IMAGE is the first record" });
        }
        let nr_pages = check_runs(runs).map_err(WriteError::Extent)?;
        let fits = match encoding {
            Encoding::NONE => stored_len == nr_pages * PAGE,
            Encoding::ZERO | Encoding::BASE => stored_len == 0,
            _ => stored_len > 0 && stored_len <= MAX_EXTENT_BYTES,
        };
        if !fits {
            return Err(WriteError::Extent("the stored bytes are not as many as the encoding makes"));
        }
        let body = Extent {
            vaddr: runs.first().map_or(0, |run| run.start),
            nr_pages,
            stored_len,
            checksum,
            encoding: encoding.0,
            pad: 0,
            runs: Vec::new(),
        };
        let mut tail = Vec::with_capacity(runs.len() * 16);
        for run in runs {
            tail.extend_from_slice(&run.start.to_le_bytes());
            tail.extend_from_slice(&run.pages.to_le_bytes());
        }
        let def = Extent::DEF;
        self.append(def.kind, def.name, parent, 0, &body.fixed(), &tail, (body.vaddr, nr_pages))?;
        self.totals.extents += 1;
        self.totals.page_bytes += nr_pages * PAGE;
        self.totals.stored_bytes += stored_len;
        let padding = extent::padding_before(self.offset(), stored_len) as usize;
        self.buffer.resize(self.buffer.len() + padding, 0);
        Ok(())
    }

    /// Adds a record to the buffer, the chain and the index.
    #[allow(clippy::too_many_arguments)] // the parts of a record, once
    fn append(
        &mut self,
        kind: i16,
        name: &'static str,
        parent: u32,
        id: u32,
        fixed: &[u8],
        tail: &[u8],
        (vaddr, nr_pages): (u64, u64),
    ) -> Result<(), WriteError> {
        let offset = self.offset();
        let start = self.buffer.len();
        let too_long = || WriteError::TooLong { name, tail: tail.len() };
        let sum = frame::write(&mut self.buffer, kind, parent, id, fixed, tail).ok_or_else(too_long)?;
        if Kind(kind) == IndexEnd::KIND {
            return Ok(());
        }
        self.chain.update(&sum.to_le_bytes());
        if Kind(kind) == Index::KIND {
            return Ok(());
        }
        let len = (self.buffer.len() - start - crate::header::RECORD_HEADER_LEN) as i16;
        let nr_pages = nr_pages as u32;
        self.index
            .extend_from_slice(&IndexEntry { offset, vaddr, kind, len, parent, id, nr_pages }.to_bytes());
        self.totals.records += 1;
        self.totals.objects += u64::from(id != 0);
        Ok(())
    }

    /// Hands the buffer to the sink once it holds more than `keep` bytes.
    fn drain(&mut self, keep: usize) -> Result<(), WriteError> {
        if self.buffer.len() <= keep {
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        self.write_out(&buffer)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn write_out(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.sink.write_all(bytes).map_err(|source| WriteError::Io { offset: self.written, source })?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}
