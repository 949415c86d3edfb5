//! Reads an image with random access: from the end, by its index, taking no more than is asked for.

use crate::checksum::checksum;
use crate::encoding::{self, CodecError};
use crate::error::{Fault, ReadError};
use crate::extent::{self, ExtentHead};
use crate::frame;
use crate::head::{HEAD_RECORD_LEN, Head, TAIL_RECORD_LEN, tail_record};
use crate::header::{Kind, RECORD_HEADER_LEN};
use crate::limits::MAX_INDEX_BYTES;
use crate::parser::Record;
use crate::record::{Body, Extent, Image, Index, IndexEnd, IndexEntry, RecordBody as _};
use crate::rules;
use crate::source::ReadAt;

/// Length of INDEX_END: of fixed length, so that it is found from the end.
const INDEX_END_LEN: usize = frame::MIN_RECORD_LEN + 56;

/// An image of revision 2 opened by its index.
///
/// Opening reads HEAD, IMAGE, the index and TAIL, 32 bytes for each record of the image. All that is read is
/// checked; what is not read is not: only [`crate::validate`] says that an image is sound. The index stays in
/// memory, [`MAX_INDEX_BYTES`] at the most.
#[derive(Debug)]
pub struct IndexReader<S> {
    source: S,
    len: u64,
    head: Head,
    image: Image,
    end: IndexEnd,
    entries: Vec<IndexEntry>,
}

impl<S: ReadAt> IndexReader<S> {
    /// Opens the image that the source holds from its first to its last byte.
    pub fn open(source: S) -> Result<Self, ReadError> {
        let len = source.len().map_err(|source| ReadError::Io { offset: 0, source })?;
        let least = (HEAD_RECORD_LEN + INDEX_END_LEN + TAIL_RECORD_LEN) as u64;
        let head_bytes = read(&source, 0, len.min(HEAD_RECORD_LEN as u64) as usize, "HEAD")?;
        let head = open_head(&head_bytes)?;
        if len < least {
            return Err(Fault::early_end(len, "INDEX_END").into());
        }
        let tail_at = len - TAIL_RECORD_LEN as u64;
        if read(&source, tail_at, TAIL_RECORD_LEN, "TAIL")? != tail_record() {
            let message = "the image does not end in TAIL, it is cut or something follows it";
            return Err(Fault::new(rules::TAIL, tail_at, TAIL_RECORD_LEN as u64, message).into());
        }
        let end_at = tail_at - INDEX_END_LEN as u64;
        let (record, _) = read_record(&source, end_at, tail_at)?;
        let Body::IndexEnd(end) = record.body else {
            return Err(order(&record, "INDEX_END").into());
        };
        let (record, image_len) = read_record(&source, HEAD_RECORD_LEN as u64, end_at)?;
        let Body::Image(image) = record.body else {
            return Err(order(&record, "IMAGE").into());
        };
        if image.head_checksum != checksum(&head_bytes) {
            let message = "HEAD is not the one that the image was written with, its checksum differs";
            return Err(Fault::new(rules::HEAD_CHECKSUM, 0, HEAD_RECORD_LEN as u64, message).into());
        }
        let first_end = HEAD_RECORD_LEN as u64 + image_len;
        let entries = read_index(&source, &end, first_end, end_at)?;
        Ok(Self { source, len, head, image, end, entries })
    }

    /// HEAD.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// IMAGE.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The counts.
    pub fn end(&self) -> &IndexEnd {
        &self.end
    }

    /// Length of the image in bytes.
    pub fn image_len(&self) -> u64 {
        self.len
    }

    /// Every record from IMAGE on, in order.
    pub fn entries(&self) -> &[IndexEntry] {
        &self.entries
    }

    /// The source.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The bytes of the record that an entry lists, not judged but for their being there.
    pub fn record_bytes(&self, entry: &IndexEntry) -> Result<Vec<u8>, ReadError> {
        let len = usize::try_from(entry.len).unwrap_or(0) + RECORD_HEADER_LEN;
        read(&self.source, entry.offset, len, "a record")
    }

    /// The record at this position of the index, checked. `Ok(None)` when there is no such position or the record
    /// is of an ignorable kind that is not known.
    pub fn record(&self, position: usize) -> Result<Option<Record>, ReadError> {
        match self.entries.get(position) {
            Some(entry) => self.record_at(entry),
            None => Ok(None),
        }
    }

    /// The record that an entry lists, checked; `None` when it is of an ignorable kind that is not known.
    pub fn record_at(&self, entry: &IndexEntry) -> Result<Option<Record>, ReadError> {
        let bytes = self.record_bytes(entry)?;
        let record = open_record(&bytes, entry.offset)?;
        let (header, id) = match &record {
            Ok(record) => (record.header, record.id),
            Err((header, id)) => (*header, *id),
        };
        let listed = (entry.kind, entry.len, entry.parent, entry.id);
        if (header.kind, header.len, header.parent, id) != listed {
            let message = "the index lists another record than the one that stands here";
            let fault = Fault::new(rules::INDEX_ENTRIES, entry.offset, bytes.len() as u64, message);
            return Err(fault.of(header.kind, entry.offset).into());
        }
        Ok(record.ok())
    }

    /// The EXTENT that an entry lists, without its contents.
    pub fn extent(&self, entry: &IndexEntry) -> Result<ExtentHead, ReadError> {
        let end = entry.offset + (i64::from(entry.len) + RECORD_HEADER_LEN as i64).unsigned_abs();
        let record = self.record_at(entry)?;
        let Some(Record { header, body: Body::Extent(body), .. }) = record else {
            let fault = Fault::new(rules::ORDER, entry.offset, 2, "the record is no EXTENT");
            return Err(fault.of(entry.kind, entry.offset).into());
        };
        let (head, faults) = extent::open(entry.offset, end, header.parent, &body);
        match (head, faults.into_iter().next()) {
            (Some(head), None) => Ok(head),
            (_, fault) => Err(frame::first(fault.into_iter().collect(), entry.offset).into()),
        }
    }

    /// Contents of the EXTENT that an entry lists: its pages in the order of its runs, checked and decoded.
    pub fn read_extent(&self, entry: &IndexEntry) -> Result<Vec<u8>, ReadError> {
        let head = self.extent(entry)?;
        self.read_contents(&head)
    }

    /// The same for an extent that is open already.
    pub fn read_contents(&self, head: &ExtentHead) -> Result<Vec<u8>, ReadError> {
        let len = usize::try_from(head.stored_len).unwrap_or(usize::MAX);
        let stored = read(&self.source, head.data_offset, len, "the contents of an extent")?;
        let at = |rule, message: String| {
            Fault::new(rule, head.data_offset, head.stored_len, message).of(Extent::KIND.0, head.offset)
        };
        if checksum(&stored) != head.checksum {
            let message = "the contents of an extent do not have the checksum that its record names".into();
            return Err(at(rules::EXTENT_CHECKSUM, message).into());
        }
        let expected = usize::try_from(head.page_bytes()).unwrap_or(usize::MAX);
        if head.encoding == encoding::Encoding::NONE && stored.len() == expected {
            return Ok(stored);
        }
        encoding::decode(head.encoding, &stored, expected).map_err(|e| {
            let rule = if e == CodecError::Base { rules::EXTENT_BASE } else { rules::EXTENT_ENCODING };
            at(rule, e.to_string()).into()
        })
    }
}

/// Reads so many bytes; fewer are a fault that names `what`.
fn read(source: &impl ReadAt, offset: u64, len: usize, what: &str) -> Result<Vec<u8>, ReadError> {
    let mut out = vec![0; len];
    match source.read_at(offset, &mut out) {
        Ok(()) => Ok(out),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Err(Fault::early_end(offset, what).into()),
        Err(source) => Err(ReadError::Io { offset, source }),
    }
}

fn open_head(bytes: &[u8]) -> Result<Head, Fault> {
    let Some(header) = frame::header(bytes) else {
        return Err(Fault::early_end(bytes.len() as u64, "HEAD"));
    };
    if Kind(header.kind) != Kind::HEAD {
        let message = format!("the first record has type {}, not that of HEAD", header.kind);
        return Err(Fault::new(rules::HEAD_KIND, 0, 2, message));
    }
    let Some(head) = bytes.get(RECORD_HEADER_LEN..).and_then(Head::from_payload) else {
        return Err(Fault::early_end(bytes.len() as u64, "HEAD"));
    };
    if let Some((offset, fault)) = frame::head_faults(&header, &head).into_iter().next() {
        return Err(Fault { offset, ..fault });
    }
    if head.rev != 2 {
        let message = "the image is of revision 1, which has no index";
        return Err(Fault::new(rules::HEAD_REV, 22, 2, message).of(Kind::HEAD.0, 0).field("rev"));
    }
    Ok(head)
}

/// Reads the record at `offset`, which has to end by `limit`, and gives its length too.
fn read_record(source: &impl ReadAt, offset: u64, limit: u64) -> Result<(Record, u64), ReadError> {
    let bytes = read(source, offset, RECORD_HEADER_LEN, "a record")?;
    let header = frame::header(&bytes).ok_or_else(|| Fault::early_end(offset, "a record"))?;
    let len = frame::record_len(&header, offset)?;
    if offset.saturating_add(len as u64) > limit {
        let message = "the record reaches into the next";
        return Err(Fault::new(rules::RECORD_LEN, offset + 2, 2, message).of(header.kind, offset).into());
    }
    let bytes = read(source, offset, len, "a record")?;
    match open_record(&bytes, offset)? {
        Ok(record) => Ok((record, len as u64)),
        Err((header, _)) => {
            let message = format!("records of type {} do not belong here", header.kind);
            Err(Fault::new(rules::ORDER, offset, 2, message).of(header.kind, offset).into())
        }
    }
}

/// Checks a record; the inner error is one of an unknown ignorable kind.
type Opened = Result<Record, (crate::header::RecordHeader, u32)>;

fn open_record(bytes: &[u8], offset: u64) -> Result<Opened, Fault> {
    let header = frame::header(bytes).ok_or_else(|| Fault::early_end(offset, "a record"))?;
    if frame::record_len(&header, offset)? != bytes.len() {
        let message = "the record has another length than the index says";
        return Err(Fault::new(rules::INDEX_ENTRIES, offset + 2, 2, message).of(header.kind, offset));
    }
    let (frame, faults) = frame::open(offset, header, bytes);
    let Some(frame) = frame.filter(|_| faults.is_empty()) else {
        return Err(frame::first(faults, offset));
    };
    match frame.body()? {
        Some(body) => Ok(Ok(Record { offset, header, id: frame.id, body })),
        None if Kind(header.kind).is_ignorable() => Ok(Err((header, frame.id))),
        None => {
            let message = format!("records of type {} are not known and must not be skipped", header.kind);
            Err(Fault::new(rules::RECORD_KIND, offset, 2, message).of(header.kind, offset))
        }
    }
}

/// Reads all INDEX records, which fill the bytes between `end.index_offset` and `limit`.
fn read_index(
    source: &impl ReadAt,
    end: &IndexEnd,
    first_end: u64,
    limit: u64,
) -> Result<Vec<IndexEntry>, ReadError> {
    let wrong = |message: &str| Fault::new(rules::INDEX_ENTRIES, limit, INDEX_END_LEN as u64, message);
    if end.index_offset < first_end || end.index_offset > limit {
        return Err(wrong("the index does not start between IMAGE and INDEX_END")
            .field("index_offset")
            .into());
    }
    if limit - end.index_offset > MAX_INDEX_BYTES {
        return Err(wrong("the index is larger than a reader takes").field("index_offset").into());
    }
    // As many as the bytes hold, which are bounded above: growing by doubling would take twice the memory.
    let most = (limit - end.index_offset) / crate::record::INDEX_ENTRY_LEN as u64;
    let mut entries = Vec::with_capacity(most as usize);
    let mut offset = end.index_offset;
    let mut next = HEAD_RECORD_LEN as u64;
    while offset < limit {
        let (record, len) = read_record(source, offset, limit)?;
        let Body::Index(Index { first, entries: tail }) = &record.body else {
            return Err(order(&record, "INDEX").into());
        };
        if *first != entries.len() as u64 {
            return Err(wrong("the pieces of the index are not in order").of(Index::DEF.kind, offset).into());
        }
        for entry in IndexEntry::list(tail) {
            let lengths_hold = entry.len >= 16 && entry.offset >= next && entry.offset < end.index_offset;
            if !lengths_hold {
                return Err(wrong("the index lists records out of order").of(Index::DEF.kind, offset).into());
            }
            next = entry.offset + entry.len.unsigned_abs() as u64 + RECORD_HEADER_LEN as u64;
            entries.push(entry);
        }
        offset += len;
    }
    let count = |wanted: &dyn Fn(&IndexEntry) -> bool| entries.iter().filter(|e| wanted(e)).count() as u64;
    let extents = count(&|e| Kind(e.kind) == Extent::KIND);
    let objects = count(&|e| e.id != 0);
    if (entries.len() as u64, extents, objects) != (end.nr_records, end.nr_extents, end.nr_objects) {
        let message = "INDEX_END counts other records, extents or objects than the index lists";
        return Err(Fault { rule: rules::INDEX_END_COUNTS, ..wrong(message) }.into());
    }
    Ok(entries)
}

fn order(record: &Record, due: &str) -> Fault {
    let message = format!("{} stands where {due} is due", Kind(record.header.kind));
    Fault::new(rules::ORDER, record.offset, 2, message).of(record.header.kind, record.offset).field("kind")
}
