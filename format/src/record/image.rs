//! Records about the image itself: what it is, what was lost on the way, where everything stands.

use crate::show::{escape, hex, nanos};

/// Machine of the image, the ELF `e_machine` number.
pub const ARCHES: &[(u64, &str)] = &[(62, "x86_64"), (183, "aarch64"), (243, "riscv64")];

/// Flags of [`Image`].
pub const IMAGE_FLAGS: &[(u64, &str)] = &[(1, "EMBED_FILES"), (2, "LEFT_RUNNING"), (4, "WARNINGS")];

pub use crate::limits::INDEX_ENTRY_LEN;

/// One entry of an [`Index`] record's tail: a record of the image and where it stands.
#[binrw::binrw]
#[brw(little)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IndexEntry {
    /// Offset of the record header in the image.
    pub offset: u64,
    /// Start of the first run for an EXTENT, 0 otherwise.
    pub vaddr: u64,
    /// Type number of the record.
    pub kind: i16,
    /// Length of its payload in bytes.
    pub len: i16,
    /// Owner.
    pub parent: u32,
    /// Object that it defines, 0 for none.
    pub id: u32,
    /// Pages in an EXTENT, 0 otherwise.
    pub nr_pages: u32,
}

impl IndexEntry {
    /// The entry as it stands in the tail of an INDEX.
    pub fn to_bytes(&self) -> [u8; INDEX_ENTRY_LEN] {
        let mut out = std::io::Cursor::new([0; INDEX_ENTRY_LEN]);
        // The array has the length of the structure.
        let _ = binrw::BinWrite::write(self, &mut out);
        out.into_inner()
    }

    /// The entries in the tail of an INDEX.
    pub fn list(tail: &[u8]) -> Vec<Self> {
        tail.chunks_exact(INDEX_ENTRY_LEN)
            .filter_map(|bytes| binrw::BinRead::read(&mut std::io::Cursor::new(bytes)).ok())
            .collect()
    }
}

impl Image {
    /// Whether it holds only what differs from another image.
    pub fn has_base(&self) -> bool {
        self.base != [0; 16]
    }
}

records! {
    /// The checkpoint itself; the first record after HEAD, whose bytes it vouches for.
    Image = 3 "IMAGE", tail version: Text "Name and version of the engine that wrote the image.", since 88,
        of Image
    {
        /// XXH3-64 of the 232 bytes of the HEAD record.
        head_checksum: u64 => Hex,
        /// Random identity of this image.
        uuid: [u8; 16] => Raw,
        /// The host's boot id, so that times since boot can be compared.
        boot_id: [u8; 16] => Raw,
        /// CLOCK_REALTIME when the tree stood still.
        realtime: u64 => Nanos,
        /// CLOCK_MONOTONIC when the tree stood still.
        monotonic: u64 => Nanos,
        /// CLOCK_BOOTTIME when the tree stood still.
        boottime: u64 => Nanos,
        /// ELF machine number of the tasks.
        arch: u32 => Enum(ARCHES),
        /// Bytes in a page.
        page_size: u32 => Size,
        /// What kind of image this is.
        flags: u64 => Flags(IMAGE_FLAGS),
        /// Root task of the tree.
        root: u32 => Ref => Always[Task],
        /// User id of the process that took the checkpoint.
        uid: u32 => Dec,
        /// Image that this one builds on, by its uuid, zero for none: EXTENTs encoded as base have their pages there, in
        /// the object with the same reference, at the same address.
        base: [u8; 16] => Raw,
    } words(image) {
        let base = if image.has_base() { format!(", on {}", hex(&image.base)) } else { String::new() };
        format!("root #{}, {}{base}", image.root, nanos(image.realtime))
    }

    /// State that could not be carried over and was given up on request (`--allow`).
    Warning = 16385 "WARNING", tail text: Text "What was lost, in one sentence.", of Image {
        /// Process that lost it, 0 when it is not one process.
        pid: u32 => Dec,
        /// Number of the kind of state in the engine's list, for machines.
        code: u32 => Dec,
    } words(warning) { format!("pid {}: {}", warning.pid, escape(&warning.text)) }

    /// A piece of the index: 32-byte entries, one for each record of the image from IMAGE on, in order.
    Index = 4001 "INDEX", tail entries: Index "The entries.", of Image {
        /// Position of the first entry of this piece in the whole index.
        first: u64 => Dec,
    } words(index) { format!("{} entries from {} on", index.entries.len() / INDEX_ENTRY_LEN, index.first) }

    /// End of the index, always the last record before TAIL and of fixed length, so that it is found from the end.
    IndexEnd = 4002 "INDEX_END", of Image {
        /// Offset of the first INDEX record.
        index_offset: u64 => Hex,
        /// Records from IMAGE up to the first INDEX record.
        nr_records: u64 => Dec,
        /// EXTENT records among them.
        nr_extents: u64 => Dec,
        /// Objects defined.
        nr_objects: u64 => Dec,
        /// Bytes of page contents before encoding.
        page_bytes: u64 => Size,
        /// Bytes of page contents as stored.
        stored_bytes: u64 => Size,
        /// XXH3-64 over the checksums of all records before this one, in order, so that none can go missing.
        chain: u64 => Hex,
    } words(end) { format!("{} records, {} extents", end.nr_records, end.nr_extents) }
}
