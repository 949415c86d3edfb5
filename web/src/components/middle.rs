//! The middle of the page: the tabs, and the view that is chosen.

use super::link::{Link, act};
use super::{compare, fields, files, memory, search, signals, tasks};
use crate::state::{State, Tab, tab};
use web_sys::KeyboardEvent;
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    let body = match state.tab {
        Tab::Record => fields::view(state, link),
        Tab::Tasks => tasks::view(state, link),
        Tab::Memory => memory::view(state, link),
        Tab::Files => files::view(state, link),
        Tab::Signals => signals::view(state, link),
        Tab::Search => search::view(state, link),
        Tab::Compare => compare::view(state, link),
    };
    let move_tab = link.batch(|event: KeyboardEvent| {
        let by = match event.key().as_str() {
            "ArrowLeft" => -1,
            "ArrowRight" => 1,
            _ => return None,
        };
        event.prevent_default();
        Some(tab::Action::Move(by))
    });
    let button = |(it, name): &(Tab, &'static str)| {
        let selected = *it == state.tab;
        html! {
            <button role="tab" id={format!("tab-{name}")} aria-selected={selected.to_string()} aria-controls="middle"
                tabindex={if selected { "0" } else { "-1" }} onclick={act(link, tab::Action::Show(*it))}>{ name }</button>
        }
    };
    let current = Tab::ALL.iter().find(|(it, _)| *it == state.tab).map_or("", |(_, name)| name);
    html! {
        <section class="pane middle">
            <div class="tabs" role="tablist" aria-label="Views" onkeydown={move_tab}>{ for Tab::ALL.iter().map(button) }</div>
            <div class="scroll" role="tabpanel" id="middle" tabindex="0" aria-labelledby={format!("tab-{current}")} key={current}>
                { body }
            </div>
        </section>
    }
}
