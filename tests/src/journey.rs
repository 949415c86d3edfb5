//! The ways a victim can go between "ready" and its verdict.

use crate::engine::{self, checkpoint};
use crate::host;
use crate::program::{Program, Restored, VICTIM, Verdict};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// The user and group without any rights.
pub const NOBODY: u32 = 65534;

/// Kinds that take root, and why.
const ROOTS: &[(&str, &str)] = &[
    ("mappings", "shared memory and deleted files that are mapped can be reached by root only"),
    ("sharedmem", "shared memory that is mapped can be reached by root only"),
    ("pdeathsig", "a process that is not dumpable can be looked at by root only"),
];

/// Why a kind cannot be tested without root, if so.
fn takes_root(kind: &str) -> Option<Verdict> {
    let (_, why) = ROOTS.iter().find(|(name, _)| *name == kind)?;
    Some(Verdict::Skipped((*why).to_owned()))
}

/// Checkpoint and kill it, restart it in the background, ask it.
#[track_caller]
pub fn killed_and_restarted(program: &str, kind: &str) -> Verdict {
    if let Some(verdict) = takes_root(kind).filter(|_| !host::is_root()) {
        return verdict;
    }
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut victim = match Program::victim(program, kind, dir.path()) {
        Ok(victim) => victim,
        Err(verdict) => return verdict,
    };
    let pid = victim.pid();
    victim.checkpoint_and_kill(&image, &[]);
    let restored = engine::restart_detached(&image, dir.path());
    // Without root, the pid is had in a namespace only; the victim sees it, we do not.
    assert!(restored.pid() == pid || !host::is_root(), "the old pid was free, but the restart gave another");
    // What runs must not depend on the image any more.
    std::fs::remove_file(&image).expect("the image can be removed");
    restored.go();
    restored.finish()
}

/// Checkpoint it and let it run on, then ask it.
#[track_caller]
pub fn left_running(program: &str, kind: &str) -> Verdict {
    if let Some(verdict) = takes_root(kind).filter(|_| !host::is_root()) {
        return verdict;
    }
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut victim = match Program::victim(program, kind, dir.path()) {
        Ok(victim) => victim,
        Err(verdict) => return verdict,
    };
    checkpoint(victim.pid(), &image, &[]).succeeded();
    victim.go();
    victim.finish()
}

/// The engine and the victims where every user may run them, wherever the repository lies.
pub fn for_everybody() -> &'static (PathBuf, PathBuf) {
    static COPIES: OnceLock<(TempDir, (PathBuf, PathBuf))> = OnceLock::new();
    let (_, paths) = COPIES.get_or_init(|| {
        let dir = host::workdir();
        let copy = |from: &Path, name: &str| {
            let to = dir.path().join(name);
            std::fs::copy(from, &to).expect("the program can be copied");
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o755))
                .expect("its mode can be set");
            to
        };
        let paths = (copy(engine::stasis_path(), "stasis"), copy(Path::new(VICTIM), "victim"));
        (dir, paths)
    });
    paths
}

/// A command that an ordinary user runs in `dir`: `nobody` if we are root, else ourselves.
pub fn as_user(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    if host::is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir(dir).stdin(std::process::Stdio::null());
    command
}

/// An ordinary user checkpoints, kills and restarts a victim of its own.
#[track_caller]
pub fn of_an_ordinary_user(kind: &str) -> Verdict {
    if let Some(verdict) = takes_root(kind) {
        return verdict;
    }
    let (stasis, program) = for_everybody();
    let dir = host::workdir();
    let mut victim = Program::start(as_user(program, dir.path()).arg(kind), dir.path());
    if !victim.ready() {
        return victim.finish();
    }
    let pid = victim.pid().to_string();
    let args = ["checkpoint", "--kill", &pid, "-o", "image.stasis"];
    engine::run(as_user(stasis, dir.path()).args(args)).succeeded();
    victim.wait();
    let args = ["restart", "--detach", "--pid-file", "pid-user", "image.stasis"];
    engine::run(as_user(stasis, dir.path()).args(args)).succeeded();
    let restored = Restored::from_pid_file(&dir.path().join("pid-user"), dir.path());
    restored.go();
    restored.finish()
}
