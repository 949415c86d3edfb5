//! Memory of a task as a strip to scale: who may access it above, below how much of it is stored, zero, or comes back
//! from a file. What lies between the areas is left out.

use super::link::{Link, act};
use crate::proto::{Area, Map, Space};
use crate::state::memory::{self, Memory};
use crate::state::{State, Zoom};
use crate::text::counted;
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

/// Pieces that are drawn at the most: more are thinner than can be seen, and every one is some elements of the page.
const PIECES: usize = 200;

/// An area, or several that lie so close that they are drawn as one.
struct Piece<'a> {
    /// The first of them.
    area: &'a Area,
    count: usize,
    /// Address behind the last.
    end: u64,
    /// Where they lie, as shares of the whole.
    from: f64,
    span: f64,
    /// Bytes in all, stored, zero, and from a file.
    len: u64,
    shares: [u64; 3],
    /// Access of the largest of them, and how large that is.
    access: &'static str,
    largest: u64,
    here: bool,
}

impl<'a> Piece<'a> {
    fn new(area: &'a Area, from: f64, until: f64, here: bool) -> Self {
        let len = area.end - area.start;
        Self {
            area,
            count: 1,
            end: area.end,
            from,
            span: until - from,
            len,
            shares: [area.stored, area.zero, area.from_file],
            access: access(area),
            largest: len,
            here,
        }
    }

    fn join(&mut self, area: &Area, until: f64, here: bool) {
        let len = area.end - area.start;
        (self.count, self.end, self.span) = (self.count + 1, area.end, until - self.from);
        self.len = self.len.saturating_add(len);
        for (share, more) in self.shares.iter_mut().zip([area.stored, area.zero, area.from_file]) {
            *share = share.saturating_add(more);
        }
        if len > self.largest {
            (self.largest, self.access) = (len, access(area));
        }
        self.here |= here;
    }
}

/// What is in view, as no more pieces than can be drawn.
fn pieces<'a>(memory: &Memory, areas: &'a [Area], chosen: Option<usize>) -> Vec<Piece<'a>> {
    let zoom = memory.zoom;
    let starts = memory.starts.as_slice();
    let at = |n: usize| starts.get(n).copied().unwrap_or(1.0);
    let first = starts.partition_point(|start| *start < zoom.from).saturating_sub(1);
    let last = starts.partition_point(|start| *start <= zoom.from + zoom.span).min(areas.len());
    let in_view = areas.get(first..last).unwrap_or_default();
    let least = if in_view.len() > PIECES { zoom.span / PIECES as f64 } else { 0.0 };
    let mut out: Vec<Piece<'a>> = Vec::new();
    for (area, n) in in_view.iter().zip(first..) {
        let (from, until, here) = (at(n), at(n + 1), chosen == Some(n));
        match out.last_mut() {
            Some(piece) if until - piece.from < least => piece.join(area, until, here),
            _ => out.push(Piece::new(area, from, until, here)),
        }
    }
    out
}

pub fn view(state: &State, map: &Map, filter: Html, link: &Link) -> Html {
    let Memory { zoom, starts, .. } = &state.memory;
    let zoom = *zoom;
    let chosen = match state.hex.space {
        Space::Memory(mm) => state.memory.area_at(mm, state.hex.cursor).map(|(at, _)| at),
        Space::File => None,
    };
    let seen = pieces(&state.memory, &map.areas, chosen);
    let first = seen.first().map_or(0, |piece| piece.area.start);
    let last = seen.last().map_or(0, |piece| piece.end);
    let chosen = chosen.and_then(|at| {
        let from = *starts.get(at)?;
        Some(Zoom { from, span: starts.get(at + 1)? - from })
    });
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
                    { for seen.iter().map(|it| piece(it, zoom, map.mm, link)) }
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

pub fn access(area: &Area) -> &'static str {
    match &*area.prot {
        prot if prot.contains('x') => "p-x",
        prot if prot.contains('w') => "p-w",
        prot if prot.contains('r') => "p-r",
        _ => "p-n",
    }
}

fn piece(it: &Piece, zoom: Zoom, mm: u32, link: &Link) -> Html {
    let area = it.area;
    // Cut at the edges, or coordinates would be too large for the browser.
    let left = ((it.from - zoom.from) / zoom.span * WIDTH).max(-1.0);
    let right = ((it.from + it.span - zoom.from) / zoom.span * WIDTH).min(WIDTH + 1.0);
    let width = (right - left).max(LEAST);
    // A hair between neighbours, where there is room.
    let width = if width > 4.0 { width - 0.6 } else { width };
    let len = (it.len as f64).max(1.0);
    let mut bottom = HEIGHT;
    let mut share = |class: &'static str, bytes: u64| {
        let height = (HEIGHT - BAND) * (bytes as f64 / len).min(1.0);
        bottom -= height;
        html! { <rect {class} x={left.to_string()} y={bottom.max(BAND).to_string()} width={width.to_string()} height={height.to_string()} /> }
    };
    let [stored, zero, from_file] = it.shares;
    let shares = [share("s-stored", stored), share("s-zero", zero), share("s-file", from_file)];
    let show = memory::Action::Show(Zoom { from: it.from, span: it.span });
    let go = match it.count {
        1 => memory::Action::Address { mm, address: area.first.unwrap_or(area.start) },
        // Several are looked at more closely.
        _ => show.clone(),
    };
    let title = match it.count {
        1 => format!(
            "{:#x} {} {}",
            area.start,
            area.prot,
            if area.name.is_empty() { &area.kind } else { &area.name }
        ),
        count => format!("{:#x} to {:#x}, {}", area.start, it.end, counted(count as u64, "area")),
    };
    html! {
        <g class={classes!("area", it.here.then_some("here"))} onclick={act(link, go)} ondblclick={act(link, show)}>
            <title>{ title }</title>
            <rect class="back" x={left.to_string()} y="0" width={width.to_string()} height="64" />
            <g class={it.access}><rect x={left.to_string()} y="0" width={width.to_string()} height="11" /></g>
            { for shares }
        </g>
    }
}
