//! What the processor holds for a thread, one record per architecture.

records! {
    /// Registers of an x86-64 thread: `struct user_regs_struct` in its order, then the extended state.
    CpuX86_64 = 103 "CPU_X86_64", tail xstate: Bytes "XSAVE area in the standard format as PTRACE_GETREGSET NT_X86_XSTATE gives it.",
        of Thread, due
    {
        /// Register.
        r15: u64 => Hex,
        /// Register.
        r14: u64 => Hex,
        /// Register.
        r13: u64 => Hex,
        /// Register.
        r12: u64 => Hex,
        /// Register.
        rbp: u64 => Addr,
        /// Register.
        rbx: u64 => Hex,
        /// Register; scratch of the syscall instruction.
        r11: u64 => Hex,
        /// Register; fourth system call argument.
        r10: u64 => Hex,
        /// Register; sixth system call argument.
        r9: u64 => Hex,
        /// Register; fifth system call argument.
        r8: u64 => Hex,
        /// Register; result or number of a system call.
        rax: u64 => Hex,
        /// Register; scratch of the syscall instruction.
        rcx: u64 => Hex,
        /// Register; third system call argument.
        rdx: u64 => Hex,
        /// Register; second system call argument.
        rsi: u64 => Hex,
        /// Register; first system call argument.
        rdi: u64 => Hex,
        /// Number of the system call the thread was in when it was stopped, all ones when in none.
        orig_rax: u64 => Hex,
        /// Instruction pointer.
        rip: u64 => Addr,
        /// Segment selector.
        cs: u64 => Hex,
        /// Flags.
        eflags: u64 => Hex,
        /// Stack pointer.
        rsp: u64 => Addr,
        /// Segment selector.
        ss: u64 => Hex,
        /// Base of the FS segment: the thread pointer.
        fs_base: u64 => Addr,
        /// Base of the GS segment.
        gs_base: u64 => Addr,
        /// Segment selector.
        ds: u64 => Hex,
        /// Segment selector.
        es: u64 => Hex,
        /// Segment selector.
        fs: u64 => Hex,
        /// Segment selector.
        gs: u64 => Hex,
        /// XCR0 of the host: the state components of the area.
        xfeatures: u64 => Flags(XFEATURES),
    } words(cpu) { format!("rip {:#x}, rsp {:#x}, {} bytes of xstate", cpu.rip, cpu.rsp, cpu.xstate.len()) }
}

/// State components of XCR0 (Intel SDM volume 1, chapter 13).
pub const XFEATURES: &[(u64, &str)] = &[
    (1 << 0, "x87"),
    (1 << 1, "SSE"),
    (1 << 2, "AVX"),
    (1 << 3, "BNDREGS"),
    (1 << 4, "BNDCSR"),
    (1 << 5, "opmask"),
    (1 << 6, "ZMM_Hi256"),
    (1 << 7, "Hi16_ZMM"),
    (1 << 9, "PKRU"),
    (1 << 17, "XTILECFG"),
    (1 << 18, "XTILEDATA"),
];
