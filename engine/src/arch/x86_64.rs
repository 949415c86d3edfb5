//! x86-64: registers to and from the image, system calls made by setting registers, restart of interrupted ones.

use stasis_format::record::CpuX86_64;

use crate::sys::ptrace::Regs;
use crate::sys::vm;

/// ELF machine number of this architecture.
pub const ELF_MACHINE: u32 = 62;

/// End of user space with four-level page tables, minus the guard page (`TASK_SIZE` of the kernel).
pub const TASK_SIZE: u64 = 0x7fff_ffff_f000;

/// The instruction that enters the kernel.
pub const SYSCALL_INSN: [u8; 2] = [0x0f, 0x05];

/// arch_prctl(2): map the vDSO at an address; needs that none is mapped.
pub const ARCH_MAP_VDSO_64: u64 = 0x2003;

/// Errors inside the kernel that ask for the call to be made again (include/linux/errno.h).
const ERESTARTSYS: i64 = 512;
const ERESTARTNOINTR: i64 = 513;
const ERESTARTNOHAND: i64 = 514;
const ERESTART_RESTARTBLOCK: i64 = 516;

/// A loop over an array of calls: r12 points at `{nr, a1..a6, limit}`, r13 counts them. The result of a call takes the
/// place of its limit; one that is above it (unsigned) ends the loop, as the last call does, with `int3`.
/// [`BATCH_SYSCALL`] is the offset of its `syscall` instruction.
///
/// ```text
/// 0:  mov rax,[r12]         4: mov rdi,[r12+8]     9: mov rsi,[r12+16]   e: mov rdx,[r12+24]
/// 13: mov r10,[r12+32]     18: mov r8,[r12+40]    1d: mov r9,[r12+48]   22: syscall
/// 24: cmp rax,[r12+56]     29: mov [r12+56],rax   2e: ja 39             30: add r12,64
/// 34: dec r13              37: jnz 0              39: int3
/// ```
pub const BATCH_CODE: [u8; 58] = [
    0x49, 0x8b, 0x04, 0x24, 0x49, 0x8b, 0x7c, 0x24, 0x08, 0x49, 0x8b, 0x74, 0x24, 0x10, 0x49, 0x8b, 0x54,
    0x24, 0x18, 0x4d, 0x8b, 0x54, 0x24, 0x20, 0x4d, 0x8b, 0x44, 0x24, 0x28, 0x4d, 0x8b, 0x4c, 0x24, 0x30,
    0x0f, 0x05, 0x49, 0x3b, 0x44, 0x24, 0x38, 0x49, 0x89, 0x44, 0x24, 0x38, 0x77, 0x09, 0x49, 0x83, 0xc4,
    0x40, 0x49, 0xff, 0xcd, 0x75, 0xc7, 0xcc,
];

/// The same for a process that is to run on whatever becomes of us: it ends by a return to where the stack pointer leads.
pub const BATCH_CODE_RETURNING: [u8; BATCH_CODE.len()] = {
    let mut code = BATCH_CODE;
    code[BATCH_CODE.len() - 1] = 0xc3;
    code
};

/// Offset of the `syscall` instruction in [`BATCH_CODE`].
pub const BATCH_SYSCALL: u64 = 0x22;

/// Registers that make the call `nr(args)` from the `syscall` instruction at `insn`.
pub fn call_regs(base: &Regs, insn: u64, nr: i64, args: [u64; 6]) -> Regs {
    Regs {
        rip: insn,
        rax: nr as u64,
        rdi: args[0],
        rsi: args[1],
        rdx: args[2],
        r10: args[3],
        r8: args[4],
        r9: args[5],
        // Not in a system call, so that the kernel does not restart one over ours.
        orig_rax: u64::MAX,
        ..*base
    }
}

/// Registers that run `count` calls of [`BATCH_CODE`] at `code` from the array at `calls`.
pub fn batch_regs(base: &Regs, code: u64, calls: u64, count: u64) -> Regs {
    Regs { rip: code, r12: calls, r13: count, orig_rax: u64::MAX, ..*base }
}

/// The call of a list that a thread in [`BATCH_CODE`] has come to, by its address.
pub fn batch_position(regs: &Regs) -> u64 {
    regs.r12
}

/// Whether a thread has come to the end of [`BATCH_CODE`] at `code`.
pub fn is_batch_over(regs: &Regs, code: u64) -> bool {
    regs.rip == code + BATCH_CODE.len() as u64
}

/// The stack pointer.
pub fn stack_pointer(regs: &Regs) -> u64 {
    regs.rsp
}

/// The same registers on another stack.
pub fn with_stack(regs: &Regs, sp: u64) -> Regs {
    Regs { rsp: sp, ..*regs }
}

/// The address of the next instruction.
pub fn program_counter(regs: &Regs) -> u64 {
    regs.rip
}

/// Ends the system call that a thread is in, with this result.
pub fn finish_call(regs: &mut Regs, value: i64) {
    (regs.rax, regs.orig_rax) = (value.cast_unsigned(), u64::MAX);
}

/// The result of a call.
pub fn result(regs: &Regs) -> i64 {
    regs.rax as i64
}

/// Calls that give up with EINTR when the thread is stopped, though no handler ran (signal(7), "Interruption of
/// system calls ... by stop signals"). A stop of ours must not show, so they are made again.
const EINTR_ON_STOP: &[i64] = &[
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_io_getevents,
    333, // io_pgetevents
    // Where the rest of the time cannot be written over what was asked for (poll_select_finish of fs/select.c).
    libc::SYS_select,
    libc::SYS_pselect6,
    libc::SYS_ppoll,
];

/// Turns an EINTR that our stop caused into "again, unless a handler runs".
///
/// The stop lies in front of signal delivery, so a pending signal with a handler still yields EINTR.
///
/// True if there was one.
pub fn hide_interruption(regs: &mut Regs) -> bool {
    if regs.rax as i64 == -i64::from(libc::EINTR) && EINTR_ON_STOP.contains(&(regs.orig_rax as i64)) {
        regs.rax = (-ERESTARTNOHAND) as u64;
        return true;
    }
    false
}

/// What an interrupted call becomes in another process: the kernel's restart block stays behind, so a call that
/// would be continued from it is made again with its original arguments.
pub fn without_restart_block(regs: &mut Regs) {
    if regs.orig_rax as i64 >= 0 && regs.rax as i64 == -ERESTART_RESTARTBLOCK {
        regs.rax = (-ERESTARTNOHAND) as u64;
    }
}

/// What the kernel would make of an interrupted call when the thread runs on: the call again, from its first
/// instruction. One that would be continued from the kernel's restart block starts anew with its original arguments.
pub fn interrupted_again(regs: &Regs) -> Regs {
    let mut regs = *regs;
    let again = [ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK];
    if regs.orig_rax as i64 >= 0 && again.contains(&(regs.rax as i64).wrapping_neg()) {
        regs.rax = regs.orig_rax;
        regs.rip = regs.rip.wrapping_sub(SYSCALL_INSN.len() as u64);
    }
    regs
}

/// The same for a call that does so under some conditions only, which hold.
pub fn again_if_interrupted(regs: &mut Regs) {
    if regs.orig_rax as i64 >= 0 && regs.rax as i64 == -i64::from(libc::EINTR) {
        regs.rax = (-ERESTARTNOHAND) as u64;
    }
}

/// Whether an interrupted call is one to be made again: to be gone on with from the kernel's restart block, or anew.
pub fn is_to_be_made_again(regs: &Regs, by_restart_block: bool) -> bool {
    let want = if by_restart_block { ERESTART_RESTARTBLOCK } else { ERESTARTNOHAND };
    regs.orig_rax as i64 >= 0 && regs.rax as i64 == -want
}

/// The result of a call that says that it is to be gone on with from the kernel's restart block.
pub fn is_restart_block(result: i64) -> bool {
    result == -ERESTART_RESTARTBLOCK
}

/// Has an interrupted thread go on from the kernel's restart block, and carry a note ([`take_note`]).
pub fn go_on_by_restart(regs: &mut Regs, note: u32) {
    regs.rax = u64::from(note) << 32 | libc::SYS_restart_syscall as u64;
    regs.rip = regs.rip.wrapping_sub(SYSCALL_INSN.len() as u64);
    // In no call, so that the kernel leaves the registers as they are.
    regs.orig_rax = u64::MAX;
}

/// Gives a call that is to be made again a note to carry along.
pub fn add_note(regs: &mut Regs, note: u32) {
    regs.orig_rax = u64::from(note) << 32 | regs.orig_rax & u64::from(u32::MAX);
}

/// Takes the note off the number of the call that a thread is in; 0 is none.
///
/// The kernel takes the number of a call from the lower half of the register (`do_syscall_64` of
/// arch/x86/entry/syscall_64.c) and keeps all of it; at the end of the call the result takes its place.
pub fn take_note(regs: &mut Regs) -> u32 {
    if (regs.orig_rax as i32) < 0 {
        return 0;
    }
    let note = (regs.orig_rax >> 32) as u32;
    regs.orig_rax &= u64::from(u32::MAX);
    note
}

/// Sets the number of a call that goes on by restart_syscall(2), where it is known.
pub fn name_restarted_call(regs: &mut Regs, nr: Option<i64>) {
    let is_restarted =
        regs.orig_rax as i64 == libc::SYS_restart_syscall && regs.rax as i64 == -ERESTART_RESTARTBLOCK;
    if let Some(nr) = nr.filter(|_| is_restarted) {
        regs.orig_rax = nr as u64;
    }
}

/// Changes an argument of the call that a thread is in or at.
pub fn set_argument(regs: &mut Regs, index: usize, value: u64) {
    match index {
        0 => regs.rdi = value,
        1 => regs.rsi = value,
        2 => regs.rdx = value,
        3 => regs.r10 = value,
        4 => regs.r8 = value,
        _ => regs.r9 = value,
    }
}

/// Ends the system call that a thread is in, with this result.
pub fn end_call(regs: &mut Regs, value: i64) {
    (regs.rax, regs.orig_rax) = (value.cast_unsigned(), u64::MAX);
}

/// Ends the system call that a captured thread is in, with this result; false if it is in none.
pub fn return_from_call(cpu: &mut CpuX86_64, value: i64) -> bool {
    let is_inside = cpu.orig_rax.cast_signed() >= 0;
    if is_inside {
        (cpu.rax, cpu.orig_rax) = (value.cast_unsigned(), u64::MAX);
    }
    is_inside
}

/// Finds out which call a thread of process `pid` is in that goes on by restart_syscall(2) because it was stopped once
/// before: the kernel has forgotten its number, but nearly always the code has it as `mov $nr, %eax; syscall`.
pub fn find_original_call(pid: i32, regs: &mut Regs) {
    const RESTARTABLE: &[i64] =
        &[libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_poll, libc::SYS_futex];
    if regs.orig_rax as i64 != libc::SYS_restart_syscall || regs.rax as i64 != -ERESTART_RESTARTBLOCK {
        return;
    }
    let mut code = [0u8; 7];
    let before = regs.rip.wrapping_sub(code.len() as u64);
    if vm::read_exact_at(pid, before, &mut code).is_err() {
        return;
    }
    if let [0xb8, a, b, c, d, 0x0f, 0x05] = code {
        let nr = i64::from(i32::from_le_bytes([a, b, c, d]));
        if RESTARTABLE.contains(&nr) {
            regs.orig_rax = nr as u64;
        }
    }
}

/// The interrupted call of a thread as it was made: number and arguments.
pub fn interrupted_call(regs: &Regs) -> (i64, [u64; 6]) {
    (regs.orig_rax as i64, [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9])
}

/// Moves a thread that was taken inside a restartable sequence to its abort handler, as preemption would have done.
pub fn abort_rseq(regs: &mut Regs, start_ip: u64, post_commit_offset: u64, abort_ip: u64) {
    if regs.rip.wrapping_sub(start_ip) < post_commit_offset {
        regs.rip = abort_ip;
    }
}

macro_rules! copy_regs {
    ($($reg:ident),*) => {
        /// The image's record of these registers.
        pub fn to_record(regs: &Regs, xstate: Vec<u8>) -> CpuX86_64 {
            CpuX86_64 { $($reg: regs.$reg,)* xfeatures: xfeatures(&xstate), xstate }
        }

        /// The registers that the image's record gives.
        pub fn from_record(cpu: &CpuX86_64) -> Regs {
            Regs { $($reg: cpu.$reg),* }
        }
    };
}
copy_regs!(
    r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp,
    ss, fs_base, gs_base, ds, es, fs, gs
);

/// XCR0 as the kernel leaves it in the software-reserved bytes of the legacy area (offset 464).
pub fn xfeatures(xstate: &[u8]) -> u64 {
    xstate.get(464..472).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}
