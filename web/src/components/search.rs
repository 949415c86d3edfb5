//! Search for text, bytes or a pointer.

use super::{Link, act, typed};
use crate::app::Message;
use crate::proto::{Hit, Scope, Space};
use crate::state::{Action, State};
use crate::text::{Pattern, size};
use web_sys::SubmitEvent;
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    let search = &state.search;
    let submit = link.callback(|event: SubmitEvent| {
        event.prevent_default();
        Message::Act(Action::Search)
    });
    let choice = |on: bool, name: &'static str, action: Action| {
        html! { <button type="button" class="small" aria-pressed={on.to_string()} onclick={act(link, action)}>{ name }</button> }
    };
    let pattern = |pattern, name| choice(search.pattern == pattern, name, Action::SearchPattern(pattern));
    let scope = |scope, name| choice(search.scope == scope, name, Action::SearchScope(scope));
    let is_over = search.ran && search.running.is_none();
    html! {
        <div class="search">
            <form class="row" onsubmit={submit}>
                <input id="search-text" type="search" class="mono grow" aria-label="What to search for" placeholder="secret, de ad be ef, 0x7ffd1000"
                    value={search.text.clone()} oninput={typed(link, Action::SearchText)} />
                <button class="primary">{ "Search" }</button>
            </form>
            <div class="row">
                <span class="group" role="group" aria-label="Read it as">
                    { pattern(Pattern::Text, "Text") }{ pattern(Pattern::Hex, "Hex bytes") }{ pattern(Pattern::Pointer, "Pointer") }
                </span>
                <span class="group" role="group" aria-label="Look in">
                    { scope(Scope::Pages, "Memory pages") }{ scope(Scope::File, "File as it stands") }
                </span>
            </div>
            <p class="wrong" hidden={search.wrong.is_none()}>{ search.wrong }</p>
            <p class="row" hidden={search.running.is_none()}>
                { for search.running.map(|(done, total)| html! { <>
                    <progress value={done.to_string()} max={total.max(1).to_string()} aria-label="Searching"></progress>
                    <span class="quiet">{ format!("{} of {}", size(done), size(total)) }</span>
                </> }) }
                <button class="small" onclick={act(link, Action::SearchCancel)}>{ "Stop" }</button>
            </p>
            <p class="quiet" id="found" hidden={!is_over}>{ format!("{} found{}", search.hits.len(), if search.hits.len() >= 1000 { " at least; the first are listed" } else { "" }) }</p>
            <ul class="hits">{ for search.hits.iter().map(|hit| row(hit, link)) }</ul>
        </div>
    }
}

fn row(hit: &Hit, link: &Link) -> Html {
    let action = match hit.space {
        Space::File => vec![Action::GoTo(hit.at), Action::Select { offset: hit.at, len: hit.len.into() }],
        Space::Memory(mm) => vec![Action::Address { mm, address: hit.at }],
    };
    let go = link.batch_callback(move |_| action.clone().into_iter().map(Message::Act).collect::<Vec<_>>());
    html! {
        <li><button class="hit" data-at={format!("{:#x}", hit.at)} onclick={go}>
            <span class="mono">{ format!("{:#x}", hit.at) }</span><span class="quiet">{ &hit.place }</span><code>{ &hit.around }</code>
        </button></li>
    }
}
