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

mod account;
mod contents;
mod ends;

use crate::checksum::Checksum;
use crate::error::Fault;
use crate::extent::ExtentHead;
use crate::frame::{self, Frame};
use crate::head::{Head, TAIL_RECORD_LEN};
use crate::header::{Kind, RECORD_HEADER_LEN, RecordHeader};
use crate::limits::{MAX_INDEX_ENTRIES, MAX_LOOKAHEAD};
use crate::record::{Body, Extent, INDEX_ENTRY_LEN, Image, Index, IndexEnd};
use crate::rules;
use contents::Contents;

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

    /// Whether contents of an extent come next and no record.
    pub fn is_in_contents(&self) -> bool {
        self.contents.is_some()
    }

    /// What is due next, for the sentence that says it is missing.
    pub fn due(&self) -> &'static str {
        match (&self.contents, self.stage) {
            (Some(_), _) => "the contents of an extent",
            (_, Stage::Head) => "HEAD",
            (_, Stage::Image) => "IMAGE",
            (_, Stage::State) => "a record",
            (_, Stage::Pages) => "a record or the index",
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
            Stage::State | Stage::Pages => stage != Stage::Image && stage != Stage::Tail,
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
