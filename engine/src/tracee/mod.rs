//! Processes that we hold by ptrace(2): one that is seized and runs on again, and one that is being built.
//!
//! * [`target`]: a guard over a process that stands still. [`stub`]: a guard over a process under construction.
//! * [`rescue`]: how a target gets back by itself should we be killed. [`exec_replace`]: a running process becomes a stub.
//! * [`handover`]: how descriptors get into a stub.

pub mod exec_replace;
pub mod handover;
pub mod rescue;
pub mod stub;
pub mod target;
