//! One call at a time in a process: a second one's helper would be in the picture of the first.
//!
//! The lock can be taken in a signal handler because whoever holds it has all signals blocked. It knows its owner's pid:
//! a child that was forked meanwhile, and a process that was restarted with another pid, find a lock that nobody will
//! give back, and take it.

use std::sync::atomic::{AtomicI32, Ordering};

use crate::sys;

/// The process that is in a call; 0: none.
static OWNER: AtomicI32 = AtomicI32::new(0);

/// The lock, held. Dropping it gives it back.
#[derive(Debug)]
pub struct Held {
    owner: i32,
}

/// Takes the lock; all signals have to be blocked.
pub fn take() -> Held {
    let owner = sys::getpid();
    let mut seen = 0;
    loop {
        match OWNER.compare_exchange(seen, owner, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return Held { owner },
            Err(other) if other == owner => {
                sys::futex_wait(&OWNER, owner);
                seen = 0;
            }
            Err(other) => seen = other,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Another owner took it for one that nobody will give back; it is theirs.
        let _ = OWNER.compare_exchange(self.owner, 0, Ordering::Release, Ordering::Relaxed);
        sys::futex_wake(&OWNER);
    }
}

#[cfg(test)]
mod tests {
    use super::take;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn one_thread_at_a_time_holds_the_lock() {
        let inside = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let held = take();
                        assert!(!inside.swap(true, Ordering::Relaxed), "two hold it");
                        inside.store(false, Ordering::Relaxed);
                        drop(held);
                    }
                });
            }
        });
    }
}
