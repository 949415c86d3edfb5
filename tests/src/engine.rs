//! Runs the `stasis` program the way a user does.

use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use crate::program::Restored;
use crate::wait;

/// The path of the engine: `STASIS_BIN` if set, else what cargo builds from this workspace, built once.
pub fn stasis_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("STASIS_BIN") {
        Some(path) => absolute(PathBuf::from(path)),
        None => build(),
    })
}

/// The tests run in `tests/`, while `STASIS_BIN` may be relative to the root of the repository.
fn absolute(path: PathBuf) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"));
    root.join(path)
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "stasis-engine"]).current_dir(absolute(PathBuf::new()));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    assert!(command.status().expect("cargo can be run").success(), "the engine does not build");
    // Test programs stand in target/PROFILE/deps.
    let own = std::env::current_exe().expect("the path of the test program");
    own.ancestors().nth(2).expect("target/PROFILE").join("stasis")
}

/// `stasis ARGS...`, to be run by [`run`] or spawned by the test itself.
pub fn stasis<I, S>(args: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let mut command = Command::new(stasis_path());
    command.args(args).stdin(Stdio::null());
    command
}

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its stdout.
    pub stdout: String,
    /// All of its stderr.
    pub stderr: String,
}

impl Run {
    /// Panics with everything it printed unless it ended with 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(self.status.success(), "ended with {}\n{}{}", self.status, self.stdout, self.stderr);
        self
    }

    /// Panics unless it ended by itself, with another status than 0, and printed one message that holds `words`.
    #[track_caller]
    pub fn refused(self, words: &[&str]) -> Self {
        assert!(self.status.signal().is_none(), "died of {}\n{}", self.status, self.stderr);
        assert!(!self.status.success(), "should have failed\n{}{}", self.stdout, self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "the message lacks {word:?}:\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "panicked:\n{}", self.stderr);
        self
    }
}

/// Runs a program to its end. Its output goes through files, so that what it leaves running cannot hold us up.
pub fn run(command: &mut Command) -> Run {
    let mut stdout = tempfile::tempfile().expect("a temporary file");
    let mut stderr = tempfile::tempfile().expect("a temporary file");
    let clone = |file: &std::fs::File| file.try_clone().expect("a duplicate descriptor");
    let mut child = command
        .stdout(clone(&stdout))
        .stderr(clone(&stderr))
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {:?}: {error}", command.get_program()));
    let status = end_of(&mut child, &format!("{command:?}"));
    let read = |file: &mut std::fs::File| {
        let mut text = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut text)).expect("the output can be read");
        String::from_utf8_lossy(&text).into_owned()
    };
    Run { status, stdout: read(&mut stdout), stderr: read(&mut stderr) }
}

/// Waits for a child; one that hangs is killed before the test fails.
pub fn end_of(child: &mut Child, what: &str) -> ExitStatus {
    let start = std::time::Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            return status;
        }
        if start.elapsed() > wait::PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("hangs: {what}");
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// `stasis checkpoint PID -o IMAGE EXTRA...`, whatever comes of it.
pub fn checkpoint(pid: i32, image: &Path, extra: &[&str]) -> Run {
    run(stasis(["checkpoint", &pid.to_string(), "-o"]).arg(image).args(extra))
}

/// `stasis restart IMAGE EXTRA...` in `dir`, whatever comes of it.
pub fn restart(image: &Path, dir: &Path, extra: &[&str]) -> Run {
    run(stasis(["restart"]).arg(image).args(extra).current_dir(dir))
}

/// Restarts an image into the background; panics with the engine's message if that fails.
#[track_caller]
pub fn restart_detached(image: &Path, dir: &Path) -> Restored {
    let pid_file = dir.join(format!("pid-{}", unique()));
    run(stasis(["restart", "--detach", "--pid-file"]).arg(&pid_file).arg(image).current_dir(dir)).succeeded();
    Restored::from_pid_file(&pid_file, dir)
}

/// A number that no other call in this test program gets.
pub fn unique() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
