//! The conductor of a restart: it orders the steps and says what is undone when one fails.
//!
//! 1. read: everything up to the contents; the tree is put together;
//! 2. host: this processor and kernel can take it;
//! 3. open: every file, pipe and other descriptor, in this process, so that the new one inherits them;
//! 4. create: a stub with the right process id, emptied, its descendants, and the areas of the image;
//! 5. contents: pages and files are filled as they are read, up to TAIL, every checksum compared;
//! 6. build: descriptors, threads, signals, timers, limits, credentials;
//! 7. go: final registers; the stubs become the processes and run.
//!
//! Nothing of the image runs before step 7, so an image that turns out to be damaged at its last byte has had no
//! effect. Undone on failure: the [`Stub`] guards kill the processes being built; files made for them never had a name.

mod replace;
mod source;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use stasis_format::encoding::Encoding;
use stasis_format::error::ReadError;
use stasis_format::extent::ExtentHead;
use stasis_format::header::Kind;
use stasis_format::parser::Event;
use stasis_format::reader::{Reader, decode_extent};
use stasis_format::record::{Body, Creds};
use stasis_format::show::hex;

use crate::arch;
use crate::checkpoint::uuid;
use crate::image::model::{BuildError, Builder, MmState, TaskState, Tree};
use crate::kinds::fd::inodes;
use crate::kinds::fd::kind::Redirects;
use crate::kinds::fd::table::Descriptors;
use crate::kinds::task::kind::Making;
use crate::kinds::task::{creds, process as limits, thread};
use crate::kinds::{RestoreError, task, tree as tree_kinds};
use crate::memory::areas as memory;
use crate::memory::fill::{Filler, Space};
use crate::procfs::{self, Proc};
use crate::progress::Progress;
use crate::rights::values;
use crate::sys::process;
use crate::tracee::code;
use crate::tracee::exec_replace::TakeoverError;
use crate::tracee::handover::{Channel, Numbers};
use crate::tracee::stub::{Call, Stub, StubError};
use crate::tracee::wait::PutBack;
use crate::tree::ids::{self, Identity};
use crate::tree::respawn::{self, Plan, Stubs};

pub use replace::{NotReplaced, into};

/// The steps in order, as [`Progress::step`] announces them.
pub const STEPS: &[&str] = &["read", "host", "open", "create", "contents", "build", "go"];

/// [`Task::state`](stasis_format::record::Task::state) of a process that job control has stopped.
const STOPPED: u32 = 1;

/// What is wanted of a restart.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--fd N=PATH`: what takes the place of descriptor N.
    pub redirects: BTreeMap<u32, PathBuf>,
    /// Take files that changed as they are.
    pub force_files: bool,
    /// Nobody but whoever restarts can have written the image: what it says that a process held beyond its rights is so.
    pub proven: bool,
    /// We may trace the process that is replaced, but whoever asked may not trace others: no program is executed in it that
    /// could gain rights by that.
    pub on_behalf: bool,
    /// The process is nobody's child here: it is to outlive the caller, who does not wait for it.
    pub detach: bool,
}

/// A restarted process. It runs, and is a child of the caller unless it was detached.
#[derive(Debug, Clone)]
pub struct Restarted {
    /// The child to wait for: the process itself, or the init of the namespace that was made for it.
    pub child: i32,
    /// The process as the caller sees it.
    pub pid: i32,
    /// The process as it sees itself.
    pub own_pid: i32,
    /// It and its descendants, zombies apart, as the caller sees them.
    pub pids: Vec<i32>,
}

/// Why nothing was restarted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image is damaged, or none.
    #[error("the image cannot be used: {0}")]
    Read(#[from] ReadError),
    /// Its records do not make a tree.
    #[error("the image cannot be used: {0}")]
    Build(#[from] BuildError),
    /// The image is of revision 1, which holds no process.
    #[error("this is an image of revision {0}, which holds a name but no process to restart")]
    Revision(u16),
    /// State stands behind page contents, as the format allows.
    #[error("the {0} record at offset {1:#x} stands behind page contents, where no state is read yet")]
    Late(Kind, u64),
    /// The host is not what the image needs.
    #[error("{0}")]
    Host(String),
    /// Whoever restarts lacks a right.
    #[error("{0}")]
    Rights(String),
    /// Ids that processes of the image had are somebody else's.
    #[error(
        "the process ids {} of the image are taken; a process that is replaced cannot get a namespace for them, so end \
         those first",
        .0.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
    )]
    Busy(Vec<u32>),
    /// Something could not be put back.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The new process could not be built.
    #[error(transparent)]
    Stub(#[from] StubError),
    /// The process that is to be replaced could not be taken over.
    #[error(transparent)]
    Takeover(#[from] TakeoverError),
    /// It was called off.
    #[error("the restart was called off")]
    Cancelled,
}

/// Restarts the image that `source` gives, and takes not one byte behind its TAIL.
pub fn restart<R: Read + Send>(
    source: R,
    opts: &Options,
    progress: &dyn Progress,
) -> Result<Restarted, Error> {
    progress.step("read");
    let mut reader = Reader::new(source);
    let (tree, first) = read_metadata(&mut reader)?;

    progress.step("host");
    values::judge(&tree, opts.proven).map_err(Error::Host)?;
    check_host(&tree)?;
    check_creds(&tree, &creds_of(std::process::id() as i32)?)?;

    judge_tree(&tree)?;

    progress.step("open");
    let redirects = Redirects { paths: opts.redirects.clone(), standard: None };
    let mut descriptors = Descriptors::judge(&tree, redirects, opts.force_files, opts.proven)?;
    let (mut channel, inherited) = Channel::new().map_err(RestoreError::io("making a socket"))?;

    progress.step("create");
    let plan = plan(&tree)?;
    let root = root_of(&tree)?;
    let pid = root.task.pid;
    let unnamed = |e: ids::NoIdentity| Error::Host(e.to_string());
    let mut identity = ids::create(pid, &respawn::ids(&plan, &tree.tasks), opts.detach).map_err(unnamed)?;
    let mut numbers = Numbers::default();
    let mut raise = |identity: &Identity, channel: &mut Channel| -> Result<Stubs, Error> {
        let mut stub = Stub::adopt(identity.pid, pid)?;
        empty(&mut stub, &tree)?;
        limits::raise_rlimits(&mut stub)?;
        numbers = channel.clear(&mut stub, &descriptors.numbers())?;
        if opts.detach && root.task.sid != root.task.pid && tree.tasks.iter().any(|t| t.task.state == STOPPED)
        {
            // When we end, the kernel sends SIGHUP to what is stopped in a group that loses its last tie to its session.
            stub.call(Call::new("a process group of its own", libc::SYS_setpgid, &[0, 0]))?;
        }
        make_tree(&mut stub, &tree)?;
        Ok(Stubs::raise(stub, &plan, &tree.tasks)?)
    };
    let mut stubs = raise(&identity, &mut channel);
    // Somebody took an id just now, or a group or session still has it.
    if matches!(&stubs, Err(Error::Stub(e)) if respawn::is_taken(e)) && identity.is_here() {
        drop(identity);
        identity = ids::in_namespace(pid, std::io::ErrorKind::AlreadyExists.into()).map_err(unnamed)?;
        stubs = raise(&identity, &mut channel);
    }
    let mut stubs = stubs?;
    let pids = stubs.living().map(|stub| stub.pid).collect();
    drop(inherited);
    descriptors.used = vec![numbers; tree.tasks.len()];
    finish(stubs, &mut reader, first, &tree, (descriptors, channel), progress)?;
    let child = identity.keep();
    Ok(Restarted { child, pid: identity.pid, own_pid: pid as i32, pids })
}

/// Whether what belongs to the tree as a whole can be made here.
fn judge_tree(tree: &Tree) -> Result<(), Error> {
    let complaints: Vec<String> = tree_kinds::KINDS.iter().flat_map(|kind| kind.judge(tree)).collect();
    if complaints.is_empty() { Ok(()) } else { Err(Error::Host(complaints.join("; "))) }
}

/// What belongs to the tree as a whole, in a first process that is empty.
fn make_tree(stub: &mut Stub, tree: &Tree) -> Result<(), Error> {
    let flags = tree_kinds::KINDS.iter().fold(0, |flags, kind| flags | kind.namespaces(tree));
    if flags != 0 {
        let what = format!("namespaces of its own (unshare(2), {flags:#x})");
        stub.call(Call::new(what, libc::SYS_unshare, &[flags]))?;
    }
    tree_kinds::KINDS.iter().try_for_each(|kind| kind.make(&mut tree_kinds::kind::Making { stub, tree }))?;
    Ok(())
}

fn undecodable(extent: &ExtentHead, why: &dyn std::fmt::Display) -> Error {
    Error::Host(format!("the extent at offset {:#x} cannot be decoded: {why}", extent.offset))
}

fn root_of(tree: &Tree) -> Result<&TaskState, Error> {
    Ok(tree.tasks.first().ok_or(BuildError::Missing("task"))?)
}

/// The order in which the processes come into being, if there is one.
fn plan(tree: &Tree) -> Result<Plan, Error> {
    respawn::plan(&tree.tasks).map_err(|respawn::Impossible { pid, why }| {
        Error::Host(format!("process {pid} of the image cannot be restarted: {why}"))
    })
}

fn check_creds(tree: &Tree, ours: &Creds) -> Result<(), Error> {
    let threads = tree.tasks.iter().flat_map(|t| &t.threads);
    let mut wanted = threads.filter_map(|thread| tree.creds.get(&thread.thread.creds));
    wanted.try_for_each(|want| creds::check(want, ours)).map_err(Error::Host)
}

/// What a process of the image is made of, beside its stub.
struct Site<'t> {
    task: TaskState,
    mm: &'t MmState,
}

impl Site<'_> {
    fn making<'a>(&'a mut self, stub: &'a mut Stub, tree: &'a Tree, own: &'a Creds) -> Making<'a> {
        Making { stub, tree, task: &mut self.task, mm: self.mm, own, directories: &[] }
    }
}

/// From empty stubs to running processes.
fn finish<R: Read>(
    mut stubs: Stubs,
    reader: &mut Reader<R>,
    first: Option<ExtentHead>,
    tree: &Tree,
    (mut descriptors, channel): (Descriptors, Channel),
    progress: &dyn Progress,
) -> Result<(), Error> {
    let mut sites = Vec::with_capacity(tree.tasks.len());
    for task in tree.tasks.iter().filter(|task| !task.is_zombie()) {
        sites.push(Site { mm: part(&tree.mms, task.task.mm, "address space")?, task: task.clone() });
    }
    let mut works: Vec<(&mut Stub, &mut Site)> = stubs.living().zip(&mut sites).collect();
    // In a user namespace of its own it has other capabilities than we have.
    let own = creds_of(works.first().map_or(0, |(stub, _)| stub.pid))?;
    for (i, (stub, site)) in works.iter_mut().enumerate() {
        let lent = descriptors.lend_mapped(&channel, stub, i, site.mm)?;
        memory::restore_layout(stub, site.mm, &lent)?;
        descriptors.take_back(&channel, stub, i, &lent.into_values().collect::<Vec<_>>())?;
    }
    descriptors.place(&channel, works.iter_mut().map(|(stub, site)| (&mut **stub, &site.task)))?;

    progress.step("contents");
    let mut filler = filler(tree, &mut works, &mut descriptors)?;
    fill(reader, first, &mut filler, progress)?;
    drop(filler);

    progress.step("build");
    descriptors.connect(&channel, works.iter_mut().map(|(stub, _)| &mut **stub).collect())?;
    for (i, (stub, site)) in works.iter_mut().enumerate() {
        let exe = descriptors.lend_program(&channel, stub, i, site.mm.mm.exe)?;
        memory::restore_attributes(stub, tree, site.mm, exe)?;
        descriptors.take_back(&channel, stub, i, exe.as_slice())?;
        let directories = descriptors.lend_directories(&channel, stub, i, site.task.task.fs)?;
        for kind in task::KINDS {
            kind.make(&mut Making { directories: &directories, ..site.making(stub, tree, &own) })?;
        }
        descriptors.take_back(&channel, stub, i, &directories)?;
    }

    progress.step("go");
    if progress.cancelled() {
        return Err(Error::Cancelled);
    }
    go(&mut works, tree, &own, descriptors, &channel)?;
    stubs.keep();
    Ok(())
}

/// A process under construction.
type Work<'w, 't> = (&'w mut Stub, &'w mut Site<'t>);

fn part<'a, T>(map: &'a BTreeMap<u32, T>, id: u32, what: &'static str) -> Result<&'a T, Error> {
    map.get(&id).ok_or(Error::Build(BuildError::Missing(what)))
}

/// Reads up to the first extent, or to the index if there is none.
fn read_metadata<R: Read>(reader: &mut Reader<R>) -> Result<(Tree, Option<ExtentHead>), Error> {
    let mut builder = Builder::default();
    while let Some(event) = reader.next_event()? {
        match event {
            Event::Head(head) if head.rev != 2 => return Err(Error::Revision(head.rev)),
            Event::Extent(extent) => return Ok((builder.finish()?, Some(extent))),
            Event::Record(record) if matches!(record.body, Body::Index(_) | Body::IndexEnd(_)) => {
                return Ok((builder.finish()?, None));
            }
            Event::Record(record) => builder.add(record)?,
            Event::Head(_) | Event::Skipped { .. } => {}
            Event::End(_) => break,
        }
    }
    Ok((builder.finish()?, None))
}

/// Whether this processor and kernel can take the image.
fn check_host(tree: &Tree) -> Result<(), Error> {
    if tree.image.has_base() {
        return Err(Error::Host(format!(
            "the image holds only what differs from the image {}, and cannot be restarted without it yet",
            hex(&tree.image.base)
        )));
    }
    if tree.image.arch != arch::ELF_MACHINE {
        return Err(Error::Host(format!(
            "the image was taken on a processor of ELF machine {}, this one is {}",
            tree.image.arch,
            arch::ELF_MACHINE
        )));
    }
    if tree.image.page_size != 4096 {
        return Err(Error::Host(format!("the image has pages of {} bytes", tree.image.page_size)));
    }
    tree.mms.values().try_for_each(memory::judge_vdso)?;
    Ok(())
}

/// The credentials of ourselves or of a fork of ours.
fn creds_of(pid: i32) -> Result<Creds, Error> {
    let unreadable = |e: String| Error::Host(format!("the credentials of process {pid} cannot be read: {e}"));
    let proc = Proc::open(pid).map_err(|e| unreadable(e.to_string()))?;
    let text = proc.read("status").map_err(|e| unreadable(e.to_string()))?;
    let status = procfs::parse_status(&text).map_err(|e| unreadable(e.to_string()))?;
    let mut tree = Tree::default();
    let id =
        creds::capture(&mut tree, &status, process::securebits()).map_err(|e| unreadable(e.to_string()))?;
    Ok(tree.creds.remove(&id).unwrap_or_default())
}

/// Gives the stub its boot area, at an address that no process of the tree needs, and takes all its other memory.
fn empty(stub: &mut Stub, tree: &Tree) -> Result<(), Error> {
    let pid = stub.pid;
    let unreadable =
        |e: String| Error::Host(format!("the memory map of the new process {pid} cannot be read: {e}"));
    let text = std::fs::read(format!("/proc/{pid}/maps")).map_err(|e| unreadable(e.to_string()))?;
    let maps = procfs::parse_maps(&text).map_err(|e| unreadable(e.to_string()))?;
    let areas = tree.mms.values().flat_map(|mm| &mm.vmas).map(|v| (v.start, v.end));
    let boot = memory::boot_address(maps.iter().map(|m| (m.start, m.end)).chain(areas).collect())
        .ok_or_else(|| Error::Host("the image leaves no room in its address space to work from".into()))?;
    let insn = maps.iter().filter(|m| m.exec && m.read && m.path != b"[vsyscall]").map(|m| (m.start, m.end));
    let insn = code::find(pid, insn, &arch::SYSCALL_INSN)
        .ok_or_else(|| unreadable("no system call instruction in it".into()))?;
    stub.map_boot(insn, boot)?;
    stub.forget_rseq()?;
    Ok(memory::clear(stub)?)
}

/// Where contents go.
fn filler<'a, 't: 'a>(
    tree: &Tree,
    works: &mut [Work<'_, 't>],
    descriptors: &'a mut Descriptors,
) -> Result<Filler<'a>, Error> {
    let mut spaces = BTreeMap::new();
    for (stub, Site { task, mm }) in works {
        spaces.insert(task.task.mm, Space::open(stub, mm)?);
    }
    let mut filler =
        Filler { spaces, inodes: BTreeMap::new(), streams: &mut descriptors.streams, ignored: Vec::new() };
    for (id, inode) in inodes::embedded(tree) {
        match descriptors.made.get(&id) {
            Some(fd) => {
                let fd = fd.try_clone().map_err(RestoreError::io("duplicating a descriptor"))?;
                filler.inodes.insert(id, (fd, inode.size));
            }
            // The file itself is still there and is used.
            None => filler.ignored.push(id),
        }
    }
    Ok(filler)
}

/// Reads the rest of the image, up to TAIL, and fills contents in.
///
/// One thread does both: what has just been read and summed up is still in this processor's cache when it is copied on.
/// Two threads were measured to be slower, see docs/performance.md.
fn fill<R: Read>(
    reader: &mut Reader<R>,
    first: Option<ExtentHead>,
    filler: &mut Filler,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let mut data = Vec::new();
    let mut next = first;
    loop {
        if let Some(extent) = next.take() {
            reader.extent_data(&mut data)?;
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            put(filler, &extent, &data)?;
            progress.advance(extent.page_bytes());
        }
        match reader.next_event()? {
            Some(Event::Extent(extent)) => next = Some(extent),
            Some(Event::Record(record)) if !matches!(record.body, Body::Index(_) | Body::IndexEnd(_)) => {
                return Err(Error::Late(record.body.kind(), record.offset));
            }
            Some(_) => {}
            None => return Ok(()),
        }
    }
}

fn put(filler: &mut Filler, extent: &ExtentHead, stored: &[u8]) -> Result<(), Error> {
    match extent.encoding {
        Encoding::NONE => filler.fill(extent.parent, &extent.runs, stored)?,
        Encoding::ZERO => filler.fill(extent.parent, &extent.runs, &[])?,
        _ => {
            let data = decode_extent(extent, stored).map_err(|e| undecodable(extent, &e))?;
            filler.fill(extent.parent, &extent.runs, &data)?;
        }
    }
    Ok(())
}

/// Everything is armed, the boot areas go, and the processes run: none of them before all can.
fn go(
    works: &mut [Work],
    tree: &Tree,
    own: &Creds,
    mut descriptors: Descriptors,
    channel: &Channel,
) -> Result<(), Error> {
    let same_boot = tree.image.boot_id == uuid("boot_id");
    descriptors.arm(channel, works.iter_mut().map(|(stub, _)| &mut **stub).collect(), same_boot)?;
    drop(descriptors);
    if let Some((stub, _)) = works.first_mut() {
        tree_kinds::KINDS
            .iter()
            .try_for_each(|kind| kind.arm(&mut tree_kinds::kind::Making { stub, tree }))?;
    }
    for (stub, site) in &mut *works {
        channel.close(stub)?;
        for kind in task::KINDS {
            kind.arm(&mut site.making(stub, tree, own))?;
        }
    }
    let mut starts = Vec::with_capacity(works.len());
    for (stub, site) in &mut *works {
        let tids = stub.tids.clone();
        let threads = tids.iter().zip(&site.task.threads);
        let resumed = threads.map(|(tid, state)| thread::resume_wait(stub, *tid, state));
        starts.push(resumed.collect::<Result<Vec<_>, _>>()?);
        stub.leave_boot()?;
    }
    for ((stub, Site { task, .. }), starts) in works.iter().zip(&starts) {
        for ((tid, state), start) in stub.tids.iter().zip(&task.threads).zip(starts) {
            thread::restore_cpu(*tid, state, start)?;
        }
        if task.task.state == STOPPED {
            process::tgkill(stub.pid, stub.pid, libc::SIGSTOP)
                .map_err(RestoreError::io("stopping the process again"))?;
        }
    }
    works.iter().try_for_each(|(stub, _)| stub.release())?;
    PutBack::all(starts.into_iter().flatten().filter_map(|start| start.put_back).collect());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno;

    #[test]
    fn an_image_of_a_kernel_with_another_vdso_is_invalid_before_anything_is_done() {
        let mut tree = Tree::default();
        (tree.image.arch, tree.image.page_size) = (arch::ELF_MACHINE, 4096);
        let mut mm = MmState::default();
        (mm.context.vdso, mm.context.vdso_checksum) = (0x7000_0000, 1);
        tree.mms.insert(1, mm);
        let error = check_host(&tree).unwrap_err();
        assert!(error.to_string().contains("vDSO"), "{error}");
        assert_eq!(errno::of_restart(&error), libc::EINVAL);
    }
}
