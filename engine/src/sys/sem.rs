//! System V semaphores: semctl(2), and who has something to be undone.
#![allow(unsafe_code)]

use std::cmp::Ordering;
use std::io;

use super::kcmp;

/// Values of all semaphores of a set of so many.
pub fn values(id: i32, count: u32) -> io::Result<Vec<u16>> {
    let mut values = vec![0u16; count as usize];
    // SAFETY: there is room for the values of a set of this length, which never changes as long as its id is valid.
    let ret = unsafe { libc::semctl(id, 0, libc::GETALL, values.as_mut_ptr()) };
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(values) }
}

/// The process that changed a semaphore last, as we see it; 0 for none.
pub fn last(id: i32, index: u32) -> io::Result<i32> {
    // SAFETY: only numbers are passed.
    let pid = unsafe { libc::semctl(id, index as i32, libc::GETPID) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) }
}

/// Those of these processes that have a list of what is to be undone when they end (SEM_UNDO of semop(2)).
///
/// The kernel shows such a list to nobody, but it tells whether two processes have the same; a child of ours that has just
/// been forked has none. A process gets an empty one with its second thread.
pub fn with_undo(pids: &[i32]) -> io::Result<Vec<i32>> {
    // SAFETY: the child makes nothing but system calls.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: only numbers are passed.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        loop {
            // SAFETY: no arguments.
            unsafe { libc::pause() };
        }
    }
    if child < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Ok(Vec::new());
    for pid in pids {
        match (kcmp::undo(child, *pid), &mut found) {
            (Ok(Ordering::Equal), _) | (_, Err(_)) => {}
            (Ok(_), Ok(list)) => list.push(*pid),
            (Err(e), _) => found = Err(e),
        }
    }
    // SAFETY: the child is ours and was not waited for yet.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    found
}
