//! `Range` (RFC 9110, section 14): which bytes of a file are asked for.

use std::ops::Range;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Everything; also when what is asked for is not understood, as section 14.2 wants it.
    Whole,
    /// These bytes, at least one.
    Part(Range<u64>),
    /// Bytes that are not there.
    Nothing,
}

/// Reads the value of a `Range` header for a file of `size` bytes. Several ranges are answered with the whole.
pub fn parse(value: &[u8], size: u64) -> Asked {
    let spec = str::from_utf8(value).ok().and_then(|text| text.split_once('='));
    let Some((unit, spec)) = spec else { return Asked::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Asked::Whole };
    if !unit.eq_ignore_ascii_case("bytes") {
        return Asked::Whole;
    }
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Asked::Whole,
    };
    if range.is_empty() { Asked::Nothing } else { Asked::Part(range) }
}

/// Digits only; a number beyond all files is the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Asked, parse};

    #[test]
    fn each_form_gives_its_bytes() {
        for (text, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-5", 2..6),
            ("bytes=2-", 2..10),
            ("bytes=-3", 7..10),
            ("bytes=-30", 0..10),
            ("Bytes=9-99999999999999999999999", 9..10),
        ] {
            assert_eq!(parse(text.as_bytes(), 10), Asked::Part(range), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_not_there_are_nothing() {
        for text in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(parse(text.as_bytes(), 10), Asked::Nothing, "{text}");
        }
        assert_eq!(parse(b"bytes=0-", 0), Asked::Nothing);
    }

    #[test]
    fn what_is_not_understood_asks_for_everything() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=+1-2",
            "lines=1-2",
            "bytes=0-1,3-4",
            "bytes=a-b",
        ] {
            assert_eq!(parse(text.as_bytes(), 10), Asked::Whole, "{text}");
        }
        assert_eq!(parse(b"bytes=\xff-", 10), Asked::Whole);
    }
}
