//! Signals: actions and queues.

use crate::show::signal;

/// SA_* of sigaction(2) on x86-64.
pub const SA_FLAGS: &[(u64, &str)] = &[
    (0x1, "SA_NOCLDSTOP"),
    (0x2, "SA_NOCLDWAIT"),
    (0x4, "SA_SIGINFO"),
    (0x800, "SA_EXPOSE_TAGBITS"),
    (0x0400_0000, "SA_RESTORER"),
    (0x0800_0000, "SA_ONSTACK"),
    (0x1000_0000, "SA_RESTART"),
    (0x4000_0000, "SA_NODEFER"),
    (0x8000_0000, "SA_RESETHAND"),
];

records! {
    /// A table of signal actions; SIGACTIONs belong to it. Those not listed are the default.
    Sighand = 401 "SIGHAND", object, of Image | Task {
        /// Actions listed.
        nr_actions: u64 => Dec => Counts[Sigaction],
    } words(sighand) { format!("{} actions", sighand.nr_actions) }

    /// What happens on a signal.
    Sigaction = 402 "SIGACTION", of Sighand {
        /// Signal.
        signo: u32 => Signal,
        /// Always zero.
        pad: u32 => Zero,
        /// Handler; 0 is the default, 1 ignores it.
        handler: u64 => Addr,
        /// Flags.
        flags: u64 => Flags(SA_FLAGS),
        /// Code that returns from the handler.
        restorer: u64 => Addr,
        /// Signals blocked while the handler runs.
        mask: u64 => Sigset,
    } words(action) {
        let does = match action.handler {
            0 => "does what it does by default".into(),
            1 => "is ignored".into(),
            handler => format!("calls {handler:#x}"),
        };
        format!("{} {does}", signal(action.signo.into()))
    }

    /// A pending signal: of the process if its parent is a TASK, of one thread if it is a THREAD.
    Sigpending = 403 "SIGPENDING", tail siginfo: Bytes "Whole `siginfo_t`, 128 bytes.", of Task | Thread {
        /// Signal.
        signo: u32 => Signal,
        /// Code of siginfo.
        code: i32 => Dec,
    } words(pending) { signal(pending.signo.into()) }
}
