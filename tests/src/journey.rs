//! The ways a victim can go between "ready" and its verdict.

use crate::engine::{self, checkpoint};
use crate::host;
use crate::program::{Program, Verdict};

/// Checkpoint and kill it, restart it in the background, ask it.
#[track_caller]
pub fn killed_and_restarted(program: &str, kind: &str) -> Verdict {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut victim = match Program::victim(program, kind, dir.path()) {
        Ok(victim) => victim,
        Err(verdict) => return verdict,
    };
    let pid = victim.pid();
    victim.checkpoint_and_kill(&image, &[]);
    let restored = engine::restart_detached(&image, dir.path());
    assert_eq!(restored.pid(), pid, "the restart gave another pid though the old one was free");
    // What runs must not depend on the image any more.
    std::fs::remove_file(&image).expect("the image can be removed");
    restored.go();
    restored.finish()
}

/// Checkpoint it and let it run on, then ask it.
#[track_caller]
pub fn left_running(program: &str, kind: &str) -> Verdict {
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
