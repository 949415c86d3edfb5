//! The records by owner; only the rows in sight exist.

use super::ends::ends;
use super::link::{Link, act};
use crate::proto::Row;
use crate::state::{Scroll, State, TREE_ROW_PX, record, tree};
use crate::text::counted;
use wasm_bindgen::JsCast;
use web_sys::{Event, KeyboardEvent};
use yew::{Html, classes, html};

pub fn view(state: &State, link: &Link) -> Html {
    let scroll = state.tree.scroll();
    let scrolled = link.batch(move |event: Event| {
        let list: web_sys::Element = event.target()?.dyn_into().ok()?;
        let visible = (f64::from(list.client_height()) / TREE_ROW_PX).ceil() as u32;
        let top = Scroll { visible, ..scroll }.row(list.scroll_top().into());
        Some(tree::Action::Scrolled { top, visible })
    });
    let visible = i64::from(state.tree.visible.max(2)) - 1;
    let keyed = link.batch(move |event: KeyboardEvent| {
        let action = match event.key().as_str() {
            "ArrowDown" => tree::Action::Move(1),
            "ArrowUp" => tree::Action::Move(-1),
            "PageDown" => tree::Action::Move(visible),
            "PageUp" => tree::Action::Move(-visible),
            "Home" => tree::Action::Move(i64::MIN),
            "End" => tree::Action::Move(i64::MAX),
            "ArrowRight" => tree::Action::FoldSelected(true),
            "ArrowLeft" => tree::Action::FoldSelected(false),
            _ => return None,
        };
        event.prevent_default();
        Some(action)
    });
    let height = scroll.height();
    let selected = state.record.as_ref().map(|record| record.node);
    let cut = state.image.opened.as_ref().and_then(|image| image.cut.as_deref());
    // Where a pixel is more than its share, rows are drawn from the first in sight on.
    let skipped =
        if scroll.is_scaled() { state.tree.top.saturating_sub(state.tree.first) as usize } else { 0 };
    let first = state.tree.first + skipped as u32;
    let above = scroll.px(first);
    let active = selected.map(|node| format!("node-{node}"));
    html! {
        <section class="pane tree-pane" aria-label="Records">
            <h2>{ "Records" }<small class="quiet">{ format!(" {}", counted(state.tree.total.into(), "row")) }</small></h2>
            <div id="tree-scroll" class="scroll tree" role="tree" aria-label="Records" tabindex="0" aria-activedescendant={active}
                onscroll={scrolled} onkeydown={keyed}>
                <div class="stack" role="none">
                    <svg class="spacer" width="1" height={height.to_string()} aria-hidden="true"></svg>
                    <div class="rows" role="none">
                        <svg class="above" width="1" height={above.min(height).to_string()} aria-hidden="true"></svg>
                        { for state.tree.rows.iter().skip(skipped).map(|row| self::row(row, selected == Some(row.node), link)) }
                    </div>
                </div>
            </div>
            <p class="cut" hidden={cut.is_none()}>{ "The walk ends here: " }{ cut }</p>
        </section>
    }
}

fn row(row: &Row, selected: bool, link: &Link) -> Html {
    let mark = match row.mark {
        3 => ("✕", "error"),
        2 => ("!", "warning"),
        1 => ("i", "note"),
        _ => ("", ""),
    };
    let open = row.open.unwrap_or(false);
    let fold = row.open.map(|open| {
        let node = row.node;
        link.callback(move |event: web_sys::MouseEvent| {
            event.stop_propagation();
            tree::Action::Fold { node, open: !open }
        })
    });
    html! {
        <div class={classes!("node", format!("d{}", row.depth.min(8)), selected.then_some("selected"))} role="treeitem"
            id={format!("node-{}", row.node)} aria-level={(row.depth + 1).to_string()} aria-selected={selected.to_string()}
            aria-expanded={row.open.map(|open| open.to_string())} data-offset={row.offset.to_string()}
            title={format!("{} at {:#x}, {} bytes, type {}", row.name, row.offset, row.len, row.kind)}
            onclick={act(link, record::Action::GoTo(row.offset))}>
            <span class="fold" onclick={fold} aria-hidden="true">{ match row.open { None => "", Some(_) if open => "▾", Some(_) => "▸" } }</span>
            <b>{ &row.name }</b>
            { if row.kind == 0 { Html::default() } else { html! { <span class="kind mono">{ row.kind }</span> } } }
            <span class="summary">{ ends(&row.summary) }</span>
            <span class="count">{ if row.open == Some(false) { format!("{}", row.children) } else { String::new() } }</span>
            <span class={classes!("mark", mark.1)} title={mark.1}>{ mark.0 }</span>
            <span class="at mono">{ format!("{:#x}", row.offset) }</span>
        </div>
    }
}
