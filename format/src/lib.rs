//! The Stasis checkpoint image.
//!
//! * [`header`], [`head`]: what both revisions share: the header of every record, HEAD and TAIL.
//! * [`record`]: the records of revision 2, described once for all uses in the terms of [`schema`]; [`extent`]: pages;
//!   [`encoding`]: how they are stored.
//! * [`writer`]: makes an image in one pass. [`parser`]: takes one apart without I/O; [`reader`]: drives it over a
//!   stream. [`index`]: opens one from its end over [`source`], reading little; [`memory`]: pages by
//!   address.
//! * [`validate`], [`findings`]: judges a whole image of either revision; [`sniff`]: names what is none.
//! * [`fields`], [`summary`], [`show`]: a record as people read it; [`walk`]:
//!   one record after the other as it stands; [`json`]: an image as machines read it.
//! * [`family`]: processes as a tree; [`sharing`]: who has what together with whom.
//! * [`rev1`]: revision 1, writer and reader.
//! * [`error`], [`rules`]: what can be wrong, by name. [`limits`]: every cap.
//!
//! Constraints: no I/O of its own, no files, no clock, no `unsafe`; it builds for wasm32, so lengths and offsets
//! of an image are `u64`; every input is hostile, and memory use is bounded by [`limits`], whatever it says.
#![forbid(unsafe_code)]

pub mod checksum;
pub mod encoding;
pub mod error;
pub mod extent;
pub mod family;
pub mod fields;
pub mod findings;
pub mod frame;
pub mod head;
pub mod header;
pub mod index;
pub mod json;
pub mod limits;
pub mod memory;
pub mod parser;
pub mod reader;
pub mod record;
pub mod rev1;
pub mod rules;
pub mod schema;
pub mod sharing;
pub mod show;
pub mod sniff;
pub mod source;
pub mod summary;
pub mod validate;
pub mod walk;
pub mod writer;

pub use encoding::Encoding;
pub use error::{Fault, ReadError};
pub use extent::{ExtentHead, Run};
pub use findings::{Finding, Severity};
pub use head::{Head, KernelVersion};
pub use header::{Kind, RecordHeader};
pub use index::IndexReader;
pub use parser::{Event, Parser, Progress, Record, Totals};
pub use reader::Reader;
pub use record::{Body, RecordBody};
pub use source::ReadAt;
pub use writer::{WriteError, Writer};
