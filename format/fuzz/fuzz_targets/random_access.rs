//! An image opened by an index that may say anything: no panic, bounded memory, and what is handed out was checked.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use stasis_format::IndexReader;
use stasis_format::memory::MemoryMap;
use std::collections::BTreeSet;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, _seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    stasis_format_fuzz::mend(&mut data[..size], false);
    size
});

fuzz_target!(|image: &[u8]| {
    let Ok(index) = IndexReader::open(image) else { return };
    for entry in index.entries().iter().take(200) {
        if let Ok(Some(record)) = index.record_at(entry) {
            assert_eq!((record.offset, record.id), (entry.offset, entry.id));
        }
        if let Ok(contents) = index.read_extent(entry) {
            assert_eq!(contents.len() as u64, index.extent(entry).expect("it was read").page_bytes());
        }
    }
    let owners: BTreeSet<u32> = index.entries().iter().map(|entry| entry.parent).take(20).collect();
    for owner in owners {
        let Ok(map) = MemoryMap::open(&index, owner) else { continue };
        assert!(map.pieces().is_sorted_by(|a, b| a.run.end() <= b.run.start), "pieces overlap");
        for piece in map.pieces().iter().take(20) {
            let pages = map.read(&index, piece.run.start, piece.run.len(), 4);
            assert!(pages.is_err() || pages.is_ok_and(|pages| !pages.is_empty()));
        }
    }
});
