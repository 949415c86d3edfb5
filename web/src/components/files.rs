//! The descriptor table of a task: what each descriptor leads to, and who else has the same or the other end.

use super::ends::ends;
use super::link::{Link, act, offset};
use super::list;
use super::subject::of_task;
use crate::proto::{Fd, Task};
use crate::state::{State, files, record};
use yew::{Html, html};

/// Columns of the table.
const COLUMNS: u32 = 7;

pub fn view(state: &State, link: &Link) -> Html {
    html! {
        <div class="files filled">
            { of_task(state, link, "This image holds no descriptors.", state.tasks.task.as_ref().map(|task| table(state, task, link))) }
        </div>
    }
}

fn table(state: &State, task: &Task, link: &Link) -> Html {
    if task.fds.is_empty() {
        return html! { <p class="hint">{ "It has no descriptor open." }</p> };
    }
    let shown = list::rows(task.fds.len(), state.files.top);
    let rows = task.fds.get(shown.clone()).unwrap_or_default();
    let table = task.shares.iter().find(|words| words.starts_with("descriptor table"));
    html! {
        <>
            <p class="quiet" hidden={table.is_none()}>{ format!("It shares its {}.", table.map_or("", String::as_str)) }</p>
            <div class="long" id="fds" tabindex="0" role="region" aria-label="Descriptors" onscroll={list::scrolled(link, state.files.top, files::Action::Scrolled)}>
                <table class="virtual descriptors" aria-rowcount={task.fds.len().to_string()}>
                    <thead><tr><th class="n">{ "FD" }</th><th>{ "Kind" }</th><th>{ "Leads to" }</th><th>{ "Together with" }</th><th class="n">{ "Position" }</th><th>{ "Flags" }</th><th>{ "Record" }</th></tr></thead>
                    <tbody>
                        { list::gap(shown.start, COLUMNS) }
                        { for rows.iter().map(|fd| row(fd, link)) }
                        { list::gap(task.fds.len() - shown.end, COLUMNS) }
                    </tbody>
                </table>
            </div>
        </>
    }
}

fn row(fd: &Fd, link: &Link) -> Html {
    let shared = fd.shared.join("; ");
    html! {
        <tr data-fd={fd.fd.to_string()}>
            <th scope="row" class="mono n">{ fd.fd }</th>
            <td>{ &fd.kind }</td>
            <td class="name">
                { match fd.target_offset {
                    Some(at) => html! { <button class="link" onclick={act(link, record::Action::GoTo(at))}>{ ends(&fd.target) }</button> },
                    None => ends(&fd.target),
                } }
            </td>
            <td class="name">{ ends(&shared) }</td>
            <td class="mono n">{ if fd.pos == 0 { "–".to_owned() } else { fd.pos.to_string() } }</td>
            <td class="small" title={fd.flags.clone()}>{ &fd.flags }</td>
            <td>{ offset(link, fd.offset) }</td>
        </tr>
    }
}
