//! The golden images read by the crate as it runs in the browser, where lengths of memory have 32 bits:
//! `cargo test -p stasis-format --target wasm32-unknown-unknown --test wasm` with `wasm-bindgen-test-runner`.
#![cfg(target_arch = "wasm32")]

use stasis_format::validate::{Options, validate_at};
use stasis_format::{Event, IndexReader, Reader, json};
use wasm_bindgen_test::wasm_bindgen_test;

const IMAGES: &[(&[u8], &str)] = &[
    (include_bytes!("golden/rev1.img"), include_str!("golden/rev1.json")),
    (include_bytes!("golden/process.img"), include_str!("golden/process.json")),
    (include_bytes!("golden/everything.img"), include_str!("golden/everything.json")),
];

#[wasm_bindgen_test]
fn golden_images_read_as_they_do_natively() {
    for (image, text) in IMAGES {
        let mut out = Vec::new();
        json::write(*image, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), *text);
    }
}

#[wasm_bindgen_test]
fn golden_images_are_sound_and_flipped_bits_are_found() {
    for (image, _) in IMAGES {
        let report = validate_at(*image, Options::default()).unwrap();
        assert!(report.is_valid(), "{report:?}");
    }
    for at in (0..IMAGES[1].0.len()).step_by(7) {
        let mut wrong = IMAGES[1].0.to_vec();
        wrong[at] ^= 0x10;
        assert!(!validate_at(&wrong, Options::default()).unwrap().is_valid(), "byte {at}");
    }
}

#[wasm_bindgen_test]
fn contents_are_decoded_in_every_encoding() {
    let image = IMAGES[2].0;
    let index = IndexReader::open(image).unwrap();
    let extents: Vec<_> = index.entries().iter().filter(|entry| entry.kind == 204).collect();
    let bytes = [0xaa, 0x11, 0x00, 0x22, 0xbb, 0xcc];
    assert_eq!(extents.len(), bytes.len());
    for (entry, byte) in extents.iter().zip(bytes) {
        let pages = index.read_extent(entry).unwrap();
        assert_eq!(pages, vec![byte; entry.nr_pages as usize * 4096]);
    }
}

#[wasm_bindgen_test]
fn streams_are_read_to_tail() {
    let mut reader = Reader::new(IMAGES[2].0);
    let mut last = None;
    while let Some(event) = reader.next_event().unwrap() {
        last = Some(event);
    }
    assert!(matches!(last, Some(Event::End(totals)) if totals.length == IMAGES[2].0.len() as u64));
}
