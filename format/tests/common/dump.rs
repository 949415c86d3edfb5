//! An image as text: a line for each record, a line for each field.

use stasis_format::fields::{Part, fields};
use stasis_format::header::Kind;
use stasis_format::json::line;
use stasis_format::walk::Walk;
use std::fmt::Write as _;

pub fn dump(image: &[u8]) -> String {
    let mut out = String::new();
    let mut walk = Walk::new(image).unwrap();
    loop {
        let raw = match walk.next_record() {
            Ok(Some(raw)) => raw,
            Ok(None) => break,
            Err(e) => {
                writeln!(out, "{e}").unwrap();
                break;
            }
        };
        let fields = fields(&raw.bytes, raw.offset, walk.rev());
        let line = line(&raw.bytes, raw.offset, walk.rev(), Kind(raw.header.kind), &fields);
        writeln!(out, "{:#x} +{} {line}", raw.offset, raw.bytes.len()).unwrap();
        for field in fields.iter().filter(|field| field.part != Part::Padding) {
            writeln!(out, "    {:#x} +{} {}: {}", field.offset, field.len(), field.name, field.text).unwrap();
            for element in &field.elements {
                writeln!(out, "        {:#x} {}", element.offset, element.text).unwrap();
            }
        }
    }
    out
}
