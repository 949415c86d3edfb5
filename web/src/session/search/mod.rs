//! Search for bytes, over the file, its records or the contents of pages, in steps.

mod records;
mod strings;

pub use strings::Strings;

use super::{Result, Session, io};
use crate::needle::Needle;
use crate::proto::{Hit, Scope, Space, Within};
use stasis_format::ReadAt;
use stasis_format::extent::runs_of;
use stasis_format::header::Kind;
use stasis_format::limits::PAGE;
use stasis_format::record::{Body, Extent};
use stasis_format::show::turns_text;

/// Bytes of the file in a step.
const STEP: u64 = 8 << 20;
/// Most that is listed.
const MAX_HITS: usize = 20_000;
/// Bytes shown before and after a hit.
const AROUND: usize = 24;

/// A search under way.
#[derive(Debug)]
pub struct Search {
    needle: Needle,
    /// The pattern as text in lower case, to be found in what fields say.
    text: Option<String>,
    scope: Scope,
    /// Part of memory that is looked at, if not all.
    within: Option<Within>,
    /// Offset in the file, or node.
    at: u64,
    done: u64,
    found: usize,
    /// What the piece before ended with: object, address behind it, bytes.
    carry: Option<(u32, u64, Vec<u8>)>,
}

impl Search {
    /// At the start.
    pub fn new(needle: Needle, text: Option<String>, scope: Scope, within: Option<Within>) -> Self {
        let text = text.map(|text| text.to_lowercase());
        Self { needle, text, scope, within, at: 0, done: 0, found: 0, carry: None }
    }
}

/// Something that is looked for, under way.
#[derive(Debug)]
pub enum Hunt {
    /// A pattern.
    Search(Search),
    /// All strings of a region.
    Strings(Strings),
}

impl<S: ReadAt + Clone> Session<S> {
    /// Bytes done, and bytes in all.
    pub fn progress(&self, hunt: &Hunt) -> (u64, u64) {
        match hunt {
            Hunt::Strings(strings) => strings.progress(),
            Hunt::Search(search) => match search.scope {
                Scope::File => (search.done, self.len),
                Scope::Pages => (search.done, self.report.totals.page_bytes),
                Scope::Records => (search.at, self.tree.nodes.len() as u64),
            },
        }
    }

    /// Goes on; `true` when it is over.
    pub fn hunt_step(&mut self, hunt: &mut Hunt) -> Result<(Vec<Hit>, bool)> {
        match hunt {
            Hunt::Search(search) => self.search_step(search),
            Hunt::Strings(strings) => {
                let mut hits = Vec::new();
                let over = self.step_strings(strings, &mut hits)?;
                Ok((hits, over))
            }
        }
    }

    fn search_step(&mut self, search: &mut Search) -> Result<(Vec<Hit>, bool)> {
        let mut hits = Vec::new();
        if search.needle.is_empty() {
            return Ok((hits, true));
        }
        let over = match search.scope {
            Scope::File => self.step_file(search, &mut hits)?,
            Scope::Pages => self.step_pages(search, &mut hits)?,
            Scope::Records => self.step_records(search, &mut hits)?,
        };
        hits.truncate(MAX_HITS - search.found.min(MAX_HITS));
        search.found += hits.len();
        Ok((hits, over || search.found >= MAX_HITS))
    }

    fn step_file(&mut self, search: &mut Search, hits: &mut Vec<Hit>) -> Result<bool> {
        let overlap = search.needle.len() as u64 - 1;
        let len = self.len.saturating_sub(search.at).min(STEP + overlap);
        let mut bytes = vec![0; len as usize];
        self.source.read_at(search.at, &mut bytes).map_err(io)?;
        for at in search.needle.find(&bytes) {
            let offset = search.at + at as u64;
            let node = self.tree.at(offset).and_then(|node| self.tree.node(node));
            let place = node.map_or(String::new(), |node| Kind(node.kind).to_string());
            hits.push(hit(Space::File, offset, search, place, &bytes, at));
            if hits.len() > MAX_HITS {
                break;
            }
        }
        search.at += STEP;
        search.done = search.at.min(self.len);
        Ok(search.at >= self.len)
    }

    fn step_pages(&mut self, search: &mut Search, hits: &mut Vec<Hit>) -> Result<bool> {
        // What is not seen in the part that is looked at need not be decoded.
        let windows = match search.within {
            Some(within) => self.windows(within.mm)?,
            None => Vec::new(),
        };
        let Some(index) = &self.index else {
            return Err("the image has no index, search the file instead".into());
        };
        let entries = index.entries();
        let Some(entry) = entries.get(search.at as usize) else { return Ok(true) };
        let next =
            entries.iter().skip(search.at as usize + 1).position(|entry| Kind(entry.kind) == Extent::KIND);
        let here = search.at;
        search.at = next.map_or(entries.len() as u64, |next| here + 1 + next as u64);
        if Kind(entry.kind) != Extent::KIND {
            return Ok(false);
        }
        let record = index.record_at(entry).map_err(|e| e.to_string())?;
        let Some(Body::Extent(extent)) = record.map(|record| record.body) else { return Ok(false) };
        let owner = entry.parent;
        let is_seen =
            |within: Within| owner == within.mm || windows.iter().any(|window| window.inode == owner);
        search.done = search.done.saturating_add(extent.nr_pages.saturating_mul(PAGE));
        let zeros = stasis_format::Encoding(extent.encoding) == stasis_format::Encoding::ZERO;
        if search.within.is_some_and(|within| !is_seen(within)) {
            return Ok(next.is_none());
        }
        if zeros && !search.needle.fits_zeros() {
            return Ok(next.is_none());
        }
        let contents = index.read_extent(entry).map_err(|e| e.to_string())?;
        let mut rest = contents.as_slice();
        let mut found = Vec::new();
        for run in runs_of(&extent) {
            let len = usize::try_from(run.len()).unwrap_or(usize::MAX).min(rest.len());
            let (bytes, left) = rest.split_at(len);
            rest = left;
            let (mut start, mut bytes) = (run.start, bytes.to_vec());
            if let Some((object, end, carried)) = search.carry.take()
                && (object, end) == (owner, start)
            {
                start -= carried.len() as u64;
                bytes.splice(0..0, carried);
            }
            for at in search.needle.find(&bytes) {
                found.push(hit(Space::Memory(owner), start + at as u64, search, String::new(), &bytes, at));
                if found.len() > MAX_HITS {
                    break;
                }
            }
            let keep = bytes.len().min(search.needle.len() - 1);
            let end = start + bytes.len() as u64;
            search.carry = Some((owner, end, bytes.split_off(bytes.len() - keep)));
        }
        for mut hit in found {
            if let Some(within) = search.within {
                // At every address where the part shows it.
                let shown = windows.iter().filter(|window| window.inode == owner);
                let shown = shown.filter_map(|window| window.address(hit.at));
                let all: Vec<u64> = if owner == within.mm { vec![hit.at] } else { shown.collect() };
                for at in all.into_iter().filter(|at| (within.start..within.end).contains(at)) {
                    let space = Space::Memory(within.mm);
                    hits.push(Hit { space, at, place: self.place_in(space, at)?, ..hit.clone() });
                }
                continue;
            }
            // Shared memory is shown where a process sees it.
            if let Some((mm, address)) = self.seen_at(owner, hit.at)? {
                (hit.space, hit.at) = (Space::Memory(mm), address);
            }
            hit.place = self.place_in(hit.space, hit.at)?;
            hits.push(hit);
        }
        Ok(next.is_none())
    }

    /// What to call a place in memory: whose it is, if there are several, and the area.
    fn place_in(&mut self, space: Space, at: u64) -> Result<String> {
        let Space::Memory(id) = space else { return Ok(String::new()) };
        let area = match self.area_of(id, at)? {
            Some(area) => area,
            None => match self.tree.object(id) {
                Some(node) => self.summary(node)?,
                None => format!("#{id}"),
            },
        };
        Ok(match self.whose(id)? {
            Some(name) => format!("{name}: {area}"),
            None => area,
        })
    }
}

fn hit(space: Space, at: u64, search: &Search, place: String, bytes: &[u8], from: usize) -> Hit {
    let start = from.saturating_sub(AROUND);
    let end = bytes.len().min(from + search.needle.len() + AROUND);
    // Zero bytes in front would push what was found out of sight.
    let before = bytes.get(start..from).unwrap_or_default();
    let start = start + before.iter().rposition(|byte| *byte == 0).map_or(0, |at| at + 1);
    let around = glance(bytes.get(start..end).unwrap_or_default());
    Hit { space, at, len: search.needle.len() as u32, place, around }
}

/// Bytes as text to look over: what is none is a dot.
fn glance(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.extend(chunk.valid().chars().map(|c| if c.is_control() || turns_text(c) { '·' } else { c }));
        out.extend(chunk.invalid().iter().map(|_| '·'));
    }
    out
}
