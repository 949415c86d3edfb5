//! What the bytes at the cursor say when they are read as a number, a time, a pointer or text. Nothing is ever changed.

use stasis_format::show::{date, escape, turns_text};

/// Bytes that are looked at.
pub const LOOKED_AT: usize = 64;
/// Characters of text that are shown.
const MAX_TEXT: usize = 32;
/// Seconds from 1980 to 2200: what is read as a time outside of these is hardly one.
const TIMES: std::ops::Range<u64> = 315_532_800..7_258_118_400;

/// Every reading by its name; those for which there are too few bytes say nothing. `big` is for the byte order.
pub fn readings(bytes: &[u8], big: bool) -> Vec<(&'static str, Option<String>)> {
    let number = |len: usize| unsigned(bytes, len, big);
    let whole = |len: usize| {
        number(len).map(|n| {
            let bits = len as u32 * 8;
            let signed = ((n << (64 - bits)) as i64) >> (64 - bits);
            if signed < 0 { format!("{n} ({signed})") } else { n.to_string() }
        })
    };
    let single = number(4).map(|n| float(f64::from(f32::from_bits(n as u32))));
    vec![
        ("8 bits", whole(1)),
        ("16 bits", whole(2)),
        ("32 bits", whole(4)),
        ("64 bits", whole(8)),
        ("float", single),
        ("double", number(8).map(|n| float(f64::from_bits(n)))),
        ("time", number(8).map(|n| time(n).unwrap_or_else(|| "none".into()))),
        ("UTF-8", Some(utf8(bytes))),
        ("UTF-16", Some(utf16(bytes, big))),
    ]
}

/// The number of so many bytes at the front; `None` if there are fewer.
pub fn unsigned(bytes: &[u8], len: usize, big: bool) -> Option<u64> {
    let part = bytes.get(..len)?;
    let join = |n: u64, byte: &u8| n << 8 | u64::from(*byte);
    Some(if big { part.iter().fold(0, join) } else { part.iter().rev().fold(0, join) })
}

fn float(n: f64) -> String {
    let size = n.abs();
    if size != 0.0 && !(1e-5..1e15).contains(&size) { format!("{n:e}") } else { n.to_string() }
}

/// As seconds, milliseconds, microseconds or nanoseconds since 1970, whichever gives a time of our days; 32 bits hold
/// seconds only.
fn time(n: u64) -> Option<String> {
    let low = n & 0xffff_ffff;
    let units = [
        (n, 1, "s"),
        (n, 1000, "ms"),
        (n, 1_000_000, "µs"),
        (n, 1_000_000_000, "ns"),
        (low, 1, "s, 32 bits"),
    ];
    let (n, per_second, unit) =
        units.into_iter().find(|(n, per_second, _)| TIMES.contains(&(n / per_second)))?;
    Some(format!("{} ({unit})", date(n / per_second)))
}

fn utf8(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let valid = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let shown: String = valid.chars().take(MAX_TEXT).collect();
    escape(shown.as_bytes())
}

fn utf16(bytes: &[u8], big: bool) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unsigned(pair, 2, big).unwrap_or(0) as u16);
    let text = char::decode_utf16(units.take_while(|unit| *unit != 0)).map_while(Result::ok);
    text.take(MAX_TEXT).take_while(|c| !c.is_control() && !turns_text(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::readings;

    fn of(bytes: &[u8], big: bool, name: &str) -> Option<String> {
        readings(bytes, big).into_iter().find(|(known, _)| *known == name).and_then(|(_, text)| text)
    }

    #[test]
    fn bytes_are_read_in_either_order_signed_and_unsigned() {
        let bytes = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(of(&bytes, false, "8 bits").as_deref(), Some("254 (-2)"));
        assert_eq!(of(&bytes, false, "16 bits").as_deref(), Some("65534 (-2)"));
        assert_eq!(of(&bytes, false, "64 bits").as_deref(), Some("9223372036854775806"));
        assert_eq!(of(&bytes, true, "16 bits").as_deref(), Some("65279 (-257)"));
        assert_eq!(of(&bytes[..3], false, "32 bits"), None);
        assert_eq!(of(&1.5f32.to_le_bytes(), false, "float").as_deref(), Some("1.5"));
        assert_eq!(of(&(-2.5f64).to_be_bytes(), true, "double").as_deref(), Some("-2.5"));
        assert_eq!(of(&1e300f64.to_le_bytes(), false, "double").as_deref(), Some("1e300"));
    }

    #[test]
    fn times_are_told_whatever_their_unit() {
        let told = |n: u64| of(&n.to_le_bytes(), false, "time").expect("there are eight bytes");
        assert_eq!(told(1_226_335_060), "2008-11-10T16:37:40Z (s)");
        assert_eq!(told(1_226_335_060 | 7 << 32), "2008-11-10T16:37:40Z (s, 32 bits)");
        assert_eq!(told(1_226_335_060_123), "2008-11-10T16:37:40Z (ms)");
        assert_eq!(told(1_226_335_060_000_000_001), "2008-11-10T16:37:40Z (ns)");
        assert_eq!(told(42), "none");
    }

    #[test]
    fn text_ends_at_a_zero_and_does_not_turn_round() {
        assert_eq!(of("gr\u{fc}n\0x".as_bytes(), false, "UTF-8").as_deref(), Some("gr\u{fc}n"));
        assert_eq!(of(b"a\xe2\x80\xaeb\0", false, "UTF-8").as_deref(), Some("a\\xe2\\x80\\xaeb"));
        assert_eq!(of(b"h\0i\0\0\0", false, "UTF-16").as_deref(), Some("hi"));
        assert_eq!(of(b"\0h\0i\0\0", true, "UTF-16").as_deref(), Some("hi"));
    }
}
