//! Walks over the records of an image as they stand, of either revision, by their lengths alone: nothing is judged
//! but whether the walk can go on, and the contents of pages are stepped over.

use crate::error::{EINVAL, Fault, ReadError};
use crate::extent::{padding_after, padding_before};
use crate::frame;
use crate::head::{HEAD_RECORD_LEN, Head};
use crate::header::{Kind, RECORD_HEADER_LEN, RecordHeader};
use crate::limits::{MAX_PAYLOAD, PAGE};
use crate::parser::Totals;
use crate::record::{Body, Extent, Index, IndexEnd};
use crate::rules;
use crate::source::ReadAt;

/// Bytes read at a time: a record fits.
const WINDOW: usize = 2 * (MAX_PAYLOAD + 1);

/// A record as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its header.
    pub header: RecordHeader,
    /// All of it, header included.
    pub bytes: Vec<u8>,
}

impl RawRecord {
    /// The body, if the record is of revision 2 and can be read.
    pub fn body(&self) -> Option<Body> {
        frame::open(self.offset, self.header, &self.bytes).0?.body().ok()?
    }

    /// Adds the record to the counts; those of revision 2 leave out HEAD, the index and TAIL, as INDEX_END does.
    pub fn count(&self, rev: u16, totals: &mut Totals) {
        let kind = Kind(self.header.kind);
        if rev == 2 && matches!(kind, Kind::HEAD | Kind::TAIL | Index::KIND | IndexEnd::KIND) {
            return;
        }
        totals.records += 1;
        if rev != 2 {
            return;
        }
        let id = self.bytes.get(8..).and_then(|rest| rest.first_chunk::<4>());
        totals.objects += u64::from(id.is_some_and(|id| *id != [0; 4]));
        if let Some(Body::Extent(extent)) = (kind == Extent::KIND).then(|| self.body()).flatten() {
            totals.extents += 1;
            totals.page_bytes = totals.page_bytes.saturating_add(extent.nr_pages.saturating_mul(PAGE));
            totals.stored_bytes = totals.stored_bytes.saturating_add(extent.stored_len);
        }
    }
}

/// A walk from the first record to TAIL.
#[derive(Debug)]
pub struct Walk<S> {
    source: S,
    len: u64,
    offset: u64,
    rev: u16,
    over: bool,
    window: Vec<u8>,
    /// Offset of the window's first byte.
    at: u64,
}

impl<S: ReadAt> Walk<S> {
    /// At the first byte of the source.
    pub fn new(source: S) -> std::io::Result<Self> {
        let len = source.len()?;
        Ok(Self { source, len, offset: 0, rev: 0, over: false, window: Vec::new(), at: 0 })
    }

    /// The revision, once HEAD was met; 0 before.
    pub fn rev(&self) -> u16 {
        self.rev
    }

    /// Offset behind the last record met, its contents included.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record; `None` after TAIL. An error ends the walk.
    pub fn next_record(&mut self) -> Result<Option<RawRecord>, ReadError> {
        if self.over {
            return Ok(None);
        }
        self.over = true;
        let offset = self.offset;
        let header = frame::header(self.bytes(RECORD_HEADER_LEN)?).ok_or_else(|| self.early_end())?;
        let wrong = |rule, message: String| {
            let fault = Fault::new(rule, offset, RECORD_HEADER_LEN as u64, message);
            ReadError::from(Fault { errno: EINVAL, ..fault }.of(header.kind, offset))
        };
        if self.rev == 0 && Kind(header.kind) != Kind::HEAD {
            return Err(wrong(rules::HEAD_KIND, "the first record is not HEAD".into()));
        }
        let Ok(len) = usize::try_from(header.len) else {
            return Err(wrong(rules::RECORD_LEN, format!("the length {} is negative", header.len)));
        };
        let bytes = self.bytes(RECORD_HEADER_LEN + len)?.to_vec();
        let record = RawRecord { offset, header, bytes };
        self.offset += record.bytes.len() as u64;
        if self.rev == 0 {
            let head = record.bytes.get(RECORD_HEADER_LEN..HEAD_RECORD_LEN).and_then(Head::from_payload);
            self.rev = head.map_or(0, |head| head.rev);
            if self.rev != 1 && self.rev != 2 {
                return Err(wrong(rules::HEAD_REV, format!("the revision {} is not known", self.rev)));
            }
        }
        let is_extent = self.rev == 2 && Kind(header.kind) == Extent::KIND;
        if let Some(Body::Extent(extent)) = is_extent.then(|| record.body()).flatten() {
            let stored = extent.stored_len;
            let data = self.offset.saturating_add(padding_before(self.offset, stored));
            self.offset = data.saturating_add(stored).saturating_add(padding_after(stored));
        }
        self.over = Kind(header.kind) == Kind::TAIL;
        Ok(Some(record))
    }

    /// So many bytes at the offset, through the window.
    fn bytes(&mut self, len: usize) -> Result<&[u8], ReadError> {
        let held = self.offset.checked_sub(self.at).and_then(|from| usize::try_from(from).ok());
        let is_held = held.is_some_and(|from| self.window.get(from..).is_some_and(|rest| rest.len() >= len));
        if !is_held {
            let left = self.len.checked_sub(self.offset).ok_or_else(|| self.early_end())?;
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(WINDOW);
            self.window.resize(want, 0);
            self.at = self.offset;
            let read = self.source.read_at(self.offset, &mut self.window);
            read.map_err(|source| ReadError::Io { offset: self.offset, source })?;
        }
        let from = usize::try_from(self.offset - self.at).unwrap_or(usize::MAX);
        self.window.get(from..).and_then(|rest| rest.get(..len)).ok_or_else(|| self.early_end())
    }

    fn early_end(&self) -> ReadError {
        Fault::early_end(self.len.min(self.offset), "a record").into()
    }
}
