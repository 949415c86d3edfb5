//! What a file that is no image looks like.

/// What these first bytes of a file look like; `None` when nothing comes to mind.
pub fn sniff(start: &[u8]) -> Option<&'static str> {
    if start.is_empty() {
        return Some("an empty file");
    }
    if let Some(what) = elf(start).or_else(|| criu(start)) {
        return Some(what);
    }
    const MAGICS: &[(usize, &[u8], &str)] = &[
        (0, b"\x28\xb5\x2f\xfd", "a zstd file; pass it through `zstd -d`"),
        (0, b"\x1f\x8b", "a gzip file; pass it through `gzip -d`"),
        (0, b"\xfd7zXZ\0", "an xz file; pass it through `xz -d`"),
        (0, b"\x04\x22\x4d\x18", "an LZ4 file; pass it through `lz4 -d`"),
        (0, b"BZh", "a bzip2 file; pass it through `bzip2 -d`"),
        (0, b"PK\x03\x04", "a zip archive"),
        (257, b"ustar", "a tar archive"),
        (0, b"MDMP", "a minidump"),
        (0, b"#!", "a script"),
        (0, b"{", "a JSON text"),
        (0, b"\x89PNG", "a picture"),
        (0, b"<", "an HTML or XML text"),
    ];
    for (at, magic, what) in MAGICS {
        if start.get(*at..).is_some_and(|rest| rest.starts_with(magic)) {
            return Some(what);
        }
    }
    if start.iter().all(|b| *b == 0) {
        return Some("nothing but zero bytes");
    }
    let text = |b: &u8| matches!(b, b' '..=b'~' | b'\n' | b'\r' | b'\t');
    start.iter().all(text).then_some("a text")
}

/// ELF files by their `e_type`, elf(5).
fn elf(start: &[u8]) -> Option<&'static str> {
    if !start.starts_with(b"\x7fELF") {
        return None;
    }
    let little = start.get(5) != Some(&2);
    let kind = match (start.get(16), start.get(17)) {
        (Some(low), Some(high)) if little => u16::from_le_bytes([*low, *high]),
        (Some(high), Some(low)) => u16::from_be_bytes([*high, *low]),
        _ => 0,
    };
    Some(match kind {
        2 | 3 => "an ELF program or library",
        4 => "an ELF core dump",
        _ => "an ELF file",
    })
}

/// Images of CRIU start with one of two magics and the magic of their kind (`criu/include/magic.h`).
fn criu(start: &[u8]) -> Option<&'static str> {
    const IMG_COMMON_MAGIC: u32 = 0x5456_4319;
    const IMG_SERVICE_MAGIC: u32 = 0x5510_5940;
    const INVENTORY_MAGIC: u32 = 0x5831_3116;
    let word = |at: usize| start.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    match (word(0)?, word(4)) {
        (IMG_COMMON_MAGIC | IMG_SERVICE_MAGIC, _) | (INVENTORY_MAGIC, _) => Some("an image file of CRIU"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::sniff;

    #[test]
    fn well_known_files_are_called_by_name() {
        let mut core = [0; 64];
        core[..6].copy_from_slice(b"\x7fELF\x02\x01");
        core[16] = 4;
        assert_eq!(sniff(&core), Some("an ELF core dump"));
        assert_eq!(sniff(&[0x19, 0x43, 0x56, 0x54, 0x16, 0x31]), Some("an image file of CRIU"));
        assert!(sniff(&[0x28, 0xb5, 0x2f, 0xfd, 4]).is_some_and(|what| what.contains("zstd")));
        assert_eq!(sniff(b""), Some("an empty file"));
        assert_eq!(sniff(b"hello\n"), Some("a text"));
        assert_eq!(sniff(&[0; 9]), Some("nothing but zero bytes"));
        assert_eq!(sniff(&[1, 0, 0xe0]), None);
    }
}
