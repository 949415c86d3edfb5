//! Search over records without contents: their bytes as they stand, and what their fields say.

use super::{MAX_HITS, Search, hit};
use crate::proto::{Hit, Space};
use crate::session::{Result, Session};
use stasis_format::ReadAt;
use stasis_format::fields::{Field, fields};
use stasis_format::header::Kind;
use stasis_format::{json, show};

/// Records in a step.
const STEP: u64 = 256;
/// Characters of a field's text that are shown.
const MAX_TEXT: usize = 120;

impl<S: ReadAt + Clone> Session<S> {
    pub(super) fn step_records(&mut self, search: &mut Search, hits: &mut Vec<Hit>) -> Result<bool> {
        let all = self.tree.nodes.len() as u64;
        let until = search.at.saturating_add(STEP).min(all);
        for node in search.at..until {
            let Some(raw) = self.raw(node as u32)? else { continue };
            search.done = search.done.saturating_add(raw.bytes.len() as u64);
            let kind = Kind(raw.header.kind);
            let list = fields(&raw.bytes, raw.offset, self.rev);
            let mut seen = Vec::new();
            for at in search.needle.find(&raw.bytes) {
                let offset = raw.offset + at as u64;
                let field = list.iter().find(|f| offset >= f.offset && offset < f.offset + f.len());
                seen.extend(field.map(|field| field.offset));
                let place = place(kind, field);
                hits.push(hit(Space::File, offset, search, place, &raw.bytes, at));
            }
            let Some(text) = &search.text else { continue };
            let mut says = |field: &Field| {
                let said = format!("{} {}", field.text, field.meaning);
                if !seen.contains(&field.offset) && said.to_lowercase().contains(text) {
                    let around = show::escape(said.chars().take(MAX_TEXT).collect::<String>().as_bytes());
                    let (at, len) = (field.offset, field.len().min(u32::MAX.into()) as u32);
                    hits.push(Hit { space: Space::File, at, len, place: place(kind, Some(field)), around });
                    seen.push(field.offset);
                }
            };
            list.iter().for_each(&mut says);
            // The name of the kind is what many look for first.
            if seen.is_empty() && kind.to_string().to_lowercase().contains(text) {
                let around = json::line(&raw.bytes, raw.offset, self.rev, kind, &list);
                let (at, len) = (raw.offset, raw.bytes.len() as u32);
                hits.push(Hit { space: Space::File, at, len, place: kind.to_string(), around });
            }
            if hits.len() > MAX_HITS {
                break;
            }
        }
        search.at = until;
        Ok(until >= all)
    }
}

fn place(kind: Kind, field: Option<&Field>) -> String {
    field.map_or_else(|| kind.to_string(), |field| format!("{kind}.{}", field.name))
}
