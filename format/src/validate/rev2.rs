//! Judges an image of revision 2: a lenient parser for the records, a graph for what they have to do with each
//! other, and a search for the next record where one is broken.

use crate::error::Fault;
use crate::findings::{Finding, Findings, Severity};
use crate::frame;
use crate::head::tail_record;
use crate::header::Kind;
use crate::limits::MAX_SEARCHED;
use crate::parser::{Event, Parser, Progress, Totals};
use crate::record::DEFS;
use crate::rules;
use crate::validate::graph::Graph;
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
        }
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
                if !found {
                    return done;
                }
                continue;
            }
            let progress = self.parser.parse(rest);
            for fault in self.parser.take_faults() {
                findings.push(fault);
            }
            match progress {
                Ok(Progress::NeedMore { .. }) => return done,
                Ok(Progress::Parsed { consumed, event }) => {
                    done += consumed;
                    self.judge(event, findings);
                }
                Err(fault) => {
                    findings.push(fault);
                    // The search starts behind the fault, so that it cannot find the same again; but a TAIL too early
                    // is still the end.
                    let is_end = rest.starts_with(&tail_record()) && !self.parser.is_broken();
                    let step = if is_end { 0 } else { rest.len().min(8) };
                    self.parser.resync(self.parser.offset() + step as u64);
                    self.searching = true;
                    done += step;
                }
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
    pub fn finish(self, left: u64, findings: &mut Findings) {
        let whole = self.parser.is_at_end() && !self.parser.is_broken();
        if self.unwanted > 0 {
            findings
                .push(Fault::early_end(self.parser.offset() - self.unwanted, "the contents of an extent"));
        } else if !self.parser.is_at_end() && !self.given_up {
            findings.push(Fault::early_end(self.parser.offset() + left, self.parser.due()));
        }
        if whole {
            self.graph.finish(findings);
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
            let sound = record
                .split_last_chunk::<8>()
                .is_some_and(|(content, sum)| crate::checksum::checksum(content) == u64::from_le_bytes(*sum));
            if sound {
                return (at, true);
            }
        }
        // Nothing in sight: the end, or where the next multiple of 8 is to come.
        (bytes.len(), false)
    }
}
