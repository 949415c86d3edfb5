//! The two calls of the linux-cr patch set (v9 03/13), made from user space: an image of revision 1 out of a task,
//! and the calling task's name out of an image.
//!
//! As the patch has it: a positive identifier or 0, else a negative errno; any flag is `-EINVAL` and is looked at
//! before the descriptor, which is `-EBADF` when it is not open; what is transferred in part goes on; an early end of
//! the stream is `-EPIPE`; not one byte behind TAIL is taken, so images may follow each other on a pipe. What a
//! kernel would do by itself is done here too: `EAGAIN` waits for readiness, a broken pipe kills nobody.

use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::utsname::uname;
use stasis_format::head::{Head, KernelVersion};
use stasis_format::rev1::{self, Restart, Step, TASK_COMM_LEN, Task};

use crate::procfs::{parse_maps, parse_stat};
use crate::sys::rawfd;
use crate::tracee::batch::{Batch, args};
use crate::tracee::target::{Target, TargetError};

/// The next identifier of a checkpoint.
static NEXT_CRID: AtomicI32 = AtomicI32::new(1);

/// What `sys_restart` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What the call returns: 0 or a negative errno.
    pub ret: i64,
    /// Bytes taken from the stream.
    pub taken: u64,
    /// The calling task's name afterwards, all 16 bytes as the kernel's reader sets them. User space can give a name
    /// of 15 bytes only (`PR_SET_NAME`, prctl(2)), so the name that is set ends before a sixteenth.
    pub comm: [u8; TASK_COMM_LEN],
}

/// Writes an image of revision 1 of the task `pid`, 0 for the caller, to `fd`.
///
/// Returns a positive identifier, larger than those before it, or a negative errno: `-EINVAL` for any flag,
/// `-EBADF`, `-ESRCH` when there is no such task, or what writing came to.
pub fn sys_checkpoint(pid: i32, fd: RawFd, flags: u64) -> i64 {
    written(judge(fd, flags).and_then(|()| image_of(pid, None)), fd)
}

/// [`sys_checkpoint`] made for the thread `tid`, which waits for it: in the image it runs (state 0), as a task does that
/// makes the call itself.
pub fn checkpoint_for(tid: i32, fd: RawFd) -> i64 {
    written(judge(fd, 0).and_then(|()| image_of(tid, Some(0))), fd)
}

/// Writes an image; what the call returns.
fn written(image: Result<Vec<u8>, i32>, fd: RawFd) -> i64 {
    let image = match image {
        Ok(image) => image,
        Err(errno) => return -i64::from(errno),
    };
    let mut left = image.as_slice();
    while !left.is_empty() {
        match rawfd::write(fd, left) {
            Ok(0) => return -i64::from(libc::EIO),
            Ok(n) => left = left.get(n..).unwrap_or_default(),
            Err(errno) => match go_on(errno, fd, true) {
                Ok(()) => {}
                Err(errno) => return -i64::from(errno),
            },
        }
    }
    let next =
        NEXT_CRID.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n.checked_add(1).unwrap_or(1)));
    i64::from(next.unwrap_or(1))
}

/// Reads an image of revision 1 from `fd` and gives the calling task the name in it.
///
/// Returns 0 or a negative errno. `crid` is the identifier that the checkpoint returned; like the patch's reader,
/// which has no use for it yet, this one does not look at it.
pub fn sys_restart(crid: i32, fd: RawFd, flags: u64) -> i64 {
    sys_restart_here(crid, fd, flags).ret
}

/// Gives another thread its name, as [`sys_restart`] does for the calling one: the thread itself is made to set it.
pub fn set_name(tid: i32, comm: [u8; TASK_COMM_LEN]) -> Result<(), TargetError> {
    let failed = |source| TargetError::Call { tid, source };
    let mut target = Target::seize_one(tid)?;
    let maps = target.proc.read("maps").map_err(failed)?;
    let maps = parse_maps(&maps).map_err(|e| failed(io::Error::new(io::ErrorKind::InvalidData, e)))?;
    let code = maps.iter().filter(|m| m.exec && m.read && m.path != b"[vsyscall]");
    target.find_syscall(&code.map(|m| (m.start, m.end)).collect::<Vec<_>>())?;
    let mut calls = Batch::new();
    let name = calls.put(&comm);
    let set = calls.ask("naming a thread", libc::SYS_prctl, args![libc::PR_SET_NAME, name, 0, 0, 0]);
    match target.make(0, &calls)?.result(set) {
        0 => Ok(()),
        errno => Err(failed(io::Error::from_raw_os_error(-errno as i32))),
    }
}

/// [`sys_restart`], telling all that it did.
pub fn sys_restart_here(crid: i32, fd: RawFd, flags: u64) -> Outcome {
    let release = uname().ok().and_then(|uts| KernelVersion::parse(uts.release().to_str()?));
    // A kernel without a version takes no image: none has this one.
    let kernel = release.unwrap_or(KernelVersion { major: u16::MAX, minor: u16::MAX, patch: u16::MAX });
    sys_restart_as(crid, fd, flags, kernel)
}

/// [`sys_restart`] on another kernel than the one that runs, telling all that it did.
pub fn sys_restart_as(_crid: i32, fd: RawFd, flags: u64, kernel: KernelVersion) -> Outcome {
    let mut outcome = Outcome { ret: 0, taken: 0, comm: own_comm() };
    outcome.ret = match judge(fd, flags) {
        Ok(()) => read_image(fd, kernel, &mut outcome),
        Err(errno) => -i64::from(errno),
    };
    outcome
}

/// What both calls look at first, in this order.
fn judge(fd: RawFd, flags: u64) -> Result<(), i32> {
    if flags != 0 {
        return Err(libc::EINVAL);
    }
    rawfd::is_open(fd)
}

fn read_image(fd: RawFd, kernel: KernelVersion, outcome: &mut Outcome) -> i64 {
    let mut restart = Restart::new(kernel);
    loop {
        let mut bytes = vec![0; restart.wants()];
        let (got, errno) = read_full(fd, &mut bytes);
        outcome.taken += got as u64;
        if got < bytes.len() {
            let (comm, ret) = restart.end();
            if let Some(comm) = comm {
                set_comm(comm, outcome);
            }
            return errno.map_or(ret, |errno| -i64::from(errno));
        }
        match restart.feed(&bytes) {
            Step::Need => {}
            Step::SetComm(comm) => set_comm(comm, outcome),
            Step::Done(ret) => return ret,
        }
    }
}

/// Fills the buffer; gives how far it came, and the errno when that was no end of the stream.
fn read_full(fd: RawFd, buf: &mut [u8]) -> (usize, Option<i32>) {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match rawfd::read(fd, rest) {
            Ok(0) => return (done, None),
            Ok(n) => done += n,
            Err(errno) => {
                if let Err(errno) = go_on(errno, fd, false) {
                    return (done, Some(errno));
                }
            }
        }
    }
    (done, None)
}

/// After an error of read(2) or write(2): waits if that helps, else passes the error on.
fn go_on(errno: i32, fd: RawFd, to_write: bool) -> Result<(), i32> {
    match errno {
        libc::EINTR => Ok(()),
        libc::EAGAIN => match rawfd::wait_ready(fd, to_write) {
            Err(libc::EINTR) => Ok(()),
            done => done,
        },
        errno => Err(errno),
    }
}

fn own_comm() -> [u8; TASK_COMM_LEN] {
    let text = fs::read("/proc/thread-self/comm").unwrap_or_default();
    padded(text.strip_suffix(b"\n").unwrap_or(&text))
}

fn padded(text: &[u8]) -> [u8; TASK_COMM_LEN] {
    let mut comm = [0; TASK_COMM_LEN];
    comm.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    comm
}

fn set_comm(comm: [u8; TASK_COMM_LEN], outcome: &mut Outcome) {
    outcome.comm = comm;
    let name = comm.split(|b| *b == 0).next().unwrap_or_default();
    if let Ok(name) = std::ffi::CString::new(name) {
        // Setting a name cannot fail; the kernel cuts it.
        let _ = nix::sys::prctl::set_name(&name);
    }
}

/// The 304 bytes of a task, in the state that it is in unless told.
fn image_of(pid: i32, state: Option<u32>) -> Result<Vec<u8>, i32> {
    let path = match pid {
        0 => "/proc/thread-self/stat".to_owned(),
        1.. => format!("/proc/{pid}/stat"),
        ..0 => return Err(libc::ESRCH),
    };
    let text = fs::read(path).map_err(|_| libc::ESRCH)?;
    let stat = parse_stat(&text).map_err(|_| libc::ESRCH)?;
    let (found, exit_state) = states(stat.state);
    let state = state.unwrap_or(found);
    let task = Task {
        state,
        exit_state,
        exit_code: stat.exit_code.cast_unsigned(),
        exit_signal: stat.exit_signal.cast_unsigned(),
        ..Task::default()
    };
    let uts = uname().map_err(|errno| errno as i32)?;
    let bytes = |text: &std::ffi::OsStr| text.as_encoded_bytes().to_vec();
    let kernel = uts.release().to_str().and_then(KernelVersion::parse).ok_or(libc::EINVAL)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let head = Head::new(1, kernel, now).with_uts(
        &bytes(uts.release()),
        &bytes(uts.version()),
        &bytes(uts.machine()),
    );
    Ok(rev1::write(&head, &task, &padded(&stat.comm)))
}

/// `state` and `exit_state` of the kernel's task (include/linux/sched.h) from its letter in proc_pid_stat(5).
fn states(letter: u8) -> (u32, u32) {
    match letter {
        b'S' => (1, 0),
        b'D' | b'I' => (2, 0),
        b'T' => (4, 0),
        b't' => (8, 0),
        b'X' => (0x80, 0x10),
        b'Z' => (0x80, 0x20),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::{sys_checkpoint, sys_restart, sys_restart_here};
    use std::io::{Read as _, Seek as _, Write as _};
    use std::os::fd::AsRawFd as _;

    #[test]
    fn a_thread_that_checkpoints_itself_gets_its_name_back() {
        std::fs::write("/proc/thread-self/comm", "first").unwrap();
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let first = sys_checkpoint(0, writer.as_raw_fd(), 0);
        let second = sys_checkpoint(0, writer.as_raw_fd(), 0);
        assert!(0 < first && first < second, "{first} {second}");
        writer.write_all(b"!").unwrap();
        for _ in 0..2 {
            std::fs::write("/proc/thread-self/comm", "other").unwrap();
            let done = sys_restart_here(1, reader.as_raw_fd(), 0);
            assert_eq!((done.ret, done.taken, &done.comm[..6]), (0, 304, &b"first\0"[..]));
            assert_eq!(std::fs::read("/proc/thread-self/comm").unwrap(), b"first\n");
        }
        let mut behind = [0];
        reader.read_exact(&mut behind).unwrap();
        assert_eq!(&behind, b"!", "a byte behind TAIL was taken");
    }

    #[test]
    fn flags_are_judged_before_the_descriptor_and_that_before_the_task() {
        assert_eq!(sys_checkpoint(0, -1, 1), -22);
        assert_eq!(sys_restart(1, -1, 1 << 63), -22);
        assert_eq!(sys_checkpoint(-5, -1, 0), -9);
        assert_eq!(sys_restart(1, -1, 0), -9);
        let file = tempfile();
        assert_eq!(sys_checkpoint(-5, file.as_raw_fd(), 0), -3);
        assert_eq!(sys_checkpoint(i32::MAX, file.as_raw_fd(), 0), -3);
    }

    #[test]
    fn an_early_end_and_a_broken_pipe_are_epipe() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(sys_checkpoint(0, writer.as_raw_fd(), 0), -32);
        let mut file = tempfile();
        assert_eq!(sys_checkpoint(0, file.as_raw_fd(), 0).signum(), 1);
        file.set_len(300).unwrap();
        file.rewind().unwrap();
        assert_eq!(sys_restart(1, file.as_raw_fd(), 0), -32);
    }

    #[test]
    fn what_cannot_be_had_at_once_is_waited_for() {
        let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        far.set_nonblocking(true).unwrap();
        let whole = {
            let mut file = tempfile();
            assert!(sys_checkpoint(0, file.as_raw_fd(), 0) > 0);
            let mut bytes = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut bytes).unwrap();
            bytes
        };
        let reader = std::thread::spawn(move || sys_restart(1, far.as_raw_fd(), 0));
        for piece in whole.chunks(7) {
            near.write_all(piece).unwrap();
        }
        assert_eq!(reader.join().unwrap(), 0);
    }

    fn tempfile() -> std::fs::File {
        let path = std::env::temp_dir();
        use std::os::unix::fs::OpenOptionsExt as _;
        std::fs::OpenOptions::new().read(true).write(true).custom_flags(libc::O_TMPFILE).open(path).unwrap()
    }
}
