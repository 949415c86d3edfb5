//! What is told over the views: what went wrong, what is being saved, the list of keys.

use super::link::{Link, act};
use crate::state::{State, chrome, save};
use crate::text::size;
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    html! {
        <div class="notices">
            { match &state.chrome.crashed {
                Some(message) => html! {
                    <div class="notice crash" role="alert">
                        <p>{ "The inspector stopped: " }{ message }</p>
                        <p>{ "Your file is untouched. Reload the page to go on." }</p>
                    </div>
                },
                None => html! { <span></span> },
            } }
            { match &state.chrome.error {
                Some(message) => html! {
                    <div class="notice" role="alert">
                        <p>{ message }</p>
                        <button onclick={act(link, chrome::Action::Dismiss)}>{ "Dismiss" }</button>
                    </div>
                },
                None => html! { <span></span> },
            } }
            { match &state.chrome.offered {
                Some(name) => html! {
                    <div class="notice offer" role="alertdialog" aria-label="Open another image">
                        <p>{ format!("{name} is an image. Open it in place of the one that is open?") }</p>
                        <button class="primary" onclick={act(link, chrome::Action::TakeOffer(true))}>{ "Open" }</button>
                        <button onclick={act(link, chrome::Action::TakeOffer(false))}>{ "Keep" }</button>
                    </div>
                },
                None => html! { <span></span> },
            } }
            { match &state.saving {
                Some(saving) => html! {
                    <div class="notice" role="status">
                        <p>{ format!("Saving {}: {} of {}", saving.name, size(saving.at - saving.start), size(saving.end - saving.start)) }</p>
                        <button onclick={act(link, save::Action::Cancel)}>{ "Stop" }</button>
                    </div>
                },
                None => html! { <span></span> },
            } }
            { if state.chrome.help { help(link) } else { html! { <span></span> } } }
        </div>
    }
}

fn help(link: &Link) -> Html {
    let keys = [
        ("↑ ↓ ← →", "tree: walk, fold, unfold; hex: move the cursor"),
        ("Page Up, Page Down, Home, End", "the same, faster"),
        ("[ and ]", "previous and next tab"),
        ("+ − 0 ← →", "on the memory strip: zoom, show all, move; the wheel zooms too"),
        (
            "g, Ctrl V",
            "go to what is typed or pasted: 0x7f…, ff0, 264t, +0x10, end, #18, PID, fd 7, libc.so.6+0x10, a link",
        ),
        ("n and p", "next and previous finding"),
        ("Alt ←", "back to where you jumped from"),
        ("/", "search"),
        ("F3, Shift F3", "next and previous hit"),
        ("Shift and click, Shift and arrows", "in the hex view: select bytes up to here"),
        ("Ctrl V of an image", "hexadecimal or base64: asks whether to open it"),
        ("?", "this list; Escape closes it"),
    ];
    html! {
        <div class="notice help" role="dialog" aria-label="Keys">
            <dl>{ for keys.iter().map(|(key, what)| html! { <div><dt>{ key }</dt><dd>{ what }</dd></div> }) }</dl>
            <button onclick={act(link, chrome::Action::Help(false))}>{ "Close" }</button>
        </div>
    }
}
