//! The processes of an image, and who of them has what together.

use super::{Result, Session, choice};
use crate::proto::Process;
use stasis_format::ReadAt;
use stasis_format::family::preorder;
use stasis_format::fields::definition;
use stasis_format::header::Kind;
use stasis_format::record::{Body, Fd, Show, TASK_STATES, Task, Thread, Vma};
use stasis_format::sharing::{Shared, Sharing};
use stasis_format::show;
use std::rc::Rc;

impl<S: ReadAt + Clone> Session<S> {
    /// All processes, each behind its parent and in front of its parent's next child.
    pub(super) fn tasks(&self) -> Result<Vec<Process>> {
        let mut found = Vec::new();
        if self.rev != 2 {
            return Ok(Vec::new());
        }
        for (at, node) in self.tree.nodes.iter().enumerate() {
            if Kind(node.kind) != Task::KIND {
                continue;
            }
            let Some(Body::Task(task)) = self.body(at as u32)? else { continue };
            found.push((node, task));
        }
        let family: Vec<(u32, u32)> = found.iter().map(|(node, _)| (node.id, node.parent)).collect();
        let process = |place: stasis_format::family::Place| {
            let (node, task) = found.get(place.at)?;
            let count = |owner, kind| {
                self.tree.of(owner).filter(|(_, node)| owner != 0 && Kind(node.kind) == kind).count() as u32
            };
            Some(Process {
                id: node.id,
                offset: node.offset,
                depth: place.depth.min(u8::MAX.into()) as u8,
                pid: task.pid,
                pgid: task.pgid,
                sid: task.sid,
                ppid: task.ppid,
                comm: show::escape(show::until_nul(&task.comm)),
                state: state(task),
                zombie: task.state == Task::ZOMBIE,
                mm: task.mm,
                threads: count(node.id, Thread::KIND),
                fds: count(task.files, Fd::KIND),
            })
        };
        Ok(preorder(&family).into_iter().filter_map(process).collect())
    }

    /// Who has what together; the records that tell it are read when it is first asked for.
    pub(super) fn sharing(&mut self) -> Result<Rc<Sharing>> {
        if let Some(known) = &self.sharing {
            return Ok(known.clone());
        }
        let mut sharing = Sharing::default();
        // Areas may be tens of thousands and are wanted otherwise, too.
        for mm in self.mms.clone() {
            self.spans(mm)?.iter().for_each(|span| sharing.vma(mm, &span.vma));
        }
        for (at, node) in self.tree.nodes.iter().enumerate().filter(|_| self.rev == 2) {
            let kind = Kind(node.kind);
            if !refers(kind) || kind == Vma::KIND {
                continue;
            }
            if let Some(body) = self.body(at as u32)? {
                sharing.add(node.id, node.parent, &body);
            }
        }
        let sharing = Rc::new(sharing);
        self.sharing = Some(sharing.clone());
        Ok(sharing)
    }

    /// Whose memory an object is, to be put in front of a place in it: nothing where there is but one.
    pub(super) fn whose(&mut self, id: u32) -> Result<Option<String>> {
        if self.mms.len() < 2 {
            return Ok(None);
        }
        let sharing = self.sharing()?;
        let has = sharing.tasks().iter().find(|member| member.part(Shared::Memory) == id);
        Ok(has.map(|member| member.name()))
    }
}

/// Whether records of this kind refer to others. What is shared is shared by references, so that these tell all of it;
/// which kinds they are, their definitions say.
fn refers(kind: Kind) -> bool {
    definition(kind, 2).is_some_and(|def| def.fields.iter().any(|field| matches!(field.show, Show::Ref)))
}

/// What a process was doing, or how it ended.
fn state(task: &Task) -> String {
    let words = choice(task.state, TASK_STATES);
    match task.state {
        Task::ZOMBIE => show::wait_status(task.exit_code.into()),
        _ if task.stop_signal != 0 => format!("{words} by {}", show::signal(task.stop_signal.into())),
        _ => words,
    }
}
