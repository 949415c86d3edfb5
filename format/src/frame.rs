//! The frame of a record: its header, the parts of its payload, and its checksum.

use crate::checksum::checksum;
use crate::error::Fault;
use crate::head::{CR_CTX_CKPT, HEAD_MAGIC, Head};
use crate::header::{Kind, RECORD_HEADER_LEN, RecordHeader};
use crate::limits::MAX_PAYLOAD;
use crate::record::{Body, BodyError};
use crate::rules;

/// Length of a record without fixed part and tail: header, id, tail_len, checksum.
pub const MIN_RECORD_LEN: usize = RECORD_HEADER_LEN + 16;

/// A record of revision 2 taken apart.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Offset of the record.
    pub offset: u64,
    /// Its header.
    pub header: RecordHeader,
    /// Object that it defines.
    pub id: u32,
    /// Fixed part.
    pub fixed: &'a [u8],
    /// Tail without padding.
    pub tail: &'a [u8],
    /// Checksum as stored.
    pub checksum: u64,
    /// The whole record.
    pub bytes: &'a [u8],
}

impl Frame<'_> {
    /// The body; `None` when the kind is not known.
    pub fn body(&self) -> Result<Option<Body>, Fault> {
        Body::from_parts(Kind(self.header.kind), self.fixed, self.tail).transpose().map_err(|e: BodyError| {
            let fault = Fault::new(rules::RECORD_BODY, self.offset, self.bytes.len() as u64, e.to_string());
            fault.of(self.header.kind, self.offset)
        })
    }
}

/// The record header at the front of these bytes.
pub fn header(bytes: &[u8]) -> Option<RecordHeader> {
    let [k0, k1, l0, l1, p0, p1, p2, p3] = *bytes.first_chunk()?;
    Some(RecordHeader {
        kind: i16::from_le_bytes([k0, k1]),
        len: i16::from_le_bytes([l0, l1]),
        parent: u32::from_le_bytes([p0, p1, p2, p3]),
    })
}

/// Length of the whole record that this header starts.
pub fn record_len(header: &RecordHeader, offset: u64) -> Result<usize, Fault> {
    let wrong = |message: String| {
        Fault::new(rules::RECORD_LEN, offset + 2, 2, message).of(header.kind, offset).field("len")
    };
    let len =
        usize::try_from(header.len).map_err(|_| wrong(format!("the length {} is negative", header.len)))?;
    let total = RECORD_HEADER_LEN + len;
    if total < MIN_RECORD_LEN || len % 8 != 0 {
        return Err(wrong(format!("{len} bytes of payload are no multiple of 8 from 16 on")));
    }
    Ok(total)
}

/// Takes a record apart, `bytes` being all of it. Without a frame the faults say why.
pub fn open(offset: u64, header: RecordHeader, bytes: &[u8]) -> (Option<Frame<'_>>, Vec<Fault>) {
    let at = |rule, from: usize, len: usize, field, message: String| {
        Fault::new(rule, offset + from as u64, len as u64, message).of(header.kind, offset).field(field)
    };
    let (Some(id), Some(tail_len), Some((content, sum))) =
        (word(bytes, 8), word(bytes, 12), bytes.split_last_chunk::<8>())
    else {
        return (None, vec![at(rules::RECORD_LEN, 2, 2, "len", "the record is too short".into())]);
    };
    let mut faults = Vec::new();
    let stored = u64::from_le_bytes(*sum);
    if checksum(content) != stored {
        let message = format!("the checksum of {} differs, its bytes were changed", Kind(header.kind));
        faults.push(at(rules::RECORD_CHECKSUM, 0, bytes.len(), "checksum", message));
    }
    let variable = content.get(16..).unwrap_or_default();
    let tail_len = usize::try_from(tail_len).unwrap_or(usize::MAX);
    let fixed_len = variable.len().checked_sub(padded(tail_len));
    let Some((fixed, rest)) = fixed_len.and_then(|len| variable.split_at_checked(len)) else {
        let message = format!("a tail of {tail_len} bytes does not fit into the record");
        faults.push(at(rules::RECORD_LEN, 12, 4, "tail_len", message));
        return (None, faults);
    };
    let (tail, padding) = rest.split_at_checked(tail_len).unwrap_or((rest, &[]));
    if padding.iter().any(|b| *b != 0) {
        let from = 16 + fixed.len() + tail.len();
        faults.push(at(
            rules::RECORD_PADDING,
            from,
            padding.len(),
            "padding",
            "the padding is not zero".into(),
        ));
    }
    (Some(Frame { offset, header, id, fixed, tail, checksum: stored, bytes }), faults)
}

/// Length of a tail with its padding; absurd lengths saturate.
pub fn padded(tail_len: usize) -> usize {
    tail_len.checked_next_multiple_of(8).unwrap_or(usize::MAX)
}

/// Appends a whole record to `out` and returns its checksum; `None` and nothing appended when it is too long.
pub fn write(out: &mut Vec<u8>, kind: i16, parent: u32, id: u32, fixed: &[u8], tail: &[u8]) -> Option<u64> {
    let len = 16usize.checked_add(fixed.len())?.checked_add(padded(tail.len()))?;
    let len = i16::try_from(len).ok().filter(|len| *len as usize <= MAX_PAYLOAD)?;
    let tail_len = u32::try_from(tail.len()).ok()?;
    let start = out.len();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&parent.to_le_bytes());
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&tail_len.to_le_bytes());
    out.extend_from_slice(fixed);
    out.extend_from_slice(tail);
    out.resize(out.len() + padded(tail.len()) - tail.len(), 0);
    let sum = checksum(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&sum.to_le_bytes());
    Some(sum)
}

/// What is wrong with HEAD, both revisions alike, in the order in which the kernel's reader looks.
pub fn head_faults(header: &RecordHeader, head: &Head) -> Vec<(u64, Fault)> {
    let mut faults = Vec::new();
    let mut fault = |rule, at: u64, len, field, message: String| {
        faults.push((at, Fault::new(rule, at, len, message).of(header.kind, 0).field(field)));
    };
    if header.parent != 0 {
        fault(rules::HEAD_PARENT, 4, 4, "parent", format!("HEAD has the parent {}", header.parent));
    }
    if head.magic != HEAD_MAGIC {
        fault(rules::HEAD_MAGIC, 8, 8, "magic", format!("the magic of HEAD is {:#018x}", head.magic));
    }
    if head.rev != 1 && head.rev != 2 {
        fault(rules::HEAD_REV, 22, 2, "rev", format!("the revision {} is not known", head.rev));
    }
    if head.flags & !CR_CTX_CKPT != 0 {
        fault(rules::HEAD_FLAGS, 32, 8, "flags", format!("the flags of HEAD are {:#x}", head.flags));
    }
    faults
}

/// The first of some faults; there is one.
pub fn first(faults: Vec<Fault>, offset: u64) -> Fault {
    let unknown = || Fault::new(rules::RECORD_BODY, offset, 0, "the record cannot be read");
    faults.into_iter().next().unwrap_or_else(unknown)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}
