//! What `stasis inspect` shows: the image in a few lines, then each process with its threads, memory, descriptors,
//! signals and timers.

mod descriptors;
mod family;
mod load;
mod memory;
mod others;
mod process;
mod signals;

pub use load::{Loaded, load, load_stream};

use std::io::{self, Write};

use stasis_engine::image::model::{TaskState, Tree};
use stasis_format::head::Head;
use stasis_format::parser::Totals;
use stasis_format::record::Task;
use stasis_format::show::{date, escape, hex, until_nul};

use crate::cli::style::Style;
use crate::cli::text::{count, size};

/// A key of the few lines, as wide as the longest of them.
const KEY: usize = 11;

/// Writes `key  value` behind so many blanks.
fn line(out: &mut impl Write, style: Style, indent: usize, key: &str, value: &str) -> io::Result<()> {
    let padding = KEY.saturating_sub(key.chars().count());
    writeln!(out, "{:indent$}{}{:padding$} {value}", "", style.paint(Style::DIM, key), "")
}

/// A heading of a part of a process.
fn heading(out: &mut impl Write, style: Style, words: &str) -> io::Result<()> {
    writeln!(out, "\n  {}", style.paint(Style::HEAD, words))
}

/// Shows an image of revision 2.
pub fn show(out: &mut impl Write, style: Style, name: &str, image: &Loaded) -> io::Result<()> {
    let Loaded { head, tree, totals, .. } = image;
    writeln!(out, "{}", style.paint(Style::HEAD, name))?;
    overview(out, style, head, tree, totals)?;
    for warning in &tree.warnings {
        let what = format!("process {}: {}", warning.pid, escape(&warning.text));
        line(out, style, 0, "", &format!("{} {what}", style.paint(Style::WARN, "not in it:")))?;
    }
    let sharing = family::sharing(tree);
    if tree.tasks.len() > 1 {
        writeln!(
            out,
            "\n{}",
            style.paint(Style::HEAD, &count(tree.tasks.len() as u64, "process", "processes"))
        )?;
        family::show(out, style, tree, &sharing)?;
    }
    others::of_tree(out, style, tree)?;
    for (_, task) in family::in_order(tree) {
        writeln!(out, "\n{}", title(style, task))?;
        process::show(out, style, tree, task, &sharing)?;
        if task.task.state == Task::ZOMBIE {
            continue;
        }
        process::threads(out, style, tree, task)?;
        memory::show(out, style, tree, task, &sharing)?;
        descriptors::show(out, style, tree, task, &sharing)?;
        signals::show(out, style, tree, task)?;
        signals::timers(out, style, task)?;
        others::of_task(out, style, task)?;
    }
    Ok(())
}

fn overview(out: &mut impl Write, style: Style, head: &Head, tree: &Tree, totals: &Totals) -> io::Result<()> {
    let text = |bytes: &[u8]| escape(until_nul(bytes));
    let image = &tree.image;
    let by = format!(
        "revision {}, by {} on Linux {} {}",
        head.rev,
        escape(&image.version),
        text(&head.release),
        text(&head.machine)
    );
    line(out, style, 0, "image", &by)?;
    let fate = if image.flags & 2 != 0 { "the program ran on" } else { "the program ended with it" };
    let files = if image.flags & 1 != 0 { ", its files are in the image" } else { "" };
    line(out, style, 0, "taken", &format!("{}, {fate}{files}", date(image.realtime / 1_000_000_000)))?;
    if image.has_base() {
        let words =
            format!("holds what differs from the image {}, and is of no use without it", hex(&image.base));
        line(out, style, 0, "base", &words)?;
    }
    let ratio = match totals.stored_bytes {
        0 => String::new(),
        stored => format!(", {:.2} : 1", totals.page_bytes as f64 / stored as f64),
    };
    let sizes = format!(
        "{} in {}; contents {} stored as {}{ratio}",
        size(totals.length),
        count(totals.records, "record", "records"),
        size(totals.page_bytes),
        size(totals.stored_bytes),
    );
    line(out, style, 0, "size", &sizes)
}

fn title(style: Style, task: &TaskState) -> String {
    let comm = escape(until_nul(&task.task.comm));
    let name = style.paint(Style::HEAD, &format!("process {} {comm}", task.task.pid));
    match family::state(&task.task) {
        words if words.is_empty() => name,
        words => format!("{name}, {words}"),
    }
}

#[cfg(test)]
mod tests;
