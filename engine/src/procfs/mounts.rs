//! `/proc/PID/mountinfo`.

/// A place where a file system is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its device.
    pub major: u64,
    /// Likewise.
    pub minor: u64,
    /// The directory that it is mounted on.
    pub point: Vec<u8>,
}

/// Parses mountinfo; a line that is not understood is no mount.
pub fn parse_mounts(text: &[u8]) -> Vec<Mount> {
    text.split(|b| *b == b'\n').filter_map(mount).collect()
}

/// `36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`, proc_pid_mountinfo(5).
fn mount(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|b| *b == b' ');
    let device = std::str::from_utf8(words.nth(2)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    Some(Mount { major: major.parse().ok()?, minor: minor.parse().ok()?, point: unescape(words.nth(1)?) })
}

/// The kernel writes blanks, newlines and backslashes as three octal digits.
fn unescape(mut text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    while let [first, rest @ ..] = text {
        let digits = rest.get(..3).filter(|_| *first == b'\\');
        let octal = digits.and_then(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 8).ok());
        out.push(octal.unwrap_or(*first));
        text = if octal.is_some() { &rest[3..] } else { rest };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_found_by_its_device_and_has_its_real_name() {
        let text = b"36 35 98:7 /mnt1 /mnt\\0402\\134 rw - ext3 /dev/root rw\n\ngarbage\n";
        let want = Mount { major: 98, minor: 7, point: b"/mnt 2\\".to_vec() };
        assert_eq!(parse_mounts(text), [want]);
    }
}
