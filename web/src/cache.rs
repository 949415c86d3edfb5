//! Lines of a file that were read before, so that many small reads do not each cost a call of the browser.
//!
//! A read costs about half a millisecond however short it is (measured), and through a server more. No browser types:
//! what reads is given by the caller.

use std::collections::HashMap;
use std::io::{ErrorKind, Result};

/// Bytes of a line: the unit in which is held and dropped.
pub const LINE: u64 = 4 << 10;
/// Lines held, 16 MiB.
pub const MAX_LINES: usize = 4096;
/// Lines read at once where reads jump about, and where they go on from each other.
const FEW: u64 = 4;
const MANY: u64 = 32;
/// Reads longer than this are not held: whoever wants so much wants it once.
const LONG: u64 = 128 << 10;
/// Most bytes of one read of the browser; beyond 2 GiB Chromium refuses.
const MAX_READ: usize = 16 << 20;

/// The lines of one file.
#[derive(Debug)]
pub struct Cache {
    len: u64,
    lines: HashMap<u64, (u64, Box<[u8]>)>,
    clock: u64,
    /// Line behind the last one that was read.
    next: u64,
}

impl Cache {
    /// For a file of this length.
    pub fn new(len: u64) -> Self {
        Self { len, lines: HashMap::new(), clock: 0, next: 0 }
    }

    /// Fills `out` from `offset` on, by `fetch` where the bytes are not held. Reading beyond the end is an error of
    /// kind `UnexpectedEof`.
    pub fn read(
        &mut self,
        offset: u64,
        out: &mut [u8],
        fetch: &mut dyn FnMut(u64, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= self.len);
        let end = end.ok_or(ErrorKind::UnexpectedEof)?;
        if out.is_empty() {
            return Ok(());
        }
        if out.len() as u64 > LONG {
            let mut at = offset;
            for piece in out.chunks_mut(MAX_READ) {
                fetch(at, piece)?;
                at += piece.len() as u64;
            }
            return Ok(());
        }
        let (first, last) = (offset / LINE, (end - 1) / LINE);
        self.clock += 1;
        let mut line = first;
        while line <= last {
            if let Some(held) = self.lines.get_mut(&line) {
                held.0 = self.clock;
                line += 1;
                continue;
            }
            let ahead = if line == self.next { MANY } else { FEW };
            let wanted = (last + 1 - line).max(ahead);
            let until = (line..line + wanted).find(|line| self.lines.contains_key(line));
            let start = line * LINE;
            let stop = (until.unwrap_or(line + wanted) * LINE).min(self.len);
            let mut bytes = vec![0; (stop - start) as usize];
            fetch(start, &mut bytes)?;
            self.put(start, &bytes);
            line = stop.div_ceil(LINE);
            self.next = line;
        }
        let mut left = out;
        let mut at = offset;
        for line in first..=last {
            let held = self.lines.get(&line).ok_or(ErrorKind::UnexpectedEof)?;
            let from = (at - line * LINE) as usize;
            let len = (held.1.len().saturating_sub(from)).min(left.len());
            let (now, rest) = left.split_at_mut(len);
            now.copy_from_slice(held.1.get(from..from + len).ok_or(ErrorKind::UnexpectedEof)?);
            (at, left) = (at + len as u64, rest);
        }
        Ok(())
    }

    /// Holds bytes that were read; `offset` is that of a line, and all lines but the last of the file are whole.
    pub fn put(&mut self, offset: u64, bytes: &[u8]) {
        if self.lines.len() + bytes.len() / LINE as usize > MAX_LINES {
            // A quarter at once, so that the search for the oldest is rare.
            let mut ages: Vec<u64> = self.lines.values().map(|line| line.0).collect();
            let (_, limit, _) = ages.select_nth_unstable(self.lines.len() / 4);
            // What is being read stays.
            let limit = (*limit).min(self.clock.saturating_sub(1));
            self.lines.retain(|_, line| line.0 > limit);
        }
        for (n, line) in bytes.chunks(LINE as usize).enumerate() {
            self.lines.insert(offset / LINE + n as u64, (self.clock, line.into()));
        }
    }

    /// Runs of lines, as offset and length, that hold these ranges and are not held yet: in ascending order, joined
    /// where they touch, no more than fit beside each other.
    pub fn missing(&self, ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let mut lines: Vec<u64> = ranges
            .iter()
            .filter(|(offset, len)| *len > 0 && offset.saturating_add(*len) <= self.len)
            .flat_map(|(offset, len)| offset / LINE..=(offset + len - 1) / LINE)
            .filter(|line| !self.lines.contains_key(line))
            .take(MAX_LINES / 2)
            .collect();
        lines.sort_unstable();
        lines.dedup();
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for line in lines {
            let (start, stop) = (line * LINE, ((line + 1) * LINE).min(self.len));
            match runs.last_mut() {
                Some((at, len)) if *at + *len == start => *len += stop - start,
                _ => runs.push((start, stop - start)),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, LINE, MAX_LINES};

    fn file(len: u64) -> Vec<u8> {
        (0..len).map(|at| (at / 7 % 251) as u8).collect()
    }

    /// Reads and says in how many calls of the browser.
    fn read(cache: &mut Cache, file: &[u8], offset: u64, len: usize) -> (Vec<u8>, u32) {
        let (mut out, mut calls) = (vec![0; len], 0);
        let mut fetch = |at: u64, buf: &mut [u8]| {
            calls += 1;
            buf.copy_from_slice(&file[at as usize..at as usize + buf.len()]);
            Ok(())
        };
        cache.read(offset, &mut out, &mut fetch).expect("lies in the file");
        (out, calls)
    }

    #[test]
    fn every_read_gives_the_bytes_of_the_file() {
        let file = file(3 * LINE * 64 + 100);
        let mut cache = Cache::new(file.len() as u64);
        let mut at = 1u64;
        for n in 0..2000u64 {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n);
            let offset = (at >> 33) % file.len() as u64;
            let len = ((at >> 20) % 300_000).min(file.len() as u64 - offset) as usize;
            assert_eq!(read(&mut cache, &file, offset, len).0, &file[offset as usize..offset as usize + len]);
        }
    }

    #[test]
    fn reads_that_go_on_from_each_other_are_few_calls() {
        let file = file(1 << 20);
        let mut cache = Cache::new(file.len() as u64);
        let calls: u32 = (0..1 << 20).step_by(64).map(|at| read(&mut cache, &file, at, 64).1).sum();
        assert!(calls <= 10, "{calls} calls for a mebibyte");
        assert_eq!(read(&mut cache, &file, 5000, 200).1, 0);
    }

    #[test]
    fn what_was_fetched_before_costs_no_call() {
        let file = file(1 << 20);
        let mut cache = Cache::new(file.len() as u64);
        let wanted = [(100, 50), (LINE - 1, 2), (900_000, 80), ((1 << 20) - 1, 1), (1 << 20, 1), (7, 0)];
        let runs = cache.missing(&wanted);
        assert_eq!(
            runs,
            [(0, 2 * LINE), (900_000 / LINE * LINE, LINE), ((1 << 20) - LINE, LINE)],
            "joined where they touch, without what lies outside"
        );
        for (at, len) in runs {
            cache.put(at, &file[at as usize..(at + len) as usize]);
        }
        assert!(cache.missing(&wanted).is_empty());
        assert_eq!(read(&mut cache, &file, 900_000, 80).1, 0);
    }

    #[test]
    fn no_more_than_its_share_is_held_and_the_end_is_the_end() {
        let mut cache = Cache::new(u64::MAX);
        let mut zeros = |_: u64, buf: &mut [u8]| {
            buf.fill(0);
            Ok(())
        };
        for at in 0..3 * MAX_LINES as u64 {
            cache.read(at << 30, &mut [0; 16], &mut zeros).expect("lies in the file");
        }
        assert!(cache.lines.len() <= MAX_LINES);
        let mut cache = Cache::new(10);
        for (offset, len) in [(0, 11), (10, 1), (u64::MAX, 2)] {
            let error = cache.read(offset, &mut vec![0; len], &mut zeros).expect_err("lies outside");
            assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        }
    }
}
