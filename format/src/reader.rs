//! Reads an image of revision 2 from a stream, once, and stops exactly behind TAIL.

use crate::error::{Fault, ReadError};
use crate::extent::ExtentHead;
use crate::parser::{Event, Parser, Progress, Totals};
use std::io::Read;

/// Contents are read and checked in pieces of so many bytes, which the processor's cache still holds when the
/// checksum is made.
const PIECE: usize = 256 << 10;

/// Drives a [`Parser`] over `Read`.
///
/// Small records are read many at a time, but no byte behind TAIL is ever taken: the index alone, whose least length
/// is known from the records met, is room enough to read ahead. A short read goes on, an interrupted one is
/// repeated, an early end is a fault with EPIPE. Memory: one record and 64 KiB.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    parser: Parser,
    buffer: Vec<u8>,
    /// The part of the buffer that is not parsed yet.
    from: usize,
    to: usize,
    /// The contents at hand, not yet asked for.
    pending: u64,
}

impl<R: Read> Reader<R> {
    /// A reader at the first byte of an image.
    pub fn new(source: R) -> Self {
        Self { source, parser: Parser::new(), buffer: Vec::new(), from: 0, to: 0, pending: 0 }
    }

    /// What comes next; `None` after TAIL. Contents of an extent that were not asked for are read and checked.
    ///
    /// After [`Event::Head`] of another revision than 2 exactly HEAD has been taken from the source.
    pub fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        if self.parser.is_at_end() {
            return Ok(None);
        }
        loop {
            match self.parser.parse(self.buffer.get(self.from..self.to).unwrap_or_default())? {
                Progress::NeedMore { need, room } => self.fill(need, room)?,
                Progress::Parsed { consumed, event } => {
                    self.from += consumed;
                    if let Some(event) = event {
                        self.pending = match &event {
                            Event::Extent(head) => head.stored_len,
                            _ => 0,
                        };
                        return Ok(Some(event));
                    }
                }
            }
        }
    }

    /// Puts the stored bytes of the extent just met into `out`, whose old contents are lost, and checks them. A
    /// buffer that is handed in again costs nothing. Without such an extent `out` is empty.
    pub fn extent_data(&mut self, out: &mut Vec<u8>) -> Result<(), ReadError> {
        let len = std::mem::take(&mut self.pending) as usize;
        out.resize(len, 0);
        if len == 0 {
            return Ok(());
        }
        self.skip_padding()?;
        let mut rest = out.as_mut_slice();
        while !rest.is_empty() {
            let ready = self.buffer.get(self.from..self.to).unwrap_or_default();
            let got = if ready.is_empty() {
                let piece = rest.len().min(PIECE);
                let Some(piece) = rest.get_mut(..piece) else { break };
                read_some(&mut self.source, piece, &self.parser)?
            } else {
                let len = ready.len().min(rest.len());
                if let (Some(to), Some(from)) = (rest.get_mut(..len), ready.get(..len)) {
                    to.copy_from_slice(from);
                }
                self.from += len;
                len
            };
            let (done, left) = std::mem::take(&mut rest).split_at_mut(got);
            self.parser.take_contents(done)?;
            rest = left;
        }
        Ok(())
    }

    /// The same without the check: the caller compares the checksum with [`ExtentHead::checksum`] itself, on
    /// another thread perhaps, before anything relies on the bytes.
    pub fn extent_data_unchecked(&mut self, out: &mut Vec<u8>) -> Result<(), ReadError> {
        self.parser.trust_contents();
        self.extent_data(out)
    }

    /// Bytes of the image parsed so far.
    pub fn offset(&self) -> u64 {
        self.parser.offset()
    }

    /// Counts so far.
    pub fn totals(&self) -> Totals {
        self.parser.totals()
    }

    /// The source; after TAIL it stands at the first byte behind the image.
    pub fn into_inner(self) -> R {
        self.source
    }

    /// Parses what stands between an EXTENT and its contents.
    fn skip_padding(&mut self) -> Result<(), ReadError> {
        while self.parser.contents_due() == 0 {
            match self.parser.parse(self.buffer.get(self.from..self.to).unwrap_or_default())? {
                Progress::NeedMore { need, room } => self.fill(need, room)?,
                Progress::Parsed { consumed, .. } => self.from += consumed,
            }
        }
        Ok(())
    }

    /// Reads until the buffer holds `need` bytes that are not parsed, and at the most `room`.
    fn fill(&mut self, need: usize, room: usize) -> Result<(), ReadError> {
        if self.from > 0 {
            self.buffer.copy_within(self.from..self.to, 0);
            self.to -= self.from;
            self.from = 0;
        }
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        while self.to < need {
            let Some(free) = self.buffer.get_mut(self.to..room) else {
                return Err(Fault::early_end(self.parser.offset(), self.parser.due()).into());
            };
            self.to += read_some(&mut self.source, free, &self.parser)?;
        }
        Ok(())
    }
}

/// Reads at least one byte.
fn read_some(source: &mut impl Read, into: &mut [u8], parser: &Parser) -> Result<usize, ReadError> {
    loop {
        match source.read(into) {
            Ok(0) => return Err(Fault::early_end(parser.offset(), parser.due()).into()),
            Ok(got) => return Ok(got.min(into.len())),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(ReadError::Io { offset: parser.offset(), source }),
        }
    }
}

/// The contents of an extent, decoded: a convenience where speed does not matter.
pub fn decode_extent(head: &ExtentHead, stored: &[u8]) -> Result<Vec<u8>, crate::encoding::CodecError> {
    let expected = usize::try_from(head.page_bytes()).unwrap_or(usize::MAX);
    crate::encoding::decode(head.encoding, stored, expected)
}
