//! Memory as its process sees it: the pages of the address space itself, and where it maps shared memory or a file that
//! is in the image, the pages of that.

use super::{MAX_ANSWER, Result, Session};
use stasis_format::header::Kind;
use stasis_format::limits::PAGE;
use stasis_format::memory::{MemoryMap, Page};
use stasis_format::record::{Extent, Inode};
use stasis_format::{IndexReader, ReadAt};

/// Maps that are kept: a process has its own memory and a few shared pieces.
const MAX_MAPS: usize = 16;

/// A part of an address space that shows pages of another object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: u64,
    pub(super) end: u64,
    /// The INODE, and the offset in it that `start` shows.
    pub(super) inode: u32,
    pub(super) offset: u64,
}

impl Window {
    /// The address at which it shows this offset, if it does.
    pub(super) fn address(&self, offset: u64) -> Option<u64> {
        let address = self.start.checked_add(offset.checked_sub(self.offset)?)?;
        (address < self.end).then_some(address)
    }
}

impl<S: ReadAt + Clone> Session<S> {
    /// The pages of a range of memory, as far as the image holds them.
    pub(super) fn pages(&mut self, id: u32, offset: u64, len: u64) -> Result<Vec<Page>> {
        let count = (len.min(MAX_ANSWER) / PAGE + 2) as usize;
        let (index, map) = self.memory(id)?;
        let mut pages = map.read(index, offset, len, count).map_err(|e| e.to_string())?;
        for window in self.windows(id)? {
            let of = |page: &Page| page.address >= window.start && page.address < window.end;
            let first = pages.iter().position(|page| page.bytes.is_none() && of(page));
            let last = pages.iter().rposition(|page| page.bytes.is_none() && of(page));
            let (Some(first), Some(last)) = (first, last) else { continue };
            let Some(missing) = pages.get_mut(first..=last) else { continue };
            let from = missing.first().map_or(0, |page| page.address) - window.start;
            let Some(start) = window.offset.checked_add(from) else { continue };
            let (index, map) = self.memory(window.inode)?;
            let length = missing.len() as u64 * PAGE;
            let there = map.read(index, start, length, missing.len()).map_err(|e| e.to_string())?;
            for (page, there) in missing.iter_mut().zip(there) {
                if page.bytes.is_none() {
                    page.bytes = there.bytes;
                }
            }
        }
        Ok(pages)
    }

    /// The next pages at or behind an address that the image holds without a gap: first address, and the one behind.
    pub(super) fn held_from(&mut self, id: u32, address: u64) -> Result<Option<(u64, u64)>> {
        if !self.held.contains_key(&id) {
            let runs = self.runs_held(id)?;
            if self.held.len() >= MAX_MAPS {
                self.held.clear();
            }
            self.held.insert(id, runs);
        }
        let runs = self.held.get(&id).map(Vec::as_slice).unwrap_or_default();
        let run = runs.get(runs.partition_point(|run| run.1 <= address)).copied();
        Ok(run.map(|(start, end)| (start.max(address), end)))
    }

    /// Where the pages of an object lie, read when they are first asked for.
    pub(super) fn memory(&mut self, id: u32) -> Result<(&IndexReader<S>, &MemoryMap)> {
        let index = self.index.as_ref().ok_or("the image has no index")?;
        if !self.maps.contains_key(&id) {
            if self.maps.len() >= MAX_MAPS {
                self.maps.clear();
            }
            self.maps.insert(id, MemoryMap::open(index, id).map_err(|e| e.to_string())?);
        }
        Ok((index, self.maps.get(&id).ok_or("no such memory")?))
    }

    /// The parts of an address space that show another object of which the image holds pages.
    pub(super) fn windows(&mut self, mm: u32) -> Result<Vec<Window>> {
        if let Some(known) = self.windows.get(&mm) {
            return Ok(known.clone());
        }
        let mut windows = Vec::new();
        for span in self.spans(mm)?.iter() {
            let vma = &span.vma;
            if vma.inode != 0 && vma.start < vma.end && self.has_pages(vma.inode) {
                let (start, end, inode, offset) = (vma.start, vma.end, vma.inode, vma.offset);
                windows.push(Window { start, end, inode, offset });
            }
        }
        windows.sort_by_key(|window| window.start);
        self.windows.insert(mm, windows.clone());
        Ok(windows)
    }

    /// Whether the image holds pages of an object.
    fn has_pages(&self, id: u32) -> bool {
        self.tree.of(id).any(|(_, node)| Kind(node.kind) == Extent::KIND)
    }

    /// Where pages of an INODE are seen: the address space and the address of the first process that maps them.
    pub(super) fn seen_at(&mut self, inode: u32, offset: u64) -> Result<Option<(u32, u64)>> {
        if !self.views.contains_key(&inode) {
            let kind = self.tree.object(inode).and_then(|at| self.tree.node(at)).map(|node| Kind(node.kind));
            let mut views = Vec::new();
            if kind == Some(Inode::KIND) {
                for mm in self.mms.clone() {
                    let windows = self.windows(mm)?;
                    let here = windows.into_iter().filter(|window| window.inode == inode);
                    views.extend(here.map(|window| (mm, window)));
                }
            }
            self.views.insert(inode, views);
        }
        let views = self.views.get(&inode).map(Vec::as_slice).unwrap_or_default();
        Ok(views.iter().find_map(|(mm, window)| Some((*mm, window.address(offset)?))))
    }

    /// All runs of pages that are held, joined and in ascending order.
    fn runs_held(&mut self, id: u32) -> Result<Vec<(u64, u64)>> {
        let (_, map) = self.memory(id)?;
        let mut runs: Vec<(u64, u64)> =
            map.pieces().iter().map(|piece| (piece.run.start, piece.run.end())).collect();
        for window in self.windows(id)? {
            let (_, map) = self.memory(window.inode)?;
            let until = window.offset.saturating_add(window.end - window.start);
            for run in map.pieces().iter().map(|piece| piece.run) {
                let (from, to) = (run.start.max(window.offset), run.end().min(until));
                if from < to {
                    runs.push((window.start + (from - window.offset), window.start + (to - window.offset)));
                }
            }
        }
        runs.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(runs.len());
        for (start, end) in runs {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        Ok(joined)
    }
}
