//! Two images beside each other: records are matched by what they are about, not by where they stand.

use super::{Result, Session};
use crate::proto::{Change, Comparison, PagesChanged};
use stasis_format::ReadAt;
use stasis_format::fields::{Part, fields};
use stasis_format::header::Kind;
use stasis_format::limits::PAGE;
use stasis_format::memory::MemoryMap;
use stasis_format::record::{Extent, Index, IndexEnd, Mm};
use std::collections::HashMap;

/// Most differences that are listed.
const MAX_CHANGES: usize = 2000;
/// Most pages of one address space that are compared.
const MAX_PAGES: u64 = 64 << 10;
/// Fields that tell a record from its siblings.
const NATURAL: &[&str] =
    &["pid", "tid", "start", "fd", "resource", "signo", "which", "timer_id", "ns", "path", "kind"];

/// What a record is about, its offset, and its fields.
type Known = (String, u64, Vec<(String, String)>);

impl<S: ReadAt + Clone> Session<S> {
    /// Compares this image with another, this one being the older.
    pub fn compare<T: ReadAt + Clone>(&self, other: &Session<T>) -> Result<Comparison> {
        let (here, there) = (self.known()?, other.known()?);
        let mut left: HashMap<&str, &Known> = there.iter().map(|known| (known.0.as_str(), known)).collect();
        let mut out = Comparison { name: other.name.clone(), ..Comparison::default() };
        let mut add = |change: Change| {
            if out.changes.len() < MAX_CHANGES { out.changes.push(change) } else { out.dropped += 1 }
        };
        let mut same = 0;
        for (key, offset, fields) in &here {
            let Some((_, _, others)) = left.remove(key.as_str()) else {
                add(Change { what: "gone".into(), record: key.clone(), offset: *offset, fields: Vec::new() });
                continue;
            };
            let mut differ = Vec::new();
            for (name, value) in fields {
                let other = others.iter().find(|other| other.0 == *name).map_or("", |other| other.1.as_str());
                if other != value {
                    differ.push((name.clone(), value.clone(), other.to_owned()));
                }
            }
            if differ.is_empty() {
                same += 1;
            } else {
                add(Change { what: "changed".into(), record: key.clone(), offset: *offset, fields: differ });
            }
        }
        for (key, offset, _) in there.iter().filter(|known| left.contains_key(known.0.as_str())) {
            add(Change { what: "new".into(), record: key.clone(), offset: *offset, fields: Vec::new() });
        }
        out.same = same;
        out.areas = self.pages_changed(other)?;
        Ok(out)
    }

    /// Every record but contents and index, under the path of what it is about.
    fn known(&self) -> Result<Vec<Known>> {
        let mut keys: Vec<String> = Vec::new();
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut out = Vec::new();
        for (at, node) in self.tree.nodes.iter().enumerate() {
            let kind = Kind(node.kind);
            let skip = self.rev == 2 && matches!(kind, Extent::KIND | Index::KIND | IndexEnd::KIND);
            let Some(raw) = self.raw(at as u32)?.filter(|_| !skip) else {
                keys.push(String::new());
                continue;
            };
            let list = fields(&raw.bytes, raw.offset, self.rev);
            let said = |field: &&stasis_format::fields::Field| {
                matches!(field.part, Part::Fixed | Part::Tail | Part::Other)
                    && field.name != "pad"
                    && field.name != "head_checksum"
            };
            let values: Vec<_> =
                list.iter().filter(said).map(|field| (field.name.clone(), field.text.clone())).collect();
            let natural = NATURAL.iter().find_map(|name| values.iter().find(|value| value.0 == *name));
            let owner = self.tree.owners(at as u32).last().and_then(|owner| keys.get(*owner as usize));
            let mut key =
                owner.filter(|owner| !owner.is_empty()).map_or(String::new(), |owner| format!("{owner} / "));
            key.push_str(&kind.to_string());
            if let Some((name, value)) = natural {
                key.push_str(&format!(" {name} {value}"));
            }
            let times = seen.entry(key.clone()).or_default();
            *times += 1;
            if *times > 1 {
                key.push_str(&format!(" ({times})"));
            }
            keys.push(key.clone());
            out.push((key, node.offset, values));
        }
        Ok(out)
    }

    /// For each area of memory that both have: pages whose contents differ.
    fn pages_changed<T: ReadAt + Clone>(&self, other: &Session<T>) -> Result<Vec<PagesChanged>> {
        let (Some(index), Some(index2)) = (&self.index, &other.index) else { return Ok(Vec::new()) };
        let mms = |tree: &super::Tree| -> Vec<u32> {
            tree.nodes.iter().filter(|node| Kind(node.kind) == Mm::KIND).map(|node| node.id).collect()
        };
        let mut out = Vec::new();
        for (mm, mm2) in mms(&self.tree).into_iter().zip(mms(&other.tree)) {
            let map = MemoryMap::open(index, mm).map_err(|e| e.to_string())?;
            let map2 = MemoryMap::open(index2, mm2).map_err(|e| e.to_string())?;
            let areas = self.map(mm)?.areas;
            let mut budget = MAX_PAGES;
            for area in areas {
                let mut row = PagesChanged {
                    mm,
                    label: format!("{} {} {}", area.prot, area.kind, area.name),
                    ..Default::default()
                };
                let mut at = area.start;
                // Sixteen MiB at a time: an extent on each side is decoded once for them.
                while at < area.end && budget > 0 && (area.stored > 0 || area.zero > 0) {
                    let len = (area.end - at).min(budget.min(4096) * PAGE);
                    let pages = map.read(index, at, len, 4096).map_err(|e| e.to_string())?;
                    let pages2 = map2.read(index2, at, len, 4096).map_err(|e| e.to_string())?;
                    for (page, page2) in pages.iter().zip(&pages2) {
                        if page.bytes.is_none() && page2.bytes.is_none() {
                            continue;
                        }
                        row.compared += 1;
                        if page.bytes != page2.bytes {
                            row.first = if row.pages == 0 { page.address } else { row.first };
                            row.pages += 1;
                        }
                    }
                    budget = budget.saturating_sub(len / PAGE);
                    at += len.max(PAGE);
                }
                if row.pages > 0 {
                    out.push(row);
                }
            }
        }
        Ok(out)
    }
}
