//! The memory of the chosen process: its areas, and the strip that shows them to scale.

use super::{Command, Hex, State, Zoom};
use crate::proto::{Area, Map, Request, Space};

/// Column by which areas are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortBy {
    /// First address.
    #[default]
    Address,
    /// Length.
    Size,
    /// Bytes in the image.
    Stored,
    /// Name.
    Name,
}

/// This part of the state.
#[derive(Debug, Default)]
pub struct Memory {
    /// The areas, once they came.
    pub map: Option<Map>,
    /// Whether the strip is logarithmic.
    pub log: bool,
    /// How the areas are sorted.
    pub sort: SortBy,
    /// What is typed to find some.
    pub filter: String,
    /// First one in sight.
    pub top: u32,
    /// Part of the strip that is shown: where it starts and how long it is, as shares of the whole.
    pub zoom: Zoom,
    /// The areas that are listed, in their order, by their places in the map.
    pub listed: Vec<u32>,
    /// Where each area starts on the strip, and where the last one ends, as shares of the whole.
    pub starts: Vec<f64>,
    /// Bytes mapped, resident, stored, zero and from files.
    pub sums: [u64; 5],
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Goes to an address.
    Address {
        /// Object of the memory.
        mm: u32,
        /// Where.
        address: u64,
    },
    /// Selects so many bytes there.
    SelectAt {
        /// Object of the memory.
        mm: u32,
        /// Where.
        address: u64,
        /// How many.
        len: u64,
    },
    /// Makes the strip logarithmic or linear.
    Log(bool),
    /// Sorts the areas.
    Sort(SortBy),
    /// Shows those with this in their words.
    Filter(String),
    /// The areas were scrolled.
    Scrolled(u32),
    /// Zooms by this factor around a share of the strip.
    Zoom {
        /// How many times larger.
        factor: f64,
        /// What stays where it is.
        around: f64,
    },
    /// Moves the strip by a share of what is shown.
    Move(f64),
    /// Shows this part of the strip.
    Show(Zoom),
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    let memory = &mut state.memory;
    match action {
        Action::Address { mm, address } => {
            state.places.jumped = true;
            state.show_address(mm, address, 1, out);
        }
        Action::SelectAt { mm, address, len } => {
            state.places.jumped = true;
            state.show_address(mm, address, len, out);
        }
        Action::Log(log) => {
            memory.log = log;
            memory.lay_out();
        }
        Action::Sort(by) => {
            (memory.sort, memory.top) = (by, 0);
            memory.list();
        }
        Action::Filter(text) => {
            (memory.filter, memory.top) = (text, 0);
            memory.list();
        }
        Action::Scrolled(top) => memory.top = top,
        Action::Zoom { factor, around } => memory.zoom = memory.zoom.by(factor, around),
        Action::Move(by) => memory.zoom = memory.zoom.moved(by),
        Action::Show(zoom) => memory.zoom = zoom.by(1.0, 0.5),
    }
}

/// The areas of a process came. Those that were asked for before another was chosen are late.
pub(super) fn came(state: &mut State, map: Map, out: &mut Vec<Command>) {
    if state.chosen().is_some_and(|task| task.mm != map.mm) {
        return;
    }
    let known = state.memory.map.as_ref().filter(|known| known.mm == map.mm);
    match known {
        Some(known) if known.whole && !map.whole => return,
        Some(_) => {}
        None => state.memory.zoom = Zoom::default(),
    }
    if !map.whole {
        out.push(Command::Ask(Request::Map { mm: map.mm, whole: true }));
    }
    state.memory.map = Some(map);
    state.memory.list();
    state.memory.lay_out();
    state.widen(out);
}

impl Memory {
    /// Lists the areas anew. Only here, because there may be tens of thousands and the page is drawn at every step.
    fn list(&mut self) {
        let areas = self.map.as_ref().map(|map| map.areas.as_slice()).unwrap_or_default();
        let wanted: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let fits = |area: &Area| {
            wanted.iter().all(|word| {
                [&area.prot, &area.kind, &area.name].into_iter().any(|text| holds(text, word))
                    || is_address(word) && format!("{:#x}", area.start).contains(word.as_str())
            })
        };
        let mut listed: Vec<u32> =
            areas.iter().zip(0u32..).filter(|(area, _)| fits(area)).map(|(_, at)| at).collect();
        let area = |at: &u32| areas.get(*at as usize);
        match self.sort {
            SortBy::Address => {}
            SortBy::Size => listed.sort_by_key(|at| std::cmp::Reverse(area(at).map(|it| it.end - it.start))),
            SortBy::Stored => listed.sort_by_key(|at| std::cmp::Reverse(area(at).map(|it| it.stored))),
            SortBy::Name => {
                listed.sort_by(|a, b| area(a).map(|it| &it.name).cmp(&area(b).map(|it| &it.name)))
            }
        }
        self.listed = listed;
    }

    /// Lays the strip out: every area as wide as it is long, or as its logarithm.
    fn lay_out(&mut self) {
        let areas = self.map.as_ref().map(|map| map.areas.as_slice()).unwrap_or_default();
        let weight = |area: &Area| {
            let len = (area.end - area.start) as f64;
            if self.log { (len / 4096.0 + 1.0).log2().max(1.0) } else { len }
        };
        let total: f64 = areas.iter().map(weight).sum::<f64>().max(1.0);
        let mut at = 0.0;
        let starts = std::iter::once(0.0).chain(areas.iter().map(|area| {
            at += weight(area) / total;
            at
        }));
        self.starts = starts.collect();
        let of: [fn(&Area) -> u64; 5] =
            [|it| it.end - it.start, |it| it.resident, |it| it.stored, |it| it.zero, |it| it.from_file];
        self.sums = of.map(|of| areas.iter().fold(0u64, |sum, area| sum.saturating_add(of(area))));
    }

    /// The area that the address lies in, by its place in the map.
    pub fn area_at(&self, mm: u32, address: u64) -> Option<(usize, &Area)> {
        let map = self.map.as_ref().filter(|map| map.mm == mm)?;
        let at = map.areas.partition_point(|area| area.start <= address).checked_sub(1)?;
        map.areas.get(at).filter(|area| address < area.end).map(|area| (at, area))
    }
}

/// Whether the text has the word in whatever case; the word is in lower case.
fn holds(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len().max(1)).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

fn is_address(word: &str) -> bool {
    word.trim_start_matches("0x").bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl State {
    /// Shows memory in the hex view.
    pub(super) fn show_address(&mut self, mm: u32, address: u64, len: u64, out: &mut Vec<Command>) {
        self.choose_memory(mm, out);
        let visible = self.hex.visible;
        // Until the map is there: a few pages around the address.
        let around = || (address & !0xfff, 0x4000u64.min((address & !0xfff).wrapping_neg().max(1)));
        let (start, length) = self.area(mm, address).unwrap_or_else(around);
        self.hex = Hex { space: Space::Memory(mm), start, len: length, visible, ..Hex::default() };
        self.select(address, len, out);
        self.miss(mm);
        let command = self.address_in(mm, address);
        out.push(command);
    }

    /// First byte and length of the area that the address lies in, if its map is there.
    fn area(&self, mm: u32, address: u64) -> Option<(u64, u64)> {
        let (_, area) = self.memory.area_at(mm, address)?;
        Some((area.start, area.end - area.start))
    }

    /// The task whose memory is looked at is the one that is chosen.
    fn choose_memory(&mut self, mm: u32, out: &mut Vec<Command>) {
        if let Some(id) = self.owner(mm).map(|task| task.id) {
            self.choose(id);
        }
        self.ask_task(out);
    }

    /// The map came: the hex view shows the whole area from now on.
    fn widen(&mut self, out: &mut Vec<Command>) {
        let Space::Memory(mm) = self.hex.space else { return };
        match self.area(mm, self.hex.cursor) {
            Some((start, len)) if (start, len) != (self.hex.start, self.hex.len) => {
                (self.hex.start, self.hex.len, self.hex.top) = (start, len, u64::MAX);
                self.hex.bring_into_view();
                out.push(Command::ScrollHex(self.hex.px()));
                self.ask_bytes(out);
            }
            None => self.miss(mm),
            _ => {}
        }
    }

    /// Says so if the map is there and no area of it has the address that was gone to.
    fn miss(&mut self, mm: u32) {
        let is_known = self.memory.map.as_ref().is_some_and(|map| map.mm == mm);
        if is_known && self.area(mm, self.hex.cursor).is_none() {
            let whose = self.owner(mm).map_or(String::new(), |task| format!(" of process {}", task.pid));
            self.fail(format!("nothing is mapped at {:#x} in the memory{whose}", self.hex.cursor));
        }
    }
}
