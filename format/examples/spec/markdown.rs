//! The tables of docs/format.md.

use stasis_format::findings::Severity;
use stasis_format::head::{HEAD_DEF, TAIL_DEF};
use stasis_format::header::Kind;
use stasis_format::record::{DEFS, Extent, FieldDef, FieldType, Image, RecordDef, Role, Show, TailKind};
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
    out.push_str(&relations(def));
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

/// What the record is to others.
fn relations(def: &RecordDef) -> String {
    let mut out = Vec::new();
    if def.is_object {
        out.push("Defines an object.".to_owned());
    }
    if !def.owners.is_empty() {
        let has_contents = DEFS.iter().filter(|other| def.kind == Extent::KIND.0 && other.has_contents());
        let owners = def
            .owners
            .iter()
            .map(|kind| if *kind == Image::KIND { "the image".into() } else { kind.to_string() });
        let owners: Vec<String> = owners.chain(has_contents.map(|other| other.name.to_owned())).collect();
        out.push(format!("Belongs to {}.", one_of(&owners)));
    }
    if def.is_due {
        out.push("Each of these has one at least.".into());
    }
    if !def.behind.is_empty() {
        let kinds: Vec<String> =
            def.behind.iter().map(|kind| format!("{} {}", kind.number, kind.name)).collect();
        out.push(format!("Stands behind a FILE of kind {}.", one_of(&kinds)));
    }
    if let Some(since) = def.since {
        out.push(format!("The fixed part may end from offset {} on.", since + 16));
    }
    if out.is_empty() { String::new() } else { out.join(" ") + "\n\n" }
}

fn names(kinds: &[Kind]) -> String {
    one_of(&kinds.iter().map(Kind::to_string).collect::<Vec<_>>())
}

fn one_of(names: &[String]) -> String {
    match names {
        [rest @ .., one, last] if !rest.is_empty() => format!("{}, {one} or {last}", rest.join(", ")),
        names => names.join(" or "),
    }
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
        Show::Ref => out.push_str(&match field.role {
            Role::To(kinds) | Role::Peer(kinds) => format!(" Reference to {}, 0 for none.", names(kinds)),
            Role::Always(kinds) => format!(" Reference to {}.", names(kinds)),
            Role::Behind => " Reference to what stands behind a FILE of this kind, 0 for none.".into(),
            _ => " Reference, 0 for none.".into(),
        }),
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
