//! A shell with a pipeline, as an image: processes that share descriptions, a pipe, memory and an address space, and two
//! that have ended. Made up, so that every number in it is known; the records stand in the order in which a walk over
//! /proc finds the processes, generation by generation.

use stasis_format::extent::Run;
use stasis_format::head::KernelVersion;
use stasis_format::limits::PAGE;
use stasis_format::record::{
    CpuX86_64, Creds, External, Fd, File, FileTable, Fs, Image, Inode, Itimer, Mm, Pipe, Sigaction, Sighand,
    Task, Thread, Vma,
};
use stasis_format::{Encoding, Head, WriteError, Writer};

/// What may differ between two images of it.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    /// Counted in the memory of sort.
    pub lines: u64,
    /// Whether a process has come that shifts the numbers of all objects.
    pub has_editor: bool,
}

impl Default for Scene {
    fn default() -> Self {
        Self { lines: 7, has_editor: false }
    }
}

/// Where every process has its heap.
pub const HEAP: u64 = 0x5000_0000;
/// Where cat and sort see the memory that they share.
pub const CAT_SEES: u64 = 0x7f10_0000_0000;
pub const SORT_SEES: u64 = 0x7f20_0000_0000;
/// What stands there, from its second page on.
pub const NOTE: &str = "a note from cat to sort";

const CODE: u64 = 0x40_0000;
const SHARED_LEN: u64 = 4 * PAGE;

// Objects; those of a process lie behind its TASK.
const DIR: u32 = 1;
const EXE: u32 = 2;
const PIPE: u32 = 3;
const WRITES: u32 = 4;
const READS: u32 = 5;
const TERMINAL: u32 = 6;
const TTY: u32 = 7;
const SHARED: u32 = 8;
const ROOT: u32 = 10;

struct Process {
    id: u32,
    parent: u32,
    pid: u32,
    comm: &'static str,
    /// Number and description.
    fds: Vec<(u32, u32)>,
    /// Where it maps the shared memory.
    sees: Option<u64>,
    /// State, signal that stopped it, wait status.
    state: (u32, u32, u32),
    /// A process whose memory and descriptors it has.
    with: Option<u32>,
}

/// The bytes of the image.
pub fn family(scene: &Scene) -> Result<Vec<u8>, WriteError> {
    let shift = if scene.has_editor { 10 } else { 0 };
    let process = |n: u32, parent: u32, pid, comm, fds: &[(u32, u32)]| Process {
        id: ROOT + shift + 10 * n,
        parent: if parent == u32::MAX { 0 } else { ROOT + shift + 10 * parent },
        pid,
        comm,
        fds: fds.iter().copied().chain([(2, TTY)]).collect(),
        sees: None,
        state: (0, 0, 0),
        with: None,
    };
    let sort = ROOT + shift + 20;
    let mut processes = vec![
        process(0, u32::MAX, 4200, "bash", &[(0, TTY), (1, TTY)]),
        Process { sees: Some(CAT_SEES), ..process(1, 0, 4241, "cat", &[(0, TTY), (1, WRITES)]) },
        Process { sees: Some(SORT_SEES), ..process(2, 0, 4242, "sort", &[(0, READS), (1, TTY)]) },
        Process { state: (2, 0, 0x300), ..process(3, 0, 4243, "grep", &[]) },
        Process { state: (1, 20, 0), ..process(4, 0, 4244, "vi", &[]) },
        Process { with: Some(sort), ..process(5, 2, 4251, "sort-helper", &[]) },
        Process { state: (2, 0, 9), ..process(6, 2, 4252, "sort-child", &[]) },
    ];
    if scene.has_editor {
        processes.push(process(7, 0, 4299, "ed", &[]));
    }
    let kernel = KernelVersion { major: 6, minor: 18, patch: 44 };
    let head = Head::new(2, kernel, 1_763_000_000).with_uts(b"6.18.44", b"#1 SMP", b"x86_64");
    let mut w = Writer::new(Vec::new(), &head)?;
    let image = Image {
        head_checksum: w.head_checksum(),
        realtime: 1_763_000_000_000_000_000,
        arch: 62,
        page_size: PAGE as u32,
        root: ROOT + shift,
        version: b"made up".to_vec(),
        ..Image::default()
    };
    w.record(0, 0, &image)?;
    let inode = |path: &[u8], mode, size, flags| Inode {
        mode,
        size,
        nlink: 1,
        flags,
        path: path.to_vec(),
        ..Inode::default()
    };
    w.record(0, DIR, &inode(b"/home/user", 0o40755, PAGE, 0))?;
    w.record(0, EXE, &inode(b"/usr/bin/coreutils", 0o100_755, 8 * PAGE, 0))?;
    // SHMEM and DELETED.
    w.record(0, SHARED, &inode(b"/dev/zero", 0o100_600, SHARED_LEN, 5))?;
    w.record(0, PIPE, &Pipe { capacity: 65536, ..Pipe::default() })?;
    w.record(0, TERMINAL, &External { kind: 1, description: b"/dev/pts/0".to_vec(), ..External::default() })?;
    let file = |kind, flags, object| File { kind, flags, object, ..File::default() };
    w.record(0, WRITES, &file(4, 1, PIPE))?;
    w.record(0, READS, &file(4, 0, PIPE))?;
    w.record(0, TTY, &file(13, 2, TERMINAL))?;
    for process in &processes {
        write_process(&mut w, process)?;
    }
    let mut page = vec![0; PAGE as usize];
    let mut put = |w: &mut Writer<Vec<u8>>, owner, at, text: &str| {
        page.fill(0);
        page[16..16 + text.len()].copy_from_slice(text.as_bytes());
        w.extent(owner, &[Run { start: at, pages: 1 }], Encoding::NONE, &page)
    };
    put(&mut w, SHARED, PAGE, NOTE)?;
    for process in processes.iter().filter(|process| has_memory(process)) {
        let lines =
            if process.pid == 4242 { format!(", {} lines so far", scene.lines) } else { String::new() };
        put(&mut w, process.id + 1, HEAP, &format!("this is the heap of {}{lines}", process.comm))?;
    }
    Ok(w.finish()?.0)
}

fn has_memory(process: &Process) -> bool {
    process.with.is_none() && process.state.0 != Task::ZOMBIE
}

fn write_process(w: &mut Writer<Vec<u8>>, process: &Process) -> Result<(), WriteError> {
    let id = process.id;
    let (state, stop_signal, exit_code) = process.state;
    let mut comm = [0; 16];
    comm[..process.comm.len()].copy_from_slice(process.comm.as_bytes());
    let mut task = Task {
        pid: process.pid,
        ppid: if process.parent == 0 { 1 } else { 4200 },
        pgid: if process.parent == 0 { process.pid } else { 4241 },
        sid: 4200,
        state,
        stop_signal,
        exit_code,
        exit_signal: 17,
        comm,
        ..Task::default()
    };
    if state == Task::ZOMBIE {
        return w.record(process.parent, id, &task).map(drop);
    }
    let parts = process.with.unwrap_or(id);
    (task.mm, task.files, task.fs, task.sighand) = (parts + 1, parts + 2, id + 3, id + 4);
    w.record(process.parent, id, &task)?;
    w.record(id, id + 5, &Creds { uid: 1000, euid: 1000, ..Creds::default() })?;
    let thread = Thread { tid: process.pid, comm, creds: id + 5, sigmask: 0x4000, ..Thread::default() };
    w.record(id, id + 6, &thread)?;
    let cpu = CpuX86_64 {
        rip: CODE + 0x123,
        rsp: HEAP + 0x100,
        rdi: u64::from(process.pid),
        ..CpuX86_64::default()
    };
    w.record(id + 6, 0, &cpu)?;
    w.record(id, id + 3, &Fs { cwd: DIR, root: DIR, umask: 0o22, ..Fs::default() })?;
    w.record(id, id + 4, &Sighand { nr_actions: 1 })?;
    w.record(id + 4, 0, &Sigaction { signo: 2, handler: CODE + 0x400, ..Sigaction::default() })?;
    w.record(id, 0, &Itimer { value: 1_000_000_000 * u64::from(process.pid % 10), ..Itimer::default() })?;
    if process.with.is_some() {
        return Ok(());
    }
    w.record(id, id + 2, &FileTable { nr_fds: process.fds.len() as u64 })?;
    for (fd, file) in &process.fds {
        w.record(id + 2, 0, &Fd { fd: *fd, file: *file, ..Fd::default() })?;
    }
    let mm = Mm {
        start_code: CODE,
        end_code: CODE + PAGE,
        start_brk: HEAP,
        brk: HEAP + PAGE,
        exe: EXE,
        ..Mm::default()
    };
    w.record(id, id + 1, &mm)?;
    let area = |start, len, prot, flags, kind, inode, name: &[u8]| Vma {
        start,
        end: start + len,
        prot,
        flags,
        kind,
        inode,
        name: name.to_vec(),
        resident: PAGE,
        ..Vma::default()
    };
    w.record(id + 1, 0, &area(CODE, PAGE, 5, 2, 2, EXE, b"/usr/bin/coreutils"))?;
    w.record(id + 1, 0, &Vma { stored: PAGE, ..area(HEAP, 4 * PAGE, 3, 0x22, 1, 0, b"[heap]") })?;
    if let Some(at) = process.sees {
        w.record(
            id + 1,
            0,
            &Vma { stored: PAGE, ..area(at, SHARED_LEN, 3, 1, 3, SHARED, b"/dev/zero (deleted)") },
        )?;
    }
    Ok(())
}
