//! Numbers and places as the page writes and reads them.

/// A place in the image, as it stands behind `#` in the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A byte of the file.
    Offset(u64),
    /// A record, counted from 0 in the order of the file.
    Record(u32),
    /// An address, in the memory of this process; else in that of the first process that has memory.
    Address(u64, Option<Whose>),
}

/// Which memory an address is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// That of the process with this PID.
    Pid(u32),
    /// The address space that is this object, or the shared memory.
    Object(u32),
}

impl Place {
    /// `offset=0x108`, `record=3`, `vaddr=0x7f0000`, the last with `&pid=42` or `&mm=5`, all with or without `#`.
    pub fn parse(fragment: &str) -> Option<Self> {
        let pairs = || fragment.trim_start_matches('#').split('&').filter_map(|pair| pair.split_once('='));
        let whose = || {
            pairs().find_map(|(name, value)| {
                let number = u32::try_from(number(value)?).ok()?;
                match name {
                    "pid" => Some(Whose::Pid(number)),
                    "mm" => Some(Whose::Object(number)),
                    _ => None,
                }
            })
        };
        pairs().find_map(|(name, value)| match name {
            "offset" => number(value).map(Self::Offset),
            "record" => number(value).and_then(|n| u32::try_from(n).ok()).map(Self::Record),
            "vaddr" => number(value).map(|address| Self::Address(address, whose())),
            _ => None,
        })
    }
}

/// A number, decimal or with 0x in hexadecimal.
pub fn number(text: &str) -> Option<u64> {
    let text = text.trim().replace('_', "");
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// How a search pattern is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pattern {
    /// Text as UTF-8.
    #[default]
    Text,
    /// Bytes in hexadecimal, with `??` for any.
    Hex,
    /// Text as UTF-16.
    Utf16,
    /// A number of some width.
    Number,
    /// No pattern: all printable strings that contain the text.
    Strings,
}

/// Pairs of hexadecimal digits, with white space anywhere between them.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).map(|n| n as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |n, digit| n << 4 | digit)).collect())
}

/// Base64 of RFC 4648, with or without padding, white space ignored.
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut held, mut bits) = (0u32, 0);
    for c in text.bytes().filter(|c| !c.is_ascii_whitespace() && *c != b'=') {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
        }
    }
    Some(out)
}

/// What was pasted: hexadecimal if it can be, else base64.
pub fn pasted(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    unhex(text).or_else(|| unbase64(text)).filter(|bytes| !bytes.is_empty())
}

/// A count of bytes, rounded.
pub fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for name in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = name;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// `1 finding`, `2 findings`, `1 process`, `2 processes`.
pub fn counted(n: u64, what: &str) -> String {
    let ending = match n {
        1 => "",
        _ if what.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {what}{ending}", grouped(n))
}

/// Whether these are the first bytes of an image: HEAD, with its magic, of whatever revision.
pub fn is_image(bytes: &[u8]) -> bool {
    let magic = stasis_format::head::HEAD_MAGIC.to_le_bytes();
    bytes.starts_with(&stasis_format::Kind::HEAD.0.to_le_bytes())
        && bytes.get(stasis_format::header::RECORD_HEADER_LEN..).is_some_and(|rest| rest.starts_with(&magic))
}

/// `1 234 567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Place, Whose, grouped, number, pasted, size};

    #[test]
    fn the_fragment_names_a_place() {
        assert_eq!(Place::parse("#offset=0x108"), Some(Place::Offset(0x108)));
        assert_eq!(Place::parse("record=3"), Some(Place::Record(3)));
        assert_eq!(Place::parse("#x=1&vaddr=0x7f00_0000_0000"), Some(Place::Address(0x7f00_0000_0000, None)));
        assert_eq!(Place::parse("#vaddr=0x10&mm=5"), Some(Place::Address(16, Some(Whose::Object(5)))));
        assert_eq!(Place::parse("#pid=42&vaddr=0x10"), Some(Place::Address(16, Some(Whose::Pid(42)))));
        assert_eq!(Place::parse("#offset=nowhere"), None);
        assert_eq!(Place::parse(""), None);
    }

    #[test]
    fn pasted_bytes_are_hexadecimal_or_base64() {
        assert_eq!(pasted(" 01 00\n"), Some(vec![1, 0]));
        assert_eq!(pasted("AQDgAA=="), Some(vec![1, 0, 0xe0, 0]));
        assert_eq!(pasted("what is this?"), None);
        assert_eq!(pasted("  "), None);
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(size(304), "304 B");
        assert_eq!(size(10 << 30), "10.0 GiB");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(number(" 0XfF "), Some(255));
    }
}
