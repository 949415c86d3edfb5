//! Whole trees of processes.
//!
//! * [`seize`]: a process with all its descendants stands still. [`respawn`]: they come into being again.
//! * [`ids`]: the process id, here or in a namespace of its own.

pub mod ids;
pub mod respawn;
pub mod seize;
