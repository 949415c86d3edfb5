//! What belongs to a process or a thread: one file a kind, its capture above, its restore below.

pub mod borrow;
pub mod creds;
pub mod fs;
pub mod locks;
pub mod process;
pub mod signals;
pub mod thread;
pub mod timers;
