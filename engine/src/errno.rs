//! What the two calls return when they fail: the errno that says a failure best.
//!
//! An errno that the kernel gave is passed on. Where there is none: `EINVAL` for an image that cannot be used and for a
//! host that is not what it needs, `EPIPE` for one that ends too early, `EOPNOTSUPP` for state that cannot be carried
//! over, `EBUSY` for debuggers, a vfork(2) and process ids that are taken, which may be gone at the next try, `EPERM` for a
//! right that is missing, `ESRCH` for a process that is not there.

use std::error::Error;
use std::io;

use crate::checkpoint;
use crate::kinds::{CaptureError, RestoreError};
use crate::memory::pages::ContentsError;
use crate::procfs::Proc;
use crate::refusal::Loss;
use crate::restart;
use crate::tracee::target::TargetError;

/// The errno of a checkpoint of `pid` that failed.
pub fn of_checkpoint(error: &checkpoint::Error, pid: i32) -> i32 {
    use checkpoint::Error as E;
    match error {
        E::NotATarget(_) if Proc::open(pid).is_err() => libc::ESRCH,
        E::NotATarget(_) | E::Capture(CaptureError::NotWaiting { .. }) => libc::EBUSY,
        E::Rights(_) => libc::EPERM,
        E::Target(TargetError::Gone(_) | TargetError::Died { .. }) => libc::ESRCH,
        E::Target(TargetError::Busy(_)) => libc::EAGAIN,
        E::Target(TargetError::Stuck { .. } | TargetError::Ourselves { .. }) => libc::EBUSY,
        E::Refused(reasons) if reasons.iter().all(|reason| reason.kind == Loss::Children) => libc::EBUSY,
        E::Refused(_) => libc::EOPNOTSUPP,
        E::Contents(ContentsError::Cancelled) => libc::EINTR,
        E::Finish(error) => error.raw_os_error().unwrap_or(libc::EIO),
        _ => of_cause(error).unwrap_or(libc::EIO),
    }
}

/// The errno of a restart that failed.
pub fn of_restart(error: &restart::Error) -> i32 {
    use restart::Error as E;
    match error {
        E::Read(error) => error.errno(),
        E::Build(_) | E::Revision(_) | E::Host(_) => libc::EINVAL,
        E::Restore(RestoreError::Host(_) | RestoreError::Files(_)) => libc::EINVAL,
        E::Cancelled => libc::EINTR,
        E::Rights(_) | E::Restore(RestoreError::Rights(_)) => libc::EPERM,
        E::Busy(_) => libc::EBUSY,
        _ => of_cause(error).unwrap_or(libc::EIO),
    }
}

/// The first errno among an error and its causes.
fn of_cause(error: &(dyn Error + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
        let found = io.or_else(|| error.downcast_ref::<nix::errno::Errno>().map(|errno| *errno as i32));
        if found.is_some() {
            return found;
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{of_checkpoint, of_restart};
    use crate::{checkpoint, restart};
    use std::io;

    #[test]
    fn an_errno_of_the_kernel_comes_through_all_causes() {
        let cause = io::Error::from_raw_os_error(libc::ENOSPC);
        let write = stasis_format::writer::WriteError::Io { offset: 0, source: cause };
        assert_eq!(of_checkpoint(&checkpoint::Error::Write(write), 1), libc::ENOSPC);
    }

    #[test]
    fn a_process_that_is_not_there_is_no_process_that_is_busy() {
        let error = checkpoint::Error::NotATarget(String::new());
        assert_eq!(of_checkpoint(&error, i32::MAX), libc::ESRCH);
        assert_eq!(of_checkpoint(&error, std::process::id() as i32), libc::EBUSY);
    }

    #[test]
    fn an_image_that_is_none_is_invalid_and_one_that_ends_early_a_broken_pipe() {
        let errno_of = |bytes: &[u8]| match restart::restart(
            bytes,
            &restart::Options::default(),
            &crate::progress::Silent,
        ) {
            Err(error) => of_restart(&error),
            Ok(_) => 0,
        };
        assert_eq!(errno_of(&[7; 4096]), libc::EINVAL);
        assert_eq!(errno_of(&[]), libc::EPIPE);
    }
}
