//! An image as JSON: everything but the contents of pages. `stasis inspect --json` and the browser make it here, so
//! that they are equal.
//!
//! Numbers are numbers (up to 64 bits, all digits given), addresses and checksums strings in hexadecimal, flags and
//! sets lists of names, dates strings, text as [`crate::show::escape`] gives it, raw bytes hexadecimal.

use crate::encoding::Encoding;
use crate::extent::Run;
use crate::fields::{Field, Part, definition, fields};
use crate::findings::Finding;
use crate::frame;
use crate::head::{HEAD_RECORD_LEN, Head};
use crate::header::{Kind, RECORD_HEADER_LEN};
use crate::limits::MAX_PAYLOAD;
use crate::parser::Totals;
use crate::record::{Body, Extent, IndexEntry};
use crate::rules;
use crate::schema::{FieldDef, Show, TailKind};
use crate::show::{self, Value as Raw};
use crate::source::ReadAt;
use crate::summary::{summary, summary_of_fields};
use crate::validate::{Options, validate_each};
use crate::walk::RawRecord;
use serde_json::{Map, Value, json};
use std::io::{Result, Write};

/// One record from its bytes, the header included; `offset` is that of the first in its image, `rev` the revision.
/// Bytes that are wrong give what can be read of them.
pub fn record(bytes: &[u8], offset: u64, rev: u16) -> Value {
    let Some(header) = frame::header(bytes) else {
        return json!({"offset": offset, "raw": show::hex(bytes)});
    };
    let kind = Kind(header.kind);
    let list = fields(bytes, offset, rev);
    let number = |name: &str| {
        let wanted = |field: &&Field| field.part == Part::Header && field.name == name;
        list.iter().find(wanted).map_or(0, |field| field.value.unsigned())
    };
    let mut out = Map::new();
    out.insert("offset".into(), offset.into());
    out.insert("kind".into(), header.kind.into());
    out.insert("len".into(), header.len.into());
    out.insert("type".into(), kind.to_string().into());
    out.insert("parent".into(), header.parent.into());
    if rev == 2 && kind != Kind::HEAD && kind != Kind::TAIL {
        out.insert("id".into(), number("id").into());
    }
    out.insert("fields".into(), Value::Object(fields_of(kind, rev, &list)));
    let extent = (rev == 2 && kind == Extent::KIND).then(|| body(bytes, offset)).flatten();
    out.insert("summary".into(), line(bytes, offset, rev, kind, &list).into());
    if let Some(Body::Extent(extent)) = extent {
        out.insert("extent".into(), extent_json(offset + bytes.len() as u64, &extent));
    }
    Value::Object(out)
}

/// The fields of HEAD from the bytes of its record.
pub fn head(bytes: &[u8]) -> Value {
    Value::Object(fields_of(Kind::HEAD, 2, &fields(bytes, 0, 2)))
}

/// Writes the whole document, one record a line, reading the source once from its first byte on without the
/// contents of pages. The records are those that the validator meets; one that cannot be read says why under `error`, and
/// the first such reason stands at the end, too.
pub fn write(source: &(impl ReadAt + ?Sized), out: &mut impl Write) -> Result<()> {
    let mut totals = Totals::default();
    let (mut records, mut rev) = (0u64, None);
    let mut error = Value::Null;
    let options = Options { kernel: None, contents: false };
    let report = validate_each(source, options, &mut |met| {
        // Of what cannot be read no more than a record's length is looked at.
        let len = usize::try_from(met.len).unwrap_or(usize::MAX).min(RECORD_HEADER_LEN + MAX_PAYLOAD);
        let mut bytes = vec![0; len];
        source.read_at(met.offset, &mut bytes)?;
        let rev = *rev.get_or_insert_with(|| {
            bytes
                .get(RECORD_HEADER_LEN..HEAD_RECORD_LEN)
                .and_then(Head::from_payload)
                .map_or(0, |head| head.rev)
        });
        if records == 0 {
            let head = self::head(&bytes);
            write!(out, "{{\"format\":\"stasis\",\"revision\":{rev},\"head\":{head},\"records\":[")?;
        }
        out.write_all(if records == 0 { b"\n" } else { b",\n" })?;
        let mut value = record(&bytes, met.offset, rev);
        if let Some(fault) = met.fault {
            let fault = Finding::from(fault).to_json();
            if let Value::Object(fields) = &mut value {
                fields.insert("error".into(), fault.clone());
            }
            if error.is_null() {
                error = fault;
            }
        } else if let Some(header) = met.header {
            RawRecord { offset: met.offset, header, bytes }.count(rev, &mut totals);
        }
        serde_json::to_writer(&mut *out, &value)?;
        records += 1;
        Ok(())
    })?;
    totals.length = report.totals.length;
    let begun = records > 0;
    if error.is_null() {
        let cut = report.findings.into_iter().find(|finding| finding.rule == rules::EARLY_END);
        error = cut.map_or(Value::Null, |finding| finding.to_json());
    }
    if !begun {
        out.write_all(b"{\"format\":\"stasis\",\"revision\":null,\"head\":null,\"records\":[")?;
    }
    writeln!(out, "\n],\"totals\":{},\"error\":{error}}}", self::totals(&totals))
}

/// The same in memory, for images that are known to be small.
pub fn document(source: &(impl ReadAt + ?Sized)) -> Result<Value> {
    let mut text = Vec::new();
    write(source, &mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Counts.
pub fn totals(totals: &Totals) -> Value {
    json!({
        "records": totals.records,
        "extents": totals.extents,
        "objects": totals.objects,
        "page_bytes": totals.page_bytes,
        "stored_bytes": totals.stored_bytes,
        "length": totals.length,
    })
}

/// One line about a record from its bytes, of any kind and revision.
pub fn line(bytes: &[u8], offset: u64, rev: u16, kind: Kind, fields: &[Field]) -> String {
    if rev == 2 && kind != Kind::HEAD && kind != Kind::TAIL {
        let id = bytes.get(8..).and_then(|rest| rest.first_chunk()).map_or(0, |id| u32::from_le_bytes(*id));
        return summary(kind, id, body(bytes, offset).as_ref());
    }
    summary_of_fields(kind, fields)
}

fn body(bytes: &[u8], offset: u64) -> Option<Body> {
    let header = frame::header(bytes)?;
    frame::open(offset, header, bytes).0?.body().ok()?
}

fn fields_of(kind: Kind, rev: u16, list: &[Field]) -> Map<String, Value> {
    let def = definition(kind, rev);
    let mut out = Map::new();
    for field in list {
        let value = match field.part {
            Part::Fixed => {
                let def = def.and_then(|def| def.fields.iter().find(|def| def.name == field.name));
                def.map_or_else(|| Value::from(show::hex(&field.raw)), |def| value(def, &field.value))
            }
            Part::Tail => def.map_or(Value::Null, |def| tail(def.tail, &field.raw)),
            Part::Other => show::hex(&field.raw).into(),
            Part::Header | Part::Padding | Part::Checksum => continue,
        };
        out.insert(field.name.clone(), value);
    }
    out
}

fn value(def: &FieldDef, value: &Raw) -> Value {
    let n = match value {
        Raw::Bytes(_) => return show::text(def, value).into(),
        Raw::Signed(n) => return (*n).into(),
        Raw::Unsigned(n) => *n,
    };
    match def.show {
        Show::Hex | Show::Addr | Show::Wait => format!("{n:#x}").into(),
        Show::Flags(names) => show::flags(n, names).into(),
        Show::Sigset => show::signals(n).into(),
        Show::Caps => show::capabilities(n).into(),
        Show::Enum(names) => show::choice(n, names).map_or_else(|| n.into(), Value::from),
        Show::Signal if n == 0 => Value::Null,
        Show::Signal | Show::Seconds | Show::Dev => show::text(def, value).into(),
        Show::Mode => format!("{n:#o}").into(),
        Show::Dec | Show::Size | Show::Ref | Show::Nanos | Show::Text | Show::Raw | Show::Zero => n.into(),
    }
}

fn tail(kind: TailKind, raw: &[u8]) -> Value {
    let number = |raw: &[u8]| raw.iter().take(8).rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let list = |unit| raw.chunks_exact(unit);
    match kind {
        TailKind::Text => show::escape(raw).into(),
        TailKind::None | TailKind::Bytes => show::hex(raw).into(),
        TailKind::U32s => list(4).map(number).collect(),
        TailKind::U64s => list(8).map(number).collect(),
        TailKind::Pairs => {
            let pair = |raw: &[u8]| {
                let (first, second) = raw.split_at_checked(8).unwrap_or((raw, &[]));
                json!([format!("{:#x}", number(first)), number(second)])
            };
            list(16).map(pair).collect()
        }
        TailKind::Index => {
            let entry = |e: IndexEntry| {
                json!({
                    "offset": e.offset, "kind": e.kind, "len": e.len, "parent": e.parent, "id": e.id,
                    "vaddr": format!("{:#x}", e.vaddr), "nr_pages": e.nr_pages,
                })
            };
            IndexEntry::list(raw).into_iter().map(entry).collect()
        }
    }
}

fn extent_json(end: u64, extent: &Extent) -> Value {
    let runs = extent.list();
    json!({
        "data_offset": end + crate::extent::padding_before(end, extent.stored_len),
        "stored_len": extent.stored_len,
        "page_bytes": runs.iter().fold(0u64, |sum, run: &Run| sum.saturating_add(run.len())),
        "encoding": Encoding(extent.encoding).to_string(),
    })
}
