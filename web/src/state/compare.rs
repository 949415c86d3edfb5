//! Another image beside this one.

use super::{Command, State, Tab};
use crate::proto::{Comparison, Request};
use crate::text::counted;

/// This part of the state.
#[derive(Debug, Default)]
pub struct Compare {
    /// What came out.
    pub result: Option<Comparison>,
    /// Bytes of memory compared and in all, while it runs.
    pub running: Option<(u64, u64)>,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Compares with the file that was just chosen.
    With(String),
    /// Stops.
    Cancel,
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    match action {
        Action::With(name) => {
            state.compare = Compare { running: Some((0, 1)), result: None };
            state.tab = Tab::Compare;
            out.push(Command::Attach(Request::Compare { name }));
        }
        Action::Cancel => state.compare.running = None,
    }
}

/// A part is done; the next one is asked for unless it was stopped.
pub(super) fn going_on(state: &mut State, done: u64, total: u64, out: &mut Vec<Command>) {
    if state.compare.running.is_some() {
        state.compare.running = Some((done, total));
        out.push(Command::Ask(Request::CompareStep));
    }
}

/// It is over.
pub(super) fn compared(state: &mut State, comparison: Comparison) {
    if state.compare.running.take().is_some() {
        state.chrome.error = None;
        let differ = comparison.changes.len() as u64 + comparison.dropped;
        state.chrome.said = format!("{}: {} differ", comparison.name, counted(differ, "record"));
        state.compare.result = Some(comparison);
    }
}
