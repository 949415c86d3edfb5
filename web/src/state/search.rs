//! The search for bytes or text, and the list of strings.

use super::{Command, State, Tab, tab};
use crate::proto::{Hit, Request, Scope, Space};
use crate::text::Pattern;

/// Most hits that are kept.
pub const MAX_HITS: usize = 20_000;
/// Strings shorter than this are mostly chance; strings(1) takes the same.
pub const LEAST: u32 = 4;

/// A search and what it found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Search {
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

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Something is typed.
    Text(String),
    /// It is to be read so.
    Pattern(Pattern),
    /// It is looked for there.
    Scope(Scope),
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
        Action::Start => match search.pattern.bytes(&search.text) {
            Ok(pattern) => {
                let text = Some(search.text.clone()).filter(|_| search.pattern == Pattern::Text);
                search.begin();
                out.push(Command::Ask(Request::Search { pattern, text, scope: search.scope }));
            }
            Err(wrong) => search.wrong = Some(wrong),
        },
        Action::Cancel => search.running = None,
    }
}

impl Search {
    fn begin(&mut self) {
        (self.wrong, self.ran, self.running, self.top) = (None, true, Some((0, 1)), 0);
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
