//! `stasis call`: the helper that libstasis starts for the time of one call on the calling process.
//!
//! Its parent is a child of the caller that only waits for it. It has all signals blocked and a session of its own, and holds two descriptors: the socket on which
//! the request comes and the answer goes (`stasis::wire`), and what the image goes to or comes from. When the caller
//! ends, the socket does, and what is not done by then is called off.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use stasis::wire::{Answer, COMM, HELPER_IMAGE, Request};
use stasis_engine::checkpoint::{self, LeaveOut, Options};
use stasis_engine::procfs::Proc;
use stasis_engine::restart::{self, NotReplaced};
use stasis_engine::sys::{mem, rawfd};
use stasis_engine::tracee::exec_replace::{Place, Socket};
use stasis_engine::{errno, revision1};

use crate::cli::args::Operation;
use crate::cli::failure::{FAILED, Outcome};
use crate::cli::output::Stream;
use crate::cli::supervisor::Worker;
use crate::cli::watch::Watch;

/// Does what the caller asks for and answers.
pub fn run(operation: Operation) -> Outcome {
    let (socket, image) =
        descriptors().context("this command is for libstasis, which tells it what to do")?;
    begin()?;
    stasis_engine::host::allow_many_files();
    let mut message = [0; Request::LEN + 1];
    let len = nix::unistd::read(&socket, &mut message).context("no request came")?;
    let request = message.get(..len).and_then(Request::from_bytes);
    let answer = match &request {
        Some(request) => {
            let worker = Worker::of(socket.try_clone().context("no second hold on the socket")?);
            let done = match operation {
                Operation::Checkpoint => save(request, image, &worker),
                Operation::Restart => replace(request, &socket, image, &worker),
            };
            done.unwrap_or_else(|failed| {
                if request.verbose {
                    eprintln!("stasis: {}", crate::sentence(&failed.why));
                }
                Answer { errno: failed.errno, comm: failed.comm }
            })
        }
        // Of another build: what it says cannot be known.
        None => Answer { errno: libc::EPROTO, comm: None },
    };
    // A caller that has ended meanwhile wants no answer.
    let _ = nix::unistd::write(&socket, &answer.to_bytes());
    Ok(if answer.errno == 0 { 0 } else { FAILED })
}

/// Why there is no image, or no other process in place of the caller.
struct Failed {
    errno: i32,
    comm: Option<[u8; COMM]>,
    why: anyhow::Error,
}

impl Failed {
    fn new(errno: i32, why: impl Into<anyhow::Error>) -> Self {
        Self { errno, comm: None, why: why.into() }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::new(error.raw_os_error().unwrap_or(libc::EIO), error)
    }
}

/// The two descriptors that libstasis gives.
fn descriptors() -> io::Result<(UnixStream, File)> {
    let take = |fd| rawfd::take(fd).map_err(io::Error::from_raw_os_error);
    Ok((take(stasis::wire::HELPER_SOCKET)?.into(), take(HELPER_IMAGE)?.into()))
}

/// Gets out of the way: no terminal and no shell counts us to the caller's job, and its input and output are not ours.
fn begin() -> anyhow::Result<()> {
    // A new child leads no process group, so this cannot fail.
    let _ = nix::unistd::setsid();
    let null = File::options().read(true).write(true).open("/dev/null").context("/dev/null is missing")?;
    nix::unistd::dup2_stdin(&null).and_then(|()| nix::unistd::dup2_stdout(&null)).context("no /dev/null")?;
    Ok(())
}

/// Takes the picture.
fn save(request: &Request, mut image: File, worker: &Worker) -> Result<Answer, Failed> {
    await_caller(request, worker)?;
    let is_self = request.pid == request.caller;
    if request.revision == 1 {
        return save_name(request, &image);
    }
    let mut options = Options::default();
    if is_self {
        options.answer = Some(checkpoint::Answer { tid: request.thread, value: 0 });
        options.leave_out = LeaveOut {
            fds: vec![request.socket, request.pidfd],
            ours: vec![stasis::wire::HELPER_SOCKET],
            image: Some(request.fd),
            // The one that waits for us.
            children: vec![std::os::unix::process::parent_id().cast_signed()],
            seccomp: false,
            on_behalf: None,
        };
    }
    super::checkpoint::wait_for_others(request.pid, worker);
    let (cancelled, pause) = (|| worker.is_cancelled(), || {});
    let watch = Watch::new(&cancelled, &pause);
    let take = |sink: &mut File| {
        checkpoint::checkpoint(request.pid, sink, &options, &watch, &mut |_| Ok(()))
            .map_err(|error| Failed::new(errno::of_checkpoint(&error, request.pid), error))
    };
    if image.metadata()?.is_file() {
        let (start, len) = (image.stream_position()?, image.metadata()?.len());
        take(&mut image).inspect_err(|_| {
            // Half an image is none: what was there before is there again, unless it was written over.
            let _ = image.set_len(len).and_then(|()| image.seek(SeekFrom::Start(start)));
        })?;
    } else {
        // Its reader may be slow, or the process itself, which is not to stand still until it has read.
        let mut copy = File::from(mem::memfd(b"stasis-image", false)?);
        take(&mut copy)?;
        copy.rewind()?;
        io::copy(&mut copy, &mut Stream::new(image, worker)?)?;
    }
    Ok(Answer { errno: 0, comm: None })
}

/// Waits until the calling thread is in the call that the answer ends: the request comes a moment before.
fn await_caller(request: &Request, worker: &Worker) -> Result<(), Failed> {
    let wanted = format!("{} {:#x} ", libc::SYS_ppoll, request.wait);
    let path = format!("/proc/{}/task/{}/syscall", request.caller, request.thread);
    while !fs::read_to_string(&path)?.starts_with(&wanted) {
        if worker.is_cancelled() {
            return Err(Failed::new(libc::EINTR, anyhow!("the caller has ended")));
        }
        // Some ten microseconds away as a rule.
        std::thread::sleep(Duration::from_micros(20));
    }
    Ok(())
}

/// Revision 1: the name and state of the calling thread, or of another process.
fn save_name(request: &Request, image: &File) -> Result<Answer, Failed> {
    let done = match request.pid == request.caller {
        true => revision1::checkpoint_for(request.thread, image.as_raw_fd()),
        false => revision1::sys_checkpoint(request.pid, image.as_raw_fd(), 0),
    };
    if done > 0 {
        return Ok(Answer { errno: 0, comm: None });
    }
    let errno = i32::try_from(-done).unwrap_or(libc::EIO);
    Err(Failed::new(errno, io::Error::from_raw_os_error(errno)))
}

/// Puts the process of the image in the caller's place.
fn replace(
    request: &Request,
    socket: &UnixStream,
    mut image: File,
    worker: &Worker,
) -> Result<Answer, Failed> {
    if request.revision == 1 {
        return take_name(request, &image);
    }
    let place = Place {
        pid: request.caller,
        socket: Socket::Theirs(request.socket),
        channel: socket.try_clone()?.into(),
    };
    let (cancelled, pause) = (|| worker.is_cancelled(), || {});
    let watch = Watch::new(&cancelled, &pause);
    match restart::into(&place, &mut image, &restart::Options::default(), &watch) {
        Ok(()) => Ok(Answer { errno: 0, comm: None }),
        Err(NotReplaced::Unharmed(error)) => Err(Failed::new(errno::of_restart(&error), error)),
        Err(lost @ NotReplaced::Lost(_)) => {
            // Nobody is there any more who could be told otherwise.
            eprintln!("stasis: {}", crate::sentence(&lost.into()));
            Ok(Answer { errno: libc::EIO, comm: None })
        }
    }
}

/// Revision 1: the name in the image becomes the calling thread's.
fn take_name(request: &Request, image: &File) -> Result<Answer, Failed> {
    // Until the image says otherwise it is the name that the thread has.
    let task = Proc::open(request.caller).and_then(|proc| proc.task(request.thread))?;
    fs::write("/proc/self/comm", task.read("comm")?)?;
    let done = revision1::sys_restart_here(0, image.as_raw_fd(), 0);
    let comm = Some(done.comm);
    match i32::try_from(-done.ret) {
        Ok(0) => Ok(Answer { errno: 0, comm }),
        errno => {
            let errno = errno.unwrap_or(libc::EIO);
            Err(Failed { errno, comm, why: anyhow!("the image of revision 1 is not accepted") })
        }
    }
}
