//! A program under test: [`Program`] as it was started, [`Restored`] as an image brought it back.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::{engine, host, wait};

/// The victims, linked against the shared C library.
pub const VICTIM: &str = env!("VICTIM");
/// The victims, linked statically.
pub const VICTIM_STATIC: &str = env!("VICTIM_STATIC");

/// The program that uses no library, with a very small image.
pub const VICTIM_BARE: &str = env!("VICTIM_BARE");
/// The same with a child, and another one that has ended.
pub const VICTIM_BARE_FAMILY: &str = env!("VICTIM_BARE_FAMILY");

/// The program that makes the calls `checkpoint` and `restart`, linked against the shared C library.
pub const CALLER: &str = env!("CALLER");
/// The same, linked statically.
pub const CALLER_STATIC: &str = env!("CALLER_STATIC");

/// A command for a program that nobody here wrote, without the descriptors that whoever runs the tests left open.
pub fn foreign(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(VICTIM);
    command.arg("run").arg(program);
    command
}

/// How a victim found itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything as it was.
    Intact,
    /// This machine cannot run it, and why.
    Skipped(String),
    /// What was wrong, one line each.
    Damaged(String),
}

impl Verdict {
    /// Panics with the victim's own words unless it is intact; a skipped one says so and passes.
    #[track_caller]
    pub fn must_be_intact(self) {
        match self {
            Verdict::Intact => {}
            Verdict::Skipped(why) => eprintln!("not tested here: {why}"),
            Verdict::Damaged(text) => panic!("the victim found:\n{text}"),
        }
    }

    /// Reads the file `verdict` that every victim leaves in its directory.
    fn in_dir(dir: &Path) -> Self {
        let text =
            fs::read_to_string(dir.join("verdict")).unwrap_or_else(|error| format!("no verdict: {error}"));
        if text == "ok\n" {
            Verdict::Intact
        } else if let Some(why) = text.strip_prefix("skipped: ") {
            Verdict::Skipped(why.trim().to_owned())
        } else if text.is_empty() {
            Verdict::Damaged("the victim died before its verdict".to_owned())
        } else {
            Verdict::Damaged(text)
        }
    }
}

/// A program that was started by a test. Dropping it ends it.
#[derive(Debug)]
pub struct Program {
    child: Child,
    dir: PathBuf,
    reaped: bool,
}

impl Program {
    /// Starts `command` in `dir`, with stdin from /dev/null, stdout into a pipe for [`Program::ready`], and stderr
    /// into the file `err`.
    #[track_caller]
    pub fn start(command: &mut Command, dir: &Path) -> Self {
        let err =
            fs::File::options().create(true).append(true).open(dir.join("err")).expect("the file `err`");
        // The program may be another user's, and is restarted as that user.
        err.set_permissions(fs::Permissions::from_mode(0o666)).expect("the mode of the file `err`");
        let child = command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {:?}: {error}", command.get_program()));
        Program { child, dir: dir.to_owned(), reaped: false }
    }

    /// Starts a victim of this kind in `dir` and waits until it is ready; gives its verdict instead if it never is.
    #[track_caller]
    pub fn victim(program: &str, kind: &str, dir: &Path) -> Result<Self, Verdict> {
        let mut victim = Self::start(Command::new(program).arg(kind), dir);
        if victim.ready() { Ok(victim) } else { Err(victim.finish()) }
    }

    /// Waits until the program prints the line `ready` on stdout, and closes our end of that pipe.
    /// False if it ended or closed its stdout without.
    pub fn ready(&mut self) -> bool {
        let Some(pipe) = self.child.stdout.take() else { return false };
        let mut line = String::new();
        BufReader::new(pipe).read_line(&mut line).is_ok() && line == "ready\n"
    }

    /// Its pid.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid fits")
    }

    /// Tells a victim to go on.
    pub fn go(&self) {
        send(self.pid(), Signal::SIGUSR1);
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.reaped = true;
        engine::end_of(&mut self.child, "the program under test")
    }

    /// Waits for its end and reads its verdict.
    pub fn finish(&mut self) -> Verdict {
        let status = self.wait();
        judged(Verdict::in_dir(&self.dir), &format!("ended with {status}"), status.success())
    }

    /// Checkpoints it with `--kill` and collects it, which frees its pid for the restart.
    #[track_caller]
    pub fn checkpoint_and_kill(&mut self, image: &Path, extra: &[&str]) {
        let mut args = vec!["--kill"];
        args.extend(extra);
        engine::checkpoint(self.pid(), image, &args).succeeded();
        self.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A program that was restarted into the background, no child of ours. Dropping it ends it.
#[derive(Debug)]
pub struct Restored {
    pid: i32,
    started: Option<String>,
    dir: PathBuf,
}

impl Restored {
    /// Takes over the process that `--pid-file` names; its verdict will be in `dir`.
    #[track_caller]
    pub fn from_pid_file(pid_file: &Path, dir: &Path) -> Self {
        let text =
            fs::read_to_string(pid_file).unwrap_or_else(|error| panic!("{}: {error}", pid_file.display()));
        let pid = text.trim().parse().unwrap_or_else(|error| panic!("{text:?} in the pid file: {error}"));
        Restored { pid, started: host::start_of(pid), dir: dir.to_owned() }
    }

    /// Its pid.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Tells a victim to go on.
    #[track_caller]
    pub fn go(&self) {
        self.go_by(Signal::SIGUSR1);
    }

    /// Tells a program to go on that takes another signal for it.
    #[track_caller]
    pub fn go_by(&self, signal: Signal) {
        assert!(self.is_running(), "the restored program is gone: {:?}", Verdict::in_dir(&self.dir));
        send(self.pid, signal);
    }

    /// Whether it is still there: this process, not another one with its pid.
    pub fn is_running(&self) -> bool {
        host::is_running(self.pid) && host::start_of(self.pid) == self.started
    }

    /// Waits until it is gone.
    pub fn wait(&self) {
        wait::until("the restored program's end", || !self.is_running());
    }

    /// Waits until it is gone and reads its verdict.
    pub fn finish(self) -> Verdict {
        self.wait();
        judged(Verdict::in_dir(&self.dir), "ended without a word", true)
    }

    /// Checkpoints it with `--kill` and waits until its pid is free again.
    #[track_caller]
    pub fn checkpoint_and_kill(self, image: &Path) {
        engine::checkpoint(self.pid, image, &["--kill"]).succeeded();
        wait::until("the pid to be free", || host::state_of(self.pid).is_none());
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
    }
}

/// A verdict of "ok" counts only if the program also ended well.
fn judged(verdict: Verdict, how: &str, well: bool) -> Verdict {
    match verdict {
        Verdict::Intact if !well => Verdict::Damaged(format!("said ok, but {how}")),
        Verdict::Damaged(text) => Verdict::Damaged(format!("{text}{how}")),
        other => other,
    }
}

/// Sends a signal; the process must be there.
#[track_caller]
pub fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap_or_else(|error| panic!("cannot send {signal} to {pid}: {error}"));
}
