//! What a person types or pastes to go somewhere, taken apart; the worker says what it leads to in the open image.
//!
//! Digits without a mark are hexadecimal, as debuggers print addresses, and may be meant as a decimal; both are kept.

use crate::text::Place;

/// Where to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A place as it stands in a link.
    Place(Place),
    /// A number that is an offset, an address or a PID.
    Number {
        /// Read as hexadecimal.
        hex: Option<u64>,
        /// Read as decimal.
        decimal: Option<u64>,
    },
    /// A byte of the file and nothing else.
    Offset(u64),
    /// An address and nothing else.
    Address(u64),
    /// So many bytes from the cursor on.
    By(i64),
    /// First byte of what the hex view shows.
    Start,
    /// Last byte of it.
    End,
    /// The record that defines this object.
    Object(u32),
    /// A record by its place in the file.
    Record(u32),
    /// A process.
    Pid(u32),
    /// A descriptor, of the chosen process or that with this PID.
    Fd {
        /// PID, if one is named.
        pid: Option<u32>,
        /// Number of the descriptor.
        fd: u32,
    },
    /// A mapped file or another area by its name.
    Area {
        /// Name, or its last component.
        name: String,
        /// Access as three letters: then counted from the start of that area, else in the file.
        prot: Option<String>,
        /// How far behind.
        plus: u64,
    },
}

/// Takes it apart; `None` for what leads nowhere in any image.
pub fn parse(text: &str) -> Option<Wish> {
    let quotes = ['`', '\'', '"', '<', '>', '(', ')', ',', ';', ':', '.'];
    let text = text.trim();
    let bare = text.trim_matches(|c: char| quotes.contains(&c) || c.is_whitespace());
    if let Some(place) = text.rsplit('#').next().filter(|part| part.contains('=')).and_then(Place::parse) {
        return Some(Wish::Place(place));
    }
    // A decimal may say so with a point behind it.
    if let Some(decimal) = decimal_with_suffix(text.trim_matches(|c: char| c != '.' && quotes.contains(&c))) {
        return Some(Wish::Number { hex: None, decimal: Some(decimal) });
    }
    match bare.to_lowercase().as_str() {
        "end" => return Some(Wish::End),
        "start" => return Some(Wish::Start),
        _ => {}
    }
    words(bare)
        .or_else(|| relative(bare))
        .or_else(|| number(bare))
        .or_else(|| range(bare))
        .or_else(|| area(bare))
        .or_else(|| first_word(bare))
}

/// `264.`, `264t`, `0n264`: so that a decimal is not taken for hexadecimal.
fn decimal_with_suffix(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('.').or_else(|| text.strip_suffix(['t', 'T']));
    let digits =
        digits.or_else(|| text.strip_prefix("0n")).or_else(|| Some(text.strip_suffix("dec")?.trim()));
    digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())).and_then(|digits| digits.parse().ok())
}

/// A word that says what the number is.
fn words(text: &str) -> Option<Wish> {
    if let Some(id) = text.strip_prefix('#') {
        return id.parse().ok().map(Wish::Object);
    }
    let parts: Vec<&str> = text.split_whitespace().collect();
    let fd = |pid: &str, fd: &str| {
        Some(Wish::Fd { pid: Some(pid.parse().ok()?), fd: fd.trim_start_matches("fd").parse().ok()? })
    };
    match parts.as_slice() {
        ["fd", n] => n.parse().ok().map(|fd| Wish::Fd { pid: None, fd }),
        ["pid" | "process", pid, "fd", n] | [pid, "fd", n] | [pid, _, "fd", n] => fd(pid, n),
        ["pid" | "process", n] => n.parse().ok().map(Wish::Pid),
        ["record", n] => match n.strip_prefix('#') {
            Some(id) => id.parse().ok().map(Wish::Object),
            None => n.parse().ok().map(Wish::Record),
        },
        ["offset" | "byte" | "file", n] => any_number(n).map(Wish::Offset),
        ["address" | "addr" | "at", n] => any_number(n).map(Wish::Address),
        [n] if n.starts_with('@') => any_number(n.trim_start_matches('@')).map(Wish::Offset),
        [n] => n.strip_prefix("fd")?.parse().ok().map(|fd| Wish::Fd { pid: None, fd }),
        _ => None,
    }
}

/// `+0x10`, `-16`: decimal unless it says otherwise, because steps are counted and addresses are copied.
fn relative(text: &str) -> Option<Wish> {
    let (sign, rest) = match text.chars().next()? {
        '+' => (1, text.get(1..)?),
        '-' => (-1, text.get(1..)?),
        '\u{2212}' => (-1, text.get('\u{2212}'.len_utf8()..)?),
        _ => return None,
    };
    let rest = rest.trim();
    let n = crate::text::number(rest).or_else(|| hexadecimal(rest))?;
    i64::try_from(n).ok().map(|n| Wish::By(sign * n))
}

fn number(text: &str) -> Option<Wish> {
    let hex = hexadecimal(text)?;
    let has_mark = text.starts_with("0x") || text.starts_with("0X");
    let decimal = text.replace('_', "").parse().ok().filter(|_| !has_mark);
    Some(Wish::Number { hex: Some(hex), decimal })
}

/// The first address of `7fa93efc7000-7fa93f000000`, as /proc/PID/maps has it.
fn range(text: &str) -> Option<Wish> {
    let (start, end) = text.split_whitespace().next()?.split_once('-')?;
    let (start, end) = (hexadecimal(start)?, hexadecimal(end)?);
    (start < end).then_some(Wish::Address(start))
}

/// `libc.so.6+0xf82ec`, `[heap]`, `/usr/lib/libc.so.6 r-x + 0x10`.
fn area(text: &str) -> Option<Wish> {
    let (name, plus) = match text.rsplit_once('+') {
        Some((name, plus)) => (name.trim_end(), any_number(plus.trim())?),
        None => (text, 0),
    };
    let is_prot = |word: &str| {
        word.len() == 3 && word.chars().zip(['r', 'w', 'x']).all(|(c, letter)| c == '-' || c == letter)
    };
    let (name, prot) = match name.rsplit_once(' ') {
        Some((name, prot)) if is_prot(prot) => (name.trim_end(), Some(prot.to_owned())),
        _ => (name, None),
    };
    let is_name = name.chars().any(|c| c.is_alphabetic()) && !name.contains(char::is_whitespace);
    is_name.then(|| Wish::Area { name: name.to_owned(), prot, plus })
}

/// What stands in front of other words, as in `0x00007ffff7e3d1f2 in read ()`.
fn first_word(text: &str) -> Option<Wish> {
    let word = text.split_whitespace().find(|word| word.starts_with("0x"))?;
    number(word.trim_end_matches(|c: char| !c.is_ascii_hexdigit()))
}

fn any_number(text: &str) -> Option<u64> {
    decimal_with_suffix(text).or_else(|| hexadecimal(text))
}

fn hexadecimal(text: &str) -> Option<u64> {
    let text = text.replace(['_', '`'], "");
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(&text);
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{Wish, parse};
    use crate::text::{Place, Whose};

    fn number(hex: impl Into<Option<u64>>, decimal: impl Into<Option<u64>>) -> Option<Wish> {
        Some(Wish::Number { hex: hex.into(), decimal: decimal.into() })
    }

    #[test]
    fn numbers_are_read_as_they_are_copied_from_somewhere() {
        assert_eq!(parse("0x7fa93efc76f0"), number(0x7fa9_3efc_76f0, None));
        assert_eq!(parse("7fa93efc76f0"), number(0x7fa9_3efc_76f0, None));
        assert_eq!(parse(" ff0 "), number(0xff0, None));
        assert_eq!(parse("4242"), number(0x4242, 4242));
        assert_eq!(parse("0x108"), number(0x108, None));
        for decimal in ["264t", "264.", "0n264", "264 dec", "264dec"] {
            assert_eq!(parse(decimal), number(None, 264), "{decimal}");
        }
        assert_eq!(parse("`0x1f40`,"), number(0x1f40, None));
        assert_eq!(parse("0x00007ffff7e3d1f2 in __read ()"), number(0x7fff_f7e3_d1f2, None));
        assert_eq!(parse("#1  0x00007ffff7e3d1f2 in __read () from x"), number(0x7fff_f7e3_d1f2, None));
        let maps = "7fa93efc7000-7fa93f000000 r-xp 00028000 08:01 1 /usr/lib/libc.so.6";
        assert_eq!(parse(maps), Some(Wish::Address(0x7fa9_3efc_7000)));
    }

    #[test]
    fn steps_ends_and_words() {
        assert_eq!(parse("+0x10"), Some(Wish::By(16)));
        assert_eq!(parse("-16"), Some(Wish::By(-16)));
        assert_eq!(parse("\u{2212}ff"), Some(Wish::By(-255)));
        assert_eq!(parse("END"), Some(Wish::End));
        assert_eq!(parse("offset 0x10"), Some(Wish::Offset(16)));
        assert_eq!(parse("@10"), Some(Wish::Offset(16)));
        assert_eq!(parse("#18"), Some(Wish::Object(18)));
        assert_eq!(parse("record 3"), Some(Wish::Record(3)));
        assert_eq!(parse("pid 42"), Some(Wish::Pid(42)));
        assert_eq!(parse("fd 7"), Some(Wish::Fd { pid: None, fd: 7 }));
        assert_eq!(parse("4242 sort fd 0"), Some(Wish::Fd { pid: Some(4242), fd: 0 }));
    }

    #[test]
    fn areas_are_named_as_the_command_and_the_page_name_them() {
        let area = |name: &str, prot: Option<&str>, plus| {
            Some(Wish::Area { name: name.into(), prot: prot.map(str::to_owned), plus })
        };
        assert_eq!(parse("libc.so.6+0xf82ec"), area("libc.so.6", None, 0xf82ec));
        assert_eq!(parse("[heap]"), area("[heap]", None, 0));
        assert_eq!(parse("/usr/lib/libc.so.6 r-x + 0x10"), area("/usr/lib/libc.so.6", Some("r-x"), 16));
    }

    #[test]
    fn links_are_places_and_prose_is_nothing() {
        let there = Place::Address(0x10, Some(Whose::Pid(42)));
        assert_eq!(parse("http://127.0.0.1:8080/#vaddr=0x10&pid=42"), Some(Wish::Place(there)));
        assert_eq!(parse("offset=0x108"), Some(Wish::Place(Place::Offset(0x108))));
        for nothing in ["", "  ", "what is this?", "+", "#", "99999999999999999999999"] {
            assert_eq!(parse(nothing), None, "{nothing}");
        }
    }
}
