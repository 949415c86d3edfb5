//! Words for people that several commands use.

/// A number of bytes, rounded: `12.3 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
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
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
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
