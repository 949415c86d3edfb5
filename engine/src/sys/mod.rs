//! The kernel's interfaces, one facility a file: the only place where `unsafe` is allowed.
//!
//! Out of here come owned descriptors, slices and newtypes; every error is an `io::Error` with the kernel's errno.

pub mod abi;
pub mod anon;
pub mod creds;
pub mod file;
pub mod handle;
pub mod host;
pub mod inet;
pub mod inotify;
pub mod kcmp;
pub mod mem;
pub mod open;
pub mod pagemap;
pub mod pidfd;
pub mod process;
pub mod ptrace;
pub mod pty;
pub mod rawfd;
pub mod rights;
pub mod sched;
pub mod seccomp;
pub mod sem;
pub mod sock_diag;
pub mod socket;
pub mod userfault;
pub mod vm;
pub mod worker;
