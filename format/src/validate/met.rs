//! What stands where, as the validator read it: a tree or a listing made of this shows the records that were judged and
//! no others, and where one cannot be read, that one has a place of its own, with the reason.

use crate::error::Fault;
use crate::frame;
use crate::header::RecordHeader;

/// A record, or bytes that should be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its bytes without the contents that follow it; of what cannot be read, all up to the next record.
    pub len: u64,
    /// Its header, as far as one is there.
    pub header: Option<RecordHeader>,
    /// Object that it defines, 0 for none or where that cannot be said.
    pub id: u32,
    /// Why it cannot be read.
    pub fault: Option<Fault>,
}

impl Met {
    /// What starts at the front of these bytes; how long it is has still to be said. `has_id` is false for HEAD, TAIL
    /// and all of revision 1.
    pub(super) fn begin(offset: u64, bytes: &[u8], has_id: bool, fault: Option<Fault>) -> Self {
        let id = bytes.get(8..).and_then(|rest| rest.first_chunk()).filter(|_| has_id);
        let id = id.map_or(0, |id| u32::from_le_bytes(*id));
        Self { offset, len: 0, header: frame::header(bytes), id, fault }
    }

    /// The same, ending there.
    pub(super) fn until(self, end: u64) -> Self {
        Self { len: end.saturating_sub(self.offset), ..self }
    }
}
