//! Which view fills the middle of the page.

use super::{Command, State};

/// A view.
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

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Shows this view.
    Show(Tab),
    /// Shows the one so many to the right; they go round.
    Move(i32),
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    match action {
        Action::Show(tab) => show(state, tab, out),
        Action::Move(by) => {
            let at = Tab::ALL.iter().position(|(tab, _)| *tab == state.tab).unwrap_or(0) as i32;
            let to = (at + by).rem_euclid(Tab::ALL.len() as i32) as usize;
            if let Some((tab, _)) = Tab::ALL.get(to) {
                show(state, *tab, out);
            }
        }
    }
}

/// Shows a view and asks for what it shows.
pub(super) fn show(state: &mut State, tab: Tab, out: &mut Vec<Command>) {
    state.tab = tab;
    if matches!(tab, Tab::Tasks | Tab::Memory | Tab::Files | Tab::Signals) {
        state.ask_task(out);
    }
    if tab == Tab::Tasks {
        state.tasks.top = 0;
        state.show_process(out);
    }
}
