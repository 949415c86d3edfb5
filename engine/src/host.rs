//! What this host can do for checkpoints and restarts, found by trying it on processes made for that.

use std::fs::{self, File};
use std::io;

use nix::sys::utsname::uname;
use stasis_format::head::KernelVersion;

use crate::procfs::{Status, parse_status};
use crate::sys::worker::{Side, fork};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::sys::{host, kcmp, pagemap, pidfd, process, ptrace};

const CLONE_NEWPID: u64 = 0x2000_0000;
const CLONE_NEWUSER: u64 = 0x1000_0000;

/// How well something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// All of it.
    Ok,
    /// Some of it, or some of the time.
    Limited,
    /// Not at all.
    No,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// How well it works.
    pub grade: Grade,
    /// What that means, one sentence.
    pub why: String,
    /// Whether there is no checkpoint or no restart without it.
    pub is_needed: bool,
}

/// Looks at everything. The process must have one thread: it forks.
///
/// # Errors
/// Only when no process can be made to try things on.
pub fn examine() -> io::Result<Vec<Finding>> {
    let subject = Subject::new()?;
    let pid = subject.0;
    let status =
        fs::read("/proc/self/status").ok().and_then(|text| parse_status(&text).ok()).unwrap_or_default();
    let mut found = vec![kernel(), architecture(), tracing_own(pid), page_scan(), memory_layout(), rseq(pid)];
    found.extend([descriptors(pid), comparing(pid)]);
    // Its id is free once it is gone, and nobody else's as soon as this.
    drop(subject);
    found.extend([same_pid(pid), namespaces(pid), others(&status), limits(&status), priorities(&status)]);
    Ok(found)
}

/// A child that waits, to try things on.
struct Subject(i32);

impl Subject {
    fn new() -> io::Result<Self> {
        match fork()? {
            Side::Front(pid) => Ok(Self(pid)),
            Side::Worker => loop {
                std::thread::park();
            },
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        process::kill_and_reap(self.0);
    }
}

fn needed(what: &'static str, grade: Grade, why: impl Into<String>) -> Finding {
    Finding { what, grade, why: why.into(), is_needed: true }
}

fn useful(what: &'static str, grade: Grade, why: impl Into<String>) -> Finding {
    Finding { what, grade, why: why.into(), is_needed: false }
}

fn kernel() -> Finding {
    const WHAT: &str = "kernel";
    let release = uname().map(|uts| uts.release().to_string_lossy().into_owned()).unwrap_or_default();
    match KernelVersion::parse(&release) {
        Some(version) if (version.major, version.minor) >= (6, 7) => {
            needed(WHAT, Grade::Ok, format!("Linux {release}"))
        }
        _ => needed(WHAT, Grade::No, format!("Linux {release}, but 6.7 is the first with PAGEMAP_SCAN")),
    }
}

fn architecture() -> Finding {
    match std::env::consts::ARCH {
        "x86_64" => needed("processor", Grade::Ok, "x86-64"),
        other => needed("processor", Grade::No, format!("{other} is not known yet, only x86-64 is")),
    }
}

fn tracing_own(pid: i32) -> Finding {
    const WHAT: &str = "stopping processes";
    let seized =
        ptrace::seize(pid, false).and_then(|()| ptrace::interrupt(pid)).and_then(|()| ptrace::wait(pid));
    if let Err(error) = seized {
        let why = format!(
            "a process of ours cannot be traced ({error}): a seccomp filter or Yama forbids ptrace(2)"
        );
        return needed(WHAT, Grade::No, why);
    }
    match fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default().trim() {
        "" | "0" => needed(WHAT, Grade::Ok, "every process of the same user"),
        "1" => needed(
            WHAT,
            Grade::Limited,
            "Yama (kernel.yama.ptrace_scope = 1) lets users trace descendants only; CAP_SYS_PTRACE is exempt",
        ),
        scope => needed(
            WHAT,
            Grade::Limited,
            format!("Yama (kernel.yama.ptrace_scope = {scope}) leaves it to those with CAP_SYS_PTRACE"),
        ),
    }
}

fn page_scan() -> Finding {
    const WHAT: &str = "finding pages";
    let masks =
        pagemap::ScanMasks { category_inverted: 0, category_mask: 0, category_anyof: 0, return_mask: 0 };
    let scanned = File::open("/proc/self/pagemap")
        .and_then(|pagemap| pagemap::scan(&pagemap, 0, 4096, &masks, &mut Vec::new()));
    match scanned {
        Ok(()) => needed(WHAT, Grade::Ok, "PAGEMAP_SCAN tells what memory holds without reading it"),
        Err(error) => {
            needed(WHAT, Grade::No, format!("PAGEMAP_SCAN of /proc/PID/pagemap is missing ({error})"))
        }
    }
}

fn memory_layout() -> Finding {
    const WHAT: &str = "memory layout";
    match host::mm_map_size() {
        Ok(_) => needed(WHAT, Grade::Ok, "PR_SET_MM_MAP puts back heap, stack, arguments and program"),
        Err(error) => needed(
            WHAT,
            Grade::No,
            format!(
                "PR_SET_MM_MAP is missing ({error}): the kernel is built without CONFIG_CHECKPOINT_RESTORE"
            ),
        ),
    }
}

fn rseq(pid: i32) -> Finding {
    const WHAT: &str = "rseq";
    // The subject stands still since it was seized.
    match ptrace::get_rseq(pid) {
        Ok(_) => needed(WHAT, Grade::Ok, "PTRACE_GET_RSEQ_CONFIGURATION tells where it is registered"),
        Err(error) => needed(WHAT, Grade::No, format!("PTRACE_GET_RSEQ_CONFIGURATION fails ({error})")),
    }
}

fn descriptors(pid: i32) -> Finding {
    const WHAT: &str = "open files";
    let any = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()
        .and_then(|mut fds| fds.find_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()));
    let Some(fd) = any else {
        return needed(WHAT, Grade::Ok, "pidfd_getfd(2) was not tried: this command has no descriptor open");
    };
    match pidfd::open(pid).and_then(|pidfd| pidfd::getfd(&pidfd, fd)) {
        Ok(_) => needed(WHAT, Grade::Ok, "pidfd_getfd(2) duplicates descriptors of other processes"),
        Err(error) => {
            needed(WHAT, Grade::No, format!("pidfd_getfd(2) fails ({error}): a seccomp filter forbids it"))
        }
    }
}

fn comparing(pid: i32) -> Finding {
    const WHAT: &str = "shared files";
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    match kcmp::file(own, 0, pid, 0) {
        // A descriptor that is not open is no fault of the call.
        Err(error) if error.raw_os_error() != Some(libc::EBADF) => needed(
            WHAT,
            Grade::No,
            format!("kcmp(2) fails ({error}): without CONFIG_KCMP duplicates cannot be told from others"),
        ),
        _ => needed(WHAT, Grade::Ok, "kcmp(2) tells duplicates of a descriptor from others"),
    }
}

fn same_pid(pid: i32) -> Finding {
    const WHAT: &str = "same pid";
    match process::fork_stub(pid) {
        Ok(child) => {
            process::kill_and_reap(child);
            useful(WHAT, Grade::Ok, "a process gets its old pid back here, if it is free")
        }
        Err(error) => useful(
            WHAT,
            Grade::Limited,
            format!("choosing a pid takes CAP_CHECKPOINT_RESTORE ({error}): a namespace of its own keeps it"),
        ),
    }
}

fn namespaces(pid: i32) -> Finding {
    const WHAT: &str = "pid namespaces";
    let try_with = |flags| {
        process::fork_in_namespace(pid, flags).map(|(init, _)| {
            // Its end ends all in its namespace.
            process::kill_and_reap(init);
        })
    };
    match (try_with(CLONE_NEWPID), try_with(CLONE_NEWPID | CLONE_NEWUSER)) {
        (Ok(()), _) => useful(WHAT, Grade::Ok, "a process whose pid is taken gets a namespace of its own"),
        (_, Ok(())) => {
            useful(WHAT, Grade::Ok, "a process whose pid is taken gets a user and pid namespace of its own")
        }
        (_, Err(error)) => useful(
            WHAT,
            Grade::Limited,
            format!(
                "none can be made ({error}): a restart needs the old pid to be free and CAP_CHECKPOINT_RESTORE"
            ),
        ),
    }
}

/// Whether a capability (capabilities(7)) is effective.
fn has(status: &Status, capability: u32) -> bool {
    status.cap_eff & 1 << capability != 0
}

fn others(status: &Status) -> Finding {
    const WHAT: &str = "other users";
    const CAP_SYS_PTRACE: u32 = 19;
    if has(status, CAP_SYS_PTRACE) {
        useful(WHAT, Grade::Ok, "CAP_SYS_PTRACE lets us checkpoint any user's processes")
    } else {
        useful(
            WHAT,
            Grade::Limited,
            "without CAP_SYS_PTRACE only processes of the same user can be checkpointed",
        )
    }
}

fn limits(status: &Status) -> Finding {
    const WHAT: &str = "raising limits";
    const CAP_SYS_RESOURCE: u32 = 24;
    if has(status, CAP_SYS_RESOURCE) {
        useful(WHAT, Grade::Ok, "CAP_SYS_RESOURCE puts back any hard limit and OOM score")
    } else {
        useful(
            WHAT,
            Grade::Limited,
            "without CAP_SYS_RESOURCE a restart cannot give hard limits above ours or a lower OOM score",
        )
    }
}

fn priorities(status: &Status) -> Finding {
    const WHAT: &str = "priorities";
    const CAP_SYS_NICE: u32 = 23;
    if has(status, CAP_SYS_NICE) {
        useful(WHAT, Grade::Ok, "CAP_SYS_NICE puts back any scheduling policy and nice value")
    } else {
        useful(
            WHAT,
            Grade::Limited,
            "without CAP_SYS_NICE a restart cannot give real-time policies or lower nice values",
        )
    }
}

/// Allows this process as many open files as it may have: a checkpoint holds some of each process and each open file of a
/// tree, a restart too. For processes that are there for one of the two alone.
pub fn allow_many_files() {
    // Without it a big tree fails later, and says why.
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
