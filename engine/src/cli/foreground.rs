//! What a command in the foreground owes the process that it stands for: the signals that come.

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid, getpgrp};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

/// Signals that are passed on, and that of a child's end.
pub const HEARD: [i32; 9] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH, SIGCHLD];

/// Passes a signal on, unless the process has had it.
pub fn forward(info: &libc::siginfo_t, pid: Pid) {
    // A terminal has told the whole process group already.
    let had_it = info.si_code == libc::SI_KERNEL && getpgid(Some(pid)) == Ok(getpgrp());
    if info.si_signo != SIGCHLD && !had_it {
        // It may be gone; the next round sees that.
        let _ = Signal::try_from(info.si_signo).and_then(|signal| kill(pid, signal));
    }
}
