//! The list of findings: one of them is the current one, and one goes from each to the next.

use super::{Command, State, Tab, record};
use crate::proto::FindingRow;

/// Severities, the gravest first.
pub const SEVERITIES: [&str; 3] = ["error", "warning", "note"];

/// This part of the state.
#[derive(Debug, Default)]
pub struct Findings {
    /// Whether the list is unfolded.
    pub open: bool,
    /// The one that was gone to last, by its place in the list of all.
    pub at: Option<usize>,
    /// Severities that are left out.
    pub hidden: [bool; 3],
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Unfolds or folds the list.
    Open(bool),
    /// Goes to one, by its place in the list of all.
    Take(usize),
    /// Goes to the one so many further on; they go round.
    Move(i32),
    /// Shows or hides those of a severity.
    Toggle(usize),
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    match action {
        Action::Open(open) => state.findings.open = open,
        Action::Take(at) => take(state, at, out),
        Action::Move(by) => {
            let shown: Vec<usize> = state.shown_findings().map(|(at, _)| at).collect();
            let here = state.findings.at.and_then(|at| shown.iter().position(|shown| *shown == at));
            let count = shown.len() as i32;
            let to = match here {
                Some(here) => (here as i32 + by).rem_euclid(count.max(1)),
                None if by < 0 => count - 1,
                None => 0,
            };
            match shown.get(to.max(0) as usize) {
                Some(at) => take(state, *at, out),
                None => state.chrome.said = "there are no findings".into(),
            }
        }
        Action::Toggle(severity) => {
            if let Some(hidden) = state.findings.hidden.get_mut(severity) {
                *hidden = !*hidden;
            }
            state.findings.open = true;
        }
    }
}

fn take(state: &mut State, at: usize, out: &mut Vec<Command>) {
    let finding = state.image.opened.as_ref().and_then(|image| image.verdict.findings.get(at)).cloned();
    let Some(finding) = finding else { return };
    (state.findings.at, state.findings.open) = (Some(at), true);
    state.tab = Tab::Record;
    record::go_to(state, finding.offset, out);
    record::select(state, finding.offset, finding.len, out);
    state.chrome.said = format!("{}: {}", finding.severity, finding.message);
    let row = state.shown_findings().position(|(shown, _)| shown == at);
    out.extend(row.map(|row| Command::ShowFinding(row as u32)));
}

impl State {
    /// Those that are listed, with their places in the list of all.
    pub fn shown_findings(&self) -> impl Iterator<Item = (usize, &FindingRow)> {
        let hidden = self.findings.hidden;
        let is_shown = move |finding: &FindingRow| {
            let at = SEVERITIES.iter().position(|severity| *severity == finding.severity);
            at.and_then(|at| hidden.get(at)).is_none_or(|hidden| !hidden)
        };
        let all = self.image.opened.iter().flat_map(|image| &image.verdict.findings).enumerate();
        all.filter(move |(_, finding)| is_shown(finding))
    }
}
