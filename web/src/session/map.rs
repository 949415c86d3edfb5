//! Areas of an address space, and how much of each the image holds.

use super::{Result, Session, choice};
use crate::proto::{Area, Map};
use stasis_format::extent::runs_of;
use stasis_format::header::Kind;
use stasis_format::record::{Body, Extent, VMA_KINDS};
use stasis_format::{Encoding, ReadAt, show};
use std::collections::HashSet;
use std::rc::Rc;

/// MAP_SHARED of mmap(2).
const MAP_SHARED: u32 = 1;

impl<S: ReadAt + Clone> Session<S> {
    /// The areas in ascending order, with what they say of themselves.
    pub fn outline(&mut self, mm: u32) -> Result<Map> {
        let sharing = self.sharing()?;
        let mut areas: Vec<Area> = Vec::new();
        let mut names = Names::default();
        for span in self.spans(mm)?.iter() {
            let vma = &span.vma;
            let is_shared = vma.flags & MAP_SHARED != 0;
            let with = if is_shared { sharing.mappers(vma.inode, mm) } else { None };
            areas.push(Area {
                offset: span.at,
                start: vma.start,
                end: vma.end,
                prot: names.shared(span.prot()),
                shared: is_shared,
                kind: names.shared(choice(vma.kind, VMA_KINDS)),
                name: names.shared(show::escape(&vma.name)),
                resident: vma.resident,
                stored: vma.stored,
                with: with.map(Into::into),
                ..Area::default()
            });
        }
        for area in areas.iter_mut().filter(|area| &*area.kind == "file") {
            area.from_file = (area.end - area.start).saturating_sub(area.stored);
        }
        Ok(Map { mm, whole: false, areas })
    }

    /// The same, with how much of each the image holds.
    pub fn map(&mut self, mm: u32) -> Result<Map> {
        let mut areas = self.outline(mm)?.areas;
        // Pages that were to be stored and are in no extent, or in one of zeros, read as zero.
        let mut held = vec![0u64; areas.len()];
        let mut lay = |start: u64, end: u64, is_zero: bool| {
            // A run may go on over the border of areas that touch.
            let behind = areas.partition_point(|area| area.end <= start);
            for (area, held) in areas.iter_mut().zip(&mut held).skip(behind) {
                let (start, end) = (start.max(area.start), end.min(area.end));
                if start >= end {
                    break;
                }
                area.first = Some(area.first.map_or(start, |first| first.min(start)));
                *held = held.saturating_add(if is_zero { 0 } else { end - start });
            }
        };
        for (start, end, is_zero) in self.runs(mm)? {
            lay(start, end, is_zero);
        }
        // What shared memory and files in the image hold is theirs, and seen here.
        for window in self.windows(mm)? {
            let until = window.offset.saturating_add(window.end - window.start);
            for (start, end, is_zero) in self.runs(window.inode)? {
                let (from, to) = (start.max(window.offset), end.min(until));
                if from < to {
                    let at = |offset: u64| window.start + (offset - window.offset);
                    lay(at(from), at(to), is_zero);
                }
            }
        }
        for (area, held) in areas.iter_mut().zip(held) {
            area.zero = area.stored.saturating_sub(held);
            area.stored = held;
        }
        Ok(Map { mm, whole: true, areas })
    }

    /// Runs of pages that an object has in the image: first address, the one behind, and whether they are zero.
    fn runs(&self, owner: u32) -> Result<Vec<(u64, u64, bool)>> {
        let mut out = Vec::new();
        for (at, _) in self.tree.of(owner).filter(|(_, node)| Kind(node.kind) == Extent::KIND) {
            let Some(Body::Extent(extent)) = self.body(at)? else { continue };
            let is_zero = Encoding(extent.encoding) == Encoding::ZERO;
            out.extend(runs_of(&extent).iter().map(|run| (run.start, run.end(), is_zero)));
        }
        Ok(out)
    }
}

/// Names that are kept once each.
#[derive(Default)]
struct Names(HashSet<Rc<str>>);

impl Names {
    fn shared(&mut self, name: String) -> Rc<str> {
        if let Some(known) = self.0.get(name.as_str()) {
            return known.clone();
        }
        let name: Rc<str> = name.into();
        self.0.insert(name.clone());
        name
    }
}
