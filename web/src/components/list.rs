//! Long lists of which only the rows in sight exist: the browser scrolls, what is far off is a gap of the same height.

use super::link::Link;
use crate::browser::window;
use crate::state::Action;
use std::ops::Range;
use wasm_bindgen::JsCast;
use yew::{Callback, Html, html};

/// Height of a row in pixels; the style sheet says the same.
const ROW_PX: f64 = 32.0;
/// Rows above the first in sight that exist, and as many below the last.
const ABOVE: usize = 12;
/// Rows that are scrolled before others are made.
const STEP: u32 = 6;
/// Height of a window that does not say how high it is.
const WINDOW_PX: f64 = 2160.0;

/// The rows that exist, of so many, when this one is the first in sight.
pub fn rows(total: usize, top: u32) -> Range<usize> {
    // No list is higher than the window; every row more is drawn anew at every step.
    let height = window().and_then(|window| window.inner_height().ok()?.as_f64()).unwrap_or(WINDOW_PX);
    let rows = (height / ROW_PX).ceil() as usize + 2 * ABOVE;
    let start = (top as usize).saturating_sub(ABOVE).min(total.saturating_sub(rows));
    start..(start + rows).min(total)
}

/// Tells the first row in sight when it is another.
pub fn scrolled<A: Into<Action> + 'static>(
    link: &Link,
    top: u32,
    action: fn(u32) -> A,
) -> Callback<web_sys::Event> {
    link.batch(move |event: web_sys::Event| {
        let list: web_sys::Element = event.target()?.dyn_into().ok()?;
        let now = (f64::from(list.scroll_top()) / ROW_PX) as u32;
        (now.abs_diff(top) >= STEP || (now == 0) != (top == 0)).then(|| action(now).into())
    })
}

/// Where a row starts and ends.
pub fn row_px(row: u32) -> (f64, f64) {
    (f64::from(row) * ROW_PX, f64::from(row + 1) * ROW_PX)
}

/// As high as so many rows of a table with so many columns.
pub fn gap(rows: usize, columns: u32) -> Html {
    let height = rows as f64 * ROW_PX;
    html! {
        <tr class="gap" hidden={rows == 0} aria-hidden="true"><td colspan={columns.to_string()}>
            <svg width="1" height={height.to_string()}></svg></td></tr>
    }
}

/// The same among elements of any kind.
pub fn gap_block(rows: usize) -> Html {
    let height = rows as f64 * ROW_PX;
    html! { <svg class="gap" hidden={rows == 0} width="1" height={height.to_string()} aria-hidden="true"></svg> }
}

/// The same in a list.
pub fn gap_item(rows: usize) -> Html {
    let height = rows as f64 * ROW_PX;
    html! { <li class="gap" hidden={rows == 0} aria-hidden="true"><svg width="1" height={height.to_string()}></svg></li> }
}
