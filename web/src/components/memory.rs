//! Memory of a task: a strip to scale, and the areas as a table of which only the rows in sight exist.

use super::ends::ends;
use super::link::{Link, act, typed};
use super::subject::of_task;
use super::{list, strip};
use crate::proto::{Area, Map, Space};
use crate::state::memory::{self, SortBy};
use crate::state::{State, save, search};
use crate::text::{counted, size};
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    html! {
        <div class="memory filled">
            { of_task(state, link, "This image holds no memory of a task.", state.memory.map.as_ref().map(|map| areas(state, map, link))) }
        </div>
    }
}

fn areas(state: &State, map: &Map, link: &Link) -> Html {
    let [mapped, resident, stored, zero, from_file] = state.memory.sums.map(size);
    let filter = html! {
        <input type="search" class="grow" placeholder="Filter: heap, libc, rw-" aria-label="Filter areas" value={state.memory.filter.clone()}
            oninput={typed(link, memory::Action::Filter)} />
    };
    let memory =
        state.tasks.task.iter().flat_map(|task| &task.shares).find(|words| words.starts_with("memory"));
    html! {
        <>
            <p class="quiet">{ format!("{}, {mapped} mapped, {resident} resident: {stored} stored, {zero} zero, {from_file} from files", counted(map.areas.len() as u64, "area")) }
                { memory.map_or(String::new(), |words| format!(". It shares its {words}.")) }</p>
            { strip::view(state, map, filter, link) }
            { table(state, map, link) }
        </>
    }
}

fn table(state: &State, map: &Map, link: &Link) -> Html {
    let listed = state.memory.listed.as_slice();
    let column = |by: SortBy, name: &'static str| {
        let sort = match (state.memory.sort == by, by) {
            (false, _) => "none",
            (true, SortBy::Size | SortBy::Stored) => "descending",
            (true, _) => "ascending",
        };
        let class = if matches!(by, SortBy::Size | SortBy::Stored) { "n" } else { "" };
        html! { <th {class} aria-sort={sort}><button class="link" onclick={act(link, memory::Action::Sort(by))}>{ name }</button></th> }
    };
    let shown = list::rows(listed.len(), state.memory.top);
    let rows = listed.get(shown.clone()).unwrap_or_default();
    let rows = rows.iter().filter_map(|at| map.areas.get(*at as usize));
    html! {
        <div class="long" id="areas" tabindex="0" role="region" aria-label="Areas" onscroll={list::scrolled(link, state.memory.top, memory::Action::Scrolled)}>
            <table class="areas virtual" aria-rowcount={listed.len().to_string()}>
                <thead><tr>{ column(SortBy::Address, "Address") }<th>{ "Access" }</th>{ column(SortBy::Size, "Size") }
                    <th class="n">{ "Resident" }</th>{ column(SortBy::Stored, "Stored") }<th class="n">{ "Zero" }</th><th class="n">{ "From file" }</th>
                    { column(SortBy::Name, "What") }<th><span class="said">{ "Actions" }</span></th></tr></thead>
                <tbody>
                    { list::gap(shown.start, 9) }
                    { for rows.map(|area| row(area, map.mm, link)) }
                    { list::gap(listed.len() - shown.end, 9) }
                </tbody>
            </table>
        </div>
    }
}

fn row(area: &Area, mm: u32, link: &Link) -> Html {
    let len = area.end - area.start;
    let name = if area.name.is_empty() { area.kind.to_string() } else { area.name.to_string() };
    // The kind says more only where the name does not.
    let what = match &*area.kind {
        "file" => name,
        _ if area.name.is_empty() => name,
        kind => format!("{name}, {kind}"),
    };
    let save = act(link, save::Action::Area { mm, start: area.start, len });
    let strings = act(link, search::Action::Strings { space: Space::Memory(mm), start: area.start, len });
    // Where something is to be seen.
    let address = area.first.unwrap_or(area.start);
    let is_empty = area.first.is_none();
    let some = |bytes: u64| if bytes == 0 { "–".to_owned() } else { size(bytes) };
    html! {
        <tr data-start={format!("{:#x}", area.start)}>
            <th scope="row"><button class="link mono" title="Show its pages" onclick={act(link, memory::Action::Address { mm, address })}>
                { format!("{:#014x}", area.start) }</button></th>
            <td class="mono"><i class={strip::access(area)}></i>{ &*area.prot }{ if area.shared { "s" } else { "p" } }</td>
            <td class="n">{ size(len) }</td>
            <td class="n">{ some(area.resident) }</td>
            <td class="n">{ some(area.stored) }</td>
            <td class="n">{ some(area.zero) }</td>
            <td class="n">{ some(area.from_file) }</td>
            <td class="name">{ ends(&what) }{ area.with.as_ref().map(|with| html! { <span class="shared" title={with.to_string()}>{ format!("with {with}") }</span> }).unwrap_or_default() }</td>
            <td class="actions"><button class="small" disabled={is_empty} onclick={strings} aria-label={format!("Strings of the area at {:#x}", area.start)}>{ "Strings" }</button>{ " " }
                <button class="small" disabled={is_empty} onclick={save} aria-label={format!("Save the area at {:#x}", area.start)}>{ "Save" }</button></td>
        </tr>
    }
}
