//! A record taken apart, with what its values lead to.

use super::{Result, Session};
use crate::proto::{FieldRow, Record};
use stasis_format::ReadAt;
use stasis_format::extent::padding_before;
use stasis_format::fields::{Field, Part, definition, fields};
use stasis_format::header::Kind;
use stasis_format::json;
use stasis_format::record::{Body, Extent, Show, Task};

/// Most elements of a list that are shown one by one.
const MAX_ELEMENTS: usize = 200;
/// Most raw bytes of a field that are shown in the table; the hex view has them all.
const MAX_RAW: usize = 16;

impl<S: ReadAt + Clone> Session<S> {
    /// The record that holds this byte; unfolds the tree so that it is visible.
    pub fn reveal(&mut self, asked: u64) -> Result<Record> {
        let node = self.tree.at(asked).ok_or("there is no record here")?;
        let row = self.tree.reveal(node);
        let raw = self.raw(node)?.ok_or("there is no record here")?;
        let lost = self.tree.node(node).filter(|node| node.lost);
        let kind = Kind(lost.map_or(raw.header.kind, |lost| lost.kind));
        let list = fields(&raw.bytes, raw.offset, self.rev);
        let mut owners = Vec::new();
        for owner in self.tree.owners(node) {
            if let Some(at) = self.raw(owner)? {
                let list = fields(&at.bytes, at.offset, self.rev);
                owners.push((
                    json::line(&at.bytes, at.offset, self.rev, Kind(at.header.kind), &list),
                    at.offset,
                ));
            }
        }
        let memory = self.memory_of(node)?;
        let holders = self.holders(node)?;
        let task = self.task_of(node);
        let mut rows = Vec::new();
        for field in &list {
            let row = self.field(field, kind, memory, false)?;
            rows.push(row);
            for element in field.elements.iter().take(MAX_ELEMENTS) {
                rows.push(self.field(element, kind, memory, true)?);
            }
        }
        let end = raw.offset + raw.bytes.len() as u64;
        let contents = match (kind == Extent::KIND && self.rev == 2).then(|| raw.body()).flatten() {
            Some(Body::Extent(extent)) => {
                let start = end + padding_before(end, extent.stored_len);
                Some((start, extent.stored_len, raw.header.parent, extent.vaddr))
            }
            _ => None,
        };
        Ok(Record {
            node,
            row,
            rows: self.tree.rows(),
            asked,
            offset: raw.offset,
            len: raw.bytes.len() as u64,
            name: if kind.0 == 0 { "damaged bytes".into() } else { kind.to_string() },
            kind: kind.0,
            doc: definition(kind, self.rev).map_or("", |def| def.doc).trim().to_owned(),
            summary: json::line(&raw.bytes, raw.offset, self.rev, kind, &list),
            owners,
            fields: rows,
            holders,
            task,
            contents,
        })
    }

    /// Offset of the byte at which a record of the file's order starts.
    pub fn offset_of(&self, record: u32) -> Option<u64> {
        self.tree.node(record).map(|node| node.offset)
    }

    fn field(&mut self, field: &Field, kind: Kind, memory: Option<u32>, element: bool) -> Result<FieldRow> {
        let def =
            definition(kind, self.rev).and_then(|def| def.fields.iter().find(|def| def.name == field.name));
        let show = def.filter(|_| field.part == Part::Fixed).map(|def| def.show);
        let is_ref =
            matches!(show, Some(Show::Ref)) || (field.part == Part::Header && field.name == "parent");
        let n = field.value.unsigned();
        let id = u32::try_from(n).ok().filter(|_| is_ref && self.rev == 2);
        let to = match id.and_then(|id| self.tree.object(id)) {
            Some(at) => {
                let offset = self.tree.node(at).map(|node| node.offset);
                let words = self.summary(at)?;
                offset.map(|offset| (offset, words))
            }
            None => None,
        };
        let area = match (matches!(show, Some(Show::Addr | Show::Hex)), memory) {
            (true, Some(mm)) if n > 0xffff => self.area_of(mm, n)?.map(|name| (name, mm, n)),
            _ => None,
        };
        let mut raw: Vec<String> = field.raw.iter().take(MAX_RAW).map(|byte| format!("{byte:02x}")).collect();
        if field.raw.len() > MAX_RAW {
            raw.push("…".into());
        }
        let mut text = field.text.clone();
        if text.chars().count() > 400 {
            text = text.chars().take(400).chain(['…']).collect();
        }
        Ok(FieldRow {
            name: field.name.clone(),
            offset: field.offset,
            len: field.len(),
            raw: raw.join(" "),
            text,
            meaning: field.meaning.to_owned(),
            frame: !matches!(field.part, Part::Fixed | Part::Tail | Part::Other),
            to,
            area,
            element,
        })
    }

    /// Who has the object that a record defines, if it is one that can be shared.
    fn holders(&mut self, node: u32) -> Result<Vec<String>> {
        let Some(at) = self.tree.node(node).filter(|at| self.rev == 2 && at.id != 0) else {
            return Ok(Vec::new());
        };
        Ok(if Kind(at.kind) == Task::KIND { Vec::new() } else { self.sharing()?.holders(at.id) })
    }

    /// The task that a record is or belongs to.
    fn task_of(&self, node: u32) -> Option<u32> {
        let is_task = |at: &u32| self.tree.node(*at).is_some_and(|node| Kind(node.kind) == Task::KIND);
        let owner = self.tree.owners(node).into_iter().chain([node]).rfind(is_task)?;
        self.tree.node(owner).map(|node| node.id).filter(|_| self.rev == 2)
    }

    /// Address space that the addresses in a record belong to.
    fn memory_of(&self, node: u32) -> Result<Option<u32>> {
        let mut chain = self.tree.owners(node);
        chain.push(node);
        for at in chain.into_iter().rev() {
            match self.body(at)? {
                Some(Body::Task(task)) => return Ok(Some(task.mm).filter(|mm| *mm != 0)),
                Some(Body::Mm(_)) => return Ok(self.tree.node(at).map(|node| node.id)),
                _ => {}
            }
        }
        Ok(None)
    }
}
