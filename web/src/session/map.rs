//! Areas of an address space, and how much of each the image holds.

use super::spans::prot;
use super::{Result, Session, choice};
use crate::proto::{Area, Map};
use stasis_format::extent::runs_of;
use stasis_format::header::Kind;
use stasis_format::record::{Body, Extent, VMA_KINDS, Vma};
use stasis_format::{Encoding, ReadAt, show};

/// MAP_SHARED of mmap(2).
const MAP_SHARED: u32 = 1;

impl<S: ReadAt + Clone> Session<S> {
    /// The areas in ascending order.
    pub fn map(&mut self, mm: u32) -> Result<Map> {
        let sharing = self.sharing()?;
        let mut areas: Vec<Area> = Vec::new();
        for (at, node) in self.tree.of(mm).filter(|(_, node)| Kind(node.kind) == Vma::KIND) {
            let Some(Body::Vma(vma)) = self.body(at)? else { continue };
            areas.push(Area {
                offset: node.offset,
                start: vma.start,
                end: vma.end.max(vma.start),
                prot: prot(vma.prot),
                shared: vma.flags & MAP_SHARED != 0,
                kind: choice(vma.kind, VMA_KINDS),
                name: show::escape(&vma.name),
                resident: vma.resident,
                stored: vma.stored,
                with: (vma.flags & MAP_SHARED != 0).then(|| sharing.mappers(vma.inode, mm)).flatten(),
                ..Area::default()
            });
        }
        areas.sort_by_key(|area| area.start);
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
            if area.kind == "file" {
                area.from_file = (area.end - area.start).saturating_sub(area.stored);
            }
            area.zero = area.stored.saturating_sub(held);
            area.stored = held;
        }
        Ok(Map { mm, areas })
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
