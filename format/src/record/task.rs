//! Tasks, threads and what belongs to a task's identity.

use crate::show::{choice, escape, named, reference, until_nul, wait_status};

/// State of a task or thread when it was taken.
pub const TASK_STATES: &[(u64, &str)] = &[(0, "running"), (1, "stopped"), (2, "zombie")];

impl Task {
    /// [`Task::state`] of one that has ended and that its parent has not waited for.
    pub const ZOMBIE: u32 = 2;
}

/// Policies of PR_MCE_KILL, the system's default first.
pub const MCE_KILL: &[(u64, &str)] = &[(0, "default"), (1, "early"), (2, "late")];

/// Scheduling policies of sched(7).
pub const POLICIES: &[(u64, &str)] = &[
    (0, "SCHED_OTHER"),
    (1, "SCHED_FIFO"),
    (2, "SCHED_RR"),
    (3, "SCHED_BATCH"),
    (5, "SCHED_IDLE"),
    (6, "SCHED_DEADLINE"),
    (7, "SCHED_EXT"),
];

/// Resources of getrlimit(2).
pub const RESOURCES: &[(u64, &str)] = &[
    (0, "RLIMIT_CPU"),
    (1, "RLIMIT_FSIZE"),
    (2, "RLIMIT_DATA"),
    (3, "RLIMIT_STACK"),
    (4, "RLIMIT_CORE"),
    (5, "RLIMIT_RSS"),
    (6, "RLIMIT_NPROC"),
    (7, "RLIMIT_NOFILE"),
    (8, "RLIMIT_MEMLOCK"),
    (9, "RLIMIT_AS"),
    (10, "RLIMIT_LOCKS"),
    (11, "RLIMIT_SIGPENDING"),
    (12, "RLIMIT_MSGQUEUE"),
    (13, "RLIMIT_NICE"),
    (14, "RLIMIT_RTPRIO"),
    (15, "RLIMIT_RTTIME"),
];

/// Flags of sigaltstack(2).
pub const SS_FLAGS: &[(u64, &str)] = &[(1, "SS_ONSTACK"), (2, "SS_DISABLE"), (1 << 31, "SS_AUTODISARM")];

/// Bits of securebits, capabilities(7).
pub const SECUREBITS: &[(u64, &str)] = &[
    (1, "NOROOT"),
    (2, "NOROOT_LOCKED"),
    (4, "NO_SETUID_FIXUP"),
    (8, "NO_SETUID_FIXUP_LOCKED"),
    (16, "KEEP_CAPS"),
    (32, "KEEP_CAPS_LOCKED"),
    (64, "NO_CAP_AMBIENT_RAISE"),
    (128, "NO_CAP_AMBIENT_RAISE_LOCKED"),
];

/// Kinds of namespace, the CLONE_NEW* bits of clone(2).
pub const NAMESPACES: &[(u64, &str)] = &[
    (0x0002_0000, "mnt"),
    (0x0200_0000, "cgroup"),
    (0x0400_0000, "uts"),
    (0x0800_0000, "ipc"),
    (0x1000_0000, "user"),
    (0x2000_0000, "pid"),
    (0x4000_0000, "net"),
    (0x80, "time"),
];

/// Operations of prctl(2).
pub const PRCTLS: &[(u64, &str)] = &[(67, "PR_SET_MEMORY_MERGE"), (78, "PR_FUTEX_HASH")];

records! {
    /// A process (thread group). Its parent is the parent task, or the image for the root of the tree.
    Task = 101 "TASK", object, of Image | Task {
        /// Process id in the namespace of the process that took the checkpoint.
        pid: u32 => Dec,
        /// Parent process id.
        ppid: u32 => Dec,
        /// Process group.
        pgid: u32 => Dec,
        /// Session.
        sid: u32 => Dec,
        /// What the task was doing as far as job control is concerned.
        state: u32 => Enum(TASK_STATES),
        /// Signal that stopped it, 0 if it was not stopped.
        stop_signal: u32 => Signal,
        /// Wait status of a zombie.
        exit_code: u32 => Wait,
        /// Signal sent to the parent when it ends.
        exit_signal: u32 => Signal,
        /// Name, TASK_COMM_LEN bytes.
        comm: [u8; 16] => Text,
        /// Memory.
        mm: u32 => Ref => To[Mm],
        /// Descriptor table.
        files: u32 => Ref => To[FileTable],
        /// Current and root directory, umask.
        fs: u32 => Ref => To[Fs],
        /// Signal actions.
        sighand: u32 => Ref => To[Sighand],
        /// Description of the controlling terminal.
        tty: u32 => Ref => To[File],
        /// 1 if descendants that lose their parent come to this task (PR_SET_CHILD_SUBREAPER).
        child_subreaper: u32 => Dec,
        /// Adjustment of the out-of-memory killer's score.
        oom_score_adj: i32 => Dec,
        /// What happens on a memory failure (PR_MCE_KILL).
        mce_kill: u32 => Enum(MCE_KILL),
        /// Start of the process, clock ticks since boot (proc(5), field 22 of stat).
        start_time: u64 => Dec,
    } words(task) {
        let name = format!("pid {} {}", task.pid, escape(until_nul(&task.comm)));
        match task.state {
            Task::ZOMBIE => format!("{name}, zombie: {}", wait_status(task.exit_code.into())),
            0 => name,
            state => format!("{name}, {}", choice(state.into(), TASK_STATES).unwrap_or("in an unknown state")),
        }
    }

    /// A thread of a task.
    Thread = 102 "THREAD", tail affinity: Bytes "CPU affinity mask, bit n of byte n/8.", object, of Task, due {
        /// Thread id.
        tid: u32 => Dec,
        /// What the thread was doing.
        state: u32 => Enum(TASK_STATES),
        /// Name, TASK_COMM_LEN bytes.
        comm: [u8; 16] => Text,
        /// Blocked signals.
        sigmask: u64 => Sigset,
        /// Alternate signal stack: lowest address.
        ss_sp: u64 => Addr,
        /// Alternate signal stack: length.
        ss_size: u64 => Size,
        /// Alternate signal stack: flags.
        ss_flags: u32 => Flags(SS_FLAGS),
        /// Signal sent when the parent thread ends (PR_SET_PDEATHSIG).
        pdeath_signal: u32 => Signal,
        /// Head of the robust futex list.
        robust_list: u64 => Addr,
        /// Length of that head's structure.
        robust_list_len: u64 => Size,
        /// Where the kernel clears the tid when the thread ends (set_tid_address(2)).
        clear_child_tid: u64 => Addr,
        /// Registered `struct rseq`, 0 for none.
        rseq: u64 => Addr,
        /// Its length.
        rseq_len: u32 => Size,
        /// Its signature.
        rseq_sig: u32 => Hex,
        /// Scheduling policy.
        sched_policy: u32 => Enum(POLICIES),
        /// sched_attr flags.
        sched_flags: u32 => Hex,
        /// Nice value.
        nice: i32 => Dec,
        /// Real-time priority.
        sched_priority: u32 => Dec,
        /// SCHED_DEADLINE runtime, or the slice of other policies.
        sched_runtime: u64 => Nanos,
        /// SCHED_DEADLINE deadline.
        sched_deadline: u64 => Nanos,
        /// SCHED_DEADLINE period.
        sched_period: u64 => Nanos,
        /// Utilisation clamp, lowest.
        sched_util_min: u32 => Dec,
        /// Utilisation clamp, highest.
        sched_util_max: u32 => Dec,
        /// Slack of timed waits.
        timer_slack: u64 => Nanos,
        /// I/O priority as ioprio_get(2) gives it.
        ioprio: u32 => Hex,
        /// Execution domain, personality(2).
        personality: u32 => Hex,
        /// Credentials.
        creds: u32 => Ref => Always[Creds],
        /// 1 when no_new_privs is set.
        no_new_privs: u32 => Dec,
    } words(thread) { format!("tid {} {}", thread.tid, escape(until_nul(&thread.comm))) }

    /// What is left of a timed wait that the thread was in; what a reader that does not know it restarts waits anew.
    Wait = 16486 "WAIT", of Thread {
        /// Time that is left.
        remaining: u64 => Nanos,
        /// Time that the call was to last.
        whole: u64 => Nanos,
    } words(wait) { format!("{} of {} ms left", wait.remaining / 1_000_000, wait.whole / 1_000_000) }

    /// Credentials of a thread.
    Creds = 104 "CREDS", tail groups: U32s "Supplementary groups.", object, of Image | Task | Thread {
        /// Real user id.
        uid: u32 => Dec,
        /// Effective user id.
        euid: u32 => Dec,
        /// Saved user id.
        suid: u32 => Dec,
        /// File system user id.
        fsuid: u32 => Dec,
        /// Real group id.
        gid: u32 => Dec,
        /// Effective group id.
        egid: u32 => Dec,
        /// Saved group id.
        sgid: u32 => Dec,
        /// File system group id.
        fsgid: u32 => Dec,
        /// Inheritable capabilities.
        cap_inheritable: u64 => Caps,
        /// Permitted capabilities.
        cap_permitted: u64 => Caps,
        /// Effective capabilities.
        cap_effective: u64 => Caps,
        /// Bounding set.
        cap_bset: u64 => Caps,
        /// Ambient capabilities.
        cap_ambient: u64 => Caps,
        /// Secure bits.
        securebits: u32 => Flags(SECUREBITS),
        /// Always zero.
        pad: u32 => Zero,
    } words(creds) { format!("uid {} gid {}", creds.euid, creds.egid) }

    /// One resource limit of a task. All ones is no limit.
    Rlimit = 105 "RLIMIT", of Task {
        /// Which one.
        resource: u32 => Enum(RESOURCES),
        /// Always zero.
        pad: u32 => Zero,
        /// Soft limit.
        rlim_cur: u64 => Dec,
        /// Hard limit.
        rlim_max: u64 => Dec,
    } words(limit) { named(limit.resource, RESOURCES) }

    /// What prctl(2) has set for a task that has no place of its own.
    Prctl = 110 "PRCTL", of Task | Thread {
        /// The operation that sets it.
        option: u32 => Enum(PRCTLS),
        /// Always zero.
        pad: u32 => Zero,
        /// Its value.
        value: u64 => Dec,
    } words(prctl) { format!("{} {}", named(prctl.option, PRCTLS), prctl.value) }

    /// The autogroup (sched(7)) of the session that the task leads.
    Autogroup = 111 "AUTOGROUP", of Task {
        /// Its nice value.
        nice: i32 => Dec,
        /// Always zero.
        pad: u32 => Zero,
    } words(autogroup) { format!("nice {}", autogroup.nice) }

    /// A namespace that the task lived in.
    Namespace = 106 "NAMESPACE", of Image | Task {
        /// Which kind.
        kind: u32 => Enum(NAMESPACES),
        /// 1 when it was the same as that of the process that took the checkpoint.
        shared: u32 => Dec,
        /// Inode number of the namespace.
        ino: u64 => Dec,
    } words(namespace) { named(namespace.kind, NAMESPACES) }

    /// File system context: directories are INODE objects.
    Fs = 107 "FS", object, of Image | Task {
        /// Current directory.
        cwd: u32 => Ref => To[Inode],
        /// Root directory.
        root: u32 => Ref => To[Inode],
        /// File mode creation mask.
        umask: u32 => Mode,
        /// Always zero.
        pad: u32 => Zero,
    } words(fs) { format!("cwd {}, root {}", reference(fs.cwd), reference(fs.root)) }
}
