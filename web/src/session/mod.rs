//! An opened image, as far as it can be read: what the worker answers from. No web types; reads only what is asked.

mod compare;
mod goto;
mod map;
mod people;
mod record;
mod search;
mod space;
mod spans;
mod task;
mod tree;
mod verdict;

pub use compare::Comparing;
pub use search::{Hunt, Search, Strings};
pub use tree::{Node, Tree};
pub use verdict::{Check, Verify, parse_kernel};

use crate::proto::{Head, Opened, Row, Space};
use crate::text::counted;
use stasis_format::head::{HEAD_RECORD_LEN, TAIL_RECORD_LEN};
use stasis_format::header::{Kind, RECORD_HEADER_LEN};
use stasis_format::limits::{MAX_INDEX_ENTRIES, MAX_PAYLOAD, PAGE};
use stasis_format::memory::MemoryMap;
use stasis_format::record::{Body, Extent, Index, IndexEnd, Mm};
use stasis_format::sharing::Sharing;
use stasis_format::show;
use stasis_format::sniff::sniff;
use stasis_format::validate::{Met, Report};
use stasis_format::walk::RawRecord;
use stasis_format::{IndexReader, ReadAt, rules};
use std::collections::HashMap;
use std::rc::Rc;

/// Most records that a walk without an index lists.
const MAX_WALKED: usize = 1 << 20;
/// Most bytes of one answer.
pub const MAX_ANSWER: u64 = 64 << 20;

/// What can go wrong is told in a sentence.
pub type Result<T> = std::result::Result<T, String>;

/// An opened file.
#[derive(Debug)]
pub struct Session<S> {
    source: S,
    name: String,
    len: u64,
    rev: u16,
    tree: Tree,
    cut: Option<String>,
    index: Option<IndexReader<S>>,
    maps: HashMap<u32, MemoryMap>,
    /// Address spaces in the order of the file.
    mms: Vec<u32>,
    windows: HashMap<u32, Vec<space::Window>>,
    /// By INODE: the address spaces that show it, and where.
    views: HashMap<u32, Vec<(u32, space::Window)>>,
    /// Runs of memory that the image holds: first address, and the one behind.
    held: HashMap<u32, Vec<(u64, u64)>>,
    spans: HashMap<u32, Rc<[spans::Span]>>,
    /// Who has what together, once it was asked for.
    sharing: Option<Rc<Sharing>>,
    report: Report,
    kernel: Option<String>,
    contents: bool,
    /// Whether the report is from the index alone.
    pending: bool,
}

impl<S: ReadAt + Clone> Session<S> {
    /// Opens what the source holds, whatever it is, and judges it.
    pub fn open(source: S, name: String, kernel: Option<String>) -> Result<Self> {
        Self::open_with(source, name, kernel, usize::MAX)
    }

    /// The same, but an image with more extents than these is shown by its index first, and judged in steps.
    pub fn open_with(source: S, name: String, kernel: Option<String>, extents: usize) -> Result<Self> {
        Self::open_telling(source, name, kernel, extents, &mut |_, _| {})
    }

    /// The same; `tell` hears how many bytes of how many are read or stepped over.
    pub fn open_telling(
        source: S,
        name: String,
        kernel: Option<String>,
        extents: usize,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<Self> {
        let len = source.len().map_err(io)?;
        let index = IndexReader::open(source.clone()).ok();
        let many = |index: &&IndexReader<S>| {
            index.entries().iter().filter(|entry| Kind(entry.kind) == Extent::KIND).nth(extents).is_some()
        };
        let far = index.as_ref().filter(many);
        let pending = far.is_some();
        // The tree is what the validator meets: the same records, each fault at its own. Of a sound image the index
        // says the same, in whatever number.
        let mut met = Vec::new();
        let mut meet = |it: Met| {
            tell(it.offset, len);
            if met.len() < MAX_WALKED {
                met.push(node(&it));
            }
        };
        let (report, contents) = match far {
            Some(index) => (verdict::from_index(index), false),
            None => verdict::judge(&source, len, kernel.as_deref(), &mut meet)?,
        };
        let nodes = match &index {
            Some(index) if pending || report.is_valid() => indexed(&source, index)?,
            Some(index) => with_rest(met, indexed(&source, index)?),
            None => met,
        };
        let cut = report.findings.iter().find(|finding| finding.rule == rules::EARLY_END);
        let cut = cut.map(|finding| finding.message.clone());
        let tree = Tree::new(nodes);
        let rev = report.revision.unwrap_or(1);
        let mms = tree.nodes.iter().filter(|node| Kind(node.kind) == Mm::KIND).map(|node| node.id).collect();
        let (maps, windows, views, held, spans, sharing) = Default::default();
        Ok(Self {
            source,
            name,
            len,
            rev,
            tree,
            cut,
            index,
            maps,
            mms,
            windows,
            views,
            held,
            spans,
            sharing,
            report,
            kernel,
            contents,
            pending,
        })
    }

    /// What the page shows first.
    pub fn opened(&self) -> Result<Opened> {
        let mut start = vec![0; self.len.min(1024) as usize];
        self.source.read_at(0, &mut start).map_err(io)?;
        let looks_like = self.report.revision.is_none().then(|| sniff(&start)).flatten();
        let head = self.report.head.as_ref().map(|head| Head {
            kernel: format!("{}.{}.{}", head.major, head.minor, head.patch),
            release: show::escape(show::until_nul(&head.release)),
            machine: show::escape(show::until_nul(&head.machine)),
            time: show::date(head.time),
        });
        Ok(Opened {
            name: self.name.clone(),
            size: self.len,
            verdict: self.verdict(),
            head,
            looks_like: looks_like.map(str::to_owned),
            records: self.tree.nodes.len() as u32,
            rows: self.tree.rows(),
            extents: self.report.totals.extents as u32,
            cut: self.cut.clone(),
            tasks: self.tasks()?,
            page_bytes: self.report.totals.page_bytes,
            stored_bytes: self.report.totals.stored_bytes,
            took_ms: 0,
        })
    }

    /// The file.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tree, to fold and unfold.
    pub fn tree_mut(&mut self) -> &mut Tree {
        &mut self.tree
    }

    /// Visible rows, and how many there are.
    pub fn rows(&self, first: u32, count: u32) -> Result<(Vec<Row>, u32)> {
        let total = self.tree.rows();
        let mut rows = Vec::new();
        for (node, depth, children, open) in
            (first..total.min(first.saturating_add(count))).filter_map(|row| self.tree.row(row))
        {
            if let Some(group) = self.tree.group(node) {
                rows.push(Row { node, depth, open, children, ..self.gathered(group) });
                continue;
            }
            let Some(raw) = self.raw(node)? else { continue };
            let lost = self.tree.node(node).filter(|node| node.lost);
            let kind = Kind(lost.map_or(raw.header.kind, |lost| lost.kind));
            let fields = stasis_format::fields::fields(&raw.bytes, raw.offset, self.rev);
            let line = stasis_format::json::line(&raw.bytes, raw.offset, self.rev, kind, &fields);
            let name = if kind.0 == 0 { "damaged bytes".to_owned() } else { kind.to_string() };
            let mut summary = line
                .strip_prefix(&kind.to_string())
                .unwrap_or(&line)
                .trim_start_matches([':', ' '])
                .to_owned();
            let mut len = raw.bytes.len() as u64;
            if lost.is_some() {
                len = self.end_of(node) - raw.offset;
                summary = format!("cannot be read, {}", counted(len, "byte"));
            }
            let mark = self.mark(raw.offset, self.end_of(node));
            rows.push(Row {
                node,
                depth,
                open,
                children,
                kind: kind.0,
                name,
                summary,
                offset: raw.offset,
                len,
                mark,
            });
        }
        Ok((rows, total))
    }

    /// A row that stands for several records: how many of which kind.
    fn gathered(&self, group: &[u32]) -> Row {
        let mut kinds: Vec<(Kind, u64)> = Vec::new();
        for at in group {
            let Some(node) = self.tree.node(*at) else { continue };
            match kinds.iter_mut().find(|(kind, _)| kind.0 == node.kind) {
                Some((_, count)) => *count += 1,
                None => kinds.push((Kind(node.kind), 1)),
            }
        }
        let offset = group.first().and_then(|at| self.tree.node(*at)).map_or(0, |node| node.offset);
        let end = group.last().map_or(offset, |at| self.end_of(*at));
        let summary =
            kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ");
        let name = counted(group.len() as u64, "record");
        let mark = self.mark(offset, end);
        Row { name, summary, offset, len: end - offset, mark, ..Row::default() }
    }

    /// Bytes of a space, cut at its end; for each page whether the image holds it.
    pub fn bytes(&mut self, space: Space, offset: u64, len: u64) -> Result<(Vec<u8>, Vec<bool>)> {
        let len = len.min(MAX_ANSWER);
        match space {
            Space::File => {
                let len = self.len.saturating_sub(offset).min(len);
                let mut out = vec![0; len as usize];
                self.source.read_at(offset, &mut out).map_err(io)?;
                Ok((out, vec![true; len.div_ceil(PAGE) as usize]))
            }
            Space::Memory(id) => {
                let pages = self.pages(id, offset, len)?;
                let held = pages.iter().map(|page| page.bytes.is_some()).collect();
                let fill =
                    |page: stasis_format::memory::Page| page.bytes.unwrap_or_else(|| vec![0; PAGE as usize]);
                Ok((pages.into_iter().flat_map(fill).collect(), held))
            }
        }
    }

    /// Offset and length of what opening reads far from anything else: the records in front of contents.
    pub fn scattered(source: &S) -> Vec<(u64, u64)> {
        let Ok(index) = IndexReader::open(source.clone()) else { return Vec::new() };
        let extents = index.entries().iter().filter(|entry| Kind(entry.kind) == Extent::KIND);
        extents
            .map(|entry| (entry.offset, entry.len.unsigned_abs() as u64 + RECORD_HEADER_LEN as u64))
            .collect()
    }

    /// The same JSON as `stasis inspect --json`.
    pub fn json(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        stasis_format::json::write(&self.source, &mut out).map_err(io)?;
        Ok(out)
    }

    /// The record of a node; `None` when not even its header is there.
    fn raw(&self, node: u32) -> Result<Option<RawRecord>> {
        let Some(node) = self.tree.node(node) else { return Ok(None) };
        let len = (RECORD_HEADER_LEN as u64 + u64::from(node.len)).min(self.len.saturating_sub(node.offset));
        // Of what cannot be read no more than a record's length is looked at.
        let len = len.min((RECORD_HEADER_LEN + MAX_PAYLOAD) as u64);
        let mut bytes = vec![0; len as usize];
        self.source.read_at(node.offset, &mut bytes).map_err(io)?;
        let header = |bytes: &[u8]| {
            let (kind, rest) = bytes.split_first_chunk()?;
            let (len, rest) = rest.split_first_chunk()?;
            Some(stasis_format::RecordHeader {
                kind: i16::from_le_bytes(*kind),
                len: i16::from_le_bytes(*len),
                parent: u32::from_le_bytes(*rest.first_chunk()?),
            })
        };
        let cut = stasis_format::RecordHeader { kind: node.kind, len: 0, parent: node.parent };
        // Of what is cut not even a header need be there.
        let header = header(&bytes).or(node.lost.then_some(cut));
        Ok(header.map(|header| RawRecord { offset: node.offset, header, bytes }))
    }

    fn body(&self, node: u32) -> Result<Option<Body>> {
        Ok(self.raw(node)?.filter(|_| self.rev == 2).and_then(|raw| raw.body()))
    }

    /// Where the next record starts.
    fn end_of(&self, node: u32) -> u64 {
        self.tree.node(node + 1).map_or(self.len, |next| next.offset)
    }

    fn mark(&self, start: u64, end: u64) -> u8 {
        // What is missing at the end of the file is missing of the last record.
        let is_last = end == self.len;
        let inside = self.report.findings.iter().filter(|finding| {
            finding.offset >= start && (finding.offset < end || (is_last && finding.offset == end))
        });
        inside.map(|finding| finding.severity as u8 + 1).max().unwrap_or(0)
    }
}

fn choice(n: u32, names: &[(u64, &'static str)]) -> String {
    show::choice(n.into(), names).map_or_else(|| format!("unknown ({n})"), str::to_owned)
}

fn io(error: std::io::Error) -> String {
    error.to_string()
}

/// All records by the index: those that it lists, and HEAD, itself and TAIL.
fn indexed<S: ReadAt>(source: &S, index: &IndexReader<S>) -> Result<Vec<Node>> {
    let at = |offset, len: usize, kind: Kind| Node {
        offset,
        len: (len - RECORD_HEADER_LEN) as u32,
        kind: kind.0,
        parent: 0,
        id: 0,
        lost: false,
    };
    // With room for the INDEX records, INDEX_END and TAIL: a list of millions is not to be moved for these.
    let count = index.entries().len();
    let mut nodes = Vec::with_capacity(count + count / MAX_INDEX_ENTRIES + 4);
    nodes.push(at(0, HEAD_RECORD_LEN, Kind::HEAD));
    nodes.extend(index.entries().iter().map(|entry| Node {
        offset: entry.offset,
        len: entry.len.unsigned_abs().into(),
        kind: entry.kind,
        parent: entry.parent,
        id: entry.id,
        lost: false,
    }));
    let tail = index.image_len() - TAIL_RECORD_LEN as u64;
    let mut offset = index.end().index_offset;
    while offset < tail {
        let mut header = [0; 4];
        source.read_at(offset, &mut header).map_err(io)?;
        let [k0, k1, l0, l1] = header;
        let len = i16::from_le_bytes([l0, l1]).unsigned_abs() as usize + RECORD_HEADER_LEN;
        let kind = Kind(i16::from_le_bytes([k0, k1]));
        if kind != Index::KIND && kind != IndexEnd::KIND {
            break;
        }
        nodes.push(at(offset, len, kind));
        offset += len as u64;
    }
    nodes.push(at(tail, TAIL_RECORD_LEN, Kind::TAIL));
    Ok(nodes)
}

/// What was met, and what an index names behind the place from which on nothing could be found.
fn with_rest(mut met: Vec<Node>, indexed: Vec<Node>) -> Vec<Node> {
    if let Some(last) = met.last().copied().filter(|last| last.lost) {
        met.extend(indexed.into_iter().filter(|node| node.offset > last.offset));
    }
    met
}

/// What the validator met, as the tree has it. What cannot be read keeps its kind if there is such a kind.
fn node(met: &Met) -> Node {
    let known =
        |kind: Kind| matches!(kind, Kind::HEAD | Kind::TASK | Kind::STRING | Kind::TAIL) || is_defined(kind);
    let header = met.header.filter(|header| met.fault.is_none() || known(Kind(header.kind)));
    let (kind, parent) = header.map_or((0, 0), |header| (header.kind, header.parent));
    Node {
        offset: met.offset,
        len: u32::try_from(met.len.saturating_sub(RECORD_HEADER_LEN as u64)).unwrap_or(u32::MAX),
        kind,
        parent,
        id: if kind == 0 { 0 } else { met.id },
        lost: met.fault.is_some(),
    }
}

/// Whether revision 2 has this kind.
fn is_defined(kind: Kind) -> bool {
    stasis_format::fields::definition(kind, 2).is_some()
}

#[cfg(test)]
mod damage;
#[cfg(test)]
mod tests;
