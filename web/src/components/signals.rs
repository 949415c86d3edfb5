//! Signals, timers and limits of a task.

use super::link::{Link, offset};
use super::subject::of_task;
use crate::proto::{Line, Task};
use crate::state::State;
use yew::{Html, html};

/// Lines of a list that are shown: a queue of signals can hold tens of thousands that are alike.
const MAX_LINES: usize = 500;

pub fn view(state: &State, link: &Link) -> Html {
    html! {
        <div class="signals">
            { of_task(state, link, "This image holds no signals.", state.tasks.task.as_ref().map(|task| lists(task, link))) }
        </div>
    }
}

fn lists(task: &Task, link: &Link) -> Html {
    let actions = task.shares.iter().find(|words| words.starts_with("signal actions"));
    html! {
        <>
            { list("Pending signals", &task.pending, link) }
            { list("Signal actions", &task.actions, link) }
            <p class="quiet" hidden={actions.is_none()}>{ format!("It shares its {}.", actions.map_or("", String::as_str)) }</p>
            { list("Timers", &task.timers, link) }
            { list("Limits", &task.limits, link) }
        </>
    }
}

fn list(title: &str, lines: &[Line], link: &Link) -> Html {
    let more = lines.len().saturating_sub(MAX_LINES);
    html! {
        <section>
            <h3>{ title }</h3>
            <p class="hint" hidden={!lines.is_empty()}>{ "None." }</p>
            <table hidden={lines.is_empty()}><tbody>{ for lines.iter().take(MAX_LINES).map(|line| html! {
                <tr><th scope="row">{ &line.name }</th><td>{ &line.text }</td><td>{ offset(link, line.offset) }</td></tr>
            }) }</tbody></table>
            <p class="quiet" hidden={more == 0}>{ format!("and {more} more; the tree of records has them all") }</p>
        </section>
    }
}
