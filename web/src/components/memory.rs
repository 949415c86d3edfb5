//! Memory of a task: a strip to scale, and the areas as a table.

use super::{Link, act, nothing, task_choice, typed};
use crate::proto::Area;
use crate::state::{Action, SortBy, State};
use crate::text::size;
use yew::{Html, classes, html};

/// Most areas in the table; the filter finds the others.
const MAX_AREAS: usize = 1000;
/// Width of the strip in its own units.
const WIDTH: f64 = 1000.0;

pub fn view(state: &State, link: &Link) -> Html {
    let Some(map) = &state.map else {
        return nothing("This image holds no memory of a task.");
    };
    let wanted = state.map_filter.to_lowercase();
    let fits = |area: &&Area| {
        let text = format!("{} {} {} {:#x}", area.prot, area.kind, area.name, area.start).to_lowercase();
        text.contains(&wanted)
    };
    let mut areas: Vec<&Area> = map.areas.iter().filter(fits).collect();
    match state.map_sort {
        SortBy::Address => {}
        SortBy::Size => areas.sort_by_key(|area| std::cmp::Reverse(area.end - area.start)),
        SortBy::Stored => areas.sort_by_key(|area| std::cmp::Reverse(area.stored)),
        SortBy::Name => areas.sort_by(|a, b| a.name.cmp(&b.name)),
    }
    let sum = |of: fn(&Area) -> u64| map.areas.iter().fold(0u64, |sum, area| sum.saturating_add(of(area)));
    let column = |by: SortBy, name: &'static str| {
        let sort = if state.map_sort == by { "descending" } else { "none" };
        html! { <th aria-sort={sort}><button class="link" onclick={act(link, Action::MapSort(by))}>{ name }</button></th> }
    };
    let total = areas.len();
    html! {
        <div class="memory">
            { task_choice(state, link) }
            <p class="quiet">{ format!("{} areas, {} mapped, {} resident, {} in the image, {} of zeros",
                map.areas.len(), size(sum(|a| a.end - a.start)), size(sum(|a| a.resident)), size(sum(|a| a.stored)), size(sum(|a| a.zero))) }</p>
            <div class="row">
                <input type="search" placeholder="Filter: heap, libc, rw-" aria-label="Filter areas" value={state.map_filter.clone()}
                    oninput={typed(link, Action::MapFilter)} />
                <button class="small" aria-pressed={state.map_log.to_string()} onclick={act(link, Action::MapLog(!state.map_log))}>
                    { if state.map_log { "Scale: logarithmic" } else { "Scale: linear" } }
                </button>
                <span class="legend">
                    <i class="p-x"></i>{ "code" }<i class="p-w"></i>{ "writable" }<i class="p-r"></i>{ "read-only" }<i class="p-n"></i>{ "no access" }
                </span>
            </div>
            { strip(state, &map.areas, map.mm, link) }
            <table class="areas">
                <thead><tr>{ column(SortBy::Address, "Address") }<th>{ "Access" }</th>{ column(SortBy::Size, "Size") }
                    <th>{ "Resident" }</th>{ column(SortBy::Stored, "Stored") }{ column(SortBy::Name, "What") }<th><span class="said">{ "Save" }</span></th></tr></thead>
                <tbody>{ for areas.iter().take(MAX_AREAS).map(|area| row(area, map.mm, link)) }</tbody>
            </table>
            <p class="hint" hidden={total <= MAX_AREAS}>{ format!("{} more; narrow them down with the filter", total.saturating_sub(MAX_AREAS)) }</p>
        </div>
    }
}

fn access(area: &Area) -> &'static str {
    match area.prot.as_str() {
        prot if prot.contains('x') => "p-x",
        prot if prot.contains('w') => "p-w",
        prot if prot.contains('r') => "p-r",
        _ => "p-n",
    }
}

/// Every area as wide as it is long, or as its logarithm; what lies between them is left out.
fn strip(state: &State, areas: &[Area], mm: u32, link: &Link) -> Html {
    let weight = |area: &Area| {
        let len = (area.end - area.start) as f64;
        if state.map_log { (len / 4096.0 + 1.0).log2().max(1.0) } else { len }
    };
    let total: f64 = areas.iter().map(weight).sum();
    let mut x = 0.0;
    let shown = match state.hex.space {
        crate::proto::Space::Memory(id) if id == mm => Some(state.hex.cursor),
        _ => None,
    };
    html! {
        <svg class="strip" viewBox="0 0 1000 40" preserveAspectRatio="none" aria-hidden="true">
            { for areas.iter().map(|area| {
                let width = weight(area) / total.max(1.0) * WIDTH;
                let at = x;
                x += width;
                let share = area.stored as f64 / ((area.end - area.start) as f64).max(1.0);
                let held = 40.0 * share.min(1.0);
                let here = shown.is_some_and(|cursor| (area.start..area.end).contains(&cursor));
                html! {
                    <g class={classes!("area", access(area), here.then_some("here"))} onclick={act(link, Action::Address { mm, address: area.start })}>
                        <title>{ format!("{:#x} {} {}", area.start, area.prot, area.name) }</title>
                        <rect class="back" x={at.to_string()} y="0" width={width.max(0.4).to_string()} height="40" />
                        <rect class="held" x={at.to_string()} y={(40.0 - held).to_string()} width={width.max(0.4).to_string()} height={held.to_string()} />
                    </g>
                }
            }) }
        </svg>
    }
}

fn row(area: &Area, mm: u32, link: &Link) -> Html {
    let len = area.end - area.start;
    let name = if area.name.is_empty() { area.kind.clone() } else { area.name.clone() };
    let save = act(link, Action::SaveArea { mm, start: area.start, len });
    html! {
        <tr data-start={format!("{:#x}", area.start)}>
            <th scope="row"><button class="link mono" title="Show its pages" onclick={act(link, Action::Address { mm, address: area.start })}>
                { format!("{:#014x}", area.start) }</button></th>
            <td class="mono"><i class={access(area)}></i>{ &area.prot }{ if area.shared { "s" } else { "p" } }</td>
            <td>{ size(len) }</td>
            <td>{ size(area.resident) }</td>
            <td>{ size(area.stored) }</td>
            <td class="name" title={name.clone()}>{ &name }<small class="quiet" hidden={area.name.is_empty() || area.kind == "file"}>{ format!(" {}", area.kind) }</small></td>
            <td><button class="small" disabled={area.stored == 0} onclick={save} aria-label={format!("Save the area at {:#x}", area.start)}>{ "Save" }</button></td>
        </tr>
    }
}
