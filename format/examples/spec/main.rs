//! Writes the tables of docs/format.md and all of docs/stasis.ksy from the descriptions of the records:
//! `cargo run -p stasis-format --example spec`. A test holds both against the code.

mod kaitai;
mod markdown;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let spec = docs.join("format.md");
    let text = std::fs::read_to_string(&spec)?;
    std::fs::write(&spec, markdown::fill(&text))?;
    std::fs::write(docs.join("stasis.ksy"), kaitai::render())
}
