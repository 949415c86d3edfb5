//! Shared by the tests.
#![allow(dead_code)] // each test uses its part

pub mod dump;
pub mod synth;

use std::path::PathBuf;

/// A file of the conformance suite.
pub fn conformance(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/conformance").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
