//! The contents of an extent: the gap before, the bytes, the gap after.

use super::{Parser, Progress};
use crate::checksum::Checksum;
use crate::error::Fault;
use crate::limits::MAX_LOOKAHEAD;
use crate::record::Extent;
use crate::rules;

/// Contents of an extent that are under way.
#[derive(Debug, Clone)]
pub(super) struct Contents {
    pub(super) record: u64,
    pub(super) padding: u64,
    pub(super) left: u64,
    pub(super) after: u64,
    pub(super) len: u64,
    pub(super) sum: Option<Checksum>,
    pub(super) due: u64,
}

impl Parser {
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
            sum.update(bytes.get(..len as usize).unwrap_or(bytes));
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

    pub(super) fn parse_contents(&mut self, input: &[u8]) -> Result<Progress, Fault> {
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
}

/// The contents of the extent whose record stands at `record` are not what they were.
pub(super) fn extent_checksum(record: u64, offset: u64, len: u64) -> Fault {
    let message = "the contents of an extent do not have the checksum that its record names";
    Fault::new(rules::EXTENT_CHECKSUM, offset, len, message).of(Extent::KIND.0, record).field("checksum")
}
