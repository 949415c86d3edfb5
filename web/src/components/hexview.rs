//! Bytes in hexadecimal and as text, linked with record and field; of the file, or of memory by address.

use super::link::{Link, act};
use crate::proto::Space;
use crate::state::{ROW, State, hex, save};
use crate::text::counted;
use wasm_bindgen::JsCast;
use web_sys::{Event, KeyboardEvent, MouseEvent, WheelEvent};
use yew::{Html, classes, html};

pub fn view(state: &State, link: &Link) -> Html {
    let view = &state.hex;
    let scrolled = link.batch(|event: Event| {
        let scroll: web_sys::Element = event.target()?.dyn_into().ok()?;
        Some(hex::Action::Scrolled { px: scroll.scroll_top().into(), height: scroll.client_height().into() })
    });
    let page = i64::from(view.visible.max(2) - 1) * ROW as i64;
    let keyed = link.batch(move |event: KeyboardEvent| {
        let by = match event.key().as_str() {
            "ArrowDown" => 16,
            "ArrowUp" => -16,
            "ArrowRight" => 1,
            "ArrowLeft" => -1,
            "PageDown" => page,
            "PageUp" => -page,
            "Home" => i64::MIN,
            "End" => i64::MAX,
            _ => return None,
        };
        event.prevent_default();
        let action = if event.shift_key() { hex::Action::Extend } else { hex::Action::Move };
        Some(action(by))
    });
    let picked = link.batch(|event: MouseEvent| {
        let target: web_sys::Element = event.target()?.dyn_into().ok()?;
        let at = target.get_attribute("data-at")?.parse().ok()?;
        Some(hex::Action::Pick { at, extend: event.shift_key() })
    });
    // A pixel of the scrollbar may be thousands of rows: the wheel moves rows then.
    let scaled = view.is_scaled();
    let wheeled = link.batch(move |event: WheelEvent| {
        let rows = (event.delta_y() / 40.0) as i64;
        scaled.then_some(hex::Action::Wheel(rows))
    });
    let rows = (0..u64::from(view.visible)).map(|n| view.top + n).take_while(|row| *row < view.rows());
    let (from, to) = view.selection;
    let held = to.saturating_sub(from);
    let title = match view.space {
        Space::File => "File".to_owned(),
        Space::Memory(mm) => match state.owner(mm) {
            Some(process) => format!("Memory of {} {} from {:#x} on", process.pid, process.comm, view.start),
            None => format!("Contents of #{mm} from {:#x} on", view.start),
        },
    };
    html! {
        <section class="pane hex-pane" aria-label="Bytes">
            <div class="heads bar row">
                <h2 title={title.clone()}>{ &title }</h2>
                <button class="small" hidden={view.space == Space::File} onclick={act(link, hex::Action::File)}>{ "Back to the file" }</button>
                <span class="quiet mono" id="selection">{ format!("{from:#x} · {}", counted(held, "byte")) }</span>
                { super::goto::understood(state, link) }
                <span class="grow"></span>
                <button class="small" disabled={held == 0} onclick={act(link, save::Action::Selection)}>{ "Save bytes" }</button>
            </div>
            <div id="hex-scroll" class={classes!("scroll", "hex", scaled.then_some("scaled"))} role="grid" aria-label="Bytes" tabindex="0"
                aria-rowcount={view.rows().min(i32::MAX as u64).to_string()} onscroll={scrolled} onkeydown={keyed} onclick={picked} onwheel={wheeled}>
                <div class="stack" role="none">
                    <svg class="spacer" width="1" height={view.height().to_string()} aria-hidden="true"></svg>
                    <div class="window" role="rowgroup">{ for rows.map(|row| self::row(state, row)) }</div>
                </div>
            </div>
            { super::inspector::view(state, link) }
        </section>
    }
}

fn row(state: &State, row: u64) -> Html {
    let view = &state.hex;
    let start = view.start + row * ROW;
    let end = view.start.saturating_add(view.len).min(start.saturating_add(ROW));
    let findings: Vec<_> = state
        .image
        .opened
        .iter()
        .filter(|_| view.space == Space::File)
        .flat_map(|image| &image.verdict.findings)
        .filter(|finding| finding.offset < end && finding.offset.saturating_add(finding.len.max(1)) > start)
        .collect();
    let record = state.record.as_ref().filter(|_| view.space == Space::File);
    let class_of = |at: u64, byte: Option<Option<u8>>| {
        let finding = findings.iter().find(|f| at >= f.offset && at < f.offset.saturating_add(f.len.max(1)));
        classes!(
            (at >= view.selection.0 && at < view.selection.1).then_some("sel"),
            (at == view.cursor).then_some("cur"),
            record
                .is_some_and(|record| at >= record.offset && at < record.offset + record.len)
                .then_some("rec"),
            finding.map(|finding| finding.severity.clone()),
            match byte {
                None => Some("wait"),
                Some(None) => Some("hole"),
                Some(Some(0)) => Some("zero"),
                Some(Some(_)) => None,
            }
        )
    };
    let cells: Vec<_> = (start..end).map(|at| (at, state.blocks.byte(view.space, at))).collect();
    html! {
        <div class="hexrow" role="row" aria-rowindex={(row + 1).min(i32::MAX as u64).to_string()}>
            <span class="at" role="rowheader">{ format!("{start:08x}") }</span>
            { for cells.iter().map(|(at, byte)| {
                let class = classes!("b", class_of(*at, *byte));
                let text = match byte {
                    None => "··".to_owned(),
                    Some(None) => "--".to_owned(),
                    Some(Some(byte)) => format!("{byte:02x}"),
                };
                html! { <span {class} role="gridcell" data-at={at.to_string()}>{ text }</span> }
            }) }
            <span class="ascii" role="presentation">{ for cells.iter().map(|(at, byte)| {
                let class = classes!(class_of(*at, *byte));
                let c = match byte {
                    Some(Some(byte @ 0x20..=0x7e)) => char::from(*byte),
                    Some(None) => ' ',
                    _ => '·',
                };
                html! { <span {class} aria-hidden="true" data-at={at.to_string()}>{ c }</span> }
            }) }</span>
        </div>
    }
}
