//! One field that leads everywhere: what is typed or pasted is sent to the worker, which knows what it can mean.

use super::{Command, State, record};
use crate::proto::{Here, Readings, Request, Target};

/// This part of the state.
#[derive(Debug, Default)]
pub struct GoTo {
    /// What the last wish can mean.
    pub readings: Readings,
    /// Whether the list of it is shown.
    pub open: bool,
    /// How it was understood.
    pub understood: Option<String>,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Wants to go there.
    Wish(String),
    /// Goes to one of the readings.
    Take(usize),
    /// Shows or hides the list.
    Open(bool),
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    match action {
        Action::Wish(text) if text.trim().is_empty() => state.goto = GoTo::default(),
        Action::Wish(text) => {
            let hex = &state.hex;
            let here = Here {
                space: hex.space,
                cursor: hex.cursor,
                start: hex.start,
                len: hex.len,
                task: state.tasks.id,
            };
            out.push(Command::Ask(Request::GoTo { text, here }));
        }
        Action::Take(at) => take(state, at, out),
        Action::Open(open) => state.goto.open = open,
    }
}

/// The readings came: the likeliest is taken unless it has to be asked which.
pub(super) fn came(state: &mut State, readings: Readings, out: &mut Vec<Command>) {
    let must_ask = readings.ask || readings.list.is_empty();
    state.goto = GoTo { readings, open: must_ask, understood: None };
    if must_ask {
        let wrong = state.goto.readings.wrong.clone();
        state.chrome.said = wrong.unwrap_or_else(|| "it is in several memories; choose one".into());
    } else {
        take(state, 0, out);
    }
}

fn take(state: &mut State, at: usize, out: &mut Vec<Command>) {
    let Some(reading) = state.goto.readings.list.get(at).cloned() else { return };
    state.goto.open = false;
    state.chrome.error = None;
    state.chrome.said = format!("understood as {}", reading.words);
    state.goto.understood = Some(reading.words);
    match reading.target {
        Target::Record(offset) => record::go_to(state, offset, out),
        Target::Offset(offset) => {
            record::go_to(state, offset, out);
            record::select(state, offset, 1, out);
        }
        Target::Memory { mm, address } => {
            state.places.jumped = true;
            state.show_address(mm, address, 1, out);
        }
    }
}
