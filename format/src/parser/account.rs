//! What a record adds to the counts, the chain and the index that is due, and INDEX_END that has to agree.

use super::contents::{Contents, extent_checksum};
use super::{Event, Parser, Progress, Record};
use crate::checksum::{Checksum, checksum};
use crate::error::Fault;
use crate::extent;
use crate::frame::Frame;
use crate::head::HEAD_RECORD_LEN;
use crate::header::Kind;
use crate::limits::PAGE;
use crate::record::{Body, INDEX_ENTRY_LEN, IndexEnd, IndexEntry};
use crate::rules;

impl Parser {
    /// Accounts for the record and turns it into an event.
    pub(super) fn take(&mut self, frame: Frame<'_>, total: usize) -> Result<Progress, Fault> {
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
}
