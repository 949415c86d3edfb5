//! Words for people that several commands use.

/// A number of bytes, rounded: `12.3 MiB`.
pub fn size(bytes: u64) -> String {
    stasis_format::show::rounded(bytes).unwrap_or_else(|| format!("{bytes} B"))
}

/// A number of things.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::{count, size};

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
