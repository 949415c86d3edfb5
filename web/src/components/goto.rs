//! The field that leads everywhere, and what its text can mean.

use super::link::{Link, act};
use crate::state::{State, goto};
use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, SubmitEvent};
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    let submit = link.batch(|event: SubmitEvent| {
        event.prevent_default();
        let form: web_sys::Element = event.target()?.dyn_into().ok()?;
        let input: HtmlInputElement = form.query_selector("input").ok()??.dyn_into().ok()?;
        Some(goto::Action::Wish(input.value()))
    });
    html! {
        <form class="goto" role="search" aria-label="Go to" onsubmit={submit}>
            <input id="goto" class="mono" placeholder="Go to 0x7f…, libc.so.6+0x10, fd 7, #18" autocomplete="off" spellcheck="false"
                aria-label="Go to an address, an offset, a record, a process or a descriptor" title="Go to (key g)" />
            { if state.goto.open { list(state, link) } else { Html::default() } }
        </form>
    }
}

fn list(state: &State, link: &Link) -> Html {
    let readings = &state.goto.readings;
    let heading = match &readings.wrong {
        Some(wrong) => {
            html! { <p class="wrong" id="goto-wrong">{ format!("{}: {wrong}.", readings.text) }</p> }
        }
        None if readings.ask => html! { <p>{ format!("{} is in several memories:", readings.text) }</p> },
        None => html! { <p>{ format!("{} can mean:", readings.text) }</p> },
    };
    html! {
        <div class="readings">
            { heading }
            <ul>{ for readings.list.iter().enumerate().map(|(at, reading)| html! {
                <li><button type="button" class="reading" onclick={act(link, goto::Action::Take(at))}>{ &reading.words }</button></li>
            }) }</ul>
            <button type="button" class="small" onclick={act(link, goto::Action::Open(false))}>{ "Close" }</button>
        </div>
    }
}

/// How the last wish was understood, and the way to its other meanings.
pub fn understood(state: &State, link: &Link) -> Html {
    let Some(words) = &state.goto.understood else { return Html::default() };
    let more = state.goto.readings.list.len().saturating_sub(1);
    html! {
        <span class="understood" id="understood">
            <span class="quiet" title={words.clone()}>{ format!("went to {words}") }</span>
            <button class="small" hidden={more == 0} onclick={act(link, goto::Action::Open(true))}>{ format!("{more} more") }</button>
        </span>
    }
}
