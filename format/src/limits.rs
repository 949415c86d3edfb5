//! Every cap of the format, named, with its reason.

/// Longest payload of a record: the length field is a signed 16-bit number.
pub const MAX_PAYLOAD: usize = i16::MAX as usize;

/// Bytes in a page of the format, whatever the machine's; extents start on multiples of it in the stream.
pub const PAGE: u64 = 4096;

/// Most bytes behind one EXTENT, before and after encoding: a reader needs two such buffers at the most.
pub const MAX_EXTENT_BYTES: u64 = 16 << 20;

/// Most runs in one EXTENT: 16 bytes each have to fit into the record's tail.
pub const MAX_RUNS: usize = 1024;

/// Most bytes a reader holds that it has not parsed yet: a record twice over, so that small records come in
/// large reads.
pub const MAX_LOOKAHEAD: usize = 64 << 10;

/// Length of one entry of the index in bytes.
pub const INDEX_ENTRY_LEN: usize = 32;

/// Entries in one INDEX record: what fits into a payload beside the record's own 24 bytes.
pub const MAX_INDEX_ENTRIES: usize = (MAX_PAYLOAD - 24) / INDEX_ENTRY_LEN;

/// Most bytes of index that a reader with random access takes into memory: two million records.
pub const MAX_INDEX_BYTES: u64 = 64 << 20;

/// Most runs of pages of one object that a reader with random access takes into memory.
pub const MAX_MAPPED_RUNS: usize = 2 << 20;

/// Most findings that a validator keeps; what a broken image says a thousand times is said.
pub const MAX_FINDINGS: usize = 1000;

/// Most objects that a validator remembers, some 100 bytes each; beyond, what records have to do with each other is
/// not judged any more, and a finding says so.
pub const MAX_OBJECTS: usize = 1 << 18;

/// Most areas, runs of pages and references ahead that a validator remembers, 16 to 48 bytes each, each for itself;
/// beyond, it is the same as with objects.
pub const MAX_REMEMBERED: usize = 1 << 20;

/// Most bytes that a validator puts through the checksum in search of the next record after a broken one: any
/// bytes may look like the header of a record, and each has to be tried.
pub const MAX_SEARCHED: u64 = 256 << 20;
