//! The table of descriptors of a process: numbers, which of them are closed on execve(2), and which description each has.
//!
//! What lies behind a description is its kind's business; this walks the [registry](super::KINDS), phase by phase.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use stasis_format::record::{Fd, File};

use super::descriptions::{Meeting, Open, Sight};
use super::kind::{FdMaker, Judging, Making, Placed, Redirects, Settling, fetch};
use super::stream::Stream;
use super::{KINDS, external, file, inodes};
use crate::image::model::{Id, MmState, TaskState, Tree};
use crate::kinds::task::kind::{self as task, TaskKind};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::memory::areas;
use crate::procfs::Proc;
use crate::rights::files::{Directories, Files};
use crate::sys;
use crate::sys::abi::OwnerEx;
use crate::tracee::batch::{Batch, args};
use crate::tracee::handover::{Channel, IN_FLIGHT, Numbers, Slot};
use crate::tracee::stub::Stub;

/// Captures the descriptor table; returns the object it became.
pub fn capture(c: &mut Capture) -> Result<Id, CaptureError> {
    let pid = c.target.pid;
    let process = sys::pidfd::open(pid).map_err(CaptureError::read("a pidfd", pid))?;
    let numbers = c.target.proc.fds().map_err(CaptureError::read("the list of descriptors", pid))?;
    // The root has the descriptor that the image goes to; its children may have it from there.
    let is_root = c.tree.tasks.is_empty();
    let to_image = match c.leave_out.image.filter(|fd| is_root && numbers.contains(fd)) {
        Some(fd) => {
            let image = Sight::of(&c.target.proc, pid, fd)?;
            (!leads_back(c, &numbers, &image)).then_some(image)
        }
        None => None,
    };
    if let Some(image) = to_image {
        *c.to_image = Some(image);
    }
    if is_root && !c.leave_out.ours.is_empty() {
        let own = std::process::id() as i32;
        let proc = Proc::open(own).map_err(CaptureError::read("our own descriptors", own))?;
        for fd in &c.leave_out.ours {
            leave_out(c.met, Sight::of(&proc, own, *fd)?)?;
        }
    }
    let mut table: Vec<Fd> = Vec::with_capacity(numbers.len());
    c.locks.clear();
    for fd in numbers {
        let sight = Sight::of(&c.target.proc, pid, fd)?;
        if is_root && c.leave_out.fds.contains(&fd) {
            leave_out(c.met, sight)?;
            continue;
        }
        let cloexec = u32::from(sight.info.flags & libc::O_CLOEXEC as u32 != 0);
        let locks = sight.info.locks.clone();
        let file = match c.met.meet(&sight)? {
            Meeting::LeftOut => continue,
            Meeting::Known(id) => id,
            Meeting::New(at) => {
                let open = Open::new(sight, &process)?;
                let Some(file) = describe(c, &open)? else { continue };
                let id = c.tree.new_id();
                c.tree.files.insert(id, file);
                c.met.note(Some(id), at, open.close());
                id
            }
        };
        c.locks.extend(locks.into_iter().map(|lock| (fd as u32, file, lock)));
        table.push(Fd { fd: fd as u32, cloexec, file, pad: 0 });
    }
    let id = c.tree.new_id();
    c.tree.tables.insert(id, table);
    Ok(id)
}

fn leave_out(met: &mut super::descriptions::Descriptions, sight: Sight) -> Result<(), CaptureError> {
    if let Meeting::New(at) = met.meet(&sight)? {
        met.note(None, at, sight);
    }
    Ok(())
}

/// Whether this is a pipe whose other end is in the process too.
fn leads_back(c: &Capture, numbers: &[i32], pipe: &Sight) -> bool {
    let is_other_end = |fd: i32| {
        c.target.proc.readlink(&format!("fd/{fd}")).is_ok_and(|link| link == pipe.link)
            && !sys::kcmp::file(c.target.pid, fd, c.target.pid, pipe.fd).is_ok_and(std::cmp::Ordering::is_eq)
    };
    pipe.file_type() == libc::S_IFIFO && numbers.iter().any(|fd| is_other_end(*fd))
}

/// The description behind a descriptor seen for the first time; nothing if it is given up.
fn describe(c: &mut Capture, open: &Open) -> Result<Option<File>, CaptureError> {
    if c.to_image.as_ref().is_some_and(|image| image.is_same(open)) {
        return stand_in(c, open).map(Some);
    }
    let flags = open.info.flags & !(libc::O_CLOEXEC as u32);
    let mut file = File { flags, pos: open.info.pos, ..File::default() };
    let (owner_type, owner) = sys::file::get_owner(&open.dup).unwrap_or((0, 0));
    (file.owner_type, file.owner) = (owner_type as u32, owner);
    file.sig = sys::file::get_signal(&open.dup).unwrap_or(0) as u32;
    let Some(kind) = KINDS.iter().find(|kind| kind.is_mine(open)) else { return Ok(None) };
    let Some(captured) = kind.capture(c, open)? else { return Ok(None) };
    (file.kind, file.object) = (captured.kind, captured.object);
    Ok(Some(file))
}

/// What takes the place of the file, pipe or socket that the image goes to: it is there for this checkpoint, may be under
/// another name by the time of a restart, and must not be written over then.
fn stand_in(c: &mut Capture, open: &Open) -> Result<File, CaptureError> {
    let number = c.to_image.as_ref().map_or(open.fd, |image| image.fd);
    let mut stand_in = File { flags: open.info.flags & libc::O_ACCMODE as u32, ..File::default() };
    if number <= 2 {
        let captured = external::describe(c.tree, external::OTHER, &open.link);
        (stand_in.kind, stand_in.object) = (captured.kind, captured.object);
    } else {
        let unreadable = || CaptureError::read("/dev/null", open.pid);
        let null = std::fs::File::open("/dev/null").map_err(unreadable())?;
        let object = c.inode(null.into(), b"/dev/null", inodes::OPEN).map_err(unreadable())?;
        (stand_in.kind, stand_in.object) = (file::DEVICE, object);
    }
    Ok(stand_in)
}

/// Once the descriptors of all processes are known.
pub fn settle(s: &mut Settling) -> Result<(), CaptureError> {
    KINDS.iter().try_for_each(|kind| kind.settle(s))
}

/// The descriptors of a tree on their way back.
pub struct Descriptors<'t> {
    tree: &'t Tree,
    redirects: Redirects,
    rights: Files,
    makers: Vec<(&'static [u32], Box<dyn FdMaker>)>,
    /// Files made anew because their contents are in the image, by INODE.
    pub made: BTreeMap<Id, OwnedFd>,
    /// Programs among them, for reading only.
    programs: BTreeMap<Id, OwnedFd>,
    /// Pipes and sockets to be filled, by object.
    pub streams: BTreeMap<Id, Stream>,
    numbers: BTreeMap<Id, Vec<u32>>,
    places: BTreeMap<Id, Vec<(usize, u32)>>,
    /// The numbers that are taken in each process.
    pub used: Vec<Numbers>,
}

impl std::fmt::Debug for Descriptors<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Descriptors").field("places", &self.places).finish_non_exhaustive()
    }
}

impl<'t> Descriptors<'t> {
    /// Judges every file and every description of the image, and makes the files anew whose contents are in it.
    ///
    /// `force`: files that changed are taken as they are. `proven`: nobody else can have written the image.
    pub fn judge(
        tree: &'t Tree,
        redirects: Redirects,
        force: bool,
        proven: bool,
    ) -> Result<Self, RestoreError> {
        let rights = Files::new(tree, proven)?;
        let made = remake(tree, &rights, force)?;
        rights.judge_all(tree, &made)?;
        let mut numbers: BTreeMap<Id, Vec<u32>> = BTreeMap::new();
        for fd in tree.tables.values().flatten() {
            numbers.entry(fd.file).or_default().push(fd.fd);
        }
        let makers: Vec<_> = KINDS.iter().map(|kind| (kind.carries(), kind.maker())).collect();
        let descriptors = Self {
            tree,
            redirects,
            rights,
            makers,
            made,
            programs: BTreeMap::new(),
            streams: BTreeMap::new(),
            numbers,
            places: BTreeMap::new(),
            used: Vec::new(),
        };
        let judging = Judging { tree, redirects: &descriptors.redirects, numbers: &descriptors.numbers };
        let mut complaints = Vec::new();
        for (id, file) in tree.files.iter().filter(|(id, _)| descriptors.redirect(**id).is_none()) {
            match descriptors.makers.iter().find(|(kinds, _)| kinds.contains(&file.kind)) {
                Some((_, maker)) => complaints.extend(maker.judge(&judging, *id, file)),
                None => complaints.push(RestoreError::missing(tree, *id).to_string()),
            }
        }
        if complaints.is_empty() { Ok(descriptors) } else { Err(RestoreError::Host(complaints.join("; "))) }
    }

    /// All numbers that descriptors of the image have, in any process.
    pub fn numbers(&self) -> BTreeSet<u32> {
        self.numbers.values().flatten().copied().collect()
    }

    /// `--fd N=PATH` for a description.
    fn redirect(&self, id: Id) -> Option<&std::path::PathBuf> {
        self.numbers.get(&id)?.iter().find_map(|number| self.redirects.paths.get(number))
    }

    /// Lends a process the files that its areas are of, by INODE and whether for writing; the numbers that they have there.
    pub fn lend_mapped(
        &mut self,
        channel: &Channel,
        stub: &mut Stub,
        process: usize,
        mm: &MmState,
    ) -> Result<BTreeMap<(Id, bool), u32>, RestoreError> {
        let Some(numbers) = self.used.get_mut(process) else { return Ok(BTreeMap::new()) };
        let files: BTreeSet<(Id, bool)> = areas::mapped(mm).collect();
        let mut lent = BTreeMap::new();
        // Few at a time are ours.
        for some in files.into_iter().collect::<Vec<_>>().chunks(IN_FLIGHT) {
            let mut fds = Vec::with_capacity(some.len());
            for (id, write) in some {
                let Some(inode) = self.tree.inodes.get(id) else { continue };
                let flags = if *write { libc::O_RDWR } else { libc::O_RDONLY };
                let fd = file::open_inode(&self.rights, None, (*id, inode), self.made.get(id), flags)?;
                fds.push(((*id, *write), fd));
            }
            let (files, fds): (Vec<_>, Vec<_>) = fds.into_iter().unzip();
            lent.extend(files.into_iter().zip(channel.lend_all(stub, numbers, fds)?));
        }
        Ok(lent)
    }

    /// Lends a process its program; to be called when contents are in.
    ///
    /// A program that somebody has open for writing cannot be one that runs (ETXTBSY), so one that was made anew is let go.
    pub fn lend_program(
        &mut self,
        channel: &Channel,
        stub: &mut Stub,
        process: usize,
        exe: Id,
    ) -> Result<Option<u32>, RestoreError> {
        let Some(inode) = self.tree.inodes.get(&exe) else { return Ok(None) };
        if let Some(made) = self.made.remove(&exe) {
            let readable = inodes::reopen(&made, libc::O_RDONLY);
            self.programs.insert(exe, readable.map_err(RestoreError::io("opening a program again"))?);
        }
        let made = self.programs.get(&exe);
        let fd = file::open_inode(&self.rights, None, (exe, inode), made, libc::O_RDONLY)?;
        let Some(numbers) = self.used.get_mut(process) else { return Ok(None) };
        Ok(Some(channel.lend(stub, numbers, fd)?))
    }

    /// Lends a process its current directory, and its root if that is not ours.
    pub fn lend_directories(
        &mut self,
        channel: &Channel,
        stub: &mut Stub,
        process: usize,
        fs: Id,
    ) -> Result<Vec<u32>, RestoreError> {
        let Some(numbers) = self.used.get_mut(process) else { return Ok(Vec::new()) };
        let Directories { cwd, root } = self.rights.directories(self.tree, fs)?;
        Ok(channel.lend_all(stub, numbers, [Some(cwd), root].into_iter().flatten())?)
    }

    /// Takes back what was lent to a process.
    pub fn take_back(
        &mut self,
        channel: &Channel,
        stub: &mut Stub,
        process: usize,
        lent: &[u32],
    ) -> Result<(), RestoreError> {
        let Some(numbers) = self.used.get_mut(process) else { return Ok(()) };
        Ok(channel.take_back(stub, numbers, lent)?)
    }

    /// Gives every process its descriptors. `processes` are those that live, with their tasks.
    pub fn place<'s>(
        &mut self,
        channel: &Channel,
        processes: impl IntoIterator<Item = (&'s mut Stub, &'s TaskState)>,
    ) -> Result<(), RestoreError> {
        let mut pids = Vec::new();
        for (process, (stub, task)) in processes.into_iter().enumerate() {
            pids.push(stub.pid);
            let mut wanted: BTreeMap<Id, Vec<Slot>> = BTreeMap::new();
            for fd in self.tree.tables.get(&task.task.files).into_iter().flatten() {
                let slot = Slot { number: fd.fd, cloexec: fd.cloexec != 0 };
                wanted.entry(fd.file).or_default().push(slot);
            }
            let mut order: Vec<(Id, Vec<Slot>)> = wanted.into_iter().collect();
            order.iter_mut().for_each(|(_, slots)| slots.sort_by_key(|slot| slot.number));
            order.sort_by_key(|(_, slots)| slots.first().map(|slot| slot.number));
            let mut waiting = Vec::new();
            for (id, slots) in order {
                let from = self.places.get(&id).and_then(|places| places.first()).copied();
                let fd = match from.and_then(|(at, number)| Some((*pids.get(at)?, number))) {
                    Some((pid, number)) => Some(fetch(pid, number).map_err(RestoreError::io(format!(
                        "taking descriptor {number} from one new process for another"
                    )))?),
                    None => self.open(id)?,
                };
                let places = slots.iter().map(|slot| (process, slot.number));
                self.places.entry(id).or_default().extend(places);
                let numbers =
                    self.used.get_mut(process).ok_or_else(|| RestoreError::missing(self.tree, id))?;
                match fd {
                    Some(fd) => waiting.push((fd, slots)),
                    None => {
                        channel.give(stub, numbers, &std::mem::take(&mut waiting))?;
                        let made = make_inside(&mut self.makers, stub, self.tree, id)?;
                        channel.settle(stub, numbers, made, &slots)?;
                    }
                }
                if waiting.len() == IN_FLIGHT {
                    channel.give(stub, numbers, &std::mem::take(&mut waiting))?;
                }
            }
            if let Some(numbers) = self.used.get_mut(process) {
                channel.give(stub, numbers, &waiting)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, id: Id) -> Result<Option<OwnedFd>, RestoreError> {
        let file = self.tree.files.get(&id).ok_or_else(|| RestoreError::missing(self.tree, id))?;
        if let Some(path) = self.redirect(id) {
            let flags = file.flags as i32 & (libc::O_ACCMODE | libc::O_APPEND | libc::O_NONBLOCK);
            let flags = OFlag::from_bits_truncate(flags | libc::O_CREAT | libc::O_CLOEXEC);
            let what = format!("opening {} for descriptor {:?}", path.display(), self.numbers.get(&id));
            let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
            return nix::fcntl::open(path, flags, mode).map(Some).map_err(RestoreError::nix(what));
        }
        let mut making = Making {
            tree: self.tree,
            redirects: &self.redirects,
            numbers: &self.numbers,
            made: &self.made,
            rights: &self.rights,
            streams: &mut self.streams,
        };
        maker_of(&mut self.makers, self.tree, id)?.open(&mut making, id, file)
    }

    /// Every process has its descriptors: what some of them have to do with others.
    pub fn connect(&mut self, channel: &Channel, stubs: Vec<&mut Stub>) -> Result<(), RestoreError> {
        let (tree, places) = (self.tree, &self.places);
        let mut placed = Placed { tree, channel, stubs, places, used: &mut self.used, same_boot: false };
        for (id, file) in &tree.files {
            maker_of(&mut self.makers, tree, *id)?.connect(&mut placed, *id, file)?;
        }
        Ok(())
    }

    /// Contents are in: what comes last.
    pub fn arm(
        &mut self,
        channel: &Channel,
        stubs: Vec<&mut Stub>,
        same_boot: bool,
    ) -> Result<(), RestoreError> {
        // Our own hold on the other ends of pipes would keep the process from seeing their end.
        self.streams.clear();
        inodes::seal(self.tree, &self.made)?;
        // Closing a file is an event that whoever watches it would be told.
        self.made.clear();
        self.programs.clear();
        let (tree, places) = (self.tree, &self.places);
        let placed = Placed { tree, channel, stubs, places, used: &mut self.used, same_boot };
        for (id, file) in &tree.files {
            maker_of(&mut self.makers, tree, *id)?.arm(&placed, *id, file)?;
        }
        Ok(())
    }
}

fn maker_of<'m>(
    makers: &'m mut [(&'static [u32], Box<dyn FdMaker>)],
    tree: &Tree,
    id: Id,
) -> Result<&'m mut dyn FdMaker, RestoreError> {
    let kind = tree.files.get(&id).map_or(0, |file| file.kind);
    match makers.iter_mut().find(|(kinds, _)| kinds.contains(&kind)) {
        Some((_, maker)) => Ok(maker.as_mut()),
        None => Err(RestoreError::missing(tree, id)),
    }
}

fn make_inside(
    makers: &mut [(&'static [u32], Box<dyn FdMaker>)],
    stub: &mut Stub,
    tree: &Tree,
    id: Id,
) -> Result<u32, RestoreError> {
    let file = tree.files.get(&id).ok_or_else(|| RestoreError::missing(tree, id))?;
    let number = maker_of(makers, tree, id)?.make_inside(stub, tree, id, file)?;
    u32::try_from(number).map_err(|_| RestoreError::missing(tree, id))
}

/// Judges the files of the image, and makes those anew whose contents are in it.
fn remake(tree: &Tree, rights: &Files, force: bool) -> Result<BTreeMap<Id, OwnedFd>, RestoreError> {
    let mut needs = BTreeMap::new();
    file::needs(tree, &mut needs);
    areas::needs(tree, &mut needs);
    let (mut made, mut complaints) = (BTreeMap::new(), Vec::new());
    for (id, inode) in &tree.inodes {
        let need = needs.get(id).copied().unwrap_or_default();
        let complaint = || inodes::judge(inode, need);
        let is_nameless = inode.flags & (inodes::DELETED | inodes::MEMFD | inodes::SHMEM) != 0;
        if inode.flags & inodes::EMBEDDED != 0 && (is_nameless || complaint().is_some()) {
            made.insert(*id, inodes::make(*id, inode, rights)?);
        } else if inode.flags & inodes::DELETED == 0 && !force {
            complaints.extend(complaint());
        }
    }
    if complaints.is_empty() { Ok(made) } else { Err(RestoreError::Files(complaints)) }
}

/// Who is told of I/O (F_SETOWN_EX): with the rights of the process, as they decide whom a signal may reach (fcntl(2)).
#[derive(Debug)]
pub struct Owners;

impl TaskKind for Owners {
    fn make(&self, m: &mut task::Making) -> Result<(), RestoreError> {
        restore_owners(m.stub, m.task.task.files, m.tree)
    }
}

/// F_SETOWN_EX and F_SETSIG, for those descriptions that had them. The kernel notes who asks, and later sends the signal as
/// he could: so it is the process with its credentials that asks.
fn restore_owners(stub: &mut Stub, table: Id, tree: &Tree) -> Result<(), RestoreError> {
    const F_SETOWN_EX: i32 = 15;
    const F_SETSIG: i32 = 10;
    let mut calls = Batch::new();
    for fd in tree.tables.get(&table).into_iter().flatten() {
        let Some(file) = tree.files.get(&fd.file).filter(|f| f.owner != 0 || f.sig != 0) else { continue };
        let owner = calls.put(&OwnerEx { owner_type: file.owner_type as i32, pid: file.owner });
        let args = args![fd.fd, F_SETOWN_EX, owner];
        calls.forgiving("F_SETOWN_EX", libc::SYS_fcntl, args, &[libc::ESRCH]);
        calls.call("F_SETSIG", libc::SYS_fcntl, args![fd.fd, F_SETSIG, file.sig]);
    }
    stub.make(&calls)?;
    Ok(())
}
