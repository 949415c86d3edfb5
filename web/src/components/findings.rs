//! The findings: a click goes to the byte.

use super::link::{Link, act};
use crate::proto::{FindingRow, Opened};
use crate::state::{Action, State, Tab, findings, record, tab};
use yew::{Html, classes, html};

pub fn view(state: &State, image: &Opened, link: &Link) -> Html {
    let list = &image.verdict.findings;
    if list.is_empty() {
        return html! { <section class="findings" hidden=true></section> };
    }
    let count = |severity: &str| list.iter().filter(|finding| finding.severity == severity).count();
    let heading = ["error", "warning", "note"]
        .map(|severity| (severity, count(severity)))
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| format!("{count} {severity}{}", if *count == 1 { "" } else { "s" }))
        .collect::<Vec<_>>()
        .join(", ");
    let toggled = act(link, findings::Action::Open(!state.findings.open));
    html! {
        <section class="findings" aria-label="Findings">
            <button class="heading" aria-expanded={state.findings.open.to_string()} onclick={toggled}>{ heading }</button>
            <ul hidden={!state.findings.open}>
                { for list.iter().map(|finding| row(finding, link)) }
                { for (image.verdict.dropped > 0).then(|| html! { <li class="hint">{ format!("and {} more", image.verdict.dropped) }</li> }) }
            </ul>
        </section>
    }
}

fn row(finding: &FindingRow, link: &Link) -> Html {
    let (offset, len) = (finding.offset, finding.len);
    let go = link.batch(move |_| {
        let show = Action::from(tab::Action::Show(Tab::Record));
        [show, record::Action::GoTo(offset).into(), record::Action::Select { offset, len }.into()]
    });
    let icon = match finding.severity.as_str() {
        "error" => "✕",
        "warning" => "!",
        _ => "i",
    };
    let place = finding.record.iter().chain(&finding.field).cloned().collect::<Vec<_>>().join(".");
    html! {
        <li>
            <button class={classes!("finding", finding.severity.clone())} data-offset={offset.to_string()} onclick={go}>
                <span class="mark" aria-hidden="true">{ icon }</span>
                <span class="said">{ &finding.severity }</span>
                <span class="mono">{ format!("{offset:#x}") }</span>
                <span class="message">{ &finding.message }</span>
                <span class="quiet">{ place }</span>
                <span class="quiet mono">{ &finding.rule }</span>
                <span class="quiet">{ finding.errno.clone().unwrap_or_default() }</span>
            </button>
        </li>
    }
}
