//! Search for text, bytes or a pointer; strings of a region.

use super::ends::ends;
use super::link::{Link, act, typed};
use super::list;
use crate::proto::{Hit, Scope, Space};
use crate::state::search::{self, LEAST};
use crate::state::{Action, State, memory, record};
use crate::text::{Pattern, grouped, size};
use web_sys::SubmitEvent;
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    let now = &state.search;
    let submit = link.callback(|event: SubmitEvent| {
        event.prevent_default();
        search::Action::Start
    });
    let choice = |on: bool, name: &'static str, action: search::Action| {
        html! { <button type="button" class="small" aria-pressed={on.to_string()} onclick={act(link, action)}>{ name }</button> }
    };
    let pattern = |pattern, name| choice(now.pattern == pattern, name, search::Action::Pattern(pattern));
    let scope = |scope, name| choice(now.scope == scope, name, search::Action::Scope(scope));
    let is_over = now.ran && now.running.is_none();
    let strings = now.pattern == Pattern::Strings;
    let (placeholder, button) = match now.pattern {
        Pattern::Text => ("secret", "Search"),
        Pattern::Hex => ("de ad be ef", "Search"),
        Pattern::Pointer => ("0x7ffd1000", "Search"),
        Pattern::Strings => ("only those that contain this", "List"),
    };
    let least = if now.least == 0 { LEAST } else { now.least };
    let unit = |n: u64| {
        if now.scope == Scope::Records && !strings { format!("{} records", grouped(n)) } else { size(n) }
    };
    let shown = list::rows(now.hits.len(), now.top);
    html! {
        <div class="search filled">
            <form class="row" onsubmit={submit}>
                <input id="search-text" type="search" class="mono grow" aria-label="What to search for" {placeholder}
                    value={now.text.clone()} oninput={typed(link, search::Action::Text)} />
                <button class="primary">{ button }</button>
            </form>
            <div class="row">
                <span class="group" role="group" aria-label="Read it as">
                    { pattern(Pattern::Text, "Text") }{ pattern(Pattern::Hex, "Hex bytes") }{ pattern(Pattern::Pointer, "Pointer") }{ pattern(Pattern::Strings, "Strings") }
                </span>
                { if strings { html! {
                    <span class="row">
                        <label>{ "of at least " }<input id="least" class="tiny" inputmode="numeric" size="3" value={least.to_string()} oninput={typed(link, search::Action::Least)} />{ " characters" }</label>
                        <span class="quiet">{ format!("in {}", region(state)) }</span>
                    </span>
                } } else { html! {
                    <span class="group" role="group" aria-label="Look in">
                        { scope(Scope::Pages, "Memory pages") }{ scope(Scope::Records, "Records") }{ scope(Scope::File, "File as it stands") }
                    </span>
                } } }
            </div>
            <p class="wrong" hidden={now.wrong.is_none()}>{ now.wrong }</p>
            <p class="row" hidden={now.running.is_none()}>
                { for now.running.map(|(done, total)| html! { <>
                    <progress value={done.to_string()} max={total.max(1).to_string()} aria-label="Searching"></progress>
                    <span class="quiet">{ format!("{} of {}", unit(done), unit(total)) }</span>
                </> }) }
                <button class="small" onclick={act(link, search::Action::Cancel)}>{ "Stop" }</button>
            </p>
            <p class="quiet" id="found" hidden={!is_over}>{ format!("{} found{}", now.hits.len(), if now.hits.len() >= 20_000 { " at least; the first are listed" } else { "" }) }</p>
            <div class="long" id="hits" tabindex="0" role="region" aria-label="What was found" hidden={now.hits.is_empty()}
                onscroll={list::scrolled(link, now.top, search::Action::Scrolled)}>
                <ul class="hits">
                    { list::gap_item(shown.start) }
                    { for now.hits.get(shown.clone()).unwrap_or_default().iter().map(|hit| row(hit, link)) }
                    { list::gap_item(now.hits.len() - shown.end) }
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
            let areas = state.memory.map.iter().filter(|map| map.mm == mm).flat_map(|map| &map.areas);
            let area = areas.into_iter().find(|area| area.start == hex.start);
            let name = area.map(|area| if area.name.is_empty() { &*area.kind } else { &*area.name });
            format!("{} at {:#x}, {}", name.unwrap_or("memory"), hex.start, size(hex.len))
        }
    }
}

fn row(hit: &Hit, link: &Link) -> Html {
    let len = hit.len.into();
    let action = match hit.space {
        Space::File => vec![
            Action::from(record::Action::GoTo(hit.at)),
            record::Action::Select { offset: hit.at, len }.into(),
        ],
        Space::Memory(mm) => vec![memory::Action::SelectAt { mm, address: hit.at, len }.into()],
    };
    let go = link.batch(move |_| action.clone());
    html! {
        <li><button class="hit" data-at={format!("{:#x}", hit.at)} onclick={go}>
            <span class="mono">{ format!("{:#x}", hit.at) }</span><span class="quiet">{ ends(&hit.place) }</span><code>{ &hit.around }</code>
        </button></li>
    }
}
