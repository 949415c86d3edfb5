//! Descriptors and open file descriptions; what lies behind them is in `inodes`, `pipes` and `anon`.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use stasis_format::record::{External, Fd, File, Inode, Pipe, Socket};

use super::inodes::{self, Need};
use super::{anon, pipes, sockets};
use crate::image::model::{Id, Tree};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::{self, FdInfo, Proc};
use crate::refusal::Loss;
use crate::sys;
use crate::tracee::stub::{Call, Stub};

/// Kinds of description, [`File::kind`].
pub const REGULAR: u32 = 1;
/// A directory.
pub const DIRECTORY: u32 = 2;
/// A device that can simply be opened again.
pub const DEVICE: u32 = 3;
/// A pipe.
pub const PIPE: u32 = 4;
/// A named pipe.
pub const FIFO: u32 = 5;
/// An eventfd.
pub const EVENTFD: u32 = 6;
/// An epoll instance.
pub const EPOLL: u32 = 7;
/// A timerfd.
pub const TIMERFD: u32 = 8;
/// A signalfd.
pub const SIGNALFD: u32 = 9;
/// A pidfd.
pub const PIDFD: u32 = 10;
/// A memfd.
pub const MEMFD: u32 = 11;
/// Opened with O_PATH.
pub const PATH: u32 = 12;
/// Its other end lies outside.
pub const EXTERNAL: u32 = 13;
/// A socket whose other end is in the tree, if it has one.
pub const LOCAL_SOCKET: u32 = 14;

/// Kinds of [`External`].
pub const TERMINAL: u32 = 1;
/// A pipe to somebody outside.
pub const OUTER_PIPE: u32 = 2;
/// A socket.
pub const SOCKET: u32 = 3;
/// Something else.
pub const OTHER: u32 = 4;

/// A descriptor of the target under examination.
#[derive(Debug)]
pub struct Open {
    /// The process that has it.
    pub pid: i32,
    /// Its number.
    pub fd: i32,
    /// What the kernel's link says.
    pub link: Vec<u8>,
    /// Its fdinfo.
    pub info: FdInfo,
    /// A duplicate of ours, of the same description: it must not be read from or moved.
    pub dup: OwnedFd,
    /// Its fstat.
    pub stat: libc::stat,
}

/// The open file descriptions of a tree that were met so far. A process has those of its parent from before the fork(2),
/// offset and all, so they are told apart across processes.
#[derive(Debug, Default)]
pub struct Met {
    /// Each one, with the first descriptor that led to it.
    pub seen: Vec<(Id, Open)>,
    /// Pipes among them.
    pub ends: pipes::Ends,
    /// Sockets among them.
    pub sockets: sockets::Sockets,
    /// What the image goes to.
    to_image: Option<Open>,
    /// What is there for the checkpoint only. A child that was forked meanwhile has it too.
    left_out: Vec<Open>,
}

impl Met {
    fn known(&self, open: &Open) -> Option<Id> {
        self.seen.iter().find(|(_, o)| same_description(o, open)).map(|(id, _)| *id)
    }
}

impl Open {
    /// What it is called in a reason to refuse.
    pub fn label(&self) -> String {
        format!("descriptor {} ({})", self.fd, self.link.escape_ascii())
    }
}

/// Captures the descriptor table; returns the object it became.
pub fn capture(c: &mut Capture) -> Result<Id, CaptureError> {
    let pid = c.target.pid;
    let pidfd = sys::pidfd::open(pid).map_err(CaptureError::read("a pidfd", pid))?;
    let mut table: Vec<Fd> = Vec::new();
    let numbers = c.target.proc.fds().map_err(CaptureError::read("the list of descriptors", pid))?;
    // The root has the descriptor that the image goes to; its children may have it from there.
    let is_root = c.tree.tasks.is_empty();
    if let Some(fd) = c.leave_out.image.filter(|fd| is_root && numbers.contains(fd)) {
        let image = examine(&c.target.proc, pid, &pidfd, fd)?;
        c.met.to_image = (!leads_back(c, &numbers, &image)).then_some(image);
    }
    if is_root && !c.leave_out.ours.is_empty() {
        let own = std::process::id() as i32;
        let proc = Proc::open(own).map_err(CaptureError::read("our own descriptors", own))?;
        let pidfd = sys::pidfd::open(own).map_err(CaptureError::read("a pidfd", own))?;
        for fd in &c.leave_out.ours {
            c.met.left_out.push(examine(&proc, own, &pidfd, *fd)?);
        }
    }
    for fd in numbers {
        let open = examine(&c.target.proc, pid, &pidfd, fd)?;
        if is_root && c.leave_out.fds.contains(&fd) {
            c.met.left_out.push(open);
            continue;
        }
        if c.met.left_out.iter().any(|out| same_description(out, &open)) {
            continue;
        }
        let cloexec = u32::from(open.info.flags & libc::O_CLOEXEC as u32 != 0);
        let file = match c.met.known(&open) {
            Some(id) => id,
            None => {
                let image = c.met.to_image.as_ref().filter(|image| same_description(image, &open));
                let described = match image.map(|image| (image.info.flags, image.fd, image.link.clone())) {
                    Some((flags, fd, link)) => Some(stand_in(c, flags, fd, &link)?),
                    None => describe(c, &open)?,
                };
                let Some(file) = described else { continue };
                let id = c.tree.new_id();
                c.tree.files.insert(id, file);
                c.met.seen.push((id, open));
                id
            }
        };
        table.push(Fd { fd: fd as u32, cloexec, file, pad: 0 });
    }
    let id = c.tree.new_id();
    c.tree.tables.insert(id, table);
    Ok(id)
}

/// Whether this is a pipe whose other end is in the process too.
fn leads_back(c: &Capture, numbers: &[i32], pipe: &Open) -> bool {
    let is_pipe = pipe.stat.st_mode & libc::S_IFMT == libc::S_IFIFO;
    let is_other_end = |fd: i32| {
        c.target.proc.readlink(&format!("fd/{fd}")).is_ok_and(|link| link == pipe.link)
            && !sys::kcmp::file(c.target.pid, fd, c.target.pid, pipe.fd).is_ok_and(std::cmp::Ordering::is_eq)
    };
    is_pipe && numbers.iter().any(|fd| is_other_end(*fd))
}

/// What takes the place of the file, pipe or socket that the image goes to: it is there for this checkpoint, may be under
/// another name by the time of a restart, and must not be written over then.
fn stand_in(c: &mut Capture, flags: u32, fd: i32, link: &[u8]) -> Result<File, CaptureError> {
    let mut file = File { flags: flags & libc::O_ACCMODE as u32, ..File::default() };
    if fd <= 2 {
        (file.kind, file.object) = (EXTERNAL, external(c.tree, OTHER, link));
    } else {
        let pid = c.target.pid;
        let unreadable = || CaptureError::read("/dev/null", pid);
        let null = std::fs::File::open("/dev/null").map_err(unreadable())?;
        let object = c.inode(null.into(), b"/dev/null", inodes::OPEN).map_err(unreadable())?;
        (file.kind, file.object) = (DEVICE, object);
    }
    Ok(file)
}

fn examine(proc: &Proc, pid: i32, pidfd: &OwnedFd, fd: i32) -> Result<Open, CaptureError> {
    let what = || format!("descriptor {fd}");
    let link = proc.readlink(&format!("fd/{fd}")).map_err(CaptureError::read(what(), pid))?;
    let dup = sys::pidfd::getfd(pidfd, fd).map_err(CaptureError::read(what(), pid))?;
    if link == b"anon_inode:[timerfd]" {
        // A periodic timer that has expired is set going again only when it is asked.
        sys::anon::timerfd_touch(&dup).map_err(CaptureError::read(what(), pid))?;
    }
    let info = proc.read(&format!("fdinfo/{fd}")).map_err(CaptureError::read(what(), pid))?;
    let info = procfs::parse_fdinfo(&info).map_err(CaptureError::parse(format!("fdinfo/{fd}"), pid))?;
    let stat =
        nix::sys::stat::fstat(&dup).map_err(io::Error::from).map_err(CaptureError::read(what(), pid))?;
    Ok(Open { pid, fd, link, info, dup, stat })
}

fn same_description(a: &Open, b: &Open) -> bool {
    a.stat.st_dev == b.stat.st_dev
        && a.stat.st_ino == b.stat.st_ino
        && a.link == b.link
        && sys::kcmp::file(a.pid, a.fd, b.pid, b.fd).is_ok_and(std::cmp::Ordering::is_eq)
}

/// The description behind a descriptor seen for the first time; nothing if it is given up.
fn describe(c: &mut Capture, open: &Open) -> Result<Option<File>, CaptureError> {
    let pid = c.target.pid;
    let fd = open.fd;
    let flags = open.info.flags & !(libc::O_CLOEXEC as u32);
    let mut file = File { flags, pos: open.info.pos, ..File::default() };
    (file.owner_type, file.owner, file.sig) = owner(&open.dup);
    let named = |c: &mut Capture| -> Result<Id, CaptureError> {
        let dup = open.dup.try_clone().map_err(CaptureError::read(format!("descriptor {fd}"), pid))?;
        c.inode(dup, &open.link, inodes::OPEN).map_err(CaptureError::read(format!("descriptor {fd}"), pid))
    };
    if flags & libc::O_PATH as u32 != 0 {
        (file.kind, file.object) = (PATH, named(c)?);
        return Ok(Some(file));
    }
    match open.stat.st_mode & libc::S_IFMT {
        libc::S_IFREG if !open.link.starts_with(b"anon_inode:") => {
            file.kind = if open.link.starts_with(b"/memfd:") { MEMFD } else { REGULAR };
            file.object = named(c)?;
        }
        libc::S_IFDIR => (file.kind, file.object) = (DIRECTORY, named(c)?),
        libc::S_IFIFO => {
            file.kind = if open.link.starts_with(b"pipe:") { PIPE } else { FIFO };
            let inode = if file.kind == FIFO { named(c)? } else { 0 };
            file.object = c.met.ends.add(c.tree, open, inode);
        }
        libc::S_IFCHR if is_terminal(open) => {
            file.kind = EXTERNAL;
            file.object = external(c.tree, TERMINAL, &open.link);
        }
        // Major 1 holds null, zero, full, random, urandom: without state of their own.
        libc::S_IFCHR if nix::sys::stat::major(open.stat.st_rdev) == 1 => {
            (file.kind, file.object) = (DEVICE, named(c)?);
        }
        libc::S_IFCHR | libc::S_IFBLK => {
            c.survey.lose(
                Loss::Device,
                pid,
                format!("{}: a device", open.label()),
                "close it before the checkpoint",
            );
            return Ok(None);
        }
        libc::S_IFSOCK => match c.met.sockets.add(c.tree, open) {
            Ok(socket) => (file.kind, file.object) = (LOCAL_SOCKET, socket),
            Err(_) if fd <= 2 => {
                file.kind = EXTERNAL;
                file.object = external(c.tree, SOCKET, &open.link);
            }
            Err(why) => {
                let hint = "close the connection before the checkpoint";
                c.survey.lose(Loss::Socket, pid, format!("{}: {why}", open.label()), hint);
                return Ok(None);
            }
        },
        _ => match anon::describe(c, open) {
            Some((kind, object)) => {
                file.kind = kind;
                file.object = c.tree.add(object);
            }
            None => {
                let what = format!("{}: this kind of descriptor is not carried over", open.label());
                c.survey.lose(Loss::Descriptor, pid, what, "close it before the checkpoint");
                return Ok(None);
            }
        },
    }
    Ok(Some(file))
}

/// A description whose other end lies outside.
pub fn external(tree: &mut Tree, kind: u32, link: &[u8]) -> Id {
    tree.add(External { kind, pad: 0, description: link.to_vec() })
}

/// Makes a description one whose other end lies outside: what it was of is not carried over.
pub fn lead_outside(tree: &mut Tree, file: Id, kind: u32, link: &[u8]) {
    let object = external(tree, kind, link);
    if let Some(f) = tree.files.get_mut(&file) {
        tree.objects.remove(&f.object);
        (f.kind, f.object) = (EXTERNAL, object);
    }
}

/// Whether some process of the tree has a description as standard input, output or error.
pub fn is_standard(tree: &Tree, file: Id) -> bool {
    numbers_of(tree, file).into_iter().any(|fd| fd <= 2)
}

fn is_terminal(open: &Open) -> bool {
    std::io::IsTerminal::is_terminal(&open.dup)
        || open.link.starts_with(b"/dev/tty")
        || open.link == b"/dev/console"
}

fn owner(fd: &OwnedFd) -> (u32, i32, u32) {
    let (kind, pid) = sys::file::get_owner(fd).unwrap_or((0, 0));
    let sig = sys::file::get_signal(fd).unwrap_or(0);
    (kind as u32, pid, sig as u32)
}

/// What open files have to hold, for the judgement at restart.
pub fn needs(tree: &Tree, needs: &mut BTreeMap<Id, Need>) {
    // A file opened only for writing has not been read: nothing of it is needed.
    let read = |f: &&File| f.kind == REGULAR && f.flags as i32 & libc::O_ACCMODE != libc::O_WRONLY;
    for file in tree.files.values().filter(read) {
        let size = tree.inodes.get(&file.object).map_or(0, |i| i.size);
        let need = needs.entry(file.object).or_default();
        need.bytes = need.bytes.max(file.pos.min(size));
    }
}

/// Descriptors of ours that stand for the image's descriptions, made before the new process exists so that it
/// inherits them.
#[derive(Debug, Default)]
pub struct Opened {
    /// By FILE.
    pub files: BTreeMap<Id, OwnedFd>,
    /// Files made anew because their contents are in the image, by INODE.
    pub made: BTreeMap<Id, OwnedFd>,
    /// Pipes and sockets to be filled, by PIPE or SOCKET.
    pub pipes: BTreeMap<Id, pipes::PipeFill>,
    /// Peers of sockets whose peer was gone, until these are filled.
    pub gone_peers: Vec<OwnedFd>,
    /// For areas: files by INODE, opened for reading.
    pub mapped: BTreeMap<Id, OwnedFd>,
    /// The same opened for writing too.
    pub mapped_writable: BTreeMap<Id, OwnedFd>,
}

impl Opened {
    /// The descriptors that the new process needs at the numbers that they have here.
    pub fn inherited(&self) -> impl Iterator<Item = &OwnedFd> {
        [&self.files, &self.made, &self.mapped, &self.mapped_writable].into_iter().flat_map(BTreeMap::values)
    }
}

/// What is made with two ends at once, until both have their descriptions.
#[derive(Debug, Default)]
struct Pairs {
    pipes: pipes::Pairs,
    sockets: sockets::Pairs,
}

/// How descriptors with an outside end are found.
#[derive(Debug, Default)]
pub struct Redirects {
    /// `--fd N=PATH`.
    pub paths: BTreeMap<u32, PathBuf>,
    /// Standard input, output and error of somebody else, instead of ours.
    pub standard: Option<[Option<OwnedFd>; 3]>,
}

/// Opens or makes everything that descriptors and areas of the image refer to.
///
/// `force`: files that changed are taken as they are.
pub fn open_all(tree: &Tree, redirects: &Redirects, force: bool) -> Result<Opened, RestoreError> {
    let mut needs_of = BTreeMap::new();
    needs(tree, &mut needs_of);
    crate::memory::areas::needs(tree, &mut needs_of);
    let mut complaints = Vec::new();
    let mut opened = Opened::default();
    for (id, inode) in &tree.inodes {
        let need = needs_of.get(id).copied().unwrap_or_default();
        let embedded = inode.flags & inodes::EMBEDDED != 0;
        let anew = embedded
            && (inode.flags & (inodes::DELETED | inodes::MEMFD | inodes::SHMEM) != 0
                || inodes::judge(inode, need).is_some());
        if anew {
            opened.made.insert(*id, inodes::make(inode)?);
        } else if let Some(complaint) =
            inodes::judge(inode, need).filter(|_| inode.flags & inodes::DELETED == 0)
            && !force
        {
            complaints.push(complaint);
        }
    }
    if !complaints.is_empty() {
        return Err(RestoreError::Files(complaints));
    }
    open_mapped(tree, &mut opened)?;
    let mut pairs = Pairs::default();
    for (id, file) in &tree.files {
        let numbers = numbers_of(tree, *id);
        let fd = match numbers.iter().find_map(|n| redirects.paths.get(n)) {
            Some(path) => {
                let flags = file.flags as i32 & (libc::O_ACCMODE | libc::O_APPEND | libc::O_NONBLOCK);
                nix::fcntl::open(
                    path,
                    nix::fcntl::OFlag::from_bits_truncate(flags | libc::O_CREAT | libc::O_CLOEXEC),
                    nix::sys::stat::Mode::from_bits_truncate(0o600),
                )
                .map_err(RestoreError::nix(format!(
                    "opening {} for descriptor {:?}",
                    path.display(),
                    numbers
                )))?
            }
            None => open_file(tree, file, &numbers, redirects, &mut opened, &mut pairs)?,
        };
        opened.files.insert(*id, fd);
    }
    pairs.pipes.finish(tree, &mut opened);
    Ok(opened)
}

fn open_mapped(tree: &Tree, opened: &mut Opened) -> Result<(), RestoreError> {
    let vmas = tree
        .mms
        .values()
        .flat_map(|m| &m.vmas)
        .filter(|v| v.inode != 0)
        .map(|v| (v.inode, v.may_write != 0 && v.flags & 1 != 0));
    for (id, write) in vmas.chain(tree.mms.values().map(|m| (m.mm.exe, false))) {
        let Some(inode) = tree.inodes.get(&id) else { continue };
        let list = if write { &mut opened.mapped_writable } else { &mut opened.mapped };
        if list.contains_key(&id) {
            continue;
        }
        let flags = if write { libc::O_RDWR } else { libc::O_RDONLY };
        let fd = open_inode(inode, opened.made.get(&id), flags)?;
        let list = if write { &mut opened.mapped_writable } else { &mut opened.mapped };
        list.insert(id, fd);
    }
    Ok(())
}

/// Opens a file of the image with these flags, from what was made anew if it was.
pub fn open_inode(inode: &Inode, made: Option<&OwnedFd>, flags: i32) -> Result<OwnedFd, RestoreError> {
    let strip = libc::O_CREAT | libc::O_EXCL | libc::O_TRUNC | libc::O_NOFOLLOW;
    // Two bits make O_TMPFILE, one of them is O_DIRECTORY.
    let tmpfile = libc::O_TMPFILE & !libc::O_DIRECTORY;
    let mut flags = flags & !strip;
    if flags & tmpfile != 0 {
        flags &= !libc::O_TMPFILE;
    }
    let what = || format!("opening {}", inode.path.escape_ascii());
    match made {
        Some(fd) => inodes::reopen(fd, flags).map_err(RestoreError::io(what())),
        None => inodes::open_path(&inodes::path(inode), flags).map_err(RestoreError::io(what())),
    }
}

/// The descriptor numbers that a description has.
fn numbers_of(tree: &Tree, file: Id) -> Vec<u32> {
    tree.tables.values().flatten().filter(|fd| fd.file == file).map(|fd| fd.fd).collect()
}

fn open_file(
    tree: &Tree,
    file: &File,
    numbers: &[u32],
    redirects: &Redirects,
    opened: &mut Opened,
    pairs: &mut Pairs,
) -> Result<OwnedFd, RestoreError> {
    let gone =
        || RestoreError::Host(format!("descriptor {numbers:?} leads to an object that is not in the image"));
    match file.kind {
        REGULAR | DIRECTORY | DEVICE | MEMFD | PATH => {
            let inode = tree.inodes.get(&file.object).ok_or_else(gone)?;
            let fd = open_inode(inode, opened.made.get(&file.object), file.flags as i32)?;
            if matches!(file.kind, REGULAR | MEMFD | DIRECTORY) && file.pos != 0 {
                nix::unistd::lseek(fd.as_fd(), file.pos as i64, nix::unistd::Whence::SeekSet).map_err(
                    RestoreError::nix(format!("setting the offset of {}", inode.path.escape_ascii())),
                )?;
            }
            Ok(fd)
        }
        EXTERNAL => match tree.object::<External>(file.object) {
            Some(e) => open_external(e, numbers, redirects),
            _ => Err(gone()),
        },
        PIPE | FIFO => match tree.object::<Pipe>(file.object) {
            Some(pipe) => pairs.pipes.open(tree, file, pipe, opened),
            _ => Err(gone()),
        },
        LOCAL_SOCKET => match tree.object::<Socket>(file.object) {
            Some(socket) => pairs.sockets.open(tree, file, socket, opened),
            _ => Err(gone()),
        },
        _ => anon::open(file, &tree.objects.get(&file.object).ok_or_else(gone)?.body),
    }
}

/// An outside end is ours: the descriptor of the same number for standard input, output and error, our terminal for
/// other descriptors that led to one.
fn open_external(e: &External, numbers: &[u32], redirects: &Redirects) -> Result<OwnedFd, RestoreError> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let own: [Option<BorrowedFd>; 3] = match &redirects.standard {
        Some(theirs) => theirs.each_ref().map(|fd| fd.as_ref().map(AsFd::as_fd)),
        None => [Some(stdin.as_fd()), Some(stdout.as_fd()), Some(stderr.as_fd())],
    };
    let standard = numbers.iter().find_map(|n| own.get(*n as usize).copied().flatten());
    let terminal = || own.iter().flatten().copied().find(std::io::IsTerminal::is_terminal);
    let found = standard.or_else(|| if e.kind == TERMINAL { terminal() } else { None });
    let Some(fd) = found else {
        return Err(RestoreError::Host(format!(
            "descriptor {numbers:?} led to {} outside of the process; say what takes its place with --fd {}=PATH",
            e.description.escape_ascii(),
            numbers.first().copied().unwrap_or(0)
        )));
    };
    fd.try_clone_to_owned().map_err(RestoreError::io("duplicating a standard descriptor"))
}

/// Moves our descriptors out of the way of the numbers that the new process needs.
pub fn move_up(tree: &Tree, opened: &mut Opened) -> Result<(), RestoreError> {
    let highest = tree.tables.values().flatten().map(|f| f.fd).max().unwrap_or(2).max(2);
    let floor = highest as i32 + 1;
    let lists = [&mut opened.files, &mut opened.made, &mut opened.mapped, &mut opened.mapped_writable];
    for fd in
        lists.into_iter().flat_map(|l| l.values_mut()).chain(opened.pipes.values_mut().map(|p| &mut p.write))
    {
        if fd.as_raw_fd() < floor {
            *fd = sys::file::dup_above(fd, floor).map_err(RestoreError::io(
                "moving a descriptor out of the way (the limit of open files, ulimit -n, may be too low)",
            ))?;
        }
    }
    Ok(())
}

/// Gives the descriptors inherited by the new process their numbers and closes all others. `table` is the object that its
/// descriptors belong to.
pub fn restore(stub: &mut Stub, table: Id, tree: &Tree, opened: &Opened) -> Result<(), RestoreError> {
    let mut sorted: Vec<&Fd> = tree.tables.get(&table).into_iter().flatten().collect();
    sorted.sort_by_key(|f| f.fd);
    anon::make_pidfds(stub, &sorted, tree, opened)?;
    anon::fill_epolls(stub, &sorted, tree, opened, |file| is_first_holder(tree, table, file))?;
    let mut calls = Vec::new();
    let mut next = 0u64;
    for fd in &sorted {
        let Some(from) = opened.files.get(&fd.file) else {
            return Err(RestoreError::Host(format!("descriptor {} has no description in the image", fd.fd)));
        };
        let flags = if fd.cloexec != 0 { libc::O_CLOEXEC as u64 } else { 0 };
        calls.push(Call::new(
            format!("placing descriptor {}", fd.fd),
            libc::SYS_dup3,
            &[from.as_raw_fd() as u64, fd.fd.into(), flags],
        ));
    }
    for fd in &sorted {
        if u64::from(fd.fd) > next {
            calls.push(close_range(next, u64::from(fd.fd) - 1));
        }
        next = u64::from(fd.fd) + 1;
    }
    calls.push(close_range(next, u64::from(u32::MAX)));
    stub.run(&calls)?;
    restore_owners(stub, &sorted, tree)
}

/// Whether this table is the one of the first task that has a description; parents come before their children.
fn is_first_holder(tree: &Tree, table: Id, file: Id) -> bool {
    let has = |table: &Id| tree.tables.get(table).is_some_and(|fds| fds.iter().any(|fd| fd.file == file));
    tree.tasks.iter().map(|t| t.task.files).find(has) == Some(table)
}

fn close_range(first: u64, last: u64) -> Call {
    Call::new("closing descriptors", libc::SYS_close_range, &[first, last, 0])
}

/// F_SETOWN_EX and F_SETSIG, for those descriptions that had them.
fn restore_owners(stub: &mut Stub, table: &[&Fd], tree: &Tree) -> Result<(), RestoreError> {
    for fd in table {
        let Some(file) = tree.files.get(&fd.file).filter(|f| f.owner != 0 || f.sig != 0) else { continue };
        let ex = [file.owner_type.to_ne_bytes(), file.owner.to_ne_bytes()].concat();
        let at = stub.put(0, &ex)?;
        const F_SETOWN_EX: u64 = 15;
        const F_SETSIG: u64 = 10;
        stub.run(&[
            Call::new("F_SETOWN_EX", libc::SYS_fcntl, &[fd.fd.into(), F_SETOWN_EX, at])
                .forgiving(&[libc::ESRCH]),
            Call::new("F_SETSIG", libc::SYS_fcntl, &[fd.fd.into(), F_SETSIG, file.sig.into()]),
        ])?;
    }
    Ok(())
}
