//! What is looked for: bytes of which some bits may be anything, so that one comparison serves letters of either case,
//! wildcards, numbers and text alike.

use crate::text::Pattern;
use serde::{Deserialize, Serialize};

/// A pattern of bytes: one fits if it has these bits where the mask has ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needle(Vec<(u8, u8)>);

/// How what is typed is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// As what.
    pub pattern: Pattern,
    /// Whether letters of either case are the same.
    pub fold: bool,
    /// Bytes of a number.
    pub width: u8,
    /// Whether its highest byte comes first.
    pub big: bool,
}

impl Needle {
    /// Exactly these bytes.
    pub fn exact(bytes: &[u8]) -> Self {
        Self(bytes.iter().map(|byte| (*byte, 0xff)).collect())
    }

    /// What the text means, or what is wrong with it.
    ///
    /// # Errors
    /// A sentence for the person who typed it.
    pub fn read(text: &str, how: Reading) -> Result<Self, &'static str> {
        let letter = |byte: u8| match byte {
            byte if how.fold && byte.is_ascii_alphabetic() => (byte & 0xdf, 0xdf),
            byte => (byte, 0xff),
        };
        let needle = match how.pattern {
            Pattern::Text | Pattern::Strings => text.bytes().map(letter).collect(),
            Pattern::Utf16 => {
                let pair = |unit: u16| {
                    let [low, high] = unit.to_le_bytes();
                    [if high == 0 { letter(low) } else { (low, 0xff) }, (high, 0xff)]
                };
                text.encode_utf16().flat_map(pair).collect()
            }
            Pattern::Hex => hex(text).ok_or("write pairs of hexadecimal digits, such as de ad ?? ef")?,
            Pattern::Number => number(text, how.width, how.big)?,
        };
        match needle.iter().any(|(_, mask)| *mask != 0) {
            true => Ok(Self(needle)),
            false => Err("write what to search for"),
        }
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it can be found among zero bytes.
    pub fn fits_zeros(&self) -> bool {
        self.0.iter().all(|(value, _)| *value == 0)
    }

    /// Where it starts, each place once; a look at the rarest of bytes first is not worth it here.
    pub fn find<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let whole = self.0.iter().position(|(_, mask)| *mask == 0xff);
        let anchor = whole.or_else(|| self.0.iter().position(|(_, mask)| *mask != 0)).unwrap_or(0);
        let (value, mask) = self.0.get(anchor).copied().unwrap_or((0, 0));
        let places = bytes.get(anchor..).unwrap_or_default().iter().enumerate();
        let starts = places.filter(move |(_, byte)| **byte & mask == value).map(|(at, _)| at);
        starts.filter(move |at| {
            let here = bytes.get(*at..).and_then(|rest| rest.get(..self.0.len()));
            here.is_some_and(|here| {
                here.iter().zip(&self.0).all(|(byte, (value, mask))| byte & mask == *value)
            })
        })
    }
}

/// Pairs of hexadecimal digits, of which each may be `?`, with white space anywhere between them.
fn hex(text: &str) -> Option<Vec<(u8, u8)>> {
    let digit = |c: char| match c {
        '?' => Some((0, 0)),
        c => c.to_digit(16).map(|n| (n as u8, 0xf)),
    };
    let digits: Option<Vec<(u8, u8)>> = text.chars().filter(|c| !c.is_whitespace()).map(digit).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let pair =
        |pair: &[(u8, u8)]| pair.iter().fold((0, 0), |(n, m), (digit, mask)| (n << 4 | digit, m << 4 | mask));
    Some(digits.chunks_exact(2).map(pair).collect())
}

/// A number of so many bytes, which may be negative.
fn number(text: &str, width: u8, big: bool) -> Result<Vec<(u8, u8)>, &'static str> {
    let (sign, digits) = match text.trim().strip_prefix(['-', '\u{2212}']) {
        Some(digits) => (-1, digits),
        None => (1, text.trim()),
    };
    let n = crate::text::number(digits).ok_or("write a number, such as 0x7ffd1000 or -1")?;
    let n = i128::from(n) * sign;
    let bits = u32::from(width.clamp(1, 8)) * 8;
    if n >= 1 << bits || n < -(1 << (bits - 1)) {
        return Err("the number does not fit into so many bytes");
    }
    let mut bytes: Vec<u8> = n.to_le_bytes().into_iter().take(width.clamp(1, 8).into()).collect();
    if big {
        bytes.reverse();
    }
    Ok(bytes.into_iter().map(|byte| (byte, 0xff)).collect())
}

#[cfg(test)]
mod tests {
    use super::{Needle, Reading};
    use crate::text::Pattern;

    const PLAIN: Reading = Reading { pattern: Pattern::Text, fold: false, width: 8, big: false };

    fn found(text: &str, how: Reading, bytes: &[u8]) -> Vec<usize> {
        Needle::read(text, how).expect("can be read").find(bytes).collect()
    }

    #[test]
    fn text_is_found_in_either_case_if_wanted_and_as_utf16() {
        assert_eq!(found("Key", PLAIN, b"key KEY Key"), [8]);
        assert_eq!(found("Key", Reading { fold: true, ..PLAIN }, b"key KEY Key k3y"), [0, 4, 8]);
        assert_eq!(found("a@", Reading { fold: true, ..PLAIN }, b"A` a@"), [3], "only letters have a case");
        let wide = Reading { pattern: Pattern::Utf16, fold: true, ..PLAIN };
        assert_eq!(found("hi", wide, b"..H\0I\0.."), [2]);
    }

    #[test]
    fn wildcards_fit_anything_and_not_alone() {
        let hex = Reading { pattern: Pattern::Hex, ..PLAIN };
        assert_eq!(found("de ?? be", hex, &[0xde, 1, 0xbe, 0xde, 2, 0xbe, 0xde, 0xbe]), [0, 3]);
        assert_eq!(found("?? 7?", hex, &[0, 0x7a, 0x80]), [0]);
        assert_eq!(found("??01", hex, &[9, 1]), [0], "not where a part of it would lie outside");
        for wrong in ["abc", "zz", "", "????"] {
            assert!(Needle::read(wrong, hex).is_err(), "{wrong}");
        }
        assert!(Needle::read("", PLAIN).is_err());
        assert!(Needle::read("00 ?? 00", hex).expect("can be read").fits_zeros());
    }

    #[test]
    fn numbers_have_a_width_a_sign_and_an_order() {
        let of = |width, big| Reading { pattern: Pattern::Number, width, big, ..PLAIN };
        assert_eq!(found("0x1234", of(2, false), &[0x34, 0x12]), [0]);
        assert_eq!(found("0x1234", of(4, true), &[0, 0, 0x12, 0x34]), [0]);
        assert_eq!(found("-2", of(4, false), &[0xfe, 0xff, 0xff, 0xff]), [0]);
        assert_eq!(found("18446744073709551615", of(8, false), &[0xff; 8]), [0]);
        assert!(Needle::read("256", of(1, false)).is_err() && Needle::read("-129", of(1, false)).is_err());
    }
}
