//! How the contents of an EXTENT are encoded, and the way there and back.
//!
//! Natively (crate feature `zstd`) the zstd library does both ways; without the feature, as in the browser, a
//! decoder in Rust reads it. LZ4 is in Rust both ways. Decoding never makes more than it was told to expect.

use crate::limits::MAX_EXTENT_BYTES;
use crate::record::ENCODINGS;

/// An encoding. Unknown numbers survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding(pub u32);

impl Encoding {
    /// The pages as they are.
    pub const NONE: Self = Self(0);
    /// Pages of zero; nothing is stored.
    pub const ZERO: Self = Self(1);
    /// One zstd frame (RFC 8878).
    pub const ZSTD: Self = Self(2);
    /// One LZ4 block, without frame and length.
    pub const LZ4: Self = Self(3);
    /// The pages as they are in the image that IMAGE names as its base; nothing is stored.
    pub const BASE: Self = Self(4);

    /// Its name, if it is known.
    pub fn name(self) -> Option<&'static str> {
        ENCODINGS.iter().find(|(number, _)| *number == u64::from(self.0)).map(|(_, name)| *name)
    }
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "encoding {}", self.0),
        }
    }
}

/// Encoding or decoding failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The pages are in another image.
    #[error("the pages are stored in the image that this one builds on")]
    Base,
    /// This build cannot do it.
    #[error("this build cannot handle {0}")]
    Unsupported(Encoding),
    /// The stored bytes are no such encoding, or would grow beyond what was expected.
    #[error("the stored bytes are not {expected} bytes encoded as {encoding}: {why}")]
    Broken {
        /// How they should be encoded.
        encoding: Encoding,
        /// Bytes expected.
        expected: usize,
        /// What the decoder says.
        why: String,
    },
}

/// Encodes page contents. `level` is zstd's and means nothing to the others.
pub fn encode(encoding: Encoding, data: &[u8], level: i32) -> Result<Vec<u8>, CodecError> {
    match encoding {
        Encoding::NONE => Ok(data.to_vec()),
        Encoding::ZERO if data.iter().all(|b| *b == 0) => Ok(Vec::new()),
        Encoding::ZERO => Err(broken(encoding, data.len(), "they are not all zero")),
        Encoding::ZSTD => zstd_encode(data, level),
        Encoding::LZ4 => Ok(lz4_flex::block::compress(data)),
        Encoding::BASE => Err(CodecError::Base),
        other => Err(CodecError::Unsupported(other)),
    }
}

/// Decodes stored bytes, which have to give exactly `expected` bytes. Takes memory for those and, for zstd, for a
/// window no larger than an extent may be.
pub fn decode(encoding: Encoding, stored: &[u8], expected: usize) -> Result<Vec<u8>, CodecError> {
    if expected as u64 > MAX_EXTENT_BYTES {
        return Err(broken(encoding, expected, "more than an extent may hold"));
    }
    let out = match encoding {
        Encoding::NONE => stored.to_vec(),
        Encoding::ZERO if stored.is_empty() => vec![0; expected],
        Encoding::ZERO => return Err(broken(encoding, expected, "nothing should be stored")),
        Encoding::ZSTD => zstd_decode(stored, expected)?,
        Encoding::LZ4 => {
            let mut out = vec![0; expected];
            let got = lz4_flex::block::decompress_into(stored, &mut out)
                .map_err(|e| broken(encoding, expected, &e.to_string()))?;
            out.truncate(got);
            out
        }
        Encoding::BASE => return Err(CodecError::Base),
        other => return Err(CodecError::Unsupported(other)),
    };
    if out.len() != expected {
        return Err(broken(encoding, expected, &format!("they give {} bytes", out.len())));
    }
    Ok(out)
}

fn broken(encoding: Encoding, expected: usize, why: &str) -> CodecError {
    CodecError::Broken { encoding, expected, why: why.into() }
}

#[cfg(feature = "zstd")]
fn zstd_encode(data: &[u8], level: i32) -> Result<Vec<u8>, CodecError> {
    zstd::bulk::compress(data, level).map_err(|e| broken(Encoding::ZSTD, data.len(), &e.to_string()))
}

#[cfg(not(feature = "zstd"))]
fn zstd_encode(_data: &[u8], _level: i32) -> Result<Vec<u8>, CodecError> {
    Err(CodecError::Unsupported(Encoding::ZSTD))
}

#[cfg(feature = "zstd")]
fn zstd_decode(stored: &[u8], expected: usize) -> Result<Vec<u8>, CodecError> {
    check_window(stored, expected)?;
    zstd::bulk::decompress(stored, expected).map_err(|e| broken(Encoding::ZSTD, expected, &e.to_string()))
}

#[cfg(not(feature = "zstd"))]
fn zstd_decode(stored: &[u8], expected: usize) -> Result<Vec<u8>, CodecError> {
    zstd_decode_in_rust(stored, expected)
}

/// The decoder that needs no C library.
#[cfg(any(test, not(feature = "zstd")))]
fn zstd_decode_in_rust(stored: &[u8], expected: usize) -> Result<Vec<u8>, CodecError> {
    use std::io::Read as _;
    check_window(stored, expected)?;
    let fail = |why: &dyn std::fmt::Display| broken(Encoding::ZSTD, expected, &why.to_string());
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(stored).map_err(|e| fail(&e))?;
    let mut out = Vec::with_capacity(expected);
    decoder.by_ref().take(expected as u64 + 1).read_to_end(&mut out).map_err(|e| fail(&e))?;
    if !decoder.into_inner().is_empty() {
        return Err(fail(&"bytes follow the frame"));
    }
    Ok(out)
}

/// A frame states the window that its decoder has to hold, up to terabytes (RFC 8878, 3.1.1.1.2): it is looked at
/// before a decoder believes it.
fn check_window(stored: &[u8], expected: usize) -> Result<(), CodecError> {
    let fail = |why: &str| Err(broken(Encoding::ZSTD, expected, why));
    let [0x28, 0xb5, 0x2f, 0xfd, descriptor, rest @ ..] = stored else {
        return fail("no zstd frame");
    };
    // A single segment has its whole contents for a window; their length stands behind a dictionary's id.
    if descriptor & 0x20 != 0 {
        let id_len = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let (size_len, bias) = [(1, 0), (2, 256), (4, 0), (8, 0)][usize::from(descriptor >> 6)];
        let Some(size) = rest.get(id_len..id_len + size_len) else {
            return fail("the frame is cut");
        };
        let size = size.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
        return if size.checked_add(bias) == Some(expected as u64) {
            Ok(())
        } else {
            fail("the length differs")
        };
    }
    let Some(window) = rest.first() else {
        return fail("the frame is cut");
    };
    let base = 1u64 << (10 + (window >> 3));
    if base + base / 8 * u64::from(window & 7) > MAX_EXTENT_BYTES {
        return fail("the frame wants a window larger than an extent");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Encoding, decode, encode, zstd_decode_in_rust};

    fn page() -> Vec<u8> {
        (0..8192u32).map(|n| (n / 7 % 251) as u8).collect()
    }

    #[test]
    fn every_encoding_comes_back() {
        let zeros = vec![0; 4096];
        assert_eq!(encode(Encoding::ZERO, &zeros, 0), Ok(vec![]));
        assert_eq!(decode(Encoding::ZERO, &[], 4096), Ok(zeros));
        assert!(encode(Encoding::ZERO, &page(), 0).is_err());
        for encoding in [Encoding::NONE, Encoding::LZ4] {
            let stored = encode(encoding, &page(), 0).unwrap();
            assert_eq!(decode(encoding, &stored, 8192), Ok(page()), "{encoding}");
            assert!(decode(encoding, &stored, 8191).is_err(), "{encoding}");
            assert!(decode(encoding, &stored, 8193).is_err(), "{encoding}");
        }
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn both_zstd_decoders_agree() {
        for level in [-5, 1, 3, 19, 22] {
            let stored = encode(Encoding::ZSTD, &page(), level).unwrap();
            assert_eq!(decode(Encoding::ZSTD, &stored, 8192), Ok(page()));
            assert_eq!(zstd_decode_in_rust(&stored, 8192), Ok(page()));
            for wrong in [0, 1, 8191, 8193] {
                assert!(decode(Encoding::ZSTD, &stored, wrong).is_err());
                assert!(zstd_decode_in_rust(&stored, wrong).map_or(true, |out| out.len() != wrong));
            }
        }
    }

    #[test]
    fn a_frame_with_a_huge_window_is_refused() {
        // Window descriptor 0xa8 is 2^31 bytes.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
        assert!(decode(Encoding::ZSTD, &frame, 4096).unwrap_err().to_string().contains("window"));
        assert!(zstd_decode_in_rust(&frame, 4096).is_err());
    }
}
