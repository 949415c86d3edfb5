//! All about one task: threads with registers, descriptors, signals, timers, limits.

use super::{Node, Result, Session, choice};
use crate::proto::{Fd, Line, Task, Thread};
use stasis_format::ReadAt;
use stasis_format::header::Kind;
use stasis_format::record::{
    Body, CLOCKS, CpuX86_64, FILE_KINDS, ITIMERS, Itimer, OPEN_FLAGS, PosixTimer, RESOURCES, Rlimit,
    SA_FLAGS, Sigaction, Sigpending, TASK_STATES,
};
use stasis_format::sharing::Sharing;
use stasis_format::show;

/// Descriptors that are listed.
const MAX_FDS: usize = 4096;

impl<S: ReadAt + Clone> Session<S> {
    /// The task that this object is.
    pub fn task(&mut self, id: u32) -> Result<Task> {
        let node = self.tree.object(id).ok_or("there is no such task")?;
        let Some(Body::Task(task)) = self.body(node)? else { return Err("the record is no TASK".into()) };
        let sharing = self.sharing()?;
        let fds = self.fds(id, task.files, &sharing)?;
        let mut out = Task { id, mm: task.mm, shares: sharing.parts(id), fds, ..Task::default() };
        let own: Vec<_> = self
            .tree
            .of(id)
            .filter(|(_, node)| Kind(node.kind) == stasis_format::record::Thread::KIND)
            .collect();
        for (at, node) in own {
            if let Some(Body::Thread(thread)) = self.body(at)? {
                let comm = show::escape(show::until_nul(&thread.comm));
                let blocked = show::signals(thread.sigmask).join(" ");
                let state = self.thread_state(node.id, thread.state)?;
                let registers = self.registers(node.id, task.mm)?;
                out.pending.extend(self.lines(node.id, Sigpending::KIND, task.mm)?);
                out.threads.push(Thread {
                    offset: node.offset,
                    tid: thread.tid,
                    comm,
                    state,
                    blocked,
                    registers,
                });
            }
        }
        out.actions = self.lines(task.sighand, Sigaction::KIND, task.mm)?;
        out.pending.extend(self.lines(id, Sigpending::KIND, task.mm)?);
        out.timers = self.lines(id, Itimer::KIND, task.mm)?;
        out.timers.extend(self.lines(id, PosixTimer::KIND, task.mm)?);
        out.limits = self.lines(id, Rlimit::KIND, task.mm)?;
        Ok(out)
    }

    /// What a thread was doing, as the command says it.
    fn thread_state(&self, thread: u32, state: u32) -> Result<String> {
        let cpu = self.tree.of(thread).find(|(_, node)| Kind(node.kind) == CpuX86_64::KIND);
        Ok(match cpu.map(|(at, _)| self.body(at)).transpose()?.flatten() {
            Some(Body::CpuX86_64(cpu)) if state == 0 && cpu.orig_rax != u64::MAX => {
                format!("in system call {}", cpu.orig_rax)
            }
            _ => choice(state, TASK_STATES),
        })
    }

    fn registers(&mut self, thread: u32, mm: u32) -> Result<Vec<(String, u64, Option<String>)>> {
        let cpu = self.tree.of(thread).find(|(_, node)| Kind(node.kind) == CpuX86_64::KIND);
        let Some(raw) = cpu.map(|(at, _)| self.raw(at)).transpose()?.flatten() else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for field in stasis_format::fields::fields(&raw.bytes, raw.offset, 2) {
            if field.part != stasis_format::fields::Part::Fixed {
                continue;
            }
            let n = field.value.unsigned();
            let area = if mm != 0 && n > 0xffff { self.area_of(mm, n)? } else { None };
            out.push((field.name, n, area));
        }
        Ok(out)
    }

    fn fds(&self, task: u32, table: u32, sharing: &Sharing) -> Result<Vec<Fd>> {
        let mut out = Vec::new();
        let own = |node: &Node| table != 0 && Kind(node.kind) == stasis_format::record::Fd::KIND;
        let fds = self.tree.of(table).filter(|(_, node)| own(node));
        for (at, node) in fds.take(MAX_FDS) {
            let Some(Body::Fd(fd)) = self.body(at)? else { continue };
            let shared = sharing.words(task, fd.fd, fd.file);
            let mut row = Fd { offset: node.offset, fd: fd.fd, shared, ..Fd::default() };
            let file = self.tree.object(fd.file);
            if let Some(Body::File(file)) = file.map(|at| self.body(at)).transpose()?.flatten() {
                row.kind = choice(file.kind, FILE_KINDS);
                let access = ["O_RDONLY", "O_WRONLY", "O_RDWR", "O_RDONLY"];
                let flags = show::flags((file.flags & !(3 | O_LARGEFILE)).into(), OPEN_FLAGS);
                row.flags = access
                    .get(file.flags as usize & 3)
                    .into_iter()
                    .map(|s| (*s).to_owned())
                    .chain(flags)
                    .collect::<Vec<_>>()
                    .join(" ");
                if fd.cloexec != 0 {
                    row.flags.push_str(" +cloexec");
                }
                row.pos = file.pos;
                if let Some(object) = self.tree.object(file.object) {
                    row.target_offset = self.tree.node(object).map(|node| node.offset);
                    row.target = self.summary(object)?;
                }
            }
            out.push(row);
        }
        Ok(out)
    }

    fn lines(&mut self, owner: u32, kind: Kind, mm: u32) -> Result<Vec<Line>> {
        let own: Vec<_> =
            self.tree.of(owner).filter(|(_, node)| owner != 0 && Kind(node.kind) == kind).collect();
        let mut out = Vec::new();
        for (at, node) in own {
            let words = self.body(at)?.and_then(|body| line(&body));
            let Some((name, mut text, handler)) = words else { continue };
            if let Some(area) = handler.map(|handler| self.area_of(mm, handler)).transpose()?.flatten() {
                text.push_str(&format!(" ({area})"));
            }
            out.push(Line { offset: node.offset, name, text });
        }
        Ok(out)
    }

    /// A record in one line without its number.
    pub(super) fn summary(&self, node: u32) -> Result<String> {
        let Some(raw) = self.raw(node)? else { return Ok(String::new()) };
        let kind = Kind(raw.header.kind);
        let fields = stasis_format::fields::fields(&raw.bytes, raw.offset, self.rev);
        let line = stasis_format::json::line(&raw.bytes, raw.offset, self.rev, kind, &fields);
        Ok(match line.split_once(": ") {
            Some((_, words)) if kind == stasis_format::record::Inode::KIND => words.to_owned(),
            _ => line,
        })
    }
}

/// The C library sets it for every file, so that it tells nothing (open(2)).
const O_LARGEFILE: u32 = 0o100_000;
/// SA_RESTORER says where the C library returns to; every handler has it.
const SA_RESTORER: u64 = 0x0400_0000;
/// TIMER_ABSTIME of timer_settime(2).
const ABSOLUTE: u32 = 1;

/// What a record of signals, timers and limits says: of what, what, and a handler's address.
fn line(body: &Body) -> Option<(String, String, Option<u64>)> {
    let due = |value: u64, absolute: bool| match value {
        0 => "not armed".to_owned(),
        value if absolute => format!("at {}", show::nanos(value)),
        value => format!("in {}", show::nanos(value)),
    };
    let every = |interval: u64| {
        if interval == 0 { String::new() } else { format!(", every {}", show::nanos(interval)) }
    };
    Some(match body {
        Body::Sigaction(action) => {
            let (mut text, handler) = match action.handler {
                0 => ("default".to_owned(), None),
                1 => ("ignored".to_owned(), None),
                handler => (format!("calls {handler:#x}"), Some(handler)),
            };
            let flags = show::flags(action.flags & !SA_RESTORER, SA_FLAGS);
            if !flags.is_empty() {
                text.push_str(&format!(", {}", flags.join(" ")));
            }
            if action.mask != 0 {
                text.push_str(&format!(", blocking {}", show::signals(action.mask).join(" ")));
            }
            (show::signal(action.signo.into()), text, handler)
        }
        Body::Sigpending(pending) => {
            (show::signal(pending.signo.into()), format!("sent with code {}", pending.code), None)
        }
        Body::Itimer(timer) => (
            choice(timer.which, ITIMERS),
            format!("{}{}", due(timer.value, false), every(timer.interval)),
            None,
        ),
        Body::PosixTimer(timer) => {
            let clock = u64::try_from(timer.clockid).ok().and_then(|id| show::choice(id, CLOCKS));
            let clock = clock.map_or_else(|| format!("processor clock {}", timer.clockid), str::to_owned);
            let due = due(timer.value, timer.flags & ABSOLUTE != 0);
            let signal = show::signal(timer.signo.into());
            (
                format!("timer {}", timer.timer_id),
                format!("{clock}, {due}{}, {signal}", every(timer.interval)),
                None,
            )
        }
        Body::Rlimit(limit) => {
            let most =
                |limit: u64| if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() };
            let text = match limit.rlim_cur == limit.rlim_max {
                true => most(limit.rlim_cur),
                false => format!("{}, at most {}", most(limit.rlim_cur), most(limit.rlim_max)),
            };
            (choice(limit.resource, RESOURCES), text, None)
        }
        _ => return None,
    })
}
