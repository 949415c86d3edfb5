//! Search for text, bytes or a pointer; strings of a region.

use super::ends::ends;
use super::link::{Link, act, typed};
use super::list;
use crate::proto::{Hit, Scope, Space};
use crate::state::State;
use crate::state::search::{self, LEAST, Part};
use crate::text::{Pattern, grouped, size};
use web_sys::SubmitEvent;
use yew::{Html, classes, html};

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
    let part = |part, name: &'static str, there: bool| {
        html! { <button type="button" class="small" aria-pressed={(now.part == part).to_string()} disabled={!there}
        onclick={act(link, search::Action::Part(part))}>{ name }</button> }
    };
    let width = |narrow: u8, name| choice(now.narrow == narrow, name, search::Action::Narrow(narrow));
    let order = |big, name| choice(now.big == big, name, search::Action::Big(big));
    let step = |by: i32, sign: &'static str, label: &'static str| {
        html! { <button type="button" class="small" aria-label={label} title={label} disabled={now.hits.is_empty()}
        onclick={act(link, search::Action::Move(by))}>{ sign }</button> }
    };
    let is_over = now.ran && now.running.is_none();
    let strings = now.pattern == Pattern::Strings;
    let (placeholder, button) = match now.pattern {
        Pattern::Text => ("secret", "Search"),
        Pattern::Hex => ("de ad ?? ef", "Search"),
        Pattern::Utf16 => ("secret", "Search"),
        Pattern::Number => ("0x7ffd1000", "Search"),
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
                    { pattern(Pattern::Text, "Text") }{ pattern(Pattern::Utf16, "UTF-16") }{ pattern(Pattern::Hex, "Hex bytes") }{ pattern(Pattern::Number, "Number") }{ pattern(Pattern::Strings, "Strings") }
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
            <div class="row" hidden={strings}>
                { match now.pattern {
                    Pattern::Text | Pattern::Utf16 => choice(now.fold, "Either case", search::Action::Fold(!now.fold)),
                    Pattern::Number => html! { <>
                        <span class="group" role="group" aria-label="Bytes">{ width(3, "1") }{ width(2, "2") }{ width(1, "4") }{ width(0, "8 bytes") }</span>
                        <span class="group" role="group" aria-label="Byte order">{ order(false, "Little-endian") }{ order(true, "Big-endian") }</span>
                    </> },
                    Pattern::Hex | Pattern::Strings => Html::default(),
                } }
                { if now.scope == Scope::Pages { html! {
                    <span class="group" role="group" aria-label="Within">
                        { part(Part::All, "All memory", true) }{ part(Part::Process, "Chosen process", state.chosen().is_some_and(|task| task.mm != 0)) }
                        { part(Part::Shown, "Area shown", state.hex.space != Space::File) }
                    </span>
                } } else { Html::default() } }
                <span class="group" role="group" aria-label="Walk">{ step(-1, "↑", "Previous hit (Shift F3)") }{ step(1, "↓", "Next hit (F3)") }</span>
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
                    { for now.hits.get(shown.clone()).unwrap_or_default().iter().zip(shown.clone()).map(|(hit, at)| row(at, hit, now.at == Some(at), link)) }
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

fn row(at: usize, hit: &Hit, current: bool, link: &Link) -> Html {
    html! {
        <li><button class={classes!("hit", current.then_some("current"))} data-at={format!("{:#x}", hit.at)} aria-current={current.then_some("true")}
            onclick={act(link, search::Action::Take(at))}>
            <span class="mono">{ format!("{:#x}", hit.at) }</span><span class="quiet">{ ends(&hit.place) }</span><code>{ &hit.around }</code>
        </button></li>
    }
}
