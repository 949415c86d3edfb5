//! Memory: the address space, its areas, and the contents of pages.

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
pub const ENCODINGS: &[(u64, &str)] = &[(0, "none"), (1, "zero"), (2, "zstd"), (3, "lz4")];

/// Values of the dumpable attribute (PR_SET_DUMPABLE).
pub const DUMPABLE: &[(u64, &str)] = &[(0, "no"), (1, "user"), (2, "root")];

/// Bits of [`Mm::flags`].
pub const MM_FLAGS: &[(u64, &str)] =
    &[(1, "THP_DISABLE"), (2, "MDWE_REFUSE_EXEC_GAIN"), (4, "MCL_FUTURE"), (8, "MCL_ONFAULT")];

records! {
    /// An address space.
    Mm = 201 "MM", tail auxv: U64s "Auxiliary vector, pairs of type and value." {
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
        exe: u32 => Ref,
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
    }

    /// One area of an address space. Areas come in ascending order.
    Vma = 202 "VMA", tail name: Text "Path as /proc/PID/maps shows it, or the name of an anonymous area (PR_SET_VMA_ANON_NAME)." {
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
        inode: u32 => Ref,
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
    }

    /// What the processor family adds to an address space: on x86-64 the vDSO.
    MmContext = 203 "MM_CONTEXT" {
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
    }

    /// Contents of pages: of an MM by virtual address, of an INODE, PIPE or SOCKET by offset. The bytes follow the record,
    /// from the next multiple of 4096 of the stream on; zero bytes fill the gap before and up to the next multiple
    /// of 8 after them. When nothing is stored there is no gap either.
    Extent = 204 "EXTENT", tail runs: Pairs "Runs: address or offset in bytes, and pages. In ascending order, one at least." {
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
    }

    /// Guard pages of an MM (MADV_GUARD_INSTALL): access to them is a fault, whatever the area permits.
    Guard = 205 "GUARD", tail runs: Pairs "Runs: address and pages. In ascending order, one at least." {
        /// Pages in all runs.
        nr_pages: u64 => Dec,
    }
}
