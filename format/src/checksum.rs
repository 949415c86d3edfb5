//! The checksum of records and extents: XXH3-64 with seed 0 (xxHash specification, version 0.8).

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Checksum of these bytes.
pub fn checksum(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// The same, of bytes that come in pieces.
#[derive(Clone)]
pub struct Checksum(Xxh3);

impl Checksum {
    /// Of no bytes so far.
    pub fn new() -> Self {
        Self(Xxh3::new())
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Checksum of all bytes added.
    pub fn digest(&self) -> u64 {
        self.0.digest()
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checksum({:#018x})", self.digest())
    }
}
