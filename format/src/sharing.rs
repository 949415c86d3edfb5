//! Who has what together: the processes, descriptors and areas that lead to the same object of an image.
//!
//! A pipe of a process is of use only when it is said who has the other end; two processes that share memory or an
//! open file change each other's. The terminal and the browser take their words from here.

use crate::record::{Body, File, Task, Vma, file_kind};
use crate::schema::{Alike, Role};
use crate::show::{escape, until_nul};
use std::collections::{BTreeMap, BTreeSet};

/// MAP_SHARED of mmap(2).
const MAP_SHARED: u32 = 1;
/// A mapped file among the kinds of [`Vma::kind`].
const FILE_AREA: u32 = 2;
/// Holders that are named before the rest is only counted.
const NAMES: usize = 4;
/// Holders of one description that are looked at: an image may have a million, and they are looked at for each of them.
const MAX_HOLDERS: usize = 2000;
/// Most descriptors and areas that are remembered.
const MAX: usize = 1 << 20;

/// A part that tasks can have in common (clone(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shared {
    /// The address space.
    Memory,
    /// The descriptor table.
    Descriptors,
    /// Current and root directory, umask.
    Directories,
    /// The signal actions.
    Actions,
}

impl Shared {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Descriptors, Self::Directories, Self::Actions];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Descriptors => "descriptor table",
            Self::Directories => "directories",
            Self::Actions => "signal actions",
        }
    }

    fn of(self, task: &Task) -> u32 {
        match self {
            Self::Memory => task.mm,
            Self::Descriptors => task.files,
            Self::Directories => task.fs,
            Self::Actions => task.sighand,
        }
    }
}

/// A process that has something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its object.
    pub id: u32,
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    parts: [u32; 4],
}

/// A descriptor of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder<'a> {
    /// Whose it is.
    pub task: &'a Member,
    /// Its number.
    pub fd: u32,
}

/// What is known of an image so far.
#[derive(Debug, Default, Clone)]
pub struct Sharing {
    tasks: Vec<Member>,
    /// By descriptor table: positions of tasks.
    users: BTreeMap<u32, Vec<usize>>,
    /// By description: table and number.
    fds: BTreeMap<u32, Vec<(u32, u32)>>,
    /// By description: kind, access mode, object.
    files: BTreeMap<u32, (u32, u32, u32)>,
    /// By object: descriptions.
    descriptions: BTreeMap<u32, Vec<u32>>,
    /// By object: its other end.
    peers: BTreeMap<u32, u32>,
    /// By INODE: address spaces that map it shared.
    maps: BTreeMap<u32, BTreeSet<u32>>,
    held: usize,
}

impl Sharing {
    /// Takes a record: `id` is the object that it defines, `parent` the one that it belongs to.
    pub fn add(&mut self, id: u32, parent: u32, body: &Body) {
        match body {
            Body::Task(task) => self.task(id, task),
            Body::Fd(fd) => self.fd(parent, fd.fd, fd.file),
            Body::File(file) => self.file(id, file),
            Body::Vma(vma) => self.vma(parent, vma),
            other => self.object(id, other),
        }
    }

    /// Takes a process.
    pub fn task(&mut self, id: u32, task: &Task) {
        if self.is_full() {
            return;
        }
        let comm = escape(until_nul(&task.comm));
        let member = Member { id, pid: task.pid, comm, parts: Shared::ALL.map(|part| part.of(task)) };
        self.users.entry(member.part(Shared::Descriptors)).or_default().push(self.tasks.len());
        self.tasks.push(member);
    }

    /// Takes a descriptor of a table.
    pub fn fd(&mut self, table: u32, fd: u32, file: u32) {
        if !self.is_full() {
            self.fds.entry(file).or_default().push((table, fd));
        }
    }

    /// Takes an open file description.
    pub fn file(&mut self, id: u32, file: &File) {
        if !self.is_full() && self.files.insert(id, (file.kind, file.flags & 3, file.object)).is_none() {
            self.descriptions.entry(file.object).or_default().push(id);
        }
    }

    /// Takes an object of any other kind: what counts is its other end, if it is one of two.
    pub fn object(&mut self, id: u32, body: &Body) {
        if !body.def().fields.iter().any(|field| matches!(field.role, Role::Peer(_))) {
            return;
        }
        let is_peer = |(role, peer): &(Role, u64)| matches!(role, Role::Peer(_)) && *peer != 0;
        if let Some((_, peer)) = body.relations().into_iter().find(is_peer).filter(|_| !self.is_full()) {
            self.peers.insert(id, u32::try_from(peer).unwrap_or(0));
        }
    }

    /// Takes an area of an address space.
    pub fn vma(&mut self, mm: u32, vma: &Vma) {
        // A file that nobody here can write through the mapping is the same for all who read it, in an image or not.
        let is_theirs = vma.kind != FILE_AREA || vma.may_write != 0;
        if vma.inode != 0 && vma.flags & MAP_SHARED != 0 && is_theirs && !self.is_full() {
            self.maps.entry(vma.inode).or_default().insert(mm);
        }
    }

    fn is_full(&mut self) -> bool {
        self.held += 1;
        self.held > MAX
    }

    /// The processes, in the order of the image.
    pub fn tasks(&self) -> &[Member] {
        &self.tasks
    }

    /// Descriptors that lead to this description; of very many the first.
    pub fn of_file(&self, file: u32) -> Vec<Holder<'_>> {
        let fds = self.fds.get(&file).map(Vec::as_slice).unwrap_or_default().iter().take(MAX_HOLDERS);
        let users = |table: u32| self.users.get(&table).filter(|_| table != 0).into_iter().flatten();
        let holders = fds.flat_map(|(table, fd)| users(*table).map(|at| (at, *fd)));
        holders
            .filter_map(|(at, fd)| Some(Holder { task: self.tasks.get(*at)?, fd }))
            .take(MAX_HOLDERS)
            .collect()
    }

    /// The first descriptor that leads to this object or description, to name it by.
    pub fn first_of(&self, object: u32) -> Option<Holder<'_>> {
        let descriptions = self.descriptions.get(&object).map(Vec::as_slice).unwrap_or_default();
        std::iter::once(&object).chain(descriptions).find_map(|file| self.of_file(*file).first().copied())
    }

    /// Other processes that have this part of a task, too.
    pub fn with(&self, task: u32, part: Shared) -> Vec<&Member> {
        let id = |member: &Member| member.parts[part as usize];
        let own = self.tasks.iter().find(|member| member.id == task).map_or(0, id);
        self.tasks.iter().filter(|member| own != 0 && member.id != task && id(member) == own).collect()
    }

    /// Which parts this task has together with whom: `memory with 4243 worker`.
    pub fn parts(&self, task: u32) -> Vec<String> {
        let said = |part: &Shared| {
            let with = self.with(task, *part);
            let names = some(with.iter().map(|member| member.name()), with.len());
            (!with.is_empty()).then(|| format!("{} with {names}", part.name()))
        };
        Shared::ALL.iter().filter_map(said).collect()
    }

    /// Other processes that see the same memory through this INODE: `4243 worker, 4244 worker`; nothing if none do.
    pub fn mappers(&self, inode: u32, mm: u32) -> Option<String> {
        let mms = self.maps.get(&inode)?;
        let has = |member: &&Member| member.parts[0] != mm && mms.contains(&member.parts[0]);
        let count = self.tasks.iter().filter(has).count();
        (count > 0).then(|| some(self.tasks.iter().filter(has).map(Member::name), count))
    }

    /// Who has an object, whatever it is: `42 sort fd 0`, `memory of 41 cat, 42 sort`, `mapped by 41 cat`.
    pub fn holders(&self, id: u32) -> Vec<String> {
        let mut out = Vec::new();
        if id == 0 {
            return out;
        }
        let descriptions = self.descriptions.get(&id).map(Vec::as_slice).unwrap_or_default();
        let fds: Vec<_> = std::iter::once(&id)
            .chain(descriptions)
            .flat_map(|at| self.of_file(*at))
            .take(MAX_HOLDERS)
            .collect();
        if !fds.is_empty() {
            out.push(self.list(0, &fds));
        }
        for part in Shared::ALL {
            let has = |member: &&Member| member.parts[part as usize] == id;
            let count = self.tasks.iter().filter(has).count();
            if count > 0 {
                let names = some(self.tasks.iter().filter(has).map(Member::name), count);
                out.push(format!("{} of {names}", part.name()));
            }
        }
        out.extend(self.mappers(id, 0).map(|names| format!("mapped by {names}")));
        out
    }

    /// What a descriptor has to do with others: who has the other end of a pipe, who has the same description, who
    /// has the same object by another description. Nothing if it has nothing to do with any.
    pub fn words(&self, task: u32, fd: u32, file: u32) -> Vec<String> {
        let mut out = Vec::new();
        // Who has the whole table has this descriptor, too, and it is said once for all of them.
        let table = self
            .tasks
            .iter()
            .find(|member| member.id == task)
            .map_or(0, |member| member.part(Shared::Descriptors));
        let own = |holder: &Holder| holder.task.part(Shared::Descriptors) == table && holder.fd == fd;
        let same: Vec<_> = self.of_file(file).into_iter().filter(|holder| !own(holder)).collect();
        let Some((kind, access, object)) = self.files.get(&file).copied() else { return out };
        let others = self.descriptions.get(&object).map(Vec::as_slice).unwrap_or_default();
        let others = others.iter().filter(|other| **other != file).take(MAX_HOLDERS);
        let mode = |file: &u32| self.files.get(file).map_or(0, |file| file.1);
        let alike = file_kind(kind).map_or(Alike::Same, |kind| kind.alike);
        if alike == Alike::Ends {
            // Whoever may do what this end may not; one that may both is the end of everybody.
            let ends: Vec<_> = others
                .clone()
                .filter(|other| mode(other) != access)
                .flat_map(|other| self.of_file(*other))
                .take(MAX_HOLDERS)
                .collect();
            let way = if access == 0 { "from" } else { "to" };
            match (ends.is_empty(), access) {
                (false, _) => out.push(format!("{way} {}", self.list(task, &ends))),
                (true, 2) => {}
                (true, 0) => out.push("which nobody here writes to".into()),
                (true, _) => out.push("which nobody here reads".into()),
            }
        } else if let Some(peer) = self.peers.get(&object) {
            let descriptions = self.descriptions.get(peer).map(Vec::as_slice).unwrap_or_default();
            let ends: Vec<_> =
                descriptions.iter().flat_map(|end| self.of_file(*end)).take(MAX_HOLDERS).collect();
            if !ends.is_empty() {
                out.push(format!("with {}", self.list(task, &ends)));
            }
        } else if alike != Alike::ByName && object != 0 {
            let also: Vec<_> = others.flat_map(|other| self.of_file(*other)).take(MAX_HOLDERS).collect();
            if !also.is_empty() {
                out.push(format!("the same as {}", self.list(task, &also)));
            }
        }
        if !same.is_empty() {
            out.push(format!("one with {}", self.list(task, &same)));
        }
        out
    }

    /// `fd 3, 4242 sort fd 0`: those of the task itself without its name, and one process only once.
    fn list(&self, task: u32, holders: &[Holder<'_>]) -> String {
        let mut by_task: Vec<(&Member, Vec<u32>)> = Vec::new();
        let mut known: BTreeMap<u32, usize> = BTreeMap::new();
        for holder in holders {
            let at = *known.entry(holder.task.id).or_insert(by_task.len());
            match by_task.get_mut(at) {
                Some((_, fds)) => fds.push(holder.fd),
                None => by_task.push((holder.task, vec![holder.fd])),
            }
        }
        // Its own first.
        by_task.sort_by_key(|(member, _)| member.id != task);
        let name = |(member, fds): &(&Member, Vec<u32>)| {
            let fds = some(fds.iter().map(u32::to_string), fds.len());
            if member.id == task { format!("fd {fds}") } else { format!("{} fd {fds}", member.name()) }
        };
        some(by_task.iter().map(name), by_task.len())
    }
}

impl Member {
    /// The object that this part of it is, 0 for none.
    pub fn part(&self, part: Shared) -> u32 {
        self.parts[part as usize]
    }

    /// `4242 sort`.
    pub fn name(&self) -> String {
        if self.comm.is_empty() { self.pid.to_string() } else { format!("{} {}", self.pid, self.comm) }
    }
}

/// The first few of a list, and how many more there are.
fn some(names: impl Iterator<Item = String>, count: usize) -> String {
    let mut out = names.take(NAMES).collect::<Vec<_>>().join(", ");
    if count >= MAX_HOLDERS {
        out.push_str(" and many more");
    } else if count > NAMES {
        out.push_str(&format!(" and {} more", count - NAMES));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{NAMES, Shared, Sharing};
    use crate::record::{File, Socket, Task, Vma};

    fn task(pid: u32, comm: &str, mm: u32, files: u32) -> Task {
        let mut name = [0; 16];
        name[..comm.len()].copy_from_slice(comm.as_bytes());
        Task { pid, comm: name, mm, files, ..Task::default() }
    }

    fn file(kind: u32, access: u32, object: u32) -> File {
        File { kind, flags: access, object, ..File::default() }
    }

    /// A shell with `cat | sort`, which all have its terminal's description and a counter by two.
    fn pipeline() -> Sharing {
        let mut sharing = Sharing::default();
        for (id, pid, comm, table) in [(1, 40, "sh", 11), (2, 41, "cat", 12), (3, 42, "sort", 13)] {
            sharing.task(id, &task(pid, comm, 20 + id, table));
            sharing.fd(table, 2, 31);
        }
        sharing.fd(12, 1, 32);
        sharing.fd(13, 0, 33);
        sharing.fd(13, 5, 34);
        sharing.fd(11, 5, 35);
        sharing.file(31, &file(13, 2, 50));
        sharing.file(32, &file(4, 1, 51));
        sharing.file(33, &file(4, 0, 51));
        sharing.file(34, &file(6, 2, 52));
        sharing.file(35, &file(6, 2, 52));
        sharing
    }

    #[test]
    fn a_pipe_names_who_has_its_other_end() {
        let sharing = pipeline();
        assert_eq!(sharing.words(2, 1, 32), ["to 42 sort fd 0"]);
        assert_eq!(sharing.words(3, 0, 33), ["from 41 cat fd 1"]);
    }

    #[test]
    fn a_pipe_of_ones_own_and_one_that_leads_nowhere_say_so() {
        let mut sharing = pipeline();
        for (fd, id, access, pipe) in [(7, 60, 0, 70), (8, 61, 1, 70), (9, 62, 1, 71), (10, 63, 0, 72)] {
            sharing.fd(11, fd, id);
            sharing.file(id, &file(4, access, pipe));
        }
        assert_eq!(sharing.words(1, 7, 60), ["from fd 8"]);
        assert_eq!(sharing.words(1, 9, 62), ["which nobody here reads"]);
        assert_eq!(sharing.words(1, 10, 63), ["which nobody here writes to"]);
    }

    #[test]
    fn a_socket_names_who_has_its_peer() {
        let mut sharing = pipeline();
        for (table, fd, id, socket, peer) in [(11, 7, 60, 70, 71), (12, 0, 61, 71, 70), (12, 8, 62, 72, 0)] {
            sharing.fd(table, fd, id);
            sharing.file(id, &file(14, 2, socket));
            sharing.object(socket, &Socket { peer, ..Socket::default() }.into());
        }
        assert_eq!(sharing.words(1, 7, 60), ["with 41 cat fd 0"]);
        assert_eq!(sharing.words(2, 0, 61), [format!("with {} fd 7", sharing.tasks()[0].name())]);
        assert_eq!(sharing.words(2, 8, 62), [""; 0]);
    }

    #[test]
    fn one_description_of_several_and_one_object_by_two_are_told_apart() {
        let sharing = pipeline();
        assert_eq!(sharing.words(1, 2, 31), ["one with 41 cat fd 2, 42 sort fd 2"]);
        assert_eq!(sharing.words(1, 5, 35), ["the same as 42 sort fd 5"]);
        assert_eq!(sharing.holders(51), ["41 cat fd 1, 42 sort fd 0"]);
        assert_eq!(sharing.first_of(51).map(|holder| (holder.task.pid, holder.fd)), Some((41, 1)));
    }

    #[test]
    fn tasks_with_one_memory_or_table_are_named_and_a_zombie_shares_nothing() {
        let mut sharing = Sharing::default();
        for (id, mm, files) in [(1, 9, 8), (2, 9, 7), (3, 0, 0), (4, 0, 0)] {
            sharing.task(id, &task(100 + id, "w", mm, files));
        }
        assert_eq!(sharing.parts(1), ["memory with 102 w"]);
        sharing.task(5, &task(105, "w", 0, 8));
        sharing.fd(8, 3, 60);
        sharing.file(60, &file(1, 0, 61));
        assert!(sharing.words(1, 3, 60).is_empty(), "the table is shared as a whole");
        assert_eq!(sharing.parts(5), ["descriptor table with 101 w"]);
        assert!(sharing.with(3, Shared::Memory).is_empty());
        for mm in [9, 77] {
            sharing.vma(mm, &Vma { inode: 55, flags: super::MAP_SHARED, ..Vma::default() });
            sharing.vma(mm, &Vma { inode: 56, flags: 2, ..Vma::default() });
            sharing.vma(mm, &Vma { inode: 57, flags: super::MAP_SHARED, kind: 2, ..Vma::default() });
        }
        assert_eq!(sharing.mappers(56, 0), None, "a private mapping is nobody else's");
        assert_eq!(sharing.mappers(57, 0), None, "what is only read says nothing");
        assert_eq!(sharing.mappers(55, 77), Some("101 w, 102 w".into()));
        assert_eq!(sharing.mappers(55, 9), None);
        assert_eq!(sharing.holders(9), ["memory of 101 w, 102 w"]);
        assert_eq!(sharing.holders(55), ["mapped by 101 w, 102 w"]);
        assert!(sharing.holders(0).is_empty());
    }

    #[test]
    fn many_holders_are_counted() {
        let mut sharing = Sharing::default();
        for id in 1..=NAMES as u32 + 3 {
            sharing.task(id, &task(id, "w", 0, 100 + id));
            sharing.fd(100 + id, 0, 5);
        }
        sharing.file(5, &file(1, 0, 6));
        assert_eq!(sharing.words(1, 0, 5), ["one with 2 w fd 0, 3 w fd 0, 4 w fd 0, 5 w fd 0 and 2 more"]);
    }

    #[test]
    fn a_description_that_everybody_has_costs_no_more_than_one_that_many_have() {
        let mut sharing = Sharing::default();
        sharing.file(5, &file(6, 2, 6));
        for id in 1..=3_000 {
            sharing.task(id, &task(id, "w", 0, 100_000 + id));
            sharing.fd(100_000 + id, 0, 5);
        }
        for id in 1..=3_000 {
            let words = sharing.words(id, 0, 5);
            assert!(words[0].ends_with(" and many more") || words[0].ends_with(" more"), "{words:?}");
        }
    }
}
