//! What the page knows, and how it changes: every action gives a new state and a list of commands. No web types.

mod hex;
mod reply;
mod tree;
mod zoom;

pub use hex::{Blocks, Hex, ROW, ROW_PX};
pub use tree::{Scroll, TREE_ROW_PX};
pub use zoom::Zoom;

use crate::proto::{Comparison, Hit, Map, Opened, Process, Record, Request, Row, Scope, Space, Task};
use crate::text::{Pattern, Place, Whose};

/// Rows of the tree that are asked for beyond the visible ones, on both sides.
const MARGIN: u32 = 40;

/// What fills the middle of the page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tab {
    /// The record and its fields.
    #[default]
    Record,
    /// Processes.
    Tasks,
    /// Memory of a task.
    Memory,
    /// Descriptors of a task.
    Files,
    /// Signals, timers, limits.
    Signals,
    /// Search.
    Search,
    /// Another image beside this one.
    Compare,
}

impl Tab {
    /// All, in order, by name.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Record, "Record"),
        (Self::Tasks, "Processes"),
        (Self::Memory, "Memory"),
        (Self::Files, "Descriptors"),
        (Self::Signals, "Signals"),
        (Self::Search, "Search"),
        (Self::Compare, "Compare"),
    ];
}

/// An image of the gallery.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
pub struct Example {
    /// Name without ending.
    pub name: String,
    /// Kernel that is to restart it.
    pub kernel: String,
    /// What its `sys_restart` returns.
    pub ret: i64,
    /// What it is an example of.
    pub why: String,
    /// The bytes, in base64.
    pub image: String,
}

/// A search and what it found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Searching {
    /// What is typed.
    pub text: String,
    /// How to read it.
    pub pattern: Pattern,
    /// Where to look.
    pub scope: Scope,
    /// What is wrong with the text.
    pub wrong: Option<&'static str>,
    /// Bytes done and in all, while it runs.
    pub running: Option<(u64, u64)>,
    /// Whether one has run.
    pub ran: bool,
    /// Found so far.
    pub hits: Vec<Hit>,
    /// First one in sight.
    pub top: u32,
    /// Least length of the strings that are listed.
    pub least: u32,
}

/// Strings shorter than this are mostly chance; strings(1) takes the same.
pub const LEAST: u32 = 4;

/// A region that is being saved in pieces.
#[derive(Debug, Clone, PartialEq)]
pub struct Saving {
    /// Name of the file.
    pub name: String,
    /// File or memory.
    pub space: Space,
    /// Where it starts.
    pub start: u64,
    /// What is asked for next.
    pub at: u64,
    /// Behind its last byte.
    pub end: u64,
}

/// Bytes of a region that are saved at the most: the browser keeps them until it has all.
const MAX_SAVED: u64 = 4 << 30;
/// Bytes asked for at a time.
const PIECE: u64 = 16 << 20;

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

/// All of it.
#[derive(Debug, Default)]
#[allow(missing_docs)] // The views name what they show.
pub struct State {
    pub ready: bool,
    pub opening: Option<String>,
    pub image: Option<Opened>,
    pub gallery: Option<Vec<Example>>,
    pub gallery_open: bool,
    pub gallery_filter: String,
    pub recent: Vec<String>,
    pub tab: Tab,
    pub rows_first: u32,
    pub rows: Vec<Row>,
    pub rows_total: u32,
    pub tree_top: u32,
    pub tree_visible: u32,
    pub record: Option<Record>,
    pub hex: Hex,
    pub blocks: Blocks,
    pub task_id: u32,
    pub task: Option<Task>,
    /// Thread whose registers are shown, by its place in the list.
    pub thread: usize,
    /// First process, thread and descriptor in sight.
    pub tasks_top: u32,
    pub threads_top: u32,
    pub fds_top: u32,
    pub map: Option<Map>,
    pub map_log: bool,
    pub map_sort: SortBy,
    pub map_filter: String,
    /// First area in sight.
    pub map_top: u32,
    /// Part of the strip that is shown: where it starts and how long it is, as shares of the whole.
    pub map_zoom: Zoom,
    pub saving: Option<Saving>,
    pub search: Searching,
    pub comparison: Option<Comparison>,
    /// Bytes of memory compared and in all, while it runs.
    pub comparing: Option<(u64, u64)>,
    /// Extents looked at and in all, while an image that was opened by its index is judged.
    pub checking: Option<(u64, u64)>,
    pub verifying: Option<(u64, u64)>,
    pub findings_open: bool,
    pub error: Option<String>,
    pub crashed: Option<String>,
    pub help: bool,
    pub dark: Option<bool>,
    pub dragging: bool,
    pub place: Option<Place>,
    /// Whether the next place in the address is one to come back to.
    pub jumped: bool,
    /// Byte whose selection stands whatever record it turns out to lie in.
    pub pinned: Option<u64>,
    /// What is read out to those who do not see the page.
    pub said: String,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Action {
    Replied(crate::proto::Reply, Vec<u8>),
    Open {
        name: String,
        kernel: Option<String>,
        url: Option<String>,
    },
    Fragment(String),
    Gallery(Vec<Example>),
    ToggleGallery,
    FilterGallery(String),
    Kernel(String),
    Verify,
    TreeScrolled {
        top: u32,
        visible: u32,
    },
    TreeMove(i64),
    Fold {
        node: u32,
        open: bool,
    },
    FoldSelected(bool),
    GoTo(u64),
    Tab(Tab),
    TabMove(i32),
    Task(u32),
    /// Chooses the process so many rows further down in the tree.
    TaskMove(i32),
    Thread(usize),
    TasksScrolled(u32),
    ThreadsScrolled(u32),
    FdsScrolled(u32),
    Address {
        mm: u32,
        address: u64,
    },
    /// Selects so many bytes there.
    SelectAt {
        mm: u32,
        address: u64,
        len: u64,
    },
    File,
    HexScrolled {
        px: f64,
        height: f64,
    },
    HexResized {
        rows: u32,
    },
    HexWheel(i64),
    HexMove(i64),
    /// Moves the cursor and selects what it passes.
    HexExtend(i64),
    HexJump(String),
    HexPick {
        at: u64,
        extend: bool,
    },
    Select {
        offset: u64,
        len: u64,
    },
    MapLog(bool),
    MapSort(SortBy),
    MapFilter(String),
    MapScrolled(u32),
    /// Zooms by this factor around a share of the strip.
    MapZoom {
        factor: f64,
        around: f64,
    },
    /// Moves the strip by a share of what is shown.
    MapMove(f64),
    /// Shows this part of the strip.
    MapShow(Zoom),
    SearchText(String),
    SearchPattern(Pattern),
    SearchScope(Scope),
    Search,
    SearchCancel,
    SearchLeast(String),
    SearchScrolled(u32),
    /// Lists the strings of a region.
    Strings {
        space: Space,
        start: u64,
        len: u64,
    },
    Compare(String),
    CompareCancel,
    Export,
    SaveSelection,
    SaveArea {
        mm: u32,
        start: u64,
        len: u64,
    },
    SaveCancel,
    Findings(bool),
    Help(bool),
    Dark(Option<bool>),
    Dragging(bool),
    Failed(String),
    Dismiss,
    Recent(Vec<String>),
}

/// What the browser is to do then.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Ask the worker.
    Ask(Request),
    /// Ask the worker and attach the file that was just chosen.
    Attach(Request),
    /// Scroll the hex view so far down.
    ScrollHex(f64),
    /// Bring a row of the tree into view.
    ScrollTree(u32),
    /// Bring a row of a long list into view.
    ShowRow {
        /// Id of its element.
        list: &'static str,
        /// The row.
        row: u32,
    },
    /// Put the place into the address: as one to come back to, or in place of the last one.
    Address {
        /// What stands behind `#`.
        place: String,
        /// Whether Back is to lead here.
        push: bool,
    },
    /// Keep a piece of what is being saved, at its start or behind the last one.
    Keep {
        /// Whether it is the first.
        first: bool,
        /// Contents.
        bytes: Vec<u8>,
    },
    /// Hand the kept pieces to the person as a file of this name.
    Deliver(String),
    /// Hand a file to the person.
    Download {
        /// Name of it.
        name: String,
        /// MIME type.
        mime: String,
        /// Contents.
        bytes: Vec<u8>,
    },
    /// Fetch the gallery.
    LoadGallery,
    /// Show dark, light, or as the system wishes.
    Theme(Option<bool>),
    /// Remember the names of recent files.
    Remember(Vec<String>),
}

impl State {
    /// Changes the state.
    pub fn reduce(&mut self, action: Action) -> Vec<Command> {
        let mut out = Vec::new();
        match action {
            Action::Replied(reply, bytes) => self.replied(reply, bytes, &mut out),
            Action::Open { name, kernel, url } => {
                let dark = self.dark;
                let (gallery, gallery_open) = (self.gallery.take(), self.gallery_open);
                let mut recent = std::mem::take(&mut self.recent);
                recent.retain(|known| *known != name);
                recent.insert(0, name.clone());
                recent.truncate(6);
                let place = self.place.take();
                let (visible, filter) = (self.tree_visible, std::mem::take(&mut self.gallery_filter));
                let hex = Hex { visible: self.hex.visible, ..Hex::default() };
                *self = Self {
                    ready: self.ready,
                    opening: Some(name.clone()),
                    recent: recent.clone(),
                    gallery,
                    gallery_open,
                    gallery_filter: filter,
                    dark,
                    place,
                    hex,
                    tree_visible: visible,
                    ..Self::default()
                };
                out.push(Command::Remember(recent));
                out.push(match url {
                    Some(_) => Command::Ask(Request::Open { name, kernel, url }),
                    None => Command::Attach(Request::Open { name, kernel, url }),
                });
            }
            Action::Fragment(text) => {
                self.place = Place::parse(&text);
                self.go_to_place(&mut out);
                // Coming back to a place is no new one.
                self.jumped = false;
            }
            Action::Gallery(list) => self.gallery = Some(list),
            Action::ToggleGallery => {
                self.gallery_open = !self.gallery_open;
                if self.gallery_open && self.gallery.is_none() {
                    out.push(Command::LoadGallery);
                }
            }
            Action::FilterGallery(text) => self.gallery_filter = text,
            Action::Kernel(text) => {
                out.push(Command::Ask(Request::Judge { kernel: Some(text).filter(|text| !text.is_empty()) }));
            }
            Action::Verify => {
                self.verifying = Some((0, 1));
                out.push(Command::Ask(Request::Verify));
            }
            Action::TreeScrolled { top, visible } => {
                self.tree_top = top;
                self.tree_visible = visible.max(1);
                self.ask_rows(false, &mut out);
            }
            Action::TreeMove(by) => {
                let row = self.record.as_ref().map_or(0, |record| record.row);
                let row =
                    i64::from(row).saturating_add(by).clamp(0, i64::from(self.rows_total.max(1) - 1)) as u32;
                match self.row(row).map(|row| row.offset) {
                    Some(offset) => out.push(Command::Ask(Request::Reveal { offset })),
                    // One that the page does not have is selected all the same; the tree scrolls to it then.
                    None => out.push(Command::Ask(Request::RevealRow { row })),
                }
            }
            Action::Fold { node, open } => {
                out.push(Command::Ask(Request::Fold { node, open }));
                self.ask_rows(true, &mut out);
            }
            Action::FoldSelected(open) => {
                if let Some(record) = &self.record {
                    let (node, row) = (record.node, self.row(record.row));
                    let owner = record.owners.last().map(|owner| owner.1);
                    match (row.and_then(|row| row.open), owner) {
                        (Some(is_open), _) if is_open != open => {
                            return self.reduce(Action::Fold { node, open });
                        }
                        (Some(true), _) if open => return self.reduce(Action::TreeMove(1)),
                        (_, Some(offset)) if !open => out.push(Command::Ask(Request::Reveal { offset })),
                        _ => {}
                    }
                }
            }
            Action::GoTo(offset) => {
                self.jumped = true;
                self.pinned = None;
                self.show_file();
                out.push(Command::Ask(Request::Reveal { offset }));
            }
            Action::Tab(tab) => self.show_tab(tab, &mut out),
            Action::TabMove(by) => {
                let at = Tab::ALL.iter().position(|(tab, _)| *tab == self.tab).unwrap_or(0) as i32;
                let to = (at + by).rem_euclid(Tab::ALL.len() as i32) as usize;
                if let Some((tab, _)) = Tab::ALL.get(to) {
                    self.show_tab(*tab, &mut out);
                }
            }
            Action::Task(id) => {
                self.choose(id);
                self.ask_task(&mut out);
            }
            Action::TaskMove(by) => {
                let tasks: Vec<u32> = self.processes().map(|task| task.id).collect();
                let at = tasks.iter().position(|id| *id == self.task_id).unwrap_or(0) as i32;
                let to = at.saturating_add(by).clamp(0, (tasks.len() as i32 - 1).max(0));
                if let Some(id) = tasks.get(to as usize) {
                    self.choose(*id);
                    self.said =
                        self.chosen().map_or(String::new(), |task| format!("{} {}", task.pid, task.comm));
                    self.show_process(&mut out);
                    self.ask_task(&mut out);
                }
            }
            Action::Thread(at) => self.thread = at,
            Action::TasksScrolled(top) => self.tasks_top = top,
            Action::ThreadsScrolled(top) => self.threads_top = top,
            Action::FdsScrolled(top) => self.fds_top = top,
            Action::Address { mm, address } => {
                self.jumped = true;
                self.show_address(mm, address, 1, &mut out);
            }
            Action::SelectAt { mm, address, len } => {
                self.jumped = true;
                self.show_address(mm, address, len, &mut out);
            }
            Action::File => {
                self.show_file();
                self.hex.top = self.hex.cursor / 16;
                out.push(Command::ScrollHex(self.hex.px()));
                self.ask_bytes(&mut out);
            }
            Action::HexScrolled { px, height } => {
                if self.hex.scrolled(px, height) {
                    self.ask_bytes(&mut out);
                }
            }
            Action::HexResized { rows } => {
                self.hex.visible = rows.clamp(1, 400);
                self.ask_bytes(&mut out);
            }
            Action::HexWheel(rows) => {
                self.hex.top = self.hex.top.saturating_add_signed(rows).min(self.hex.last_top());
                out.push(Command::ScrollHex(self.hex.px()));
                self.ask_bytes(&mut out);
            }
            Action::HexMove(by) => self.pick(self.hex.moved(by), false, &mut out),
            Action::HexExtend(by) => {
                self.pick(self.hex.moved(by), true, &mut out);
                if self.hex.bring_into_view() {
                    out.push(Command::ScrollHex(self.hex.px()));
                }
                self.ask_bytes(&mut out);
            }
            Action::HexJump(text) => match crate::text::number(&text) {
                Some(at) if self.hex.holds(at) => {
                    self.jumped = true;
                    self.pick(at, false, &mut out);
                }
                Some(_) => self.error = Some(format!("{text} lies outside of what the hex view shows")),
                None => self.error = Some("write a number, such as 264 or 0x108".into()),
            },
            Action::HexPick { at, extend } => self.pick(at, extend, &mut out),
            Action::Select { offset, len } => {
                self.show_file();
                self.pinned = Some(offset);
                self.select(offset, len, &mut out);
            }
            Action::MapLog(log) => self.map_log = log,
            Action::MapSort(by) => self.map_sort = by,
            Action::MapFilter(text) => self.map_filter = text,
            Action::MapScrolled(top) => self.map_top = top,
            Action::MapZoom { factor, around } => self.map_zoom = self.map_zoom.by(factor, around),
            Action::MapMove(by) => self.map_zoom = self.map_zoom.moved(by),
            Action::MapShow(zoom) => self.map_zoom = zoom.by(1.0, 0.5),
            Action::SearchText(text) => self.search.text = text,
            Action::SearchPattern(pattern) => self.search.pattern = pattern,
            Action::SearchScope(scope) => self.search.scope = scope,
            Action::SearchLeast(text) => {
                self.search.least = text.trim().parse().unwrap_or(LEAST).clamp(1, 1 << 20);
            }
            Action::SearchScrolled(top) => self.search.top = top,
            Action::Strings { space, start, len } => {
                self.search.pattern = Pattern::Strings;
                self.search.text.clear();
                self.show_tab(Tab::Search, &mut out);
                self.list_strings(space, start, len, &mut out);
            }
            Action::Search if self.search.pattern == Pattern::Strings => {
                self.list_strings(self.hex.space, self.hex.start, self.hex.len, &mut out);
            }
            Action::Search => match self.search.pattern.bytes(&self.search.text) {
                Ok(pattern) => {
                    let text =
                        Some(self.search.text.clone()).filter(|_| self.search.pattern == Pattern::Text);
                    self.begin_search();
                    out.push(Command::Ask(Request::Search { pattern, text, scope: self.search.scope }));
                }
                Err(wrong) => self.search.wrong = Some(wrong),
            },
            Action::SearchCancel => self.search.running = None,
            Action::Compare(name) => {
                self.comparing = Some((0, 1));
                self.comparison = None;
                self.tab = Tab::Compare;
                out.push(Command::Attach(Request::Compare { name }));
            }
            Action::CompareCancel => self.comparing = None,
            Action::Export => out.push(Command::Ask(Request::Export)),
            Action::SaveSelection => {
                let (offset, end) = self.hex.selection;
                self.save(self.hex.space, offset, end.saturating_sub(offset), &mut out);
            }
            Action::SaveArea { mm, start, len } => self.save(Space::Memory(mm), start, len, &mut out),
            Action::SaveCancel => self.saving = None,
            Action::Findings(open) => self.findings_open = open,
            Action::Help(open) => self.help = open,
            Action::Dark(dark) => {
                self.dark = dark;
                out.push(Command::Theme(dark));
            }
            Action::Dragging(dragging) => self.dragging = dragging,
            Action::Failed(message) => {
                self.opening = None;
                self.error = Some(message);
            }
            Action::Dismiss => self.error = None,
            Action::Recent(names) => self.recent = names,
        }
        out
    }

    /// How the tree scrolls.
    pub fn tree_scroll(&self) -> Scroll {
        Scroll { rows: self.rows_total, visible: self.tree_visible }
    }

    /// The row with this number, if the page has it.
    pub fn row(&self, row: u32) -> Option<&Row> {
        self.rows.get(row.checked_sub(self.rows_first)? as usize)
    }

    fn begin_search(&mut self) {
        let search = &mut self.search;
        (search.wrong, search.ran, search.running, search.top) = (None, true, Some((0, 1)), 0);
        search.hits.clear();
    }

    fn list_strings(&mut self, space: Space, start: u64, len: u64, out: &mut Vec<Command>) {
        self.begin_search();
        let (text, least) = (self.search.text.clone(), self.search.least.max(1));
        let least = if self.search.least == 0 { LEAST } else { least };
        out.push(Command::Ask(Request::Strings { space, start, len, least, text }));
    }

    fn save(&mut self, space: Space, start: u64, len: u64, out: &mut Vec<Command>) {
        if len > MAX_SAVED {
            self.error = Some("more than 4 GiB are not saved in one piece; select a part of it".into());
            return;
        }
        let end = start.saturating_add(len);
        let name = match space {
            Space::File => format!("{start:#x}-{end:#x}.bin"),
            Space::Memory(mm) => match self.owner(mm) {
                Some(process) => format!("memory-of-{}-{start:#x}-{end:#x}.bin", process.pid),
                None => format!("memory-{mm}-{start:#x}-{end:#x}.bin"),
            },
        };
        self.saving = Some(Saving { name, space, start, at: start, end });
        self.ask_piece(out);
    }

    fn ask_piece(&self, out: &mut Vec<Command>) {
        if let Some(Saving { space, at, end, .. }) = &self.saving {
            out.push(Command::Ask(Request::Save { space: *space, offset: *at, len: (end - at).min(PIECE) }));
        }
    }

    /// The address of this page with the place in it.
    fn address(&mut self, place: String) -> Command {
        Command::Address { place, push: std::mem::take(&mut self.jumped) }
    }

    /// The same for an address in memory.
    fn address_in(&mut self, mm: u32, address: u64) -> Command {
        let first = self.processes().map(|task| task.mm).find(|mm| *mm != 0);
        let of = match self.owner(mm) {
            _ if first == Some(mm) => String::new(),
            Some(process) => format!("&pid={}", process.pid),
            None => format!("&mm={mm}"),
        };
        self.address(format!("vaddr={address:#x}{of}"))
    }

    fn processes(&self) -> impl Iterator<Item = &Process> + Clone {
        self.image.iter().flat_map(|image| &image.tasks)
    }

    /// The process whose memory this object is: the chosen one if it is its, too.
    pub fn owner(&self, mm: u32) -> Option<&Process> {
        let mut owners = self.processes().filter(|task| mm != 0 && task.mm == mm);
        owners.clone().find(|task| task.id == self.task_id).or_else(|| owners.next())
    }

    /// The process that is chosen.
    pub fn chosen(&self) -> Option<&Process> {
        self.processes().find(|task| task.id == self.task_id)
    }

    /// Brings the chosen process into view where the tree is drawn.
    fn show_process(&self, out: &mut Vec<Command>) {
        if let Some(row) = self.processes().position(|task| task.id == self.task_id) {
            out.push(Command::ShowRow { list: "processes", row: row as u32 });
        }
    }

    fn choose(&mut self, id: u32) {
        if self.task_id != id {
            (self.task_id, self.task, self.map) = (id, None, None);
            (self.thread, self.threads_top, self.fds_top, self.map_top) = (0, 0, 0, 0);
        }
    }

    fn ask_rows(&self, always: bool, out: &mut Vec<Command>) {
        let first = self.tree_top.saturating_sub(MARGIN);
        let count = self.tree_visible + 2 * MARGIN;
        let wanted_end = (self.tree_top + self.tree_visible).min(self.rows_total);
        let has_end = self.rows_first + self.rows.len() as u32;
        if always || self.tree_top < self.rows_first || wanted_end > has_end {
            out.push(Command::Ask(Request::Tree { first, count }));
        }
    }

    fn ask_task(&self, out: &mut Vec<Command>) {
        if let Some(task) = self.chosen() {
            if self.task.is_none() {
                out.push(Command::Ask(Request::Task { id: task.id }));
            }
            if self.map.is_none() && task.mm != 0 {
                out.push(Command::Ask(Request::Map { mm: task.mm }));
            }
        }
    }

    fn show_tab(&mut self, tab: Tab, out: &mut Vec<Command>) {
        self.tab = tab;
        if matches!(tab, Tab::Tasks | Tab::Memory | Tab::Files | Tab::Signals) {
            self.ask_task(out);
        }
        if tab == Tab::Tasks {
            self.tasks_top = 0;
            self.show_process(out);
        }
    }

    fn show_file(&mut self) {
        if self.hex.space != Space::File {
            let len = self.image.as_ref().map_or(0, |image| image.size);
            let visible = self.hex.visible;
            let cursor = self.record.as_ref().map_or(0, |record| record.offset);
            self.hex = Hex { len, visible, cursor, selection: (cursor, cursor), ..Hex::default() };
        }
    }

    fn show_address(&mut self, mm: u32, address: u64, len: u64, out: &mut Vec<Command>) {
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
        let mut areas = self.map.iter().filter(|map| map.mm == mm).flat_map(|map| &map.areas);
        let area = areas.find(|area| (area.start..area.end).contains(&address))?;
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
        let is_known = self.map.as_ref().is_some_and(|map| map.mm == mm);
        if is_known && self.area(mm, self.hex.cursor).is_none() {
            let whose = self.owner(mm).map_or(String::new(), |task| format!(" of process {}", task.pid));
            self.error = Some(format!("nothing is mapped at {:#x} in the memory{whose}", self.hex.cursor));
        }
    }

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
        self.pinned = Some(at);
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

    fn select(&mut self, offset: u64, len: u64, out: &mut Vec<Command>) {
        self.hex.selection = (offset, offset.saturating_add(len.max(1)));
        self.hex.cursor = offset;
        if self.hex.bring_into_view() {
            out.push(Command::ScrollHex(self.hex.px()));
        }
        self.ask_bytes(out);
    }

    fn ask_bytes(&mut self, out: &mut Vec<Command>) {
        for (offset, len) in self.blocks.missing(&self.hex) {
            out.push(Command::Ask(Request::Bytes { space: self.hex.space, offset, len }));
        }
    }

    fn go_to_place(&mut self, out: &mut Vec<Command>) {
        let Some(image) = self.image.as_ref() else { return };
        match self.place.take() {
            Some(Place::Offset(offset)) => out.extend(self.reduce(Action::GoTo(offset))),
            Some(Place::Record(record)) => {
                out.push(Command::Ask(Request::RevealRecord { record }));
            }
            Some(Place::Address(address, whose)) => {
                let mut with_memory = image.tasks.iter().filter(|task| task.mm != 0);
                let found = match whose {
                    None => with_memory.next().map(|task| (task.mm, Some(task.id))),
                    Some(Whose::Pid(pid)) => {
                        with_memory.find(|task| task.pid == pid).map(|task| (task.mm, Some(task.id)))
                    }
                    Some(Whose::Object(mm)) => Some((mm, None)),
                };
                match (found, whose) {
                    (Some((mm, task)), _) => {
                        task.into_iter().for_each(|id| self.choose(id));
                        self.show_address(mm, address, 1, out);
                    }
                    (None, Some(Whose::Pid(pid))) => {
                        self.error = Some(format!(
                            "the link leads into the memory of process {pid}, which this image does not hold"
                        ));
                    }
                    (None, _) => {
                        self.error = Some("the link leads into memory, and this image holds none".into())
                    }
                }
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
