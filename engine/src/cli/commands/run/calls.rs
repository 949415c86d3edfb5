//! The calls that are going on under `stasis run`, and the images kept of those that are done.
//!
//! To save a process interrupts the wait of the thread that asked for it, as every stop does, and the kernel makes the call
//! again. So the same thread may ask for the same thing while a worker is at it; that is one call, and the answer goes to
//! whichever of the waits is the last.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use stasis_engine::rights::caller;
use stasis_engine::sys::creds::Whole;
use stasis_engine::sys::mem;
use stasis_engine::sys::seccomp::{Listener, Notification};
use stasis_engine::sys::worker::{Side, fork};

use super::worker::{Job, Reply};
use crate::cli::args::Run;

/// All calls of all processes.
pub struct Calls {
    listener: Listener,
    nr_restart: i64,
    revision: i32,
    /// Identifier of the next checkpoint.
    next: i32,
    keep: usize,
    /// Each with the credentials of whoever made it.
    kept: VecDeque<(i32, File, Whole)>,
    calls: Vec<Call>,
    /// Calls that wait for others.
    early: Vec<Notification>,
}

/// One call.
struct Call {
    /// The first wait of the thread for this call.
    first: u64,
    /// The last one that we know of.
    asked: Notification,
    /// The worker's answer comes here; nothing once it has come.
    worker: Option<UnixStream>,
    crid: i32,
    /// Who asks, or why that is not known.
    who: Result<Whole, i32>,
    /// A copy of the image, to be kept if there will be one.
    copy: Option<File>,
    /// What it came to; waits for the thread to ask again.
    answer: Option<i64>,
}

impl Calls {
    /// No calls yet.
    pub fn new(listener: Listener, args: &Run) -> Self {
        Self {
            listener,
            nr_restart: args.nr_restart.into(),
            revision: args.revision,
            next: 1,
            keep: args.keep,
            kept: VecDeque::new(),
            calls: Vec::new(),
            early: Vec::new(),
        }
    }

    /// Becomes readable when a call has come.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Become readable when a worker is done.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.calls.iter().filter_map(|call| call.worker.as_ref()).map(|socket| socket.as_fd())
    }

    /// Takes a call and sees to it.
    pub fn receive(&mut self) {
        let asked = match self.listener.receive() {
            Ok(Some(asked)) => asked,
            Ok(None) => return,
            Err(error) => return tracing::warn!(%error, "a call could not be heard"),
        };
        let again = |call: &&mut Call| {
            (call.asked.tid, call.asked.nr, call.asked.args) == (asked.tid, asked.nr, asked.args)
        };
        if let Some(call) = self.calls.iter_mut().find(again) {
            call.asked = asked;
            return;
        }
        // A caller hears of its checkpoint before we do.
        if self.is_too_early(&asked) {
            return self.early.push(asked);
        }
        // A thread that does something else does not wait for an answer any more; nor does one that is gone.
        self.calls.retain(|call| {
            let waits =
                call.asked.tid != asked.tid && Path::new("/proc").join(call.asked.tid.to_string()).exists();
            call.answer.is_none() || waits
        });
        self.begin(asked);
    }

    /// Whether a kept image is wanted while a checkpoint goes on that decides which ones there are.
    fn is_too_early(&self, asked: &Notification) -> bool {
        let [crid, fd] = [asked.args[0] as i32, asked.args[1] as i32];
        let decides =
            |call: &Call| call.worker.is_some() && (call.asked.tid == asked.tid || call.crid == crid);
        self.keep > 0 && asked.nr == self.nr_restart && fd == -1 && self.calls.iter().any(decides)
    }

    fn begin(&mut self, asked: Notification) {
        if let Err(error) = self.try_begin(asked) {
            let errno = error.raw_os_error().unwrap_or(libc::EAGAIN);
            tracing::warn!(%error, tid = asked.tid, "no worker for a call");
            let _ = self.listener.answer(asked.id, -i64::from(errno));
        }
    }

    fn try_begin(&mut self, asked: Notification) -> std::io::Result<()> {
        let is_restart = asked.nr == self.nr_restart;
        let mut who = caller::of(asked.tid).map_err(|error| error.raw_os_error().unwrap_or(libc::EPERM));
        // Whose they were is certain only if the thread still waits.
        if !self.listener.is_valid(asked.id) {
            who = Err(libc::EINTR);
        }
        let (crid, copy, kept) = if is_restart {
            let wanted = asked.args[0] as i32;
            let theirs = |maker: &Whole| who.as_ref().is_ok_and(|asker| caller::may_have_of(asker, maker));
            let found = self.kept.iter().find(|(crid, _, maker)| *crid == wanted && theirs(maker));
            (0, None, found.map(|(_, image, _)| image))
        } else {
            let copy =
                if self.keep > 0 { Some(File::from(mem::memfd(b"stasis-kept", false)?)) } else { None };
            (self.next, copy, None)
        };
        let job = Job {
            listener: &self.listener,
            asked,
            who: &who,
            is_restart,
            revision: self.revision,
            crid,
            copy: copy.as_ref(),
            kept,
        };
        let (front, worker) = UnixStream::pair()?;
        match fork()? {
            Side::Worker => {
                drop(front);
                job.run(worker)
            }
            Side::Front(_) => drop(worker),
        }
        if !is_restart {
            // Given out once, whatever becomes of it. None is left after two billion.
            self.next = self.next.checked_add(1).unwrap_or(self.next);
        }
        front.set_nonblocking(true)?;
        self.calls.push(Call { first: asked.id, asked, worker: Some(front), crid, who, copy, answer: None });
        Ok(())
    }

    /// Hears from workers that are done, and answers.
    pub fn collect(&mut self) {
        let (listener, kept, keep) = (&self.listener, &mut self.kept, self.keep);
        let mut next = Vec::new();
        self.calls.retain_mut(|call| {
            if let Some(socket) = &mut call.worker {
                let mut message = [0; Reply::LEN];
                let reply = match socket.read(&mut message) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return true,
                    Ok(Reply::LEN) => Reply::from_bytes(message),
                    // It has died.
                    _ => Reply { is_delivered: false, value: -i64::from(libc::EIO) },
                };
                call.worker = None;
                if reply.value > 0
                    && let Some(copy) = call.copy.take()
                    && let Ok(who) = &call.who
                {
                    kept.push_back((call.crid, copy, who.clone()));
                    kept.drain(..kept.len().saturating_sub(keep));
                }
                if reply.is_delivered {
                    // The thread has gone on, and came back already with the next call of this kind.
                    next.extend((call.asked.id != call.first).then_some(call.asked));
                    return false;
                }
                call.answer = Some(reply.value);
            }
            // Nobody waits just now: the kernel is about to make the call again.
            call.answer.is_none_or(|value| listener.answer(call.asked.id, value).is_err())
        });
        let (early, ready) =
            std::mem::take(&mut self.early).into_iter().partition(|asked| self.is_too_early(asked));
        self.early = early;
        next.into_iter().chain::<Vec<_>>(ready).for_each(|asked| self.begin(asked));
    }
}
