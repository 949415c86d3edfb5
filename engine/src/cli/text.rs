//! Words for people that several commands use.

/// A number of bytes, rounded: `12.3 MiB`.
pub fn size(bytes: u64) -> String {
    stasis_format::show::rounded(bytes).unwrap_or_else(|| format!("{bytes} B"))
}

/// A number of things.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Text that can do nothing to a terminal: characters that control it, or turn the direction of what stands around them, are
/// shown as their escapes. Line breaks stay.
pub fn harmless(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control() && c != '\n' && c != '\t'
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{200b}'..='\u{200d}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{count, harmless, size};

    #[test]
    fn what_controls_a_terminal_is_shown_and_not_done() {
        let text = "a\u{1b}[2J\u{202e}b\u{9b}31m\r\nü 漢";
        assert_eq!(harmless(text), "a\\u{1b}[2J\\u{202e}b\\u{9b}31m\\u{d}\nü 漢");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            (size(1023), size(1536), size(u64::MAX)),
            ("1023 B".into(), "1.5 KiB".into(), "15.9 EiB".into())
        );
        assert_eq!(
            (count(1, "process", "processes"), count(0, "thread", "threads")),
            ("1 process".into(), "0 threads".into())
        );
    }
}
