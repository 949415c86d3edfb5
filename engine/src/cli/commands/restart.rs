//! `stasis restart`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, anyhow};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;
use stasis_engine::restart::{self, Error, Options, Restarted};
use stasis_engine::rights;
use stasis_engine::sys::creds;

use crate::cli::args::Restart;
use crate::cli::failure::{Explain as _, Failure, NOT_RESTARTED, Outcome};
use crate::cli::foreground;
use crate::cli::output::Unnamed;
use crate::cli::supervisor::CANCEL;
use crate::cli::watch::Watch;

type Signals = SignalsInfo<WithRawSiginfo>;

/// Restarts an image, in the foreground or not.
pub fn run(args: &Restart) -> Outcome {
    // From here on no signal ends us, so that none leaves half a process.
    let caught = Arc::new(AtomicUsize::new(0));
    for signal in CANCEL {
        let number = signal.unsigned_abs() as usize;
        signal_hook::flag::register_usize(signal, Arc::clone(&caught), number).code(NOT_RESTARTED)?;
    }
    let mut signals =
        if args.detach { None } else { Some(Signals::new(foreground::HEARD).code(NOT_RESTARTED)?) };

    let called_off = |failure: Failure| match u8::try_from(caught.load(Ordering::Relaxed)) {
        Ok(signal @ 1..) => Failure { code: 128 + signal, ..failure },
        _ => Failure { code: NOT_RESTARTED, ..failure },
    };
    let restarted = start(args, &caught).map_err(called_off)?;
    match &mut signals {
        None => Ok(0),
        Some(signals) => accompany(&restarted, signals).code(NOT_RESTARTED),
    }
}

fn start(args: &Restart, caught: &AtomicUsize) -> Result<Restarted, Failure> {
    let image = open(args)?;
    let proven = judge_writer(&image, args)?;
    let pid_file = match &args.pid_file {
        // Before anything runs: a file that cannot be written is found now.
        Some(path) => {
            let file = Unnamed::create(path, 0o644);
            Some((path, file.with_context(|| format!("{} could not be made", path.display()))?))
        }
        None => None,
    };
    stasis_engine::host::allow_many_files();
    let options = Options {
        redirects: args.fds.iter().cloned().collect::<BTreeMap<u32, PathBuf>>(),
        force_files: args.force_files,
        proven,
        on_behalf: false,
        detach: args.detach,
    };
    let cancelled = || caught.load(Ordering::Relaxed) != 0;
    let pause = || {
        // It cannot fail: the signal is valid and so are we.
        let _ = raise(Signal::SIGSTOP);
    };
    let watch = Watch::new(&cancelled, &pause);
    let restarted = restart::restart(image, &options, &watch).map_err(|error| explain(error, args));
    drop(watch);
    let restarted = restarted?;
    if let Some((path, mut file)) = pid_file {
        let written = writeln!(file, "{}", restarted.pid).and_then(|()| file.commit());
        if let Err(error) = written {
            // Nobody could find them.
            for pid in &restarted.pids {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            let context = format!("{} could not be written, the program was ended again", path.display());
            return Err(anyhow::Error::new(error).context(context).into());
        }
    }
    tracing::info!("process {} runs, here it is {}", restarted.own_pid, restarted.pid);
    Ok(restarted)
}

/// Opens the image; stdin is taken away from the new process if it is the image.
fn open(args: &Restart) -> Result<File, Failure> {
    if args.image.as_os_str() != "-" {
        let file = File::open(&args.image);
        return Ok(file.with_context(|| format!("{} could not be opened", args.image.display()))?);
    }
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(anyhow!("an image is not read from a terminal")).hint("name a file instead of -");
    }
    let image = stdin.as_fd().try_clone_to_owned().context("stdin could not be taken")?;
    let null = File::open("/dev/null").context("/dev/null could not be opened")?;
    nix::unistd::dup2_stdin(&null).context("stdin could not be replaced")?;
    Ok(File::from(image))
}

/// Whether nobody else can have written the image. Who has rights that others have not is asked for `--trust` where that is
/// not certain: the image says with which rights its processes run.
fn judge_writer(image: &File, args: &Restart) -> Result<bool, Failure> {
    let uid = nix::unistd::geteuid();
    let is_privileged = uid.is_root() || creds::caps().is_ok_and(|caps| caps.permitted != 0);
    let doubt = if args.image.as_os_str() == "-" {
        Some("it does not come from a file, so nothing tells who writes it".to_owned())
    } else {
        let unseen = || format!("who may write {} could not be seen", args.image.display());
        rights::image::doubt(image, &args.image, uid.as_raw()).with_context(unseen)?
    };
    match doubt {
        Some(why) if is_privileged && !args.trust => {
            let error = anyhow!("{}: this image may be somebody else's: {why}", args.image.display());
            Err(error).hint("--trust takes it nevertheless; its processes then get nothing that they could not open themselves")
        }
        doubt => Ok(doubt.is_none() || !is_privileged),
    }
}

fn explain(error: Error, args: &Restart) -> Failure {
    let is_about_image = matches!(error, Error::Read(_) | Error::Build(_) | Error::Revision(_));
    let error = anyhow::Error::new(error);
    let words = format!("{error:#}");
    let hint = if is_about_image {
        let image = args.image.display();
        Some(format!("`stasis validate {image}` says what is wrong with it"))
    } else if words.contains("uid") || words.contains("EPERM") || words.contains("not permitted") {
        Some("`stasis check` says what the rights that you have allow".into())
    } else {
        None
    };
    let error = if is_about_image { error.context(args.image.display().to_string()) } else { error };
    Failure { hint, ..error.into() }
}

/// Forwards signals to the process and waits for its end, which gives our exit code.
fn accompany(restarted: &Restarted, signals: &mut Signals) -> anyhow::Result<u8> {
    let child = Pid::from_raw(restarted.child);
    let pid = Pid::from_raw(restarted.pid);
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(u8::try_from(code & 0xff).unwrap_or(NOT_RESTARTED)),
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                return Ok(128 + u8::try_from(signal as i32).unwrap_or_default());
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error).context("the end of the process was not seen"),
        }
        for info in signals.wait() {
            foreground::forward(&info, pid);
        }
    }
}
