//! Takes the tree out of an image: by its index where there is one to seek to, else from the stream.

use std::fs::File;
use std::io::Read;

use anyhow::{Context as _, Result};
use stasis_engine::image::model::{Builder, Tree};
use stasis_format::head::Head;
use stasis_format::header::Kind;
use stasis_format::index::IndexReader;
use stasis_format::parser::{Event, Totals};
use stasis_format::reader::Reader;
use stasis_format::record::{Extent, Index, IndexEnd};

/// An image without its contents.
#[derive(Debug)]
pub struct Loaded {
    /// HEAD.
    pub head: Head,
    /// What was saved.
    pub tree: Tree,
    /// Counts and sizes.
    pub totals: Totals,
}

/// Reads the metadata by the index: of the contents not a byte.
pub fn load(file: &File) -> Result<Loaded> {
    let image = IndexReader::open(file)?;
    let mut builder = Builder::default();
    for entry in image.entries() {
        if Kind(entry.kind) == Extent::KIND {
            continue;
        }
        if let Some(record) = image.record_at(entry)? {
            builder.add(record)?;
        }
    }
    let end = image.end();
    let totals = Totals {
        records: end.nr_records,
        extents: end.nr_extents,
        objects: end.nr_objects,
        page_bytes: end.page_bytes,
        stored_bytes: end.stored_bytes,
        length: image.image_len(),
    };
    Ok(Loaded { head: image.head().clone(), tree: builder.finish()?, totals })
}

/// Reads a stream to the end of its image.
pub fn load_stream(source: impl Read) -> Result<Loaded> {
    let mut reader = Reader::new(source);
    let mut builder = Builder::default();
    let mut found = None;
    while let Some(event) = reader.next_event()? {
        match event {
            Event::Head(head) => found = Some(head),
            Event::Record(record) if [Index::KIND, IndexEnd::KIND].contains(&record.body.kind()) => {}
            Event::Record(record) => builder.add(record)?,
            Event::Extent(_) | Event::Skipped { .. } => {}
            Event::End(totals) => {
                let head = found.context("the image has no HEAD")?;
                return Ok(Loaded { head, tree: builder.finish()?, totals });
            }
        }
    }
    anyhow::bail!("the image ends before TAIL")
}
