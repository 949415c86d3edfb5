//! A region that is saved in pieces, so that no answer of the worker is larger than it need be.

use super::{Command, State};
use crate::proto::{Request, Space};

/// Bytes of a region that are saved at the most: the browser keeps them until it has all.
const MAX_SAVED: u64 = 4 << 30;
/// Bytes asked for at a time.
const PIECE: u64 = 16 << 20;

/// What is being saved.
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

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Saves what is selected in the hex view.
    Selection,
    /// Saves an area of memory.
    Area {
        /// Object of the memory.
        mm: u32,
        /// First address.
        start: u64,
        /// Bytes.
        len: u64,
    },
    /// Stops.
    Cancel,
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    match action {
        Action::Selection => {
            let (offset, end) = state.hex.selection;
            begin(state, state.hex.space, offset, end.saturating_sub(offset), out);
        }
        Action::Area { mm, start, len } => begin(state, Space::Memory(mm), start, len, out),
        Action::Cancel => state.saving = None,
    }
}

fn begin(state: &mut State, space: Space, start: u64, len: u64, out: &mut Vec<Command>) {
    if len > MAX_SAVED {
        state.fail("more than 4 GiB are not saved in one piece; select a part of it");
        return;
    }
    let end = start.saturating_add(len);
    let name = match space {
        Space::File => format!("{start:#x}-{end:#x}.bin"),
        Space::Memory(mm) => match state.owner(mm) {
            Some(process) => format!("memory-of-{}-{start:#x}-{end:#x}.bin", process.pid),
            None => format!("memory-{mm}-{start:#x}-{end:#x}.bin"),
        },
    };
    let saving = Saving { name, space, start, at: start, end };
    out.push(saving.ask());
    state.saving = Some(saving);
}

impl Saving {
    fn ask(&self) -> Command {
        let len = (self.end - self.at).min(PIECE);
        Command::Ask(Request::Save { space: self.space, offset: self.at, len })
    }
}

/// A piece came.
pub(super) fn came(state: &mut State, space: Space, offset: u64, bytes: Vec<u8>, out: &mut Vec<Command>) {
    let Some(saving) = state.saving.as_mut().filter(|saving| (saving.space, saving.at) == (space, offset))
    else {
        return;
    };
    saving.at += bytes.len() as u64;
    let is_last = saving.at >= saving.end || bytes.is_empty();
    out.push(Command::Keep { first: offset == saving.start, bytes });
    if is_last {
        out.push(Command::Deliver(saving.name.clone()));
        state.chrome.said = format!("{} is saved", saving.name);
        state.saving = None;
    } else {
        out.push(saving.ask());
    }
}
