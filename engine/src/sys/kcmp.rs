//! kcmp(2): whether two processes or descriptors share a kernel object.
#![allow(unsafe_code)]

use std::cmp::Ordering;
use std::io;

const KCMP_FILE: i32 = 0;
const KCMP_VM: i32 = 1;
const KCMP_FILES: i32 = 2;
const KCMP_FS: i32 = 3;
const KCMP_SIGHAND: i32 = 4;
const KCMP_SYSVSEM: i32 = 6;
const KCMP_EPOLL_TFD: i32 = 7;

fn kcmp(pid1: i32, pid2: i32, what: i32, a: u64, b: u64) -> io::Result<Ordering> {
    // SAFETY: numbers, or for KCMP_EPOLL_TFD a pointer to a live structure.
    match unsafe { libc::syscall(libc::SYS_kcmp, pid1, pid2, what, a, b) } {
        0 => Ok(Ordering::Equal),
        1 => Ok(Ordering::Less),
        2 | 3 => Ok(Ordering::Greater),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What two processes or threads can share as a whole, clone(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// The address space (CLONE_VM).
    Memory,
    /// The table of descriptors (CLONE_FILES).
    Descriptors,
    /// Current directory, root and umask (CLONE_FS).
    Directories,
    /// The table of signal actions (CLONE_SIGHAND).
    SignalActions,
}

/// Compares an object of two processes or threads: equal when they share it; else in an order by which many can be
/// sorted.
pub fn shared(pid1: i32, pid2: i32, what: Shared) -> io::Result<Ordering> {
    let what = match what {
        Shared::Memory => KCMP_VM,
        Shared::Descriptors => KCMP_FILES,
        Shared::Directories => KCMP_FS,
        Shared::SignalActions => KCMP_SIGHAND,
    };
    kcmp(pid1, pid2, what, 0, 0)
}

/// Compares the lists of what is to be undone of System V semaphores (CLONE_SYSVSEM); equal too if neither has one.
pub fn undo(pid1: i32, pid2: i32) -> io::Result<Ordering> {
    kcmp(pid1, pid2, KCMP_SYSVSEM, 0, 0)
}

/// Compares two open file descriptions.
pub fn file(pid1: i32, fd1: i32, pid2: i32, fd2: i32) -> io::Result<Ordering> {
    kcmp(pid1, pid2, KCMP_FILE, fd1 as u64, fd2 as u64)
}

/// Compares the description of `fd1` with the one that epoll instance `epfd` watches under number `tfd`; `toff` counts
/// descriptions that were added under the same number.
pub fn epoll_target(pid1: i32, fd1: i32, pid2: i32, epfd: i32, tfd: u32, toff: u32) -> io::Result<Ordering> {
    // struct kcmp_epoll_slot.
    let slot = [epfd as u32, tfd, toff];
    kcmp(pid1, pid2, KCMP_EPOLL_TFD, fd1 as u64, slot.as_ptr() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
    use std::os::fd::AsRawFd;

    fn me() -> i32 {
        std::process::id() as i32
    }

    #[test]
    fn a_duplicate_is_the_same_description_and_a_second_open_is_not() {
        let open = || std::fs::File::open("/dev/null").unwrap();
        let (a, b) = (open(), open());
        let dup = a.try_clone().unwrap();
        let cmp =
            |x: &std::fs::File, y: &std::fs::File| file(me(), x.as_raw_fd(), me(), y.as_raw_fd()).unwrap();
        assert_eq!(cmp(&a, &dup), Ordering::Equal);
        assert_ne!(cmp(&a, &b), Ordering::Equal);
        // Descriptions have an order, so that many can be sorted.
        assert_eq!(cmp(&a, &b), cmp(&b, &a).reverse());
        assert_eq!(file(me(), -1, me(), a.as_raw_fd()).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn threads_share_what_a_child_does_not() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(nix::unistd::gettid().as_raw()).unwrap();
            let _ = wait.recv();
        });
        let tid = told.recv().unwrap();
        for what in [Shared::Memory, Shared::Descriptors, Shared::Directories, Shared::SignalActions] {
            assert_eq!(shared(me(), tid, what).unwrap(), Ordering::Equal, "{what:?}");
            assert_ne!(shared(me(), child.id() as i32, what).unwrap(), Ordering::Equal, "{what:?}");
        }
        drop(go);
        thread.join().unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn what_an_epoll_instance_watches_is_found_under_its_number() {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        let (reader, _writer) = nix::unistd::pipe().unwrap();
        epoll.add(&reader, EpollEvent::new(EpollFlags::EPOLLIN, 0)).unwrap();
        let (fd, epfd) = (reader.as_raw_fd(), epoll.0.as_raw_fd());
        assert_eq!(epoll_target(me(), fd, me(), epfd, fd as u32, 0).unwrap(), Ordering::Equal);
        let second = epoll_target(me(), fd, me(), epfd, fd as u32, 1).unwrap_err();
        assert_eq!(second.raw_os_error(), Some(libc::ENOENT));
    }
}
