//! The findings: a click or a key goes to the byte. The list is one stop of the tab key; the arrows walk in it.

use super::link::{Link, act};
use crate::proto::{FindingRow, Opened};
use crate::state::findings::{self, SEVERITIES};
use crate::state::{ROW_PX, State};
use crate::text::counted;
use web_sys::KeyboardEvent;
use yew::{Html, classes, html};

pub fn view(state: &State, image: &Opened, link: &Link) -> Html {
    let all = &image.verdict.findings;
    if all.is_empty() {
        return html! { <section class="findings" hidden=true></section> };
    }
    let open = state.findings.open;
    let kinds = SEVERITIES.iter().enumerate().filter_map(|(at, severity)| {
        let count = all.iter().filter(|finding| finding.severity == *severity).count();
        (count > 0).then_some((at, *severity, count))
    });
    let filter = |(at, severity, count): (usize, &str, usize)| {
        let shown = !state.findings.hidden.get(at).copied().unwrap_or(false);
        html! {
            <button class={classes!("small", "severity", severity.to_owned())} aria-pressed={shown.to_string()}
                title="Show or hide these" onclick={act(link, findings::Action::Toggle(at))}>{ counted(count as u64, severity) }</button>
        }
    };
    let keyed = link.batch(|event: KeyboardEvent| {
        let by = match event.key().as_str() {
            "ArrowDown" => 1,
            "ArrowUp" => -1,
            _ => return None,
        };
        event.prevent_default();
        Some(findings::Action::Move(by))
    });
    let step = |by: i32, sign: &'static str, label: &'static str| {
        html! { <button class="small" aria-label={label} title={label} onclick={act(link, findings::Action::Move(by))}>{ sign }</button> }
    };
    let shown: Vec<_> = state.shown_findings().collect();
    let first = shown.first().map(|(at, _)| *at);
    // The one that the tab key stops at.
    let stop = state.findings.at.filter(|at| shown.iter().any(|(shown, _)| shown == at)).or(first);
    html! {
        <section class="findings" aria-label="Findings">
            <div class="row heads">
                <button class="heading" aria-expanded={open.to_string()} onclick={act(link, findings::Action::Open(!open))}>{ counted(all.len() as u64, "finding") }</button>
                <span class="row" role="group" aria-label="Severity">{ for kinds.map(filter) }</span>
                <span class="group" role="group" aria-label="Walk">{ step(-1, "↑", "Previous finding (key p)") }{ step(1, "↓", "Next finding (key n)") }</span>
            </div>
            <ul id="findings" hidden={!open} onkeydown={keyed}>
                { for shown.iter().map(|(at, finding)| row(*at, finding, stop == Some(*at), state.findings.at == Some(*at), link)) }
                { for (image.verdict.dropped > 0).then(|| html! { <li class="hint">{ format!("and {} more", image.verdict.dropped) }</li> }) }
            </ul>
        </section>
    }
}

/// Height of a row; the style sheet says the same.
pub const FINDING_PX: f64 = ROW_PX + 8.0;

fn row(at: usize, finding: &FindingRow, stop: bool, current: bool, link: &Link) -> Html {
    let icon = match finding.severity.as_str() {
        "error" => "✕",
        "warning" => "!",
        _ => "i",
    };
    let place = finding.record.iter().chain(&finding.field).cloned().collect::<Vec<_>>().join(".");
    let errno = finding.errno.clone().unwrap_or_default();
    html! {
        <li>
            <button class={classes!("finding", finding.severity.clone(), current.then_some("current"))} data-offset={finding.offset.to_string()}
                tabindex={if stop { "0" } else { "-1" }} aria-current={current.then_some("true")} title={finding.message.clone()}
                onclick={act(link, findings::Action::Take(at))}>
                <span class="mark" aria-hidden="true">{ icon }</span>
                <span class="said">{ &finding.severity }</span>
                <span class="mono">{ format!("{:#x}", finding.offset) }</span>
                <span class="message">{ &finding.message }</span>
                <span class="quiet">{ place }</span>
                <span class="quiet mono">{ &finding.rule }</span>
                <span class="quiet">{ errno }</span>
            </button>
        </li>
    }
}
