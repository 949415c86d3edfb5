//! What belongs to a process or a thread: one file a kind, its capture above, its restore below.
//!
//! [`kind`]: the contract. [`KINDS`]: the registry, the only list of kinds.

pub mod autogroup;
pub mod creds;
pub mod fs;
pub mod kind;
pub mod locks;
pub mod prctls;
pub mod process;
pub mod signals;
pub mod terminal;
pub mod thread;
pub mod timers;

use crate::kinds::fd::table;
use crate::memory::areas;
use kind::TaskKind;

/// All kinds, in the order in which they are captured and made.
pub const KINDS: &[&dyn TaskKind] = &[
    &process::Identity,
    &terminal::Terminal,
    &fs::Directories,
    // Through descriptors, which stand by now.
    &locks::Locks,
    &signals::Actions,
    // Before anything that names a thread.
    &thread::Threads,
    &timers::Timers,
    &process::Attributes,
    &prctls::Prctls,
    &autogroup::Autogroup,
    // Credentials are among it: from here on a process has no more rights than it had.
    &thread::States,
    &table::Owners,
    // What has been sent is not to meet the defaults of a thread that is not yet what it was.
    &signals::Pending,
    // Nothing is mapped any more from here on.
    &areas::Last,
    &process::Permits,
    // No series of calls is made any more from here on.
    &signals::TrapAction,
];
