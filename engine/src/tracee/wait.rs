//! A thread that waits in a call for no longer than some time: how much of it is left, and how the thread gets just that.
//!
//! A stop interrupts the call, and it is made again. Three kinds of call differ in what has to be done about it:
//!
//! * the kernel keeps the end itself and goes on by restart_syscall(2) (`struct restart_block`): nanosleep, poll, futex;
//! * it writes the rest over the time that was asked for: select(2) and ppoll(2), nothing to do;
//! * it would start from the beginning: the time stands in a register, in memory or in the socket. A register is changed.
//!   Memory and sockets have the rest while the call begins, and then what they had before ([`PutBack`]).
//!
//! What is left is not kept anywhere that could be read, so a call that is made again carries it as a note in the half of
//! the register that the kernel ignores ([`arch::take_note`]): that is how the next checkpoint knows.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::arch;
use crate::procfs::Proc;
use crate::sys::ptrace::Regs;
use crate::sys::{pidfd, socket, vm};
use crate::tracee::asleep::Look;

const NANOS: u64 = 1_000_000_000;
const MILLI: u64 = 1_000_000;
/// Longest time that a thread may take to go back into its call before what it was lent is put back.
const PATIENCE: Duration = Duration::from_millis(200);

/// Where a call has its time from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Argument of this number, in milliseconds.
    Millis(usize),
    /// A `struct timespec` that the argument of this number points to.
    Memory(usize),
    /// This option of the socket that is the first argument.
    Socket(i32),
}

/// Where a call has its time from, and whether the kernel keeps its end; nothing if it has no relative time.
pub fn place(nr: i64, args: &[u64; 6]) -> Option<(Place, bool)> {
    const IO_PGETEVENTS: i64 = 333;
    const FUTEX_FLAGS: u64 = (libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) as u64;
    Some(match nr {
        libc::SYS_nanosleep => (Place::Memory(0), true),
        libc::SYS_clock_nanosleep if args[1] & libc::TIMER_ABSTIME as u64 == 0 => (Place::Memory(2), true),
        libc::SYS_poll => (Place::Millis(2), true),
        libc::SYS_futex if args[1] & !FUTEX_FLAGS == libc::FUTEX_WAIT as u64 => (Place::Memory(3), true),
        libc::SYS_epoll_wait | libc::SYS_epoll_pwait => (Place::Millis(3), false),
        libc::SYS_epoll_pwait2 | libc::SYS_semtimedop => (Place::Memory(3), false),
        libc::SYS_rt_sigtimedwait => (Place::Memory(2), false),
        libc::SYS_io_getevents | IO_PGETEVENTS => (Place::Memory(4), false),
        libc::SYS_recvfrom
        | libc::SYS_recvmsg
        | libc::SYS_read
        | libc::SYS_readv
        | libc::SYS_accept
        | libc::SYS_accept4 => (Place::Socket(libc::SO_RCVTIMEO), false),
        libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_write | libc::SYS_writev | libc::SYS_connect => {
            (Place::Socket(libc::SO_SNDTIMEO), false)
        }
        _ => return None,
    })
}

/// Looks at a thread that is about to be stopped, if it is in a call whose time would matter.
pub fn look(proc: &Proc, tid: i32) -> Option<Look> {
    let task = proc.task(tid).ok()?;
    let text = task.read("syscall").ok()?;
    // proc_pid_syscall(5): "running", or number and arguments.
    let mut words = std::str::from_utf8(&text).ok()?.split_whitespace();
    let nr: i64 = words.next()?.parse().ok()?;
    let mut args = [0; 6];
    for (arg, word) in args.iter_mut().zip(words) {
        *arg = u64::from_str_radix(word.trim_start_matches("0x"), 16).ok()?;
    }
    let matters = match place(nr, &args) {
        Some((Place::Socket(_), _)) => is_socket(proc, args[0]),
        Some(_) => true,
        None => nr == libc::SYS_restart_syscall,
    };
    if matters { Look::at(&task) } else { None }
}

fn is_socket(proc: &Proc, fd: u64) -> bool {
    proc.readlink(&format!("fd/{}", fd as i32)).is_ok_and(|link| link.starts_with(b"socket:"))
}

/// A call to be made and interrupted at once, so that the kernel knows how long the wait is.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// Its number.
    pub nr: i64,
    /// Its arguments.
    pub args: [u64; 6],
    /// What the argument of this number has to point to.
    pub time: Option<(usize, [u8; 16])>,
}

/// A wait that was interrupted by a stop of ours.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    nr: i64,
    args: [u64; 6],
    place: Place,
    in_kernel: bool,
    /// What it was to last.
    pub whole: u64,
    /// What was left of it when the thread was stopped, in nanoseconds.
    pub rest: u64,
    since: Instant,
}

impl Wait {
    /// Finds out whether the thread with these registers was in a wait, whose number it corrects where the kernel has
    /// forgotten it. `note` is what an earlier restart of the call left, `slept` how long the thread had been asleep.
    pub fn found(proc: &Proc, tid: i32, regs: &mut Regs, note: u32, slept: Option<Duration>) -> Option<Self> {
        let noted = Note::of(note);
        arch::name_restarted_call(regs, noted.map(|note| note.call));
        arch::find_original_call(tid, regs);
        let (nr, args) = arch::interrupted_call(regs);
        let (place, in_kernel) = place(nr, &args)?;
        let whole = match place {
            Place::Millis(i) => u64::try_from(args[i] as i32).ok()? * MILLI,
            Place::Memory(i) => timespec(tid, args[i])?,
            Place::Socket(name) if is_socket(proc, args[0]) => {
                let fd = descriptor(tid, args[0])?;
                Some(socket::timeout(&fd, name).ok()?).filter(|time| *time != 0)?
            }
            Place::Socket(_) => return None,
        };
        if matches!(place, Place::Socket(_)) {
            arch::again_if_interrupted(regs);
        }
        if !arch::is_to_be_made_again(regs, in_kernel) {
            return None;
        }
        let rest = match written_rest(tid, nr, &args) {
            Some(rest) => rest,
            None => {
                let slept = slept.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
                noted.map_or(whole, |note| note.rest).min(whole).saturating_sub(slept)
            }
        };
        Some(Self { nr, args, place, in_kernel, whole, rest, since: Instant::now() })
    }

    /// The wait of a thread of an image, of which so much is left.
    pub fn of_image(tid: i32, regs: &Regs, rest: Option<u64>) -> Option<Self> {
        let (nr, args) = arch::interrupted_call(regs);
        let (place, in_kernel) = place(nr, &args)?;
        if !arch::is_to_be_made_again(regs, in_kernel) {
            return None;
        }
        // An image of a version that did not say.
        let rest = rest.or_else(|| written_rest(tid, nr, &args))?;
        Some(Self { nr, args, place, in_kernel, whole: rest, rest, since: Instant::now() })
    }

    /// What is left now. Never nothing, which some calls take for no limit.
    fn left(&self) -> u64 {
        let gone = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.rest.saturating_sub(gone).max(1)
    }

    /// The call that has the kernel keep the end of the wait; nothing if it does not do so.
    pub fn kept(&self) -> Option<Kept> {
        let mut args = self.args;
        let time = match self.place {
            Place::Millis(i) if self.in_kernel => {
                args[i] = millis(self.left());
                None
            }
            Place::Memory(i) if self.in_kernel => Some((i, timespec_bytes(self.left()))),
            _ => return None,
        };
        Some(Kept { nr: self.nr, args, time })
    }

    /// Changes the registers of the interrupted thread such that it goes on with what is left, and lends it what it
    /// takes for that. Where the kernel keeps the end of the wait it does so already.
    pub fn go_on(&self, tid: i32, regs: &mut Regs) -> Option<PutBack> {
        if arch::interrupted_call(regs).0 != self.nr {
            return None;
        }
        let left = self.left();
        let note = Note { call: self.nr, rest: left }.bits();
        if self.in_kernel {
            arch::go_on_by_restart(regs, note);
            return None;
        }
        let lent = match self.place {
            Place::Millis(i) => {
                arch::set_argument(regs, i, millis(left));
                return None;
            }
            Place::Memory(i) => {
                let (at, mut was) = (self.args[i], [0; 16]);
                vm::read_exact_at(tid, at, &mut was).ok()?;
                let now = timespec_bytes(left);
                vm::write(tid, &[(at, 16)], &now).ok().filter(|n| *n == 16)?;
                Lent::Memory { at, was, now }
            }
            Place::Socket(name) => {
                let fd = descriptor(tid, self.args[0])?;
                let was = socket::timeout(&fd, name).ok()?;
                // What is less than a microsecond would be no limit at all.
                socket::set_timeout(&fd, name, left.max(1000)).ok()?;
                Lent::Socket { fd, name, was }
            }
        };
        arch::add_note(regs, note);
        Some(PutBack { tid, nr: self.nr, lent })
    }
}

/// What nanosleep(2) writes when it is interrupted, if the program wants to know.
fn written_rest(tid: i32, nr: i64, args: &[u64; 6]) -> Option<u64> {
    let at = match nr {
        libc::SYS_nanosleep => args[1],
        libc::SYS_clock_nanosleep => args[3],
        _ => 0,
    };
    timespec(tid, at)
}

/// The time at an address; nothing at address 0, and where there is none.
fn timespec(tid: i32, at: u64) -> Option<u64> {
    let mut bytes = [0; 16];
    if at == 0 || vm::read_exact_at(tid, at, &mut bytes).is_err() {
        return None;
    }
    let (sec, nsec) = bytes.split_at(8);
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
    word(sec).checked_mul(NANOS)?.checked_add(word(nsec))
}

fn timespec_bytes(nanos: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(nanos / NANOS).to_ne_bytes());
    bytes[8..].copy_from_slice(&(nanos % NANOS).to_ne_bytes());
    bytes
}

/// Whole milliseconds, rather one too many.
fn millis(nanos: u64) -> u64 {
    nanos.div_ceil(MILLI).min(i32::MAX as u64)
}

fn descriptor(pid: i32, fd: u64) -> Option<OwnedFd> {
    // A thread's descriptors are its process's; pidfd_open(2) wants that.
    let status = crate::procfs::parse_status(&Proc::open(pid).ok()?.read("status").ok()?).ok()?;
    pidfd::getfd(&pidfd::open(status.tgid).ok()?, fd as i32).ok()
}

/// What a call that is made again carries along: which one it is, and how long it may last. 31 bits: the call, an
/// exponent, and 24 digits of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Note {
    call: i64,
    rest: u64,
}

impl Note {
    /// Calls that the kernel forgets the number of; others say it themselves.
    const CALLS: [i64; 4] = [libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_poll, libc::SYS_futex];
    const DIGITS: u32 = 24;

    fn bits(self) -> u32 {
        let call = Self::CALLS.iter().position(|nr| *nr == self.call).unwrap_or(0) as u32;
        let exponent = (u64::BITS - self.rest.leading_zeros()).saturating_sub(Self::DIGITS);
        if exponent > 31 {
            // More than a year.
            return 0;
        }
        call << 29 | exponent << Self::DIGITS | (self.rest >> exponent) as u32
    }

    fn of(bits: u32) -> Option<Self> {
        let digits = u64::from(bits & ((1 << Self::DIGITS) - 1));
        let call = Self::CALLS.get((bits >> 29) as usize)?;
        (digits != 0).then_some(Self { call: *call, rest: digits << (bits >> Self::DIGITS & 31) })
    }
}

/// Something that has to be as it was once a thread is in its call.
#[derive(Debug)]
pub struct PutBack {
    tid: i32,
    nr: i64,
    lent: Lent,
}

#[derive(Debug)]
enum Lent {
    Memory { at: u64, was: [u8; 16], now: [u8; 16] },
    Socket { fd: OwnedFd, name: i32, was: u64 },
}

impl PutBack {
    /// Waits until the threads are in their calls, and puts back what they were lent.
    pub fn all(mut list: Vec<Self>) {
        let since = Instant::now();
        while !list.is_empty() {
            list.retain(|one| {
                let over = since.elapsed() >= PATIENCE || !one.is_on_its_way();
                if over {
                    one.put_back();
                }
                !over
            });
            std::thread::yield_now();
        }
    }

    /// Whether the thread has yet to go to sleep.
    fn is_on_its_way(&self) -> bool {
        std::fs::read(format!("/proc/{}/syscall", self.tid)).is_ok_and(|text| text.starts_with(b"running"))
    }

    fn put_back(&self) {
        let result = match &self.lent {
            Lent::Memory { at, was, now } => {
                let mut there = [0; 16];
                match vm::read_exact_at(self.tid, *at, &mut there) {
                    // Somebody has put something else there.
                    Ok(()) if there != *now => return,
                    Ok(()) => vm::write(self.tid, &[(*at, 16)], was).map(drop),
                    Err(error) => Err(error),
                }
            }
            Lent::Socket { fd, name, was } => socket::set_timeout(fd, *name, *was),
        };
        if let Err(error) = result {
            tracing::debug!(tid = self.tid, nr = self.nr, %error, "the time of a call could not be put back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_keeps_the_call_and_seven_digits_of_the_time() {
        for call in Note::CALLS {
            for rest in [1, 999, (1 << 24) - 1, 1 << 24, 2_500_000_000, 86_400 * NANOS, 300 * 86_400 * NANOS]
            {
                let note = Note { call, rest };
                let again = Note::of(note.bits()).unwrap();
                assert_eq!(again.call, call);
                assert!(
                    again.rest <= rest && rest - again.rest <= rest >> 23,
                    "{rest} became {}",
                    again.rest
                );
            }
        }
        assert_eq!(Note::of(0), None);
        assert_eq!(Note { call: libc::SYS_poll, rest: u64::MAX }.bits(), 0);
    }

    #[test]
    fn waits_without_a_relative_time_are_none() {
        let abs = libc::TIMER_ABSTIME as u64;
        assert_eq!(place(libc::SYS_clock_nanosleep, &[0, abs, 1, 0, 0, 0]), None);
        assert_eq!(place(libc::SYS_futex, &[0, libc::FUTEX_WAIT_BITSET as u64, 0, 1, 0, 0]), None);
        assert_eq!(place(libc::SYS_pause, &[0; 6]), None);
    }
}
