//! Descriptors reach a process under construction over a socket (SCM_RIGHTS, unix(7)), whichever namespaces it lives in and
//! however many we may have open ourselves.
//!
//! All processes of a tree share one end of the socket, as they fork each other; they are driven one at a time, so each
//! receives what was sent for it. The kernel gives what is received the lowest number that is free, which we know, because
//! we know every number that is taken.

use std::collections::BTreeSet;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::abi::{Iovec, Msghdr};
use crate::sys::{rights, socket};
use crate::tracee::batch::{Batch, Ptr, args};
use crate::tracee::stub::{Call, Stub, StubError};

/// Descriptors sent before they are received: fewer than a socket's buffer takes.
pub const IN_FLIGHT: usize = 32;

/// The socket.
#[derive(Debug)]
pub struct Channel {
    ours: OwnedFd,
    /// What the end of the process is called when it has just come by it.
    inherited: u32,
    /// What it is called there now.
    theirs: u32,
}

/// The numbers that are taken in a process.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    used: BTreeSet<u32>,
    /// No free number is below.
    lowest: u32,
}

impl Numbers {
    /// The lowest number that is free.
    pub fn lowest(&self) -> u32 {
        self.lowest
    }

    /// So many free numbers, the lowest ones.
    pub fn spare(&self, count: usize) -> Vec<u32> {
        (self.lowest..).filter(|number| !self.used.contains(number)).take(count).collect()
    }

    /// Whether a number is taken.
    pub fn is_taken(&self, number: u32) -> bool {
        self.used.contains(&number)
    }

    /// Notes that a number is taken.
    pub fn take(&mut self, number: u32) {
        self.used.insert(number);
        while self.used.contains(&self.lowest) {
            self.lowest += 1;
        }
    }

    /// Notes that a number is free.
    pub fn free(&mut self, number: u32) {
        self.used.remove(&number);
        self.lowest = self.lowest.min(number);
    }
}

/// A number that a descriptor is to have, and whether it is closed on execve(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The number.
    pub number: u32,
    /// Close-on-exec.
    pub cloexec: bool,
}

impl Slot {
    fn flags(self) -> u64 {
        if self.cloexec { libc::O_CLOEXEC as u64 } else { 0 }
    }
}

impl Channel {
    /// A new one, and the end that a process which is forked from us inherits; ours can be closed after the fork.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socket::pair(libc::SOCK_STREAM, 0)?;
        let number = theirs.as_raw_fd() as u32;
        Ok((Self::of(ours, number), theirs))
    }

    /// One that a process has already, at this number.
    pub fn of(ours: OwnedFd, theirs: u32) -> Self {
        Self { ours, inherited: theirs, theirs }
    }

    /// Moves the process's end out of the way of the numbers in `avoid`, and closes all its other descriptors. Returns what
    /// is taken then, also in its children to come.
    pub fn clear(&mut self, stub: &mut Stub, avoid: &BTreeSet<u32>) -> Result<Numbers, StubError> {
        let to = (0..).find(|number| !avoid.contains(number)).unwrap_or(u32::MAX);
        let mut calls = Vec::new();
        if to != self.inherited {
            let args = [self.inherited.into(), to.into(), 0];
            calls.push(Call::new("moving a socket out of the way", libc::SYS_dup3, &args));
        }
        if to > 0 {
            calls.push(close_range(0, to - 1));
        }
        calls.push(close_range(to + 1, u32::MAX));
        stub.run(&calls)?;
        self.theirs = to;
        let mut numbers = Numbers::default();
        numbers.take(to);
        Ok(numbers)
    }

    /// Hands descriptors over, each to all of its slots, of which it has one at least and all are free.
    pub fn give(
        &self,
        stub: &mut Stub,
        numbers: &mut Numbers,
        fds: &[(OwnedFd, Vec<Slot>)],
    ) -> Result<(), StubError> {
        for some in fds.chunks(IN_FLIGHT) {
            let mut calls = Batch::new();
            let message = message_for_one(&mut calls);
            for (fd, slots) in some {
                rights::send(&self.ours, fd)
                    .map_err(|source| StubError::Control { what: "passing a descriptor", source })?;
                let lowest = numbers.lowest();
                let direct = slots.iter().find(|slot| slot.number == lowest);
                let flags = if direct.is_some_and(|slot| slot.cloexec) { libc::MSG_CMSG_CLOEXEC } else { 0 };
                let args = args![self.theirs, message, flags];
                calls.call("receiving a descriptor", libc::SYS_recvmsg, args);
                for slot in slots.iter().filter(|slot| slot.number != lowest) {
                    let what = format!("placing descriptor {}", slot.number);
                    let args = [lowest.into(), slot.number.into(), slot.flags()];
                    calls.add(Call::new(what, libc::SYS_dup3, &args));
                }
                if direct.is_none() {
                    calls.add(close(lowest));
                }
                slots.iter().for_each(|slot| numbers.take(slot.number));
            }
            stub.make(&calls)?;
        }
        Ok(())
    }

    /// Hands descriptors over to whatever numbers are free; returns those, in the same order.
    pub fn lend_all(
        &self,
        stub: &mut Stub,
        numbers: &mut Numbers,
        fds: impl IntoIterator<Item = OwnedFd>,
    ) -> Result<Vec<u32>, StubError> {
        let fds: Vec<OwnedFd> = fds.into_iter().collect();
        let free = numbers.spare(fds.len());
        let slots = free.iter().map(|number| vec![Slot { number: *number, cloexec: true }]);
        self.give(stub, numbers, &fds.into_iter().zip(slots).collect::<Vec<_>>())?;
        Ok(free)
    }

    /// Hands one descriptor over to whatever number is free; returns that.
    pub fn lend(&self, stub: &mut Stub, numbers: &mut Numbers, fd: OwnedFd) -> Result<u32, StubError> {
        let number = numbers.lowest();
        self.give(stub, numbers, &[(fd, vec![Slot { number, cloexec: true }])])?;
        Ok(number)
    }

    /// Takes back what was lent.
    pub fn take_back(&self, stub: &mut Stub, numbers: &mut Numbers, lent: &[u32]) -> Result<(), StubError> {
        stub.run(&lent.iter().map(|number| close(*number)).collect::<Vec<_>>())?;
        lent.iter().for_each(|number| numbers.free(*number));
        Ok(())
    }

    /// Moves a descriptor that the process has made for itself, at whatever number, to its slots.
    pub fn settle(
        &self,
        stub: &mut Stub,
        numbers: &mut Numbers,
        made: u32,
        slots: &[Slot],
    ) -> Result<(), StubError> {
        let mut calls = Vec::new();
        for slot in slots {
            let args = [made.into(), slot.number.into(), slot.flags()];
            if slot.number == made {
                let cloexec = if slot.cloexec { libc::FD_CLOEXEC as u64 } else { 0 };
                calls.push(Call::new(
                    "F_SETFD",
                    libc::SYS_fcntl,
                    &[made.into(), libc::F_SETFD as u64, cloexec],
                ));
            } else {
                calls.push(Call::new(format!("placing descriptor {}", slot.number), libc::SYS_dup3, &args));
            }
        }
        if slots.iter().all(|slot| slot.number != made) {
            calls.push(close(made));
        }
        stub.run(&calls)?;
        slots.iter().for_each(|slot| numbers.take(slot.number));
        Ok(())
    }

    /// Closes the process's end: nothing is handed over any more.
    pub fn close(&self, stub: &mut Stub) -> Result<(), StubError> {
        stub.run(&[close(self.theirs)]).map(drop)
    }
}

fn close(number: u32) -> Call {
    Call::new("closing a descriptor", libc::SYS_close, &[number.into()])
}

fn close_range(first: u32, last: u32) -> Call {
    Call::new("closing descriptors", libc::SYS_close_range, &[first.into(), last.into(), 0])
}

/// A `struct msghdr` with room for a byte of data and one descriptor.
fn message_for_one(calls: &mut Batch) -> Ptr {
    // CMSG_SPACE of one descriptor: the kernel writes that very length back, so one header serves many calls.
    const CONTROL_LEN: usize = 24;
    let data = calls.put(&0u8);
    let iov = calls.put(&Iovec { base: 0, len: 1 });
    calls.link(iov, offset_of!(Iovec, base), data);
    let control = calls.put(&[0u8; CONTROL_LEN]);
    let message = calls.put(&Msghdr { iov_len: 1, control_len: CONTROL_LEN as u64, ..Msghdr::default() });
    calls.link(message, offset_of!(Msghdr, iov), iov);
    calls.link(message, offset_of!(Msghdr, control), control);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_known_whatever_is_taken_and_freed() {
        let mut numbers = Numbers::default();
        [0, 1, 3].into_iter().for_each(|n| numbers.take(n));
        assert_eq!((numbers.lowest(), numbers.spare(3)), (2, vec![2, 4, 5]));
        numbers.take(2);
        assert_eq!(numbers.lowest(), 4);
        numbers.free(1);
        assert_eq!(numbers.lowest(), 1);
    }
}
