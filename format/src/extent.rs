//! Page contents: the runs that an EXTENT covers and the rules they obey.

pub use crate::record::Run;

use crate::encoding::Encoding;
use crate::error::Fault;
use crate::limits::{MAX_EXTENT_BYTES, MAX_RUNS, PAGE};
use crate::record::{Extent, RecordBody as _};
use crate::rules;

/// An EXTENT as a reader meets it: everything but the contents, which come next in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtentHead {
    /// Offset of the record.
    pub offset: u64,
    /// Offset of the stored bytes; of the end of the record when there are none.
    pub data_offset: u64,
    /// Object whose contents these are.
    pub parent: u32,
    /// The pages.
    pub runs: Vec<Run>,
    /// How they are encoded.
    pub encoding: Encoding,
    /// Bytes stored.
    pub stored_len: u64,
    /// Pages in all runs.
    pub nr_pages: u64,
    /// XXH3-64 of the stored bytes.
    pub checksum: u64,
}

impl ExtentHead {
    /// Bytes of contents once decoded.
    pub fn page_bytes(&self) -> u64 {
        self.nr_pages.saturating_mul(PAGE)
    }
}

/// Why a list of runs cannot stand in an EXTENT.
pub fn check_runs(runs: &[Run]) -> Result<u64, &'static str> {
    if runs.is_empty() || runs.len() > MAX_RUNS {
        return Err("an extent has 1 to 1024 runs");
    }
    let mut free = 0;
    let mut pages = 0u64;
    for run in runs {
        if run.start % PAGE != 0 {
            return Err("a run starts off a page boundary");
        }
        if run.start < free {
            return Err("runs overlap or are not in ascending order");
        }
        if run.pages == 0 || run.pages > MAX_EXTENT_BYTES / PAGE {
            return Err("a run has no pages or more than an extent may hold");
        }
        free = run.start.checked_add(run.len()).ok_or("a run goes beyond the last address")?;
        pages += run.pages;
    }
    if pages > MAX_EXTENT_BYTES / PAGE {
        return Err("an extent holds 16 MiB at the most");
    }
    Ok(pages)
}

/// Bytes of zero between the end of an EXTENT record and its contents.
pub fn padding_before(record_end: u64, stored_len: u64) -> u64 {
    if stored_len == 0 { 0 } else { record_end.wrapping_neg() % PAGE }
}

/// Bytes of zero between the contents and the next record.
pub fn padding_after(stored_len: u64) -> u64 {
    stored_len.wrapping_neg() % 8
}

/// The runs in the tail of an EXTENT.
pub fn runs_of(body: &Extent) -> Vec<Run> {
    body.list()
}

/// Checks an EXTENT record, which stands at `offset` and ends at `end`, and takes it apart. The faults come with
/// it; with `None` the length of the contents cannot be believed.
pub fn open(offset: u64, end: u64, parent: u32, body: &Extent) -> (Option<ExtentHead>, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut fault = |rule, field, message: String| {
        faults
            .push(Fault::new(rule, offset, end - offset, message).of(Extent::DEF.kind, offset).field(field));
    };
    let runs = runs_of(body);
    match check_runs(&runs) {
        Err(why) => fault(rules::EXTENT_RUNS, "runs", why.into()),
        Ok(pages) if pages != body.nr_pages => {
            fault(
                rules::EXTENT_RUNS,
                "nr_pages",
                format!("the runs have {pages} pages, not {}", body.nr_pages),
            );
        }
        Ok(_) if runs.first().map(|run| run.start) != Some(body.vaddr) => {
            fault(rules::EXTENT_RUNS, "vaddr", "vaddr is not the start of the first run".into());
        }
        Ok(_) => {}
    }
    let encoding = Encoding(body.encoding);
    let page_bytes = body.nr_pages.saturating_mul(PAGE);
    let fits = match encoding {
        Encoding::NONE => body.stored_len == page_bytes,
        Encoding::ZERO | Encoding::BASE => body.stored_len == 0,
        _ => body.stored_len > 0,
    };
    if encoding.name().is_none() {
        fault(rules::EXTENT_ENCODING, "encoding", format!("the encoding {} is not known", body.encoding));
    }
    if !fits {
        let message =
            format!("{} stored bytes do not fit {page_bytes} bytes encoded as {encoding}", body.stored_len);
        fault(rules::EXTENT_LEN, "stored_len", message);
    }
    if body.stored_len > MAX_EXTENT_BYTES {
        let message =
            format!("{} bytes are stored, {MAX_EXTENT_BYTES} are allowed at the most", body.stored_len);
        fault(rules::EXTENT_LEN, "stored_len", message);
        return (None, faults);
    }
    let data_offset = end + padding_before(end, body.stored_len);
    let head = ExtentHead {
        offset,
        data_offset,
        parent,
        runs,
        encoding,
        stored_len: body.stored_len,
        nr_pages: body.nr_pages,
        checksum: body.checksum,
    };
    (Some(head), faults)
}
