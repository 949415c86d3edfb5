//! The descriptors of a process and what they lead to.

use std::io::{self, Write};

use stasis_engine::image::model::{Object, TaskState, Tree};
use stasis_format::record::{Body, File, RecordBody as _, file_kind};
use stasis_format::schema::Role;
use stasis_format::sharing::Sharing;
use stasis_format::show::escape;

use super::heading;
use crate::cli::style::Style;
use crate::cli::table::{Lean, Table};
use crate::cli::text::count;

/// Status flags worth a word (open(2)).
const WORDS: [(u32, &str); 6] = [
    (0o2000, "append"),
    (0o4000, "nonblock"),
    (0o20000, "async"),
    (0o40000, "direct"),
    (0o4000000, "sync"),
    (0o10000000, "path only"),
];
/// Parts of an object that are listed, such as what an epoll instance watches.
const MOST_PARTS: usize = 8;

/// The table of descriptors, and the locks.
pub fn show(
    out: &mut impl Write,
    style: Style,
    tree: &Tree,
    task: &TaskState,
    sharing: &Sharing,
) -> io::Result<()> {
    let Some(fds) = tree.tables.get(&task.task.files) else { return Ok(()) };
    heading(out, style, &count(fds.len() as u64, "descriptor", "descriptors"))?;
    let mut table = Table::new(&[
        ("fd", Lean::Right),
        ("kind", Lean::Left),
        ("mode", Lean::Left),
        ("offset", Lean::Right),
        ("leads to", Lean::Left),
    ]);
    for fd in fds {
        let Some(file) = tree.files.get(&fd.file) else { continue };
        let leads_to = target(tree, file);
        let shared = sharing.words(task.id, fd.fd, fd.file);
        let leads_to =
            if shared.is_empty() { leads_to } else { format!("{leads_to}, {}", shared.join(", ")) };
        let kind = file_kind(file.kind);
        table.row([
            fd.fd.to_string(),
            kind.map_or("?", |kind| kind.name).to_owned(),
            mode(file, fd.cloexec != 0),
            if kind.is_some_and(|kind| kind.has_pos) { file.pos.to_string() } else { "-".into() },
            leads_to,
        ]);
    }
    table.write(out, style, 4)?;
    for lock in &task.locks {
        writeln!(out, "    {}", lock.words())?;
    }
    Ok(())
}

fn mode(file: &File, cloexec: bool) -> String {
    let mut words = vec![match file.flags & 3 {
        0 => "r",
        1 => "w",
        _ => "rw",
    }];
    words.extend(WORDS.iter().filter(|(bit, _)| file.flags & bit != 0).map(|(_, word)| *word));
    if cloexec {
        words.push("cloexec");
    }
    words.join(" ")
}

fn target(tree: &Tree, file: &File) -> String {
    if let Some(inode) = tree.inodes.get(&file.object) {
        return inode.words();
    }
    let id = file.object;
    match tree.objects.get(&id) {
        Some(object) => words(tree, id, object),
        None => "?".into(),
    }
}

/// What an object is called and holds, and what belongs to it.
pub fn words(tree: &Tree, id: u32, object: &Object) -> String {
    let mut words = vec![named(tree, id, &object.body)];
    words.extend(Some(object.body.words()).filter(|words| !words.is_empty()));
    let parts = object.parts.iter().map(Body::words).take(MOST_PARTS).collect::<Vec<_>>().join(", ");
    let more = object.parts.len().saturating_sub(MOST_PARTS);
    words.extend(Some(parts).filter(|parts| !parts.is_empty()));
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    words.join(", ")
}

/// What an object is called: the path of a file that it refers to, else its kind and number.
fn named(tree: &Tree, id: u32, body: &Body) -> String {
    let path =
        |(_, to): (Role, u64)| Some(tree.path_of(u32::try_from(to).ok()?)).filter(|path| !path.is_empty());
    match body.relations().into_iter().find_map(path) {
        Some(path) => escape(path),
        None => format!("#{id}"),
    }
}
