//! Images beside their text: `golden/NAME.img` is what the builder makes, `golden/NAME.txt` what the crate reads in it.
//!
//! `STASIS_BLESS=1 cargo test -p stasis-format --test golden` writes both anew; look at the difference before it is
//! committed.
#![cfg(not(target_arch = "wasm32"))] // reads files

mod common;

use common::{dump::dump, synth};
use std::path::PathBuf;

fn images() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("rev1", synth::rev1()),
        ("process", synth::process().finish()),
        ("everything", synth::everything(synth::process()).finish()),
    ]
}

fn path(name: &str, extension: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.{extension}"))
}

#[test]
fn golden_images_read_as_the_text_beside_them() {
    let bless = std::env::var_os("STASIS_BLESS").is_some();
    for (name, image) in images() {
        let text = dump(&image);
        let json = {
            let mut out = Vec::new();
            stasis_format::json::write(&image, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        if bless {
            std::fs::write(path(name, "img"), &image).unwrap();
            std::fs::write(path(name, "txt"), &text).unwrap();
            std::fs::write(path(name, "json"), &json).unwrap();
            continue;
        }
        assert!(
            std::fs::read(path(name, "img")).unwrap() == image,
            "{name}.img is not what the builder makes"
        );
        assert_eq!(std::fs::read_to_string(path(name, "txt")).unwrap(), text, "{name}.txt");
        assert_eq!(std::fs::read_to_string(path(name, "json")).unwrap(), json, "{name}.json");
    }
}

#[test]
fn golden_images_hold_every_kind_of_record() {
    let image = synth::everything(synth::process()).finish();
    let text = dump(&image);
    for def in stasis_format::record::DEFS {
        assert!(
            text.contains(&format!(" {}", def.name)),
            "{} is missing: add it to common/synth.rs",
            def.name
        );
    }
    assert!(!text.contains("wrong"), "{text}");
}
