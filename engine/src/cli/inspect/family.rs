//! The processes as the tree that they are, and what they have together.

use std::io::{self, Write};

use stasis_engine::image::model::{TaskState, Tree};
use stasis_format::family::{Wire, preorder, wires};
use stasis_format::record::{TASK_STATES, Task};
use stasis_format::sharing::Sharing;
use stasis_format::show::{choice, escape, signal, until_nul, wait_status};

use crate::cli::style::Style;
use crate::cli::text::count;

/// The tasks, each behind its parent and in front of its parent's next child, with the ancestors that it has.
pub fn in_order(tree: &Tree) -> Vec<(u32, &TaskState)> {
    let family: Vec<(u32, u32)> = tree.tasks.iter().map(|task| (task.id, task.parent)).collect();
    preorder(&family).into_iter().filter_map(|place| Some((place.depth, tree.tasks.get(place.at)?))).collect()
}

/// Who has what together.
pub fn sharing(tree: &Tree) -> Sharing {
    let mut sharing = Sharing::default();
    for task in &tree.tasks {
        sharing.task(task.id, &task.task);
    }
    for (table, fds) in &tree.tables {
        fds.iter().for_each(|fd| sharing.fd(*table, fd.fd, fd.file));
    }
    for (id, file) in &tree.files {
        sharing.file(*id, file);
    }
    for (id, object) in &tree.objects {
        sharing.object(*id, &object.body);
    }
    for (id, mm) in &tree.mms {
        mm.vmas.iter().for_each(|vma| sharing.vma(*id, vma));
    }
    sharing
}

/// Draws the tree.
pub fn show(out: &mut impl Write, style: Style, tree: &Tree, sharing: &Sharing) -> io::Result<()> {
    let tasks = in_order(tree);
    let depths: Vec<u32> = tasks.iter().map(|(depth, _)| *depth).collect();
    let names: Vec<(String, String)> = wires(&depths)
        .into_iter()
        .zip(&tasks)
        .map(|(wires, (_, task))| (wires.into_iter().map(Wire::text).collect(), name(task)))
        .collect();
    let long = |(wires, name): &(String, String)| wires.chars().count() + name.chars().count();
    let width = names.iter().map(long).max().unwrap_or(0);
    for (row, (_, task)) in names.iter().zip(&tasks) {
        let mut words = vec![state(&task.task)];
        if task.task.state != Task::ZOMBIE {
            words.push(count(task.threads.len() as u64, "thread", "threads"));
        }
        words.extend(sharing.parts(task.id));
        let words: Vec<String> = words.into_iter().filter(|words| !words.is_empty()).collect();
        let padding = width - long(row) + 2;
        writeln!(
            out,
            "{}{}{:padding$}{}",
            style.paint(Style::DIM, &row.0),
            style.paint(Style::HEAD, &row.1),
            "",
            words.join(", ")
        )?;
    }
    Ok(())
}

/// `4242 sort`.
fn name(task: &TaskState) -> String {
    format!("{} {}", task.task.pid, escape(until_nul(&task.task.comm)))
}

/// What a process was doing, or how it ended; nothing for one that ran.
pub fn state(task: &Task) -> String {
    match (task.state, task.stop_signal) {
        (Task::ZOMBIE, _) => format!("zombie, {}", wait_status(task.exit_code.into())),
        (0, 0) => String::new(),
        (0, stop) => format!("stopped by {}", signal(stop.into())),
        (state, 0) => choice(state.into(), TASK_STATES).unwrap_or("in an unknown state").to_owned(),
        (_, stop) => format!("stopped by {}", signal(stop.into())),
    }
}
