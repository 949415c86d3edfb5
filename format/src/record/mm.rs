//! Memory: the address space, its areas, and the contents of pages.

use crate::limits::PAGE;
use crate::show::{choice, escape, named, reference};

/// What an area is.
pub const VMA_KINDS: &[(u64, &str)] = &[
    (1, "anonymous"),
    (2, "file"),
    (3, "shared anonymous"),
    (4, "memfd"),
    (5, "vdso"),
    (6, "vvar"),
    (7, "vsyscall"),
];

/// PROT_* of mmap(2).
pub const PROT: &[(u64, &str)] = &[(1, "READ"), (2, "WRITE"), (4, "EXEC")];

/// MAP_* of mmap(2) that make a difference when the area is put back.
pub const MAP_FLAGS: &[(u64, &str)] = &[
    (0x01, "SHARED"),
    (0x02, "PRIVATE"),
    (0x20, "ANONYMOUS"),
    (0x100, "GROWSDOWN"),
    (0x4000, "NORESERVE"),
    (0x40000, "HUGETLB"),
    (0x8, "DROPPABLE"),
];

/// State of an area set by madvise(2), mlock(2) and the like, from the VmFlags of smaps (proc(5)).
pub const VM_ADVICE: &[(u64, &str)] = &[
    (1 << 0, "LOCKED"),
    (1 << 1, "LOCKONFAULT"),
    (1 << 2, "SEQ_READ"),
    (1 << 3, "RAND_READ"),
    (1 << 4, "DONTCOPY"),
    (1 << 5, "DONTDUMP"),
    (1 << 6, "WIPEONFORK"),
    (1 << 7, "HUGEPAGE"),
    (1 << 8, "NOHUGEPAGE"),
    (1 << 9, "MERGEABLE"),
    (1 << 10, "SEALED"),
    (1 << 11, "ACCOUNT"),
];

/// How the bytes behind an EXTENT are encoded.
pub const ENCODINGS: &[(u64, &str)] = &[(0, "none"), (1, "zero"), (2, "zstd"), (3, "lz4"), (4, "base")];

/// Values of the dumpable attribute (PR_SET_DUMPABLE).
pub const DUMPABLE: &[(u64, &str)] = &[(0, "no"), (1, "user"), (2, "root")];

/// Bits of [`Mm::flags`].
pub const MM_FLAGS: &[(u64, &str)] =
    &[(1, "THP_DISABLE"), (2, "MDWE_REFUSE_EXEC_GAIN"), (4, "MCL_FUTURE"), (8, "MCL_ONFAULT")];

/// Consecutive pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Run {
    /// Virtual address, or offset in the object, of the first byte; a multiple of the page.
    pub start: u64,
    /// Pages of 4096 bytes, one at least.
    pub pages: u64,
}

impl Run {
    /// Length in bytes; saturates on nonsense.
    pub fn len(&self) -> u64 {
        self.pages.saturating_mul(PAGE)
    }

    /// Whether the run covers nothing, which no image may contain.
    pub fn is_empty(&self) -> bool {
        self.pages == 0
    }

    /// Address behind the last byte; saturates on nonsense.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.len())
    }
}

impl Extent {
    /// The runs in the tail.
    pub fn list(&self) -> Vec<Run> {
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
        self.runs
            .chunks_exact(16)
            .map(|pair| {
                let (start, pages) = pair.split_at(8);
                Run { start: word(start), pages: word(pages) }
            })
            .collect()
    }
}

/// What an extent holds.
fn extent_words(runs: &[Run], encoding: u32, stored_len: u64) -> String {
    let pages: u64 = runs.iter().fold(0, |sum, run| sum.saturating_add(run.pages));
    let start = runs.first().map_or(0, |run| run.start);
    let encoding =
        choice(encoding.into(), ENCODINGS).map_or_else(|| format!("encoding {encoding}"), str::to_owned);
    format!("{pages} pages in {} runs from {start:#x} on, {encoding}, {stored_len} bytes stored", runs.len())
}

records! {
    /// An address space.
    Mm = 201 "MM", tail auxv: U64s "Auxiliary vector, pairs of type and value.", object, of Image | Task {
        /// Start of the program's code.
        start_code: u64 => Addr,
        /// End of it.
        end_code: u64 => Addr,
        /// Start of its data.
        start_data: u64 => Addr,
        /// End of it.
        end_data: u64 => Addr,
        /// Start of the heap.
        start_brk: u64 => Addr,
        /// End of the heap.
        brk: u64 => Addr,
        /// Where the first thread's stack started.
        start_stack: u64 => Addr,
        /// Start of the arguments.
        arg_start: u64 => Addr,
        /// End of them.
        arg_end: u64 => Addr,
        /// Start of the environment.
        env_start: u64 => Addr,
        /// End of it.
        env_end: u64 => Addr,
        /// The program: INODE.
        exe: u32 => Ref => To[Inode],
        /// Whether the process may be dumped and traced.
        dumpable: u32 => Enum(DUMPABLE),
        /// Kinds of memory that a core dump takes (core(5)).
        coredump_filter: u32 => Hex,
        /// MEMBARRIER_CMD_REGISTER_* in force (membarrier(2)).
        membarrier: u32 => Hex,
        /// Other switches.
        flags: u64 => Flags(MM_FLAGS),
        /// Bytes resident, for information.
        resident: u64 => Size,
    } words(mm) { format!("exe {}, heap {:#x}-{:#x}", reference(mm.exe), mm.start_brk, mm.brk) }

    /// One area of an address space. Areas come in ascending order.
    Vma = 202 "VMA", tail name: Text "Path as /proc/PID/maps shows it, or the name of an anonymous area (PR_SET_VMA_ANON_NAME).",
        of Mm
    {
        /// First address.
        start: u64 => Addr,
        /// Address behind the last.
        end: u64 => Addr,
        /// Offset in the file in bytes.
        offset: u64 => Hex,
        /// Permitted access.
        prot: u32 => Flags(PROT),
        /// How it is mapped.
        flags: u32 => Flags(MAP_FLAGS),
        /// What it is.
        kind: u32 => Enum(VMA_KINDS),
        /// File or shared memory behind it: INODE.
        inode: u32 => Ref => To[Inode],
        /// Standing advice.
        advice: u64 => Flags(VM_ADVICE),
        /// Protection key.
        pkey: u32 => Dec,
        /// 1 when the file was mapped such that it can be written through (a shared mapping that may be written).
        may_write: u32 => Dec,
        /// Bytes resident, for information.
        resident: u64 => Size,
        /// Bytes whose contents are in the image, before encoding.
        stored: u64 => Size,
    } words(vma) {
        let mut prot = String::new();
        for ((bit, _), letter) in PROT.iter().zip(["r", "w", "x"]) {
            prot.push_str(if u64::from(vma.prot) & bit != 0 { letter } else { "-" });
        }
        let kind = named(vma.kind, VMA_KINDS);
        format!("{:#x}-{:#x} {prot} {kind} {}", vma.start, vma.end, escape(&vma.name)).trim_end().to_owned()
    }

    /// What the processor family adds to an address space: on x86-64 the vDSO.
    MmContext = 203 "MM_CONTEXT", of Mm {
        /// Start of the vDSO.
        vdso: u64 => Addr,
        /// Its length.
        vdso_len: u64 => Size,
        /// Start of its data pages.
        vvar: u64 => Addr,
        /// Their length.
        vvar_len: u64 => Size,
        /// XXH3-64 of the vDSO's contents: another kernel's may have its functions elsewhere.
        vdso_checksum: u64 => Hex,
    } words(context) { format!("vdso {:#x}", context.vdso) }

    /// Contents of pages: of an MM by virtual address, of another object by offset. The same page may be in an image more
    /// than once, then the last one counts; and an EXTENT may come before its owner. The bytes follow the record,
    /// from the next multiple of 4096 of the stream on; zero bytes fill the gap before and up to the next multiple
    /// of 8 after them. When nothing is stored there is no gap either.
    Extent = 204 "EXTENT", tail runs: Pairs "Runs: address or offset in bytes, and pages. In ascending order, one at least.",
        of Mm
    {
        /// Start of the first run.
        vaddr: u64 => Addr,
        /// Pages in all runs.
        nr_pages: u64 => Dec,
        /// Bytes behind the record.
        stored_len: u64 => Size,
        /// XXH3-64 of those bytes.
        checksum: u64 => Hex,
        /// How they are encoded.
        encoding: u32 => Enum(ENCODINGS),
        /// Always zero.
        pad: u32 => Zero,
    } words(extent) { extent_words(&extent.list(), extent.encoding, extent.stored_len) }

    /// Guard pages of an MM (MADV_GUARD_INSTALL): access to them is a fault, whatever the area permits.
    Guard = 205 "GUARD", tail runs: Pairs "Runs: address and pages. In ascending order, one at least.", of Mm {
        /// Pages in all runs.
        nr_pages: u64 => Dec,
    } words(guard) { format!("{} pages", guard.nr_pages) }
}
