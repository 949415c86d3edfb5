//! One call: the process that does it, forked for it alone.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGTERM;
use stasis_engine::checkpoint::{self, Answer, LeaveOut, Options};
use stasis_engine::procfs::{self, Proc};
use stasis_engine::restart::{self, NotReplaced};
use stasis_engine::rights::caller;
use stasis_engine::rights::image::is_of;
use stasis_engine::sys::creds::Whole;
use stasis_engine::sys::seccomp::{Listener, Notification};
use stasis_engine::sys::{mem, pidfd};
use stasis_engine::tracee::exec_replace::{Place, Socket};
use stasis_engine::{errno, revision1};

use crate::cli::output::Stream;
use crate::cli::supervisor::Worker;
use crate::cli::watch::Watch;

/// What is to be done.
pub struct Job<'a> {
    /// By which the call came.
    pub listener: &'a Listener,
    /// The call.
    pub asked: Notification,
    /// With whose rights, or why that is not known.
    pub who: &'a Result<Whole, i32>,
    /// `restart`, not `checkpoint`.
    pub is_restart: bool,
    /// Of the image.
    pub revision: i32,
    /// Identifier of the checkpoint.
    pub crid: i32,
    /// Takes a copy of the image.
    pub copy: Option<&'a File>,
    /// The image that is kept under the identifier of a restart.
    pub kept: Option<&'a File>,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Reply {
    /// The thread has gone on, there is nothing to answer.
    pub is_delivered: bool,
    /// What the call returns: an identifier, 0, or a negative errno.
    pub value: i64,
}

impl Reply {
    /// Length of the message.
    pub const LEN: usize = 16;

    /// From the message.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let (first, second) = bytes.split_at(8);
        let word = |b: &[u8]| b.try_into().map_or(0, i64::from_ne_bytes);
        Self { is_delivered: word(first) != 0, value: word(second) }
    }

    fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&i64::from(self.is_delivered).to_ne_bytes());
        bytes[8..].copy_from_slice(&self.value.to_ne_bytes());
        bytes
    }
}

/// A negative end: the errno, and the words for `-v`.
type Failed = (i32, anyhow::Error);

fn failed(errno: i32, why: impl Into<anyhow::Error>) -> Failed {
    (errno, why.into())
}

fn from_io(error: io::Error) -> Failed {
    (error.raw_os_error().unwrap_or(libc::EIO), error.into())
}

impl Job<'_> {
    /// Does it, tells, and ends.
    pub fn run(self, mut front: UnixStream) -> ! {
        let _ = nix::sys::prctl::set_name(c"stasis-worker");
        // Our parent's end, among others: what is begun is called off in order.
        let _ = signal_hook::flag::register(SIGTERM, Arc::new(AtomicBool::new(false)));
        stasis_engine::host::allow_many_files();
        let reply =
            match front.try_clone().map_err(from_io).and_then(|socket| self.perform(&Worker::of(socket))) {
                Ok(reply) => reply,
                Err((errno, why)) => {
                    tracing::info!(tid = self.asked.tid, "the call fails: {}", crate::sentence(&why));
                    Reply { is_delivered: false, value: -i64::from(errno) }
                }
            };
        let _ = front.write_all(&reply.to_bytes());
        std::process::exit(0)
    }

    fn perform(&self, worker: &Worker) -> Result<Reply, Failed> {
        // Before anything else: from here on the kernel refuses us what it refuses the caller.
        let who = self.who.as_ref().map_err(|errno| from_io(io::Error::from_raw_os_error(*errno)))?;
        let caller = caller_of(self.asked.tid).map_err(from_io)?;
        let on_itself =
            self.is_restart || [0, i64::from(caller)].contains(&i64::from(self.asked.args[0] as i32));
        let keeps = caller::act_as(who, on_itself.then_some(caller), self.is_restart)
            .map_err(|error| failed(libc::EPERM, error))?;
        let [first, fd, flags] =
            [self.asked.args[0] as i32, self.asked.args[1] as i32, self.asked.args[2] as i32];
        if flags != 0 {
            return Err(failed(libc::EINVAL, anyhow::anyhow!("flags have to be 0")));
        }
        if self.is_restart {
            let image = match self.kept.filter(|_| fd == -1) {
                // Another worker may be reading it too: an offset of our own.
                Some(kept) => File::open(format!("/proc/self/fd/{}", kept.as_raw_fd())).map_err(from_io)?,
                None => self.descriptor(caller, fd)?.into(),
            };
            return self.restart(caller, image, keeps, worker);
        }
        let pid = if first == 0 { caller } else { first };
        if pid != caller && !is_descendant(pid, caller).map_err(from_io)? {
            return Err(failed(libc::EPERM, anyhow::anyhow!("process {pid} is none of process {caller}'s")));
        }
        let on_behalf = keeps.then(|| who.clone());
        self.checkpoint((caller, pid), self.descriptor(caller, fd)?.into(), on_behalf, worker)
    }

    /// The caller's descriptor. What a pid and a number meant is certain only if the thread still waits.
    fn descriptor(&self, caller: i32, fd: i32) -> Result<OwnedFd, Failed> {
        let taken = pidfd::open(caller).and_then(|process| pidfd::getfd(&process, fd)).map_err(from_io)?;
        if !self.listener.is_valid(self.asked.id) {
            return Err(failed(libc::EINTR, anyhow::anyhow!("the caller does not wait any more")));
        }
        Ok(taken)
    }

    fn checkpoint(
        &self,
        (caller, pid): (i32, i32),
        mut image: File,
        on_behalf: Option<Whole>,
        worker: &Worker,
    ) -> Result<Reply, Failed> {
        let crid = i64::from(self.crid);
        if self.revision == 1 {
            let done = match pid == caller {
                true => revision1::checkpoint_for(self.asked.tid, image.as_raw_fd()),
                false => revision1::sys_checkpoint(pid, image.as_raw_fd(), 0),
            };
            return Ok(Reply { is_delivered: false, value: if done > 0 { crid } else { done } });
        }
        let is_self = pid == caller;
        let direct = image.metadata().map_err(from_io)?.is_file();
        let options = Options {
            answer: is_self.then_some(Answer { tid: self.asked.tid, value: 0 }),
            live_answer: direct.then_some(crid),
            leave_out: LeaveOut {
                seccomp: true,
                image: is_self.then_some(self.asked.args[1] as i32),
                on_behalf,
                ..LeaveOut::default()
            },
            ..Options::default()
        };
        let (cancelled, pause) = (|| worker.is_cancelled(), || {});
        let watch = Watch::new(&cancelled, &pause);
        let take = |sink: &mut dyn Write| {
            checkpoint::checkpoint(pid, sink, &options, &watch, &mut |_| Ok(()))
                .map_err(|error| failed(errno::of_checkpoint(&error, pid), error))
        };
        if direct {
            let (start, len) =
                image.stream_position().and_then(|at| Ok((at, image.metadata()?.len()))).map_err(from_io)?;
            let taken = match self.copy {
                // Both at once: what the caller does to the file later is not in the copy.
                Some(copy) => take(&mut Both(&image, copy)),
                None => take(&mut image),
            };
            taken.inspect_err(|_| {
                // Half an image is none.
                let _ = image.set_len(len).and_then(|()| image.seek(SeekFrom::Start(start)));
            })?;
            return Ok(Reply { is_delivered: is_self, value: crid });
        }
        // Its reader may be slow, or a thread of the process itself, which is not to stand still until it has read.
        let mut copy = match self.copy {
            Some(copy) => copy.try_clone().map_err(from_io)?,
            None => File::from(mem::memfd(b"stasis-image", false).map_err(from_io)?),
        };
        take(&mut copy)?;
        copy.rewind().map_err(from_io)?;
        let mut out = Stream::new(image, worker).map_err(from_io)?;
        io::copy(&mut copy, &mut out).map_err(from_io)?;
        Ok(Reply { is_delivered: false, value: crid })
    }

    fn restart(
        &self,
        caller: i32,
        mut image: File,
        on_behalf: bool,
        worker: &Worker,
    ) -> Result<Reply, Failed> {
        if self.revision == 1 {
            // Until the image says otherwise it is the name that the thread has.
            let comm = Proc::open(caller)
                .and_then(|proc| proc.task(self.asked.tid)?.read("comm"))
                .map_err(from_io)?;
            set_own_name(&comm);
            let done = revision1::sys_restart_here(0, image.as_raw_fd(), 0);
            revision1::set_name(self.asked.tid, done.comm).map_err(|error| failed(libc::EIO, error))?;
            return Ok(Reply { is_delivered: false, value: done.ret });
        }
        // An image of nobody but the caller's: his processes have been what it says.
        let proven = !on_behalf && is_of(&image, nix::unistd::geteuid().as_raw());
        let options = restart::Options { proven, on_behalf, ..restart::Options::default() };
        let (channel, theirs) = UnixStream::pair().map_err(from_io)?;
        let give = || self.listener.give(self.asked.id, theirs.as_fd());
        let place = Place { pid: caller, socket: Socket::Given(&give), channel: channel.into() };
        let (cancelled, pause) = (|| worker.is_cancelled(), || {});
        let watch = Watch::new(&cancelled, &pause);
        match restart::into(&place, &mut image, &options, &watch) {
            Ok(()) => Ok(Reply { is_delivered: true, value: 0 }),
            Err(NotReplaced::Unharmed(error)) => Err(failed(errno::of_restart(&error), error)),
            Err(lost @ NotReplaced::Lost(_)) => {
                // The caller is gone, so this is the one way to say why.
                eprintln!("stasis: {}", crate::sentence(&lost.into()));
                Ok(Reply { is_delivered: true, value: 0 })
            }
        }
    }
}

/// Our own name by prctl(2): /proc/self may be somebody else's by now.
fn set_own_name(comm: &[u8]) {
    let name: Vec<u8> = comm.iter().copied().take_while(|byte| !matches!(byte, 0 | b'\n')).collect();
    // It cannot fail with a string that ends.
    let _ = std::ffi::CString::new(name).map(|name| nix::sys::prctl::set_name(&name));
}

/// Writes to two files.
struct Both<'a>(&'a File, &'a File);

impl Write for Both<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.0.write(bytes)?;
        self.1.write_all(bytes.get(..n).unwrap_or_default())?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The process of a thread.
fn caller_of(tid: i32) -> io::Result<i32> {
    Ok(status_of(tid)?.tgid)
}

/// Whether `pid` is a child of `ancestor`, or of one of its children, and so on.
fn is_descendant(pid: i32, ancestor: i32) -> io::Result<bool> {
    let mut at = status_of(pid)?;
    while at.ppid > 1 {
        if at.ppid == ancestor {
            return Ok(true);
        }
        at = status_of(at.ppid)?;
    }
    Ok(false)
}

fn status_of(pid: i32) -> io::Result<procfs::Status> {
    let gone = |error: io::Error| match error.raw_os_error() {
        Some(libc::ENOENT) => io::Error::from_raw_os_error(libc::ESRCH),
        _ => error,
    };
    let text = Proc::open(pid).and_then(|proc| proc.read("status")).map_err(gone)?;
    procfs::parse_status(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
