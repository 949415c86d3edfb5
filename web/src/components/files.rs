//! The descriptor table of a task, and what each descriptor leads to.

use super::{Link, nothing, offset, task_choice};
use crate::state::State;
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    let Some(task) = &state.task else {
        return nothing("This image holds no descriptors.");
    };
    html! {
        <div class="files">
            { task_choice(state, link) }
            <table>
                <thead><tr><th>{ "FD" }</th><th>{ "Kind" }</th><th>{ "Leads to" }</th><th>{ "Flags" }</th><th>{ "Position" }</th><th>{ "Record" }</th></tr></thead>
                <tbody>{ for task.fds.iter().map(|fd| html! {
                    <tr>
                        <th scope="row" class="mono">{ fd.fd }</th>
                        <td>{ &fd.kind }</td>
                        <td class="name">{ &fd.target }{ " " }{ for fd.target_offset.map(|at| offset(link, at)) }</td>
                        <td class="small">{ &fd.flags }</td>
                        <td class="mono">{ fd.pos }</td>
                        <td>{ offset(link, fd.offset) }</td>
                    </tr>
                }) }</tbody>
            </table>
        </div>
    }
}
