//! Contents captured: pages of address spaces, bytes of files and pipes. What is needed is found while the target stands still
//! (`PAGEMAP_SCAN`), copied in pieces by one thread, checked, encoded and written by another.

use std::fs::File as StdFile;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::mpsc;

use stasis_format::checksum::checksum;
use stasis_format::encoding::{self, Encoding};
use stasis_format::extent::Run;
use stasis_format::limits::{MAX_RUNS, PAGE};
use stasis_format::record::Vma;
use stasis_format::writer::{WriteError, Writer};

use super::areas::VDSO;
use crate::image::model::Id;
use crate::kinds::{CaptureError, Contents};
use crate::progress::Progress;
use crate::sys::pagemap::{self, PageRegion, ScanMasks};
use crate::sys::vm;

const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;
const PFNZERO: u64 = 1 << 5;
const GUARD: u64 = 1 << 8;

/// Bytes copied at a time: small enough to stay in the cache between copy, checksum and write.
const PIECE: u64 = 1 << 20;
/// Pieces under way between the two threads.
const IN_FLIGHT: usize = 4;

/// The pages of one address space that go into the image.
#[derive(Debug)]
pub struct MemoryContents {
    /// Its object.
    pub mm: Id,
    /// Where the pages come from.
    pub source: PageSource,
}

/// A range of pages to be stored.
#[derive(Debug, Clone, Copy)]
struct Region {
    start: u64,
    end: u64,
    /// Whether the process itself may read it; else it is read through /proc/PID/mem.
    readable: bool,
    /// Whether untouched pages of the area read as zero, so that zero pages need not be stored.
    anonymous: bool,
}

/// Finds and copies pages of a process that stands still.
#[derive(Debug)]
pub struct PageSource {
    pid: i32,
    pagemap: StdFile,
    mem: StdFile,
    regions: Vec<Region>,
    guards: Vec<(u64, u64)>,
    scanned: Vec<PageRegion>,
}

impl PageSource {
    /// Opens the page tables of a process.
    pub fn open(pid: i32) -> Result<Self, CaptureError> {
        let open = |name: &str| {
            StdFile::open(format!("/proc/{pid}/{name}"))
                .map_err(CaptureError::read(format!("/proc/{pid}/{name}"), pid))
        };
        Ok(Self {
            pid,
            pagemap: open("pagemap")?,
            mem: open("mem")?,
            regions: Vec::new(),
            guards: Vec::new(),
            scanned: Vec::new(),
        })
    }

    /// Finds the pages of an area that have to be stored, and counts them in its record.
    pub fn scan(&mut self, vma: &mut Vma) -> Result<(), CaptureError> {
        let shared = vma.flags & libc::MAP_SHARED as u32 != 0;
        let droppable = vma.flags & 0x8 != 0;
        if vma.kind >= VDSO || shared || droppable || vma.kind == 0 {
            return Ok(());
        }
        let masks = ScanMasks {
            category_inverted: 0,
            category_mask: 0,
            category_anyof: PRESENT | SWAPPED | GUARD,
            return_mask: PRESENT | SWAPPED | FILE | PFNZERO | GUARD,
        };
        self.scanned.clear();
        pagemap::scan(&self.pagemap, vma.start, vma.end, &masks, &mut self.scanned).map_err(
            CaptureError::read(
                format!("the page table of {:#x}-{:#x} (PAGEMAP_SCAN, Linux 6.7)", vma.start, vma.end),
                self.pid,
            ),
        )?;
        let anonymous = vma.inode == 0;
        for r in &self.scanned {
            if r.categories & GUARD != 0 {
                self.guards.push((r.start, (r.end - r.start) / PAGE));
                continue;
            }
            let given_by_file = r.categories & FILE != 0 && r.categories & SWAPPED == 0;
            let zero = r.categories & PFNZERO != 0;
            if (given_by_file && !anonymous) || zero {
                continue;
            }
            vma.stored += r.end - r.start;
            match self.regions.last_mut() {
                Some(last)
                    if last.end == r.start
                        && last.readable == (vma.prot & 1 != 0)
                        && last.anonymous == anonymous =>
                {
                    last.end = r.end;
                }
                _ => self.regions.push(Region {
                    start: r.start,
                    end: r.end,
                    readable: vma.prot & 1 != 0,
                    anonymous,
                }),
            }
        }
        Ok(())
    }

    /// Guard pages found, address and number.
    pub fn take_guards(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.guards)
    }

    /// Bytes to be copied.
    pub fn bytes(&self) -> u64 {
        self.regions.iter().map(|r| r.end - r.start).sum()
    }

    /// Groups the regions into pieces of at most [`PIECE`] bytes and [`MAX_RUNS`] runs of one sort.
    fn pieces(&self) -> impl Iterator<Item = Vec<Region>> + '_ {
        let mut regions = self.regions.iter().copied();
        let mut rest: Option<Region> = None;
        std::iter::from_fn(move || {
            let mut piece: Vec<Region> = Vec::new();
            let mut len = 0;
            while let Some(mut r) = rest.take().or_else(|| regions.next()) {
                let same =
                    piece.first().is_none_or(|p| p.readable == r.readable && p.anonymous == r.anonymous);
                if !same || piece.len() == MAX_RUNS || len == PIECE {
                    rest = Some(r);
                    break;
                }
                if len + (r.end - r.start) > PIECE {
                    let cut = r.start + (PIECE - len);
                    rest = Some(Region { start: cut, ..r });
                    r.end = cut;
                }
                len += r.end - r.start;
                piece.push(r);
            }
            (!piece.is_empty()).then_some(piece)
        })
    }

    /// Copies a piece.
    fn copy(&self, piece: &[Region], out: &mut Vec<u8>) -> io::Result<()> {
        let len: u64 = piece.iter().map(|r| r.end - r.start).sum();
        out.resize(len as usize, 0);
        if piece.first().is_some_and(|r| r.readable) {
            let ranges: Vec<(u64, u64)> = piece.iter().map(|r| (r.start, r.end - r.start)).collect();
            match vm::read(self.pid, &ranges, out) {
                Ok(n) if n == out.len() => return Ok(()),
                // An area that may be read can still hold pages that only the slow way gives (a file cut short).
                Ok(_) => {}
                Err(e) if e.raw_os_error() == Some(libc::EFAULT) => {}
                Err(e) => return Err(e),
            }
        }
        let mut at = 0;
        for r in piece {
            let n = (r.end - r.start) as usize;
            vm::mem_read(&self.mem, r.start, &mut out[at..at + n])?;
            at += n;
        }
        Ok(())
    }
}

/// How contents are to be stored.
#[derive(Debug, Clone, Copy)]
pub struct Storage {
    /// Encoding of extents.
    pub encoding: Encoding,
    /// Its level.
    pub level: i32,
}

/// Why contents could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// The image could not be written.
    #[error("the image could not be written: {0}")]
    Write(#[from] WriteError),
    /// Pages or bytes could not be copied.
    #[error("{what} could not be copied: {source}")]
    Copy {
        /// What.
        what: String,
        /// The kernel's reason.
        source: io::Error,
    },
    /// It was called off.
    #[error("the checkpoint was called off")]
    Cancelled,
}

/// A piece on its way from the copying to the writing thread.
struct Piece {
    parent: Id,
    runs: Vec<Run>,
    zero_runs: Vec<Run>,
    encoding: Encoding,
    checksum: u64,
    data: Vec<u8>,
    raw_len: u64,
}

/// Stores all contents behind the metadata.
pub fn write<W: Write>(
    contents: &Contents,
    w: &mut Writer<W>,
    storage: Storage,
    progress: &dyn Progress,
) -> Result<(), ContentsError> {
    let total = contents.memory.iter().map(|m| m.source.bytes()).sum::<u64>()
        + contents.inodes.iter().map(|(_, _, size)| size).sum::<u64>();
    progress.total(total);
    std::thread::scope(|scope| {
        let (full, pieces) = mpsc::sync_channel::<Result<Piece, ContentsError>>(IN_FLIGHT);
        let (empty, buffers) = mpsc::channel::<Vec<u8>>();
        scope.spawn(move || {
            let mut out = Copier { storage, full: &full, buffers: &buffers };
            if let Err(e) = out.all(contents) {
                // The other side is gone only when writing has failed, and says so itself.
                let _ = full.send(Err(e));
            }
        });
        for piece in pieces {
            let piece = piece?;
            if progress.cancelled() {
                return Err(ContentsError::Cancelled);
            }
            for runs in piece.zero_runs.chunks(MAX_RUNS) {
                w.extent(piece.parent, runs, Encoding::ZERO, &[])?;
            }
            if !piece.runs.is_empty() {
                w.extent_hashed(piece.parent, &piece.runs, piece.encoding, &piece.data, piece.checksum)?;
            }
            progress.advance(piece.raw_len);
            let _ = empty.send(piece.data);
        }
        Ok(())
    })
}

/// What becomes of pages of zeroes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zero {
    /// Not stored: what is not in the image reads as zero.
    Dropped,
    /// Named in an extent that stores nothing: else the file would show through.
    Named,
    /// Stored like others: the bytes are a stream.
    Ordinary,
}

/// The copying thread.
struct Copier<'a> {
    storage: Storage,
    full: &'a mpsc::SyncSender<Result<Piece, ContentsError>>,
    buffers: &'a mpsc::Receiver<Vec<u8>>,
}

impl Copier<'_> {
    fn all(&mut self, contents: &Contents) -> Result<(), ContentsError> {
        for (id, fd, size) in &contents.inodes {
            self.file(*id, fd, *size)
                .map_err(|source| ContentsError::Copy { what: "the contents of a file".into(), source })?;
        }
        for (id, bytes) in &contents.streams {
            for (i, part) in bytes.chunks(PIECE as usize).enumerate() {
                let mut data = self.buffer();
                data.extend_from_slice(part);
                let runs = vec![run(i as u64 * PIECE, part.len() as u64)];
                if self.send(*id, runs, data, Zero::Ordinary).is_err() {
                    return Ok(());
                }
            }
        }
        for m in &contents.memory {
            for piece in m.source.pieces() {
                let mut data = self.buffer();
                m.source.copy(&piece, &mut data).map_err(|source| {
                    let start = piece.first().map_or(0, |r| r.start);
                    ContentsError::Copy {
                        what: format!("memory at {start:#x} of process {}", m.source.pid),
                        source,
                    }
                })?;
                let runs = piece.iter().map(|r| run(r.start, r.end - r.start)).collect();
                let zero =
                    if piece.first().is_some_and(|r| r.anonymous) { Zero::Dropped } else { Zero::Named };
                if self.send(m.mm, runs, data, zero).is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn buffer(&self) -> Vec<u8> {
        let mut buffer = self.buffers.try_recv().unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Copies a file, leaving out its holes.
    fn file(&mut self, id: Id, fd: &OwnedFd, size: u64) -> io::Result<()> {
        use nix::unistd::{Whence, lseek};
        let file = StdFile::from(fd.try_clone()?);
        let mut at = 0u64;
        while at < size {
            let data = match lseek(file.as_fd(), at as i64, Whence::SeekData) {
                Ok(pos) => pos as u64 / PAGE * PAGE,
                Err(nix::errno::Errno::ENXIO) => return Ok(()),
                Err(_) => at,
            };
            let hole = lseek(file.as_fd(), data as i64, Whence::SeekHole).map_or(size, |p| p as u64);
            let end = hole.next_multiple_of(PAGE).min(size);
            at = data;
            while at < end {
                let n = (end - at).min(PIECE);
                let mut buf = self.buffer();
                buf.resize(n as usize, 0);
                file.read_exact_at(&mut buf, at)?;
                if self.send(id, vec![run(at, n)], buf, Zero::Dropped).is_err() {
                    return Ok(());
                }
                at += n;
            }
        }
        Ok(())
    }

    /// Drops zero pages, pads, encodes, sums up and hands over. An error means that nobody takes pieces any more.
    fn send(&mut self, parent: Id, runs: Vec<Run>, mut data: Vec<u8>, zero: Zero) -> Result<(), ()> {
        let raw_len = data.len() as u64;
        data.resize(data.len().next_multiple_of(PAGE as usize), 0);
        let (runs, zero_runs) =
            if zero == Zero::Ordinary { (runs, Vec::new()) } else { squeeze(runs, &mut data) };
        let mut piece = Piece {
            parent,
            runs,
            zero_runs: if zero == Zero::Named { zero_runs } else { Vec::new() },
            encoding: Encoding::NONE,
            checksum: 0,
            data,
            raw_len,
        };
        if self.storage.encoding != Encoding::NONE {
            match encoding::encode(self.storage.encoding, &piece.data, self.storage.level) {
                // What does not get smaller is stored as it is.
                Ok(encoded) if encoded.len() < piece.data.len() => {
                    (piece.encoding, piece.data) = (self.storage.encoding, encoded);
                }
                _ => {}
            }
        }
        piece.checksum = checksum(&piece.data);
        self.full.send(Ok(piece)).map_err(drop)
    }
}

fn run(start: u64, len: u64) -> Run {
    Run { start, pages: len.div_ceil(PAGE) }
}

/// Takes zero pages out of `data`: the runs that stay, and those that were zero.
fn squeeze(runs: Vec<Run>, data: &mut Vec<u8>) -> (Vec<Run>, Vec<Run>) {
    let page = PAGE as usize;
    if !data.chunks_exact(page).any(is_zero) {
        return (runs, Vec::new());
    }
    let (mut kept, mut zero): (Vec<Run>, Vec<Run>) = (Vec::new(), Vec::new());
    let (mut from, mut to) = (0, 0);
    for run in runs {
        for i in 0..run.pages {
            let start = run.start + i * PAGE;
            let is_zero = data.get(from..from + page).is_some_and(is_zero);
            let list = if is_zero { &mut zero } else { &mut kept };
            match list.last_mut() {
                Some(last) if last.start + last.pages * PAGE == start => last.pages += 1,
                _ => list.push(Run { start, pages: 1 }),
            }
            if !is_zero {
                data.copy_within(from..from + page, to);
                to += page;
            }
            from += page;
        }
    }
    data.truncate(to);
    (kept, zero)
}

fn is_zero(page: &[u8]) -> bool {
    // The first word decides nearly always.
    page.first_chunk::<8>().is_some_and(|w| u64::from_ne_bytes(*w) == 0) && page.iter().all(|b| *b == 0)
}
