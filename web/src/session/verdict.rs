//! What the validator says, at once without the contents of pages where they are many, then in steps with them.

use super::{Result, Session, io};
use crate::proto::{FindingRow, Verdict};
use stasis_format::head::KernelVersion;
use stasis_format::header::Kind;
use stasis_format::record::Extent;
use stasis_format::validate::{Met, Options, Report, Validator, validate_each};
use stasis_format::{IndexReader, ReadAt, Totals};

/// Up to this length an image is checked whole at once.
const SMALL: u64 = 32 << 20;
/// Bytes checked in one step.
const STEP: usize = 4 << 20;
/// Extents in a step of a judgement without contents.
const AHEAD: usize = 64;
/// Bytes read where a record lies between contents.
const FEW: u64 = 4 << 10;
/// Pieces in a step: the page hears of it some times a second.
const PIECES: usize = 8;

/// `6.18.44` and what follows it; missing numbers are 0.
pub fn parse_kernel(text: &str) -> Option<KernelVersion> {
    let numbers = text.trim().split(|c: char| !c.is_ascii_digit()).take(3);
    let numbers: Vec<u16> = numbers.map_while(|word| word.parse().ok()).collect();
    let at = |n: usize| numbers.get(n).copied().unwrap_or(0);
    (!numbers.is_empty()).then(|| KernelVersion { major: at(0), minor: at(1), patch: at(2) })
}

/// LINUX_VERSION_CODE holds 255 at the most (include/linux/version.h), and HEAD takes it from there.
fn options(kernel: Option<&str>, contents: bool) -> Options {
    let clamp = |kernel: KernelVersion| KernelVersion { patch: kernel.patch.min(255), ..kernel };
    Options { kernel: kernel.and_then(parse_kernel).map(clamp), contents }
}

/// Judges the image; `each` hears of every record that is met, and of what should be one.
pub(super) fn judge(
    source: &impl ReadAt,
    len: u64,
    kernel: Option<&str>,
    each: &mut dyn FnMut(Met),
) -> Result<(Report, bool)> {
    let contents = len <= SMALL;
    let mut each = |met| {
        each(met);
        Ok(())
    };
    Ok((validate_each(source, options(kernel, contents), &mut each).map_err(io)?, contents))
}

/// A check of everything, under way.
#[derive(Debug)]
pub struct Verify {
    validator: Validator,
    offset: u64,
}

/// A judgement of an image with many extents, under way: their records lie far apart, which takes a request each where
/// the image is on a server.
#[derive(Debug)]
pub struct Check {
    validator: Validator,
    offset: u64,
    extents: u64,
}

/// What is known of an image from its index alone.
pub(super) fn from_index<S: ReadAt>(index: &IndexReader<S>) -> Report {
    let end = index.end();
    Report {
        findings: Vec::new(),
        dropped: 0,
        revision: Some(2),
        head: Some(index.head().clone()),
        totals: Totals {
            records: end.nr_records,
            extents: end.nr_extents,
            objects: end.nr_objects,
            page_bytes: end.page_bytes,
            stored_bytes: end.stored_bytes,
            length: index.image_len(),
        },
        verdict: 0,
    }
}

impl<S: ReadAt + Clone> Session<S> {
    /// Begins the judgement that opening left out.
    pub fn check(&self) -> Option<Check> {
        let validator = Validator::new(options(self.kernel.as_deref(), false));
        self.pending.then_some(Check { validator, offset: 0, extents: 0 })
    }

    /// What the next step reads far from anything else: offset and length.
    pub fn check_ahead(&self, check: &Check) -> Vec<(u64, u64)> {
        let Some(index) = &self.index else { return Vec::new() };
        let extents = index.entries().iter().filter(|entry| Kind(entry.kind) == Extent::KIND);
        let next = extents.filter(|entry| entry.offset >= check.offset).take(AHEAD + 1);
        next.map(|entry| (entry.offset, FEW.min(self.len.saturating_sub(entry.offset)))).collect()
    }

    /// Goes on with it: extents done and all, or `None` when the verdict is there.
    pub fn check_step(&mut self, mut check: Check) -> Result<Option<(Check, u64, u64)>> {
        let mut buffer = vec![0; FEW as usize];
        let mut left = AHEAD;
        while check.offset < self.len {
            let skippable = check.validator.skippable().min(self.len - check.offset);
            if skippable > 0 {
                if left == 0 {
                    let (done, total) = (check.extents, self.report.totals.extents);
                    return Ok(Some((check, done.min(total), total)));
                }
                left -= 1;
                check.extents += 1;
                check.validator.skip(skippable);
                check.offset += skippable;
            }
            let piece = (self.len - check.offset).min(FEW) as usize;
            let Some(piece) = buffer.get_mut(..piece) else { break };
            self.source.read_at(check.offset, piece).map_err(io)?;
            check.validator.feed(piece);
            check.offset += piece.len() as u64;
        }
        self.report = check.validator.finish();
        self.pending = false;
        Ok(None)
    }

    /// The judgement as the page shows it.
    pub fn verdict(&self) -> Verdict {
        let report = &self.report;
        let errno = |errno: i32| show_ret(-i64::from(errno));
        let row = |finding: &stasis_format::Finding| FindingRow {
            severity: finding.severity.to_string(),
            rule: finding.rule.to_owned(),
            offset: finding.offset,
            len: finding.len,
            record: finding.record.map(|(kind, _)| kind.to_string()),
            field: finding.field.map(str::to_owned),
            message: finding.message.clone(),
            errno: finding.errno.map(errno),
        };
        Verdict {
            revision: report.revision,
            valid: report.is_valid(),
            ret: report.verdict,
            ret_text: show_ret(report.verdict),
            kernel: self.kernel.clone(),
            findings: report.findings.iter().map(row).collect(),
            dropped: report.dropped,
            contents: self.contents,
            pending: self.pending,
        }
    }

    /// Judges against another kernel.
    pub fn judge(&mut self, kernel: Option<String>) -> Result<Verdict> {
        if let Some(text) = kernel.as_deref().filter(|text| parse_kernel(text).is_none()) {
            return Err(format!("{text:?} is no version of a kernel; write one such as 6.18.44"));
        }
        self.kernel = kernel;
        (self.report, self.contents) = judge(&self.source, self.len, self.kernel.as_deref(), &mut |_| {})?;
        Ok(self.verdict())
    }

    /// Starts to check everything.
    pub fn verify(&self) -> Verify {
        Verify { validator: Validator::new(options(self.kernel.as_deref(), true)), offset: 0 }
    }

    /// Goes on: bytes done, or `None` when the verdict is there.
    pub fn verify_step(&mut self, mut verify: Verify) -> Result<Option<(Verify, u64)>> {
        let mut buffer = vec![0; STEP];
        for _ in 0..PIECES {
            let piece = self.len.saturating_sub(verify.offset).min(STEP as u64) as usize;
            if piece == 0 {
                self.report = verify.validator.finish();
                self.contents = true;
                return Ok(None);
            }
            let Some(piece) = buffer.get_mut(..piece) else { break };
            self.source.read_at(verify.offset, piece).map_err(io)?;
            verify.validator.feed(piece);
            verify.offset += piece.len() as u64;
        }
        let done = verify.offset;
        Ok(Some((verify, done)))
    }

    /// Length of the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// What a system call returned, by its name in errno(3).
fn show_ret(ret: i64) -> String {
    let name = match ret {
        0 => return "0".into(),
        -1 => "EPERM",
        -2 => "ENOENT",
        -5 => "EIO",
        -9 => "EBADF",
        -11 => "EAGAIN",
        -12 => "ENOMEM",
        -14 => "EFAULT",
        -22 => "EINVAL",
        -32 => "EPIPE",
        -38 => "ENOSYS",
        -74 => "EBADMSG",
        -75 => "EOVERFLOW",
        -95 => "EOPNOTSUPP",
        _ => return ret.to_string(),
    };
    format!("-{name} ({ret})")
}
