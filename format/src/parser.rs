//! A pull parser for revision 2 that does no I/O: it is handed bytes, says what stands there, and how many more it
//! needs. [`crate::reader`] drives it over `Read`, [`crate::validate`] over anything.
//!
//! ```text
//! loop {
//!     match parser.parse(&buffer)? {
//!         Progress::NeedMore { need, room } => read until the buffer holds need bytes, and never more than room,
//!         Progress::Parsed { consumed, event } => drop that many bytes from the buffer; act on the event,
//!     }
//! }
//! ```
//!
//! All that can be judged in one pass is judged: lengths, checksums, padding, order, the index and its counts. The
//! index is compared by its checksum, so that memory does not grow with the image.

use crate::checksum::{Checksum, checksum};
use crate::error::Fault;
use crate::extent::{self, ExtentHead};
use crate::frame::{self, Frame};
use crate::head::{HEAD_LEN, HEAD_RECORD_LEN, Head, TAIL_LEN, TAIL_RECORD_LEN, tail_record};
use crate::header::{Kind, RECORD_HEADER_LEN, RecordHeader};
use crate::limits::{MAX_INDEX_ENTRIES, MAX_LOOKAHEAD, PAGE};
use crate::record::{Body, Extent, INDEX_ENTRY_LEN, Image, Index, IndexEnd, IndexEntry};
use crate::rules;

/// A record whose kind is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Offset of its header from the start of the image.
    pub offset: u64,
    /// Kind, length and owner.
    pub header: RecordHeader,
    /// Object that it defines, 0 for none.
    pub id: u32,
    /// What it says.
    pub body: Body,
}

/// What an image holds, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records from IMAGE up to the first INDEX.
    pub records: u64,
    /// EXTENTs among them.
    pub extents: u64,
    /// Objects defined.
    pub objects: u64,
    /// Bytes of page contents before encoding.
    pub page_bytes: u64,
    /// Bytes of page contents as stored.
    pub stored_bytes: u64,
    /// Bytes of the image so far, TAIL included once it is there.
    pub length: u64,
}

/// What the parser met.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // all but Extent are of like size, and a box per record would cost more
pub enum Event {
    /// HEAD. When its revision is not 2, this is all that the parser reads: see [`crate::rev1`].
    Head(Head),
    /// A record of a known kind, INDEX and INDEX_END among them.
    Record(Record),
    /// A record of an unknown kind that may be skipped.
    Skipped {
        /// Offset of its header.
        offset: u64,
        /// Kind, length and owner.
        header: RecordHeader,
        /// Object that it defines, 0 for none.
        id: u32,
    },
    /// An EXTENT; its contents come next.
    Extent(ExtentHead),
    /// TAIL: the image is complete and sound.
    End(Totals),
}

/// How far [`Parser::parse`] came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // lives on the stack for a moment
pub enum Progress {
    /// The input is too short.
    NeedMore {
        /// Bytes that the input has to hold, those already there included.
        need: usize,
        /// Bytes that the input may hold without ever holding one from behind TAIL.
        room: usize,
    },
    /// Something was taken.
    Parsed {
        /// Bytes of the input that are done with.
        consumed: usize,
        /// What they were, if it is worth an event.
        event: Option<Event>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Image,
    State,
    Pages,
    Index,
    Tail,
    End,
    /// HEAD is of another revision.
    Foreign,
}

/// Contents of an extent that are under way.
#[derive(Debug, Clone)]
struct Contents {
    record: u64,
    padding: u64,
    left: u64,
    after: u64,
    len: u64,
    sum: Option<Checksum>,
    due: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Parser {
    stage: Stage,
    offset: u64,
    head_checksum: u64,
    totals: Totals,
    chain: Checksum,
    /// Checksum over the entries that the index has to have.
    entries: Checksum,
    listed: Checksum,
    nr_listed: u64,
    index_offset: u64,
    contents: Option<Contents>,
    /// Faults that did not stop a lenient parser.
    soft: Option<Vec<Fault>>,
    /// After a resynchronisation counts and checksums over the whole mean nothing.
    broken: bool,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// A parser at the first byte of an image; it stops at the first fault.
    pub fn new() -> Self {
        Self {
            stage: Stage::Head,
            offset: 0,
            head_checksum: 0,
            totals: Totals::default(),
            chain: Checksum::new(),
            entries: Checksum::new(),
            listed: Checksum::new(),
            nr_listed: 0,
            index_offset: 0,
            contents: None,
            soft: None,
            broken: false,
        }
    }

    /// The same, but what it can step over is gathered for [`Self::take_faults`].
    pub fn lenient() -> Self {
        Self { soft: Some(Vec::new()), ..Self::new() }
    }

    /// The faults stepped over since the last call.
    pub fn take_faults(&mut self) -> Vec<Fault> {
        self.soft.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Bytes parsed so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Counts so far.
    pub fn totals(&self) -> Totals {
        Totals { length: self.offset, ..self.totals }
    }

    /// Whether parts could not be read, so that counts, index and chain were not judged.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether TAIL was met.
    pub fn is_at_end(&self) -> bool {
        self.stage == Stage::End
    }

    /// What is due next, for the sentence that says it is missing.
    pub fn due(&self) -> &'static str {
        match (&self.contents, self.stage) {
            (Some(_), _) => "the contents of an extent",
            (_, Stage::Head) => "HEAD",
            (_, Stage::Image) => "IMAGE",
            (_, Stage::State) => "a record",
            (_, Stage::Pages) => "an extent or the index",
            (_, Stage::Index) => "the index",
            (_, Stage::Tail) => "TAIL",
            (_, Stage::End | Stage::Foreign) => "nothing",
        }
    }

    /// Looks at `input`, the bytes from [`Self::offset`] on, and takes one step.
    pub fn parse(&mut self, input: &[u8]) -> Result<Progress, Fault> {
        if self.contents.is_some() {
            return self.parse_contents(input);
        }
        match self.stage {
            Stage::Head => self.parse_head(input),
            Stage::Tail => self.parse_tail(input),
            Stage::Image | Stage::State | Stage::Pages | Stage::Index => self.parse_record(input),
            Stage::End => Ok(Progress::NeedMore { need: 0, room: 0 }),
            Stage::Foreign => {
                let message = "the image is of another revision than 2 and takes another reader";
                Err(Fault::new(rules::HEAD_REV, 22, 2, message).of(Kind::HEAD.0, 0).field("rev"))
            }
        }
    }

    /// Stored bytes that are due right now, once the padding before them is parsed; 0 when none are.
    pub fn contents_due(&self) -> u64 {
        self.contents.as_ref().filter(|c| c.padding == 0).map_or(0, |c| c.left)
    }

    /// Leaves it to the caller to check the contents at hand against their checksum.
    pub fn trust_contents(&mut self) {
        if let Some(contents) = &mut self.contents {
            contents.sum = None;
        }
    }

    /// Takes stored bytes that did not come through [`Self::parse`]; no more than [`Self::contents_due`].
    pub fn take_contents(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Some(contents) = &mut self.contents else { return Ok(()) };
        let len = contents.left.min(bytes.len() as u64);
        contents.left -= len;
        self.offset += len;
        if let Some(sum) = &mut contents.sum {
            sum.update(bytes);
        }
        self.finish_contents()
    }

    /// Steps over contents without looking at them; returns the bytes to leave out from [`Self::offset`] on.
    pub fn skip_contents(&mut self) -> u64 {
        let Some(contents) = self.contents.take() else { return 0 };
        let len = contents.padding + contents.left + contents.after;
        self.offset += len;
        len
    }

    /// Goes on at another offset after a fault that could not be stepped over. What follows is judged record by
    /// record; counts, index and chain are not judged any more.
    pub fn resync(&mut self, offset: u64) {
        self.offset = offset;
        self.contents = None;
        self.broken = true;
        if matches!(self.stage, Stage::Head | Stage::Image | Stage::Tail) {
            self.stage = Stage::State;
        }
    }

    /// Passes a fault on, or keeps it and goes on.
    fn judge(&mut self, fault: Fault) -> Result<(), Fault> {
        match &mut self.soft {
            Some(soft) => {
                soft.push(fault);
                Ok(())
            }
            None => Err(fault),
        }
    }

    fn parse_head(&mut self, input: &[u8]) -> Result<Progress, Fault> {
        let of_head = |rule, at, len, field, message: String| {
            Fault::new(rule, at, len, message).of(Kind::HEAD.0, 0).field(field)
        };
        let Some(header) = frame::header(input) else {
            return Ok(Progress::NeedMore { need: RECORD_HEADER_LEN, room: RECORD_HEADER_LEN });
        };
        if header.kind != Kind::HEAD.0 {
            let message = format!("the first record has type {}, not that of HEAD", header.kind);
            return Err(of_head(rules::HEAD_KIND, 0, 2, "kind", message));
        }
        if header.len != HEAD_LEN as i16 {
            let message = format!("HEAD has {} bytes of payload, not {HEAD_LEN}", header.len);
            return Err(of_head(rules::HEAD_LEN, 2, 2, "len", message));
        }
        let Some(record) = input.get(..HEAD_RECORD_LEN) else {
            return Ok(Progress::NeedMore { need: HEAD_RECORD_LEN, room: HEAD_RECORD_LEN });
        };
        let Some(head) = record.get(RECORD_HEADER_LEN..).and_then(Head::from_payload) else {
            return Err(of_head(rules::HEAD_LEN, 2, 2, "len", "HEAD cannot be read".into()));
        };
        for (offset, fault) in frame::head_faults(&header, &head) {
            let hard = fault.rule == rules::HEAD_MAGIC || fault.rule == rules::HEAD_REV;
            let fault = Fault { offset, ..fault };
            if hard {
                return Err(fault);
            }
            self.judge(fault)?;
        }
        self.head_checksum = checksum(record);
        self.stage = if head.rev == 2 { Stage::Image } else { Stage::Foreign };
        Ok(self.parsed(HEAD_RECORD_LEN, Some(Event::Head(head))))
    }

    fn parse_record(&mut self, input: &[u8]) -> Result<Progress, Fault> {
        let Some(header) = frame::header(input) else {
            return Ok(self.need(RECORD_HEADER_LEN, None));
        };
        let kind = Kind(header.kind);
        if matches!(kind, Kind::HEAD | Kind::TAIL | Kind::STRING) {
            let message = format!("{kind} stands where {} is due", self.due());
            let fault =
                Fault::new(rules::ORDER, self.offset, 2, message).of(header.kind, self.offset).field("kind");
            if kind == Kind::TAIL && self.soft.is_some() && self.broken {
                self.stage = Stage::Tail;
                return self.parse_tail(input);
            }
            return Err(fault);
        }
        let total = frame::record_len(&header, self.offset)?;
        let Some(bytes) = input.get(..total) else {
            return Ok(self.need(total, Some(kind)));
        };
        let (frame, faults) = frame::open(self.offset, header, bytes);
        let frame = match (frame, faults) {
            (Some(frame), faults) => {
                for fault in faults {
                    self.judge(fault)?;
                }
                frame
            }
            (None, faults) if self.soft.is_some() => {
                self.broken = true;
                for fault in faults {
                    self.judge(fault)?;
                }
                return Ok(self.parsed(total, None));
            }
            (None, faults) => return Err(frame::first(faults, self.offset)),
        };
        self.judge_order(&frame)?;
        self.take(frame, total)
    }

    /// Whether the record may stand here; moves on to its stage.
    fn judge_order(&mut self, frame: &Frame<'_>) -> Result<(), Fault> {
        let kind = Kind(frame.header.kind);
        let stage = match kind {
            Image::KIND => Stage::Image,
            Extent::KIND => Stage::Pages,
            Index::KIND => Stage::Index,
            IndexEnd::KIND => Stage::Tail,
            _ => Stage::State,
        };
        let fits = match self.stage {
            Stage::Image => stage == Stage::Image,
            Stage::State => stage != Stage::Image && stage != Stage::Tail,
            Stage::Pages => stage == Stage::Pages || stage == Stage::Index || kind.is_ignorable(),
            _ => stage == Stage::Index || (stage == Stage::Tail && self.nr_listed > 0),
        };
        if !fits && !self.broken {
            let message = format!("{kind} stands where {} is due", self.due());
            let fault =
                Fault::new(rules::ORDER, frame.offset, 2, message).of(kind.0, frame.offset).field("kind");
            self.judge(fault)?;
        }
        self.stage = match (self.stage, stage) {
            (_, Stage::Image) => Stage::State,
            (Stage::Image, Stage::State) => Stage::State,
            (now, Stage::State) => now,
            (now, Stage::Index) => {
                if now != Stage::Index {
                    self.index_offset = frame.offset;
                }
                Stage::Index
            }
            (_, next) => next,
        };
        Ok(())
    }

    /// Accounts for the record and turns it into an event.
    fn take(&mut self, frame: Frame<'_>, total: usize) -> Result<Progress, Fault> {
        let kind = Kind(frame.header.kind);
        let end = frame.offset + total as u64;
        let record = |body| Record { offset: frame.offset, header: frame.header, id: frame.id, body };
        let body = match frame.body() {
            Ok(body) => body,
            Err(fault) => {
                self.judge(fault)?;
                self.count(&frame, 0, 0);
                return Ok(self.parsed(total, None));
            }
        };
        let body = match body {
            Some(body) => body,
            None if kind.is_ignorable() => {
                self.count(&frame, 0, 0);
                let event = Event::Skipped { offset: frame.offset, header: frame.header, id: frame.id };
                return Ok(self.parsed(total, Some(event)));
            }
            None => {
                let message = format!("records of type {} are not known and must not be skipped", kind.0);
                let fault = Fault::new(rules::RECORD_KIND, frame.offset, 2, message);
                self.judge(fault.of(kind.0, frame.offset).field("kind"))?;
                self.count(&frame, 0, 0);
                return Ok(self.parsed(total, None));
            }
        };
        match body {
            Body::IndexEnd(end) => {
                self.judge_index_end(&frame, &end)?;
                Ok(self.parsed(total, Some(Event::Record(record(Body::IndexEnd(end))))))
            }
            Body::Index(index) => {
                self.chain.update(&frame.checksum.to_le_bytes());
                if index.first != self.nr_listed && !self.broken {
                    let message =
                        format!("this piece starts at entry {}, not {}", index.first, self.nr_listed);
                    let fault = Fault::new(rules::INDEX_ENTRIES, frame.offset, total as u64, message);
                    self.judge(fault.of(kind.0, frame.offset).field("first"))?;
                }
                self.nr_listed += (index.entries.len() / INDEX_ENTRY_LEN) as u64;
                self.listed.update(&index.entries);
                Ok(self.parsed(total, Some(Event::Record(record(Body::Index(index))))))
            }
            Body::Extent(extent) => {
                let (head, faults) = extent::open(frame.offset, end, frame.header.parent, &extent);
                for fault in faults {
                    self.judge(fault)?;
                }
                self.totals.extents += 1;
                self.totals.page_bytes =
                    self.totals.page_bytes.saturating_add(extent.nr_pages.saturating_mul(PAGE));
                self.totals.stored_bytes = self.totals.stored_bytes.saturating_add(extent.stored_len);
                self.count(&frame, extent.vaddr, extent.nr_pages);
                let Some(head) = head else {
                    // Nobody knows where the contents end, so the next record has to be searched for.
                    self.broken = true;
                    return Ok(self.parsed(total, None));
                };
                if head.stored_len > 0 {
                    self.contents = Some(Contents {
                        record: frame.offset,
                        padding: extent::padding_before(end, head.stored_len),
                        left: head.stored_len,
                        after: extent::padding_after(head.stored_len),
                        len: head.stored_len,
                        sum: Some(Checksum::new()),
                        due: head.checksum,
                    });
                } else if head.checksum != checksum(&[]) {
                    self.judge(extent_checksum(frame.offset, head.data_offset, 0))?;
                }
                Ok(self.parsed(total, Some(Event::Extent(head))))
            }
            Body::Image(image) => {
                if image.head_checksum != self.head_checksum && !self.broken {
                    let message = "HEAD is not the one that the image was written with, its checksum differs";
                    let fault = Fault::new(rules::HEAD_CHECKSUM, 0, HEAD_RECORD_LEN as u64, message);
                    self.judge(fault.of(Kind::HEAD.0, 0))?;
                }
                self.count(&frame, 0, 0);
                Ok(self.parsed(total, Some(Event::Record(record(Body::Image(image))))))
            }
            body => {
                self.count(&frame, 0, 0);
                Ok(self.parsed(total, Some(Event::Record(record(body)))))
            }
        }
    }

    /// Remembers a record for the index, the counts and the chain.
    fn count(&mut self, frame: &Frame<'_>, vaddr: u64, nr_pages: u64) {
        let entry = IndexEntry {
            offset: frame.offset,
            vaddr,
            kind: frame.header.kind,
            len: frame.header.len,
            parent: frame.header.parent,
            id: frame.id,
            nr_pages: u32::try_from(nr_pages).unwrap_or(u32::MAX),
        };
        self.entries.update(&entry.to_bytes());
        self.chain.update(&frame.checksum.to_le_bytes());
        self.totals.records += 1;
        self.totals.objects += u64::from(frame.id != 0);
    }

    fn judge_index_end(&mut self, frame: &Frame<'_>, end: &IndexEnd) -> Result<(), Fault> {
        if self.broken {
            return Ok(());
        }
        let at = |rule, message: String, field| {
            Fault::new(rule, frame.offset, frame.bytes.len() as u64, message)
                .of(frame.header.kind, frame.offset)
                .field(field)
        };
        if self.nr_listed != self.totals.records || self.listed.digest() != self.entries.digest() {
            let message = format!(
                "the index of {} entries does not list the {} records of the image as they are",
                self.nr_listed, self.totals.records
            );
            self.judge(at(rules::INDEX_ENTRIES, message, "nr_records"))?;
        }
        for (field, got, want) in [
            ("index_offset", end.index_offset, self.index_offset),
            ("nr_records", end.nr_records, self.totals.records),
            ("nr_extents", end.nr_extents, self.totals.extents),
            ("nr_objects", end.nr_objects, self.totals.objects),
            ("page_bytes", end.page_bytes, self.totals.page_bytes),
            ("stored_bytes", end.stored_bytes, self.totals.stored_bytes),
        ] {
            if got != want {
                let message = format!("INDEX_END says {field} is {got}, the image has {want}");
                self.judge(at(rules::INDEX_END_COUNTS, message, field))?;
            }
        }
        if end.chain != self.chain.digest() {
            let message = "the checksum over all records differs, one is missing or too many".into();
            self.judge(at(rules::INDEX_END_CHAIN, message, "chain"))?;
        }
        Ok(())
    }

    fn parse_contents(&mut self, input: &[u8]) -> Result<Progress, Fault> {
        let Some(contents) = &mut self.contents else { return Ok(self.need(0, None)) };
        if contents.padding == 0 && contents.left > 0 {
            let len = contents.left.min(input.len() as u64) as usize;
            if len == 0 {
                let room = usize::try_from(contents.left).unwrap_or(usize::MAX).min(MAX_LOOKAHEAD);
                return Ok(Progress::NeedMore { need: 1, room });
            }
            self.take_contents(input.get(..len).unwrap_or_default())?;
            return Ok(Progress::Parsed { consumed: len, event: None });
        }
        let padding = if contents.left > 0 { contents.padding } else { contents.after };
        let need = padding as usize;
        let Some(zeros) = input.get(..need) else {
            let room = if contents.left > 0 { need } else { need + self.least_remaining() };
            return Ok(Progress::NeedMore { need, room });
        };
        let (record, end) = (contents.record, contents.left == 0);
        contents.padding = 0;
        if end {
            self.contents = None;
        }
        if zeros.iter().any(|b| *b != 0) {
            let message = "the bytes that fill the gap at an extent's contents are not zero";
            let fault = Fault::new(rules::EXTENT_PADDING, self.offset, padding, message);
            self.judge(fault.of(Extent::KIND.0, record))?;
        }
        Ok(self.parsed(need, None))
    }

    /// Judges the contents once they are all there.
    fn finish_contents(&mut self) -> Result<(), Fault> {
        let Some(contents) = &self.contents else { return Ok(()) };
        if contents.left > 0 {
            return Ok(());
        }
        let (record, len) = (contents.record, contents.len);
        let wrong = contents.sum.as_ref().is_some_and(|sum| sum.digest() != contents.due);
        if contents.after == 0 {
            self.contents = None;
        }
        if wrong {
            self.judge(extent_checksum(record, self.offset - len, len))?;
        }
        Ok(())
    }

    fn parse_tail(&mut self, input: &[u8]) -> Result<Progress, Fault> {
        let Some(header) = frame::header(input) else {
            return Ok(Progress::NeedMore { need: TAIL_RECORD_LEN, room: TAIL_RECORD_LEN });
        };
        let at = |message: String, at, len, field| {
            Fault::new(rules::TAIL, self.offset + at, len, message).of(header.kind, self.offset).field(field)
        };
        if header.kind != Kind::TAIL.0 {
            return Err(at(format!("{} stands where TAIL is due", Kind(header.kind)), 0, 2, "kind"));
        }
        if header.len != TAIL_LEN as i16 {
            return Err(at(format!("TAIL has {} bytes of payload, not {TAIL_LEN}", header.len), 2, 2, "len"));
        }
        let Some(record) = input.get(..TAIL_RECORD_LEN) else {
            return Ok(Progress::NeedMore { need: TAIL_RECORD_LEN, room: TAIL_RECORD_LEN });
        };
        if header.parent != 0 {
            self.judge(at("TAIL has a parent".into(), 4, 4, "parent"))?;
        } else if record != tail_record() {
            let fault = at("the magic of TAIL is wrong".into(), 8, 8, "magic");
            self.judge(fault)?;
        }
        self.stage = Stage::End;
        self.offset += TAIL_RECORD_LEN as u64;
        let totals = self.totals();
        Ok(Progress::Parsed { consumed: TAIL_RECORD_LEN, event: Some(Event::End(totals)) })
    }

    fn parsed(&mut self, consumed: usize, event: Option<Event>) -> Progress {
        self.offset += consumed as u64;
        Progress::Parsed { consumed, event }
    }

    /// Asks for the `need` bytes of a header, or of a record whose kind is known.
    fn need(&self, need: usize, kind: Option<Kind>) -> Progress {
        let room = match (self.stage, kind) {
            (Stage::Index | Stage::Tail | Stage::End, _) => need,
            (_, None | Some(Index::KIND | IndexEnd::KIND)) => self.least_remaining(),
            (_, Some(_)) => need.saturating_add(self.least_remaining()),
        };
        Progress::NeedMore { need, room: room.clamp(need, need.max(MAX_LOOKAHEAD)) }
    }

    /// Bytes that follow in every sound image from this record on, which may be the first of the index: the index
    /// lists each record met so far. So many may be read ahead without reaching behind TAIL.
    fn least_remaining(&self) -> usize {
        const INDEX_HEAD: usize = frame::MIN_RECORD_LEN + 8;
        const INDEX_END: usize = frame::MIN_RECORD_LEN + 56;
        let records = usize::try_from(self.totals.records).unwrap_or(usize::MAX).min(MAX_LOOKAHEAD);
        let pieces = records.div_ceil(MAX_INDEX_ENTRIES);
        pieces * INDEX_HEAD + records * INDEX_ENTRY_LEN + INDEX_END + TAIL_RECORD_LEN
    }
}

fn extent_checksum(record: u64, offset: u64, len: u64) -> Fault {
    let message = "the contents of an extent do not have the checksum that its record names";
    Fault::new(rules::EXTENT_CHECKSUM, offset, len, message).of(Extent::KIND.0, record).field("checksum")
}
