//! docs/stasis.ksy: a frame written by hand, with a type for each kind of record.

use stasis_format::head::{HEAD_DEF, TAIL_DEF};
use stasis_format::record::{DEFS, FieldDef, FieldType, RecordDef, Show, TailKind};
use stasis_format::rev1::{STRING_DEF, TASK_DEF};
use std::fmt::Write as _;

const FRAME: &str = include_str!("frame.ksy");

/// The whole file.
pub fn render() -> String {
    let kinds = |indent: &str| {
        let line = |def: &RecordDef| format!("{indent}{}: {}\n", def.kind, type_name(def, 2));
        DEFS.iter().map(line).collect::<String>()
    };
    let mut types = String::new();
    plain(&mut types, &HEAD_DEF, "head");
    plain(&mut types, &TAIL_DEF, "tail");
    plain(&mut types, &TASK_DEF, "rev1_task");
    plain(&mut types, &STRING_DEF, "rev1_string");
    for def in DEFS {
        framed(&mut types, def);
    }
    let mut enums = String::new();
    for def in DEFS {
        for field in def.fields {
            if let Show::Enum(names) = field.show {
                let _ = writeln!(enums, "  {}:", enum_name(def, field));
                for (n, name) in names {
                    let _ = writeln!(enums, "    {n}: {}", identifier(name));
                }
            }
        }
    }
    FRAME
        .lines()
        .flat_map(|line| match line.trim() {
            "# KINDS" => kinds("            ").lines().map(str::to_owned).collect::<Vec<_>>(),
            "# TYPES" => types.lines().map(str::to_owned).collect(),
            "# ENUMS" => enums.lines().map(str::to_owned).collect(),
            _ => vec![line.to_owned()],
        })
        .map(|line| line + "\n")
        .collect()
}

/// A payload that is nothing but fields.
fn plain(out: &mut String, def: &RecordDef, name: &str) {
    let _ = writeln!(out, "  {name}:\n    doc: {}\n    seq:", quote(def.doc));
    for field in def.fields {
        field_of(out, field, None);
    }
    if def.tail != TailKind::None {
        let _ = writeln!(
            out,
            "      - id: {}\n        size-eos: true\n        doc: {}",
            def.tail_name,
            quote(def.tail_doc)
        );
    }
}

/// A payload with id, tail and checksum.
fn framed(out: &mut String, def: &RecordDef) {
    let _ = writeln!(out, "  {}:\n    doc: {}\n    seq:", type_name(def, 2), quote(def.doc));
    out.push_str("      - id: id\n        type: u4\n      - id: tail_len\n        type: u4\n");
    for field in def.fields {
        let named = matches!(field.show, Show::Enum(_)).then(|| enum_name(def, field));
        field_of(out, field, named);
    }
    let repeat = |unit: usize, ty: &str| {
        format!("        type: {ty}\n        repeat: expr\n        repeat-expr: tail_len / {unit}\n")
    };
    let tail = match def.tail {
        TailKind::None => String::new(),
        TailKind::Text | TailKind::Bytes => "        size: tail_len\n".into(),
        TailKind::U32s => repeat(4, "u4"),
        TailKind::U64s => repeat(8, "u8"),
        TailKind::Pairs => repeat(16, "pair"),
        TailKind::Index => repeat(32, "index_entry"),
    };
    if def.tail != TailKind::None {
        let _ = writeln!(out, "      - id: {}\n{tail}        doc: {}", def.tail_name, quote(def.tail_doc));
        out.push_str("      - id: padding\n        size: (8 - tail_len % 8) % 8\n");
    }
    out.push_str("      - id: xxh3\n        type: u8\n");
}

fn field_of(out: &mut String, field: &FieldDef, named: Option<String>) {
    let ty = match field.ty {
        FieldType::U8 => "type: u1".to_owned(),
        FieldType::U16 => "type: u2".into(),
        FieldType::U32 => "type: u4".into(),
        FieldType::U64 => "type: u8".into(),
        FieldType::S16 => "type: s2".into(),
        FieldType::S32 => "type: s4".into(),
        FieldType::S64 => "type: s8".into(),
        FieldType::Bytes(n) => format!("size: {n}"),
    };
    let _ = writeln!(out, "      - id: {}\n        {ty}", field.name);
    if let Some(name) = named {
        let _ = writeln!(out, "        enum: {name}");
    }
    let mut doc = field.doc.to_owned();
    if let Show::Flags(names) = field.show {
        let bits: Vec<_> = names.iter().map(|(bit, name)| format!("{bit:#x} {name}")).collect();
        doc.push_str(&format!(" Bits: {}.", bits.join(", ")));
    }
    let _ = writeln!(out, "        doc: {}", quote(&doc));
}

fn type_name(def: &RecordDef, rev: u16) -> String {
    format!("rev{rev}_{}", def.name.to_lowercase())
}

fn enum_name(def: &RecordDef, field: &FieldDef) -> String {
    format!("{}_{}", def.name.to_lowercase(), field.name)
}

/// A name that Kaitai takes: lower case, digits and underscores, a letter first.
fn identifier(name: &str) -> String {
    name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn quote(doc: &str) -> String {
    let text = doc.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
