//! Whatever the bytes: no panic, no endless loop, bounded findings, and what the validator calls valid is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stasis_format::validate::{Options, Validator, validate_at};
use stasis_format::{IndexReader, Reader, fields, json};

fuzz_target!(|image: &[u8]| {
    let report = validate_at(image, Options::default()).expect("memory can be read");
    assert!(report.findings.len() <= stasis_format::limits::MAX_FINDINGS);
    let mut validator = Validator::new(Options::default());
    image.chunks(1001).for_each(|piece| validator.feed(piece));
    assert_eq!(validator.finish(), report);
    if report.revision == Some(2) && report.is_valid() {
        let mut reader = Reader::new(image);
        while reader.next_event().expect("valid images can be read").is_some() {}
    }
    json::write(image, &mut std::io::sink()).expect("nothing to fail");
    for rev in 1..=2 {
        fields::fields(image, 0, rev);
    }
    if let Ok(index) = IndexReader::open(image) {
        for entry in index.entries().iter().take(100) {
            let _ = index.record_at(entry);
            let _ = index.read_extent(entry);
        }
    }
});
