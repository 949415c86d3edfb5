//! The search for bytes or text, and the list of strings.

use super::{Command, State, Tab, record, tab};
use crate::needle::{Needle, Reading};
use crate::proto::{Hit, Request, Scope, Space, Within};
use crate::text::Pattern;

/// Most hits that are kept.
pub const MAX_HITS: usize = 20_000;
/// Strings shorter than this are mostly chance; strings(1) takes the same.
pub const LEAST: u32 = 4;

/// Part of memory that is searched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    #[default]
    All,
    /// That of the chosen process.
    Process,
    /// The area that the hex view shows.
    Shown,
}

/// A search and what it found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Search {
    /// What is typed.
    pub text: String,
    /// How to read it.
    pub pattern: Pattern,
    /// Where to look.
    pub scope: Scope,
    /// Whether letters of either case are the same.
    pub fold: bool,
    /// Bytes of a number as a power of two, counted down from 8: 0 is 8 bytes, 3 is one.
    pub narrow: u8,
    /// Whether a number has its highest byte first.
    pub big: bool,
    /// Part of memory to look at.
    pub part: Part,
    /// Hit that was gone to last, by its place in the list.
    pub at: Option<usize>,
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

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Something is typed.
    Text(String),
    /// It is to be read so.
    Pattern(Pattern),
    /// It is looked for there.
    Scope(Scope),
    /// And of memory, in this part.
    Part(Part),
    /// Letters of either case are the same, or not.
    Fold(bool),
    /// A number is so much shorter than 8 bytes: a half, a quarter, an eighth.
    Narrow(u8),
    /// It has its highest byte first, or last.
    Big(bool),
    /// Goes to a hit, by its place in the list.
    Take(usize),
    /// Goes to the one so many further on; they go round.
    Move(i32),
    /// Begins.
    Start,
    /// Stops.
    Cancel,
    /// Least length of strings, as typed.
    Least(String),
    /// The list was scrolled.
    Scrolled(u32),
    /// Lists the strings of a region.
    Strings {
        /// File or memory.
        space: Space,
        /// First byte.
        start: u64,
        /// Bytes.
        len: u64,
    },
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    let search = &mut state.search;
    match action {
        Action::Text(text) => search.text = text,
        Action::Pattern(pattern) => search.pattern = pattern,
        Action::Scope(scope) => search.scope = scope,
        Action::Part(part) => search.part = part,
        Action::Fold(fold) => search.fold = fold,
        Action::Narrow(narrow) => search.narrow = narrow.min(3),
        Action::Big(big) => search.big = big,
        Action::Take(at) => take(state, at, out),
        Action::Move(by) => {
            let count = search.hits.len() as i64;
            let to = match search.at {
                Some(at) => (at as i64 + i64::from(by)).rem_euclid(count.max(1)),
                None if by < 0 => count - 1,
                None => 0,
            };
            take(state, to.max(0) as usize, out);
        }
        Action::Least(text) => search.least = text.trim().parse().unwrap_or(LEAST).clamp(1, 1 << 20),
        Action::Scrolled(top) => search.top = top,
        Action::Strings { space, start, len } => {
            search.pattern = Pattern::Strings;
            search.text.clear();
            tab::show(state, Tab::Search, out);
            state.search.strings(space, start, len, out);
        }
        Action::Start if search.pattern == Pattern::Strings => {
            search.strings(state.hex.space, state.hex.start, state.hex.len, out);
        }
        Action::Start => start(state, out),
        Action::Cancel => search.running = None,
    }
}

fn start(state: &mut State, out: &mut Vec<Command>) {
    let search = &state.search;
    let how =
        Reading { pattern: search.pattern, fold: search.fold, width: 8 >> search.narrow, big: search.big };
    let within = match (search.scope, search.part, state.hex.space) {
        (Scope::Pages, Part::Process, _) => {
            state.chosen().map(|task| Within { mm: task.mm, start: 0, end: u64::MAX })
        }
        (Scope::Pages, Part::Shown, Space::Memory(mm)) => {
            Some(Within { mm, start: state.hex.start, end: state.hex.start.saturating_add(state.hex.len) })
        }
        _ => None,
    };
    let needle = Needle::read(&search.text, how);
    let search = &mut state.search;
    match needle {
        Ok(needle) => {
            let text = Some(search.text.clone()).filter(|_| search.pattern == Pattern::Text);
            search.begin();
            out.push(Command::Ask(Request::Search { needle, text, scope: search.scope, within }));
        }
        Err(wrong) => {
            // What was found before is no answer to this.
            search.begin();
            (search.ran, search.running, search.wrong) = (false, None, Some(wrong));
        }
    }
}

/// Goes to a hit.
fn take(state: &mut State, at: usize, out: &mut Vec<Command>) {
    let Some(hit) = state.search.hits.get(at) else { return };
    let (space, address, len) = (hit.space, hit.at, hit.len.into());
    state.search.at = Some(at);
    match space {
        Space::File => {
            record::go_to(state, address, out);
            record::select(state, address, len, out);
        }
        Space::Memory(mm) => {
            state.places.jumped = true;
            state.show_address(mm, address, len, out);
        }
    }
    out.push(Command::ShowRow { list: "hits", row: at as u32 });
}

impl Search {
    fn begin(&mut self) {
        (self.wrong, self.ran, self.running, self.top, self.at) = (None, true, Some((0, 1)), 0, None);
        self.hits.clear();
    }

    fn strings(&mut self, space: Space, start: u64, len: u64, out: &mut Vec<Command>) {
        self.begin();
        let least = if self.least == 0 { LEAST } else { self.least };
        out.push(Command::Ask(Request::Strings { space, start, len, least, text: self.text.clone() }));
    }
}

/// Some were found; more are asked for unless it is over or was stopped.
pub(super) fn found(
    state: &mut State,
    progress: (u64, u64),
    hits: Vec<Hit>,
    over: bool,
    out: &mut Vec<Command>,
) {
    let search = &mut state.search;
    if search.running.is_none() {
        return;
    }
    search.hits.extend(hits);
    search.hits.truncate(MAX_HITS);
    if over {
        search.running = None;
        state.chrome.said = format!("{} found", search.hits.len());
    } else {
        search.running = Some(progress);
        out.push(Command::Ask(Request::SearchStep));
    }
}
