//! The tables of docs/format.md.

use stasis_format::findings::Severity;
use stasis_format::head::{HEAD_DEF, TAIL_DEF};
use stasis_format::record::{DEFS, FieldDef, FieldType, RecordDef, Show, TailKind};
use stasis_format::rev1::{STRING_DEF, TASK_DEF};
use std::fmt::Write as _;

/// Replaces what stands between the markers `<!-- NAME -->` and `<!-- end -->` by the tables of that name.
pub fn fill(text: &str) -> String {
    let mut out = String::new();
    let mut within = false;
    for line in text.lines() {
        if line == "<!-- end -->" {
            within = false;
        }
        if !within {
            out.push_str(line);
            out.push('\n');
        }
        let body = match line {
            "<!-- head -->" => record(&HEAD_DEF, 8, "###"),
            "<!-- tail -->" => record(&TAIL_DEF, 8, "###"),
            "<!-- revision 1 -->" => record(&TASK_DEF, 8, "###") + &record(&STRING_DEF, 8, "###"),
            "<!-- overview -->" => overview(),
            "<!-- records -->" => DEFS.iter().map(|def| record(def, 16, "####")).collect(),
            "<!-- rules -->" => rules(),
            _ => continue,
        };
        within = true;
        out.push_str(&body);
    }
    out
}

fn overview() -> String {
    let mut out = String::from("| type | record | what it is for |\n|---:|---|---|\n");
    for def in DEFS {
        let anchor = format!("{}-{}", def.name.to_lowercase(), def.kind);
        let _ = writeln!(out, "| {} | [{}](#{anchor}) | {} |", def.kind, def.name, sentence(def.doc));
    }
    out
}

fn rules() -> String {
    let mut out = String::from("| rule | what it demands |\n|---|---|\n");
    for (name, doc) in stasis_format::rules::RULES {
        let _ = writeln!(out, "| `{name}` | {doc} |");
    }
    let levels = [Severity::Error, Severity::Warning, Severity::Note].map(Severity::name);
    let _ = writeln!(out, "\nA finding is of the severity {}, {} or {}.", levels[0], levels[1], levels[2]);
    out
}

fn record(def: &RecordDef, first: usize, level: &str) -> String {
    let mut out = format!("{level} {} ({})\n\n{}\n\n", def.name, def.kind, def.doc.trim());
    out.push_str("| offset | type | field | meaning |\n|---:|---|---|---|\n");
    let mut offset = first;
    for field in def.fields {
        let _ =
            writeln!(out, "| {offset} | {} | `{}` | {} |", type_name(field.ty), field.name, meaning(field));
        offset += field.ty.size();
    }
    if def.tail != TailKind::None {
        let _ = writeln!(
            out,
            "| {offset} | {} | `{}` | {} |",
            tail_type(def.tail),
            def.tail_name,
            sentence(def.tail_doc)
        );
    }
    out.push('\n');
    out
}

fn type_name(ty: FieldType) -> String {
    match ty {
        FieldType::U8 => "u8".into(),
        FieldType::U16 => "u16".into(),
        FieldType::U32 => "u32".into(),
        FieldType::U64 => "u64".into(),
        FieldType::S16 => "s16".into(),
        FieldType::S32 => "s32".into(),
        FieldType::S64 => "s64".into(),
        FieldType::Bytes(n) => format!("u8[{n}]"),
    }
}

fn tail_type(tail: TailKind) -> &'static str {
    match tail {
        TailKind::None => "",
        TailKind::Text | TailKind::Bytes => "u8[]",
        TailKind::U32s => "u32[]",
        TailKind::U64s => "u64[]",
        TailKind::Pairs => "(u64, u64)[]",
        TailKind::Index => "index entry[]",
    }
}

fn meaning(field: &FieldDef) -> String {
    let list = |names: &[(u64, &str)], hex: bool| {
        let each =
            names.iter().map(|(n, name)| if hex { format!("{n:#x} {name}") } else { format!("{n} {name}") });
        each.collect::<Vec<_>>().join(", ")
    };
    let mut out = sentence(field.doc);
    match field.show {
        Show::Enum(names) => out.push_str(&format!(" One of: {}.", list(names, false))),
        Show::Flags(names) => out.push_str(&format!(" Bits: {}.", list(names, true))),
        Show::Ref => out.push_str(" Reference, 0 for none."),
        Show::Nanos => out.push_str(" Nanoseconds."),
        Show::Seconds => out.push_str(" Seconds since the epoch."),
        Show::Size => out.push_str(" Bytes."),
        Show::Sigset => out.push_str(" Bit n is signal n + 1."),
        Show::Caps => out.push_str(" Bit n is capability n."),
        Show::Text => out.push_str(" NUL-padded."),
        _ => {}
    }
    out
}

fn sentence(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
