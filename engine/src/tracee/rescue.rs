//! The way back of a thread that makes calls for us: should we be killed meanwhile, and with us every hold on it, the
//! thread finishes the call, returns into rt_sigreturn(2) and finds all that it was before in a frame.
//!
//! Nothing has to be watching for this, so it holds against any SIGKILL. It takes two pieces of code that C libraries
//! contain; a process without them (a static program without signal handlers) is left as it is, see docs/limits.md.

use std::io;

use crate::arch;
use crate::sys::ptrace::{self, Regs};
use crate::sys::vm;
use crate::tracee::code;

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
    /// Looks for it in these executable areas.
    pub fn find(pid: i32, areas: &[(u64, u64)]) -> Option<Self> {
        let place = |code: &[u8]| code::find(pid, areas.iter().copied(), code);
        Some(Self { syscall: place(&arch::SYSCALL_RET)?, sigreturn: place(&arch::SIGRETURN)? })
    }
}

/// A thread as it was found.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The thread.
    pub tid: i32,
    /// Its registers.
    pub regs: &'a Regs,
    /// Its mask of blocked signals.
    pub sigmask: u64,
}

/// Frames for the threads of one process.
#[derive(Debug)]
pub struct WayBack {
    /// What they return over.
    pub code: Code,
    pid: i32,
    /// The leader's frame, and what stood there.
    stack: Option<(u64, Vec<u8>)>,
    /// Where the frames of the others lie, if there is an area for them.
    pub frames: Option<u64>,
}

impl WayBack {
    /// With room for the leader's frame on the process's stack: below its stack pointer, or at the far end when the
    /// leader is on another one (a signal handler's, a goroutine's).
    pub fn on_stack(pid: i32, code: Code, leader: &Regs, stack: Option<(u64, u64)>) -> Self {
        let stack = stack.and_then(|(start, end)| {
            let sp = arch::stack_pointer(leader);
            let below = sp.wrapping_sub(BELOW + arch::FRAME_MAX) & !(arch::FRAME_ALIGN - 1);
            let at = if start <= below && sp < end { below } else { start };
            let mut saved = vec![0; arch::FRAME_MAX as usize];
            vm::read_exact_at(pid, at, &mut saved).ok()?;
            Some((at, saved))
        });
        Self { code, pid, stack, frames: None }
    }

    /// Whether the leader's frame lies on its stack.
    pub fn has_stack(&self) -> bool {
        self.stack.is_some()
    }

    /// Writes the frame of thread `index` and returns the stack pointer that leads to it; nothing if there is no
    /// place for one.
    pub fn frame_of(&self, index: usize, found: Found) -> io::Result<Option<u64>> {
        let on_stack = self.stack.as_ref().filter(|_| index == 0).map(|(at, _)| *at);
        let in_area = || self.frames.map(|start| start + index as u64 * arch::FRAME_MAX);
        let Some(at) = on_stack.or_else(in_area) else { return Ok(None) };
        let xstate = ptrace::get_xstate(found.tid)?;
        // Sigreturn makes the kernel forget how a call would go on, so it has to be made again.
        let mut regs = *found.regs;
        arch::find_original_call(self.pid, &mut regs);
        let frame = arch::sigframe(at, self.code.sigreturn, &regs, found.sigmask, &xstate);
        let Some(frame) = frame else { return Ok(None) };
        vm::write(self.pid, &[(at, frame.len() as u64)], &frame)?;
        Ok(Some(at))
    }

    /// Puts back what stood on the leader's stack, once that does not need its frame any more.
    pub fn clear_stack(self) -> io::Result<()> {
        match self.stack {
            Some((at, saved)) => vm::write(self.pid, &[(at, saved.len() as u64)], &saved).map(drop),
            None => Ok(()),
        }
    }
}
