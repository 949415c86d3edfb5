//! What the worker answers, each handed to the view that shows it.

use super::{Command, State, compare, goto, image, memory, record, save, search, tasks};
use crate::proto::{Reply, Request};

pub(super) fn take(state: &mut State, reply: Reply, bytes: Vec<u8>, out: &mut Vec<Command>) {
    match reply {
        Reply::Ready => state.chrome.ready = true,
        Reply::Opened(opened) => image::opened(state, *opened, out),
        Reply::Opening { done, total } => {
            state.image.read = state.image.opening.is_some().then_some((done, total));
        }
        Reply::Judged(verdict) => image::judged(state, verdict, out),
        Reply::Checking { done, total } => {
            go_on(&mut state.image.checking, (done, total), Request::Check, out);
        }
        Reply::Verifying { done, total } => {
            go_on(&mut state.image.verifying, (done, total), Request::VerifyStep, out);
        }
        Reply::Tree { first, rows, total } => state.tree.came(first, rows, total),
        Reply::Selected(record) => record::selected(state, *record, out),
        Reply::Readings(readings) => goto::came(state, readings, out),
        Reply::Bytes { space, offset, held } => state.blocks.take(space, offset, bytes, held),
        Reply::Task(task) => tasks::came(state, *task),
        Reply::Map(map) => memory::came(state, map.with(&bytes), out),
        Reply::Piece { space, offset } => save::came(state, space, offset, bytes, out),
        Reply::Hits { done, total, hits, over } => search::found(state, (done, total), hits, over, out),
        Reply::File { name, mime } => out.push(Command::Download { name, mime, bytes }),
        Reply::Comparing { done, total } => compare::going_on(state, done, total, out),
        Reply::Compared(comparison) => compare::compared(state, comparison),
        Reply::Failed { message } => {
            stop(state);
            state.fail(message);
        }
        Reply::Crashed { message } => {
            state.image.opening = None;
            state.chrome.crashed = Some(message);
        }
    }
}

/// The next part of what is still wanted.
fn go_on(progress: &mut Option<(u64, u64)>, now: (u64, u64), next: Request, out: &mut Vec<Command>) {
    if progress.is_some() {
        *progress = Some(now);
        out.push(Command::Ask(next));
    }
}

/// Nothing is under way any more.
fn stop(state: &mut State) {
    (state.image.opening, state.image.verifying, state.image.checking) = (None, None, None);
    (state.compare.running, state.search.running, state.saving) = (None, None, None);
}
