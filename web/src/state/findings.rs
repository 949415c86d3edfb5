//! The list of findings.

use super::{Command, State};

/// This part of the state.
#[derive(Debug, Default)]
pub struct Findings {
    /// Whether the list is unfolded.
    pub open: bool,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Unfolds or folds the list.
    Open(bool),
}

pub(super) fn reduce(state: &mut State, action: Action, _out: &mut Vec<Command>) {
    match action {
        Action::Open(open) => state.findings.open = open,
    }
}
