//! Serves the inspector and one image to a browser on this machine, for `stasis view`.
//!
//! A page from elsewhere may not read from 127.0.0.1 without asking, and a page from a file may not start a worker; so
//! the page and the image come from one server here. An image holds the memory of a process: what keeps others from it
//! is a secret in every path ([`guard`]), and that requests which another site could cause are refused.
//!
//! * [`assets`]: the files of the inspector. [`image`]: the one file that is shown.
//! * [`site`]: what is answered to a request. [`server`]: the connections, bounded in number, size and time.
//! * [`request`], [`reply`], [`range`], [`percent`]: the part of HTTP/1.1 that this needs.
//!
//! Written here because the small servers on crates.io let one slow client hold a thread for ever; heads are parsed by
//! `httparse`.

pub mod assets;
pub mod guard;
pub mod image;
pub mod percent;
pub mod range;
pub mod reply;
pub mod request;
pub mod server;
pub mod site;

pub use assets::{Assets, EMBEDDED};
pub use image::Image;
pub use server::Server;
