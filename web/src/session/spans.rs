//! The areas of an address space as they stand in the image, read once: what addresses are called, and what maps what.

use super::{Result, Session, choice};
use stasis_format::header::Kind;
use stasis_format::record::{Body, PROT, VMA_KINDS, Vma};
use stasis_format::{ReadAt, show};
use std::rc::Rc;

/// An area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// Offset of its record.
    pub(super) at: u64,
    pub(super) vma: Vma,
}

impl Span {
    /// Its path or name, or else its kind.
    pub(super) fn name(&self) -> String {
        if self.vma.name.is_empty() { choice(self.vma.kind, VMA_KINDS) } else { show::escape(&self.vma.name) }
    }

    /// Whether it is called so, by its whole path or the last component of it.
    pub(super) fn is_called(&self, wanted: &str) -> bool {
        let name = self.name();
        name == wanted || short(&name) == wanted
    }

    /// Access as three letters.
    pub(super) fn prot(&self) -> String {
        let letter = |(bit, letter): (&(u64, &str), &'static str)| {
            if u64::from(self.vma.prot) & bit.0 != 0 { letter } else { "-" }
        };
        PROT.iter().zip(["r", "w", "x"]).map(letter).collect()
    }

    /// What to call an address in it: `libc.so.6+0xcf545` counts in the file, as the command does; what has no name is
    /// told by its access.
    pub(super) fn words(&self, address: u64) -> String {
        let at = address.saturating_sub(self.vma.start);
        match self.vma.name.is_empty() {
            false => format!("{}+{:#x}", short(&self.name()), at.saturating_add(self.vma.offset)),
            true => format!("{} {} + {at:#x}", self.name(), self.prot()),
        }
    }
}

fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

impl<S: ReadAt + Clone> Session<S> {
    /// The areas in ascending order, read when they are first asked for.
    pub(super) fn spans(&mut self, mm: u32) -> Result<Rc<[Span]>> {
        if let Some(known) = self.spans.get(&mm) {
            return Ok(known.clone());
        }
        let mut spans = Vec::new();
        for (at, node) in self.tree.of(mm).filter(|(_, node)| Kind(node.kind) == Vma::KIND) {
            let Some(Body::Vma(vma)) = self.body(at)? else { continue };
            let end = vma.end.max(vma.start);
            spans.push(Span { at: node.offset, vma: Vma { end, ..vma } });
        }
        spans.sort_by_key(|span| span.vma.start);
        let spans: Rc<[Span]> = spans.into();
        self.spans.insert(mm, spans.clone());
        Ok(spans)
    }

    /// What to call an address.
    pub(super) fn area_of(&mut self, mm: u32, address: u64) -> Result<Option<String>> {
        let spans = self.spans(mm)?;
        let behind = spans.partition_point(|span| span.vma.start <= address);
        let span = behind.checked_sub(1).and_then(|at| spans.get(at)).filter(|span| address < span.vma.end);
        Ok(span.map(|span| span.words(address)))
    }
}
