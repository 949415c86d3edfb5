//! The bar at the top: what is open, another file, the theme.

use super::link::{Link, act, chosen};
use crate::state::{State, chrome, gallery, image};
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    let next = match state.chrome.dark {
        None => Some(true),
        Some(true) => Some(false),
        Some(false) => None,
    };
    let theme = match state.chrome.dark {
        None => "Theme: system",
        Some(true) => "Theme: dark",
        Some(false) => "Theme: light",
    };
    let name = state.image.opened.as_ref().map_or("", |open| open.name.as_str());
    let is_open = state.image.opened.is_some();
    html! {
        <header class="top">
            <svg class="logo" width="24" height="24" viewBox="0 0 24 24" aria-hidden="true">
                <rect x="2" y="2" width="20" height="20" rx="5" class="logo-back" />
                <rect x="8" y="7" width="3" height="10" rx="1" class="logo-bar" />
                <rect x="13" y="7" width="3" height="10" rx="1" class="logo-bar" />
            </svg>
            <h1>{ "Stasis" }<span>{ " inspector" }</span></h1>
            <span class="filename" title={name.to_owned()}>{ name }</span>
            { if is_open { super::goto::view(state, link) } else { Html::default() } }
            <span class="grow"></span>
            <span class="quiet promise">{ "Nothing leaves this page" }</span>
            <button hidden={!is_open} onclick={act(link, image::Action::Export)}>{ "Save JSON" }</button>
            <button hidden={!is_open} aria-expanded={state.gallery.open.to_string()} onclick={act(link, gallery::Action::Toggle)}>{ "Examples" }</button>
            <label class="button primary">
                { "Open image" }
                <input type="file" id="file" multiple=true class="hidden-input" onchange={chosen(link, false)} />
            </label>
            <button onclick={act(link, chrome::Action::Dark(next))}>{ theme }</button>
            <button onclick={act(link, chrome::Action::Help(!state.chrome.help))} aria-label="Keys">{ "?" }</button>
            { if is_open && state.gallery.open { super::landing::examples(state, link) } else { html! { <span></span> } } }
        </header>
    }
}
