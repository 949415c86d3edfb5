//! Every cap of the format, named, with its reason.

/// Longest payload of a record: the length field is a signed 16-bit number.
pub const MAX_PAYLOAD: usize = i16::MAX as usize;

/// Bytes in a page of the format, whatever the machine's; extents start on multiples of it in the stream.
pub const PAGE: u64 = 4096;

/// Most bytes behind one EXTENT, before and after encoding: a reader needs two such buffers at the most.
pub const MAX_EXTENT_BYTES: u64 = 16 << 20;

/// Most runs in one EXTENT: 16 bytes each have to fit into the record's tail.
pub const MAX_RUNS: usize = 1024;
