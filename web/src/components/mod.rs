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

pub use tree::ROW_PX as TREE_ROW_PX;

use crate::app::{App, Message};
use crate::state::{Action, State, Tab};
use crate::text::size;
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
        ("/", "type what to search for (tab Search)"),
        ("Shift and click", "select bytes up to here"),
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

/// The processes, drawn as the tree that they are; one of them is chosen.
fn task_choice(state: &State, link: &Link) -> Html {
    let tasks = state.image.as_ref().map(|image| image.tasks.as_slice()).unwrap_or_default();
    // Whether the line of this level goes on below the row.
    let goes_on = |at: usize, level: u8| {
        let below = tasks.iter().skip(at + 1).find(|task| task.depth <= level);
        below.is_some_and(|task| task.depth == level)
    };
    html! {
        <ul class="processes" aria-label="Processes">
            { for tasks.iter().enumerate().map(|(at, task)| {
                let wires = (1..=task.depth.min(16)).map(|level| match (level == task.depth.min(16), goes_on(at, level)) {
                    (true, true) => "wire tee",
                    (true, false) => "wire elbow",
                    (false, true) => "wire pass",
                    (false, false) => "wire",
                });
                let threads = if task.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", task.threads) };
                html! {
                    <li class="process">
                        { for wires.map(|class| html! { <i {class} aria-hidden="true"></i> }) }
                        <button aria-pressed={(task.id == state.task_id).to_string()} onclick={act(link, Action::Task(task.id))}
                            title={format!("process group {}, session {}", task.pgid, task.sid)}>
                            <b>{ task.pid }</b>{ " " }{ &task.comm }
                            <small>{ format!("{}, {threads}", task.state) }</small>
                        </button>
                    </li>
                }
            }) }
        </ul>
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
