//! The edges between the panes: dragged, or moved by the arrows; a double click puts them back.

use super::link::Link;
use crate::state::panes::{self, Edge};
use crate::state::{Action, State};
use wasm_bindgen::JsCast;
use web_sys::{Element, KeyboardEvent, MouseEvent, PointerEvent};
use yew::{Html, html};

/// Pixels that an arrow moves an edge by.
const STEP: f64 = 24.0;

/// The edge beside the tree.
pub fn tree(state: &State, link: &Link) -> Html {
    view("tree-split", "Width of the records", state.panes.tree, Some(true), link)
}

/// The edge of the hex view, which stands beside the middle or below it.
pub fn hex(state: &State, link: &Link) -> Html {
    let size = state.panes.hex_height.or(state.panes.hex_width);
    view("hex-split", "Size of the bytes", size, None, link)
}

fn view(
    class: &'static str,
    label: &'static str,
    size: Option<u32>,
    is_tree: Option<bool>,
    link: &Link,
) -> Html {
    let is_tree = is_tree.unwrap_or(false);
    let down = |event: PointerEvent| {
        event.prevent_default();
        if let Some(split) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) {
            // Without it the edge is lost as soon as the pointer is faster.
            let _ = split.set_pointer_capture(event.pointer_id());
        }
    };
    let moved = link.batch(move |event: PointerEvent| {
        let split: Element = event.target()?.dyn_into().ok()?;
        let is_dragged = split.has_pointer_capture(event.pointer_id());
        let at = Place::of(&split, is_tree).filter(|_| is_dragged)?;
        let px = match at.edge {
            Edge::Tree => f64::from(event.client_x()) - at.start,
            Edge::HexBeside => at.end - f64::from(event.client_x()),
            Edge::HexBelow => at.end - f64::from(event.client_y()),
        };
        Some(Action::from(panes::Action::Size(at.edge, Some(px.max(0.0) as u32))))
    });
    let keyed = link.batch(move |event: KeyboardEvent| {
        let by = match event.key().as_str() {
            "ArrowRight" | "ArrowDown" => STEP,
            "ArrowLeft" | "ArrowUp" => -STEP,
            _ => return None,
        };
        event.prevent_default();
        let at = Place::of(&event.target()?.dyn_into().ok()?, is_tree)?;
        let by = if at.edge == Edge::Tree { by } else { -by };
        Some(Action::from(panes::Action::Size(at.edge, Some((at.size + by).max(0.0) as u32))))
    });
    let back = link.batch(move |event: MouseEvent| {
        let at = Place::of(&event.target()?.dyn_into().ok()?, is_tree)?;
        Some(Action::from(panes::Action::Size(at.edge, None)))
    });
    html! {
        <div class={yew::classes!("split", class)} role="separator" tabindex="0" aria-label={label} aria-valuenow={size.unwrap_or(0).to_string()}
            aria-valuemin="0" aria-valuemax="4000" title="Drag; a double click puts it back" onpointerdown={down} onpointermove={moved} onkeydown={keyed} ondblclick={back}></div>
    }
}

/// Where an edge is, and how large the pane that it changes.
struct Place {
    edge: Edge,
    start: f64,
    end: f64,
    size: f64,
}

impl Place {
    fn of(split: &Element, is_tree: bool) -> Option<Self> {
        let panes = split.closest(".panes").ok()??;
        let around = panes.get_bounding_client_rect();
        let pane = panes.query_selector(if is_tree { ".tree-pane" } else { ".hex-pane" }).ok()??;
        let (pane, split) = (pane.get_bounding_client_rect(), split.get_bounding_client_rect());
        Some(match (is_tree, split.height() > split.width()) {
            (true, _) => {
                Self { edge: Edge::Tree, start: around.left(), end: around.right(), size: pane.width() }
            }
            (false, true) => {
                Self { edge: Edge::HexBeside, start: around.left(), end: around.right(), size: pane.width() }
            }
            (false, false) => {
                Self { edge: Edge::HexBelow, start: around.top(), end: around.bottom(), size: pane.height() }
            }
        })
    }
}
