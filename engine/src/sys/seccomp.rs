//! seccomp(2) as a way to be asked about system calls: `SECCOMP_RET_USER_NOTIF`, seccomp_unotify(2).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `AUDIT_ARCH_X86_64`.
const AUDIT_ARCH: u32 = 0xc000_003e;

mod ioctls {
    nix::ioctl_readwrite!(receive, b'!', 0, libc::seccomp_notif);
    nix::ioctl_readwrite!(send, b'!', 1, libc::seccomp_notif_resp);
    nix::ioctl_write_ptr!(is_valid, b'!', 2, u64);
    nix::ioctl_write_ptr!(add_fd, b'!', 3, libc::seccomp_notif_addfd);
}

/// A thread that waits in a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// Stands for this wait of this thread.
    pub id: u64,
    /// The thread.
    pub tid: i32,
    /// Number of the call.
    pub nr: i64,
    /// Its arguments.
    pub args: [u64; 6],
}

/// Hears of the calls that the filter names. When it is closed they fail with `ENOSYS`.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Filters this thread and all processes that it starts from now on: the calls `numbers` wait for our answer, all others
    /// are as before. Without CAP_SYS_ADMIN that takes `no_new_privs`, which is then set.
    ///
    /// The wait for an answer can be interrupted, by signals and by a tracer.
    pub fn install(numbers: [u32; 2]) -> io::Result<Self> {
        let code = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
        let load = |offset: usize| code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset as u32);
        let equal = |k: u32, jt: u8, jf: u8| code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, jt, jf, k);
        let ret = |k: u32| code(libc::BPF_RET | libc::BPF_K, 0, 0, k);
        let mut program = [
            load(std::mem::offset_of!(libc::seccomp_data, arch)),
            equal(AUDIT_ARCH, 0, 3),
            load(std::mem::offset_of!(libc::seccomp_data, nr)),
            equal(numbers[0], 2, 0),
            equal(numbers[1], 1, 0),
            ret(libc::SECCOMP_RET_ALLOW),
            ret(libc::SECCOMP_RET_USER_NOTIF),
        ];
        let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
        let set = || {
            let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
            // SAFETY: the program and its length outlive the call.
            let ret = unsafe {
                libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
            };
            if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret as i32) }
        };
        let fd = set().or_else(|error| {
            if error.raw_os_error() != Some(libc::EACCES) {
                return Err(error);
            }
            nix::sys::prctl::set_no_new_privs()?;
            set()
        })?;
        // SAFETY: the call has just made the descriptor.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next call that waits; nothing if its thread has gone on meanwhile. Waits for one if there is none.
    pub fn receive(&self) -> io::Result<Option<Notification>> {
        // SAFETY: integers only; the kernel wants it zeroed.
        let mut n: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: `n` is the structure of this ioctl and outlives the call.
        match unsafe { ioctls::receive(self.0.as_raw_fd(), &raw mut n) } {
            Ok(_) => Ok(Some(Notification {
                id: n.id,
                tid: n.pid as i32,
                nr: n.data.nr.into(),
                args: n.data.args,
            })),
            Err(nix::errno::Errno::ENOENT | nix::errno::Errno::EINTR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether a thread still waits.
    pub fn is_valid(&self, id: u64) -> bool {
        // SAFETY: `id` outlives the call.
        unsafe { ioctls::is_valid(self.0.as_raw_fd(), &raw const id) }.is_ok()
    }

    /// Ends a wait: what the call returns, negative errno for an error. `ENOENT`: nobody waits any more.
    pub fn answer(&self, id: u64, value: i64) -> io::Result<()> {
        let error = if (-4095..0).contains(&value) { value as i32 } else { 0 };
        let val = if error < 0 { 0 } else { value };
        let mut answer = libc::seccomp_notif_resp { id, val, error, flags: 0 };
        // SAFETY: `answer` is the structure of this ioctl and outlives the call.
        unsafe { ioctls::send(self.0.as_raw_fd(), &raw mut answer) }?;
        Ok(())
    }

    /// Gives a waiting thread's process a descriptor, which survives execve(2), and returns its number there.
    pub fn give(&self, id: u64, fd: BorrowedFd) -> io::Result<i32> {
        let arg = libc::seccomp_notif_addfd {
            id,
            flags: 0,
            srcfd: fd.as_raw_fd() as u32,
            newfd: 0,
            newfd_flags: 0,
        };
        // SAFETY: `arg` is the structure of this ioctl and outlives the call.
        Ok(unsafe { ioctls::add_fd(self.0.as_raw_fd(), &raw const arg) }?)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
