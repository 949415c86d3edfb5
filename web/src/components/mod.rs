//! What the page looks like, one view a file. Views are functions of the state; what a person does becomes an action.

mod compare;
mod fields;
mod files;
mod findings;
mod hexview;
mod landing;
mod list;
mod memory;
mod search;
mod signals;
mod strip;
mod tasks;
mod top;
mod tree;
mod verdict;

pub use list::row_px;

use crate::app::{App, Message};
use crate::proto::Process;
use crate::state::{Action, State, Tab};
use crate::text::size;
use stasis_format::family::{Wire, wires};
use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, InputEvent, KeyboardEvent};
use yew::html::Scope;
use yew::{Callback, Html, TargetCast, classes, html};

type Link = Scope<App>;

/// The whole page.
pub fn page(state: &State, link: &Link) -> Html {
    html! {
        <div class={classes!("page", state.dragging.then_some("dragging"))}>
            { top::view(state, link) }
            <div class="said" role="status" aria-live="polite">{ &state.said }</div>
            { notices(state, link) }
            { match &state.image {
                Some(image) => html! {
                    <main class="work" key="work">
                        { verdict::view(state, image, link) }
                        { findings::view(state, image, link) }
                        <div class="panes">
                            { tree::view(state, link) }
                            { middle(state, link) }
                            { hexview::view(state, link) }
                        </div>
                    </main>
                },
                None => landing::view(state, link),
            } }
            <div class="drop" aria-hidden="true"><p>{ "Drop to open. The file stays on this machine." }</p></div>
        </div>
    }
}

fn notices(state: &State, link: &Link) -> Html {
    html! {
        <div class="notices">
            { match &state.crashed {
                Some(message) => html! {
                    <div class="notice crash" role="alert">
                        <p>{ "The inspector stopped: " }{ message }</p>
                        <p>{ "Your file is untouched. Reload the page to go on." }</p>
                    </div>
                },
                None => html! { <span></span> },
            } }
            { match &state.error {
                Some(message) => html! {
                    <div class="notice" role="alert">
                        <p>{ message }</p>
                        <button onclick={act(link, Action::Dismiss)}>{ "Dismiss" }</button>
                    </div>
                },
                None => html! { <span></span> },
            } }
            { match &state.saving {
                Some(saving) => html! {
                    <div class="notice" role="status">
                        <p>{ format!("Saving {}: {} of {}", saving.name, size(saving.at - saving.start), size(saving.end - saving.start)) }</p>
                        <button onclick={act(link, Action::SaveCancel)}>{ "Stop" }</button>
                    </div>
                },
                None => html! { <span></span> },
            } }
            { if state.help { help(link) } else { html! { <span></span> } } }
        </div>
    }
}

fn help(link: &Link) -> Html {
    let keys = [
        ("↑ ↓ ← →", "tree: walk, fold, unfold; hex: move the cursor"),
        ("Page Up, Page Down, Home, End", "the same, faster"),
        ("[ and ]", "previous and next tab"),
        ("+ − 0 ← →", "on the memory strip: zoom, show all, move; the wheel zooms too"),
        ("g", "go to an offset or address"),
        ("Alt ←", "back to where you jumped from"),
        ("/", "search"),
        ("Shift and click, Shift and arrows", "in the hex view: select bytes up to here"),
        ("Ctrl V", "open pasted hexadecimal or base64"),
        ("?", "this list; Escape closes it"),
    ];
    html! {
        <div class="notice help" role="dialog" aria-label="Keys">
            <dl>{ for keys.iter().map(|(key, what)| html! { <div><dt>{ key }</dt><dd>{ what }</dd></div> }) }</dl>
            <button onclick={act(link, Action::Help(false))}>{ "Close" }</button>
        </div>
    }
}

fn middle(state: &State, link: &Link) -> Html {
    let body = match state.tab {
        Tab::Record => fields::view(state, link),
        Tab::Tasks => tasks::view(state, link),
        Tab::Memory => memory::view(state, link),
        Tab::Files => files::view(state, link),
        Tab::Signals => signals::view(state, link),
        Tab::Search => search::view(state, link),
        Tab::Compare => compare::view(state, link),
    };
    let move_tab = link.batch_callback(|event: KeyboardEvent| {
        let by = match event.key().as_str() {
            "ArrowLeft" => -1,
            "ArrowRight" => 1,
            _ => return None,
        };
        event.prevent_default();
        Some(Message::Act(Action::TabMove(by)))
    });
    let tab = |(tab, name): &(Tab, &'static str)| {
        let selected = *tab == state.tab;
        html! {
            <button role="tab" id={format!("tab-{name}")} aria-selected={selected.to_string()} aria-controls="middle"
                tabindex={if selected { "0" } else { "-1" }} onclick={act(link, Action::Tab(*tab))}>{ name }</button>
        }
    };
    let current = Tab::ALL.iter().find(|(tab, _)| *tab == state.tab).map_or("", |(_, name)| name);
    html! {
        <section class="pane middle">
            <div class="tabs" role="tablist" aria-label="Views" onkeydown={move_tab}>{ for Tab::ALL.iter().map(tab) }</div>
            <div class="scroll" role="tabpanel" id="middle" tabindex="0" aria-labelledby={format!("tab-{current}")} key={current}>
                { body }
            </div>
        </section>
    }
}

/// A view of the chosen process: which one it is, to be chosen another, and below it the body; in place of a body that
/// is not there, why. `lacks` is said of an image without processes.
fn of_task(state: &State, link: &Link, lacks: &str, body: Option<Html>) -> Html {
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
    let tasks = state.image.as_ref().map(|image| image.tasks.as_slice()).unwrap_or_default();
    let at = tasks.iter().position(|task| task.id == chosen.id).unwrap_or(0);
    // Those near the chosen one: a choice of thousands is nothing to choose from.
    let shown = list::rows(tasks.len(), at as u32);
    let near = tasks.get(shown.clone()).unwrap_or_default();
    let depths: Vec<u32> = near.iter().map(|task| task.depth.into()).collect();
    let left_out = tasks.len() - near.len();
    let picked = link.batch_callback(|event: web_sys::Event| {
        let select: web_sys::HtmlSelectElement = event.target()?.dyn_into().ok()?;
        Some(Message::Act(Action::Task(select.value().parse().ok()?)))
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
fn nothing(what: &str) -> Html {
    html! { <p class="hint">{ what }</p> }
}

/// A callback that does this.
fn act<E>(link: &Link, action: Action) -> Callback<E> {
    link.callback(move |_: E| Message::Act(action.clone()))
}

/// A callback with what is typed.
fn typed(link: &Link, action: fn(String) -> Action) -> Callback<InputEvent> {
    link.callback(move |event: InputEvent| {
        let input: HtmlInputElement = event.target_unchecked_into();
        Message::Act(action(input.value()))
    })
}

/// A callback with what stands in an input when Enter is pressed.
fn entered(link: &Link, action: fn(String) -> Action) -> Callback<KeyboardEvent> {
    link.batch_callback(move |event: KeyboardEvent| {
        let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
        (event.key() == "Enter").then(|| Message::Act(action(input.value())))
    })
}

/// A callback with the first file chosen.
fn chosen(link: &Link, compare: bool) -> Callback<web_sys::Event> {
    link.batch_callback(move |event: web_sys::Event| {
        let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
        let file = input.files()?.get(0)?;
        input.set_value("");
        let name = file.name();
        Some(Message::Chosen(file.into(), name, None, compare))
    })
}

/// A link to a byte of the file.
fn offset(link: &Link, at: u64) -> Html {
    html! { <button class="link mono" title="Go to this byte" onclick={act(link, Action::GoTo(at))}>{ format!("{at:#x}") }</button> }
}
