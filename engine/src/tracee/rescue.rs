//! The way back of a thread that makes calls for us: should we be killed meanwhile, and with us every hold on it, the
//! thread finishes the call, returns into rt_sigreturn(2) and finds all that it was before in a frame.
//!
//! Nothing has to be watching for this, so it holds against any SIGKILL. It takes two pieces of code that C libraries
//! contain; a process without them (a static program without signal handlers) is left as it is, see docs/limits.md.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::arch;
use crate::procfs::SmapEntry;
use crate::sys::{ptrace, vm};
use crate::tracee::target::{TargetError, Thread};

/// Addresses of the code that leads back.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// [`arch::SYSCALL_RET`].
    pub syscall: u64,
    /// [`arch::SIGRETURN`].
    pub sigreturn: u64,
}

/// Distance of the leader's frame from its stack pointer: the red zone, and room for results of calls.
const BELOW: u64 = 1024;

impl Code {
    /// Looks for it in the files that executable areas come from, C libraries first, and makes sure that memory has
    /// the same there.
    pub fn find(pid: i32, areas: &[SmapEntry]) -> Option<Self> {
        let mut areas: Vec<&SmapEntry> = areas
            .iter()
            .filter(|e| e.map.exec && e.map.read && e.map.path.first() == Some(&b'/') && !e.map.deleted)
            .collect();
        let is_libc = |e: &SmapEntry| [&b"libc"[..], b"musl"].iter().any(|n| has(&e.map.path, n));
        areas.sort_by_key(|e| !is_libc(e));
        let (mut syscall, mut sigreturn) = (None, None);
        for e in areas {
            let (map, len) = (&e.map, e.map.end - e.map.start);
            let Ok(file) = File::open(format!("/proc/{pid}/root{}", String::from_utf8_lossy(&map.path)))
            else {
                continue;
            };
            let mut find = |at: u64, bytes: &[u8]| {
                syscall = syscall.or_else(|| place(pid, at, bytes, &arch::SYSCALL_RET));
                sigreturn = sigreturn.or_else(|| place(pid, at, bytes, &arch::SIGRETURN));
                syscall.zip(sigreturn)
            };
            const PIECE: u64 = 64 << 10;
            let mut bytes = vec![0; PIECE as usize];
            let mut at = 0;
            while at < len {
                let want = PIECE.min(len - at) as usize;
                let Ok(n) = file.read_at(&mut bytes[..want], map.offset + at) else { break };
                if let Some((syscall, sigreturn)) = find(map.start + at, &bytes[..n]) {
                    return Some(Self { syscall, sigreturn });
                }
                if n < want {
                    break;
                }
                // The next piece begins a little earlier, lest one lies across.
                at += want as u64 - if at + (want as u64) < len { arch::SIGRETURN.len() as u64 } else { 0 };
            }
        }
        None
    }
}

fn has(path: &[u8], name: &[u8]) -> bool {
    path.windows(name.len()).any(|w| w == name)
}

/// Where `code` stands in `bytes`, which the file has for address `at`, and in memory too.
fn place(pid: i32, at: u64, bytes: &[u8], code: &[u8]) -> Option<u64> {
    let at = at + memchr::memmem::find(bytes, code)? as u64;
    let mut there = vec![0; code.len()];
    vm::read_exact_at(pid, at, &mut there).ok()?;
    (there == code).then_some(at)
}

/// Frames for the threads of one process.
#[derive(Debug)]
pub struct WayBack {
    /// What they return over.
    pub code: Code,
    pid: i32,
    /// The leader's frame, and what stood there.
    stack: Option<(u64, Vec<u8>)>,
    /// An area mapped for the frames of the others and for results, and its length.
    pub area: Option<(u64, u64)>,
}

impl WayBack {
    /// With room for the leader's frame on the process's stack: below its stack pointer, or at the far end when the
    /// leader is on another one (a signal handler's, a goroutine's).
    pub fn on_stack(pid: i32, code: Code, leader: &Thread, stack: Option<(u64, u64)>) -> Self {
        let stack = stack.and_then(|(start, end)| {
            let rsp = leader.regs.rsp;
            let below = rsp.wrapping_sub(BELOW + arch::FRAME_MAX) & !(arch::FRAME_ALIGN - 1);
            let at = if start <= below && rsp < end { below } else { start };
            let mut saved = vec![0; arch::FRAME_MAX as usize];
            vm::read_exact_at(pid, at, &mut saved).ok()?;
            Some((at, saved))
        });
        Self { code, pid, stack, area: None }
    }

    /// Whether the leader's frame lies on its stack.
    pub fn has_stack(&self) -> bool {
        self.stack.is_some()
    }

    /// Arguments of the mmap(2) that makes the area for so many threads. It is shared, so that it never becomes one
    /// with a neighbour.
    pub fn area_args(threads: usize) -> [u64; 6] {
        let prot = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        let flags = (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as u64;
        [0, (threads as u64 + 1) * arch::FRAME_MAX, prot, flags, u64::MAX, 0]
    }

    /// The first page of the area.
    pub fn result_area(&self) -> Option<u64> {
        self.area.map(|(start, _)| start)
    }

    /// Writes the frame of thread `index` and returns the stack pointer that leads to it; nothing if there is no
    /// place for one.
    pub fn frame_of(&self, index: usize, thread: &Thread) -> Result<Option<u64>, TargetError> {
        let on_stack = self.stack.as_ref().filter(|_| index == 0).map(|(at, _)| *at);
        let in_area = || self.area.map(|(start, _)| start + (index as u64 + 1) * arch::FRAME_MAX);
        let Some(at) = on_stack.or_else(in_area) else { return Ok(None) };
        let failed = |source| TargetError::Call { tid: thread.tid, source };
        let xstate = ptrace::get_xstate(thread.tid).map_err(failed)?;
        // Sigreturn makes the kernel forget how a call would go on, so it has to be made again.
        let mut regs = thread.regs;
        arch::find_original_call(self.pid, &mut regs);
        let frame = arch::sigframe(at, self.code.sigreturn, &regs, thread.sigmask, &xstate);
        let Some(frame) = frame else { return Ok(None) };
        vm::write(self.pid, &[(at, frame.len() as u64)], &frame).map_err(failed)?;
        Ok(Some(at))
    }

    /// Puts back what stood on the leader's stack, once that does not need its frame any more.
    pub fn clear_stack(self) -> std::io::Result<()> {
        match self.stack {
            Some((at, saved)) => vm::write(self.pid, &[(at, saved.len() as u64)], &saved).map(drop),
            None => Ok(()),
        }
    }
}
