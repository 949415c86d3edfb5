//! The descriptors of the chosen process.

use super::{Command, State};

/// This part of the state.
#[derive(Debug, Default)]
pub struct Files {
    /// First one in sight.
    pub top: u32,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The list was scrolled.
    Scrolled(u32),
}

pub(super) fn reduce(state: &mut State, action: Action, _out: &mut Vec<Command>) {
    match action {
        Action::Scrolled(top) => state.files.top = top,
    }
}
