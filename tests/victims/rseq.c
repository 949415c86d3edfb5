/*
 * A thread that is inside a restartable sequence nearly all of the time. Whoever stops it there must send it to its
 * abort handler, as the kernel does at every preemption; going on in the middle would be wrong, and a section that the
 * kernel no longer knows would never be aborted again.
 */
#include "victim.h"

/* include/uapi/linux/rseq.h; glibc registers the area and says where it is, relative to the thread pointer. */
struct rseq_area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t rseq_cs;
	uint32_t flags;
};
extern const long __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

volatile uint32_t rseq_go;
volatile uint64_t rseq_aborts;

/*
 * rseq_spin(area): announces the section, spins in it until rseq_go, leaves it. The abort handler must be preceded by
 * the signature that was registered; it counts and begins again.
 */
__asm__(".text\n"
	"rseq_spin:\n"
	"  jmp 3f\n"
	"  .byte 0x0f, 0xb9, 0x3d\n" /* ud1 with the signature as its operand, as glibc wants it */
	"  .long 0x53053053\n"
	"4:\n"
	"  incq rseq_aborts(%rip)\n"
	"3:\n"
	"  lea 5f(%rip), %rax\n"
	"  mov %rax, 8(%rdi)\n"
	"1:\n"
	"  cmpl $0, rseq_go(%rip)\n"
	"  je 1b\n"
	"  nop\n"
	"2:\n"
	"  movq $0, 8(%rdi)\n"
	"  ret\n"
	".section .data.rel.ro, \"aw\"\n"
	"  .balign 32\n"
	"5: .long 0, 0\n"
	"  .quad 1b, 2b - 1b, 4b\n"
	".text\n");
void rseq_spin(struct rseq_area *area);

static volatile pid_t rseq_tid;

static void *spin_in_section(void *unused)
{
	struct rseq_area *area = (void *)((char *)__builtin_thread_pointer() + __rseq_offset);
	(void)unused;
	rseq_tid = tid_of_self();
	rseq_spin(area);
	CHECK_EQ(area->rseq_cs, 0, "the section that the thread has left");
	CHECK(area->cpu_id < 0x10000, "the kernel no longer writes the processor's number: %u", area->cpu_id);
	return NULL;
}

KIND(rseq, "a thread that spins inside a restartable sequence")
{
	pthread_t thread;
	if (!&__rseq_size || !__rseq_size)
		skip("this C library does not register rseq");
	MUST0(pthread_create(&thread, NULL, spin_in_section, NULL));
	while (!rseq_tid || !rseq_aborts)
		sched_yield();
	ready_and_wait();
	/* The section is still known: whoever is preempted in it is aborted. */
	uint64_t seen = rseq_aborts;
	while (rseq_aborts == seen)
		sched_yield();
	rseq_go = 1;
	MUST0(pthread_join(thread, NULL));
}
