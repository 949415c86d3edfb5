//! The native engine: checkpoints a running process tree into one image and restarts it.
//!
//! * [`checkpoint`](mod@checkpoint), [`restart`](mod@restart): the two conductors; they only order the steps.
//! * [`kinds`]: one file for each kind of process state, its capture and its restore side by side. [`memory`]: address
//!   spaces. [`image`]: the captured tree in memory, what stands between capture, image and restore.
//! * [`tracee`]: a seized process, and one being built; system calls are run inside both. [`tree`]: whole trees of them.
//! * [`rights`]: nobody gets a right by a restart that he did not have.
//! * [`revision1`]: the two calls of the patch of 2008.
//! * [`checkpoint_self`], [`restart_self`]: the calls of a program on itself, from libstasis.
//! * [`host`]: what this machine can do for them.
//! * [`refusal`]: what cannot be carried over. [`errno`]: failures as the two calls return them.
//!   [`progress`]: who watches.
//! * [`viewer`]: serves an image to the browser.
//! * [`procfs`]: what /proc says. [`arch`]: all that knows the processor. [`sys`]: all that is `unsafe`.
#![deny(unsafe_code)]

pub mod arch;
pub mod checkpoint;
pub mod errno;
pub mod host;
pub mod image;
pub mod kinds;
pub mod memory;
pub mod procfs;
pub mod progress;
pub mod refusal;
pub mod restart;
pub mod revision1;
pub mod rights;
pub mod sys;
pub mod tracee;
pub mod tree;
pub mod viewer;

pub use stasis::{checkpoint_self, restart_self};
