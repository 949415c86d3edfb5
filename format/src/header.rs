//! The header that stands before every record of both revisions, and the kind of a record.

use binrw::binrw;

/// Length of a record header in bytes.
pub const RECORD_HEADER_LEN: usize = 8;

/// A record's type number. Unknown numbers survive.
///
/// Revision 2: a type at or above [`Kind::IGNORABLE`] may be skipped by a reader that does not know it, every
/// other unknown type is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(pub i16);

impl Kind {
    /// First record of an image, 224 bytes of payload.
    pub const HEAD: Self = Self(1);
    /// Text of revision 1.
    pub const STRING: Self = Self(2);
    /// A task; the payload differs between the revisions.
    pub const TASK: Self = Self(101);
    /// Last record of an image, 8 bytes of payload.
    pub const TAIL: Self = Self(5001);
    /// First of the types that an older reader may skip.
    pub const IGNORABLE: i16 = 0x4000;

    /// Whether a reader that does not know this type may go on.
    pub const fn is_ignorable(self) -> bool {
        self.0 >= Self::IGNORABLE
    }
}

/// `struct cr_hdr` of the patch set: type, length of the payload, owner.
#[binrw]
#[brw(little)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// Type number.
    pub kind: i16,
    /// Length of the payload in bytes; negative lengths are errors.
    pub len: i16,
    /// Object reference of the owner; 0 is the image.
    pub parent: u32,
}
