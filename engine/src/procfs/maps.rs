//! `/proc/PID/maps` and `/proc/PID/smaps`.

use super::{ParseError, missing, number};

/// One area of an address space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapEntry {
    /// First address.
    pub start: u64,
    /// Address behind the last.
    pub end: u64,
    /// May be read.
    pub read: bool,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub exec: bool,
    /// Is a shared mapping.
    pub shared: bool,
    /// Offset in the file.
    pub offset: u64,
    /// Device of the file.
    pub dev: u64,
    /// Its inode.
    pub ino: u64,
    /// Its path without the kernel's " (deleted)", or a name in brackets.
    pub path: Vec<u8>,
    /// Whether the file has been deleted.
    pub deleted: bool,
}

/// The two-letter flags of smaps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VmFlags(Vec<[u8; 2]>);

impl VmFlags {
    /// Whether a flag such as "gd" is set.
    pub fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|f| f == flag.as_bytes())
    }
}

/// One area with what smaps adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmapEntry {
    /// The area.
    pub map: MapEntry,
    /// Bytes resident.
    pub rss: u64,
    /// Flags.
    pub vm_flags: VmFlags,
    /// Protection key.
    pub pkey: u32,
    /// Whether its pages are of hugetlbfs.
    pub hugetlb: bool,
}

/// Reads one line of maps.
fn entry(line: &[u8]) -> Result<MapEntry, ParseError> {
    let mut words = line.splitn(6, |b| *b == b' ');
    let mut word = || words.next().unwrap_or_default();
    let (range, perms, offset, dev, ino, rest) = (word(), word(), word(), word(), word(), word());
    let hex = |t: &[u8], what| number(t, 16).ok_or_else(|| missing(what, line));
    let dash = range.iter().position(|b| *b == b'-').ok_or_else(|| missing("range of addresses", line))?;
    let colon = dev.iter().position(|b| *b == b':').ok_or_else(|| missing("device", line))?;
    let &[r, w, x, s] = perms else { return Err(missing("permissions", line)) };
    let padding = rest.iter().take_while(|b| **b == b' ').count();
    let path = unescape(&rest[padding..]);
    let (path, deleted) = match path.strip_suffix(b" (deleted)") {
        Some(p) => (p.to_vec(), true),
        None => (path, false),
    };
    Ok(MapEntry {
        start: hex(&range[..dash], "start")?,
        end: hex(&range[dash + 1..], "end")?,
        read: r == b'r',
        write: w == b'w',
        exec: x == b'x',
        shared: s == b's',
        offset: hex(offset, "offset")?,
        dev: libc::makedev(hex(&dev[..colon], "device")? as u32, hex(&dev[colon + 1..], "device")? as u32),
        ino: number(ino, 10).ok_or_else(|| missing("inode", line))?,
        path,
        deleted,
    })
}

/// Undoes the one escape that the kernel makes in maps, that of a newline (fs/proc/task_mmu.c, `seq_path` with "\n").
///
/// All else stands as it is, a backslash too: `a\101b` is a file of that very name, not `aAb`. What cannot be told
/// apart is a name with a newline and one that is spelt `\012`; `/proc/PID/map_files` knows which.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&b, tail)) = rest.split_first() {
        rest = tail;
        if b == b'\\'
            && let Some(behind) = tail.strip_prefix(b"012")
        {
            out.push(b'\n');
            rest = behind;
        } else {
            out.push(b);
        }
    }
    out
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| *b == b'\n').filter(|l| !l.is_empty())
}

/// Parses `/proc/PID/maps`.
pub fn parse_maps(text: &[u8]) -> Result<Vec<MapEntry>, ParseError> {
    lines(text).map(entry).collect()
}

/// Parses `/proc/PID/smaps`.
pub fn parse_smaps(text: &[u8]) -> Result<Vec<SmapEntry>, ParseError> {
    let mut list: Vec<SmapEntry> = Vec::new();
    for line in lines(text) {
        // Details begin with a capital letter, areas with a hexadecimal digit in small letters.
        if !line.first().is_some_and(u8::is_ascii_uppercase) {
            let map = entry(line)?;
            list.push(SmapEntry { map, rss: 0, vm_flags: VmFlags::default(), pkey: 0, hugetlb: false });
            continue;
        }
        let Some(last) = list.last_mut() else { return Err(missing("area", line)) };
        let Some(colon) = line.iter().position(|b| *b == b':') else { return Err(missing("colon", line)) };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let kilobytes = || {
            let digits = value.strip_suffix(b" kB").unwrap_or(value);
            number(digits, 10).ok_or_else(|| missing("size", line))
        };
        match name {
            b"Rss" => last.rss = kilobytes()? * 1024,
            b"Shared_Hugetlb" | b"Private_Hugetlb" => last.hugetlb |= kilobytes()? != 0,
            b"ProtectionKey" => last.pkey = number(value, 10).unwrap_or(0) as u32,
            b"VmFlags" => {
                let flags = value.split(|b| *b == b' ').filter_map(|w| w.try_into().ok());
                last.vm_flags = VmFlags(flags.collect());
            }
            _ => {}
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &[u8] =
        b"55d4ca2fd000-55d4ca2fe000 r--p 00001000 fe:01 18504                      /usr/bin/a b (deleted)
Size:                  4 kB
Rss:                   4 kB
VmFlags: rd mr mw me 
7ffc0000-7ffd0000 rw-s 00000000 00:01 5                          /dev/zero (deleted)
Rss:                  64 kB
ProtectionKey:         3
VmFlags: rd wr sh gd 
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    #[test]
    fn smaps_text_becomes_areas() {
        let list = parse_smaps(SMAPS).unwrap();
        assert_eq!(list.len(), 3);
        assert_eq!(list[0].map.path, b"/usr/bin/a b");
        assert!(list[0].map.deleted && list[0].map.read && !list[0].map.write);
        assert_eq!((list[0].map.offset, list[0].map.ino, list[0].rss), (0x1000, 18504, 4096));
        assert_eq!(list[0].map.dev, libc::makedev(0xfe, 1));
        assert!(list[1].map.shared && list[1].vm_flags.has("gd") && !list[1].vm_flags.has("lo"));
        assert_eq!(list[1].pkey, 3);
        assert_eq!(list[2].map.end, 0xffff_ffff_ff60_1000);
    }

    #[test]
    fn an_escaped_newline_in_a_path_is_read_back() {
        let list = parse_maps(b"1000-2000 r--p 00000000 00:01 7 /tmp/a\\012b\n").unwrap();
        assert_eq!(list[0].path, b"/tmp/a\nb");
    }

    #[test]
    fn a_backslash_in_a_path_stands_for_itself() {
        for path in [r"/tmp/a\101b", r"/tmp/a\ 12", r"/tmp/a\+12", r"/tmp/a\01", r"/tmp/a\", "/tmp/a  b\t"] {
            let list =
                parse_maps(format!("1000-2000 r--p 00000000 00:01 7       {path}\n").as_bytes()).unwrap();
            assert_eq!(list[0].path, path.as_bytes());
        }
    }

    #[test]
    fn the_maps_of_this_process_are_understood_in_full() {
        let text = std::fs::read("/proc/self/maps").unwrap();
        let list = parse_maps(&text).unwrap();
        assert!(list.iter().all(|m| m.start < m.end));
        let here = the_maps_of_this_process_are_understood_in_full as fn() as usize as u64;
        let code = list.iter().find(|m| (m.start..m.end).contains(&here)).unwrap();
        assert!(code.read && code.exec && !code.write && code.ino != 0);
        let smaps = parse_smaps(&std::fs::read("/proc/self/smaps").unwrap()).unwrap();
        let code = smaps.iter().find(|e| (e.map.start..e.map.end).contains(&here)).unwrap();
        assert!(code.rss > 0 && code.vm_flags.has("ex") && !code.vm_flags.has("wr") && !code.hugetlb);
    }

    #[test]
    fn nonsense_is_an_error_that_quotes_it() {
        assert!(parse_maps(b"hello world\n").unwrap_err().to_string().contains("hello world"));
    }
}
