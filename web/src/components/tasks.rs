//! Processes as a tree, and the threads of one with their registers.

use super::{Link, act, nothing, offset, task_choice};
use crate::proto::Thread;
use crate::state::{Action, State};
use yew::{Html, html};

pub fn view(state: &State, link: &Link) -> Html {
    let Some(task) = &state.task else {
        return nothing("This image holds no processes that can be shown.");
    };
    html! {
        <div class="tasks">
            { task_choice(state, link) }
            { for task.threads.iter().map(|thread| self::thread(thread, task.mm, link)) }
        </div>
    }
}

fn thread(thread: &Thread, mm: u32, link: &Link) -> Html {
    let register = |(name, value, area): &(String, u64, Option<String>)| {
        let show = act(link, Action::Address { mm, address: *value });
        html! {
            <div class="register">
                <dt>{ name }</dt>
                <dd class="mono">{ match area {
                    Some(area) => html! { <><button class="link mono" onclick={show}>{ format!("{value:016x}") }</button><small class="quiet">{ area }</small></> },
                    None => html! { <>{ format!("{value:016x}") }<small></small></> },
                } }</dd>
            </div>
        }
    };
    html! {
        <section class="thread">
            <h3>{ format!("Thread {} ", thread.tid) }<span>{ &thread.comm }</span><small class="quiet">{ format!(" {} ", thread.state) }</small>{ offset(link, thread.offset) }</h3>
            <p class="quiet" hidden={thread.blocked.is_empty()}>{ format!("Blocked signals: {}", thread.blocked) }</p>
            <dl class="registers">{ for thread.registers.iter().map(register) }</dl>
        </section>
    }
}
