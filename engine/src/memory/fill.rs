//! Contents put back: pages into the memory of a process under construction, bytes into files and pipes.
//!
//! Three ways lead into memory. Private anonymous pages are given by userfaultfd(2), which is the fastest: no page is
//! cleared first, none faults. Where that is not to be had, and where the kernel would use huge pages, which it never
//! does for pages given, process_vm_writev(2) fills what may be written, and /proc/PID/mem the rest.

use std::collections::BTreeMap;
use std::fs::{File as StdFile, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use stasis_format::extent::Run;
use stasis_format::limits::PAGE;
use stasis_format::record::Vma;

use super::areas::{ANON, HUGEPAGE, built_writable};
use crate::image::model::{Id, MmState};
use crate::kinds::RestoreError;
use crate::kinds::fd::stream::Stream;
use crate::sys::userfault::{self, Userfault};
use crate::sys::{pidfd, vm};
use crate::tracee::stub::{Call, Stub};

/// Contents of an address space below which a userfaultfd costs more than it saves, in bytes.
const WORTH_IT: u64 = 2 << 20;

/// An area below this size never gets a huge page, in bytes.
const HUGE: u64 = 2 << 20;

/// Puts contents back: into the memory of a process under construction, into files and pipes.
#[derive(Debug)]
pub struct Filler<'a> {
    /// Address spaces by reference.
    pub spaces: BTreeMap<Id, Space<'a>>,
    /// Files made for the image, by INODE.
    pub inodes: BTreeMap<Id, (OwnedFd, u64)>,
    /// Pipes and sockets to write into, by object.
    pub streams: &'a mut BTreeMap<Id, Stream>,
    /// Objects whose contents are not needed.
    pub ignored: Vec<Id>,
}

impl Filler<'_> {
    /// Puts one extent back; `data` is decoded, or empty for zero pages.
    pub fn fill(&mut self, parent: Id, runs: &[Run], data: &[u8]) -> Result<(), RestoreError> {
        if let Some(space) = self.spaces.get_mut(&parent) {
            return space.fill(runs, data);
        }
        if let Some((fd, size)) = self.inodes.get(&parent) {
            return fill_file(fd, *size, runs, data).map_err(RestoreError::io("filling a file again"));
        }
        if let Some(stream) = self.streams.get_mut(&parent) {
            let start = runs.first().map_or(0, |r| r.start);
            return stream.fill(start, data).map_err(RestoreError::io("filling a pipe again"));
        }
        if self.ignored.contains(&parent) {
            return Ok(());
        }
        Err(RestoreError::Host(format!("the image has contents of object {parent}, which is not there")))
    }
}

fn fill_file(fd: &OwnedFd, size: u64, runs: &[Run], data: &[u8]) -> io::Result<()> {
    let file = StdFile::from(fd.try_clone()?);
    let mut at = 0;
    for run in runs {
        let len = (run.pages * PAGE) as usize;
        let keep = size.saturating_sub(run.start).min(len as u64) as usize;
        if let Some(bytes) = data.get(at..at + keep) {
            file.write_all_at(bytes, run.start)?;
        }
        at += len;
    }
    Ok(())
}

/// The memory of a process under construction, its areas mapped and empty.
#[derive(Debug)]
pub struct Space<'a> {
    pid: i32,
    mm: &'a MmState,
    mem: StdFile,
    given: Option<Given>,
}

/// Pages given by userfaultfd.
#[derive(Debug)]
struct Given {
    userfault: Userfault,
    /// The area whose missing pages are ours to give, by its place among the areas.
    registered: Option<usize>,
    /// The kernel uses huge pages without being asked.
    huge_always: bool,
}

impl<'a> Space<'a> {
    /// Gets hold of the memory of a stub whose layout stands.
    pub fn open(stub: &mut Stub, mm: &'a MmState) -> Result<Self, RestoreError> {
        let mem = OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/proc/{}/mem", stub.pid))
            .map_err(RestoreError::io("opening the memory of the new process"))?;
        let stored: u64 = mm.vmas.iter().filter(|v| may_be_given(v)).map(|v| v.stored).sum();
        let given = if stored < WORTH_IT { None } else { Given::by(stub)? };
        Ok(Self { pid: stub.pid, mm, mem, given })
    }

    /// Fills pages; `data` holds them one after the other, or nothing for zeroes.
    fn fill(&mut self, runs: &[Run], data: &[u8]) -> Result<(), RestoreError> {
        let zeroes;
        let data = if data.is_empty() {
            zeroes = vec![0u8; runs.iter().map(|r| (r.pages * PAGE) as usize).sum()];
            &zeroes
        } else {
            data
        };
        let mut batch = Batch::default();
        let mut at = 0usize;
        for run in runs {
            let (mut start, end) = (run.start, run.start + run.pages * PAGE);
            while start < end {
                let i = self.mm.vmas.partition_point(|v| v.end <= start);
                let Some(vma) = self.mm.vmas.get(i).filter(|v| v.start <= start) else {
                    return Err(RestoreError::Host(format!(
                        "the image has pages at {start:#x}, where nothing is mapped"
                    )));
                };
                let mut len = (end.min(vma.end) - start) as usize;
                let part = data.get(at..at + len).ok_or_else(|| {
                    RestoreError::Host(format!("the image lacks the contents of the page at {start:#x}"))
                })?;
                let given = self.give(i, vma, start, part);
                if given > 0 {
                    batch.flush(self.pid, data, at)?;
                    len = given;
                } else if built_writable(vma) {
                    batch.add(start, at, len);
                } else {
                    batch.flush(self.pid, data, at)?;
                    vm::mem_write(&self.mem, start, part)
                        .map_err(RestoreError::io(format!("filling memory at {start:#x}")))?;
                }
                at += len;
                start += len as u64;
            }
        }
        batch.flush(self.pid, data, at)
    }

    /// Gives pages of an area and returns how many bytes of them; 0 when another way has to be taken.
    fn give(&mut self, i: usize, vma: &Vma, start: u64, part: &[u8]) -> usize {
        let Some(given) = self.given.as_mut().filter(|_| may_be_given(vma)) else { return 0 };
        if given.huge_always && vma.end - vma.start >= HUGE {
            return 0;
        }
        match given.pages(i, vma, start, part) {
            Ok(n) => n,
            Err(error) => {
                // A page that is there already, as in an area that was locked when it was made. The other ways cannot
                // write into an area that is registered, so the descriptor goes.
                tracing::debug!(start, %error, "pages are written, not given");
                self.given = None;
                0
            }
        }
    }
}

/// Private anonymous memory that has not asked for huge pages.
fn may_be_given(vma: &Vma) -> bool {
    vma.kind == ANON && vma.flags & libc::MAP_PRIVATE as u32 != 0 && vma.advice & HUGEPAGE == 0
}

impl Given {
    /// Makes a userfaultfd in the process, whose memory it then stands for, and takes it over. Nothing if the kernel or
    /// a sandbox does not allow it.
    fn by(stub: &mut Stub) -> Result<Option<Self>, RestoreError> {
        let flags = libc::O_CLOEXEC | userfault::USER_MODE_ONLY;
        let make = Call::new("userfaultfd", libc::SYS_userfaultfd, &[flags as u64]);
        let fd = stub.call(make.forgiving(&[libc::ENOSYS, libc::EPERM, libc::EINVAL, libc::EMFILE]))?;
        let Ok(fd @ 0..) = i32::try_from(fd) else { return Ok(None) };
        let userfault = pidfd::open(stub.pid).and_then(|p| pidfd::getfd(&p, fd)).and_then(Userfault::new);
        stub.call(Call::new("closing a userfaultfd", libc::SYS_close, &[fd as u64]))?;
        let Ok(userfault) = userfault else { return Ok(None) };
        let huge = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
        let huge_always = huge.is_ok_and(|text| text.contains("[always]"));
        Ok(Some(Self { userfault, registered: None, huge_always }))
    }

    /// Gives pages of area `i`.
    fn pages(&mut self, i: usize, vma: &Vma, start: u64, part: &[u8]) -> io::Result<usize> {
        if self.registered != Some(i) {
            self.userfault.register(vma.start, vma.end - vma.start)?;
            self.registered = Some(i);
        }
        self.userfault.copy(start, part)
    }
}

/// Ranges for one process_vm_writev(2), whose contents follow each other in the image.
#[derive(Debug, Default)]
struct Batch {
    ranges: Vec<(u64, u64)>,
    /// Where the contents of the first one begin.
    from: usize,
}

impl Batch {
    fn add(&mut self, start: u64, at: usize, len: usize) {
        if self.ranges.is_empty() {
            self.from = at;
        }
        self.ranges.push((start, len as u64));
    }

    /// Writes what was added; its contents end at `to`.
    fn flush(&mut self, pid: i32, data: &[u8], to: usize) -> Result<(), RestoreError> {
        let Some((first, _)) = self.ranges.first() else { return Ok(()) };
        let what = format!("filling memory at {first:#x}");
        let bytes = data.get(self.from..to).unwrap_or_default();
        match vm::write(pid, &self.ranges, bytes) {
            Ok(n) if n == bytes.len() => self.ranges.clear(),
            Ok(_) => return Err(RestoreError::io(what)(io::Error::from_raw_os_error(libc::EFAULT))),
            Err(e) => return Err(RestoreError::io(what)(e)),
        }
        Ok(())
    }
}
