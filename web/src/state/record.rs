//! The record that is selected, and its bytes in the hex view.

use super::{Command, Hex, State, Tab};
use crate::proto::{Record, Request, Space};

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Selects the record that holds this byte of the file.
    GoTo(u64),
    /// Selects bytes of the file.
    Select {
        /// First one.
        offset: u64,
        /// How many.
        len: u64,
    },
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    match action {
        Action::GoTo(offset) => go_to(state, offset, out),
        Action::Select { offset, len } => select(state, offset, len, out),
    }
}

/// Selects bytes of the file, whatever record they turn out to lie in.
pub(super) fn select(state: &mut State, offset: u64, len: u64, out: &mut Vec<Command>) {
    state.show_file();
    state.places.pinned = Some(offset);
    state.select(offset, len, out);
}

/// Selects the record that holds this byte of the file, as a place to come back to.
pub(super) fn go_to(state: &mut State, offset: u64, out: &mut Vec<Command>) {
    state.places.jumped = true;
    state.places.pinned = None;
    state.show_file();
    out.push(Command::Ask(Request::Reveal { offset }));
}

/// A record came, taken apart.
pub(super) fn selected(state: &mut State, record: Record, out: &mut Vec<Command>) {
    state.tree.total = record.rows;
    state.chrome.error = None;
    let field = record.fields.iter().rev().find(|field| {
        !field.element && record.asked >= field.offset && record.asked < field.offset + field.len
    });
    let (offset, len) = match field {
        Some(field) if record.asked != record.offset => (field.offset, field.len),
        _ if record.asked >= record.offset + record.len => (record.asked, 1),
        _ => (record.offset, record.len),
    };
    let was_picked = state.places.pinned == Some(record.asked);
    let row = record.row;
    let command = state.address(format!("offset={:#x}", record.asked));
    out.push(command);
    state.chrome.said = record.summary.clone();
    // Who looks at what belongs to a process means that process: at once where it is named itself, else where no other
    // view would change under the eyes.
    let is_task = record.task.is_some() && state.processes().any(|task| task.offset == record.offset);
    if let Some(id) = record.task.filter(|_| is_task || state.tab == Tab::Record) {
        state.choose(id);
        if state.tab != Tab::Record {
            state.ask_task(out);
        }
    }
    state.record = Some(record);
    if state.hex.space == Space::File && !was_picked {
        state.select(offset, len, out);
    }
    state.show_row(row, out);
}

impl State {
    /// Shows the file in the hex view.
    pub(super) fn show_file(&mut self) {
        if self.hex.space != Space::File {
            let len = self.image.opened.as_ref().map_or(0, |image| image.size);
            let visible = self.hex.visible;
            let cursor = self.record.as_ref().map_or(0, |record| record.offset);
            self.hex = Hex { len, visible, cursor, selection: (cursor, cursor), ..Hex::default() };
        }
    }
}
