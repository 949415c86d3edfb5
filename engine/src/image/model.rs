//! The captured tree in memory: what stands between capture, image and restore.
//!
//! Capture fills it, [`write()`] turns it into records; [`Builder`] makes it again from the records of an image, and
//! restore works from it alone. It holds the format's own records, so there is no second description of anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use stasis_format::header::Kind;
use stasis_format::parser::Record;
use stasis_format::record::*;
use stasis_format::writer::{WriteError, Writer};

/// An object reference of the image; 0 is none.
pub type Id = u32;

/// A process tree. Objects that can be shared are kept by reference.
#[derive(Debug, Default, Clone)]
pub struct Tree {
    /// The checkpoint itself.
    pub image: Image,
    /// Tasks, parents before their children.
    pub tasks: Vec<TaskState>,
    /// Address spaces.
    pub mms: BTreeMap<Id, MmState>,
    /// Descriptor tables.
    pub tables: BTreeMap<Id, Vec<Fd>>,
    /// Current and root directories.
    pub fss: BTreeMap<Id, Fs>,
    /// Tables of signal actions.
    pub sighands: BTreeMap<Id, Vec<Sigaction>>,
    /// Credentials.
    pub creds: BTreeMap<Id, Creds>,
    /// Files, directories, memfds, shared memory.
    pub inodes: BTreeMap<Id, Inode>,
    /// Open file descriptions.
    pub files: BTreeMap<Id, File>,
    /// Objects of all other kinds, such as what lies behind descriptions that have no file.
    pub objects: BTreeMap<Id, Object>,
    /// State given up on request.
    pub warnings: Vec<Warning>,
    /// Records of all other kinds that belong to the image as a whole.
    pub parts: Vec<Body>,
    /// The last reference given out.
    pub last_id: Id,
}

/// One process.
#[derive(Debug, Default, Clone)]
pub struct TaskState {
    /// Its reference.
    pub id: Id,
    /// Its parent's, 0 for the root.
    pub parent: Id,
    /// The record.
    pub task: Task,
    /// Threads, the leader first.
    pub threads: Vec<ThreadState>,
    /// Resource limits.
    pub rlimits: Vec<Rlimit>,
    /// Namespaces.
    pub namespaces: Vec<Namespace>,
    /// Signals pending for the process.
    pub pending: Vec<Sigpending>,
    /// Interval timers.
    pub itimers: Vec<Itimer>,
    /// POSIX timers.
    pub posix_timers: Vec<PosixTimer>,
    /// File locks.
    pub locks: Vec<Lock>,
    /// Records of all other kinds that belong to it.
    pub parts: Vec<Body>,
}

/// [`Task::state`] of a process that has ended and waits for its parent to ask.
pub const ZOMBIE: u32 = 2;

impl TaskState {
    /// The records of kind `T` that belong to it.
    pub fn parts<T: InBody + 'static>(&self) -> impl Iterator<Item = &T> {
        self.parts.iter().filter_map(T::of)
    }

    /// Gives a thread another id than it had, also where something else names it.
    pub fn renumber_thread(&mut self, index: usize, new: u32) {
        let Some(thread) = self.threads.get_mut(index) else { return };
        let old = std::mem::replace(&mut thread.thread.tid, new);
        thread.former_tid = Some(old);
        self.posix_timers.iter_mut().filter(|timer| timer.tid == old).for_each(|timer| timer.tid = new);
    }

    /// Whether it has ended: nothing of it is left but its exit status.
    pub fn is_zombie(&self) -> bool {
        self.task.state == ZOMBIE
    }
}

/// One thread.
#[derive(Debug, Default, Clone)]
pub struct ThreadState {
    /// Its reference.
    pub id: Id,
    /// The record.
    pub thread: Thread,
    /// Its registers.
    pub cpu: CpuX86_64,
    /// Signals pending for it alone.
    pub pending: Vec<Sigpending>,
    /// Records of all other kinds that belong to it.
    pub parts: Vec<Body>,
    /// The id that it had, where a restart could not give it the same.
    pub former_tid: Option<u32>,
}

/// An address space.
#[derive(Debug, Default, Clone)]
pub struct MmState {
    /// The record.
    pub mm: Mm,
    /// What the processor family adds.
    pub context: MmContext,
    /// Areas in ascending order.
    pub vmas: Vec<Vma>,
    /// Guard pages: address and pages.
    pub guards: Vec<(u64, u64)>,
}

/// An object of a kind that only the file of that kind knows more about: its record, and the records that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its own record.
    pub body: Body,
    /// Records that belong to it, in their order.
    pub parts: Vec<Body>,
}

impl Tree {
    /// A fresh reference.
    pub fn new_id(&mut self) -> Id {
        self.last_id += 1;
        self.last_id
    }

    /// Adds an object of any kind; returns its reference.
    pub fn add(&mut self, body: impl Into<Body>) -> Id {
        let id = self.new_id();
        self.objects.insert(id, Object { body: body.into(), parts: Vec::new() });
        id
    }

    /// The object with this reference, if it is of kind `T`.
    pub fn object<T: InBody + 'static>(&self, id: Id) -> Option<&T> {
        self.objects.get(&id).and_then(|object| T::of(&object.body))
    }

    /// The same, to be changed.
    pub fn object_mut<T: InBody>(&mut self, id: Id) -> Option<&mut T> {
        self.objects.get_mut(&id).and_then(|object| T::of_mut(&mut object.body))
    }

    /// All objects of kind `T`.
    pub fn objects_of<T: InBody + 'static>(&self) -> impl Iterator<Item = (Id, &T)> {
        self.objects.iter().filter_map(|(id, object)| Some((*id, T::of(&object.body)?)))
    }

    /// The records of kind `T` that belong to an object.
    pub fn parts_of<T: InBody + 'static>(&self, id: Id) -> impl Iterator<Item = &T> + Clone {
        self.objects.get(&id).into_iter().flat_map(|object| &object.parts).filter_map(T::of)
    }

    /// The first record of kind `T` that belongs to an object, to be changed.
    pub fn part_mut<T: InBody>(&mut self, id: Id) -> Option<&mut T> {
        self.objects.get_mut(&id)?.parts.iter_mut().find_map(T::of_mut)
    }

    /// Says what belongs to an object, instead of what did so before.
    pub fn set_parts<T: InBody>(&mut self, id: Id, parts: impl IntoIterator<Item = T>) {
        if let Some(object) = self.objects.get_mut(&id) {
            object.parts = parts.into_iter().map(Into::into).collect();
        }
    }

    /// Says what else belongs to an object, beside what does so already.
    pub fn add_parts<T: Into<Body>>(&mut self, id: Id, parts: impl IntoIterator<Item = T>) {
        if let Some(object) = self.objects.get_mut(&id) {
            object.parts.extend(parts.into_iter().map(Into::into));
        }
    }

    /// The path of an INODE, empty if there is none.
    pub fn path_of(&self, inode: Id) -> &[u8] {
        self.inodes.get(&inode).map_or(&[], |i| i.path.as_slice())
    }
}

/// Writes all metadata, owners before what they own.
pub fn write<W: Write>(tree: &Tree, w: &mut Writer<W>) -> Result<(), WriteError> {
    w.record(0, 0, &tree.image)?;
    for warning in &tree.warnings {
        w.record(0, 0, warning)?;
    }
    for (id, inode) in &tree.inodes {
        w.record(0, *id, inode)?;
    }
    for (id, object) in &tree.objects {
        w.record_body(0, *id, &object.body)?;
    }
    for (id, file) in &tree.files {
        w.record(0, *id, file)?;
    }
    // Behind the files, because parts may refer to those.
    for (id, object) in &tree.objects {
        for part in &object.parts {
            w.record_body(*id, 0, part)?;
        }
    }
    for part in &tree.parts {
        w.record_body(0, 0, part)?;
    }
    let mut creds_written = BTreeSet::new();
    for task in &tree.tasks {
        write_task(tree, task, &mut creds_written, w)?;
    }
    Ok(())
}

/// `creds_written`: credentials that an earlier task has already, the same object.
fn write_task<W: Write>(
    tree: &Tree,
    t: &TaskState,
    creds_written: &mut BTreeSet<Id>,
    w: &mut Writer<W>,
) -> Result<(), WriteError> {
    w.record(t.parent, t.id, &t.task)?;
    for b in &t.namespaces {
        w.record(t.id, 0, b)?;
    }
    for b in &t.rlimits {
        w.record(t.id, 0, b)?;
    }
    if let Some(fs) = tree.fss.get(&t.task.fs) {
        w.record(t.id, t.task.fs, fs)?;
    }
    if let Some(fds) = tree.tables.get(&t.task.files) {
        w.record(t.id, t.task.files, &FileTable { nr_fds: fds.len() as u64 })?;
        for fd in fds {
            w.record(t.task.files, 0, fd)?;
        }
    }
    for b in &t.locks {
        w.record(t.id, 0, b)?;
    }
    for b in &t.parts {
        w.record_body(t.id, 0, b)?;
    }
    if let Some(actions) = tree.sighands.get(&t.task.sighand) {
        w.record(t.id, t.task.sighand, &Sighand { nr_actions: actions.len() as u64 })?;
        for action in actions {
            w.record(t.task.sighand, 0, action)?;
        }
    }
    for b in &t.pending {
        w.record(t.id, 0, b)?;
    }
    for b in &t.itimers {
        w.record(t.id, 0, b)?;
    }
    for b in &t.posix_timers {
        w.record(t.id, 0, b)?;
    }
    for thread in &t.threads {
        let id = thread.thread.creds;
        if let Some(creds) = tree.creds.get(&id).filter(|_| creds_written.insert(id)) {
            w.record(t.id, id, creds)?;
        }
        w.record(t.id, thread.id, &thread.thread)?;
        w.record(thread.id, 0, &thread.cpu)?;
        for b in &thread.pending {
            w.record(thread.id, 0, b)?;
        }
        for b in &thread.parts {
            w.record_body(thread.id, 0, b)?;
        }
    }
    if let Some(mm) = tree.mms.get(&t.task.mm) {
        w.record(t.id, t.task.mm, &mm.mm)?;
        w.record(t.task.mm, 0, &mm.context)?;
        for vma in &mm.vmas {
            w.record(t.task.mm, 0, vma)?;
        }
        for part in mm.guards.chunks(stasis_format::limits::MAX_RUNS) {
            let runs =
                part.iter().flat_map(|(at, n)| [at.to_le_bytes(), n.to_le_bytes()]).flatten().collect();
            w.record(t.task.mm, 0, &Guard { nr_pages: part.iter().map(|(_, n)| n).sum(), runs })?;
        }
    }
    Ok(())
}

/// Why the records of an image do not make a tree.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A record belongs to nothing that came before it.
    #[error("the {kind} record at offset {offset:#x} belongs to object {parent}, which is not there")]
    Orphan {
        /// Kind of the record.
        kind: Kind,
        /// Where it stands.
        offset: u64,
        /// Its owner.
        parent: Id,
    },
    /// The tree lacks something that every image has.
    #[error("the image holds no {0}")]
    Missing(&'static str),
}

/// Puts a tree together from the records of an image, in their order.
#[derive(Debug, Default)]
pub struct Builder {
    tree: Tree,
    has_image: bool,
}

impl Builder {
    /// Takes the next record.
    pub fn add(&mut self, record: Record) -> Result<(), BuildError> {
        let (parent, id) = (record.header.parent, record.id);
        let orphan = BuildError::Orphan { kind: record.body.kind(), offset: record.offset, parent };
        let tree = &mut self.tree;
        tree.last_id = tree.last_id.max(id);
        let task = |tree: &mut Tree| tree.tasks.iter().position(|t| t.id == parent);
        match record.body {
            Body::Image(b) => (tree.image, self.has_image) = (b, true),
            Body::Warning(b) => tree.warnings.push(b),
            Body::Inode(b) => drop(tree.inodes.insert(id, b)),
            Body::File(b) => drop(tree.files.insert(id, b)),
            Body::Task(b) => tree.tasks.push(TaskState { id, parent, task: b, ..TaskState::default() }),
            Body::Fs(b) => drop(tree.fss.insert(id, b)),
            Body::FileTable(_) => drop(tree.tables.insert(id, Vec::new())),
            Body::Fd(b) => tree.tables.get_mut(&parent).ok_or(orphan)?.push(b),
            Body::Sighand(_) => drop(tree.sighands.insert(id, Vec::new())),
            Body::Sigaction(b) => tree.sighands.get_mut(&parent).ok_or(orphan)?.push(b),
            Body::Mm(b) => drop(tree.mms.insert(id, MmState { mm: b, ..MmState::default() })),
            Body::MmContext(b) => tree.mms.get_mut(&parent).ok_or(orphan)?.context = b,
            Body::Vma(b) => tree.mms.get_mut(&parent).ok_or(orphan)?.vmas.push(b),
            Body::Guard(b) => {
                let words = b.runs.chunks_exact(8).filter_map(|w| w.try_into().ok()).map(u64::from_le_bytes);
                let words: Vec<u64> = words.collect();
                let mm = tree.mms.get_mut(&parent).ok_or(orphan)?;
                mm.guards.extend(words.chunks_exact(2).map(|p| (p[0], p[1])));
            }
            Body::Creds(b) => drop(tree.creds.insert(id, b)),
            Body::Thread(b) => {
                let i = task(tree).ok_or(orphan)?;
                tree.tasks[i].threads.push(ThreadState { id, thread: b, ..ThreadState::default() });
            }
            Body::CpuX86_64(b) => thread(tree, parent).ok_or(orphan)?.cpu = b,
            Body::Sigpending(b) => match task(tree) {
                Some(i) => tree.tasks[i].pending.push(b),
                None => thread(tree, parent).ok_or(orphan)?.pending.push(b),
            },
            Body::Rlimit(b) => own(tree, parent).ok_or(orphan)?.rlimits.push(b),
            Body::Namespace(b) => own(tree, parent).ok_or(orphan)?.namespaces.push(b),
            Body::Lock(b) => own(tree, parent).ok_or(orphan)?.locks.push(b),
            Body::Itimer(b) => own(tree, parent).ok_or(orphan)?.itimers.push(b),
            Body::PosixTimer(b) => own(tree, parent).ok_or(orphan)?.posix_timers.push(b),
            Body::Extent(_) | Body::Index(_) | Body::IndexEnd(_) => {}
            body if id != 0 => drop(tree.objects.insert(id, Object { body, parts: Vec::new() })),
            body if parent == 0 => tree.parts.push(body),
            body => parts_of(tree, parent).ok_or(orphan)?.push(body),
        }
        Ok(())
    }

    /// The tree, once all metadata has been taken.
    pub fn finish(self) -> Result<Tree, BuildError> {
        if !self.has_image {
            return Err(BuildError::Missing("IMAGE record"));
        }
        if self.tree.tasks.is_empty() {
            return Err(BuildError::Missing("task"));
        }
        for task in self.tree.tasks.iter().filter(|task| !task.is_zombie()) {
            if task.threads.is_empty() {
                return Err(BuildError::Missing("thread of a task"));
            }
            if !self.tree.mms.contains_key(&task.task.mm) {
                return Err(BuildError::Missing("address space of a task"));
            }
            if !self.tree.tables.contains_key(&task.task.files) {
                return Err(BuildError::Missing("descriptor table of a task"));
            }
            if !self.tree.sighands.contains_key(&task.task.sighand) {
                return Err(BuildError::Missing("table of signal actions of a task"));
            }
            if !self.tree.fss.contains_key(&task.task.fs) {
                return Err(BuildError::Missing("current directory of a task"));
            }
        }
        Ok(self.tree)
    }
}

/// The task with this reference.
fn own(tree: &mut Tree, id: Id) -> Option<&mut TaskState> {
    tree.tasks.iter_mut().find(|t| t.id == id)
}

/// The thread with this reference; most often the last one.
fn thread(tree: &mut Tree, id: Id) -> Option<&mut ThreadState> {
    tree.tasks.iter_mut().rev().flat_map(|t| t.threads.iter_mut().rev()).find(|t| t.id == id)
}

/// Where records that belong to this object are kept.
fn parts_of(tree: &mut Tree, id: Id) -> Option<&mut Vec<Body>> {
    if tree.objects.contains_key(&id) {
        return tree.objects.get_mut(&id).map(|object| &mut object.parts);
    }
    if tree.tasks.iter().any(|t| t.id == id) {
        return own(tree, id).map(|t| &mut t.parts);
    }
    thread(tree, id).map(|t| &mut t.parts)
}
