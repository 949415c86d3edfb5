//! Every single-bit flip and every truncation of an image: nothing is restarted, nothing is left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use stasis_engine::progress::Silent;
use stasis_engine::restart::{self, Options};
use stasis_tests::program::{Program, VICTIM_BARE, VICTIM_BARE_FAMILY, foreign};
use stasis_tests::{host, wait};

/// One attempt to restart an image, which must fail and leave no child.
fn must_fail(image: &[u8], what: &str) {
    let error = match restart::restart(image, &Options::default(), &Silent) {
        Err(error) => error.to_string(),
        Ok(restarted) => panic!("{what}: process {} was restarted", restarted.pid),
    };
    assert!(!error.is_empty() && !error.contains('\n'), "{what}: {error}");
    // Only this thread's children: the other one has its own.
    let flags = WaitPidFlag::WNOHANG | WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
    assert_eq!(waitpid(None, Some(flags)), Err(Errno::ECHILD), "{what}: a process is left ({error})");
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("our own descriptors").count()
}

/// Runs `body` for each number below `end`, in as many threads as there are processors.
fn each(end: usize, body: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= end {
                        break;
                    }
                    body(n);
                }
            });
        }
    });
}

/// Damages the image of a program in every way: each bit of each byte is flipped, or one bit of each byte where there are
/// `bits` of them to choose from, and it is cut everywhere.
fn nothing_comes_of_damage(program: &str, bits: usize) {
    // The descriptors are counted that this process has.
    let _alone = host::alone();
    let dir = host::workdir();
    let path = dir.path().join("image.stasis");
    let mut program = Program::start(foreign(program).env_clear(), dir.path());
    assert!(program.ready(), "the program starts");
    let family = host::family_of(program.pid());
    program.checkpoint_and_kill(&path, &["--compress", "zstd"]);
    let good = fs::read(&path).expect("the image");
    let entries = || fs::read_dir(dir.path()).expect("the directory").count();
    let before = (open_descriptors(), entries());

    each(good.len() * 8 / bits, |n| {
        let bit = n * bits + n % bits;
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        must_fail(&bytes, &format!("bit {} of byte {:#x}", bit % 8, bit / 8));
    });
    each(good.len(), |length| must_fail(&good[..length], &format!("cut to {length} bytes")));

    assert_eq!((open_descriptors(), entries()), before, "descriptors or files are left");
    wait::until("init to have reaped what was detached from us", || {
        family.iter().all(|pid| host::state_of(*pid).is_none())
    });
    // The image itself is a good one: what failed failed because of the damage.
    let restarted = restart::restart(&good[..], &Options::default(), &Silent).expect("the image is whole");
    assert!(restarted.pids.iter().all(|pid| host::is_running(*pid)), "not all of {:?} run", restarted.pids);
    for pid in restarted.pids.iter().rev() {
        kill(Pid::from_raw(*pid), Signal::SIGKILL).expect("it runs");
    }
    waitpid(Pid::from_raw(restarted.child), None).expect("it was our child");
}

#[test]
fn an_image_with_any_bit_flipped_or_cut_anywhere_restarts_nothing_and_leaves_nothing() {
    nothing_comes_of_damage(VICTIM_BARE, 1);
}

/// Half-made families are more than half-made processes: who is left must not be one of them.
#[test]
fn an_image_of_a_family_with_any_byte_damaged_or_cut_anywhere_leaves_nobody() {
    nothing_comes_of_damage(VICTIM_BARE_FAMILY, 8);
}
