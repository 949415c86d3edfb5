//! HEAD and TAIL.

use super::{Event, Parser, Progress, Stage};
use crate::checksum::checksum;
use crate::error::Fault;
use crate::frame;
use crate::head::{HEAD_LEN, HEAD_RECORD_LEN, Head, TAIL_LEN, TAIL_RECORD_LEN, tail_record};
use crate::header::{Kind, RECORD_HEADER_LEN};
use crate::rules;

impl Parser {
    pub(super) fn parse_head(&mut self, input: &[u8]) -> Result<Progress, Fault> {
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

    pub(super) fn parse_tail(&mut self, input: &[u8]) -> Result<Progress, Fault> {
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
}
