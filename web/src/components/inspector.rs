//! The bytes at the cursor as numbers, times, text, and as a pointer that can be followed.

use super::link::{Link, act};
use crate::numbers::{LOOKED_AT, readings, unsigned};
use crate::proto::Space;
use crate::state::{State, hex, memory};
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    let at = &state.hex;
    let byte = |n: u64| state.blocks.byte(at.space, at.cursor.checked_add(n)?)?;
    let bytes: Vec<u8> = (0..LOOKED_AT as u64).map_while(byte).collect();
    let big = state.big_endian;
    let order = |on: bool, name: &'static str| {
        html! { <button class="small" aria-pressed={(big == on).to_string()} onclick={act(link, hex::Action::BigEndian(on))}>{ name }</button> }
    };
    let fact = |(name, text): (&'static str, Option<String>)| {
        let text = text.unwrap_or_else(|| "–".into());
        html! { <div><dt>{ name }</dt><dd class="mono" title={text.clone()}>{ text.clone() }</dd></div> }
    };
    html! {
        <section class="inspector" aria-label="Bytes at the cursor" tabindex="0">
            <span class="group" role="group" aria-label="Byte order">{ order(false, "Little-endian") }{ order(true, "Big-endian") }</span>
            <dl>
                { for readings(&bytes, big).into_iter().map(fact) }
                <div><dt>{ "pointer" }</dt><dd class="mono">{ pointer(state, unsigned(&bytes, 8, big), link) }</dd></div>
            </dl>
        </section>
    }
}

/// Where it leads in the memory that is looked at, or that of the chosen process.
fn pointer(state: &State, value: Option<u64>, link: &Link) -> Html {
    let Some(address) = value else { return html! { { "–" } } };
    let mm = match state.hex.space {
        Space::Memory(mm) => mm,
        Space::File => state.chosen().map_or(0, |task| task.mm),
    };
    match state.memory.area_at(mm, address) {
        Some((_, area)) => {
            let name = if area.name.is_empty() { &area.kind } else { &area.name };
            let short = name.rsplit('/').next().unwrap_or(name);
            let words = format!("{address:#x}, {short} {} + {:#x}", area.prot, address - area.start);
            html! { <button class="link mono" id="follow" title="Follow it" onclick={act(link, memory::Action::Address { mm, address })}>{ words }</button> }
        }
        None => html! { { format!("{address:#x}, nowhere") } },
    }
}
