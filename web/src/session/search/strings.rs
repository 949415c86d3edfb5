//! Printable strings of a region, as strings(1) lists those of a file: a first look at memory nobody has a map of.

use super::MAX_HITS;
use crate::proto::{Hit, Space};
use crate::session::{Result, Session};
use stasis_format::ReadAt;
use stasis_format::limits::PAGE;

/// Bytes looked at in a step: an extent, which has to be decoded whole, at the most.
const STEP: u64 = 16 << 20;
/// Characters of a string that are shown.
const MAX_TEXT: usize = 240;

/// A listing under way.
#[derive(Debug)]
pub struct Strings {
    space: Space,
    start: u64,
    at: u64,
    end: u64,
    least: usize,
    text: String,
    pub(super) found: usize,
    /// Where the string that the last piece ended in starts, its length, and its first characters.
    open: Option<(u64, u64, String)>,
}

impl Strings {
    /// Of the region from `start` on, of `least` characters or more, that contain `text` in whatever case.
    pub fn new(space: Space, start: u64, len: u64, least: u32, text: &str) -> Self {
        let end = start.saturating_add(len);
        let least = least.max(1) as usize;
        Self { space, start, at: start, end, least, text: text.to_lowercase(), found: 0, open: None }
    }

    /// Bytes of the region that are done, and all.
    pub fn progress(&self) -> (u64, u64) {
        (self.at.min(self.end) - self.start.min(self.end), self.end - self.start)
    }

    fn take(&mut self, at: u64, bytes: &[u8], hits: &mut Vec<Hit>) {
        for (n, byte) in bytes.iter().enumerate() {
            if !matches!(byte, b' '..=b'~' | b'\t') {
                self.close(hits);
                continue;
            }
            let here = at + n as u64;
            let open = self.open.get_or_insert_with(|| (here, 0, String::new()));
            open.1 += 1;
            if open.2.len() < MAX_TEXT {
                open.2.push(char::from(*byte));
            }
        }
    }

    fn close(&mut self, hits: &mut Vec<Hit>) {
        let Some((at, len, mut around)) = self.open.take() else { return };
        let fits = self.text.is_empty() || around.to_lowercase().contains(&self.text);
        if len < self.least as u64 || !fits || self.found >= MAX_HITS {
            return;
        }
        if len > around.len() as u64 {
            around.push('…');
        }
        self.found += 1;
        let place = format!("{len} characters");
        hits.push(Hit { space: self.space, at, len: len.min(u32::MAX.into()) as u32, place, around });
    }
}

impl<S: ReadAt + Clone> Session<S> {
    pub(super) fn step_strings(&mut self, strings: &mut Strings, hits: &mut Vec<Hit>) -> Result<bool> {
        // Pages that the image does not hold are skipped, however many they are.
        let next = match strings.space {
            Space::File => Some((strings.at, self.len.min(strings.end))),
            Space::Memory(id) => self.held_from(id, strings.at)?.map(|(at, end)| (at, end.min(strings.end))),
        };
        let Some((at, end)) = next.filter(|(at, end)| at < end) else {
            strings.close(hits);
            strings.at = strings.end;
            return Ok(true);
        };
        if at != strings.at {
            strings.close(hits);
        }
        // Up to the end of a page: memory is read in whole ones.
        let stop = (at / PAGE * PAGE).saturating_add(STEP).min(end);
        let (bytes, _) = self.bytes(strings.space, at, stop - at)?;
        let skip = if strings.space == Space::File { 0 } else { (at % PAGE) as usize };
        let bytes = bytes.get(skip..).unwrap_or_default();
        strings.take(at, bytes.get(..(stop - at) as usize).unwrap_or(bytes), hits);
        strings.at = stop;
        if stop >= strings.end {
            strings.close(hits);
        }
        Ok(stop >= strings.end || strings.found >= MAX_HITS)
    }
}
