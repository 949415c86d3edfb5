//! Signals, timers and limits of a task.

use super::{Link, nothing, offset, task_choice};
use crate::proto::Line;
use crate::state::State;
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    let Some(task) = &state.task else {
        return nothing("This image holds no signals.");
    };
    html! {
        <div class="signals">
            { task_choice(state, link) }
            { list("Pending signals", &task.pending, link) }
            { list("Signal actions", &task.actions, link) }
            { list("Timers", &task.timers, link) }
            { list("Limits", &task.limits, link) }
        </div>
    }
}

fn list(title: &str, lines: &[Line], link: &Link) -> Html {
    html! {
        <section>
            <h3>{ title }</h3>
            <p class="hint" hidden={!lines.is_empty()}>{ "None." }</p>
            <table hidden={lines.is_empty()}><tbody>{ for lines.iter().map(|line| html! {
                <tr><th scope="row">{ &line.name }</th><td>{ &line.text }</td><td>{ offset(link, line.offset) }</td></tr>
            }) }</tbody></table>
        </section>
    }
}
