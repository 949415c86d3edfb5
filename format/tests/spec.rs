//! docs/format.md and docs/stasis.ksy against the code that they describe.
#![cfg(not(target_arch = "wasm32"))] // reads files

#[path = "../examples/spec/kaitai.rs"]
mod kaitai;
#[path = "../examples/spec/markdown.rs"]
mod markdown;

use std::path::Path;

fn docs(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

const HINT: &str = "is not up to date: run `cargo run -p stasis-format --example spec`";

#[test]
fn the_tables_of_the_specification_are_those_of_the_code() {
    let text = docs("format.md");
    assert!(markdown::fill(&text) == text, "docs/format.md {HINT}");
    for marker in ["head", "tail", "revision 1", "overview", "records", "rules"] {
        assert!(text.contains(&format!("<!-- {marker} -->")), "the marker {marker} is gone");
    }
}

#[test]
fn the_kaitai_description_is_that_of_the_code() {
    assert!(kaitai::render() == docs("stasis.ksy"), "docs/stasis.ksy {HINT}");
}

#[test]
fn the_limits_in_the_specification_are_those_of_the_code() {
    use stasis_format::limits;
    let text = docs("format.md");
    for (value, what) in [
        (limits::MAX_PAYLOAD as u64, "payload"),
        (limits::MAX_EXTENT_BYTES, "bytes of an extent"),
        (limits::MAX_RUNS as u64, "runs"),
        (limits::MAX_INDEX_ENTRIES as u64, "entries of an INDEX"),
    ] {
        assert!(text.contains(&value.to_string()), "{what}: {value} is not in docs/format.md");
    }
}
