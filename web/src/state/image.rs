//! The image as a whole: it is opened, judged, and put away for the next one.

use super::{Command, Hex, State, chrome::Chrome, findings, gallery::Gallery, places, tree};
use crate::proto::{Opened, Request, Scope, Verdict};
use crate::text::counted;

/// Names of files that are remembered.
const MAX_RECENT: usize = 6;

/// This part of the state.
#[derive(Debug, Default)]
pub struct Image {
    /// Name of what is being opened.
    pub opening: Option<String>,
    /// Bytes of it that are read, and all.
    pub read: Option<(u64, u64)>,
    /// What is open.
    pub opened: Option<Opened>,
    /// Extents looked at and in all, while an image that was opened by its index is judged.
    pub checking: Option<(u64, u64)>,
    /// Bytes checked and in all, while the contents of pages are.
    pub verifying: Option<(u64, u64)>,
    /// Whether another file came with this one, to be compared with it.
    pub beside: bool,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Opens the file that was just chosen, or what is behind the address.
    Open {
        /// Name of it.
        name: String,
        /// Kernel that it is judged against, if not its own.
        kernel: Option<String>,
        /// Where it is read from.
        url: Option<String>,
    },
    /// Gives up what is being opened.
    Stop,
    /// Compares the next image that is opened with the file that was dropped beside it.
    Beside,
    /// Judges it against this kernel, or its own.
    Kernel(String),
    /// Checks the contents of pages too.
    Verify,
    /// The whole as JSON.
    Export,
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    match action {
        Action::Open { name, kernel, url } => {
            stop(state, out);
            begin(state, &name);
            out.push(Command::Remember(state.chrome.recent.clone()));
            out.push(match url {
                Some(_) => Command::Ask(Request::Open { name, kernel, url }),
                None => Command::Attach(Request::Open { name, kernel, url }),
            });
        }
        Action::Stop => stop(state, out),
        Action::Beside => state.image.beside = true,
        Action::Kernel(text) => {
            out.push(Command::Ask(Request::Judge { kernel: Some(text).filter(|text| !text.is_empty()) }));
        }
        Action::Verify => {
            state.image.verifying = Some((0, 1));
            out.push(Command::Ask(Request::Verify));
        }
        Action::Export => out.push(Command::Ask(Request::Export)),
    }
}

/// A worker that is opening something hears nothing before it is done: another takes its place.
fn stop(state: &mut State, out: &mut Vec<Command>) {
    if state.image.opening.take().is_some() {
        (state.image.read, state.chrome.ready) = (None, false);
        out.push(Command::NewWorker);
    }
}

/// Forgets the last image. What is the person's stays: theme, sizes, the examples, the place that was asked for.
fn begin(state: &mut State, name: &str) {
    let last = std::mem::take(state);
    let mut recent = last.chrome.recent;
    recent.retain(|known| known != name);
    recent.insert(0, name.to_owned());
    recent.truncate(MAX_RECENT);
    *state = State {
        chrome: Chrome { ready: last.chrome.ready, dark: last.chrome.dark, recent, ..Chrome::default() },
        image: Image { opening: Some(name.to_owned()), ..Image::default() },
        gallery: Gallery { filter: String::new(), ..last.gallery },
        places: places::Places { wanted: last.places.wanted, ..Default::default() },
        panes: last.panes,
        big_endian: last.big_endian,
        hex: Hex { visible: last.hex.visible, ..Hex::default() },
        tree: tree::Tree { visible: last.tree.visible, ..Default::default() },
        ..State::default()
    };
}

/// An image is open.
pub(super) fn opened(state: &mut State, opened: Opened, out: &mut Vec<Command>) {
    (state.image.opening, state.image.read) = (None, None);
    state.chrome.error = None;
    out.push(Command::Title(opened.name.clone()));
    if std::mem::take(&mut state.image.beside) {
        out.push(Command::CompareBeside);
    }
    let verdict = &opened.verdict;
    let errors = verdict.findings.len();
    let word = match (verdict.pending, verdict.valid) {
        (true, _) => "being checked",
        (false, true) => "valid",
        (false, false) => "not valid",
    };
    state.chrome.said = format!("{}: {word}, {}", opened.name, counted(errors as u64, "finding"));
    state.findings = findings::Findings { open: errors > 0, ..Default::default() };
    state.hex.len = opened.size;
    state.tree.total = opened.rows;
    let shown = opened.tasks.iter().find(|task| task.mm != 0).or(opened.tasks.first());
    state.tasks.id = shown.map_or(0, |task| task.id);
    // Where there are no pages, one looks for bytes of the file.
    if opened.extents == 0 {
        state.search.scope = Scope::File;
    }
    let first = verdict.findings.iter().find(|finding| finding.severity == "error");
    let start = first.map_or(0, |finding| finding.offset);
    let has_records = opened.records > 0;
    state.image.checking = verdict.pending.then_some((0, u64::from(opened.extents)));
    if verdict.pending {
        out.push(Command::Ask(Request::Check));
    }
    state.image.opened = Some(opened);
    state.ask_bytes(out);
    state.tree.visible = state.tree.visible.max(40);
    state.ask_rows(true, out);
    if state.places.wanted.is_some() {
        places::go(state, out);
    } else if has_records {
        out.push(Command::Ask(Request::Reveal { offset: start }));
    }
}

/// The verdict came.
pub(super) fn judged(state: &mut State, verdict: Verdict, out: &mut Vec<Command>) {
    (state.image.verifying, state.image.checking) = (None, None);
    state.chrome.said = format!("the verdict is {}", verdict.ret_text);
    state.findings.open |= !verdict.findings.is_empty();
    if let Some(image) = &mut state.image.opened {
        image.verdict = verdict;
    }
    state.ask_rows(true, out);
}
