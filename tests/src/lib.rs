//! The harness of the end-to-end tests: it starts programs, checkpoints and restarts them with the `stasis` that users
//! run, and asks them how they found themselves afterwards.
//!
//! - [`engine`] runs `stasis` and reads what it says;
//! - [`program`] is a program under test before the checkpoint, and the same program after the restart;
//! - [`host`] says what this machine offers, so that a test that cannot run says why;
//! - [`library`] compiles programs that use libstasis;
//! - [`wait`] is the only way to wait: for a condition, with a limit that only ends a hang.
//!
//! Nothing here knows the image or the engine from the inside: a test that passes shows what a user would see. The
//! victims themselves are the C programs in `tests/victims`; run `victim` without arguments for a list.

pub mod engine;
pub mod host;
pub mod journey;
pub mod library;
pub mod program;
pub mod wait;
