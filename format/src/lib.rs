//! The Stasis checkpoint image.
//!
//! * [`header`]: the 8-byte header of every record and the [`Kind`](header::Kind) of a record.
//! * [`record`]: the records of revision 2, described once for all uses.
//!
//! Constraints: no I/O of its own, no files, no clock, no `unsafe`; it builds for wasm32, so lengths and offsets
//! of an image are `u64`; every input is hostile, and memory use is bounded by [`limits`], whatever it says.
#![forbid(unsafe_code)]

pub mod header;
pub mod limits;
pub mod record;
