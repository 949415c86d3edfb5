//! Everything that people are shown of an image: fields, words, sharing, the document. Whatever it says, there are words.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use stasis_format::sharing::Sharing;
use stasis_format::summary::summary;
use stasis_format::walk::Walk;
use stasis_format::{Kind, fields, json};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, _seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    stasis_format_fuzz::mend(&mut data[..size], true);
    size
});

fuzz_target!(|image: &[u8]| {
    json::write(image, &mut std::io::sink()).expect("nothing to fail");
    let mut walk = Walk::new(image).expect("memory can be read");
    let (mut sharing, mut files) = (Sharing::default(), Vec::new());
    while let Ok(Some(raw)) = walk.next_record() {
        for field in fields::fields(&raw.bytes, raw.offset, walk.rev()) {
            assert!(field.offset + field.len() <= raw.offset + raw.bytes.len() as u64);
        }
        let id = raw.bytes.get(8..).and_then(|rest| rest.first_chunk()).map_or(0, |id| u32::from_le_bytes(*id));
        let body = raw.body();
        assert!(!summary(Kind(raw.header.kind), id, body.as_ref()).is_empty());
        if let Some(body) = body {
            sharing.add(id, raw.header.parent, &body);
            files.push(id);
        }
    }
    let tasks: Vec<u32> = sharing.tasks().iter().map(|task| task.id).take(8).collect();
    for file in files.into_iter().take(64) {
        sharing.holders(file);
        sharing.mappers(file, 0);
        for task in &tasks {
            sharing.words(*task, 0, file);
        }
    }
});
