//! Repairs the checksums of a mutated image, so that what is mutated is read instead of being refused at the first sum.
#![forbid(unsafe_code)]

use stasis_format::checksum::checksum;
use stasis_format::extent::{padding_after, padding_before};
use stasis_format::record::{Extent, INDEX_ENTRY_LEN, Image, Index, IndexEnd, IndexEntry};
use stasis_format::{Kind, frame};

/// Bytes of HEAD's record.
const HEAD: usize = 232;
/// From a record's first byte on: its fixed part.
const FIXED: usize = 16;

/// Makes all checksums right as far as the records can be followed by their lengths. With `index` the entries and counts of
/// the index are made right, too; without it only their checksums are, and the index may lie.
pub fn mend(image: &mut [u8], index: bool) {
    let head = checksum(image.get(..HEAD).unwrap_or_default());
    let mut entries: Vec<u8> = Vec::new();
    let mut listed = 0;
    let mut sums: Vec<u8> = Vec::new();
    let (mut extents, mut objects, mut pages, mut stored, mut index_at) = (0u64, 0u64, 0u64, 0u64, None);
    let mut at = HEAD;
    while let Some(header) = image.get(at..).and_then(frame::header) {
        let Ok(len) = frame::record_len(&header, at as u64) else { break };
        if image.get(at..at + len).is_none() {
            break;
        }
        let (kind, mut next) = (Kind(header.kind), at + len);
        let mut entry = IndexEntry {
            offset: at as u64,
            kind: header.kind,
            len: header.len,
            parent: header.parent,
            id: word(image, at + 8) as u32,
            ..IndexEntry::default()
        };
        match kind {
            Image::KIND => put(image, at + FIXED, &head.to_le_bytes()),
            Extent::KIND => {
                let long = |at| word(image, at) | word(image, at + 4) << 32;
                let (start, nr_pages, len) = (long(at + FIXED), long(at + FIXED + 8), long(at + FIXED + 16));
                let data = next as u64 + padding_before(next as u64, len);
                let data = usize::try_from(data).unwrap_or(usize::MAX);
                let end = data.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
                let sum = checksum(image.get(data..end).unwrap_or_default());
                put(image, at + FIXED + 24, &sum.to_le_bytes());
                (entry.vaddr, entry.nr_pages) = (start, u32::try_from(nr_pages).unwrap_or(u32::MAX));
                extents += 1;
                pages = pages.saturating_add(nr_pages.saturating_mul(4096));
                stored = stored.saturating_add(len);
                next = end.saturating_add(padding_after(len) as usize);
            }
            Index::KIND => {
                index_at.get_or_insert(at as u64);
                let room = (word(image, at + 12) as usize).min(len.saturating_sub(FIXED + 16));
                if index {
                    put(image, at + FIXED, &(listed as u64 / INDEX_ENTRY_LEN as u64).to_le_bytes());
                    let now = entries.get(listed..).unwrap_or_default();
                    put(image, at + FIXED + 8, &now[..now.len().min(room)]);
                }
                listed += room;
            }
            IndexEnd::KIND => {
                if index {
                    let records = (entries.len() / INDEX_ENTRY_LEN) as u64;
                    let counts = [index_at.unwrap_or(0), records, extents, objects, pages, stored];
                    put(image, at + FIXED, counts.map(u64::to_le_bytes).as_flattened());
                }
                put(image, at + FIXED + 48, &checksum(&sums).to_le_bytes());
            }
            _ => {}
        }
        let end = at + len - 8;
        let sum = checksum(image.get(at..end).unwrap_or_default()).to_le_bytes();
        put(image, end, &sum);
        sums.extend(sum);
        if kind != Index::KIND && kind != IndexEnd::KIND {
            objects += u64::from(entry.id != 0);
            entries.extend(entry.to_bytes());
        }
        at = next;
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    word.map_or(0, |word| u64::from(u32::from_le_bytes(*word)))
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    if let Some(to) = bytes.get_mut(at..at.saturating_add(what.len())) {
        to.copy_from_slice(what);
    }
}

#[cfg(test)]
mod tests {
    use stasis_format::validate::{Options, validate_at};

    const IMAGE: &[u8] = include_bytes!("../../tests/golden/everything.img");

    #[test]
    fn every_checksum_is_repaired_and_nothing_else() {
        let mut image = IMAGE.to_vec();
        super::mend(&mut image, true);
        assert!(image == IMAGE);
        // HEAD's time, a name, the contents of a page, an entry of the index.
        for at in [24, 240 + 120 + 48, 4096 + 7, IMAGE.len() - 200] {
            image[at] ^= 1;
        }
        assert!(!validate_at(&image.as_slice(), Options::default()).unwrap().is_valid());
        super::mend(&mut image, true);
        let report = validate_at(&image.as_slice(), Options::default()).unwrap();
        assert!(report.is_valid(), "{report:#?}");
    }
}
