//! All about one task: threads with registers, descriptors, signals, timers, limits.

use super::{Node, Result, Session, choice};
use crate::proto::{Fd, Line, Task, Thread};
use stasis_format::ReadAt;
use stasis_format::header::Kind;
use stasis_format::record::{
    Body, CpuX86_64, FILE_KINDS, Itimer, OPEN_FLAGS, PosixTimer, Rlimit, Sigaction, Sigpending, TASK_STATES,
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
                let state = choice(thread.state, TASK_STATES);
                let registers = self.registers(node.id, task.mm)?;
                out.pending.extend(self.lines(node.id, Sigpending::KIND)?);
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
        out.actions = self.lines(task.sighand, Sigaction::KIND)?;
        out.pending.extend(self.lines(id, Sigpending::KIND)?);
        out.timers = self.lines(id, Itimer::KIND)?;
        out.timers.extend(self.lines(id, PosixTimer::KIND)?);
        out.limits = self.lines(id, Rlimit::KIND)?;
        Ok(out)
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
                let flags = show::flags((file.flags & !3).into(), OPEN_FLAGS);
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

    fn lines(&self, owner: u32, kind: Kind) -> Result<Vec<Line>> {
        let mut out = Vec::new();
        for (at, node) in self.tree.of(owner).filter(|(_, node)| owner != 0 && Kind(node.kind) == kind) {
            let Some(raw) = self.raw(at)? else { continue };
            let fields = stasis_format::fields::fields(&raw.bytes, raw.offset, 2);
            let plain = |field: &&stasis_format::fields::Field| {
                field.part == stasis_format::fields::Part::Fixed && field.name != "pad"
            };
            let words: Vec<_> =
                fields.iter().filter(plain).map(|field| format!("{} {}", field.name, field.text)).collect();
            let (name, rest) =
                words.split_first().map_or((String::new(), &[][..]), |(first, rest)| (first.clone(), rest));
            let name = name.split_once(' ').map_or(name.clone(), |(_, value)| value.to_owned());
            out.push(Line { offset: node.offset, name, text: rest.join(" · ") });
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
