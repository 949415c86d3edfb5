//! A record as a list of fields: name, place, bytes, value, and words for people. The CLI's tree, the JSON and the
//! browser's field list are made from this, so that they never disagree.

use crate::frame;
use crate::head::{HEAD_DEF, TAIL_DEF};
use crate::header::{Kind, RECORD_HEADER_LEN};
use crate::record::{DEFS, IndexEntry};
use crate::rev1::{STRING_DEF, TASK_DEF};
use crate::schema::{FieldDef, FieldType, RecordDef, Show, TailKind};
use crate::show::{self, Value};

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name; an element of a list has its position.
    pub name: String,
    /// Offset in the image.
    pub offset: u64,
    /// Its bytes; fewer than its type has when the record is cut.
    pub raw: Vec<u8>,
    /// Its value.
    pub value: Value,
    /// Its value in words.
    pub text: String,
    /// What it means, one sentence.
    pub meaning: &'static str,
    /// What it is there for.
    pub part: Part,
    /// Elements of a list.
    pub elements: Vec<Field>,
}

impl Field {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.raw.len() as u64
    }

    /// Whether the field has no bytes: an empty tail.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

/// The part of a record that a field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The record header, `id` and `tail_len`.
    Header,
    /// The record's own fields.
    Fixed,
    /// The variable part.
    Tail,
    /// Zero bytes up to a multiple of 8.
    Padding,
    /// The checksum.
    Checksum,
    /// Bytes that no description covers.
    Other,
}

const KIND: FieldDef = FieldDef::plain("kind", FieldType::S16, Show::Dec, "Type of the record.");
const LEN: FieldDef = FieldDef::plain("len", FieldType::S16, Show::Dec, "Length of the payload in bytes.");
const PARENT: FieldDef =
    FieldDef::plain("parent", FieldType::U32, Show::Ref, "Object that the record belongs to.");
const ID: FieldDef = FieldDef::plain("id", FieldType::U32, Show::Ref, "Object that the record defines.");
const TAIL_LEN: FieldDef =
    FieldDef::plain("tail_len", FieldType::U32, Show::Size, "Length of the tail without padding.");
const CHECKSUM: FieldDef = FieldDef::plain(
    "xxh3",
    FieldType::U64,
    Show::Hex,
    "XXH3-64 of all bytes of the record before this field.",
);
const PADDING: &str = "Zero bytes up to the next multiple of 8.";

/// Description of a kind in a revision.
pub fn definition(kind: Kind, rev: u16) -> Option<&'static RecordDef> {
    match (kind, rev) {
        (Kind::HEAD, _) => Some(&HEAD_DEF),
        (Kind::TAIL, _) => Some(&TAIL_DEF),
        (Kind::TASK, 1) => Some(&TASK_DEF),
        (Kind::STRING, 1) => Some(&STRING_DEF),
        (_, 1) => None,
        (kind, _) => DEFS.iter().find(|def| def.kind == kind.0),
    }
}

/// Takes the bytes of a record apart, header included, of which the first stands at `offset` of an image of
/// revision `rev`. Nothing is judged: a record that is cut or wrong gives as many fields as it has.
pub fn fields(bytes: &[u8], offset: u64, rev: u16) -> Vec<Field> {
    let mut cutter = Cutter { left: bytes, offset, out: Vec::new() };
    let header = frame::header(bytes);
    for def in [&KIND, &LEN, &PARENT] {
        cutter.field(def, Part::Header);
    }
    let Some(header) = header else { return cutter.out };
    let kind = Kind(header.kind);
    if let Some(field) = cutter.out.first_mut() {
        field.text = kind.to_string();
    }
    let known = definition(kind, rev);
    let plain = rev == 1 || kind == Kind::HEAD || kind == Kind::TAIL;
    if plain {
        for def in known.map_or(&[][..], |def| def.fields) {
            cutter.field(def, Part::Fixed);
        }
        if let Some(def) = known.filter(|def| def.tail != TailKind::None) {
            cutter.tail(def, cutter.left.len());
        }
        cutter.rest("rest", "Bytes that the kind of record does not have.", Part::Other);
        return cutter.out;
    }
    let tail_len = bytes.get(12..16).map_or(0, |raw| Value::read(FieldType::U32, raw).unsigned());
    cutter.field(&ID, Part::Header);
    cutter.field(&TAIL_LEN, Part::Header);
    let variable = cutter.left.len().saturating_sub(8);
    let tail_len = usize::try_from(tail_len).unwrap_or(usize::MAX);
    let fixed_len = variable.saturating_sub(frame::padded(tail_len));
    let end = cutter.offset + fixed_len as u64;
    for def in known.map_or(&[][..], |def| def.fields) {
        if cutter.offset + def.ty.size() as u64 <= end {
            cutter.field(def, Part::Fixed);
        }
    }
    let unknown = usize::try_from(end.saturating_sub(cutter.offset)).unwrap_or(0);
    let (name, meaning) = match known {
        Some(_) => ("newer", "What a newer format has more of."),
        None => ("fixed", "Fixed part, of a kind that is not known."),
    };
    cutter.bytes(name, meaning, unknown, Part::Other);
    match known.filter(|def| def.tail != TailKind::None) {
        Some(def) => cutter.tail(def, tail_len.min(variable)),
        None => cutter.bytes(
            "tail",
            "Variable part, of a kind that is not known.",
            tail_len.min(variable),
            Part::Other,
        ),
    }
    let padding = cutter.left.len().saturating_sub(8);
    cutter.bytes("padding", PADDING, padding, Part::Padding);
    cutter.field(&CHECKSUM, Part::Checksum);
    let at = bytes.len().checked_sub(RECORD_HEADER_LEN);
    let whole = at.is_some_and(|len| i64::try_from(len) == Ok(i64::from(header.len)));
    if let Some(sum) = cutter.out.last_mut().filter(|field| whole && field.part == Part::Checksum) {
        let due = bytes.split_last_chunk::<8>().map_or(0, |(content, _)| crate::checksum::checksum(content));
        if sum.value.unsigned() != due {
            sum.text.push_str(&format!(" (wrong, the bytes give {due:#x})"));
        }
    }
    cutter.out
}

/// Cuts fields off the front of a record.
struct Cutter<'a> {
    left: &'a [u8],
    offset: u64,
    out: Vec<Field>,
}

impl Cutter<'_> {
    /// Cuts a described field, as much of it as is there.
    fn field(&mut self, def: &FieldDef, part: Part) {
        let raw = self.cut(def.ty.size());
        if raw.is_empty() {
            return;
        }
        let value = Value::read(def.ty, &raw);
        let cut = raw.len() < def.ty.size();
        let text = if cut { format!("{} (cut)", show::hex(&raw)) } else { show::text(def, &value) };
        self.push(def.name, raw, value, text, def.doc, part);
    }

    /// Cuts so many bytes that have no type, unless there are none.
    fn bytes(&mut self, name: &str, meaning: &'static str, len: usize, part: Part) {
        let raw = self.cut(len);
        if !raw.is_empty() {
            let text = show::hex(&raw);
            self.push(name, raw.clone(), Value::Bytes(raw), text, meaning, part);
        }
    }

    fn rest(&mut self, name: &str, meaning: &'static str, part: Part) {
        self.bytes(name, meaning, self.left.len(), part);
    }

    /// Cuts the tail and takes it apart.
    fn tail(&mut self, def: &RecordDef, len: usize) {
        let offset = self.offset;
        let raw = self.cut(len);
        let elements = elements(def, &raw, offset);
        let text = match def.tail {
            TailKind::Text => show::escape(&raw),
            TailKind::Bytes | TailKind::None => format!("{} bytes", raw.len()),
            TailKind::U32s | TailKind::U64s | TailKind::Pairs | TailKind::Index => {
                format!("{} elements", elements.len())
            }
        };
        let value = Value::Bytes(raw.clone());
        self.push(def.tail_name, raw, value, text, def.tail_doc, Part::Tail);
        if let Some(field) = self.out.last_mut() {
            field.offset = offset;
            field.elements = elements;
        }
    }

    fn push(
        &mut self,
        name: &str,
        raw: Vec<u8>,
        value: Value,
        text: String,
        meaning: &'static str,
        part: Part,
    ) {
        let offset = self.offset - raw.len() as u64;
        let name = name.to_owned();
        self.out.push(Field { name, offset, raw, value, text, meaning, part, elements: Vec::new() });
    }

    fn cut(&mut self, len: usize) -> Vec<u8> {
        let (now, left) = self.left.split_at_checked(len).unwrap_or((self.left, &[]));
        self.left = left;
        self.offset += now.len() as u64;
        now.to_vec()
    }
}

/// The elements of a tail that is a list. Their number is bounded by the length of a record.
fn elements(def: &RecordDef, tail: &[u8], offset: u64) -> Vec<Field> {
    let unit = def.tail.unit();
    if matches!(def.tail, TailKind::None | TailKind::Text | TailKind::Bytes) {
        return Vec::new();
    }
    tail.chunks_exact(unit)
        .enumerate()
        .map(|(at, raw)| Field {
            name: format!("{}[{at}]", def.tail_name),
            offset: offset + (at * unit) as u64,
            raw: raw.to_vec(),
            value: Value::Bytes(raw.to_vec()),
            text: element_text(def.tail, raw),
            meaning: def.tail_doc,
            part: Part::Tail,
            elements: Vec::new(),
        })
        .collect()
}

fn element_text(tail: TailKind, raw: &[u8]) -> String {
    let (first, second) = raw.split_at_checked(8).unwrap_or((raw, &[]));
    let number = |bytes| Value::read(FieldType::U64, bytes).unsigned();
    match tail {
        TailKind::U32s => number(raw).to_string(),
        TailKind::Pairs => format!("{:#014x} {} pages", number(first), number(second)),
        TailKind::Index => match IndexEntry::list(raw).first() {
            Some(entry) => format!("{:#x} {}", entry.offset, Kind(entry.kind)),
            None => show::hex(raw),
        },
        _ => format!("{:#x}", number(raw)),
    }
}
