//! Prints where every field of an image stands and its bytes, one JSON record a line: what tests/ksy compares with
//! the reader that Kaitai Struct makes of docs/stasis.ksy.

use stasis_format::fields::fields;
use stasis_format::walk::Walk;
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for path in std::env::args_os().skip(1) {
        let image = std::fs::read(path)?;
        let mut walk = Walk::new(image.as_slice())?;
        while let Some(raw) = walk.next_record()? {
            let list: Vec<_> = fields(&raw.bytes, raw.offset, walk.rev())
                .iter()
                .map(|f| serde_json::json!([f.name, f.offset, stasis_format::show::hex(&f.raw)]))
                .collect();
            let record = serde_json::json!({"offset": raw.offset, "end": walk.offset(), "fields": list});
            writeln!(out, "{record}")?;
        }
    }
    Ok(())
}
