//! `stasis checkpoint`.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stasis_engine::checkpoint::{self, Error, Options, Summary};
use stasis_engine::memory::pages::Storage;
use stasis_engine::procfs::parse_status;
use stasis_engine::revision1;

use crate::cli::args::{Checkpoint, Tcp};
use crate::cli::failure::{Explain as _, Failure, Outcome};
use crate::cli::output::Sink;
use crate::cli::supervisor::{self, Worker};
use crate::cli::text::{count, size};
use crate::cli::watch::Watch;

/// Takes a checkpoint, in a process of its own.
pub fn run(args: &Checkpoint) -> Outcome {
    let output = output(args)?;
    if output.is_none() && io::stdout().is_terminal() {
        return Err(anyhow!("an image is not written to a terminal"))
            .hint("name a file with -o, or let a program read it: stasis checkpoint PID -o - | ...");
    }
    if args.rev == 1 && (args.embed_files || !args.allow.is_empty() || args.compress.encoding.0 != 0) {
        return Err(anyhow!("an image of revision 1 holds no contents"))
            .hint("leave out --compress, --embed-files and --allow, or --rev 1");
    }
    Ok(supervisor::run(|worker| match work(args, output.as_deref(), &worker) {
        Ok(()) => 0,
        Err(failure) => crate::report(failure),
    })?)
}

/// The file to write, `None` for stdout.
fn output(args: &Checkpoint) -> Result<Option<PathBuf>, Failure> {
    match &args.output {
        Some(path) if path.as_os_str() == "-" => Ok(None),
        Some(path) => Ok(Some(path.clone())),
        None => {
            let comm = fs::read(format!("/proc/{}/comm", args.pid))
                .map_err(|_| anyhow!("there is no process {}", args.pid))?;
            Ok(Some(format!("{}-{}.stasis", file_name(&comm), args.pid).into()))
        }
    }
}

/// A comm as part of a file name: it may hold any bytes, slashes too.
fn file_name(comm: &[u8]) -> String {
    let comm = comm.strip_suffix(b"\n").unwrap_or(comm);
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._+-".contains(b);
    let name: String = comm.iter().map(|b| if plain(b) { char::from(*b) } else { '_' }).collect();
    match name.trim_start_matches(['.', '-']) {
        "" => "process".into(),
        name => name.into(),
    }
}

fn work(args: &Checkpoint, output: Option<&Path>, worker: &Worker) -> Result<(), Failure> {
    let name = output.map_or_else(|| "stdout".into(), |path| path.display().to_string());
    let sink = match output {
        Some(path) => Sink::open(path, worker),
        None => Sink::stdout(worker),
    };
    let sink = sink.with_context(|| format!("{name} could not be made"))?;
    if sink.file().is_terminal() {
        return Err(anyhow!("an image is not written to a terminal")).hint("name a file with -o");
    }
    wait_for_others(args.pid, worker);
    stasis_engine::host::allow_many_files();
    if args.rev == 1 {
        return revision_1(args, sink, &name);
    }
    let options = Options {
        allow: args.allow.iter().map(|kind| kind.0).collect(),
        embed_files: args.embed_files,
        storage: Storage { encoding: args.compress.encoding, level: args.compress.level },
        kill: args.kill,
        close_connections: args.tcp == Tcp::Close,
        ..Options::default()
    };
    let (cancelled, pause) = (|| worker.is_cancelled(), || worker.pause());
    let watch = Watch::new(&cancelled, &pause);
    let done = checkpoint::checkpoint(args.pid, sink, &options, &watch, &mut Sink::finish);
    drop(watch);
    match done {
        Ok(summary) => tell(&name, &summary),
        Err(error) => return Err(explain(error, &name)),
    }
    Ok(())
}

/// Waits while another `stasis` holds the process: one whose front was killed needs a moment to put it back, and two
/// checkpoints at the same time come one after the other.
pub fn wait_for_others(pid: i32, worker: &Worker) {
    while let Some(other) = other_worker(pid) {
        // It has ended meanwhile, or cannot be waited for.
        let Ok(other) = stasis_engine::sys::pidfd::open(other) else { return };
        let mut fds =
            [PollFd::new(other.as_fd(), PollFlags::POLLIN), PollFd::new(worker.changes(), PollFlags::POLLIN)];
        // An error, such as EINTR, is a reason to look again like any other.
        let _ = poll(&mut fds, PollTimeout::NONE);
        if worker.is_cancelled() {
            return;
        }
    }
}

/// A tracer of one of the threads that runs the same program as we do.
fn other_worker(pid: i32) -> Option<i32> {
    let program = |pid: i32| {
        let exe = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
        Some((exe.dev(), exe.ino()))
    };
    let own = fs::metadata("/proc/self/exe").map(|exe| (exe.dev(), exe.ino())).ok();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    threads.filter_map(Result::ok).find_map(|thread| {
        let status = parse_status(&fs::read(thread.path().join("status")).ok()?).ok()?;
        (status.tracer_pid != 0 && program(status.tracer_pid) == own).then_some(status.tracer_pid)
    })
}

fn revision_1(args: &Checkpoint, sink: Sink<'_>, name: &str) -> Result<(), Failure> {
    let ret = revision1::sys_checkpoint(args.pid, sink.file().as_raw_fd(), 0);
    if ret < 0 {
        let errno = i32::try_from(-ret).unwrap_or(libc::EIO);
        let why = if errno == libc::ESRCH {
            anyhow!("there is no process {}", args.pid)
        } else {
            anyhow::Error::new(io::Error::from_raw_os_error(errno))
                .context(format!("{name} could not be written"))
        };
        return Err(why.into());
    }
    sink.finish().with_context(|| format!("{name} could not be completed"))?;
    if args.kill {
        kill(Pid::from_raw(args.pid), Signal::SIGKILL)
            .with_context(|| format!("process {} could not be ended", args.pid))?;
    }
    eprintln!("{name}: the name and state of process {}, no more is in revision 1", args.pid);
    Ok(())
}

fn tell(name: &str, summary: &Summary) {
    for warning in &summary.warnings {
        eprintln!("warning: not in the image: {warning}");
    }
    eprintln!(
        "{name}: {}, {}, {} of contents in {}, stood still for {:.1} ms",
        count(summary.tasks as u64, "process", "processes"),
        count(summary.threads as u64, "thread", "threads"),
        size(summary.page_bytes),
        size(summary.image_bytes),
        summary.frozen.as_secs_f64() * 1e3,
    );
}

fn explain(error: Error, name: &str) -> Failure {
    let is_ours = matches!(error, Error::Write(_) | Error::Contents(_) | Error::Finish(_));
    let is_allowable =
        matches!(&error, Error::Refused(reasons) if reasons.iter().all(|reason| reason.allowable));
    let is_refusal = matches!(error, Error::Refused(_));
    let error = anyhow::Error::new(error);
    let errno = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
    let hint = match errno {
        Some(libc::ENOSPC | libc::EDQUOT) => {
            Some("choose a place with more room by -o, or --compress zstd; the process runs on")
        }
        Some(libc::EPERM | libc::EACCES) => Some("`stasis check` says what the rights that you have allow"),
        _ if is_refusal && !is_allowable => Some("nothing was written, the process runs on"),
        _ if is_refusal => {
            Some("nothing was written, the process runs on; --allow can be given several times")
        }
        _ => None,
    };
    let error = if is_ours { error.context(name.to_owned()) } else { error };
    Failure { hint: hint.map(str::to_owned), ..error.into() }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn any_comm_makes_a_file_name() {
        assert_eq!(file_name(b"python3\n"), "python3");
        assert_eq!(file_name(b"../a b\n"), "_a_b");
        assert_eq!(file_name(b"tokio-rt\xff\n"), "tokio-rt_");
        assert_eq!(file_name(b"\n"), "process");
        assert_eq!(file_name(b"-rf"), "rf");
    }
}
