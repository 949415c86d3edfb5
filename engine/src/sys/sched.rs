//! Scheduling of a thread: sched_getattr(2), sched_getaffinity(2), ioprio_get(2).
#![allow(unsafe_code)]

use std::io;

/// `struct sched_attr`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct SchedAttr {
    /// Length of this structure.
    pub size: u32,
    /// SCHED_*.
    pub policy: u32,
    /// SCHED_FLAG_*.
    pub flags: u64,
    /// Nice value.
    pub nice: i32,
    /// Real-time priority.
    pub priority: u32,
    /// Nanoseconds, SCHED_DEADLINE.
    pub runtime: u64,
    /// Nanoseconds, SCHED_DEADLINE.
    pub deadline: u64,
    /// Nanoseconds, SCHED_DEADLINE.
    pub period: u64,
    /// Utilisation clamp.
    pub util_min: u32,
    /// Utilisation clamp.
    pub util_max: u32,
}

fn check(ret: i64) -> io::Result<i64> {
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}

/// Scheduling attributes of a thread.
pub fn getattr(tid: i32) -> io::Result<SchedAttr> {
    let mut attr = SchedAttr::default();
    // SAFETY: `attr` outlives the call and its length is given.
    check(unsafe { libc::syscall(libc::SYS_sched_getattr, tid, &raw mut attr, size_of::<SchedAttr>(), 0) })?;
    Ok(attr)
}

/// Nice value, whatever the policy.
pub fn nice(tid: i32) -> io::Result<i32> {
    // SAFETY: only numbers are passed. The kernel returns 20 minus the value, so that it is never negative.
    Ok(20 - check(unsafe { libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, tid) })? as i32)
}

/// CPU affinity mask, as long as the kernel's.
pub fn affinity(tid: i32) -> io::Result<Vec<u8>> {
    let mut mask = vec![0u8; 1024];
    // SAFETY: the mask outlives the call and its length is given.
    let n = check(unsafe { libc::syscall(libc::SYS_sched_getaffinity, tid, mask.len(), mask.as_mut_ptr()) })?;
    mask.truncate(n as usize);
    Ok(mask)
}

/// I/O priority.
pub fn ioprio(tid: i32) -> io::Result<u32> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    // SAFETY: only numbers are passed.
    Ok(check(unsafe { libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid) })? as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_can_be_asked_how_it_is_scheduled() {
        let tid = nix::unistd::gettid().as_raw();
        let attr = getattr(tid).unwrap();
        assert!(attr.size as usize >= 48 && (-20..20).contains(&attr.nice));
        let mask = affinity(tid).unwrap();
        let set = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)).unwrap();
        for cpu in 0..8 * mask.len().min(size_of::<libc::cpu_set_t>()) {
            assert_eq!(mask[cpu / 8] >> (cpu % 8) & 1 == 1, set.is_set(cpu).unwrap(), "processor {cpu}");
        }
        assert!(ioprio(tid).is_ok());
    }

    #[test]
    fn a_thread_that_is_gone_cannot() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(getattr(child.id() as i32).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }
}
