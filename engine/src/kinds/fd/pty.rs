//! Pairs of pseudoterminals (pty(7)) whose master is in the tree: modes, window, what is in their queues, and the session that
//! they control.
//!
//! What is in a queue can be seen only by taking it, so it is taken and put back at once, while everybody stands still.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, OFlag};
use stasis_format::record::{Body, ControllingTerminal, File, Pty as Record, PtyQueue};

use super::descriptions::{Open, Sight};
use super::external;
use super::kind::{Captured, FdKind, FdMaker, Making, Placed, Settling};
use crate::image::model::{Id, TaskState};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::refusal::Loss;
use crate::sys::{self, pty};
use crate::tracee::batch::{Batch, args};

/// [`File::kind`] of a master.
const MASTER: u32 = 30;
/// A slave.
const SLAVE: u32 = 31;

/// Bits of [`Record::flags`].
const LOCKED: u32 = 1;
const PACKET: u32 = 2;
const EXCLUSIVE: u32 = 4;

/// [`PtyQueue::queue`].
const INPUT: u32 = 1;
const BEGUN: u32 = 2;
const OUTPUT: u32 = 3;

/// Major numbers of slaves (Documentation/admin-guide/devices.txt).
const SLAVES: std::ops::Range<u64> = 136..144;

/// Most pairs that are made and let go of to reach a number.
const MAX_TRIES: usize = 4096;

/// The kind.
#[derive(Debug)]
pub struct Pty;

impl FdKind for Pty {
    fn carries(&self) -> &'static [u32] {
        &[MASTER, SLAVE]
    }

    fn is_mine(&self, open: &Open) -> bool {
        open.file_type() == libc::S_IFCHR && (is_slave(open) || is_master(open))
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        let (kind, index) = if is_slave(open) {
            (SLAVE, nix::sys::stat::minor(open.stat.st_rdev) as u32)
        } else {
            (MASTER, pty::index(&open.dup).map_err(open.unreadable())?)
        };
        let known = c.tree.objects_of::<Record>().find(|(_, pty)| pty.index == index).map(|(id, _)| id);
        let object = known.unwrap_or_else(|| c.tree.add(Record { index, ..Record::default() }));
        if kind == SLAVE
            && let Some(record) = c.tree.object_mut::<Record>(object)
        {
            (record.mode, record.uid, record.gid) = (open.stat.st_mode, open.stat.st_uid, open.stat.st_gid);
        }
        Ok(Some(Captured { kind, object }))
    }

    /// A pair is ours if its master is; else its slaves are terminals of somebody outside.
    fn settle(&self, s: &mut Settling) -> Result<(), CaptureError> {
        for (object, ends) in s.by_object(self.carries()) {
            let is_master = |id: &Id| s.tree.files.get(id).is_some_and(|file| file.kind == MASTER);
            match ends.iter().find(|(id, _)| is_master(id)) {
                Some((_, master)) => {
                    let slave = ends.iter().find(|(id, _)| !is_master(id)).map(|(_, slave)| *slave);
                    look(s, object, master, slave)?;
                }
                None => {
                    for (file, sight) in &ends {
                        external::lead_outside(s.tree, *file, external::TERMINAL, &sight.link);
                    }
                    s.tree.objects.remove(&object);
                }
            }
        }
        control(s);
        Ok(())
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(Maker::default())
    }
}

fn is_slave(sight: &Sight) -> bool {
    SLAVES.contains(&nix::sys::stat::major(sight.stat.st_rdev)) && sight.link.starts_with(b"/dev/pts/")
}

fn is_master(open: &Open) -> bool {
    // Major 5, minor 2: /dev/ptmx, also under /dev/pts.
    open.stat.st_rdev == nix::sys::stat::makedev(5, 2) && pty::index(&open.dup).is_ok()
}

/// Fills in the record of a pair.
fn look(s: &mut Settling, object: Id, master: &Sight, slave: Option<&Sight>) -> Result<(), CaptureError> {
    let unreadable = || master.unreadable();
    let fd = master.duplicate().map_err(unreadable())?;
    let modes = pty::modes(&fd).map_err(unreadable())?;
    let window = pty::window(&fd).map_err(unreadable())?;
    let locked = pty::is_locked(&fd).map_err(unreadable())?;
    let packet = pty::packet_mode(&fd).map_err(unreadable())?;
    let exclusive =
        slave.is_some_and(|slave| slave.duplicate().and_then(|fd| pty::is_exclusive(&fd)).unwrap_or(false));
    // One that nobody has opened yet has nothing in it.
    let queues =
        if locked { Queues::default() } else { Queues::look(&fd, &modes, packet).map_err(unreadable())? };
    let Some(record) = s.tree.object_mut::<Record>(object) else { return Ok(()) };
    record.flags =
        (u32::from(locked) * LOCKED) | (u32::from(packet) * PACKET) | (u32::from(exclusive) * EXCLUSIVE);
    (record.c_iflag, record.c_oflag) = (modes.iflag, modes.oflag);
    (record.c_cflag, record.c_lflag) = (modes.cflag, modes.lflag);
    (record.c_ispeed, record.c_ospeed) = (modes.ispeed, modes.ospeed);
    (record.c_line, record.c_cc) = (modes.line, modes.cc);
    [record.ws_row, record.ws_col, record.ws_xpixel, record.ws_ypixel] = window;
    s.tree.set_parts(object, queues.records());
    Ok(())
}

/// Which pair controls whose session: tasks name it by its number until here.
fn control(s: &mut Settling) {
    let pairs: BTreeMap<u32, Id> = s.tree.objects_of::<Record>().map(|(id, pty)| (pty.index, id)).collect();
    for task in &mut s.tree.tasks {
        let pid = task.task.pid as i32;
        task.parts.retain_mut(|part| {
            let Body::ControllingTerminal(terminal) = part else { return true };
            if let Some(id) = pairs.get(&terminal.pty) {
                terminal.pty = *id;
                return true;
            }
            let what =
                "it leads the session of a terminal, and the terminal would not be its session's again";
            s.survey.lose(Loss::Terminal, pid, what, "start it from a shell that leads the session");
            false
        });
    }
}

/// What is in the queues of a pair.
#[derive(Debug, Default, PartialEq, Eq)]
struct Queues {
    /// What can be read from the slave.
    input: Vec<u8>,
    /// Input that is not ended by a newline yet, where lines are read.
    begun: Vec<u8>,
    /// What can be read from the master.
    output: Vec<u8>,
}

impl Queues {
    /// Takes what is there and puts it back.
    fn look(master: &OwnedFd, modes: &pty::Termios, packet: bool) -> io::Result<Self> {
        let slave = pty::slave(master, libc::O_RDWR | libc::O_NONBLOCK)?;
        let mut queues = Self::default();
        if packet {
            sys::file::ioctl_number(master, libc::TIOCPKT, 0)?;
        }
        let taken = queues.take(master, &slave, modes);
        let back = pty::set_modes(&slave, modes).and_then(|()| queues.put(master, &slave, modes));
        if packet {
            pty::set_packet_mode(master)?;
        }
        taken.and(back).map(|()| queues)
    }

    fn take(&mut self, master: &OwnedFd, slave: &OwnedFd, modes: &pty::Termios) -> io::Result<()> {
        let waiting = sys::file::readable_bytes(master)?;
        sys::file::read_some(master, waiting, &mut self.output)?;
        let by_lines = modes.lflag & libc::ICANON != 0;
        if by_lines {
            read_all(slave, &mut self.input)?;
        }
        let mut raw = pty::Termios { lflag: modes.lflag & !libc::ICANON, ..*modes };
        for at in [libc::VMIN, libc::VTIME] {
            if let Some(slot) = raw.cc.get_mut(at) {
                *slot = 0;
            }
        }
        pty::set_modes(slave, &raw)?;
        read_all(slave, if by_lines { &mut self.begun } else { &mut self.input })
    }

    /// Puts it into the queues of a pair, whose modes are the right ones afterwards.
    fn put(&self, master: &OwnedFd, slave: &OwnedFd, modes: &pty::Termios) -> io::Result<()> {
        if !self.input.is_empty() || !self.begun.is_empty() {
            // No character means anything, and each is echoed: the echo shows that it has arrived.
            let plain = pty::Termios {
                iflag: 0,
                oflag: 0,
                lflag: modes.lflag & libc::ICANON | libc::ECHO,
                cc: [0; 19],
                ..*modes
            };
            pty::set_modes(slave, &plain)?;
            for some in self.input.chunks(CHUNK).chain(self.begun.chunks(CHUNK)) {
                let before = sys::file::readable_bytes(master)?;
                sys::file::write_all(master, some)?;
                await_bytes(master, before + some.len())?;
                let mut echo = Vec::new();
                sys::file::read_some(master, some.len(), &mut echo)?;
            }
        }
        if !self.output.is_empty() {
            pty::set_modes(slave, &pty::Termios { oflag: 0, ..*modes })?;
            for some in self.output.chunks(CHUNK) {
                let before = sys::file::readable_bytes(master)?;
                sys::file::write_all(slave, some)?;
                await_bytes(master, before + some.len())?;
            }
        }
        pty::set_modes(slave, modes)
    }

    fn records(&self) -> Vec<PtyQueue> {
        /// Fits into a record.
        const LONGEST: usize = 16 << 10;
        let queues = [(INPUT, &self.input), (BEGUN, &self.begun), (OUTPUT, &self.output)];
        let parts =
            queues.into_iter().flat_map(|(queue, bytes)| bytes.chunks(LONGEST).map(move |b| (queue, b)));
        parts.map(|(queue, bytes)| PtyQueue { queue, pad: 0, bytes: bytes.to_vec() }).collect()
    }

    fn of<'r>(records: impl Iterator<Item = &'r PtyQueue>) -> Self {
        let mut queues = Self::default();
        for record in records {
            match record.queue {
                INPUT => &mut queues.input,
                BEGUN => &mut queues.begun,
                _ => &mut queues.output,
            }
            .extend_from_slice(&record.bytes);
        }
        queues
    }
}

/// Bytes put back at a time: fewer than any queue of a terminal takes.
const CHUNK: usize = 1024;

/// Waits until so many bytes can be read from a master: the kernel moves them in its own time (drivers/tty/tty_buffer.c).
fn await_bytes(master: &OwnedFd, count: usize) -> io::Result<()> {
    use std::time::{Duration, Instant};
    const PATIENCE: Duration = Duration::from_secs(5);
    let since = Instant::now();
    while sys::file::readable_bytes(master)? < count {
        if since.elapsed() > PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::yield_now();
    }
    Ok(())
}

fn read_all(slave: &OwnedFd, into: &mut Vec<u8>) -> io::Result<()> {
    loop {
        match sys::file::read_some(slave, CHUNK, into) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Masters of the pairs made so far.
#[derive(Debug, Default)]
struct Maker {
    made: BTreeMap<Id, OwnedFd>,
}

impl FdMaker for Maker {
    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError> {
        let record: &Record = m.record(id, file)?;
        let failed =
            |what: &str| RestoreError::io(format!("making /dev/pts/{} again ({what})", record.index));
        let master = match self.made.entry(file.object) {
            std::collections::btree_map::Entry::Occupied(made) => made.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let master = make(record).map_err(failed("a pair"))?;
                place.insert(master)
            }
        };
        let status = file.flags as i32 & (libc::O_NONBLOCK | libc::O_APPEND);
        if file.kind == SLAVE {
            let access = file.flags as i32 & libc::O_ACCMODE;
            return pty::slave(master, access | status).map(Some).map_err(failed("its slave"));
        }
        let fd = master.try_clone().map_err(failed("its master"))?;
        nix::fcntl::fcntl(&fd, FcntlArg::F_SETFL(OFlag::from_bits_truncate(status)))
            .map_err(RestoreError::nix("setting the flags of a terminal"))?;
        Ok(Some(fd))
    }

    /// Modes come when both ends stand, and then the session that the pair controls.
    fn connect(&mut self, p: &mut Placed, id: Id, file: &File) -> Result<(), RestoreError> {
        let Some(master) = self.made.get(&file.object).filter(|_| file.kind == MASTER) else { return Ok(()) };
        let record: &Record = p.tree.object(file.object).ok_or_else(|| RestoreError::missing(p.tree, id))?;
        let failed = |what: &str| RestoreError::io(format!("setting up /dev/pts/{} ({what})", record.index));
        let slave = pty::slave(master, libc::O_RDWR).map_err(failed("its slave"))?;
        set_up(p.tree.parts_of(file.object), record, master, &slave).map_err(failed("its modes"))?;
        for (process, task) in living(p.tree).enumerate() {
            for terminal in task.parts::<ControllingTerminal>().filter(|t| t.pty == file.object) {
                let slave = slave.try_clone().map_err(failed("its slave"))?;
                take_session(p, process, slave, terminal)?;
            }
        }
        Ok(())
    }

    fn arm(&mut self, p: &Placed, _: Id, file: &File) -> Result<(), RestoreError> {
        let Some(record) = p.tree.object::<Record>(file.object) else { return Ok(()) };
        // Our own hold would keep the other end from seeing its end.
        if let Some(master) = self.made.remove(&file.object)
            && record.flags & LOCKED != 0
        {
            pty::set_locked(&master, true).map_err(RestoreError::io("locking a terminal"))?;
        }
        Ok(())
    }
}

fn living(tree: &crate::image::model::Tree) -> impl Iterator<Item = &TaskState> {
    tree.tasks.iter().filter(|task| !task.is_zombie())
}

/// Makes a pair with this number, or with another if it is somebody else's.
fn make(record: &Record) -> io::Result<OwnedFd> {
    let mut others = Vec::new();
    let mut master = pty::open()?;
    // The kernel gives the lowest number that is free, so those below have to be taken for a moment.
    while pty::index(&master)? < record.index && others.len() < MAX_TRIES {
        others.push(std::mem::replace(&mut master, pty::open()?));
    }
    let index = pty::index(&master)?;
    if index != record.index {
        tracing::warn!("/dev/pts/{} is somebody else's here: the terminal is /dev/pts/{index}", record.index);
    }
    pty::set_locked(&master, false)?;
    Ok(master)
}

fn set_up<'r>(
    queues: impl Iterator<Item = &'r PtyQueue>,
    record: &Record,
    master: &OwnedFd,
    slave: &OwnedFd,
) -> io::Result<()> {
    let modes = pty::Termios {
        iflag: record.c_iflag,
        oflag: record.c_oflag,
        cflag: record.c_cflag,
        lflag: record.c_lflag,
        line: record.c_line,
        cc: record.c_cc,
        ispeed: record.c_ispeed,
        ospeed: record.c_ospeed,
    };
    pty::set_window(slave, [record.ws_row, record.ws_col, record.ws_xpixel, record.ws_ypixel])?;
    Queues::of(queues).put(master, slave, &modes)?;
    if record.mode != 0 {
        // Another owner needs a privilege; without it the terminal is ours, as all else of the process is.
        let _ = nix::unistd::fchown(slave, Some(record.uid.into()), Some(record.gid.into()));
        let mode = nix::sys::stat::Mode::from_bits_truncate(record.mode & 0o777);
        nix::sys::stat::fchmod(slave, mode)?;
    }
    if record.flags & PACKET != 0 {
        pty::set_packet_mode(master)?;
    }
    if record.flags & EXCLUSIVE != 0 {
        pty::set_exclusive(slave)?;
    }
    Ok(())
}

/// Has a process, which leads a session, take a terminal for it, and puts the right group into the foreground.
fn take_session(
    p: &mut Placed,
    process: usize,
    slave: OwnedFd,
    terminal: &ControllingTerminal,
) -> Result<(), RestoreError> {
    let (Some(stub), Some(numbers)) = (p.stubs.get_mut(process), p.used.get_mut(process)) else {
        return Ok(());
    };
    let lent = p.channel.lend(stub, numbers, slave)?;
    let mut calls = Batch::new();
    calls.call("taking the controlling terminal", libc::SYS_ioctl, args![lent, pty::TIOCSCTTY, 0]);
    if terminal.foreground != 0 {
        let group = calls.put(&terminal.foreground);
        let args = args![lent, pty::TIOCSPGRP, group];
        // A group that is no more leaves the terminal to the leader's.
        calls.forgiving("setting the foreground group", libc::SYS_ioctl, args, &[libc::ESRCH, libc::EPERM]);
    }
    stub.make(&calls)?;
    p.channel.take_back(stub, numbers, &[lent])?;
    Ok(())
}
