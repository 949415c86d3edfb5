//! The rules of the format by their stable names, so that tools can talk about them.

macro_rules! rules {
    ($($name:ident = $id:literal $doc:literal)+) => {
        $(#[doc = $doc] pub const $name: &str = $id;)+

        /// Every rule: its name and what it demands.
        pub const RULES: &[(&str, &str)] = &[$(($id, $doc)),+];
    };
}

rules! {
    EARLY_END = "early-end" "An image goes on until TAIL."
    HEAD_KIND = "head-kind" "The first record is HEAD, type 1."
    HEAD_LEN = "head-len" "The payload of HEAD is 224 bytes long."
    HEAD_PARENT = "head-parent" "HEAD has no parent."
    HEAD_MAGIC = "head-magic" "The magic of HEAD is 0x00feed0cc0a2d200."
    HEAD_REV = "head-rev" "The revision is 1 or 2."
    HEAD_FLAGS = "head-flags" "No flag of HEAD but bit 0 is set."
    HEAD_CHECKSUM = "head-checksum" "IMAGE holds the checksum of HEAD's 232 bytes."
    RECORD_LEN = "record-len" "The payload of a record is a positive multiple of 8 long and has room for its tail."
    RECORD_BODY = "record-body" "The fixed part and the tail of a record have the lengths of its kind."
    RECORD_CHECKSUM = "record-checksum" "A record ends in the checksum of all its bytes before."
    RECORD_PADDING = "record-padding" "The bytes that fill a tail up to a multiple of 8 are zero."
    RECORD_KIND = "record-kind" "Types below 0x4000 are known to the reader."
    ORDER = "order" "HEAD, IMAGE, records of state, EXTENTs, INDEX, INDEX_END, TAIL, in this order."
    EXTENT_RUNS = "extent-runs" "Runs are page-aligned, ascending, do not overlap, and add up to nr_pages."
    EXTENT_LEN = "extent-len" "The stored length fits the encoding and the cap."
    EXTENT_ENCODING = "extent-encoding" "The encoding is one that is known."
    EXTENT_PADDING = "extent-padding" "The bytes around an extent's contents are zero."
    EXTENT_CHECKSUM = "extent-checksum" "An extent's contents have the checksum that its record names."
    INDEX_ENTRIES = "index-entries" "The index lists every record from IMAGE on as it stands in the image, in order."
    INDEX_END_COUNTS = "index-end-counts" "INDEX_END counts records, extents, objects and bytes as they are."
    INDEX_END_CHAIN = "index-end-chain" "INDEX_END holds the checksum over the checksums of all records before it."
    TAIL = "tail" "The last record is TAIL: type 5001, 8 bytes, no parent, magic 0x002d2a0cc0deef00."
}
