//! Processes that we hold by ptrace(2): one that is seized and runs on again, and one that is being built.
//!
//! * [`target`]: a guard over a process that stands still. [`stub`]: a guard over a process under construction.
//! * [`batch`]: calls to be made in a process and what they need in its memory; `area` is where that lies. [`stops`]: the one
//!   loop over what ptrace(2) reports.
//! * [`code`]: what we borrow of the code of a process.
//! * [`rescue`]: how a target gets back by itself should we be killed. [`exec_replace`]: a running process becomes a stub.
//! * [`wait`]: a call that waits for some time gets what is left of it; `asleep`: how long that has been.
//! * [`handover`]: how descriptors get into a stub.

mod area;
mod asleep;
pub mod batch;
pub mod code;
pub mod exec_replace;
pub mod handover;
pub mod rescue;
pub mod stops;
pub mod stub;
pub mod target;
pub mod wait;
