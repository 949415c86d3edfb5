//! State of kinds that have no part of their own in the listing: a line each, in the words of its record.

use std::io::{self, Write};

use stasis_engine::image::model::{TaskState, Tree};
use stasis_format::record::Body;
use stasis_format::schema::Role;

use super::{descriptors, heading};
use crate::cli::style::Style;
use crate::cli::table::{Lean, Table};

/// What belongs to the tree as a whole and stands behind no descriptor.
pub fn of_tree(out: &mut impl Write, style: Style, tree: &Tree) -> io::Result<()> {
    let objects = tree.objects.iter().filter(|(_, object)| object.body.def().behind.is_empty());
    let objects = objects.map(|(id, object)| (&object.body, descriptors::words(tree, *id, object)));
    // A record that is about an object of the image says more about that, and nothing by itself.
    let is_about = |part: &&Body| part.relations().iter().any(|(role, _)| matches!(role, Role::Always(_)));
    let parts = tree.parts.iter().filter(|part| !is_about(part)).map(|part| (part, part.words()));
    list(out, style, "of all of them", objects.chain(parts))
}

/// What belongs to a process.
pub fn of_task(out: &mut impl Write, style: Style, task: &TaskState) -> io::Result<()> {
    let threads = task.threads.iter().flat_map(|thread| &thread.parts);
    let parts = task.parts.iter().chain(threads).map(|part| (part, part.words()));
    list(out, style, "besides", parts)
}

fn list<'a>(
    out: &mut impl Write,
    style: Style,
    title: &str,
    all: impl Iterator<Item = (&'a Body, String)>,
) -> io::Result<()> {
    let mut table = Table::new(&[("", Lean::Left), ("", Lean::Left)]);
    let mut is_empty = true;
    for (body, words) in all {
        table.row([body.def().name.to_lowercase().replace('_', " "), words]);
        is_empty = false;
    }
    if is_empty {
        return Ok(());
    }
    heading(out, style, title)?;
    table.write(out, style, 4)
}
