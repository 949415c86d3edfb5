//! The memory map of a process.

use std::io::{self, Write};

use stasis_engine::image::model::{TaskState, Tree};
use stasis_format::record::{PROT, VM_ADVICE, VMA_KINDS, Vma};
use stasis_format::sharing::Sharing;
use stasis_format::show::{choice, escape, flags};

use super::heading;
use crate::cli::style::Style;
use crate::cli::table::{Lean, Table};
use crate::cli::text::{count, size};

/// Bit of a shared mapping in [`Vma::flags`].
const MAP_SHARED: u32 = 1;
/// Bit of a mapping that grows down.
const MAP_GROWSDOWN: u32 = 0x100;

/// All areas, and what they come to.
pub fn show(
    out: &mut impl Write,
    style: Style,
    tree: &Tree,
    task: &TaskState,
    sharing: &Sharing,
) -> io::Result<()> {
    let Some(mm) = tree.mms.get(&task.task.mm) else { return Ok(()) };
    let sum = |of: &dyn Fn(&Vma) -> u64| mm.vmas.iter().fold(0u64, |sum, vma| sum.saturating_add(of(vma)));
    let words = format!(
        "memory: {}, {} mapped, {} resident, {} stored",
        count(mm.vmas.len() as u64, "area", "areas"),
        size(sum(&|vma| vma.end.saturating_sub(vma.start))),
        size(sum(&|vma| vma.resident)),
        size(sum(&|vma| vma.stored)),
    );
    heading(out, style, &words)?;
    let mut table = Table::new(&[
        ("address", Lean::Right),
        ("size", Lean::Right),
        ("access", Lean::Left),
        ("resident", Lean::Right),
        ("stored", Lean::Right),
        ("what", Lean::Left),
    ]);
    let nothing_is_dash = |bytes: u64| if bytes == 0 { "-".into() } else { size(bytes) };
    for vma in &mm.vmas {
        table.row([
            format!("{:x}", vma.start),
            size(vma.end.saturating_sub(vma.start)),
            access(vma),
            nothing_is_dash(vma.resident),
            nothing_is_dash(vma.stored),
            match sharing.mappers(vma.inode, task.task.mm).filter(|_| vma.flags & MAP_SHARED != 0) {
                Some(others) => format!("{}, with {others}", what(vma)),
                None => what(vma),
            },
        ]);
    }
    table.write(out, style, 4)?;
    if !mm.guards.is_empty() {
        let pages = mm.guards.iter().fold(0u64, |sum, (_, pages)| sum.saturating_add(*pages));
        let words = format!("and {} of guard", count(pages, "page", "pages"));
        writeln!(out, "    {}", style.paint(Style::DIM, &words))?;
    }
    Ok(())
}

fn access(vma: &Vma) -> String {
    let mut text = String::new();
    for ((bit, _), letter) in PROT.iter().zip(["r", "w", "x"]) {
        text.push_str(if u64::from(vma.prot) & bit != 0 { letter } else { "-" });
    }
    text.push(if vma.flags & MAP_SHARED != 0 { 's' } else { 'p' });
    text
}

fn what(vma: &Vma) -> String {
    let kind = choice(vma.kind.into(), VMA_KINDS).unwrap_or("?");
    let mut words = match vma.name.as_slice() {
        b"" => kind.to_owned(),
        name => escape(name),
    };
    if vma.flags & MAP_GROWSDOWN != 0 {
        words.push_str(", grows down");
    }
    for advice in flags(vma.advice, VM_ADVICE) {
        words.push_str(", ");
        words.push_str(&advice.to_lowercase());
    }
    if vma.pkey != 0 {
        words.push_str(&format!(", protection key {}", vma.pkey));
    }
    words
}
