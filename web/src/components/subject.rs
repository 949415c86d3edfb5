//! The process that a view is about: which one it is, the others to choose from, and what is said where there is none.

use super::link::{Link, offset};
use super::list;
use crate::proto::Process;
use crate::state::{State, Tab, tasks};
use stasis_format::family::{Wire, wires};
use wasm_bindgen::JsCast;
use yew::{Html, html};

/// A view of the chosen process: which one it is, to be chosen another, and below it the body; in place of a body that
/// is not there, why. `lacks` is said of an image without processes.
pub fn of_task(state: &State, link: &Link, lacks: &str, body: Option<Html>) -> Html {
    let Some(chosen) = state.chosen() else { return nothing(lacks) };
    let body = match body {
        _ if chosen.zombie => html! {
            <p class="hint">{ format!(
                "Process {} has {}. Its parent has not asked for that yet, so that it keeps its number and its name, and \
                 has nothing else any more: no threads, memory, descriptors or signals.", chosen.pid, ended(&chosen.state)) }</p>
        },
        Some(body) => body,
        None => html! { <p class="hint">{ "Reading …" }</p> },
    };
    html! { <>{ choice(state, chosen, link) }{ body }</> }
}

/// `exited with 3`, `been killed by SIGKILL`.
fn ended(state: &str) -> String {
    if state.starts_with("killed") { format!("been {state}") } else { state.to_owned() }
}

/// Which process it is, and the others to choose from.
fn choice(state: &State, chosen: &Process, link: &Link) -> Html {
    let tasks = state.image.opened.as_ref().map(|image| image.tasks.as_slice()).unwrap_or_default();
    let at = tasks.iter().position(|task| task.id == chosen.id).unwrap_or(0);
    // Those near the chosen one: a choice of thousands is nothing to choose from.
    let shown = list::rows(tasks.len(), at as u32);
    let near = tasks.get(shown.clone()).unwrap_or_default();
    let depths: Vec<u32> = near.iter().map(|task| task.depth.into()).collect();
    let left_out = tasks.len() - near.len();
    let picked = link.batch(|event: web_sys::Event| {
        let select: web_sys::HtmlSelectElement = event.target()?.dyn_into().ok()?;
        Some(tasks::Action::Choose(select.value().parse().ok()?))
    });
    let option = |(task, wires): (&Process, Vec<Wire>)| {
        let wires: String = wires.into_iter().map(Wire::text).collect();
        let end = if task.zombie { " (zombie)" } else { "" };
        html! {
            <option value={task.id.to_string()} selected={task.id == chosen.id}>
                { format!("{}{} {}{end}", wires.replace(' ', "\u{a0}"), task.pid, task.comm) }
            </option>
        }
    };
    let words = if chosen.zombie { format!("zombie, {}", chosen.state) } else { chosen.state.clone() };
    // Where the tree is drawn, one chooses there.
    let is_drawn = state.tab == Tab::Tasks;
    html! {
        <div class="row subject">
            { if tasks.len() > 1 && !is_drawn {
                html! { <label>{ "Process " }<select id="process" onchange={picked}>{ for near.iter().zip(wires(&depths)).map(option) }
                    { if left_out > 0 { html! { <option disabled=true>{ format!("and {left_out} more, under Processes") }</option> } } else { Html::default() } }
                </select></label> }
            } else {
                html! { <span>{ "Process " }<b class="mono">{ chosen.pid }</b>{ " " }<b>{ &chosen.comm }</b></span> }
            } }
            <span class="quiet">{ format!("{words}, parent {}, group {}, session {}", chosen.ppid, chosen.pgid, chosen.sid) }</span>
            { offset(link, chosen.offset) }
        </div>
    }
}

/// Said where an image has no processes.
pub fn nothing(what: &str) -> Html {
    html! { <p class="hint">{ what }</p> }
}
