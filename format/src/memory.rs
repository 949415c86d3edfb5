//! Memory of an object by address, for those who look into an image.

use crate::error::{Fault, ReadError};
use crate::extent::Run;
use crate::header::Kind;
use crate::index::IndexReader;
use crate::limits::{MAX_MAPPED_RUNS, PAGE};
use crate::record::{Extent, IndexEntry};
use crate::rules;
use crate::source::ReadAt;
use std::collections::BinaryHeap;

/// A run of pages and the extent that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The pages.
    pub run: Run,
    /// Position of the extent in the index.
    pub position: usize,
    /// Pages of the extent before this run.
    pub before: u64,
}

/// A page as far as the image holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Address, or offset in the object.
    pub address: u64,
    /// Its 4096 bytes; `None` when the image does not hold them.
    pub bytes: Option<Vec<u8>>,
}

/// Which extents hold the pages of one object. Runs of different extents may alternate, and a page may be in several, of
/// which the last counts; so all EXTENT records of the object are read once, without their contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryMap {
    pieces: Vec<Piece>,
}

impl MemoryMap {
    /// Reads the EXTENT records of the object.
    pub fn open<S: ReadAt>(image: &IndexReader<S>, owner: u32) -> Result<Self, ReadError> {
        let mut pieces = Vec::new();
        for (position, entry) in image.entries().iter().enumerate() {
            if Kind(entry.kind) != Extent::KIND || entry.parent != owner {
                continue;
            }
            let head = image.extent(entry)?;
            if pieces.len() + head.runs.len() > MAX_MAPPED_RUNS {
                let message = "the object has more runs of pages than a reader takes";
                return Err(Fault::new(rules::EXTENT_RUNS, entry.offset, 0, message).into());
            }
            let mut before = 0;
            for run in head.runs {
                pieces.push(Piece { run, position, before });
                before += run.pages;
            }
        }
        Ok(Self { pieces: last_of_each(pieces) })
    }

    /// All runs in ascending order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether the image holds the page with this address.
    pub fn holds(&self, address: u64) -> Option<&Piece> {
        let behind = self.pieces.partition_point(|piece| piece.run.start <= address);
        self.pieces.get(behind.checked_sub(1)?).filter(|piece| address < piece.run.end())
    }

    /// Bytes of the range as far as the image holds them page by page. The range is widened to whole pages and cut to `max_pages`. Every extent touched is
    /// read whole, checked and decoded, one at a time.
    pub fn read<S: ReadAt>(
        &self,
        image: &IndexReader<S>,
        start: u64,
        len: u64,
        max_pages: usize,
    ) -> Result<Vec<Page>, ReadError> {
        let first = start - start % PAGE;
        let count = start.saturating_add(len).saturating_sub(first).div_ceil(PAGE).min(max_pages as u64);
        let mut open: Option<(usize, Vec<u8>)> = None;
        let mut pages = Vec::new();
        for address in (0..count).map_while(|n| first.checked_add(n * PAGE)) {
            let Some(piece) = self.holds(address) else {
                pages.push(Page { address, bytes: None });
                continue;
            };
            if open.as_ref().map(|(position, _)| *position) != Some(piece.position) {
                let entry: &IndexEntry = image.entries().get(piece.position).ok_or_else(|| gone(address))?;
                open = Some((piece.position, image.read_extent(entry)?));
            }
            let from = (piece.before + (address - piece.run.start) / PAGE) * PAGE;
            let contents = open.as_ref().map(|(_, contents)| contents.as_slice()).unwrap_or_default();
            let from = usize::try_from(from).unwrap_or(usize::MAX);
            let page = contents.get(from..).and_then(|rest| rest.get(..PAGE as usize));
            let bytes = Some(page.ok_or_else(|| gone(address))?.to_vec());
            pages.push(Page { address, bytes });
        }
        Ok(pages)
    }
}

/// The pieces in ascending order, of each page only the last in the image.
fn last_of_each(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_by_key(|piece| piece.run.start);
    if pieces.is_sorted_by(|a, b| a.run.end() <= b.run.start) {
        return pieces;
    }
    let mut edges: Vec<u64> = pieces.iter().flat_map(|piece| [piece.run.start, piece.run.end()]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
    // Pieces that start at or before the edge, the last in the image on top.
    let mut open: BinaryHeap<(usize, usize)> = BinaryHeap::new();
    let mut coming = pieces.iter().enumerate().peekable();
    for (from, to) in edges.iter().zip(edges.iter().skip(1)) {
        while let Some((at, piece)) = coming.next_if(|(_, piece)| piece.run.start <= *from) {
            open.push((piece.position, at));
        }
        let over = |(_, at): &(usize, usize)| pieces.get(*at).is_none_or(|piece| piece.run.end() <= *from);
        while open.peek().is_some_and(over) {
            open.pop();
        }
        let Some(piece) = open.peek().and_then(|(_, at)| pieces.get(*at)) else { continue };
        let run = Run { start: *from, pages: (to - from) / PAGE };
        let before = piece.before + (from - piece.run.start) / PAGE;
        match out.last_mut() {
            Some(last)
                if last.position == piece.position
                    && last.run.end() == run.start
                    && last.before + last.run.pages == before =>
            {
                last.run.pages += run.pages;
            }
            _ => out.push(Piece { run, position: piece.position, before }),
        }
    }
    out
}

/// The map belongs to another image.
fn gone(address: u64) -> Fault {
    Fault::new(rules::EXTENT_RUNS, 0, 0, format!("no extent of this image holds the page at {address:#x}"))
}

#[cfg(test)]
mod tests {
    use super::{Piece, last_of_each};
    use crate::extent::Run;
    use crate::limits::PAGE;

    #[test]
    fn of_every_page_the_last_one_in_the_image_counts() {
        let mut random = 1u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for _ in 0..500 {
            let piece = |position| {
                let run = Run { start: next(40) * PAGE, pages: 1 + next(12) };
                Piece { run, position, before: next(5) }
            };
            let pieces: Vec<Piece> = (0..8).map(piece).collect();
            let map = last_of_each(pieces.clone());
            assert!(map.is_sorted_by(|a, b| a.run.end() <= b.run.start), "{map:?}");
            // Where the page stands: in which extent, and how many pages before it.
            let place = |pieces: &[Piece], page: u64| {
                let holds = |piece: &&Piece| (piece.run.start..piece.run.end()).contains(&page);
                let last = pieces.iter().filter(holds).max_by_key(|piece| piece.position)?;
                Some((last.position, last.before + (page - last.run.start) / PAGE))
            };
            for page in (0..60).map(|n| n * PAGE) {
                assert_eq!(place(&map, page), place(&pieces, page), "{pieces:?} {page:#x}");
            }
        }
    }
}
