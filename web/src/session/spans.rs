//! The areas of an address space by name, without how much of them is stored: what addresses are called.

use super::{Result, Session, choice};
use stasis_format::header::Kind;
use stasis_format::record::{Body, PROT, VMA_KINDS, Vma};
use stasis_format::{ReadAt, show};
use std::rc::Rc;

/// An area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Offset in the file of what it maps.
    pub(super) offset: u64,
    /// Access as three letters.
    pub(super) prot: String,
    /// Its path or name, or else its kind.
    pub(super) name: String,
    named: bool,
}

impl Span {
    /// The last component of its path.
    pub(super) fn short(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// What to call an address in it: `libc.so.6+0xcf545` counts in the file, as the command does; what has no name is
    /// told by its access.
    pub(super) fn words(&self, address: u64) -> String {
        let at = address.saturating_sub(self.start);
        match self.named {
            true => format!("{}+{:#x}", self.short(), at.saturating_add(self.offset)),
            false => format!("{} {} + {at:#x}", self.name, self.prot),
        }
    }
}

/// Access as three letters.
pub(super) fn prot(prot: u32) -> String {
    let letter = |(bit, letter): (&(u64, &str), &'static str)| {
        if u64::from(prot) & bit.0 != 0 { letter } else { "-" }
    };
    PROT.iter().zip(["r", "w", "x"]).map(letter).collect()
}

impl<S: ReadAt + Clone> Session<S> {
    /// The areas in ascending order, read when they are first asked for.
    pub(super) fn spans(&mut self, mm: u32) -> Result<Rc<[Span]>> {
        if let Some(known) = self.spans.get(&mm) {
            return Ok(known.clone());
        }
        let mut spans = Vec::new();
        for (at, _) in self.tree.of(mm).filter(|(_, node)| Kind(node.kind) == Vma::KIND) {
            let Some(Body::Vma(vma)) = self.body(at)? else { continue };
            let named = !vma.name.is_empty();
            spans.push(Span {
                start: vma.start,
                end: vma.end.max(vma.start),
                offset: vma.offset,
                prot: prot(vma.prot),
                name: if named { show::escape(&vma.name) } else { choice(vma.kind, VMA_KINDS) },
                named,
            });
        }
        spans.sort_by_key(|span| span.start);
        let spans: Rc<[Span]> = spans.into();
        self.spans.insert(mm, spans.clone());
        Ok(spans)
    }

    /// What to call an address.
    pub(super) fn area_of(&mut self, mm: u32, address: u64) -> Result<Option<String>> {
        let spans = self.spans(mm)?;
        let behind = spans.partition_point(|span| span.start <= address);
        let span = behind.checked_sub(1).and_then(|at| spans.get(at)).filter(|span| address < span.end);
        Ok(span.map(|span| span.words(address)))
    }
}
