//! Search for text, bytes or a pointer; strings of a region.

use super::{Link, act, list, typed};
use crate::app::Message;
use crate::proto::{Hit, Scope, Space};
use crate::state::{Action, LEAST, State};
use crate::text::{Pattern, grouped, size};
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
    let strings = search.pattern == Pattern::Strings;
    let (placeholder, button) = match search.pattern {
        Pattern::Text => ("secret", "Search"),
        Pattern::Hex => ("de ad be ef", "Search"),
        Pattern::Pointer => ("0x7ffd1000", "Search"),
        Pattern::Strings => ("only those that contain this", "List"),
    };
    let least = if search.least == 0 { LEAST } else { search.least };
    let unit = |n: u64| {
        if search.scope == Scope::Records && !strings { format!("{} records", grouped(n)) } else { size(n) }
    };
    let shown = list::rows(search.hits.len(), search.top);
    html! {
        <div class="search filled">
            <form class="row" onsubmit={submit}>
                <input id="search-text" type="search" class="mono grow" aria-label="What to search for" {placeholder}
                    value={search.text.clone()} oninput={typed(link, Action::SearchText)} />
                <button class="primary">{ button }</button>
            </form>
            <div class="row">
                <span class="group" role="group" aria-label="Read it as">
                    { pattern(Pattern::Text, "Text") }{ pattern(Pattern::Hex, "Hex bytes") }{ pattern(Pattern::Pointer, "Pointer") }{ pattern(Pattern::Strings, "Strings") }
                </span>
                { if strings { html! {
                    <span class="row">
                        <label>{ "of at least " }<input id="least" class="tiny" inputmode="numeric" size="3" value={least.to_string()} oninput={typed(link, Action::SearchLeast)} />{ " characters" }</label>
                        <span class="quiet">{ format!("in {}", region(state)) }</span>
                    </span>
                } } else { html! {
                    <span class="group" role="group" aria-label="Look in">
                        { scope(Scope::Pages, "Memory pages") }{ scope(Scope::Records, "Records") }{ scope(Scope::File, "File as it stands") }
                    </span>
                } } }
            </div>
            <p class="wrong" hidden={search.wrong.is_none()}>{ search.wrong }</p>
            <p class="row" hidden={search.running.is_none()}>
                { for search.running.map(|(done, total)| html! { <>
                    <progress value={done.to_string()} max={total.max(1).to_string()} aria-label="Searching"></progress>
                    <span class="quiet">{ format!("{} of {}", unit(done), unit(total)) }</span>
                </> }) }
                <button class="small" onclick={act(link, Action::SearchCancel)}>{ "Stop" }</button>
            </p>
            <p class="quiet" id="found" hidden={!is_over}>{ format!("{} found{}", search.hits.len(), if search.hits.len() >= 20_000 { " at least; the first are listed" } else { "" }) }</p>
            <div class="long" id="hits" tabindex="0" role="region" aria-label="What was found" hidden={search.hits.is_empty()}
                onscroll={list::scrolled(link, search.top, Action::SearchScrolled)}>
                <ul class="hits">
                    { list::gap_item(shown.start) }
                    { for search.hits.get(shown.clone()).unwrap_or_default().iter().map(|hit| row(hit, link)) }
                    { list::gap_item(search.hits.len() - shown.end) }
                </ul>
            </div>
        </div>
    }
}

/// What the hex view shows, by name.
fn region(state: &State) -> String {
    let hex = &state.hex;
    match hex.space {
        Space::File => "the file as it stands".into(),
        Space::Memory(mm) => {
            let areas = state.map.iter().filter(|map| map.mm == mm).flat_map(|map| &map.areas);
            let area = areas.into_iter().find(|area| area.start == hex.start);
            let name =
                area.map(|area| if area.name.is_empty() { area.kind.as_str() } else { area.name.as_str() });
            format!("{} at {:#x}, {}", name.unwrap_or("memory"), hex.start, size(hex.len))
        }
    }
}

fn row(hit: &Hit, link: &Link) -> Html {
    let len = hit.len.into();
    let action = match hit.space {
        Space::File => vec![Action::GoTo(hit.at), Action::Select { offset: hit.at, len }],
        Space::Memory(mm) => vec![Action::SelectAt { mm, address: hit.at, len }],
    };
    let go = link.batch_callback(move |_| action.clone().into_iter().map(Message::Act).collect::<Vec<_>>());
    html! {
        <li><button class="hit" data-at={format!("{:#x}", hit.at)} onclick={go}>
            <span class="mono">{ format!("{:#x}", hit.at) }</span><span class="quiet" title={hit.place.clone()}>{ &hit.place }</span><code>{ &hit.around }</code>
        </button></li>
    }
}
