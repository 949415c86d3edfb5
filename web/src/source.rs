//! The image as the worker reads it, wherever it is, through a bounded cache.

use crate::blob::BlobReader;
use crate::cache::Cache;
use crate::http::{self, Found, RangeReader};
use stasis_format::ReadAt;
use std::cell::RefCell;
use std::io::Result;
use std::rc::Rc;
use web_sys::Blob;

/// The image; clones share the cache.
#[derive(Debug, Clone)]
pub struct Source(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: Origin,
    cache: RefCell<Cache>,
}

#[derive(Debug)]
enum Origin {
    File(BlobReader),
    Server(RangeReader),
}

impl Source {
    /// A file that was chosen.
    pub fn file(blob: Blob) -> Result<Self> {
        let reader = BlobReader::new(blob)?;
        let len = reader.size();
        Ok(Self::new(Origin::File(reader), len))
    }

    /// What is behind an address.
    ///
    /// # Errors
    /// A sentence for the person who gave it.
    pub async fn url(url: &str) -> std::result::Result<Self, String> {
        match http::open(url).await? {
            Found::Whole(blob) => Self::file(blob).map_err(|e| e.to_string()),
            Found::Ranges(reader) => {
                let len = reader.size();
                Ok(Self::new(Origin::Server(reader), len))
            }
        }
    }

    /// Whether a read goes over a network.
    pub fn is_far(&self) -> bool {
        matches!(self.0.origin, Origin::Server(_))
    }

    fn new(origin: Origin, len: u64) -> Self {
        Self(Rc::new(Inner { origin, cache: RefCell::new(Cache::new(len)) }))
    }

    /// Reads ahead what lies scattered, given by offset and length, in fewer calls than reading it one by one takes.
    pub async fn fetch_ahead(&self, ranges: &[(u64, u64)]) -> Result<()> {
        let runs = self.0.cache.borrow().missing(ranges);
        let mut take = |offset: u64, bytes: &[u8]| self.0.cache.borrow_mut().put(offset, bytes);
        match &self.0.origin {
            Origin::File(reader) => reader.read_many(&runs, &mut take),
            Origin::Server(reader) => reader.read_many(&runs, &mut take).await,
        }
    }
}

impl ReadAt for Source {
    fn len(&self) -> Result<u64> {
        Ok(match &self.0.origin {
            Origin::File(reader) => reader.size(),
            Origin::Server(reader) => reader.size(),
        })
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let mut fetch = |offset: u64, buf: &mut [u8]| match &self.0.origin {
            Origin::File(reader) => reader.read(offset, buf),
            Origin::Server(reader) => reader.read(offset, buf),
        };
        self.0.cache.borrow_mut().read(offset, buf, &mut fetch)
    }
}
