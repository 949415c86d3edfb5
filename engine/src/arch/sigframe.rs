//! The frame that rt_sigreturn(2) takes a thread's whole state from: `struct rt_sigframe` of the kernel
//! (arch/x86/include/asm/sigframe.h, include/uapi/asm/sigcontext.h), written without a signal.

use super::{interrupted_again, xfeatures};
use crate::sys::ptrace::Regs;

/// `syscall; ret`: a call that then returns to where its stack pointer points.
pub const SYSCALL_RET: [u8; 3] = [0x0f, 0x05, 0xc3];

/// `mov $15, %rax; syscall`: rt_sigreturn(2), as C libraries have it for the ends of signal handlers.
pub const SIGRETURN: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05];

/// Most bytes of a frame.
pub const FRAME_MAX: u64 = 4096;
/// What the address of a frame has to be a multiple of, for XRSTOR.
pub const FRAME_ALIGN: u64 = 64;

/// Where the extended state lies in a frame: behind the return address (8) and `struct ucontext` (304), aligned.
const XSTATE_AT: u64 = 320;
/// `FP_XSTATE_MAGIC1` and its counterpart behind the extended state.
const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;
/// Software-reserved bytes of the legacy area.
const SW_RESERVED: std::ops::Range<usize> = 464..512;
/// `XSTATE_BV` in the header behind the legacy area.
const XSTATE_BV: std::ops::Range<usize> = 512..520;
/// AMX: its state is 8 KiB, only there for threads that asked for it, and behind everything else in the area.
const XFEATURE_AMX: u64 = 3 << 17;
/// Length of the area without it.
const LEN_WITHOUT_AMX: usize = 2696;

/// `UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS`.
const UC_FLAGS: u64 = 7;
/// A mode of sigaltstack(2) that is none, so that the kernel leaves the alternate stack alone.
const SS_LEAVE: u64 = 0x7fff_0000;

/// The frame, to lie at `at`: a thread whose stack pointer is `at` and which executes `ret` goes to `restorer`, the
/// address of [`SIGRETURN`], and from there on with these registers, mask and extended state. An interrupted call is
/// made again. Nothing if the state has no place in a frame (AMX tiles in use).
pub fn sigframe(at: u64, restorer: u64, regs: &Regs, sigmask: u64, xstate: &[u8]) -> Option<Vec<u8>> {
    let mut features = xfeatures(xstate);
    let mut len = xstate.len();
    if features & XFEATURE_AMX != 0 {
        let used = u64::from_le_bytes(xstate.get(XSTATE_BV)?.try_into().ok()?);
        if used & XFEATURE_AMX != 0 || len < LEN_WITHOUT_AMX {
            return None;
        }
        (features, len) = (features & !XFEATURE_AMX, LEN_WITHOUT_AMX);
    }
    let r = interrupted_again(regs);
    let selectors = r.cs & 0xffff | (r.ss & 0xffff) << 48;
    let words = [
        restorer,
        // struct ucontext: flags, link, stack.
        UC_FLAGS,
        0,
        0,
        SS_LEAVE,
        0,
        // struct sigcontext.
        r.r8,
        r.r9,
        r.r10,
        r.r11,
        r.r12,
        r.r13,
        r.r14,
        r.r15,
        r.rdi,
        r.rsi,
        r.rbp,
        r.rbx,
        r.rdx,
        r.rax,
        r.rcx,
        r.rsp,
        r.rip,
        r.eflags,
        selectors,
        0,
        0,
        0,
        0,
        at + XSTATE_AT,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        // The mask, and padding up to the extended state.
        sigmask,
        0,
    ];
    let mut frame: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    debug_assert_eq!(frame.len() as u64, XSTATE_AT);
    frame.extend_from_slice(xstate.get(..len)?);
    let reserved = XSTATE_AT as usize + SW_RESERVED.start..XSTATE_AT as usize + SW_RESERVED.end;
    let reserved = frame.get_mut(reserved)?;
    reserved.fill(0);
    reserved[..4].copy_from_slice(&MAGIC1.to_le_bytes());
    reserved[4..8].copy_from_slice(&(len as u32 + 4).to_le_bytes());
    reserved[8..16].copy_from_slice(&features.to_le_bytes());
    reserved[16..20].copy_from_slice(&(len as u32).to_le_bytes());
    frame.extend_from_slice(&MAGIC2.to_le_bytes());
    (frame.len() as u64 <= FRAME_MAX).then_some(frame)
}
