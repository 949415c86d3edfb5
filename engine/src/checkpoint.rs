//! The conductor of a checkpoint: it orders the steps and says what is undone when one fails.
//!
//! 1. look: is this a process that can be taken at all;
//! 2. seize: every thread of it and of all its descendants stands still;
//! 3. capture: every kind of state, into memory; reasons to refuse are collected, none ends the survey;
//! 4. metadata, contents: the image is written;
//! 5. finish: the processes run on, and the caller makes the image durable and gives it its name; if they are to be
//!    killed they are so after that.
//!
//! Undone on failure: the [`Family`] guard puts every thread back and detaches; the image has no name before step 5,
//! so nothing of it stays.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use stasis_format::head::{Head, KernelVersion};
use stasis_format::record::Image;
use stasis_format::writer::{WriteError, Writer};

use crate::arch;
use crate::image::model::{self, TaskState, Tree};
use crate::kinds::fd::descriptions::Descriptions;
use crate::kinds::fd::kind::Settling;
use crate::kinds::fd::table;
use crate::kinds::task::{process, thread};
use crate::kinds::tree::kind::Capturing;
use crate::kinds::{Capture, CaptureError, Contents, task, tree as tree_kinds};
use crate::memory::areas;
use crate::memory::pages::{self, ContentsError, Storage};
use crate::procfs::{self, Proc, Status};
use crate::progress::Progress;
use crate::refusal::{Loss, Reason, Survey};
use crate::rights::caller;
use crate::sys::creds::Whole;
use crate::sys::kcmp::Shared;
use crate::tracee::stops;
use crate::tracee::target::TargetError;
use crate::tree::respawn;
use crate::tree::seize::{Family, Sharing};

/// The steps in order, as [`Progress::step`] announces them.
pub const STEPS: &[&str] = &["look", "seize", "capture", "metadata", "contents", "finish"];

/// What is wanted of a checkpoint.
#[derive(Debug, Clone)]
pub struct Options {
    /// Kinds of state that may be given up with a warning.
    pub allow: Vec<Loss>,
    /// Put mapped and opened files into the image.
    pub embed_files: bool,
    /// Connections of TCP that lead outside come back as reset, instead of being refused.
    pub close_connections: bool,
    /// How contents are encoded.
    pub storage: Storage,
    /// Kill the processes once the image is complete.
    pub kill: bool,
    /// A thread that waits in a system call for this checkpoint, and what the call returns in the image.
    pub answer: Option<Answer>,
    /// What that call returns in the process that runs on, if it is not to be made again. Only of a checkpoint that
    /// succeeds.
    pub live_answer: Option<i64>,
    /// What belongs to whoever makes the checkpoint.
    pub leave_out: LeaveOut,
}

/// In the image a thread is behind the system call that it is in. The thread itself stays in its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The thread.
    pub tid: i32,
    /// What the call returns in the image.
    pub value: i64,
}

/// Parts of the process that are there for the checkpoint only, so they are neither in the image nor in its way.
#[derive(Debug, Clone, Default)]
pub struct LeaveOut {
    /// Numbers of descriptors of the root.
    pub fds: Vec<i32>,
    /// Numbers of descriptors of our own, whose descriptions a process of the tree may have by a fork(2) in between.
    pub ours: Vec<i32>,
    /// Number of the descriptor that the image goes to. After a restart it leads to where the standard descriptor of that
    /// number of whoever restarts leads, and to /dev/null if it is none.
    pub image: Option<i32>,
    /// Child processes, with theirs.
    pub children: Vec<i32>,
    /// A seccomp filter, if it is the only one.
    pub seccomp: bool,
    /// Whoever asked, where we have rights only to look at the process itself: its descendants must be his to trace, and what
    /// files hold his to read.
    pub on_behalf: Option<Whole>,
}

impl LeaveOut {
    /// Whether what seccomp does to the process is ours and lets every call pass that is made inside of it.
    pub fn has_seccomp_of(&self, status: &Status) -> bool {
        // Mode 2 of proc_pid_status(5): filters.
        self.seccomp && status.seccomp == 2 && status.seccomp_filters == 1
    }
}

impl Default for Options {
    fn default() -> Self {
        let storage = Storage { encoding: stasis_format::encoding::Encoding::NONE, level: 0 };
        Self {
            allow: Vec::new(),
            embed_files: false,
            close_connections: false,
            storage,
            kill: false,
            answer: None,
            live_answer: None,
            leave_out: LeaveOut::default(),
        }
    }
}

/// What a checkpoint came to.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Processes in the image.
    pub tasks: usize,
    /// Threads in the image.
    pub threads: usize,
    /// Length of the image in bytes.
    pub image_bytes: u64,
    /// Bytes of contents before encoding.
    pub page_bytes: u64,
    /// Bytes of contents as stored.
    pub stored_bytes: u64,
    /// How long the processes stood still.
    pub frozen: Duration,
    /// What was given up on request, in words.
    pub warnings: Vec<String>,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process cannot be taken at all.
    #[error("{0}")]
    NotATarget(String),
    /// It is not for whoever asks.
    #[error("process {0} is among its descendants, and whoever asks may not trace that")]
    Rights(i32),
    /// Seizing failed.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Something could not be captured.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// State that cannot be carried over: all of it.
    #[error("{}", list(.0))]
    Refused(Vec<Reason>),
    /// Metadata could not be written.
    #[error("the image could not be written")]
    Write(#[from] WriteError),
    /// Contents could not be written.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// The image could not be completed.
    #[error("the image could not be completed: {0}")]
    Finish(io::Error),
    /// The host could not be asked about itself.
    #[error("{what} could not be read: {source}")]
    Host {
        /// What.
        what: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
}

fn list(reasons: &[Reason]) -> String {
    let reasons: Vec<String> = reasons.iter().map(|r| format!("\n  - {r}")).collect();
    format!("the checkpoint is refused because state would be lost:{}", reasons.concat())
}

/// Takes a checkpoint of a process and all its descendants into `sink`.
///
/// `finish` gets the sink back when the image is complete, before processes that are to be killed are: it makes the image
/// durable. Whatever fails, all of them run on as before.
pub fn checkpoint<W: Write>(
    pid: i32,
    sink: W,
    opts: &Options,
    progress: &dyn Progress,
    finish: &mut dyn FnMut(W) -> io::Result<()>,
) -> Result<Summary, Error> {
    step(progress, "look")?;
    look(pid)?;
    let head = head()?;

    step(progress, "seize")?;
    let (since, stopped_before) = (Instant::now(), stops::round_trips());
    let mut family = if opts.allow.contains(&Loss::Children) {
        Family::of_one(pid)?
    } else {
        Family::seize(pid, &opts.leave_out.children, judge)?
    };

    if let Some(who) = &opts.leave_out.on_behalf {
        for member in family.members.iter().filter(|member| member.pid != pid) {
            let may = caller::may_trace(member.pid, who);
            if !may.map_err(|source| Error::Host { what: "the credentials of a child", source })? {
                return Err(Error::Rights(member.pid));
            }
        }
    }

    step(progress, "capture")?;
    let mut survey = Survey::new(&opts.allow);
    let mut contents = Contents::default();
    let mut tree = Tree { image: image(opts)?, ..Tree::default() };
    let captured = capture_family(&mut family, opts, &mut tree, &mut survey, &mut contents);
    // Reasons come before a failure: what cannot be carried over is often why something could not be read.
    if !survey.reasons.is_empty() {
        return Err(Error::Refused(survey.reasons));
    }
    captured?;
    family.settle()?;
    tracing::info!("{} stops of threads", stops::round_trips() - stopped_before);
    tree.warnings = survey.warnings;

    step(progress, "metadata")?;
    let mut writer = Writer::new(sink, &head)?;
    tree.image.head_checksum = writer.head_checksum();
    model::write(&tree, &mut writer)?;

    step(progress, "contents")?;
    pages::write(&contents, &mut writer, opts.storage, progress)?;
    let (sink, totals) = writer.finish()?;

    step(progress, "finish")?;
    // Bringing an image to disk can take seconds. Only a process that is to end has to wait for it: one that runs on
    // loses nothing should it fail.
    let frozen = if opts.kill {
        finish(sink).map_err(Error::Finish)?;
        // No step any more: the image has its name, there is nothing left to call off.
        let frozen = since.elapsed();
        contents.connections.iter().for_each(crate::sys::inet::leave_no_trace);
        family.kill().map_err(Error::Finish)?;
        drop(contents);
        frozen
    } else {
        if let (Some(answer), Some(value)) = (opts.answer, opts.live_answer) {
            family.return_from_call(answer.tid, value);
        }
        family.release();
        let frozen = since.elapsed();
        finish(sink).map_err(Error::Finish)?;
        frozen
    };
    Ok(Summary {
        tasks: tree.tasks.len(),
        threads: tree.tasks.iter().map(|t| t.threads.len()).sum(),
        image_bytes: totals.length,
        page_bytes: totals.page_bytes,
        stored_bytes: totals.stored_bytes,
        frozen,
        warnings: tree.warnings.iter().map(|w| String::from_utf8_lossy(&w.text).into_owned()).collect(),
    })
}

/// Announces a step, and gives up if that is wanted by then.
fn step(progress: &dyn Progress, name: &'static str) -> Result<(), Error> {
    progress.step(name);
    if progress.cancelled() { Err(ContentsError::Cancelled.into()) } else { Ok(()) }
}

/// Says in one sentence why a process cannot be taken, before anything is done to it.
fn look(pid: i32) -> Result<(), Error> {
    let refuse = |why: String| Err(Error::NotATarget(why));
    let Ok(proc) = Proc::open(pid) else { return refuse(format!("there is no process {pid}")) };
    let status = status(&proc, pid)?;
    if status.tgid != pid {
        return refuse(format!("{pid} is a thread of process {}; name the process", status.tgid));
    }
    if proc.readlink("exe").is_err_and(|e| e.raw_os_error() == Some(libc::ENOENT)) && status.state != b'Z' {
        return refuse(kernel_thread(pid));
    }
    judge(&status)
}

fn kernel_thread(pid: i32) -> String {
    format!("process {pid} is a kernel thread, which has no state to save")
}

/// Says in one sentence why a process that is there cannot be taken.
fn judge(status: &Status) -> Result<(), Error> {
    let refuse = |why: String| Err(Error::NotATarget(why));
    let pid = status.tgid;
    if pid == std::process::id() as i32 {
        return refuse("stasis cannot checkpoint itself from outside".into());
    }
    if status.kthread {
        return refuse(kernel_thread(pid));
    }
    if status.state == b'Z' || status.state == b'X' {
        return refuse(format!(
            "process {pid} is a zombie: it has ended and only waits for its parent {}",
            status.ppid
        ));
    }
    if status.tracer_pid != 0 {
        return refuse(format!(
            "process {pid} is traced by process {} (a debugger or strace); detach that first",
            status.tracer_pid
        ));
    }
    if status.shadow_stack {
        return refuse(format!("process {pid} uses a shadow stack, which is not carried over yet"));
    }
    Ok(())
}

fn status(proc: &Proc, pid: i32) -> Result<Status, CaptureError> {
    let text = proc.read("status").map_err(CaptureError::read("the status", pid))?;
    procfs::parse_status(&text).map_err(CaptureError::parse("status", pid))
}

/// Captures all processes, parents before their children.
fn capture_family(
    family: &mut Family,
    opts: &Options,
    tree: &mut Tree,
    survey: &mut Survey,
    contents: &mut Contents,
) -> Result<(), Error> {
    let names = family.names();
    let sharing = family.sharing().map_err(|source| Error::Host { what: "kcmp(2)", source })?;
    for Sharing { pid, other, what } in sharing {
        let part = match what {
            Shared::Memory => "memory",
            Shared::Descriptors => "table of descriptors",
            Shared::Directories => "current directory and umask",
            Shared::SignalActions => "signal actions",
        };
        let what = format!("it shares its {part} with process {other}, as only threads usually do");
        survey.refuse(Loss::Children, pid, what, "try again: after a vfork(2) it does so for a moment only");
    }
    if !survey.reasons.is_empty() {
        return Ok(());
    }
    if opts.allow.contains(&Loss::Children) {
        leave_children(family, opts, survey)?;
    }
    let (mut met, mut to_image) = (Descriptions::default(), None);
    let mut ids = BTreeMap::new();
    let parents = &family.parents;
    let own_parent = |state: &mut TaskState, pid: i32, ids: &BTreeMap<i32, u32>| {
        if let Some(parent) = parents.get(&pid) {
            state.parent = ids.get(parent).copied().unwrap_or(0);
            state.task.ppid = names.get(parent).copied().unwrap_or(0);
        }
    };
    for target in &mut family.members {
        let pid = target.pid;
        let status = status(&target.proc, pid)?;
        let stat = target.proc.read("stat").map_err(CaptureError::read("stat", pid))?;
        let stat = procfs::parse_stat(&stat).map_err(CaptureError::parse("stat", pid))?;
        let mut c = Capture {
            target,
            status: &status,
            stat: &stat,
            answer: opts.answer.filter(|_| !parents.contains_key(&pid)),
            names: &names,
            met: &mut met,
            to_image: &mut to_image,
            locks: Vec::new(),
            tree,
            survey,
            contents,
            embed_files: opts.embed_files,
            leave_out: &opts.leave_out,
        };
        let Some(mut state) = capture_task(&mut c)? else { continue };
        own_parent(&mut state, pid, &ids);
        ids.insert(pid, state.id);
        tree.tasks.push(state);
    }
    for zombie in &family.zombies {
        let mut state = process::capture_zombie(tree, survey, zombie)?;
        own_parent(&mut state, zombie.pid, &ids);
        tree.tasks.push(state);
    }
    if !survey.reasons.is_empty() {
        return Ok(());
    }
    let members: Vec<i32> = family.members.iter().map(|member| member.pid).collect();
    table::settle(&mut Settling {
        met: &met,
        tree,
        survey,
        contents,
        members: &members,
        close_connections: opts.close_connections,
    })?;
    for kind in tree_kinds::KINDS {
        let kill = opts.kill;
        kind.capture(&mut Capturing { tree, survey, contents, names: &names, kill })?;
    }
    tree.image.root = tree.tasks.first().map_or(0, |root| root.id);
    if let Err(respawn::Impossible { pid, why }) = respawn::plan(&tree.tasks) {
        survey.refuse(Loss::Attribute, pid as i32, why, "");
    }
    Ok(())
}

/// `--allow children`: they stay where they are.
fn leave_children(family: &Family, opts: &Options, survey: &mut Survey) -> Result<(), CaptureError> {
    for member in &family.members {
        let children =
            member.proc.children().map_err(CaptureError::read("the list of children", member.pid))?;
        let left: Vec<String> = children
            .iter()
            .filter(|child| !opts.leave_out.children.contains(child))
            .map(i32::to_string)
            .collect();
        if !left.is_empty() {
            survey.lose(Loss::Children, member.pid, format!("its child processes ({})", left.join(", ")), "");
        }
    }
    Ok(())
}

/// Captures one process: memory, descriptors, and every kind of state in turn. Nothing if there are reasons to refuse it at
/// once.
fn capture_task(c: &mut Capture) -> Result<Option<TaskState>, Error> {
    let pid = c.target.pid;
    if c.target.threads.first().is_none_or(|t| t.tid != pid) {
        let what = "its first thread has ended while others run on";
        c.survey.refuse(Loss::Attribute, pid, what, "");
        return Ok(None);
    }
    if c.status.seccomp != 0 && !c.leave_out.has_seccomp_of(c.status) {
        // A filter may kill the process for the calls that would be made inside.
        process::survey(c, c.status)?;
        return Ok(None);
    }
    for index in 0..c.target.threads.len() {
        thread::leave_rseq(c, index)?;
    }
    let mut state = TaskState { id: c.tree.new_id(), ..TaskState::default() };
    state.task.mm = areas::capture(c)?;
    let files = table::capture(c)?;
    for kind in task::KINDS {
        kind.capture(c, &mut state)?;
    }
    state.task.files = files;
    Ok(Some(state))
}

/// The HEAD record: this kernel, now.
pub fn head() -> Result<Head, Error> {
    let uts = nix::sys::utsname::uname()
        .map_err(|e| Error::Host { what: "the kernel's version", source: e.into() })?;
    let bytes = |s: &std::ffi::OsStr| s.as_encoded_bytes().to_vec();
    let release = uts.release().to_string_lossy().into_owned();
    let kernel = KernelVersion::parse(&release).ok_or(Error::Host {
        what: "the kernel's version",
        source: io::Error::new(io::ErrorKind::InvalidData, release.clone()),
    })?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let head = Head::new(2, kernel, now.as_secs());
    Ok(head.with_uts(release.as_bytes(), &bytes(uts.version()), &bytes(uts.machine())))
}

fn image(opts: &Options) -> Result<Image, Error> {
    let clock = |id| {
        nix::time::clock_gettime(id).map_or(0, |t| t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64)
    };
    Ok(Image {
        head_checksum: 0,
        uuid: uuid("uuid"),
        boot_id: uuid("boot_id"),
        realtime: clock(nix::time::ClockId::CLOCK_REALTIME),
        monotonic: clock(nix::time::ClockId::CLOCK_MONOTONIC),
        boottime: clock(nix::time::ClockId::CLOCK_BOOTTIME),
        arch: arch::ELF_MACHINE,
        page_size: 4096,
        flags: u64::from(opts.embed_files) | u64::from(!opts.kill) << 1,
        root: 0,
        uid: nix::unistd::getuid().as_raw(),
        base: [0; 16],
        version: concat!("stasis ", env!("CARGO_PKG_VERSION")).into(),
    })
}

/// One of the identifiers that the kernel gives out (random(4)); zeroes when it does not.
pub fn uuid(name: &str) -> [u8; 16] {
    let text = fs::read_to_string(format!("/proc/sys/kernel/random/{name}")).unwrap_or_default();
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    let mut out = [0u8; 16];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    out
}
