//! Writes a sound image with 10 GiB of contents, all zero bytes that are stored as such, into a sparse file: for the
//! test that the inspector does not mind. `cargo run -p stasis-web --example big_sparse FILE`.

use stasis_format::extent::Run;
use stasis_format::head::KernelVersion;
use stasis_format::limits::{MAX_EXTENT_BYTES, PAGE};
use stasis_format::record::{CpuX86_64, Creds, FileTable, Fs, Image, Inode, Mm, Sighand, Task, Thread, Vma};
use stasis_format::{Encoding, Head, Writer};
use std::fs::File;
use std::io::{Result, Seek, SeekFrom, Write};

const CONTENTS: u64 = 10 << 30;
const START: u64 = 0x7f00_0000_0000;

/// Leaves holes where zero bytes are written.
struct Sparse(File);

impl Write for Sparse {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if bytes.len() as u64 == MAX_EXTENT_BYTES {
            self.0.seek(SeekFrom::Current(bytes.len() as i64))?;
            return Ok(bytes.len());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("name the file to write")?;
    let kernel = KernelVersion { major: 6, minor: 18, patch: 44 };
    let head = Head::new(2, kernel, 1_763_000_000).with_uts(b"6.18.44", b"#1 SMP", b"x86_64");
    let mut writer = Writer::new(Sparse(File::create(path)?), &head)?;
    let (root, mm) = (1, 2);
    let image = Image {
        head_checksum: writer.head_checksum(),
        realtime: 1_763_000_000_000_000_000,
        arch: 62,
        page_size: PAGE as u32,
        root,
        version: b"big_sparse".to_vec(),
        ..Image::default()
    };
    writer.record(0, 0, &image)?;
    let mut comm = [0; 16];
    comm[..3].copy_from_slice(b"big");
    let (files, fs, sighand, creds, thread, dir) = (3, 4, 5, 6, 7, 8);
    writer.record(0, dir, &Inode { mode: 0o40755, path: b"/".to_vec(), ..Inode::default() })?;
    let task = Task { pid: 10, ppid: 1, pgid: 10, sid: 10, exit_signal: 17, comm, ..Task::default() };
    writer.record(0, root, &Task { mm, files, fs, sighand, ..task })?;
    writer.record(root, creds, &Creds::default())?;
    writer.record(root, thread, &Thread { tid: 10, comm, creds, ..Thread::default() })?;
    writer.record(
        thread,
        0,
        &CpuX86_64 { rip: START, rsp: START + CONTENTS - PAGE, ..CpuX86_64::default() },
    )?;
    writer.record(root, fs, &Fs { cwd: dir, root: dir, ..Fs::default() })?;
    writer.record(root, files, &FileTable::default())?;
    writer.record(root, sighand, &Sighand::default())?;
    writer.record(root, mm, &Mm::default())?;
    let area = Vma {
        start: START,
        end: START + CONTENTS,
        prot: 3,
        flags: 0x22,
        kind: 1,
        stored: CONTENTS,
        ..Vma::default()
    };
    writer.record(mm, 0, &area)?;
    let zeros = vec![0; MAX_EXTENT_BYTES as usize];
    let checksum = stasis_format::checksum::checksum(&zeros);
    for at in (0..CONTENTS).step_by(zeros.len()) {
        let run = Run { start: START + at, pages: MAX_EXTENT_BYTES / PAGE };
        writer.extent_hashed(mm, &[run], Encoding::NONE, &zeros, checksum)?;
    }
    writer.finish()?;
    Ok(())
}
