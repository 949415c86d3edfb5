/*
 * Every general register, the flags, x87 and SSE control words and the gs base hold known values in one thread that
 * spins in user space and in one that sleeps in a system call.
 */
#include "victim.h"
#include <asm/prctl.h>

uint64_t gpr_in[15], gpr_out[15], gpr_flags, gpr_sp_in, gpr_sp_out;
volatile uint32_t gpr_go;

/* Loads rax..r15 (without rsp) from gpr_in, spins until gpr_go, stores them to gpr_out. No register is free. */
__asm__(".text\n"
	"gpr_spin:\n"
	"  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"  mov %rsp, gpr_sp_in(%rip)\n"
	"  mov gpr_in+0(%rip), %rax; mov gpr_in+8(%rip), %rbx; mov gpr_in+16(%rip), %rcx\n"
	"  mov gpr_in+24(%rip), %rdx; mov gpr_in+32(%rip), %rsi; mov gpr_in+40(%rip), %rdi\n"
	"  mov gpr_in+48(%rip), %rbp; mov gpr_in+56(%rip), %r8; mov gpr_in+64(%rip), %r9\n"
	"  mov gpr_in+72(%rip), %r10; mov gpr_in+80(%rip), %r11; mov gpr_in+88(%rip), %r12\n"
	"  mov gpr_in+96(%rip), %r13; mov gpr_in+104(%rip), %r14; mov gpr_in+112(%rip), %r15\n"
	"  std\n"
	"1: cmpl $0, gpr_go(%rip)\n"
	"  je 1b\n"
	"  mov %rsp, gpr_sp_out(%rip)\n"
	"  mov %rax, gpr_out+0(%rip); mov %rbx, gpr_out+8(%rip); mov %rcx, gpr_out+16(%rip)\n"
	"  mov %rdx, gpr_out+24(%rip); mov %rsi, gpr_out+32(%rip); mov %rdi, gpr_out+40(%rip)\n"
	"  mov %rbp, gpr_out+48(%rip); mov %r8, gpr_out+56(%rip); mov %r9, gpr_out+64(%rip)\n"
	"  mov %r10, gpr_out+72(%rip); mov %r11, gpr_out+80(%rip); mov %r12, gpr_out+88(%rip)\n"
	"  mov %r13, gpr_out+96(%rip); mov %r14, gpr_out+104(%rip); mov %r15, gpr_out+112(%rip)\n"
	"  pushf; pop gpr_flags(%rip)\n"
	"  cld\n"
	"  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"  ret\n");
void gpr_spin(void);

static volatile pid_t spinner;

static void *spin(void *unused)
{
	(void)unused;
	MUST(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x123456789000UL));
	uint16_t control = 0x0f7f, control_after = 0;
	uint32_t mxcsr = 0x9fc0, mxcsr_after = 0;
	unsigned long gs = 0, fs_before = 0, fs = 0;
	MUST(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_before));
	__asm__ volatile("fldcw %0; ldmxcsr %1" ::"m"(control), "m"(mxcsr));
	spinner = tid_of_self();
	gpr_spin();
	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(control_after), "=m"(mxcsr_after));
	MUST(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	MUST(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	CHECK_EQ(control_after, control, "the x87 control word");
	/* The low six bits are sticky exception flags. */
	CHECK_EQ(mxcsr_after & ~0x3f, mxcsr, "mxcsr");
	CHECK_EQ(gs, 0x123456789000UL, "the gs base");
	CHECK_EQ(fs, fs_before, "the fs base");
	return NULL;
}

KIND(registers, "general registers, flags, x87 and SSE control words, fs and gs base")
{
	static const char *const names[15] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
					       "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
	pthread_t thread;
	for (int i = 0; i < 15; i++)
		gpr_in[i] = 0xa5a5000000000000ULL + 0x0101010101ULL * (i + 1);
	MUST0(pthread_create(&thread, NULL, spin, NULL));
	while (!spinner)
		sched_yield();
	ready_and_wait();
	gpr_go = 1;
	MUST0(pthread_join(thread, NULL));
	for (int i = 0; i < 15; i++)
		CHECK_EQ(gpr_out[i], gpr_in[i], names[i]);
	CHECK_EQ(gpr_sp_out, gpr_sp_in, "rsp");
	CHECK(gpr_flags & 0x400, "the direction flag was lost: flags are 0x%lx", gpr_flags);
}
