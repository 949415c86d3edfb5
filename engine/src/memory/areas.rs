//! The address space: areas with all their flags, the layout that `prctl(PR_SET_MM)` knows, the vDSO.

use std::collections::BTreeMap;
use std::mem::offset_of;
use std::os::fd::OwnedFd;

use stasis_format::record::{Mm, MmContext, Vma};

use super::pages::{MemoryContents, PageSource};
use crate::arch;
use crate::image::model::{Id, MmState, Tree};
use crate::kinds::fd::inodes::{self, Need};
use crate::kinds::task::kind::{Making, TaskKind};
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::procfs::{self, SmapEntry};
use crate::refusal::Loss;
use crate::sys;
use crate::sys::abi::MmMap;
use crate::tracee::batch::{Batch, args};
use crate::tracee::rescue::Code;
use crate::tracee::stub::{BOOT_LEN, Call, Stub, StubError};

/// Kinds of area, [`Vma::kind`].
pub const ANON: u32 = 1;
/// A file.
pub const FILE: u32 = 2;
/// Shared anonymous memory.
pub const SHARED_ANON: u32 = 3;
/// A memfd.
pub const MEMFD: u32 = 4;
/// The vDSO.
pub const VDSO: u32 = 5;
/// Its data.
pub const VVAR: u32 = 6;
/// The page of old system calls at a fixed address, which every process has.
pub const VSYSCALL: u32 = 7;

const LOCKED: u64 = 1;
const LOCKONFAULT: u64 = 2;
/// Bit of [`Vma::advice`]: huge pages are wanted, madvise(2).
pub const HUGEPAGE: u64 = 1 << 7;
const SEALED: u64 = 1 << 10;
const ACCOUNT: u64 = 1 << 11;

/// Bits of [`Mm::flags`].
const MM_MCL_FUTURE: u64 = 4;
const MM_MCL_ONFAULT: u64 = 8;

/// VmFlags of smaps that become bits of [`Vma::advice`], with the madvise(2) that sets them.
const ADVICE: &[(&str, u64, i32)] = &[
    ("sr", 1 << 2, libc::MADV_SEQUENTIAL),
    ("rr", 1 << 3, libc::MADV_RANDOM),
    ("dc", 1 << 4, libc::MADV_DONTFORK),
    ("dd", 1 << 5, libc::MADV_DONTDUMP),
    ("wf", 1 << 6, libc::MADV_WIPEONFORK),
    ("hg", HUGEPAGE, libc::MADV_HUGEPAGE),
    ("nh", 1 << 8, libc::MADV_NOHUGEPAGE),
    ("mg", 1 << 9, libc::MADV_MERGEABLE),
];

/// mseal(2), Linux 6.10.
const SYS_MSEAL: i64 = 462;

/// What closes an address space to changes, and so comes after all of them.
#[derive(Debug)]
pub struct Last;

impl TaskKind for Last {
    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        restore_future_locks(m.stub, &m.mm.mm)?;
        restore_seals(m.stub, m.mm)
    }
}

/// Captures the address space; returns the object it became.
pub fn capture(c: &mut Capture) -> Result<Id, CaptureError> {
    let pid = c.target.pid;
    let smaps = c.target.proc.read("smaps").map_err(CaptureError::read("the memory map", pid))?;
    let mut entries = procfs::parse_smaps(&smaps).map_err(CaptureError::parse("smaps", pid))?;
    let code: Vec<(u64, u64)> = [true, false]
        .iter()
        .flat_map(|vdso| {
            entries
                .iter()
                .filter(move |e| (e.map.path == b"[vdso]") == *vdso && e.map.exec && e.map.read)
                .filter(|e| e.map.path != b"[vsyscall]")
                .map(|e| (e.map.start, e.map.end))
        })
        .collect();
    c.target.find_syscall(&code)?;
    c.target.writable = entries
        .iter()
        .filter(|e| e.map.read && e.map.write && !e.map.shared && e.map.path.first() != Some(&b'/'))
        .map(|e| (e.map.start, e.map.end))
        .collect();
    if let Some(code) = Code::find(pid, &libraries(&entries)) {
        let stack = entries.iter().find(|e| e.map.path == b"[stack]").map(|e| (e.map.start, e.map.end));
        c.target.prepare_calls(code, stack, c.status.sig_cgt)?;
    }
    let is_left = |e: &mut SmapEntry| {
        let is_anonymous = e.map.path.is_empty() && !e.map.shared && e.map.write && e.map.exec;
        is_anonymous && c.target.is_left_behind(e.map.start, e.map.end)
    };
    let left: Vec<SmapEntry> = entries.extract_if(.., is_left).collect();
    for e in left {
        let args = [e.map.start, e.map.end - e.map.start, 0, 0, 0, 0];
        c.target.call(0, libc::SYS_munmap, args)?;
    }

    let id = c.tree.new_id();
    let mut state = MmState { mm: capture_mm(c)?, ..MmState::default() };
    let mut source = PageSource::open(pid)?;
    for entry in &entries {
        if let Some(mut vma) = capture_vma(c, entry)? {
            context(&mut state.context, &vma, pid);
            vma.resident = entry.rss;
            source.scan(&mut vma)?;
            state.vmas.push(vma);
        }
    }
    if state.vmas.iter().any(|v| v.advice & LOCKED != 0) {
        state.mm.flags |= future_locks(c)?;
    }
    state.mm.resident = state.vmas.iter().map(|v| v.resident).sum();
    state.guards = source.take_guards();
    c.contents.memory.push(MemoryContents { mm: id, source });
    c.tree.mms.insert(id, state);
    Ok(id)
}

/// Code of files, that of C libraries first.
fn libraries(entries: &[SmapEntry]) -> Vec<(u64, u64)> {
    let is_of_file = |e: &&SmapEntry| e.map.exec && e.map.read && e.map.path.first() == Some(&b'/');
    let mut areas: Vec<&SmapEntry> = entries.iter().filter(is_of_file).collect();
    let has = |path: &[u8], name: &[u8]| memchr::memmem::find(path, name).is_some();
    areas.sort_by_key(|e| !has(&e.map.path, b"libc") && !has(&e.map.path, b"musl"));
    areas.iter().map(|e| (e.map.start, e.map.end)).collect()
}

fn capture_mm(c: &mut Capture) -> Result<Mm, CaptureError> {
    let pid = c.target.pid;
    let stat = c.stat;
    let auxv = c.target.proc.read("auxv").map_err(CaptureError::read("the auxiliary vector", pid))?;
    let filter = c.target.proc.read("coredump_filter").unwrap_or_default();
    let exe =
        c.inode_of_link("exe", inodes::MAPPED).map_err(CaptureError::read("the link to the program", pid))?;
    let mut calls = Batch::new();
    let mut prctl = |op: i32| calls.ask("an attribute of memory", libc::SYS_prctl, args![op, 0, 0, 0, 0]);
    let dumpable = prctl(libc::PR_GET_DUMPABLE);
    let thp = prctl(libc::PR_GET_THP_DISABLE);
    let mdwe = prctl(66 /* PR_GET_MDWE */);
    let brk = calls.ask("the end of the heap", libc::SYS_brk, args![0]);
    // MEMBARRIER_CMD_GET_REGISTRATIONS, Linux 6.3.
    let membarrier = calls.ask("membarrier registrations", libc::SYS_membarrier, args![1 << 9, 0, 0]);
    let done = c.target.make(0, &calls)?;
    let dumpable = done.result(dumpable).max(0) as u32;
    let thp = done.result(thp) == 1;
    let mdwe = done.result(mdwe).max(0) as u64;
    let brk = done.result(brk) as u64;
    let membarrier = done.result(membarrier).max(0) as u32;
    Ok(Mm {
        start_code: stat.start_code,
        end_code: stat.end_code,
        start_data: stat.start_data,
        end_data: stat.end_data,
        start_brk: stat.start_brk,
        brk,
        start_stack: stat.start_stack,
        arg_start: stat.arg_start,
        arg_end: stat.arg_end,
        env_start: stat.env_start,
        env_end: stat.env_end,
        exe,
        dumpable,
        coredump_filter: parse_hex(&filter),
        membarrier,
        flags: u64::from(thp) | (mdwe & 1) << 1,
        resident: 0,
        auxv,
    })
}

fn parse_hex(text: &[u8]) -> u32 {
    std::str::from_utf8(text).ok().and_then(|t| u32::from_str_radix(t.trim(), 16).ok()).unwrap_or(0x33)
}

/// Whether mappings to come will be locked (mlockall(2), MCL_FUTURE): nothing tells but a mapping made to see.
fn future_locks(c: &mut Capture) -> Result<u64, CaptureError> {
    const LEN: u64 = 4096;
    let pid = c.target.pid;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let at = c.target.call(0, libc::SYS_mmap, [0, LEN, libc::PROT_NONE as u64, flags, u64::MAX, 0])?;
    if at < 0 {
        return Ok(0);
    }
    let text = c.target.proc.read("smaps");
    c.target.call(0, libc::SYS_munmap, [at as u64, LEN, 0, 0, 0, 0])?;
    let text = text.map_err(CaptureError::read("the memory map", pid))?;
    let entries = procfs::parse_smaps(&text).map_err(CaptureError::parse("smaps", pid))?;
    let probe = entries.iter().find(|e| e.map.start <= at as u64 && (at as u64) < e.map.end);
    let has = |flag: &str| probe.is_some_and(|e| e.vm_flags.has(flag));
    Ok(if has("lo") { MM_MCL_FUTURE } else { 0 } | if has("lf") { MM_MCL_ONFAULT } else { 0 })
}

/// Notes vDSO and vvar, and what the vDSO contains.
fn context(ctx: &mut MmContext, vma: &Vma, pid: i32) {
    let len = vma.end - vma.start;
    match vma.kind {
        VVAR if ctx.vvar == 0 => (ctx.vvar, ctx.vvar_len) = (vma.start, len),
        VVAR => ctx.vvar_len = vma.end - ctx.vvar,
        VDSO => {
            (ctx.vdso, ctx.vdso_len) = (vma.start, len);
            ctx.vdso_checksum = vdso_checksum(pid, vma.start, len).unwrap_or(0);
        }
        _ => {}
    }
}

/// Checksum of a vDSO, to tell one kernel's from another's.
fn vdso_checksum(pid: i32, start: u64, len: u64) -> Option<u64> {
    let mut bytes = vec![0u8; usize::try_from(len).ok()?];
    sys::vm::read_exact_at(pid, start, &mut bytes).ok()?;
    Some(stasis_format::checksum::checksum(&bytes))
}

/// One area, or nothing if it needs no place in the image.
fn capture_vma(c: &mut Capture, e: &SmapEntry) -> Result<Option<Vma>, CaptureError> {
    let pid = c.target.pid;
    let m = &e.map;
    let name = || if m.path.is_empty() { "no name".into() } else { m.path.escape_ascii().to_string() };
    let range = || format!("mapping {:#x}-{:#x} ({})", m.start, m.end, name());
    let prot = u32::from(m.read) | u32::from(m.write) << 1 | u32::from(m.exec) << 2;
    let mut vma = Vma {
        start: m.start,
        end: m.end,
        offset: m.offset,
        prot,
        flags: if m.shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE } as u32,
        may_write: u32::from(e.vm_flags.has("mw")),
        pkey: e.pkey,
        name: m.path.clone(),
        ..Vma::default()
    };
    match m.path.as_slice() {
        b"[vsyscall]" => return Ok(None),
        b"[vdso]" => return Ok(Some(Vma { kind: VDSO, ..vma })),
        p if p.starts_with(b"[vvar") => return Ok(Some(Vma { kind: VVAR, ..vma })),
        _ => {}
    }
    for (flag, bits) in [("gd", libc::MAP_GROWSDOWN), ("nr", libc::MAP_NORESERVE), ("dp", 0x8)] {
        if e.vm_flags.has(flag) {
            vma.flags |= bits as u32;
        }
    }
    for (flag, bit, _) in ADVICE {
        if e.vm_flags.has(flag) {
            vma.advice |= bit;
        }
    }
    if e.vm_flags.has("lo") {
        vma.advice |= if e.vm_flags.has("lf") { LOCKED | LOCKONFAULT } else { LOCKED };
    }
    if e.vm_flags.has("sl") {
        vma.advice |= SEALED;
    }
    if e.vm_flags.has("ac") {
        vma.advice |= ACCOUNT;
    }
    let obstacle = if e.hugetlb || e.vm_flags.has("ht") {
        Some("huge pages of hugetlbfs are not carried over yet")
    } else if e.vm_flags.has("io") || e.vm_flags.has("pf") {
        Some("memory of a device cannot be saved")
    } else if e.vm_flags.has("um") || e.vm_flags.has("uw") || e.vm_flags.has("ui") {
        Some("it is watched by a userfaultfd")
    } else if e.vm_flags.has("ss") {
        Some("shadow stacks are not carried over yet")
    } else if e.pkey != 0 {
        Some("memory protection keys are not carried over yet")
    } else if m.path.starts_with(b"/SYSV") {
        Some("System V shared memory is not carried over yet")
    } else if m.path.starts_with(b"anon_inode:")
        || m.path.starts_with(b"/anon_inode:")
        || m.path == b"/secretmem"
        || m.path.starts_with(b"/[aio]")
    {
        Some("it is memory of a kernel object that cannot be saved")
    } else {
        None
    };
    if let Some(why) = obstacle {
        let skip = c.survey.lose(Loss::Mapping, pid, format!("{}: {why}", range()), "");
        return Ok((!skip).then_some(vma));
    }
    let full = [m.path.as_slice(), if m.deleted { b" (deleted)".as_slice() } else { b"" }].concat();
    if m.path.first() != Some(&b'/') {
        vma.kind = ANON;
        vma.flags |= libc::MAP_ANONYMOUS as u32;
        // The kernel shows shared anonymous memory as /dev/zero, so this one is private.
        return Ok(Some(vma));
    }
    let fd = open_mapped(c, m).map_err(CaptureError::read(range(), pid))?;
    let Some(fd) = fd else {
        c.survey.refuse(
            Loss::Mapping,
            pid,
            format!(
                "{}: its file is gone, and reaching it without a name needs CAP_CHECKPOINT_RESTORE",
                range()
            ),
            "run stasis as root",
        );
        return Ok(None);
    };
    if device(&fd) && m.path != b"/dev/zero" {
        let skip = c.survey.lose(Loss::Mapping, pid, format!("{}: a device is mapped", range()), "");
        return Ok((!skip).then_some(vma));
    }
    vma.inode = c.inode(fd, &full, inodes::MAPPED).map_err(CaptureError::read(range(), pid))?;
    let flags = c.tree.inodes.get(&vma.inode).map_or(0, |i| i.flags);
    vma.kind = if flags & inodes::SHMEM != 0 {
        SHARED_ANON
    } else if flags & inodes::MEMFD != 0 {
        MEMFD
    } else {
        FILE
    };
    Ok(Some(vma))
}

fn device(fd: &OwnedFd) -> bool {
    nix::sys::stat::fstat(fd).is_ok_and(|s| matches!(s.st_mode & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK))
}

/// Opens the file behind an area: by the kernel's own link if we may, else by its name if that still is the same file.
fn open_mapped(c: &Capture, m: &procfs::MapEntry) -> std::io::Result<Option<OwnedFd>> {
    let link = format!("/proc/{}/map_files/{:x}-{:x}", c.target.pid, m.start, m.end);
    let file = std::fs::OpenOptions::new();
    let mut file = file;
    let file = file.read(true);
    match std::os::unix::fs::OpenOptionsExt::custom_flags(file, libc::O_PATH).open(link) {
        Ok(f) => return Ok(Some(f.into())),
        Err(e) if e.raw_os_error() == Some(libc::EPERM) || e.raw_os_error() == Some(libc::EACCES) => {}
        Err(e) => return Err(e),
    }
    let name = std::path::PathBuf::from(
        std::os::unix::ffi::OsStrExt::from_bytes(m.path.as_slice()) as &std::ffi::OsStr
    );
    match file.open(name) {
        Ok(f) if std::os::unix::fs::MetadataExt::ino(&f.metadata()?) == m.ino => Ok(Some(f.into())),
        _ => Ok(None),
    }
}

/// What the files behind areas have to hold, for the judgement at restart.
pub fn needs(tree: &Tree, needs: &mut BTreeMap<Id, Need>) {
    for vma in tree.mms.values().flat_map(|m| &m.vmas).filter(|v| v.kind == FILE) {
        let size = tree.inodes.get(&vma.inode).map_or(0, |i| i.size);
        let need = needs.entry(vma.inode).or_default();
        // A mapping may be longer than its file; what lay behind the end then counts for nothing.
        need.bytes = need.bytes.max(vma.offset.saturating_add(vma.end.saturating_sub(vma.start)).min(size));
        need.unchanged |= vma.flags & libc::MAP_SHARED as u32 == 0;
    }
}

/// The files that areas are of, and whether they are mapped for writing.
pub fn mapped(mm: &MmState) -> impl Iterator<Item = (Id, bool)> {
    mm.vmas.iter().filter(|vma| vma.inode != 0).map(|vma| (vma.inode, is_written(vma)))
}

/// Whether what is written to an area goes to its file, or may do so after an mprotect(2).
fn is_written(vma: &Vma) -> bool {
    vma.may_write != 0 && vma.flags & libc::MAP_SHARED as u32 != 0
}

/// Finds room for the boot area between areas that are taken.
pub fn boot_address(mut taken: Vec<(u64, u64)>) -> Option<u64> {
    const LOWEST: u64 = 1 << 20;
    taken.sort_unstable();
    let mut at = LOWEST;
    for (start, end) in taken {
        // Keep a distance, so that no stack that grows downwards comes near.
        if start >= at + 3 * BOOT_LEN {
            return Some(at + BOOT_LEN);
        }
        at = at.max(end).next_multiple_of(4096);
    }
    (at + 3 * BOOT_LEN < arch::TASK_SIZE).then_some(at + BOOT_LEN)
}

/// Flags for mmap(2): memory that the kernel may drop (MAP_DROPPABLE, Linux 6.11) is a type of its own beside private.
fn map_type(flags: u32) -> u64 {
    const MAP_DROPPABLE: u32 = 0x8;
    let private = libc::MAP_PRIVATE as u32;
    u64::from(if flags & MAP_DROPPABLE != 0 { flags & !private } else { flags })
}

/// Whether an area is mapped writable while it is built: one that is, and one that was and so counts against the limit
/// on memory (VM_ACCOUNT), as read-only-after-relocation data does.
pub fn built_writable(vma: &Vma) -> bool {
    let private = vma.flags & libc::MAP_PRIVATE as u32 != 0;
    vma.prot & libc::PROT_WRITE as u32 != 0 || private && vma.advice & ACCOUNT != 0
}

/// Empties the stub but for its boot area.
pub fn clear(stub: &mut Stub) -> Result<(), StubError> {
    let boot = stub.boot();
    let after = boot + BOOT_LEN;
    stub.run(&[
        Call::new("emptying the new process", libc::SYS_munmap, &[0, boot]),
        Call::new("emptying the new process", libc::SYS_munmap, &[after, arch::TASK_SIZE - after]),
    ])?;
    Ok(())
}

/// Maps the vDSO and every area into an empty stub.
pub fn restore_layout(
    stub: &mut Stub,
    mm: &MmState,
    lent: &BTreeMap<(Id, bool), u32>,
) -> Result<(), RestoreError> {
    let mut calls = Vec::new();
    if mm.context.vdso != 0 {
        let at = if mm.context.vvar != 0 { mm.context.vvar } else { mm.context.vdso };
        calls.push(Call::new(
            format!("mapping the vDSO at {at:#x}"),
            libc::SYS_arch_prctl,
            &[arch::ARCH_MAP_VDSO_64, at],
        ));
    }
    for vma in mm.vmas.iter().filter(|v| !matches!(v.kind, VDSO | VVAR | VSYSCALL)) {
        let fd = match vma.kind {
            ANON => u64::MAX,
            _ => {
                let number = lent.get(&(vma.inode, is_written(vma))).ok_or_else(|| {
                    RestoreError::Host(format!("the file mapped at {:#x} is not in the image", vma.start))
                })?;
                u64::from(*number)
            }
        };
        let flags = map_type(vma.flags) | libc::MAP_FIXED_NOREPLACE as u64;
        let len = vma.end - vma.start;
        let what = format!("mapping {:#x}-{:#x} {}", vma.start, vma.end, vma.name.escape_ascii());
        let write = if built_writable(vma) { libc::PROT_WRITE as u64 } else { 0 };
        let prot = u64::from(vma.prot) | write;
        calls.push(Call::new(what, libc::SYS_mmap, &[vma.start, len, prot, flags, fd, vma.offset]));
        if vma.advice & HUGEPAGE != 0 {
            // Before the pages come, so that they come as huge ones.
            calls.push(advise(vma, HUGEPAGE, libc::MADV_HUGEPAGE));
        }
    }
    stub.run(&calls)?;
    verify_vdso(stub, mm)
}

/// Errors of a kernel that does not know an attribute, which then does not matter.
const UNKNOWN: &[i32] = &[libc::EINVAL, libc::ENOSYS];

fn advise(vma: &Vma, bit: u64, advice: i32) -> Call {
    let what = format!("madvise of {:#x} (advice bit {bit:#x})", vma.start);
    let args = [vma.start, vma.end - vma.start, advice as u64];
    Call::new(what, libc::SYS_madvise, &args).forgiving(UNKNOWN)
}

/// Whether this kernel's vDSO, which is the same in all processes, is the one in the image; before anything is done.
pub fn judge_vdso(mm: &MmState) -> Result<(), RestoreError> {
    let ctx = &mm.context;
    if ctx.vdso == 0 || ctx.vdso_checksum == 0 {
        return Ok(());
    }
    let maps = std::fs::read("/proc/self/maps").map_err(RestoreError::io("reading our own memory map"))?;
    let maps = procfs::parse_maps(&maps).unwrap_or_default();
    let Some(own) = maps.iter().find(|m| m.path == b"[vdso]") else { return Ok(()) };
    match vdso_checksum(std::process::id() as i32, own.start, own.end - own.start) {
        Some(sum) if sum != ctx.vdso_checksum => Err(other_vdso(ctx)),
        _ => Ok(()),
    }
}

fn other_vdso(ctx: &MmContext) -> RestoreError {
    RestoreError::Host(format!(
        "this kernel's vDSO is not the one that the process was using at {:#x}; restart it on a host with the kernel that \
         the image names",
        ctx.vdso
    ))
}

/// The vDSO must be where it was, and the same: the program has addresses of its functions.
fn verify_vdso(stub: &Stub, mm: &MmState) -> Result<(), RestoreError> {
    let ctx = &mm.context;
    if ctx.vdso == 0 || ctx.vdso_checksum == 0 {
        return Ok(());
    }
    match vdso_checksum(stub.pid, ctx.vdso, ctx.vdso_len) {
        Some(sum) if sum == ctx.vdso_checksum => Ok(()),
        _ => Err(other_vdso(ctx)),
    }
}

/// What can only be set once the pages are in: advice, locks, names, seals, the layout that the kernel reports.
pub fn restore_attributes(
    stub: &mut Stub,
    tree: &Tree,
    mm: &MmState,
    exe: Option<u32>,
) -> Result<(), RestoreError> {
    let mut calls = Batch::new();
    for vma in mm.vmas.iter().filter(|v| !matches!(v.kind, VDSO | VVAR | VSYSCALL)) {
        let len = vma.end - vma.start;
        if built_writable(vma) && vma.prot & libc::PROT_WRITE as u32 == 0 {
            let what = format!("mprotect of {:#x}", vma.start);
            calls.call(what, libc::SYS_mprotect, args![vma.start, len, vma.prot]);
        }
        let rest = ADVICE.iter().filter(|(_, bit, _)| vma.advice & bit & !HUGEPAGE != 0);
        for (_, bit, advice) in rest {
            calls.add(advise(vma, *bit, *advice));
        }
        if vma.advice & LOCKED != 0 {
            let on_fault = u8::from(vma.advice & LOCKONFAULT != 0);
            let what = format!("mlock of {:#x}", vma.start);
            calls.call(what, libc::SYS_mlock2, args![vma.start, len, on_fault]);
        }
        if let Some(name) = vma.name.strip_prefix(b"[anon:").and_then(|n| n.strip_suffix(b"]")) {
            let name = calls.string(name);
            let args = args![libc::PR_SET_VMA, libc::PR_SET_VMA_ANON_NAME, vma.start, len, name];
            calls.forgiving("naming an area", libc::SYS_prctl, args, UNKNOWN);
        }
    }
    for (at, pages) in &mm.guards {
        let args = args![*at, pages * 4096, 102 /* MADV_GUARD_INSTALL */];
        calls.call(format!("guard pages at {at:#x}"), libc::SYS_madvise, args);
    }
    stub.make(&calls)?;
    restore_mm(stub, tree, &mm.mm, exe)
}

/// [`MmMap::exe_fd`] that leaves the link to the program as it is.
const NO_FD: u32 = u32::MAX;

/// PR_SET_MM_MAP with `struct prctl_mm_map` (include/uapi/linux/prctl.h).
fn restore_mm(stub: &mut Stub, tree: &Tree, mm: &Mm, exe: Option<u32>) -> Result<(), RestoreError> {
    let set = |what: &str, exe_fd: u32| {
        let mut call = Batch::new();
        let auxv = call.put(mm.auxv.as_slice());
        let map = call.put(&MmMap {
            start_code: mm.start_code,
            end_code: mm.end_code,
            start_data: mm.start_data,
            end_data: mm.end_data,
            start_brk: mm.start_brk,
            brk: mm.brk,
            start_stack: mm.start_stack,
            arg_start: mm.arg_start,
            arg_end: mm.arg_end,
            env_start: mm.env_start,
            env_end: mm.env_end,
            auxv: 0,
            auxv_size: mm.auxv.len() as u32,
            exe_fd,
        });
        call.link(map, offset_of!(MmMap, auxv), auxv);
        let args = args![libc::PR_SET_MM, libc::PR_SET_MM_MAP, map, size_of::<MmMap>(), 0];
        call.call(what, libc::SYS_prctl, args);
        call
    };
    let path = tree.path_of(mm.exe).escape_ascii();
    let what = format!("setting the program to {path} and the layout of memory");
    if let Err(e) = stub.make(&set(&what, exe.unwrap_or(NO_FD))) {
        // Without CAP_CHECKPOINT_RESTORE the link to the program is the one thing that cannot be set, and where it leads
        // to a program that is mapped it must not be (EBUSY): a process that was taken over has the right one already.
        let crate::tracee::stub::StubError::Call { source, .. } = &e else { return Err(e.into()) };
        if !matches!(source.raw_os_error(), Some(libc::EPERM | libc::EBUSY)) {
            return Err(e.into());
        }
        let link = std::fs::read_link(format!("/proc/{}/exe", stub.pid));
        if link.is_ok_and(|link| link.as_os_str().as_encoded_bytes() != tree.path_of(mm.exe)) {
            tracing::warn!(
                "/proc/PID/exe of the restored process names another program: setting it needs CAP_CHECKPOINT_RESTORE"
            );
        }
        stub.make(&set("setting the layout of memory", NO_FD))?;
    }
    // Registrations are made one by one; GLOBAL_EXPEDITED, PRIVATE_EXPEDITED, its SYNC_CORE and RSEQ variants.
    for command in [4u64, 16, 64, 256] {
        if mm.membarrier & command as u32 != 0 {
            stub.call(
                Call::new("membarrier registration", libc::SYS_membarrier, &[command])
                    .forgiving(&[libc::EINVAL, libc::ENOSYS]),
            )?;
        }
    }
    Ok(())
}

/// Mappings to come are locked again, once none is to come any more from us.
fn restore_future_locks(stub: &mut Stub, mm: &Mm) -> Result<(), RestoreError> {
    if mm.flags & MM_MCL_FUTURE != 0 {
        let on_fault = if mm.flags & MM_MCL_ONFAULT != 0 { libc::MCL_ONFAULT } else { 0 };
        let args = [(libc::MCL_FUTURE | on_fault) as u64];
        stub.call(Call::new("locking mappings to come", libc::SYS_mlockall, &args))?;
    }
    Ok(())
}

/// Seals come last of all: a sealed area can no longer be changed.
fn restore_seals(stub: &mut Stub, mm: &MmState) -> Result<(), RestoreError> {
    let calls: Vec<Call> = mm
        .vmas
        .iter()
        .filter(|v| v.advice & SEALED != 0 && v.kind != VDSO && v.kind != VVAR)
        .map(|v| Call::new(format!("sealing {:#x}", v.start), SYS_MSEAL, &[v.start, v.end - v.start]))
        .collect();
    stub.run(&calls)?;
    Ok(())
}
