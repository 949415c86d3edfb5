//! Writes a sound image of one process with very many areas of memory, as a program with thousands of threads or small
//! mappings has them: for the test that the inspector does not mind.

use stasis_format::extent::Run;
use stasis_format::head::KernelVersion;
use stasis_format::limits::PAGE;
use stasis_format::record::{CpuX86_64, Creds, FileTable, Fs, Image, Inode, Mm, Sighand, Task, Thread, Vma};
use stasis_format::{Encoding, Head, WriteError, Writer};

const START: u64 = 0x7f00_0000_0000;
/// Bytes from the start of an area to that of the next.
const STRIDE: u64 = 4 * PAGE;

/// The bytes of the image.
pub fn many(count: u64) -> Result<Vec<u8>, WriteError> {
    let kernel = KernelVersion { major: 6, minor: 18, patch: 44 };
    let head = Head::new(2, kernel, 1_763_000_000).with_uts(b"6.18.44", b"#1 SMP", b"x86_64");
    let mut writer = Writer::new(Vec::new(), &head)?;
    let (root, mm, library) = (1, 2, 9);
    let image = Image {
        head_checksum: writer.head_checksum(),
        realtime: 1_763_000_000_000_000_000,
        arch: 62,
        page_size: PAGE as u32,
        root,
        version: b"made up".to_vec(),
        ..Image::default()
    };
    writer.record(0, 0, &image)?;
    let mut comm = [0; 16];
    comm[..4].copy_from_slice(b"many");
    let (files, fs, sighand, creds, thread, dir) = (3, 4, 5, 6, 7, 8);
    writer.record(0, dir, &Inode { mode: 0o40755, path: b"/".to_vec(), ..Inode::default() })?;
    let path = b"/usr/lib/x86_64-linux-gnu/libmany.so.1".to_vec();
    writer.record(
        0,
        library,
        &Inode { mode: 0o100_755, size: STRIDE, path: path.clone(), ..Inode::default() },
    )?;
    let task = Task { pid: 10, ppid: 1, pgid: 10, sid: 10, exit_signal: 17, comm, ..Task::default() };
    writer.record(0, root, &Task { mm, files, fs, sighand, ..task })?;
    writer.record(root, creds, &Creds::default())?;
    writer.record(root, thread, &Thread { tid: 10, comm, creds, ..Thread::default() })?;
    writer.record(thread, 0, &CpuX86_64 { rip: START, rsp: START + PAGE, ..CpuX86_64::default() })?;
    writer.record(root, fs, &Fs { cwd: dir, root: dir, ..Fs::default() })?;
    writer.record(root, sighand, &Sighand { nr_actions: 0 })?;
    writer.record(root, files, &FileTable { nr_fds: 0 })?;
    writer.record(root, mm, &Mm { start_brk: START, brk: START, exe: library, ..Mm::default() })?;
    for n in 0..count {
        let start = START + n * STRIDE;
        let vma = Vma { start, end: start + 2 * PAGE, resident: PAGE, ..Vma::default() };
        // Three anonymous ones of each four, two of them with names of their own; the others map the library.
        let vma = match n % 4 {
            0 => Vma { prot: 5, flags: 2, kind: 2, inode: library, name: path.clone(), ..vma },
            1 => Vma { prot: 3, flags: 0x22, kind: 1, stored: PAGE, ..vma },
            _ => Vma { prot: 1, flags: 0x22, kind: 1, name: format!("[anon:pool {n}]").into_bytes(), ..vma },
        };
        writer.record(mm, 0, &vma)?;
    }
    let page = [0x5a; PAGE as usize];
    for n in (1..count).step_by(400) {
        writer.extent(mm, &[Run { start: START + n * STRIDE, pages: 1 }], Encoding::NONE, &page)?;
    }
    Ok(writer.finish()?.0)
}
