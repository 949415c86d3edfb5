//! One line about a record.

use crate::fields::{Field, Part};
use crate::header::Kind;
use crate::record::Body;
use crate::show::{escape, until_nul};

/// One line about a record of revision 2: what it is, whose, and what tells it from others.
pub fn summary(kind: Kind, id: u32, body: Option<&Body>) -> String {
    let mut out = kind.to_string();
    if id != 0 {
        out.push_str(&format!(" #{id}"));
    }
    if let Some(words) = body.map(Body::words).filter(|words| !words.is_empty()) {
        out.push_str(": ");
        out.push_str(&words);
    }
    out
}

/// One line about a record that is only known by its fields: HEAD, TAIL, and those of revision 1.
pub fn summary_of_fields(kind: Kind, fields: &[Field]) -> String {
    let wanted: &[&str] = match kind {
        Kind::HEAD => &["rev", "release", "machine", "time"],
        Kind::TASK => &["state", "task_comm_len"],
        _ => &[],
    };
    if kind == Kind::STRING {
        let name = fields.iter().find(|field| field.part == Part::Tail);
        return format!("{kind}: {}", name.map_or(String::new(), |field| escape(until_nul(&field.raw))));
    }
    let words: Vec<_> = fields
        .iter()
        .filter(|field| field.part != Part::Header && wanted.contains(&field.name.as_str()))
        .map(|field| format!("{} {}", field.name, field.text))
        .collect();
    if words.is_empty() { kind.to_string() } else { format!("{kind}: {}", words.join(", ")) }
}
