//! The verdict: valid or not, what it is, and what a restart returns.

use super::link::{Link, act, entered};
use crate::proto::Opened;
use crate::state::{State, image};
use crate::text::{grouped, size};
use yew::{Html, classes, html};

/// Rules that say that not all of the image was judged.
const PARTIAL: [&str; 2] = [stasis_format::rules::EARLY_END, stasis_format::rules::NOT_JUDGED];

pub fn view(state: &State, opened: &Opened, link: &Link) -> Html {
    let verdict = &opened.verdict;
    let (class, word) = match (verdict.revision, verdict.valid) {
        _ if verdict.pending => ("pending", "Checking"),
        (None, _) => ("none", "Not an image"),
        (_, true) => ("good", "Valid"),
        (_, false) => ("bad", "Not valid"),
    };
    let checks = match state.image.checking.or(state.image.verifying) {
        Some((done, total)) if verdict.pending => html! {
            <span>{ format!("{} of {} extents ", grouped(done), grouped(total)) }<progress value={done.to_string()} max={total.max(1).to_string()} aria-label="Checking extents"></progress></span>
        },
        None if verdict.pending => html! { <span>{ "not finished" }</span> },
        Some((done, total)) => html! {
            <span>{ "Checking pages " }<progress value={done.to_string()} max={total.max(1).to_string()} aria-label="Checking pages"></progress></span>
        },
        // Over an image of which parts are missing nobody says so.
        None if verdict.findings.iter().any(|finding| PARTIAL.contains(&finding.rule.as_str())) => html! {
            <span>{ "as far as it can be read" }</span>
        },
        None if verdict.contents => html! { <span>{ "every byte checked" }</span> },
        None => html! {
            <span>{ "page contents not checked " }<button class="small" onclick={act(link, image::Action::Verify)}>{ "Check them" }</button></span>
        },
    };
    html! {
        <section class={classes!("verdict", class)} aria-label="Verdict">
            <div class="judgement">
                <span class="badge" id="verdict">{ word }</span>
                <p class="why">{ why(opened) }</p>
            </div>
            <dl class="facts">
                { fact("Revision", verdict.revision.map_or_else(|| "none".into(), |rev| rev.to_string())) }
                { for opened.head.iter().map(|head| html! { <>
                    { fact("Kernel", if head.release.is_empty() { head.kernel.clone() } else { head.release.clone() }) }
                    { fact("Machine", head.machine.clone()) }
                    { fact("Taken", head.time.clone()) }
                </> }) }
                { fact("Size", size(opened.size)) }
                { fact("Records", grouped(opened.records.into())) }
                { for (!opened.tasks.is_empty()).then(|| html! { <>
                    { fact("Processes", opened.tasks.len().to_string()) }
                    { fact("Memory", format!("{} in {}", size(opened.page_bytes), size(opened.stored_bytes))) }
                </> }) }
                <div><dt>{ "Opened in" }</dt><dd id="took">{ format!("{} ms", opened.took_ms) }</dd></div>
                <div class="ret"><dt>{ if verdict.revision == Some(1) { "sys_restart returns" } else { "A restart returns" } }</dt>
                    <dd id="ret" data-ret={verdict.ret.to_string()}>{ if verdict.pending { "…" } else { verdict.ret_text.as_str() } }</dd></div>
                <div class="wide" hidden={verdict.revision != Some(1)}><dt>
                    <label for="kernel">{ "on kernel" }</label></dt><dd>
                    <input id="kernel" class="mono" size="12" placeholder={opened.head.as_ref().map_or(String::new(), |head| head.kernel.clone())}
                        value={verdict.kernel.clone().unwrap_or_default()} onkeydown={entered(link, image::Action::Kernel)} /></dd></div>
                <div class="wide"><dt>{ "Checked" }</dt><dd>{ checks }</dd></div>
            </dl>
        </section>
    }
}

fn fact(name: &str, value: String) -> Html {
    html! { <div><dt>{ name }</dt><dd title={value.clone()}>{ &value }</dd></div> }
}

/// The first reason, in a sentence.
fn why(image: &Opened) -> String {
    if image.verdict.pending {
        return "What is shown comes from the index at the image's end; its records are still being read."
            .into();
    }
    if image.verdict.revision.is_none() {
        return match &image.looks_like {
            Some(what) => format!("This file is no checkpoint image of Stasis. It looks like {what}."),
            None => "This file is no checkpoint image of Stasis, nor anything this page knows.".into(),
        };
    }
    let error = image.verdict.findings.iter().find(|finding| finding.severity == "error");
    match error {
        Some(finding) => format!("At byte {:#x}: {}.", finding.offset, finding.message),
        None if image.verdict.revision == Some(1) => {
            "The kernel of the image reads it to its end and takes the task's name from it.".into()
        }
        None => "Every rule that was checked holds.".into(),
    }
}
