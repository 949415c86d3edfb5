//! The bar at the top: what is open, another file, the theme.

use super::{Link, act, chosen};
use crate::state::{Action, State};
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    let next = match state.dark {
        None => Some(true),
        Some(true) => Some(false),
        Some(false) => None,
    };
    let theme = match state.dark {
        None => "Theme: system",
        Some(true) => "Theme: dark",
        Some(false) => "Theme: light",
    };
    let name = state.image.as_ref().map_or("", |image| image.name.as_str());
    let is_open = state.image.is_some();
    html! {
        <header class="top">
            <svg class="logo" width="24" height="24" viewBox="0 0 24 24" aria-hidden="true">
                <rect x="2" y="2" width="20" height="20" rx="5" class="logo-back" />
                <rect x="8" y="7" width="3" height="10" rx="1" class="logo-bar" />
                <rect x="13" y="7" width="3" height="10" rx="1" class="logo-bar" />
            </svg>
            <h1>{ "Stasis" }<span>{ " inspector" }</span></h1>
            <span class="filename" title={name.to_owned()}>{ name }</span>
            <span class="grow"></span>
            <span class="quiet promise">{ "Nothing leaves this page" }</span>
            <button hidden={!is_open} onclick={act(link, Action::Export)}>{ "Save JSON" }</button>
            <button hidden={!is_open} aria-expanded={state.gallery_open.to_string()} onclick={act(link, Action::ToggleGallery)}>{ "Examples" }</button>
            <label class="button primary">
                { "Open image" }
                <input type="file" id="file" class="hidden-input" onchange={chosen(link, false)} />
            </label>
            <button onclick={act(link, Action::Dark(next))}>{ theme }</button>
            <button onclick={act(link, Action::Help(!state.help))} aria-label="Keys">{ "?" }</button>
            { if is_open && state.gallery_open { super::landing::gallery(state, link) } else { html! { <span></span> } } }
        </header>
    }
}
