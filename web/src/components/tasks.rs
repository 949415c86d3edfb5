//! Processes drawn as the tree that they are, and the threads of the chosen one with their registers.

use super::ends::ends;
use super::link::{Link, act, offset};
use super::list;
use super::subject::{nothing, of_task};
use crate::proto::{Process, Task, Thread};
use crate::state::{State, memory, tasks};
use stasis_format::family::{Wire, wires};
use web_sys::KeyboardEvent;
use yew::{Html, classes, html};

/// Columns of the list of threads.
const COLUMNS: u32 = 5;

pub fn view(state: &State, link: &Link) -> Html {
    let all = state.image.opened.as_ref().map(|image| image.tasks.as_slice()).unwrap_or_default();
    if all.is_empty() {
        return nothing("This image holds no processes that can be shown.");
    }
    html! {
        <div class="tasks filled">
            { if all.len() > 1 { family(state, all, link) } else { Html::default() } }
            { of_task(state, link, "this image holds no processes", state.tasks.task.as_ref().map(|task| threads(state, task, link))) }
        </div>
    }
}

/// The tree, one process a row.
fn family(state: &State, all: &[Process], link: &Link) -> Html {
    let depths: Vec<u32> = all.iter().map(|task| task.depth.into()).collect();
    let drawn = wires(&depths);
    let shown = list::rows(all.len(), state.tasks.top);
    let rows = all.iter().zip(&drawn).skip(shown.start).take(shown.len());
    let zombies = all.iter().filter(|task| task.zombie).count();
    let count = match zombies {
        0 => format!("{} processes", all.len()),
        1 => format!("{} processes, one of them a zombie", all.len()),
        n => format!("{} processes, {n} of them zombies", all.len()),
    };
    let keyed = link.batch(|event: KeyboardEvent| {
        let by = match event.key().as_str() {
            "ArrowDown" => 1,
            "ArrowUp" => -1,
            "Home" => i32::MIN,
            "End" => i32::MAX,
            _ => return None,
        };
        event.prevent_default();
        Some(tasks::Action::Move(by))
    });
    html! {
        <section class="family">
            <h3>{ count }</h3>
            <div class="processes" id="processes" role="tree" aria-label="Processes" tabindex="0" onkeydown={keyed}
                aria-activedescendant={format!("process-{}", state.tasks.id)} onscroll={list::scrolled(link, state.tasks.top, tasks::Action::Scrolled)}>
                { list::gap_block(shown.start) }
                { for rows.map(|(task, wires)| process(state, task, wires, link)) }
                { list::gap_block(all.len() - shown.end) }
            </div>
        </section>
    }
}

fn process(state: &State, task: &Process, wires: &[Wire], link: &Link) -> Html {
    let class = |wire: &Wire| match wire {
        Wire::Blank => "wire",
        Wire::Pass => "wire pass",
        Wire::Tee => "wire tee",
        Wire::Elbow => "wire elbow",
    };
    let counts = match task.zombie {
        true => String::new(),
        false => format!("{}, {}", plural(task.threads, "thread"), plural(task.fds, "descriptor")),
    };
    let jobs = format!("process group {}, session {}, parent {}", task.pgid, task.sid, task.ppid);
    html! {
        <div class="process" role="treeitem" id={format!("process-{}", task.id)} aria-level={(u32::from(task.depth) + 1).to_string()}
            aria-selected={(task.id == state.tasks.id).to_string()} data-pid={task.pid.to_string()} title={jobs} onclick={act(link, tasks::Action::Choose(task.id))}>
            { for wires.iter().map(|wire| html! { <i class={class(wire)} aria-hidden="true"></i> }) }
            <div class={classes!("who", task.zombie.then_some("zombie"))}>
                <b class="mono">{ task.pid }</b><span>{ &task.comm }</span>
                <small class="state">{ if task.zombie { format!("zombie, {}", task.state) } else { task.state.clone() } }</small>
                <small class="counts">{ counts }</small>
            </div>
        </div>
    }
}

fn plural(n: u32, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// The threads as a list, and the registers of one of them.
fn threads(state: &State, task: &Task, link: &Link) -> Html {
    let shown = list::rows(task.threads.len(), state.tasks.threads_top);
    let rows = task.threads.get(shown.clone()).unwrap_or_default().iter().zip(shown.clone());
    let chosen = task.threads.get(state.tasks.thread).or_else(|| task.threads.first());
    html! {
        <>
            <p class="quiet" hidden={task.shares.is_empty()}>{ format!("It shares its {}.", task.shares.join(" and its ")) }</p>
            <div class={classes!("long", "threads", (task.threads.len() > 6).then_some("many"))} tabindex="0" role="region" aria-label="Threads"
                onscroll={list::scrolled(link, state.tasks.threads_top, tasks::Action::ThreadsScrolled)}>
                <table class="virtual" aria-rowcount={task.threads.len().to_string()}>
                    <thead><tr><th>{ "Thread" }</th><th>{ "Name" }</th><th>{ "State" }</th><th>{ "Stands at" }</th><th>{ "Record" }</th></tr></thead>
                    <tbody>
                        { list::gap(shown.start, COLUMNS) }
                        { for rows.map(|(thread, at)| row(thread, at, chosen.is_some_and(|it| it.offset == thread.offset), link)) }
                        { list::gap(task.threads.len() - shown.end, COLUMNS) }
                    </tbody>
                </table>
            </div>
            { chosen.map(|thread| registers(thread, task.mm, link)).unwrap_or_default() }
        </>
    }
}

fn row(thread: &Thread, at: usize, chosen: bool, link: &Link) -> Html {
    let rip = thread.registers.iter().find(|(name, ..)| name == "rip");
    let place = rip.map(|(_, value, area)| area.clone().unwrap_or_else(|| format!("{value:#x}")));
    html! {
        <tr class={classes!(chosen.then_some("selected"))}>
            <th scope="row"><button class="link mono" aria-pressed={chosen.to_string()} title="Show its registers" onclick={act(link, tasks::Action::Thread(at))}>{ thread.tid }</button></th>
            <td>{ &thread.comm }</td>
            <td>{ &thread.state }</td>
            <td class="name">{ ends(&place.unwrap_or_default()) }</td>
            <td>{ offset(link, thread.offset) }</td>
        </tr>
    }
}

fn registers(thread: &Thread, mm: u32, link: &Link) -> Html {
    let register = |(name, value, area): &(String, u64, Option<String>)| {
        let show = act(link, memory::Action::Address { mm, address: *value });
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
            <h3>{ format!("Registers of thread {} ", thread.tid) }<span>{ &thread.comm }</span></h3>
            <p class="quiet">{ if thread.blocked.is_empty() { "No signal is blocked.".to_owned() } else { format!("Blocked signals: {}", thread.blocked) } }</p>
            <dl class="registers">{ for thread.registers.iter().map(register) }</dl>
        </section>
    }
}
