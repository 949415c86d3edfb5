//! Another image beside this one.

use super::link::{Link, act, chosen, offset};
use crate::proto::{Change, Comparison};
use crate::state::{State, compare, memory};
use crate::text::{counted, grouped, size};
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    html! {
        <div class="compare">
            <p>{ "Choose another image, taken later. Processes are matched by their PIDs, records by what they are about, pages by their addresses." }</p>
            <label class="button primary">{ "Compare with" }
                <input type="file" id="other" class="hidden-input" onchange={chosen(link, true)} /></label>
            { state.compare.running.map(|(done, total)| html! {
                <p class="row quiet">{ "Comparing " }
                    <progress value={done.to_string()} max={total.max(1).to_string()} aria-label="Comparing"></progress>
                    { format!("{} of {} of memory", size(done), size(total)) }
                    <button class="small" onclick={act(link, compare::Action::Cancel)}>{ "Cancel" }</button></p>
            }).unwrap_or_default() }
            { match &state.compare.result {
                Some(comparison) => result(comparison, link),
                None => html! { <span></span> },
            } }
        </div>
    }
}

fn result(comparison: &Comparison, link: &Link) -> Html {
    html! {
        <div class="differences">
            <h3 id="compared">{ compared(comparison) }</h3>
            <table hidden={comparison.areas.is_empty()}>
                <thead><tr><th>{ "Area" }</th><th>{ "Pages changed" }</th><th>{ "First" }</th></tr></thead>
                <tbody>{ for comparison.areas.iter().map(|area| html! {
                    <tr><th scope="row">{ &area.label }</th><td>{ format!("{} of {}", area.pages, area.compared) }</td>
                        <td><button class="link mono" onclick={act(link, memory::Action::Address { mm: area.mm, address: area.first })}>{ format!("{:#x}", area.first) }</button></td></tr>
                }) }</tbody>
            </table>
            <ul class="changes">{ for comparison.changes.iter().map(|change| self::change(change, link)) }</ul>
        </div>
    }
}

/// `b.img: 1 record is the same, 2 differ`.
fn compared(comparison: &Comparison) -> String {
    let differ = comparison.changes.len() as u64 + comparison.dropped;
    let same = counted(comparison.same, "record");
    let verb = if comparison.same == 1 { "is" } else { "are" };
    let verb_too = if differ == 1 { "differs" } else { "differ" };
    format!("{}: {same} {verb} the same, {} {verb_too}", comparison.name, grouped(differ))
}

fn change(change: &Change, link: &Link) -> Html {
    html! {
        <li>
            <p><b>{ &change.what }</b>{ " " }{ &change.record }{ " " }
                { if change.what == "new" { html! { <span></span> } } else { offset(link, change.offset) } }</p>
            <table hidden={change.fields.is_empty()}><tbody>{ for change.fields.iter().map(|(name, here, there)| html! {
                <tr><th scope="row">{ name }</th><td class="was">{ here }</td><td class="is">{ there }</td></tr>
            }) }</tbody></table>
        </li>
    }
}
