//! The hex view: which rows are in sight, and the bytes that are held for it.
//!
//! The first row in sight is the truth, the scrollbar follows it: browsers cap the height of an element (2^25 px
//! over the pixel ratio in Chromium, less in Firefox), so that for a large file a pixel is many rows.

use super::{Command, State};
use crate::proto::{Request, Space};

/// Bytes in a row.
pub const ROW: u64 = 16;
/// Height of a row in pixels; the style sheet says the same.
pub const ROW_PX: f64 = 20.0;
/// Height of the scrolled element at the most.
const MAX_PX: f64 = 8_000_000.0;
/// Bytes asked for at a time.
const BLOCK: u64 = 16 << 10;
/// Blocks held.
const MAX_BLOCKS: usize = 48;

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Shows the file in place of memory.
    File,
    /// The view was scrolled.
    Scrolled {
        /// How far down.
        px: f64,
        /// Height of the view.
        height: f64,
    },
    /// Other many rows are in sight.
    Resized {
        /// How many.
        rows: u32,
    },
    /// The wheel went by so many rows.
    Wheel(i64),
    /// Reads numbers at the cursor with their highest byte first, or last.
    BigEndian(bool),
    /// Moves the cursor.
    Move(i64),
    /// Moves the cursor and selects what it passes.
    Extend(i64),
    /// Picks a byte.
    Pick {
        /// Where.
        at: u64,
        /// Whether what lies between is selected, too.
        extend: bool,
    },
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    match action {
        Action::File => {
            state.show_file();
            state.hex.top = state.hex.cursor / ROW;
            out.push(Command::ScrollHex(state.hex.px()));
            state.ask_bytes(out);
        }
        Action::Scrolled { px, height } => {
            if state.hex.scrolled(px, height) {
                state.ask_bytes(out);
            }
        }
        Action::Resized { rows } => {
            state.hex.visible = rows.clamp(1, 400);
            state.ask_bytes(out);
        }
        Action::Wheel(rows) => {
            state.hex.top = state.hex.top.saturating_add_signed(rows).min(state.hex.last_top());
            out.push(Command::ScrollHex(state.hex.px()));
            state.ask_bytes(out);
        }
        Action::BigEndian(big) => state.big_endian = big,
        Action::Move(by) => state.pick(state.hex.moved(by), false, out),
        Action::Extend(by) => {
            state.pick(state.hex.moved(by), true, out);
            if state.hex.bring_into_view() {
                out.push(Command::ScrollHex(state.hex.px()));
            }
            state.ask_bytes(out);
        }
        Action::Pick { at, extend } => state.pick(at, extend, out),
    }
}

impl State {
    fn pick(&mut self, at: u64, extend: bool, out: &mut Vec<Command>) {
        if !self.hex.holds(at) {
            return;
        }
        if extend {
            let (start, end) = self.hex.selection;
            let anchor = if self.hex.cursor + 1 >= end { start } else { end.saturating_sub(1) };
            self.hex.selection = (anchor.min(at), anchor.max(at) + 1);
            self.hex.cursor = at;
            return;
        }
        self.places.pinned = Some(at);
        self.select(at, 1, out);
        let here = self.record.as_ref().filter(|_| self.hex.space == Space::File);
        let inside = here.is_some_and(|record| (record.offset..record.offset + record.len).contains(&at));
        let place = match self.hex.space {
            Space::File if !inside => Command::Ask(Request::Reveal { offset: at }),
            Space::File => self.address(format!("offset={at:#x}")),
            Space::Memory(mm) => self.address_in(mm, at),
        };
        out.push(place);
    }

    /// Selects bytes of what is shown and brings them into view.
    pub(super) fn select(&mut self, offset: u64, len: u64, out: &mut Vec<Command>) {
        self.hex.selection = (offset, offset.saturating_add(len.max(1)));
        self.hex.cursor = offset;
        if self.hex.bring_into_view() {
            out.push(Command::ScrollHex(self.hex.px()));
        }
        self.ask_bytes(out);
    }

    /// Asks for the bytes in sight that are not there.
    pub(super) fn ask_bytes(&mut self, out: &mut Vec<Command>) {
        for (offset, len) in self.blocks.missing(&self.hex) {
            out.push(Command::Ask(Request::Bytes { space: self.hex.space, offset, len }));
        }
    }
}

/// What the view looks at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hex {
    /// File or memory.
    pub space: Space,
    /// First byte of it.
    pub start: u64,
    /// Bytes in it.
    pub len: u64,
    /// First row in sight, counted from the start.
    pub top: u64,
    /// Rows in sight.
    pub visible: u32,
    /// First byte selected, and the one behind the last.
    pub selection: (u64, u64),
    /// Byte with the cursor.
    pub cursor: u64,
    /// Where the scrollbar was put by us: its event says nothing new.
    pub(super) put: Option<f64>,
}

impl Hex {
    /// Rows in all.
    pub fn rows(&self) -> u64 {
        self.len.div_ceil(ROW)
    }

    /// Height of the scrolled element.
    pub fn height(&self) -> f64 {
        (self.rows() as f64 * ROW_PX).min(MAX_PX)
    }

    /// Whether a pixel of the scrollbar is more than its share of rows.
    pub fn is_scaled(&self) -> bool {
        self.rows() as f64 * ROW_PX > MAX_PX
    }

    /// Where the cursor is after so many bytes, which do not lead out of what is shown.
    pub fn moved(&self, by: i64) -> u64 {
        let last = self.start.saturating_add(self.len).saturating_sub(1).max(self.start);
        let to = i128::from(self.cursor) + i128::from(by);
        to.clamp(i128::from(self.start), i128::from(last)) as u64
    }

    /// Whether the byte can be shown.
    pub fn holds(&self, at: u64) -> bool {
        at >= self.start && at - self.start < self.len
    }

    /// Last row that may be the first in sight.
    pub fn last_top(&self) -> u64 {
        self.rows().saturating_sub(u64::from(self.visible.saturating_sub(2)))
    }

    /// Where the scrollbar has to be.
    pub fn px(&mut self) -> f64 {
        let view = f64::from(self.visible) * ROW_PX;
        let px = if self.is_scaled() {
            self.top as f64 / self.last_top().max(1) as f64 * (MAX_PX - view).max(0.0)
        } else {
            self.top as f64 * ROW_PX
        };
        self.put = Some(px);
        px
    }

    /// The scrollbar moved; whether other rows are in sight now.
    pub fn scrolled(&mut self, px: f64, height: f64) -> bool {
        if self.put.take().is_some_and(|put| (put - px).abs() < 2.0) {
            return false;
        }
        let top = if self.is_scaled() {
            (px / (MAX_PX - height).max(1.0) * self.last_top() as f64) as u64
        } else {
            (px / ROW_PX) as u64
        };
        let top = top.min(self.last_top());
        std::mem::replace(&mut self.top, top) != top
    }

    /// Moves by rows; whether other rows are in sight now.
    pub fn bring_into_view(&mut self) -> bool {
        let row = self.cursor.saturating_sub(self.start) / ROW;
        let visible = u64::from(self.visible.max(4));
        if row < self.top || row + 2 >= self.top + visible {
            self.top = row.saturating_sub(visible / 3).min(self.last_top());
            return true;
        }
        false
    }
}

#[derive(Debug)]
struct Block {
    space: Space,
    offset: u64,
    bytes: Vec<u8>,
    held: Vec<bool>,
}

/// Bytes held, the oldest dropped first.
#[derive(Debug, Default)]
pub struct Blocks {
    list: Vec<Block>,
    asked: Vec<(Space, u64)>,
}

impl Blocks {
    /// Blocks in sight that are neither held nor asked for: offset and length. They count as asked for now.
    pub fn missing(&mut self, hex: &Hex) -> Vec<(u64, u32)> {
        let first = hex.start.saturating_add(hex.top.saturating_mul(ROW));
        let bytes = u64::from(hex.visible.max(1)) * ROW;
        let end = hex.start.saturating_add(hex.len);
        let last = first.saturating_add(bytes).min(end.saturating_sub(1));
        let mut out = Vec::new();
        if hex.len == 0 || first > last {
            return out;
        }
        for block in first / BLOCK..=last / BLOCK {
            let offset = block * BLOCK;
            let known = self.list.iter().any(|block| (block.space, block.offset) == (hex.space, offset));
            if !known && !self.asked.contains(&(hex.space, offset)) {
                self.asked.push((hex.space, offset));
                out.push((offset, BLOCK as u32));
            }
        }
        out
    }

    /// Takes an answer.
    pub fn take(&mut self, space: Space, offset: u64, bytes: Vec<u8>, held: Vec<bool>) {
        self.asked.retain(|asked| *asked != (space, offset));
        if self.list.len() >= MAX_BLOCKS {
            self.list.remove(0);
        }
        self.list.push(Block { space, offset, bytes, held });
    }

    /// A byte: `None` when it is on its way, `Some(None)` when the image does not hold it.
    pub fn byte(&self, space: Space, at: u64) -> Option<Option<u8>> {
        let of = |block: &&Block| block.space == space && at >= block.offset && at - block.offset < BLOCK;
        let block = self.list.iter().rev().find(of)?;
        let from = (at - block.offset) as usize;
        let is_held = block.held.get(from / 4096).copied().unwrap_or(false);
        Some(if is_held { block.bytes.get(from).copied() } else { None })
    }
}
