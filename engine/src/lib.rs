//! The native engine: checkpoints a running process tree into one image and restarts it.
//!
//! * `checkpoint`, `restart`: the two conductors; they only order the steps.
//! * `state`: one file for each kind of process state, its capture and its restore side by side.
//! * `model`: the captured tree in memory, what stands between capture, image and restore.
//! * `target`, `stub`: a seized process, and one being built; system calls are run inside both.
//! * `procfs`: what /proc says. `arch`: all that knows the processor. `sys`: all that is `unsafe`.
#![deny(unsafe_code)]

pub mod procfs;
pub mod sys;
