//! The process id: taken again in the current namespace if it is free and we may, else in a namespace of its own.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io;

use crate::sys::process;
use crate::tree::respawn;

const CLONE_NEWPID: u64 = 0x2000_0000;
const CLONE_NEWUSER: u64 = 0x1000_0000;

/// A new process that waits to be taken over by a [`Stub`](crate::tracee::stub::Stub), which has to be done next.
#[derive(Debug)]
pub struct Identity {
    /// It, as we see it.
    pub pid: i32,
    /// The init of its namespace, if it has one of its own.
    init: Option<i32>,
    kept: Cell<bool>,
}

/// Why no process with that id can be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "process id {pid} cannot be had: {first}; and a namespace of its own cannot be made: {second} (user namespaces \
     may be switched off: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)"
)]
pub struct NoIdentity {
    pid: u32,
    first: io::Error,
    second: io::Error,
}

/// Makes a process that has this id, if need be in a new PID namespace (and, without privilege, a new user namespace).
///
/// `others`: ids that its threads and children will want. `detach`: it is not to be a child of ours, so that our end is
/// no parent's death to it.
pub fn create(pid: u32, others: &BTreeSet<u32>, detach: bool) -> Result<Identity, NoIdentity> {
    let fork = if detach { process::fork_orphan_stub } else { process::fork_stub };
    let first = if respawn::taken(others).is_empty() {
        match fork(pid as i32) {
            Ok(child) => return Ok(Identity { pid: child, init: None, kept: Cell::new(false) }),
            Err(e) => e,
        }
    } else {
        io::Error::from_raw_os_error(libc::EEXIST)
    };
    in_namespace(pid, first)
}

/// The same in a new PID namespace in any case; `first` is why.
pub fn in_namespace(pid: u32, first: io::Error) -> Result<Identity, NoIdentity> {
    tracing::info!(pid, reason = %first, "process id not available here, using a namespace of its own");
    let mut second = io::Error::from_raw_os_error(libc::EPERM);
    for flags in [CLONE_NEWPID, CLONE_NEWPID | CLONE_NEWUSER] {
        match process::fork_in_namespace(pid as i32, flags) {
            Ok((init, child)) => {
                return Ok(Identity { pid: child, init: Some(init), kept: Cell::new(false) });
            }
            Err(e) => second = e,
        }
    }
    Err(NoIdentity { pid, first, second })
}

impl Identity {
    /// Whether the process lives in our own PID namespace.
    pub fn is_here(&self) -> bool {
        self.init.is_none()
    }

    /// The restart has succeeded: the process stays. Returns the child to wait for.
    pub fn keep(&self) -> i32 {
        self.kept.set(true);
        self.init.unwrap_or(self.pid)
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        // Killing the init of a namespace kills all in it. The process itself is its stub's to kill: here its id may be
        // somebody else's already.
        if let Some(init) = self.init.filter(|_| !self.kept.get()) {
            process::kill_and_reap(init);
        }
    }
}
