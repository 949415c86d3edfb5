//! Judges an image of revision 2: a lenient parser for the records, a graph for what they have to do with each
//! other, and a search for the next record where one is broken.

use crate::error::Fault;
use crate::findings::{Finding, Findings, Severity};
use crate::frame;
use crate::head::tail_record;
use crate::header::Kind;
use crate::limits::MAX_SEARCHED;
use crate::parser::{Event, Parser, Progress, Totals};
use crate::record::{DEFS, Extent};
use crate::rules;
use crate::validate::graph::Graph;
use crate::validate::met::Met;
use crate::validate::{rev1, values};

/// Judges an image of revision 2 that is fed in pieces.
#[derive(Debug)]
pub struct Judge {
    parser: Parser,
    graph: Graph,
    /// Searching for the next record.
    searching: bool,
    searched: u64,
    given_up: bool,
    contents: bool,
    /// Bytes that come next and are not looked at.
    unwanted: u64,
    /// What was met since it was last asked for.
    met: Vec<Met>,
    /// What cannot be read; where the next record is, is being searched.
    lost: Option<Met>,
    /// Offset of the last EXTENT.
    extent: Option<u64>,
}

/// Whether a record stands at the front of some bytes.
enum Sound {
    Yes,
    No,
    /// More bytes would tell.
    Wait,
}

impl Judge {
    /// At the first byte of the image; `contents` says whether the contents of pages are looked at.
    pub fn new(contents: bool) -> Self {
        Self {
            parser: Parser::lenient(),
            graph: Graph::default(),
            searching: false,
            searched: 0,
            given_up: false,
            contents,
            unwanted: 0,
            met: Vec::new(),
            lost: None,
            extent: None,
        }
    }

    /// What was met since the last call.
    pub fn take_met(&mut self) -> Vec<Met> {
        std::mem::take(&mut self.met)
    }

    /// Looks at the bytes that were not taken yet and returns how many are done with. The rest, less than a record
    /// and 16 bytes, has to be handed in again with more behind it.
    pub fn feed(&mut self, input: &[u8], is_last: bool, findings: &mut Findings) -> usize {
        let mut done = 0;
        loop {
            let rest = input.get(done..).unwrap_or_default();
            if self.unwanted > 0 {
                let len = self.unwanted.min(rest.len() as u64);
                self.unwanted -= len;
                done += len as usize;
                if self.unwanted > 0 {
                    return done;
                }
                continue;
            }
            if self.is_done() {
                return done;
            }
            if self.searching {
                let (at, found) = self.search(rest, is_last);
                self.parser.resync(self.parser.offset() + at as u64);
                self.searching = !found;
                done += at;
                if found {
                    self.found();
                }
                if !found {
                    return done;
                }
                continue;
            }
            let (offset, in_contents) = (self.parser.offset(), self.parser.is_in_contents());
            if !in_contents {
                match self.lie(rest, is_last) {
                    Ok(false) => return done,
                    Ok(true) => {}
                    Err(faults) => {
                        done += self.lose(rest, 8, faults.first().cloned());
                        faults.into_iter().for_each(|fault| findings.push(fault));
                        continue;
                    }
                }
            }
            let progress = self.parser.parse(rest);
            for fault in self.parser.take_faults() {
                findings.push(fault);
            }
            match progress {
                Ok(Progress::NeedMore { .. }) => return done,
                Ok(Progress::Parsed { consumed, event }) => {
                    done += consumed;
                    if !in_contents {
                        let has_id = !matches!(event, Some(Event::Head(_) | Event::End(_)));
                        let met = Met::begin(offset, rest, has_id, None);
                        self.met.push(met.until(offset + consumed as u64));
                    }
                    self.judge(event, findings);
                }
                Err(fault) => {
                    let reason = fault.clone();
                    findings.push(fault);
                    // The search starts behind the fault, so that it cannot find the same again; but a TAIL too early
                    // is still the end.
                    let is_end = rest.starts_with(&tail_record()) && !self.parser.is_broken();
                    done += self.lose(rest, if is_end { 0 } else { 8 }, Some(reason));
                }
            }
        }
    }

    /// Goes on at the next sound record, wherever it is, and not before so many bytes; returns how many.
    fn lose(&mut self, rest: &[u8], step: usize, reason: Option<Fault>) -> usize {
        let (offset, step) = (self.parser.offset(), step.min(rest.len()));
        let has_id = frame::header(rest).is_some_and(|header| Kind(header.kind) != Kind::HEAD);
        self.lost.get_or_insert_with(|| Met::begin(offset, rest, has_id, reason));
        self.parser.resync(offset + step as u64);
        self.searching = true;
        step
    }

    /// The next record is here: what cannot be read ends.
    fn found(&mut self) {
        let here = self.parser.offset();
        self.met.extend(self.lost.take().map(|lost| lost.until(here)).filter(|lost| lost.len > 0));
    }

    /// Whether what stands here can be parsed, `false` if more bytes would tell. It cannot if it lies about its length:
    /// then its checksum is wrong, and behind it no record stands.
    fn lie(&self, bytes: &[u8], is_last: bool) -> Result<bool, Vec<Fault>> {
        let offset = self.parser.offset();
        let Some(header) = frame::header(bytes) else { return Ok(true) };
        let kind = Kind(header.kind);
        if matches!(kind, Kind::HEAD | Kind::TAIL | Kind::STRING) {
            return Ok(true);
        }
        let Ok(len) = frame::record_len(&header, offset) else { return Ok(true) };
        let Some(record) = bytes.get(..len) else {
            // What goes on beyond the end is cut, unless a record stands in what would be its bytes.
            let is_lie = is_last && holds_record(bytes);
            let message =
                format!("{kind} would go on beyond the end of the image, and other records stand there");
            let fault = Fault::new(rules::RECORD_LEN, offset + 2, 2, message).of(header.kind, offset);
            return if is_lie { Err(vec![fault.field("len")]) } else { Ok(true) };
        };
        if is_sound(record) {
            return Ok(true);
        }
        match sound(bytes.get(len..).unwrap_or_default(), is_last) {
            // How far the contents of an extent go is said in the record that cannot be trusted.
            Sound::Yes if kind != Extent::KIND && !holds_record(record) => Ok(true),
            Sound::Wait => Ok(false),
            // Its other faults would be told of bytes that are not its own.
            Sound::Yes | Sound::No => {
                let faults = frame::open(offset, header, record).1.into_iter();
                let own = faults.filter(|fault| fault.rule == rules::RECORD_CHECKSUM);
                Err(own.map(|fault| Fault { len: frame::MIN_RECORD_LEN as u64, ..fault }).collect())
            }
        }
    }

    /// Whether nothing more is wanted.
    pub fn is_done(&self) -> bool {
        self.parser.is_at_end() || self.given_up
    }

    /// Bytes that come next and need not be fed.
    pub fn skippable(&self) -> u64 {
        self.unwanted
    }

    /// So many of them were not fed.
    pub fn skip(&mut self, len: u64) {
        self.unwanted = self.unwanted.saturating_sub(len);
    }

    /// Bytes taken.
    pub fn offset(&self) -> u64 {
        self.parser.offset()
    }

    /// Counts.
    pub fn totals(&self) -> Totals {
        self.parser.totals()
    }

    /// Judges the whole at the end of the bytes, of which `left` were not taken.
    pub fn finish(&mut self, left: &[u8], findings: &mut Findings) {
        let whole = self.parser.is_at_end() && !self.parser.is_broken();
        let offset = self.parser.offset();
        let end = offset + left.len() as u64;
        let is_cut = !self.parser.is_at_end() && !self.given_up;
        let due = self.parser.due();
        let extent = self.extent;
        let of_extent = |fault: Fault| match extent {
            Some(at) => fault.of(Extent::KIND.0, at),
            None => fault,
        };
        if self.unwanted > 0 {
            findings.push(of_extent(Fault::early_end(offset - self.unwanted, "the contents of an extent")));
        } else if let Some(lost) = self.lost.take() {
            if is_cut {
                findings.push(of(Fault::early_end(end, due), &lost));
            }
            self.met.push(lost.until(end));
        } else if is_cut && self.parser.is_in_contents() {
            findings.push(of_extent(Fault::early_end(end, due)));
        } else if is_cut {
            let has_id = frame::header(left)
                .is_some_and(|header| !matches!(Kind(header.kind), Kind::HEAD | Kind::TAIL));
            let cut = Met::begin(offset, left, has_id, None).until(end);
            let fault = of(Fault::early_end(end, due), &cut);
            self.met.push(Met { fault: Some(fault.clone()), ..cut });
            findings.push(fault);
        }
        if whole {
            std::mem::take(&mut self.graph).finish(findings);
        } else {
            let message = "since parts cannot be read, the index and what records have to do with each other are \
                           not judged";
            let fault = Fault::new(rules::NOT_JUDGED, self.parser.offset(), 0, message);
            findings.push(Finding::soft(Severity::Note, fault));
        }
    }

    fn judge(&mut self, event: Option<Event>, findings: &mut Findings) {
        match event {
            Some(Event::Head(head)) => rev1::head_findings(&head).into_iter().for_each(|f| findings.push(f)),
            Some(Event::Record(record)) => {
                values::judge(&record, findings);
                self.graph.record(&record, findings);
            }
            Some(Event::Skipped { offset, header, id }) => {
                let kind = Kind(header.kind);
                self.graph.skipped(kind, header.parent, id, offset, findings);
                let message = format!("records of type {} are not known; this one was skipped", header.kind);
                let fault = Fault::new(rules::RECORD_KIND, offset, 2, message).of(kind.0, offset);
                findings.push(Finding::soft(Severity::Note, fault));
            }
            Some(Event::Extent(extent)) => {
                self.extent = Some(extent.offset);
                self.graph.extent(&extent, findings);
                if !self.contents {
                    self.unwanted = self.parser.skip_contents();
                }
            }
            Some(Event::End(_)) | None => {}
        }
    }

    /// Position of the next sound record or TAIL, which all start on multiples of 8, and whether there is one. If
    /// not, it is the position from which on more bytes are needed, or the end.
    fn search(&mut self, bytes: &[u8], is_last: bool) -> (usize, bool) {
        let first = (self.parser.offset().wrapping_neg() % 8) as usize;
        for at in (first..bytes.len()).step_by(8) {
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.starts_with(&tail_record()) {
                return (at, true);
            }
            if rest.len() < frame::MIN_RECORD_LEN && !is_last {
                return (at, false);
            }
            let Some(header) = frame::header(rest) else { break };
            let kind = Kind(header.kind);
            if !kind.is_ignorable() && !DEFS.iter().any(|def| def.kind == kind.0) {
                continue;
            }
            let Ok(len) = frame::record_len(&header, 0) else { continue };
            let Some(record) = rest.get(..len) else {
                if is_last {
                    continue;
                }
                return (at, false);
            };
            self.searched += len as u64;
            if self.searched > MAX_SEARCHED {
                self.given_up = true;
                return (at, false);
            }
            if is_sound(record) {
                return (at, true);
            }
        }
        // Nothing in sight: the end, or where the next multiple of 8 is to come.
        (bytes.len(), false)
    }
}

/// Names the record that a fault is about, if it has a header.
fn of(fault: Fault, met: &Met) -> Fault {
    match met.header {
        Some(header) => fault.of(header.kind, met.offset),
        None => fault,
    }
}

/// Whether a whole record has the checksum that it names.
fn is_sound(record: &[u8]) -> bool {
    record
        .split_last_chunk::<8>()
        .is_some_and(|(content, sum)| crate::checksum::checksum(content) == u64::from_le_bytes(*sum))
}

/// Whether a sound record or TAIL stands at the front of these bytes.
fn sound(bytes: &[u8], is_last: bool) -> Sound {
    if bytes.starts_with(&tail_record()) {
        return Sound::Yes;
    }
    let wait = if is_last { Sound::No } else { Sound::Wait };
    let Some(header) = frame::header(bytes).filter(|_| bytes.len() >= frame::MIN_RECORD_LEN) else {
        return wait;
    };
    let Ok(len) = frame::record_len(&header, 0) else { return Sound::No };
    match bytes.get(..len) {
        Some(record) if is_sound(record) => Sound::Yes,
        Some(_) => Sound::No,
        None => wait,
    }
}

/// Whether a sound record stands within these bytes, behind their start.
fn holds_record(bytes: &[u8]) -> bool {
    let starts = (8..bytes.len()).step_by(8);
    starts.filter_map(|at| bytes.get(at..)).any(|rest| matches!(sound(rest, true), Sound::Yes))
}
