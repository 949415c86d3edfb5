//! Whatever the bytes: no panic, no endless loop, bounded findings, and what the validator calls valid is read.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use stasis_format::validate::{Options, Validator, validate_at};
use stasis_format::{Reader, fields};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, _seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    stasis_format_fuzz::mend(&mut data[..size], true);
    size
});

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
    for rev in 1..=2 {
        fields::fields(image, 0, rev);
    }
});
