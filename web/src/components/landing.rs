//! The page before an image is open, and the examples.

use super::link::{Chosen, Message};
use super::link::{Link, act, chosen, typed};
use crate::state::gallery::{self, Example};
use crate::state::{State, image};
use crate::text;
use yew::{Html, classes, html};

pub fn view(state: &State, link: &Link) -> Html {
    let promises = [
        ("See every byte", "Records, fields and bytes are linked: pick one and the other two follow."),
        ("Know what is wrong", "Every finding names its rule, its byte, and what the kernel would return."),
        (
            "Keep it to yourself",
            "The file is read here, in slices, never whole. The page has no way to send it.",
        ),
    ];
    html! {
        <main class="landing" key="landing">
            <section class="invite">
                <h2>{ "Open a checkpoint image" }</h2>
                <p>{ "A process that was stopped, as a file: its memory, threads, descriptors, signals. Drop an image anywhere on this page, paste its bytes as hexadecimal or base64, or choose it." }</p>
                <div class="row">
                    <label class="button primary big">
                        { "Choose a file" }
                        <input type="file" multiple=true class="hidden-input" onchange={chosen(link, false)} />
                    </label>
                    <button class="big" aria-expanded={state.gallery.open.to_string()} onclick={act(link, gallery::Action::Toggle)}>
                        { if state.gallery.open { "Hide examples" } else { "Try an example" } }
                    </button>
                </div>
                { state.image.opening.as_ref().map(|name| opening(state, name, link)).unwrap_or_default() }
                <p class="quiet">{ recent(state) }</p>
            </section>
            <div class="below">
                { if state.gallery.open { examples(state, link) } else { html! {
                    <ul class="promises">
                        { for promises.iter().map(|(what, how)| html! { <li><h3>{ what }</h3><p>{ how }</p></li> }) }
                    </ul>
                } } }
            </div>
        </main>
    }
}

/// What is being opened, and how far it is.
fn opening(state: &State, name: &str, link: &Link) -> Html {
    let progress = state.image.read.map(|(done, total)| {
        html! { <>
            <progress value={done.to_string()} max={total.max(1).to_string()} aria-label="Opening"></progress>
            <span class="quiet">{ format!("{} of {}", text::size(done), text::size(total)) }</span>
        </> }
    });
    html! {
        <p class="row opening"><span>{ format!("Opening {name} …") }</span>{ progress.unwrap_or_default() }
            <button class="small" onclick={act(link, image::Action::Stop)}>{ "Stop" }</button></p>
    }
}

fn recent(state: &State) -> String {
    if state.chrome.recent.is_empty() {
        return String::new();
    }
    format!("Opened before: {}", state.chrome.recent.join(", "))
}

/// The examples with what the kernel would say to each.
pub fn examples(state: &State, link: &Link) -> Html {
    let list = state.gallery.list.as_deref().unwrap_or_default();
    let wanted = state.gallery.filter.to_lowercase();
    let shown = list
        .iter()
        .filter(|example| example.name.contains(&wanted) || example.why.to_lowercase().contains(&wanted));
    html! {
        <section class="gallery" aria-label="Examples">
            <input type="search" placeholder="Filter examples" aria-label="Filter examples" value={state.gallery.filter.clone()}
                oninput={typed(link, gallery::Action::Filter)} />
            <p class="quiet">{ "The number beside a name is what the kernel's sys_restart returns for it: 0, or the number of an error." }</p>
            <ul>{ for shown.map(|example| card(example, link)) }</ul>
        </section>
    }
}

fn card(example: &Example, link: &Link) -> Html {
    let (name, kernel) = (example.name.clone(), example.kernel.clone());
    let bytes = example.image.clone();
    let open = link.batch(move |_| {
        let kernel = Some(kernel.clone()).filter(|kernel| !kernel.is_empty());
        Some(Message::Chosen(Chosen::bytes(&text::unbase64(&bytes)?, &name, kernel)?))
    });
    let good = example.ret == 0;
    html! {
        <li>
            <button class="card" data-name={example.name.clone()} onclick={open}>
                <span class={classes!("ret", if good { "good" } else { "bad" })}>{ format!("{}", example.ret) }</span>
                <b>{ &example.name }</b>
                <small>{ &example.why }</small>
            </button>
        </li>
    }
}
