//! The record that is selected, and its fields.

use super::link::{Link, act};
use super::subject::nothing;
use crate::proto::{FieldRow, Space};
use crate::state::{State, memory, record};
use crate::text::size;
use yew::{Html, classes, html};

pub fn view(state: &State, link: &Link) -> Html {
    let Some(record) = &state.record else {
        return nothing("Pick a record in the tree or a byte in the hex view.");
    };
    let selection = state.hex.selection;
    html! {
        <div class="record">
            <nav class="owners" aria-label="Owners">
                { for record.owners.iter().map(|(label, at)| html! {
                    <button class="link" onclick={act(link, record::Action::GoTo(*at))}>{ label }</button>
                }) }
            </nav>
            <h2 id="record-name">{ &record.name }<small class="quiet">{ format!(" type {}", record.kind) }</small></h2>
            <p class="summary">{ &record.summary }</p>
            <p class="quiet">{ &record.doc }</p>
            <p class="quiet mono">{ format!("{:#x} to {:#x}, {}", record.offset, record.offset + record.len, size(record.len)) }</p>
            <p class="holders" hidden={record.holders.is_empty()}>{ format!("Held by: {}", record.holders.join("; ")) }</p>
            { match record.contents {
                Some((at, len, owner, vaddr)) => html! {
                    <p class="row">
                        <button onclick={act(link, record::Action::Select { offset: at, len })} disabled={len == 0}>
                            { format!("Stored bytes: {} at {at:#x}", size(len)) }
                        </button>
                        <button onclick={act(link, memory::Action::Address { mm: owner, address: vaddr })}>{ format!("Pages at {vaddr:#x}") }</button>
                    </p>
                },
                None => html! { <span></span> },
            } }
            <table class="fields">
                <thead><tr><th>{ "Field" }</th><th>{ "Value" }</th><th>{ "Bytes" }</th><th>{ "Offset" }</th></tr></thead>
                <tbody>{ for record.fields.iter().map(|field| {
                    let inside = state.hex.space == Space::File && field.len > 0
                        && selection.0 >= field.offset && selection.1 <= field.offset + field.len;
                    row(field, inside, link)
                }) }</tbody>
            </table>
        </div>
    }
}

fn row(field: &FieldRow, selected: bool, link: &Link) -> Html {
    let class = classes!(
        selected.then_some("selected"),
        field.frame.then_some("frame"),
        field.element.then_some("element")
    );
    let select = act(link, record::Action::Select { offset: field.offset, len: field.len });
    html! {
        <tr {class} data-field={field.name.clone()}>
            <th scope="row"><button class="link" title="Select its bytes" onclick={select}>{ &field.name }</button></th>
            <td>
                <span class="value">{ &field.text }</span>
                { for field.to.iter().map(|(to, words)| html! { <button class="link to" onclick={act(link, record::Action::GoTo(*to))}>{ format!("→ {words}") }</button> }) }
                { for field.area.iter().map(|(name, mm, address)| html! {
                    <button class="link to" onclick={act(link, memory::Action::Address { mm: *mm, address: *address })}>{ name }</button>
                }) }
                <small class="quiet">{ &field.meaning }</small>
            </td>
            <td class="mono raw">{ &field.raw }</td>
            <td class="mono">{ format!("{:#x}", field.offset) }</td>
        </tr>
    }
}
