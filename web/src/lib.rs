//! The inspector: a page that opens a checkpoint image in the browser, and the worker that reads it.
//!
//! * [`proto`], [`areas`]: what page and worker say to each other.
//! * [`session`], [`desk`]: an opened image, without the browser, and what the worker answers from it.
//! * [`state`], [`text`], [`wish`], [`needle`], [`numbers`]: what the page knows, and how it changes; no web types, so it is tested natively.
//! * `app`, `components`: the page, over `browser`. `worker`, `source`, `blob`, `http`: the worker. Both only in the browser.
//!
//! The page never sees more of the image than it shows; the worker reads it through a bounded [`cache`].
#![forbid(unsafe_code)]

pub mod areas;
pub mod cache;
pub mod desk;
pub mod needle;
pub mod numbers;
pub mod proto;
pub mod session;
pub mod state;
pub mod text;
pub mod wish;

#[cfg(target_arch = "wasm32")]
pub mod app;
#[cfg(target_arch = "wasm32")]
pub mod blob;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod components;
#[cfg(target_arch = "wasm32")]
pub mod http;
#[cfg(target_arch = "wasm32")]
pub mod source;
#[cfg(target_arch = "wasm32")]
pub mod worker;
