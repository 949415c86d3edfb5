//! What the page asks the worker, and what it answers. Messages travel as JSON text, so that 64-bit numbers stay
//! whole; a file goes along as a handle, bytes as a buffer.
#![allow(missing_docs)] // The fields are what the page shows under the same names.

use crate::needle::Needle;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// Bytes of the file, or of the memory of an object by address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Space {
    #[default]
    File,
    /// Memory of the object with this id.
    Memory(u32),
}

/// Where to search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Contents of pages, decoded.
    #[default]
    Pages,
    /// Records without contents: their bytes, and what their fields say.
    Records,
    /// Bytes of the file as they stand.
    File,
}

/// A part of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    pub mm: u32,
    pub start: u64,
    /// Address behind it.
    pub end: u64,
}

/// Where the person is who wants to go somewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Here {
    pub space: Space,
    pub cursor: u64,
    /// First byte and length of what the hex view shows.
    pub start: u64,
    pub len: u64,
    /// The chosen process.
    pub task: u32,
}

impl Here {
    /// Whether the hex view shows this byte.
    pub fn holds(&self, at: u64) -> bool {
        at >= self.start && at - self.start < self.len
    }

    /// A byte of what the hex view shows.
    pub fn target(&self, at: u64) -> Target {
        match self.space {
            Space::File => Target::Offset(at),
            Space::Memory(mm) => Target::Memory { mm, address: at },
        }
    }
}

/// Where a wish leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A byte of the file.
    Offset(u64),
    /// The record that starts at this byte.
    Record(u64),
    /// An address.
    Memory { mm: u32, address: u64 },
}

impl Target {
    /// Where that is.
    pub fn space(self) -> Space {
        match self {
            Self::Offset(_) | Self::Record(_) => Space::File,
            Self::Memory { mm, .. } => Space::Memory(mm),
        }
    }
}

/// What a wish can mean.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readings {
    /// The wish as it was written.
    pub text: String,
    /// The likeliest first.
    pub list: Vec<Reading>,
    /// Whether the person has to say which one.
    pub ask: bool,
    /// Why there is none.
    pub wrong: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    pub words: String,
    pub target: Target,
}

/// A question. Those with a file have it attached, unless they name an address to read it from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Opens the attached file, judged against this kernel, or the image's own.
    Open { name: String, kernel: Option<String>, url: Option<String> },
    /// Judges again.
    Judge { kernel: Option<String> },
    /// Goes on with the judgement of an image that was opened by its index.
    Check,
    /// Starts to check the contents of pages too.
    Verify,
    /// Goes on with it.
    VerifyStep,
    /// Visible rows of the tree.
    Tree { first: u32, count: u32 },
    /// Folds or unfolds a node.
    Fold { node: u32, open: bool },
    /// Selects the record that holds this byte.
    Reveal { offset: u64 },
    /// Selects a record by its place in the file, counted from 0.
    RevealRecord { record: u32 },
    /// Selects the record in this visible row of the tree.
    RevealRow { row: u32 },
    /// What this leads to, seen from here.
    GoTo { text: String, here: Here },
    /// Bytes in blocks of pages.
    Bytes { space: Space, offset: u64, len: u32 },
    /// All about a task, by its object.
    Task { id: u32 },
    /// Areas of an address space, by its object; not `whole` at once, without what the image holds of them, for which
    /// all extents have to be read.
    Map { mm: u32, whole: bool },
    /// Starts a search; `text` is the pattern as a person reads it, if it is text.
    Search { needle: Needle, text: Option<String>, scope: Scope, within: Option<Within> },
    /// Starts to list the printable strings of a region that have at least so many bytes and contain this text.
    Strings { space: Space, start: u64, len: u64, least: u32, text: String },
    /// Goes on with it.
    SearchStep,
    /// The whole as JSON.
    Export,
    /// Bytes for a download, a piece of it at a time.
    Save { space: Space, offset: u64, len: u64 },
    /// Starts to compare with the attached file.
    Compare { name: String },
    /// Goes on with it.
    CompareStep,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// The worker listens.
    Ready,
    Opened(Box<Opened>),
    /// Bytes read so far of what is being opened.
    Opening {
        done: u64,
        total: u64,
    },
    Judged(Verdict),
    /// Extents looked at so far; the verdict at the end.
    Checking {
        done: u64,
        total: u64,
    },
    /// Bytes checked so far; the verdict at the end.
    Verifying {
        done: u64,
        total: u64,
    },
    Tree {
        first: u32,
        rows: Vec<Row>,
        total: u32,
    },
    Selected(Box<Record>),
    Readings(Readings),
    /// Attached: the bytes. `held` says for each page whether the image has it.
    Bytes {
        space: Space,
        offset: u64,
        held: Vec<bool>,
    },
    Task(Box<Task>),
    Map(Map),
    Hits {
        done: u64,
        total: u64,
        hits: Vec<Hit>,
        over: bool,
    },
    /// Attached: a piece of what is to be saved.
    Piece {
        space: Space,
        offset: u64,
    },
    /// Attached: the file to save.
    File {
        name: String,
        mime: String,
    },
    /// Bytes of memory compared so far; the comparison at the end.
    Comparing {
        done: u64,
        total: u64,
    },
    Compared(Comparison),
    /// The question could not be answered.
    Failed {
        message: String,
    },
    /// The worker is no more.
    Crashed {
        message: String,
    },
}

/// An image, or what is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub name: String,
    pub size: u64,
    pub verdict: Verdict,
    pub head: Option<Head>,
    pub looks_like: Option<String>,
    pub records: u32,
    pub rows: u32,
    pub extents: u32,
    /// Why the tree ends early.
    pub cut: Option<String>,
    pub tasks: Vec<Process>,
    pub page_bytes: u64,
    pub stored_bytes: u64,
    pub took_ms: u32,
}

/// What HEAD says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub kernel: String,
    pub release: String,
    pub machine: String,
    pub time: String,
}

/// The judgement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub revision: Option<u16>,
    pub valid: bool,
    /// What a restart would return.
    pub ret: i64,
    pub ret_text: String,
    /// Kernel it was judged against, if typed in.
    pub kernel: Option<String>,
    pub findings: Vec<FindingRow>,
    pub dropped: u64,
    /// Whether the contents of pages were read too.
    pub contents: bool,
    /// Whether it is still to come: what is known so far is from the index.
    pub pending: bool,
}

/// A finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRow {
    pub severity: String,
    pub rule: String,
    pub offset: u64,
    pub len: u64,
    pub record: Option<String>,
    pub field: Option<String>,
    pub message: String,
    pub errno: Option<String>,
}

/// A row of the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub node: u32,
    pub depth: u8,
    /// `None` for a leaf, else whether it is unfolded.
    pub open: Option<bool>,
    pub children: u32,
    pub kind: i16,
    pub name: String,
    pub summary: String,
    pub offset: u64,
    pub len: u64,
    /// Worst finding in it: 0 none, 1 note, 2 warning, 3 error.
    pub mark: u8,
}

/// A record taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub node: u32,
    /// Row of the tree, and rows in all.
    pub row: u32,
    pub rows: u32,
    /// The byte that was asked for.
    pub asked: u64,
    pub offset: u64,
    pub len: u64,
    pub name: String,
    pub kind: i16,
    pub doc: String,
    pub summary: String,
    /// From the outermost owner on: label and offset.
    pub owners: Vec<(String, u64)>,
    pub fields: Vec<FieldRow>,
    /// Who has the object that it defines.
    pub holders: Vec<String>,
    /// Task that it belongs to or is.
    pub task: Option<u32>,
    /// Contents that follow an EXTENT: offset, length; and where they belong: object, address.
    pub contents: Option<(u64, u64, u32, u64)>,
}

/// A field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRow {
    pub name: String,
    pub offset: u64,
    pub len: u64,
    pub raw: String,
    pub text: String,
    pub meaning: String,
    /// Whether it frames the record rather than says something.
    pub frame: bool,
    /// Record that it refers to, and its summary.
    pub to: Option<(u64, String)>,
    /// Area that the address lies in, and object of the memory.
    pub area: Option<(String, u32, u64)>,
    /// Element of a list.
    pub element: bool,
}

/// A task in the process tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub id: u32,
    pub offset: u64,
    pub depth: u8,
    pub pid: u32,
    pub pgid: u32,
    pub sid: u32,
    pub ppid: u32,
    pub comm: String,
    /// In words: running, stopped by what, or how it ended.
    pub state: String,
    /// Whether it has ended and its parent has not been told yet.
    pub zombie: bool,
    pub mm: u32,
    pub threads: u32,
    pub fds: u32,
}

/// All about a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub id: u32,
    pub mm: u32,
    /// Parts that it has together with others, and with whom.
    pub shares: Vec<String>,
    pub threads: Vec<Thread>,
    pub fds: Vec<Fd>,
    pub actions: Vec<Line>,
    pub pending: Vec<Line>,
    pub timers: Vec<Line>,
    pub limits: Vec<Line>,
}

/// A record in one line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub offset: u64,
    pub name: String,
    pub text: String,
}

/// A thread with its registers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    pub offset: u64,
    pub tid: u32,
    pub comm: String,
    pub state: String,
    pub blocked: String,
    /// Name, value, and area if it is an address.
    pub registers: Vec<(String, u64, Option<String>)>,
}

/// A descriptor and what it leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fd {
    pub offset: u64,
    pub fd: u32,
    pub kind: String,
    pub flags: String,
    pub pos: u64,
    pub target: String,
    pub target_offset: Option<u64>,
    /// What it has to do with other descriptors: who has the other end, who has the same.
    pub shared: Vec<String>,
}

/// An address space; its areas go along as bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    pub mm: u32,
    /// Whether it is known how much of each area the image holds, or only what the areas say of themselves.
    pub whole: bool,
    #[serde(skip)]
    pub areas: Vec<Area>,
}

/// One area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    pub offset: u64,
    pub start: u64,
    pub end: u64,
    pub prot: Rc<str>,
    pub shared: bool,
    pub kind: Rc<str>,
    pub name: Rc<str>,
    pub resident: u64,
    pub stored: u64,
    pub zero: u64,
    /// Bytes that come back from the file it maps.
    pub from_file: u64,
    /// First address whose page the image holds.
    pub first: Option<u64>,
    /// Other processes that see the same memory.
    pub with: Option<Rc<str>>,
}

impl Default for Area {
    fn default() -> Self {
        let none: Rc<str> = "".into();
        Self {
            offset: 0,
            start: 0,
            end: 0,
            prot: none.clone(),
            shared: false,
            kind: none.clone(),
            name: none,
            resident: 0,
            stored: 0,
            zero: 0,
            from_file: 0,
            first: None,
            with: None,
        }
    }
}

/// Something found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    pub space: Space,
    pub at: u64,
    pub len: u32,
    pub place: String,
    pub around: String,
}

/// Two images beside each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    pub name: String,
    pub same: u64,
    pub changes: Vec<Change>,
    pub dropped: u64,
    pub areas: Vec<PagesChanged>,
}

/// A record that differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `changed`, `gone` or `new`.
    pub what: String,
    pub record: String,
    pub offset: u64,
    /// Field, here, there.
    pub fields: Vec<(String, String, String)>,
}

/// Pages of an area that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagesChanged {
    pub label: String,
    pub mm: u32,
    pub first: u64,
    pub pages: u64,
    pub compared: u64,
}
