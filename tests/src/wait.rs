//! Waiting for a condition. The limit is no assertion about speed: it turns a hang into a message.

use std::time::{Duration, Instant};

/// How long anything may take before it is called a hang.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Returns once `condition` holds; panics with `what` if it does not within [`PATIENCE`].
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The value that `look` finds; panics with `what` if it finds none within [`PATIENCE`].
pub fn for_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    until(what, || {
        found = look();
        found.is_some()
    });
    found.unwrap_or_else(|| unreachable!("the wait for {what} ended without it"))
}
