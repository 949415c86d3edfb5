//! A process tree in the terminal.

use stasis_engine::image::model::{MmState, Object, TaskState, ThreadState, Tree};
use stasis_format::head::{Head, KernelVersion};
use stasis_format::parser::Totals;
use stasis_format::record::{Fd, File, Inode, InodeIdentity, Itimer, Pipe, Rlimit, Task, Thread, Vma};

use super::{Loaded, show};
use crate::cli::style::Style;

const SHARED: u32 = 90;
const PIPE: u32 = 91;

fn task(id: u32, parent: u32, pid: u32, comm: &str) -> TaskState {
    let mut name = [0; 16];
    name[..comm.len()].copy_from_slice(comm.as_bytes());
    let parts = 10 * id;
    let record = Task {
        pid,
        ppid: 1,
        comm: name,
        mm: parts,
        files: parts + 1,
        fs: parts + 2,
        sighand: parts + 3,
        ..Task::default()
    };
    let thread = ThreadState {
        thread: Thread { tid: pid, comm: name, ..Thread::default() },
        ..ThreadState::default()
    };
    TaskState { id, parent, task: record, threads: vec![thread], ..TaskState::default() }
}

fn zombie(id: u32, parent: u32, pid: u32, exit_code: u32) -> TaskState {
    let mut zombie = task(id, parent, pid, "gone");
    zombie.task = Task { mm: 0, files: 0, fs: 0, sighand: 0, state: Task::ZOMBIE, exit_code, ..zombie.task };
    zombie.threads.clear();
    zombie
}

/// A shell whose `cat | sort` it waits for; generation by generation, as an image may have them.
fn family() -> Tree {
    let tasks = vec![
        task(1, 0, 40, "sh"),
        task(2, 1, 41, "cat"),
        task(3, 1, 42, "sort"),
        zombie(4, 1, 43, 0x300),
        task(5, 2, 44, "helper"),
        zombie(6, 3, 45, 9),
    ];
    let mut tree = Tree { tasks, ..Tree::default() };
    tree.tasks[4].task.mm = 20;
    tree.tasks[2].task.stop_signal = 20;
    for id in [1, 2, 3, 5] {
        tree.tables.insert(10 * id + 1, Vec::new());
        tree.mms.insert(10 * id, MmState::default());
    }
    let shared = Vma { start: 0x1000, end: 0x2000, flags: 1, kind: 3, inode: SHARED, ..Vma::default() };
    for mm in [20, 30] {
        tree.mms.entry(mm).or_default().vmas.push(shared.clone());
    }
    tree.inodes.insert(SHARED, Inode { path: b"/dev/zero".to_vec(), ..Inode::default() });
    let pipe = Pipe { capacity: 65536, size: 3, ..Pipe::default() };
    tree.objects.insert(PIPE, Object { body: pipe.into(), parts: Vec::new() });
    for (id, flags, table, fd) in [(92, 1, 21, 1), (93, 0, 31, 0)] {
        tree.files.insert(id, File { kind: 4, flags, object: PIPE, ..File::default() });
        tree.tables.entry(table).or_default().push(Fd { fd, file: id, ..Fd::default() });
    }
    tree
}

fn shown() -> String {
    shown_of(family())
}

fn shown_of(tree: Tree) -> String {
    let head = Head::new(2, KernelVersion { major: 6, minor: 18, patch: 44 }, 0);
    let image = Loaded { head, tree, totals: Totals::default() };
    let mut out = Vec::new();
    show(&mut out, Style::plain(), "a.stasis", &image).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_tree_stands_on_top_and_every_process_below_in_its_order() {
    let text = shown();
    let due = "
6 processes
40 sh            1 thread
├─ 41 cat        1 thread, memory with 44 helper
│  └─ 44 helper  1 thread, memory with 41 cat
├─ 42 sort       stopped by SIGTSTP, 1 thread
│  └─ 45 gone    zombie, killed by SIGKILL
└─ 43 gone       zombie, exited with 3
";
    assert!(text.contains(due), "{text}");
    let titles: Vec<&str> = text.lines().filter(|line| line.starts_with("process ")).collect();
    assert_eq!(
        titles,
        [
            "process 40 sh",
            "process 41 cat",
            "process 44 helper",
            "process 42 sort, stopped by SIGTSTP",
            "process 45 gone, zombie, killed by SIGKILL",
            "process 43 gone, zombie, exited with 3",
        ]
    );
}

#[test]
fn what_is_shared_names_those_who_have_it() {
    let text = shown();
    let has = |words: &str| assert!(text.contains(words), "{words} is missing in:\n{text}");
    has("3 B of 64.0 KiB in it, to 42 sort fd 0");
    has("3 B of 64.0 KiB in it, from 41 cat fd 1");
    has("shared anonymous, with 42 sort");
    has("shared anonymous, with 41 cat, 44 helper");
    has("shares      memory with 44 helper");
}

#[test]
fn a_zombie_has_no_tables() {
    let text = shown();
    let last = text.split("process 43 gone").last().unwrap();
    assert!(last.contains("family") && !last.contains("thread") && !last.contains("descriptor"), "{last}");
}

#[test]
fn state_of_a_kind_that_the_listing_does_not_know_has_a_line() {
    let mut tree = family();
    tree.tasks[0].parts.push(Itimer { which: 2, value: 1_000_000_000, ..Itimer::default() }.into());
    tree.parts.push(Rlimit { resource: 7, ..Rlimit::default() }.into());
    tree.parts.push(InodeIdentity { inode: SHARED, ..InodeIdentity::default() }.into());
    let text = shown_of(tree);
    let has = |words: &str| assert!(text.contains(words), "{words} is missing in:\n{text}");
    has("  besides\n    itimer  ITIMER_PROF 1 s\n");
    has("  of all of them\n    rlimit  RLIMIT_NOFILE\n");
    assert!(!text.contains("identity"), "{text}");
}
