//! The native engine: checkpoints a running process tree into one image and restarts it.
//!
//! * [`checkpoint`](mod@checkpoint), [`restart`](mod@restart): the two conductors; they only order the steps.
//! * [`state`]: one file for each kind of process state, its capture and its restore side by side.
//! * [`model`]: the captured tree in memory, what stands between capture, image and restore.
//! * [`target`], [`stub`]: a seized process, and one being built; system calls are run inside both.
//!   [`family`], [`births`]: the same for whole trees. [`identity`]: the process id.
//! * [`revision1`]: the two calls of the patch of 2008.
//! * [`checkpoint_self`], [`restart_self`]: the calls of a program on itself, from libstasis.
//! * [`host`]: what this machine can do for them.
//! * [`refusal`]: what cannot be carried over. [`errno`]: failures as the two calls return them.
//!   [`progress`]: who watches.
//! * [`viewer`]: serves an image to the browser.
//! * [`procfs`]: what /proc says. [`arch`]: all that knows the processor. [`sys`]: all that is `unsafe`.
#![deny(unsafe_code)]

pub mod arch;
pub mod births;
pub mod checkpoint;
pub mod errno;
pub mod family;
pub mod host;
pub mod identity;
pub mod model;
pub mod procfs;
pub mod progress;
pub mod refusal;
pub mod restart;
pub mod revision1;
pub mod state;
pub mod stub;
pub mod sys;
pub mod takeover;
pub mod target;
pub mod viewer;
pub mod way_back;

pub use stasis::{checkpoint_self, restart_self};
