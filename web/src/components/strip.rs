//! Memory of a task as a strip to scale: who may access it above, below how much of it is stored, zero, or comes back
//! from a file. What lies between the areas is left out.

use super::link::{Link, act};
use crate::proto::{Area, Map, Space};
use crate::state::{State, Zoom, memory};
use wasm_bindgen::JsCast;
use web_sys::{KeyboardEvent, WheelEvent};
use yew::{Html, classes, html};

/// Size of the strip in its own units; it is stretched to the width of the page.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 64.0;
/// Height of the band that shows the access.
const BAND: f64 = 12.0;
/// Smallest width of an area: a page beside gigabytes is still seen.
const LEAST: f64 = 0.8;

/// An area and where it lies, as shares of the whole.
struct Placed<'a> {
    area: &'a Area,
    from: f64,
    span: f64,
}

pub fn view(state: &State, map: &Map, filter: Html, link: &Link) -> Html {
    let areas = placed(&map.areas, state.memory.log);
    let zoom = state.memory.zoom;
    let cursor = match state.hex.space {
        Space::Memory(mm) if mm == map.mm => Some(state.hex.cursor),
        _ => None,
    };
    let here = |placed: &&Placed| cursor.is_some_and(|at| (placed.area.start..placed.area.end).contains(&at));
    let chosen = areas.iter().find(here).map(|placed| Zoom { from: placed.from, span: placed.span });
    let seen: Vec<&Placed> = areas
        .iter()
        .filter(|placed| placed.from + placed.span >= zoom.from && placed.from <= zoom.from + zoom.span)
        .collect();
    let first = seen.first().map_or(0, |placed| placed.area.start);
    let last = seen.last().map_or(0, |placed| placed.area.end);
    let keyed = link.batch(|event: KeyboardEvent| {
        let action = match event.key().as_str() {
            "+" | "=" => memory::Action::Zoom { factor: 2.0, around: 0.5 },
            "-" => memory::Action::Zoom { factor: 0.5, around: 0.5 },
            "0" => memory::Action::Show(Zoom::default()),
            "ArrowLeft" => memory::Action::Move(-0.25),
            "ArrowRight" => memory::Action::Move(0.25),
            _ => return None,
        };
        event.prevent_default();
        Some(action)
    });
    let wheeled = link.batch(|event: WheelEvent| {
        let target: web_sys::Element = event.target()?.dyn_into().ok()?;
        let strip = target.closest("#strip").ok()??.get_bounding_client_rect();
        let around = ((f64::from(event.client_x()) - strip.left()) / strip.width().max(1.0)).clamp(0.0, 1.0);
        let sideways = event.delta_x();
        Some(if sideways.abs() > event.delta_y().abs() {
            memory::Action::Move(sideways / strip.width().max(1.0))
        } else {
            memory::Action::Zoom { factor: (-event.delta_y() / 300.0).exp2(), around }
        })
    });
    let zoom_to = chosen.map(|zoom| act(link, memory::Action::Show(zoom)));
    html! {
        <div class="strips">
            <div class="row">
                <button class="small" aria-pressed={state.memory.log.to_string()} onclick={act(link, memory::Action::Log(!state.memory.log))}>
                    { if state.memory.log { "Scale: logarithmic" } else { "Scale: linear" } }</button>
                <span class="group" role="group" aria-label="Zoom">
                    <button class="small" aria-label="Zoom out" disabled={zoom.is_whole()} onclick={act(link, memory::Action::Zoom { factor: 0.5, around: 0.5 })}>{ "−" }</button>
                    <button class="small" aria-label="Zoom in" onclick={act(link, memory::Action::Zoom { factor: 2.0, around: 0.5 })}>{ "+" }</button>
                    <button class="small" disabled={zoom.is_whole()} onclick={act(link, memory::Action::Show(Zoom::default()))}>{ "All" }</button>
                    <button class="small" disabled={zoom_to.is_none()} onclick={zoom_to.unwrap_or_default()}>{ "Area shown" }</button>
                </span>
                { filter }
            </div>
            <div id="strip" role="group" tabindex="0" aria-label="Memory to scale; plus and minus zoom, arrows move, 0 shows all"
                onkeydown={keyed} onwheel={wheeled}>
                <svg class="strip" viewBox="0 0 1000 64" preserveAspectRatio="none" aria-hidden="true">
                    { for seen.iter().map(|placed| area(placed, zoom, here(placed), map.mm, link)) }
                </svg>
            </div>
            <p class="ends quiet mono" aria-hidden="true"><span>{ format!("{first:#x}") }</span><span>{ format!("{last:#x}") }</span></p>
            <div class="legends">
                <span class="legend">
                    <span><i class="p-x"></i>{ "code" }</span><span><i class="p-w"></i>{ "writable" }</span><span><i class="p-r"></i>{ "read-only" }</span><span><i class="p-n"></i>{ "no access" }</span>
                </span>
                <span class="legend">
                    <span><i class="s-stored"></i>{ "stored" }</span><span><i class="s-zero"></i>{ "zero" }</span><span><i class="s-file"></i>{ "from file" }</span><span><i class="s-none"></i>{ "never touched" }</span>
                </span>
            </div>
        </div>
    }
}

/// Every area as wide as it is long, or as its logarithm.
fn placed(areas: &[Area], log: bool) -> Vec<Placed<'_>> {
    let weight = |area: &Area| {
        let len = (area.end - area.start) as f64;
        if log { (len / 4096.0 + 1.0).log2().max(1.0) } else { len }
    };
    let total: f64 = areas.iter().map(weight).sum::<f64>().max(1.0);
    let mut from = 0.0;
    let mut out = Vec::with_capacity(areas.len());
    for area in areas {
        let span = weight(area) / total;
        out.push(Placed { area, from, span });
        from += span;
    }
    out
}

pub fn access(area: &Area) -> &'static str {
    match area.prot.as_str() {
        prot if prot.contains('x') => "p-x",
        prot if prot.contains('w') => "p-w",
        prot if prot.contains('r') => "p-r",
        _ => "p-n",
    }
}

fn area(placed: &Placed, zoom: Zoom, here: bool, mm: u32, link: &Link) -> Html {
    let area = placed.area;
    // Cut at the edges, or coordinates would be too large for the browser.
    let left = ((placed.from - zoom.from) / zoom.span * WIDTH).max(-1.0);
    let right = ((placed.from + placed.span - zoom.from) / zoom.span * WIDTH).min(WIDTH + 1.0);
    let width = (right - left).max(LEAST);
    // A hair between neighbours, where there is room.
    let width = if width > 4.0 { width - 0.6 } else { width };
    let len = ((area.end - area.start) as f64).max(1.0);
    let mut bottom = HEIGHT;
    let mut share = |class: &'static str, bytes: u64| {
        let height = (HEIGHT - BAND) * (bytes as f64 / len).min(1.0);
        bottom -= height;
        html! { <rect {class} x={left.to_string()} y={bottom.max(BAND).to_string()} width={width.to_string()} height={height.to_string()} /> }
    };
    let shares =
        [share("s-stored", area.stored), share("s-zero", area.zero), share("s-file", area.from_file)];
    let address = area.first.unwrap_or(area.start);
    let show = Zoom { from: placed.from, span: placed.span };
    html! {
        <g class={classes!("area", here.then_some("here"))} onclick={act(link, memory::Action::Address { mm, address })} ondblclick={act(link, memory::Action::Show(show))}>
            <title>{ format!("{:#x} {} {}", area.start, area.prot, if area.name.is_empty() { &area.kind } else { &area.name }) }</title>
            <rect class="back" x={left.to_string()} y="0" width={width.to_string()} height="64" />
            <g class={access(area)}><rect x={left.to_string()} y="0" width={width.to_string()} height="11" /></g>
            { for shares }
        </g>
    }
}
