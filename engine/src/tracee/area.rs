//! An area of ours in the memory of another process: a page of code that makes calls in a row, the list of calls, and
//! room for what they read and fill. With it a batch costs one round trip, however many calls it has.

use std::io;

use zerocopy::IntoBytes;

use crate::arch;
use crate::sys::ptrace::{self, Regs};
use crate::sys::vm;
use crate::tracee::batch::{Batch, Done, Room, Slot, TooLong};
use crate::tracee::stops::{self, Meanwhile, Missed, Until};

/// Length of the code at the start of an area.
const CODE_LEN: u64 = 4096;
/// Length of a call in the list.
const SLOT_LEN: u64 = size_of::<Slot>() as u64;

/// Where the area of a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    /// Its address.
    pub at: u64,
    /// Its length.
    pub len: u64,
    /// Most calls in a row.
    pub calls: usize,
}

/// How a thread goes through a list of calls and lets us know that it is done.
pub(super) struct Manner<'a> {
    /// The thread.
    pub tid: i32,
    /// Its process.
    pub pid: i32,
    /// Registers that do not matter to the calls.
    pub base: &'a Regs,
    /// A call that comes last, and whose stop says that all others were made.
    pub last: Option<Slot>,
    /// The stop.
    pub until: Until,
    /// Told when the registers are in place and the thread is about to run.
    pub ready: &'a mut dyn FnMut() -> io::Result<()>,
    /// What becomes of signals meanwhile.
    pub meanwhile: Meanwhile<'a>,
}

/// Why calls were not made.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The thread could not be had.
    Missed(Missed),
    /// There is no room for the arguments of one call.
    TooLong(TooLong),
    /// Memory or registers could not be reached.
    Io(&'static str, io::Error),
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> Trouble {
    move |source| Trouble::Io(what, source)
}

impl Area {
    /// Writes the code.
    pub fn prepare(&self, pid: i32, code: &[u8]) -> io::Result<()> {
        write(pid, self.at, code)
    }

    fn contains(&self, at: u64) -> bool {
        (self.at..self.at + self.len).contains(&at)
    }

    /// Where the list of calls begins.
    fn list(&self) -> u64 {
        self.at + CODE_LEN
    }

    /// Where arguments and results lie.
    pub fn room(&self) -> Room {
        let at = self.list() + self.calls as u64 * SLOT_LEN;
        Room { at, len: self.at + self.len - at, calls: self.calls }
    }

    /// Makes the calls of a batch, up to the first one that fails (its result is the last one then).
    pub fn make(&self, manner: &mut Manner, batch: &Batch) -> Result<Done, Trouble> {
        let mut done = Done::default();
        // The last call of a list may be one that is none of the batch.
        let room = Room { calls: self.calls - usize::from(manner.last.is_some()), ..self.room() };
        while done.results.len() < batch.len() {
            let from = done.results.len();
            let piece = batch.piece(from, &room).map_err(Trouble::TooLong)?;
            let write =
                |at: u64, bytes: &[u8]| write(manner.pid, at, bytes).map_err(io_error("writing memory"));
            if !piece.bytes.is_empty() {
                write(room.at, &piece.bytes)?;
            }
            let mut slots = piece.slots.clone();
            if manner.last.is_some() {
                // Nothing but the last call may end this list.
                slots.iter_mut().for_each(|slot| slot.ret = u64::MAX);
                slots.extend(manner.last);
            }
            write(self.list(), slots.as_bytes())?;
            let reached = self.go_through(manner, slots.len())?;
            vm::read_exact_at(manner.pid, self.list(), slots.as_mut_bytes())
                .map_err(io_error("reading results"))?;
            let made = (reached + 1).min(piece.calls.len());
            let results = slots.iter().take(made).map(|slot| slot.ret.cast_signed());
            done.results.extend(results);
            if batch.has_rooms(&piece) {
                let mut bytes = vec![0; piece.bytes.len()];
                vm::read_exact_at(manner.pid, room.at, &mut bytes).map_err(io_error("reading results"))?;
                batch.collect(&piece, &room, &bytes, &mut done);
            }
            if made < piece.calls.len() {
                break;
            }
        }
        Ok(done)
    }

    /// Has the thread make what is in the list; returns the number of the call at which it ended.
    fn go_through(&self, manner: &mut Manner, count: usize) -> Result<usize, Trouble> {
        let regs = arch::batch_regs(manner.base, self.at, self.list(), count as u64);
        ptrace::set_regs(manner.tid, &regs).map_err(io_error("setting registers"))?;
        (manner.ready)().map_err(io_error("blocking signals"))?;
        loop {
            stops::run(manner.tid, manner.until, manner.meanwhile).map_err(Trouble::Missed)?;
            let regs = ptrace::get_regs(manner.tid).map_err(io_error("reading registers"))?;
            let reached = arch::batch_position(&regs).wrapping_sub(self.list()) / SLOT_LEN;
            if !self.contains(arch::program_counter(&regs)) {
                // It has gone its way back: it must not be waited for.
                return Err(io_error("making calls in a row")(io::Error::from_raw_os_error(libc::EPROTO)));
            }
            // Else it is somebody else's signal.
            let is_over = match manner.last {
                Some(_) => reached + 1 == count as u64,
                None => arch::is_batch_over(&regs, self.at),
            };
            if is_over {
                return Ok(reached as usize);
            }
        }
    }
}

impl Slot {
    /// A call of numbers alone.
    pub fn new(nr: i64, args: [u64; 6]) -> Self {
        Self { nr: nr.cast_unsigned(), args, ret: u64::MAX }
    }
}

/// Writes all of it into the memory of a process.
pub(super) fn write(pid: i32, at: u64, bytes: &[u8]) -> io::Result<()> {
    match vm::write(pid, &[(at, bytes.len() as u64)], bytes)? {
        n if n == bytes.len() => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EFAULT)),
    }
}
