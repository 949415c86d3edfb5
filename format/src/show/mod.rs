//! Values as people read them. The CLI, the JSON and the browser all take their words from here.

mod names;
mod time;

pub use names::{capabilities, capability, choice, flags, named, signal, signals, tail_of};
pub use time::{date, seconds};

use crate::schema::{FieldDef, FieldType, Show};

/// A field's value as it stands in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An unsigned number.
    Unsigned(u64),
    /// A signed number.
    Signed(i64),
    /// Raw bytes or text.
    Bytes(Vec<u8>),
}

impl Value {
    /// Reads a field from exactly its bytes.
    pub fn read(ty: FieldType, bytes: &[u8]) -> Self {
        let raw = bytes.iter().take(8).rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
        match ty {
            FieldType::U8 | FieldType::U16 | FieldType::U32 | FieldType::U64 => Self::Unsigned(raw),
            FieldType::S16 => Self::Signed(i64::from(raw as u16 as i16)),
            FieldType::S32 => Self::Signed(i64::from(raw as u32 as i32)),
            FieldType::S64 => Self::Signed(raw as i64),
            FieldType::Bytes(_) => Self::Bytes(bytes.to_vec()),
        }
    }

    /// The value as an unsigned number; 0 for bytes.
    pub fn unsigned(&self) -> u64 {
        match self {
            Self::Unsigned(n) => *n,
            Self::Signed(n) => n.cast_unsigned(),
            Self::Bytes(_) => 0,
        }
    }
}

/// A field's value in words.
pub fn text(def: &FieldDef, value: &Value) -> String {
    let n = match value {
        Value::Bytes(bytes) => {
            return match def.show {
                Show::Text => escape(until_nul(bytes)),
                _ => hex(bytes),
            };
        }
        Value::Signed(n) if matches!(def.show, Show::Dec) => return n.to_string(),
        value => value.unsigned(),
    };
    match def.show {
        Show::Dec | Show::Zero if n == u64::MAX => "all ones".into(),
        Show::Dec | Show::Zero => n.to_string(),
        Show::Hex => format!("{n:#x}"),
        Show::Addr => format!("{n:#014x}"),
        Show::Size => size(n),
        Show::Ref if n == 0 => "none".into(),
        Show::Ref => format!("#{n}"),
        Show::Mode => mode(n),
        Show::Signal => signal(n),
        // A process that has not ended has 0.
        Show::Wait if n == 0 => "0x0".into(),
        Show::Wait => format!("{n:#x} ({})", wait_status(n)),
        Show::Sigset => list(&signals(n), n),
        Show::Caps if names::is_full(n) => "all".into(),
        Show::Caps => list(&capabilities(n), n),
        Show::Seconds => date(n),
        Show::Nanos => nanos(n),
        Show::Dev => dev(n),
        Show::Flags(names) if n == 0 => choice(n, names).unwrap_or("none").into(),
        Show::Flags(names) => list(&flags(n, names), n),
        Show::Enum(names) => choice(n, names).map_or_else(|| format!("unknown ({n})"), str::to_owned),
        Show::Text | Show::Raw => n.to_string(),
    }
}

/// A count of bytes, exact, with a rounded form beside it when it is large.
pub fn size(bytes: u64) -> String {
    match rounded(bytes) {
        Some(rounded) => format!("{bytes} bytes ({rounded})"),
        None => format!("{bytes} bytes"),
    }
}

/// A count of bytes, rounded down to a tenth of the largest binary unit that it reaches: `12.3 MiB`. Nothing below
/// 1024, where there is nothing to round.
pub fn rounded(bytes: u64) -> Option<String> {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return None;
    }
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = "";
    for name in UNITS {
        if tenths < 10 * 1024 {
            break;
        }
        tenths /= 1024;
        unit = name;
    }
    Some(format!("{}.{} {unit}", tenths / 10, tenths % 10))
}

/// A count of bytes in a few letters: `3 B`, `64.0 KiB`.
pub fn brief(bytes: u64) -> String {
    rounded(bytes).unwrap_or_else(|| format!("{bytes} B"))
}

/// A reference to an object.
pub fn reference(id: u32) -> String {
    if id == 0 { "none".into() } else { format!("#{id}") }
}

/// An octal mode with the type of the file when it has one.
pub fn mode(mode: u64) -> String {
    // S_IFMT of inode(7).
    let kind = match mode & 0o170_000 {
        0o010_000 => " (fifo)",
        0o020_000 => " (character device)",
        0o040_000 => " (directory)",
        0o060_000 => " (block device)",
        0o100_000 => " (file)",
        0o120_000 => " (symbolic link)",
        0o140_000 => " (socket)",
        _ => "",
    };
    format!("{mode:#o}{kind}")
}

/// The kernel's 64-bit `dev_t` as stat(2) hands it out (`new_encode_dev`, glibc's `gnu_dev_major`).
pub fn dev(dev: u64) -> String {
    let major = (dev >> 8 & 0xfff) | (dev >> 32 & 0xffff_f000);
    let minor = (dev & 0xff) | (dev >> 12 & 0xffff_ff00);
    format!("{major}:{minor}")
}

/// How a process ended, from its wait status (waitpid(2)): `exited with 3`, `killed by SIGKILL`.
pub fn wait_status(status: u64) -> String {
    let signal_number = status & 0x7f;
    match signal_number {
        0 => format!("exited with {}", status >> 8 & 0xff),
        0x7f => format!("stopped by {}", signal(status >> 8 & 0xff)),
        number if status & 0x80 != 0 => format!("killed by {}, with a core dump", signal(number)),
        number => format!("killed by {}", signal(number)),
    }
}

/// Nanoseconds: an instant in this century as a date, anything else as seconds.
pub fn nanos(nanos: u64) -> String {
    const YEAR_2000: u64 = 946_684_800_000_000_000;
    const YEAR_2100: u64 = 4_102_444_800_000_000_000;
    match nanos {
        YEAR_2000..YEAR_2100 => {
            let date = date(nanos / 1_000_000_000);
            format!("{}.{:09}Z", date.trim_end_matches('Z'), nanos % 1_000_000_000)
        }
        u64::MAX => "all ones".into(),
        _ => seconds(nanos),
    }
}

/// Characters that turn the direction of text round (Unicode Bidirectional Algorithm, UAX 9): a name with one of them
/// looks like another, and what stands behind it moves.
pub fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Bytes as text: what is not valid UTF-8, is a control character or turns the text round appears as `\xNN`, a
/// backslash doubled.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if c.is_control() || turns_text(c) => {
                    let mut utf8 = [0; 4];
                    c.encode_utf8(&mut utf8).bytes().for_each(|b| out.push_str(&format!("\\x{b:02x}")));
                }
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|b| out.push_str(&format!("\\x{b:02x}")));
    }
    out
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from(if n < 10 { b'0' + n } else { b'a' + n - 10 });
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
    out
}

/// The bytes in front of the first NUL, or all.
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

fn list(names: &[String], value: u64) -> String {
    if value == 0 { "none".into() } else { names.join("|") }
}

#[cfg(test)]
mod tests {
    use super::{dev, escape, mode, nanos, size, wait_status};

    #[test]
    fn bytes_that_are_no_text_show() {
        assert_eq!(escape(b"a\\b\x07\xff\xfe\xc3\xa9\n"), "a\\\\b\\x07\\xff\\xfe\u{e9}\\x0a");
        assert_eq!(escape("\u{85}".as_bytes()), "\\xc2\\x85");
        assert_eq!(escape("a\u{202e}gpj.b".as_bytes()), "a\\xe2\\x80\\xaegpj.b", "text is not turned round");
    }

    #[test]
    fn sizes_are_exact_and_rounded() {
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1536), "1536 bytes (1.5 KiB)");
        assert_eq!(size(1 << 20), "1048576 bytes (1.0 MiB)");
        assert_eq!(size(u64::MAX), "18446744073709551615 bytes (15.9 EiB)");
    }

    #[test]
    fn the_end_of_a_process_is_told_in_words() {
        let told = [0, 0x300, 0xff00, 9, 0x86, 0x137f].map(wait_status);
        let due = [
            "exited with 0",
            "exited with 3",
            "exited with 255",
            "killed by SIGKILL",
            "killed by SIGABRT, with a core dump",
            "stopped by SIGSTOP",
        ];
        assert_eq!(told, due);
    }

    #[test]
    fn modes_devices_and_instants_read_well() {
        assert_eq!(mode(0o100_644), "0o100644 (file)");
        assert_eq!(mode(0o22), "0o22");
        assert_eq!(dev(0x803), "8:3");
        assert_eq!(dev(0x10_0003), "0:259");
        assert_eq!(nanos(1_226_335_060_000_000_001), "2008-11-10T16:37:40.000000001Z");
        assert_eq!(nanos(5_000_000), "0.005 s");
    }
}
