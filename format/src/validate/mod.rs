//! Judges a whole image of either revision and goes on after the first fault when it can.
//!
//! One pass, in pieces of any size; memory is bounded whatever the image says (see [`crate::limits`]): a piece, the
//! objects, the areas, the runs of pages, and the findings.

mod graph;
mod kinds;
mod met;
mod rev1;
mod rev2;
mod values;

use crate::error::Fault;
use crate::findings::{Finding, Findings, Severity};
use crate::frame;
use crate::head::{HEAD_LEN, HEAD_MAGIC, HEAD_RECORD_LEN, Head, KernelVersion};
use crate::header::{Kind, RECORD_HEADER_LEN};
use crate::parser::Totals;
use crate::record::Image;
use crate::rules;
use crate::sniff::sniff;
use crate::source::ReadAt;
pub use met::Met;
use std::io::{ErrorKind, Read};

/// Bytes that the drivers read at a time.
const PIECE: usize = 1 << 20;

/// Bytes that are read behind contents that were left out.
const FEW: usize = 4 << 10;

/// Bytes looked at before it is decided what the file is.
const START: usize = rev1::MAX_IMAGE_LEN + 1;

/// What to judge.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Kernel that is to restart an image of revision 1; without one it is the image's own.
    pub kernel: Option<KernelVersion>,
    /// Whether the contents of pages are read and checked too; needs all of the image instead of a little.
    pub contents: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { kernel: None, contents: true }
    }
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order of the image; what concerns the whole comes last.
    pub findings: Vec<Finding>,
    /// Findings beyond those kept.
    pub dropped: u64,
    /// Revision, if the file is an image.
    pub revision: Option<u16>,
    /// HEAD, if it can be read.
    pub head: Option<Head>,
    /// What the image holds as far as it could be read.
    pub totals: Totals,
    /// What a restart would return: 0, or a negative errno. For revision 1 it is the answer of the patch's reader.
    pub verdict: i64,
}

impl Report {
    /// Whether there is no error.
    pub fn is_valid(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }

    /// How many findings of a severity were kept.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// The report for machines.
    pub fn to_json(&self) -> serde_json::Value {
        let findings: Vec<_> = self.findings.iter().map(Finding::to_json).collect();
        serde_json::json!({
            "format": "stasis",
            "revision": self.revision,
            "valid": self.is_valid(),
            "verdict": self.verdict,
            "findings": findings,
            "dropped": self.dropped,
            "totals": crate::json::totals(&self.totals),
        })
    }
}

#[derive(Debug)]
enum Stage {
    /// Not decided yet.
    Start,
    One,
    Two(Box<rev2::Judge>),
    /// The image is over, or the file is none.
    Over,
}

/// A validator that is fed bytes.
#[derive(Debug)]
pub struct Validator {
    options: Options,
    stage: Stage,
    held: Vec<u8>,
    /// Bytes fed or skipped.
    fed: u64,
    /// Length of the image once it is known.
    len: Option<u64>,
    next: Vec<u8>,
    findings: Findings,
    revision: Option<u16>,
    head: Option<Head>,
    totals: Totals,
    verdict: Option<i64>,
    /// What was met since it was last asked for, if anybody asks.
    met: Option<Vec<Met>>,
}

impl Validator {
    /// At the first byte.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            stage: Stage::Start,
            held: Vec::new(),
            fed: 0,
            len: None,
            next: Vec::new(),
            findings: Findings::default(),
            revision: None,
            head: None,
            totals: Totals::default(),
            verdict: None,
            met: None,
        }
    }

    /// The same; what it meets is kept for [`Self::take_met`].
    pub fn watched(options: Options) -> Self {
        Self { met: Some(Vec::new()), ..Self::new(options) }
    }

    /// Records, and what should be some, since the last call, in the order of the image.
    pub fn take_met(&mut self) -> Vec<Met> {
        self.met.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether the image is over, or the file is none: more bytes change nothing but their number.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over) && self.next.len() == image_start().len()
    }

    /// So many bytes that follow were left out after [`Self::is_over`].
    pub fn leave(&mut self, len: u64) {
        if matches!(self.stage, Stage::Over) {
            self.fed += len;
        }
    }

    /// Takes the next bytes, any number of them.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.fed += bytes.len() as u64;
        if matches!(self.stage, Stage::Over) {
            self.remember_next(bytes);
            return;
        }
        self.held.extend_from_slice(bytes);
        self.go_on(false);
    }

    /// Bytes that come next and may be left out: contents of pages that are not wanted. Call [`Self::skip`] then.
    pub fn skippable(&self) -> u64 {
        match &self.stage {
            Stage::Two(judge) if self.held.is_empty() => judge.skippable(),
            _ => 0,
        }
    }

    /// So many of the bytes that may be left out were left out.
    pub fn skip(&mut self, len: u64) {
        if let Stage::Two(judge) = &mut self.stage {
            self.fed += len;
            judge.skip(len);
        }
    }

    /// All bytes are there.
    pub fn finish(self) -> Report {
        self.finish_met().0
    }

    /// The same, and what was met since it was last asked for.
    pub fn finish_met(mut self) -> (Report, Vec<Met>) {
        self.go_on(true);
        if let Stage::Two(mut judge) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.totals = judge.totals();
            judge.finish(&self.held, &mut self.findings);
            self.meet(judge.take_met());
        }
        if let Some(len) = self.len.filter(|len| self.fed > *len) {
            let more = self.fed - len;
            let what =
                if self.next.starts_with(&image_start()) { "another image follows" } else { "bytes follow" };
            let message = format!("{what} the image, {more} bytes");
            let fault = Fault::new(rules::TRAILING_BYTES, len, more, message);
            self.findings.push(Finding::soft(Severity::Note, fault));
        }
        let verdict = self.verdict.unwrap_or_else(|| -self.findings.errno().map_or(0, i64::from));
        let met = self.take_met();
        let report = Report {
            findings: self.findings.list().to_vec(),
            dropped: self.findings.dropped(),
            revision: self.revision,
            head: self.head,
            totals: self.totals,
            verdict,
        };
        (report, met)
    }

    /// Keeps what was met, if anybody asks for it.
    fn meet(&mut self, more: Vec<Met>) {
        if let Some(met) = &mut self.met {
            met.extend(more);
        }
    }

    fn go_on(&mut self, is_last: bool) {
        if matches!(self.stage, Stage::Start) {
            if self.held.len() < START && !is_last {
                return;
            }
            self.decide();
        }
        match &mut self.stage {
            Stage::One => {
                // No more than this, so that the pieces that came make no difference.
                let start = self.held.get(..START).unwrap_or(&self.held);
                let is_all = self.held.len() < START;
                let mut met = Vec::new();
                let (len, verdict) =
                    rev1::judge(start, is_all, self.options.kernel, &mut self.findings, &mut met);
                self.meet(met);
                self.verdict = Some(verdict);
                self.totals.length = len;
                self.end(len as usize);
            }
            Stage::Two(judge) => {
                let done = judge.feed(&self.held, is_last, &mut self.findings);
                let met = judge.take_met();
                if judge.is_done() {
                    self.len = Some(judge.offset());
                    let rest = self.held.split_off(done.min(self.held.len()));
                    self.held.clear();
                    self.remember_next(&rest);
                    let judge = std::mem::replace(&mut self.stage, Stage::Over);
                    self.meet(met);
                    if let Stage::Two(mut judge) = judge {
                        self.totals = judge.totals();
                        judge.finish(&[], &mut self.findings);
                        self.meet(judge.take_met());
                    }
                } else {
                    self.held.drain(..done.min(self.held.len()));
                    self.meet(met);
                }
            }
            Stage::Start | Stage::Over => {}
        }
    }

    /// Decides what the file is from its first bytes.
    fn decide(&mut self) {
        let start = self.held.get(..START).unwrap_or(&self.held);
        let header = frame::header(start);
        let head = start.get(RECORD_HEADER_LEN..HEAD_RECORD_LEN).and_then(Head::from_payload);
        let has_magic = head.as_ref().is_some_and(|head| head.magic == HEAD_MAGIC);
        let begins =
            start.starts_with(&image_start()) || (start.len() < 4 && image_start().starts_with(start));
        let is_head =
            header.is_some_and(|h| h.kind == Kind::HEAD.0 && h.parent == 0 && h.len <= HEAD_LEN as i16);
        let looks_like_one = has_magic || begins || is_head;
        // A HEAD that is damaged just where it says what it is gives itself away by what follows it.
        let next = start.get(HEAD_RECORD_LEN..).and_then(frame::header).map(|header| Kind(header.kind));
        let followed = matches!(next, Some(Image::KIND | Kind::TASK));
        if !looks_like_one && !followed && !start.is_empty() {
            let what = sniff(start).map_or(String::new(), |what| format!(", it looks like {what}"));
            let message = format!("this is no image of Stasis{what}");
            self.findings.push(Fault::new(rules::NOT_AN_IMAGE, 0, start.len().min(8) as u64, message));
            self.stage = Stage::Over;
            return;
        }
        let two = match &head {
            Some(head) if head.rev == 2 => true,
            Some(head) if head.rev == 1 => false,
            _ => next == Some(Image::KIND),
        };
        self.revision = Some(if two { 2 } else { 1 });
        self.head = head;
        self.stage = if two && header.is_some() {
            Stage::Two(Box::new(rev2::Judge::new(self.options.contents)))
        } else {
            Stage::One
        };
    }

    /// The image ends after so many of the bytes held.
    fn end(&mut self, len: usize) {
        self.len = Some(len as u64);
        let rest = self.held.split_off(len.min(self.held.len()));
        self.held.clear();
        self.remember_next(&rest);
        self.stage = Stage::Over;
    }

    /// Keeps the first bytes behind the image, to say whether they are another.
    fn remember_next(&mut self, bytes: &[u8]) {
        let room = image_start().len().saturating_sub(self.next.len());
        self.next.extend(bytes.iter().take(room));
    }
}

/// The first bytes of every image: type and length of HEAD.
fn image_start() -> [u8; 4] {
    let [k0, k1] = Kind::HEAD.0.to_le_bytes();
    let [l0, l1] = (HEAD_LEN as i16).to_le_bytes();
    [k0, k1, l0, l1]
}

/// Judges the image that starts at the first byte of the source. Without the contents of pages little is read.
pub fn validate_at(source: &(impl ReadAt + ?Sized), options: Options) -> std::io::Result<Report> {
    drive(source, Validator::new(options), &mut |_| Ok(()))
}

/// The same, telling what it meets in the order of the image.
pub fn validate_each(
    source: &(impl ReadAt + ?Sized),
    options: Options,
    each: &mut dyn FnMut(Met) -> std::io::Result<()>,
) -> std::io::Result<Report> {
    drive(source, Validator::watched(options), each)
}

fn drive(
    source: &(impl ReadAt + ?Sized),
    mut validator: Validator,
    each: &mut dyn FnMut(Met) -> std::io::Result<()>,
) -> std::io::Result<Report> {
    let len = source.len()?;
    let mut offset = 0;
    let mut buffer = vec![0; if validator.options.contents { PIECE } else { PIECE / 16 }];
    let mut wanted = buffer.len().min(START + FEW);
    while offset < len && !validator.is_over() {
        let skippable = validator.skippable().min(len - offset);
        validator.skip(skippable);
        offset += skippable;
        // Behind contents that were left out stands a record or two, and then the next contents.
        wanted = if skippable > 0 { FEW } else { (2 * wanted).min(buffer.len()) };
        let piece = usize::try_from(len - offset).unwrap_or(usize::MAX).min(wanted);
        let Some(piece) = buffer.get_mut(..piece) else { break };
        source.read_at(offset, piece)?;
        validator.feed(piece);
        offset += piece.len() as u64;
        validator.take_met().into_iter().try_for_each(&mut *each)?;
    }
    validator.leave(len - offset);
    let (report, met) = validator.finish_met();
    met.into_iter().try_for_each(each)?;
    Ok(report)
}

/// Judges the image that comes next in a stream, which is read to its end.
pub fn validate_stream(mut source: impl Read, options: Options) -> std::io::Result<Report> {
    let mut validator = Validator::new(Options { contents: true, ..options });
    let mut buffer = vec![0; PIECE];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(validator.finish()),
            Ok(got) => validator.feed(buffer.get(..got).unwrap_or_default()),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
