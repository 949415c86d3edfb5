//! The conductor of a restart: it orders the steps and says what is undone when one fails.
//!
//! 1. read: everything up to the contents; the tree is put together;
//! 2. host: this processor and kernel can take it;
//! 3. open: every file, pipe and other descriptor, in this process, so that the new one inherits them;
//! 4. create: a stub with the right process id, emptied, with the areas of the image;
//! 5. contents: pages and files are filled as they are read, up to TAIL, every checksum compared;
//! 6. build: descriptors, threads, signals, timers, limits, credentials;
//! 7. go: final registers; the stub becomes the process and runs.
//!
//! Nothing of the image runs before step 7, so an image that turns out to be damaged at its last byte has had no
//! effect. Undone on failure: the [`Stub`] guard kills the process being built; files made for it never had a name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use stasis_format::encoding::Encoding;
use stasis_format::error::ReadError;
use stasis_format::extent::ExtentHead;
use stasis_format::parser::Event;
use stasis_format::reader::{Reader, decode_extent};
use stasis_format::record::{Body, Creds};

use crate::arch;
use crate::checkpoint::uuid;
use crate::identity;
use crate::model::{BuildError, Builder, MmState, Object, TaskState, Tree};
use crate::procfs::{self, Proc};
use crate::progress::Progress;
use crate::state::files::{self, Opened, Redirects};
use crate::state::fill::{Filler, Space};
use crate::state::{RestoreError, anon, creds, fs, inodes, locks, memory, signals, task, thread, timers};
use crate::stub::{Call, Stub, StubError};
use crate::sys::{self, process};
use crate::takeover::{self, Place, TakeoverError};

/// The steps in order, as [`Progress::step`] announces them.
pub const STEPS: &[&str] = &["read", "host", "open", "create", "contents", "build", "go"];

/// What is wanted of a restart.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--fd N=PATH`: what takes the place of descriptor N.
    pub redirects: BTreeMap<u32, PathBuf>,
    /// Take files that changed as they are.
    pub force_files: bool,
    /// The process is nobody's child here: it is to outlive the caller, who does not wait for it.
    pub detach: bool,
}

/// A restarted process. It runs, and is a child of the caller unless it was detached.
#[derive(Debug, Clone, Copy)]
pub struct Restarted {
    /// The child to wait for: the process itself, or the init of the namespace that was made for it.
    pub child: i32,
    /// The process as the caller sees it.
    pub pid: i32,
    /// The process as it sees itself.
    pub own_pid: i32,
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
    /// The host is not what the image needs.
    #[error("{0}")]
    Host(String),
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

/// Why a process was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum NotReplaced {
    /// It is as it was.
    #[error(transparent)]
    Unharmed(Error),
    /// It was in the middle of becoming another, and has been ended.
    #[error("the process could not be replaced and has ended: {0}")]
    Lost(Error),
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
    check_host(&tree)?;

    progress.step("open");
    let redirects = Redirects { paths: opts.redirects.clone(), standard: None };
    let mut opened = files::open_all(&tree, &redirects, opts.force_files)?;
    files::move_up(&tree, &mut opened)?;

    progress.step("create");
    let t = only_task(&tree)?;
    check_creds(&tree, t, &creds_of(std::process::id() as i32)?)?;
    let identity = identity::create(t.task.pid, opts.detach).map_err(|e| Error::Host(e.to_string()))?;
    let mut stub = Stub::adopt(identity.pid)?;
    empty(&mut stub, part(&tree.mms, t.task.mm, "address space")?)?;
    task::restore_session(&mut stub, &t.task)?;
    task::raise_rlimits(&mut stub)?;
    finish(stub, &mut reader, first, &tree, opened, progress)?;
    let child = identity.keep();
    Ok(Restarted { child, pid: identity.pid, own_pid: t.task.pid as i32 })
}

/// Replaces a running process by the one in the image, as an execve(2) does: its PID, parent, process group and session
/// stay. Takes not one byte behind the image's TAIL.
///
/// All of the image is read and judged first, so that an error of that kind leaves the process as it was. What fails
/// after the process has begun to be another one ends it, as the kernel does in execve(2).
pub fn into(
    place: &Place,
    image: &mut File,
    opts: &Options,
    progress: &dyn Progress,
) -> Result<(), NotReplaced> {
    let unharmed = NotReplaced::Unharmed;
    progress.step("read");
    let mut image = validated(image).map_err(unharmed)?;
    let mut reader = Reader::new(&mut image);
    let (mut tree, first) = read_metadata(&mut reader).map_err(unharmed)?;

    progress.step("host");
    check_host(&tree).map_err(unharmed)?;

    progress.step("open");
    let redirects = Redirects { paths: opts.redirects.clone(), standard: Some(place.standard()) };
    let mut opened = files::open_all(&tree, &redirects, opts.force_files).map_err(|e| unharmed(e.into()))?;
    files::move_up(&tree, &mut opened).map_err(|e| unharmed(e.into()))?;
    let highest = opened.inherited().map(AsRawFd::as_raw_fd).max().unwrap_or(0);
    if !place.has_room(highest) {
        let why = format!("process {} may not have {highest} open files (ulimit -Hn)", place.pid);
        return Err(unharmed(Error::Host(why)));
    }
    let t = only_task(&tree).map_err(unharmed)?;
    let mm = part(&tree.mms, t.task.mm, "address space").map_err(unharmed)?;
    let left = creds_of(place.pid).map_err(unharmed)?;
    check_creds(&tree, t, &creds::after_exec(&left)).map_err(unharmed)?;

    progress.step("create");
    if progress.cancelled() {
        return Err(unharmed(Error::Cancelled));
    }
    // Any program would do; with the image's own /proc/PID/exe is right without a privilege.
    let named = |id| PathBuf::from(std::ffi::OsStr::from_bytes(tree.path_of(id)));
    let programs: Vec<PathBuf> =
        [Some(named(mm.mm.exe)), std::env::current_exe().ok()].into_iter().flatten().collect();
    let (mut stub, socket) = place.take(&programs).map_err(|failure| match failure {
        takeover::Failure::Unharmed(e) => NotReplaced::Unharmed(e.into()),
        takeover::Failure::Lost(e) => NotReplaced::Lost(e.into()),
    })?;
    renumber(&mut tree, place.pid as u32);
    let mut rest = || -> Result<(), Error> {
        let mm = part(&tree.mms, only_task(&tree)?.task.mm, "address space")?;
        empty(&mut stub, mm)?;
        task::raise_rlimits(&mut stub)?;
        timers::disarm(&mut stub)?;
        place.pass(&mut stub, socket, &opened)?;
        Ok(())
    };
    rest().map_err(NotReplaced::Lost)?;
    finish(stub, &mut reader, first, &tree, opened, &PastReturn(progress)).map_err(NotReplaced::Lost)
}

/// Progress that can no longer be called off.
struct PastReturn<'a>(&'a dyn Progress);

impl Progress for PastReturn<'_> {
    fn step(&self, name: &'static str) {
        self.0.step(name);
    }

    fn total(&self, bytes: u64) {
        self.0.total(bytes);
    }

    fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }
}

/// Reads an image to its end, every checksum compared, and gives it back from its beginning: the file itself, or a copy
/// in memory of what can be read only once.
fn validated(image: &mut File) -> Result<File, Error> {
    let io = |source| Error::Read(ReadError::Io { offset: 0, source });
    let start = image.stream_position();
    let seekable = start.is_ok() && image.metadata().is_ok_and(|m| m.is_file());
    if let (true, Ok(start)) = (seekable, start) {
        read_all(&mut *image)?;
        image.seek(SeekFrom::Start(start)).map_err(io)?;
        return image.try_clone().map_err(io);
    }
    let mut copy = File::from(sys::mem::memfd(b"stasis-image", false).map_err(io)?);
    read_all(Tee { source: image, copy: &mut copy })?;
    copy.rewind().map_err(io)?;
    Ok(copy)
}

fn read_all<R: Read>(source: R) -> Result<(), Error> {
    let mut reader = Reader::new(source);
    let mut data = Vec::new();
    while let Some(event) = reader.next_event()? {
        if let Event::Extent(extent) = event {
            reader.extent_data(&mut data)?;
            // What is damaged inside of its encoding shows only here.
            if !matches!(extent.encoding, Encoding::NONE | Encoding::ZERO) {
                decode_extent(&extent, &data).map_err(|e| undecodable(&extent, &e))?;
            }
        }
    }
    Ok(())
}

fn undecodable(extent: &ExtentHead, why: &dyn std::fmt::Display) -> Error {
    Error::Host(format!("the extent at offset {:#x} cannot be decoded: {why}", extent.offset))
}

/// Keeps a copy of what is read.
struct Tee<'a> {
    source: &'a mut File,
    copy: &'a mut File,
}

impl Read for Tee<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.source.read(buf)?;
        self.copy.write_all(buf.get(..n).unwrap_or_default())?;
        Ok(n)
    }
}

fn only_task(tree: &Tree) -> Result<&TaskState, Error> {
    let [t] = tree.tasks.as_slice() else {
        return Err(Error::Host(format!(
            "the image holds {} processes; trees are not restarted yet",
            tree.tasks.len()
        )));
    };
    Ok(t)
}

fn check_creds(tree: &Tree, t: &TaskState, ours: &Creds) -> Result<(), Error> {
    let wanted = t.threads.iter().filter_map(|thread| tree.creds.get(&thread.thread.creds));
    wanted.into_iter().try_for_each(|want| creds::check(want, ours)).map_err(Error::Host)
}

/// Makes the image that of a process with another id.
fn renumber(tree: &mut Tree, pid: u32) {
    let Some(t) = tree.tasks.first_mut() else { return };
    let old = std::mem::replace(&mut t.task.pid, pid);
    if let Some(leader) = t.threads.first_mut() {
        leader.former_tid = (leader.thread.tid != pid).then_some(leader.thread.tid);
        leader.thread.tid = pid;
    }
    t.posix_timers.iter_mut().filter(|timer| timer.tid == old).for_each(|timer| timer.tid = pid);
    for file in tree.files.values_mut().filter(|file| file.owner == old as i32) {
        file.owner = pid as i32;
    }
    for object in tree.objects.values_mut() {
        if let Object::Pidfd(p) = object
            && p.pid == old
        {
            p.pid = pid;
        }
    }
}

/// From an empty stub to a running process.
fn finish<R: Read>(
    mut stub: Stub,
    reader: &mut Reader<R>,
    first: Option<ExtentHead>,
    tree: &Tree,
    mut opened: Opened,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let mut t = only_task(tree)?.clone();
    let mm = part(&tree.mms, t.task.mm, "address space")?;
    // In a user namespace of its own it has other capabilities than we have.
    let own = creds_of(stub.pid)?;
    memory::restore_layout(&mut stub, mm, &opened.mapped, &opened.mapped_writable)?;

    progress.step("contents");
    let mut filler = filler(tree, &t, mm, &mut stub, &opened)?;
    fill(reader, first, &mut filler, progress)?;
    drop(filler);

    progress.step("build");
    build(&mut stub, tree, &mut t, mm, &mut opened, &own)?;

    progress.step("go");
    if progress.cancelled() {
        return Err(Error::Cancelled);
    }
    go(stub, tree, &t, mm, opened)
}

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

/// Gives the stub its boot area. Its other memory goes when the layout is restored.
fn empty(stub: &mut Stub, mm: &MmState) -> Result<(), Error> {
    let pid = stub.pid;
    let unreadable =
        |e: String| Error::Host(format!("the memory map of the new process {pid} cannot be read: {e}"));
    let text = std::fs::read(format!("/proc/{pid}/maps")).map_err(|e| unreadable(e.to_string()))?;
    let maps = procfs::parse_maps(&text).map_err(|e| unreadable(e.to_string()))?;
    let taken: Vec<(u64, u64)> = maps.iter().map(|m| (m.start, m.end)).collect();
    let boot = memory::boot_address(&taken, mm)
        .ok_or_else(|| Error::Host("the image leaves no room in its address space to work from".into()))?;
    let insn = maps
        .iter()
        .filter(|m| m.exec && m.read && m.path != b"[vsyscall]")
        .find_map(|m| syscall_in(pid, m.start, m.end))
        .ok_or_else(|| unreadable("no system call instruction in it".into()))?;
    stub.map_boot(insn, boot)?;
    stub.forget_rseq()?;
    Ok(())
}

fn syscall_in(pid: i32, start: u64, end: u64) -> Option<u64> {
    let len = usize::try_from(end - start).ok()?.min(1 << 20);
    let mut code = vec![0u8; len];
    let n = sys::vm::read(pid, &[(start, len as u64)], &mut code).ok()?;
    code[..n].windows(2).position(|w| w == arch::SYSCALL_INSN).map(|i| start + i as u64)
}

/// Where contents go.
fn filler<'a>(
    tree: &Tree,
    t: &TaskState,
    mm: &'a MmState,
    stub: &mut Stub,
    opened: &'a Opened,
) -> Result<Filler<'a>, Error> {
    let duplicate =
        |fd: &std::os::fd::OwnedFd| fd.try_clone().map_err(RestoreError::io("duplicating a descriptor"));
    let mut filler = Filler {
        spaces: BTreeMap::from([(t.task.mm, Space::open(stub, mm)?)]),
        inodes: BTreeMap::new(),
        pipes: &opened.pipes,
        ignored: Vec::new(),
    };
    for (id, inode) in inodes::embedded(tree) {
        match opened.made.get(&id) {
            Some(fd) => drop(filler.inodes.insert(id, (duplicate(fd)?, inode.size))),
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

/// Everything between contents and the first instruction.
fn build(
    stub: &mut Stub,
    tree: &Tree,
    t: &mut TaskState,
    mm: &MmState,
    opened: &mut Opened,
    own: &Creds,
) -> Result<(), Error> {
    if let Some(made) = opened.made.remove(&mm.mm.exe) {
        // A program that somebody has open for writing cannot be one that runs (ETXTBSY).
        let close = Call::new("closing the program", libc::SYS_close, &[made.as_raw_fd() as u64]);
        stub.call(close)?;
    }
    let actions = part(&tree.sighands, t.task.sighand, "table of signal actions")?;
    memory::restore_attributes(stub, tree, mm, opened.mapped.get(&mm.mm.exe))?;
    fs::restore(stub, tree, part(&tree.fss, t.task.fs, "current directory")?)?;
    files::restore(stub, part(&tree.tables, t.task.files, "descriptor table")?, tree, opened)?;
    locks::restore(stub, &t.locks)?;
    signals::restore_actions(stub, actions)?;
    for i in 1..t.threads.len() {
        let old = t.threads[i].thread.tid;
        let new = stub.add_thread(old)? as u32;
        // Where ids are exact they may still be others to us, who live in another namespace.
        if !stub.exact_ids && new != old {
            t.threads[i].former_tid = Some(old);
            t.threads[i].thread.tid = new;
            t.posix_timers.iter_mut().filter(|timer| timer.tid == old).for_each(|timer| timer.tid = new);
        }
    }
    for state in &t.threads {
        if let Some(old) = state.former_tid {
            thread::tell_libc(stub, &state.thread, old);
        }
    }
    timers::restore_posix(stub, &t.posix_timers)?;
    task::restore_inside(stub, &t.task, &mm.mm)?;
    task::restore_outside(stub.pid, &t.task, &mm.mm)?;
    task::restore_rlimits(stub, &t.rlimits)?;
    for (tid, state) in stub.tids.clone().into_iter().zip(&t.threads) {
        thread::restore(stub, tid, &state.thread)?;
        if let Some(want) = tree.creds.get(&state.thread.creds) {
            creds::restore(stub, tid, want, own)?;
        }
        thread::restore_death_signal(stub, tid, &state.thread)?;
        signals::restore_pending(stub, tid, (t.task.pid, state.thread.tid), &state.pending, false)?;
    }
    signals::restore_pending(stub, stub.pid, (t.task.pid, t.task.pid), &t.pending, true)?;
    memory::restore_future_locks(stub, &mm.mm)?;
    memory::restore_seals(stub, mm)?;
    Ok(())
}

/// Timers are armed, the boot area goes, and the process runs.
fn go(mut stub: Stub, tree: &Tree, t: &TaskState, mm: &MmState, opened: Opened) -> Result<(), Error> {
    let actions = part(&tree.sighands, t.task.sighand, "table of signal actions")?;
    for (id, fd) in &opened.made {
        if let Some(inode) = tree.inodes.get(id).filter(|i| i.seals != 0) {
            sys::file::add_seals(fd, inode.seals).map_err(RestoreError::io("sealing a memfd"))?;
        }
    }
    let same_boot = tree.image.boot_id == uuid("boot_id");
    timers::arm(&mut stub, &t.itimers, &t.posix_timers)?;
    anon::arm_timerfds(tree, &opened, same_boot)?;
    // Our own hold on the other ends of pipes would keep the process from seeing their end.
    drop(opened);
    if let Some(call) = task::dumpable(&mm.mm) {
        stub.call(call)?;
    }
    // The stub let anybody trace it; the process has not.
    let no_tracer = [libc::PR_SET_PTRACER as u64, 0, 0, 0, 0];
    stub.call(
        Call::new("taking back the tracer's permit", libc::SYS_prctl, &no_tracer).forgiving(&[libc::EINVAL]),
    )?;
    if let Some(call) = signals::trap_action(&stub, actions)? {
        stub.stepped(stub.pid, &call)?;
    }
    let tids = stub.tids.clone();
    let mut asleep = Vec::with_capacity(tids.len());
    for (tid, state) in tids.iter().zip(&t.threads) {
        asleep.push(thread::resume_sleep(&mut stub, *tid, state)?);
    }
    stub.leave_boot()?;
    for ((tid, state), asleep) in tids.iter().zip(&t.threads).zip(asleep) {
        thread::restore_cpu(*tid, state, asleep)?;
    }
    if t.task.state == 1 {
        process::tgkill(stub.pid, stub.pid, libc::SIGSTOP)
            .map_err(RestoreError::io("stopping the process again"))?;
    }
    stub.release()?;
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
