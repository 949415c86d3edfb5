/*
 * Vector registers across the checkpoint: ymm0-15 for AVX2, zmm0-31 and k1-k7 for AVX-512. Each width is held by a
 * thread that spins and by one that sleeps in read(2), which the checkpoint interrupts and the restart carries on.
 */
#include "victim.h"

struct held {
	uint8_t in[32][64], out[32][64];
	uint64_t mask_in[8], mask_out[8];
} __attribute__((aligned(64)));

struct held held_spin, held_sleep;
volatile uint32_t held_go;
int held_fd;
uint8_t held_byte;

#define EACH16(X, A) X(0, A) X(1, A) X(2, A) X(3, A) X(4, A) X(5, A) X(6, A) X(7, A) \
	X(8, A) X(9, A) X(10, A) X(11, A) X(12, A) X(13, A) X(14, A) X(15, A)
#define EACH32(X, A) EACH16(X, A) X(16, A) X(17, A) X(18, A) X(19, A) X(20, A) X(21, A) X(22, A) X(23, A) \
	X(24, A) X(25, A) X(26, A) X(27, A) X(28, A) X(29, A) X(30, A) X(31, A)
#define MASKS(X, A) X(1, A) X(2, A) X(3, A) X(4, A) X(5, A) X(6, A) X(7, A)
#define LOAD_YMM(N, A) "vmovdqu " A "+64*" #N "(%rip), %ymm" #N "\n"
#define SAVE_YMM(N, A) "vmovdqu %ymm" #N ", " A "+2048+64*" #N "(%rip)\n"
#define LOAD_ZMM(N, A) "vmovdqu64 " A "+64*" #N "(%rip), %zmm" #N "\n"
#define SAVE_ZMM(N, A) "vmovdqu64 %zmm" #N ", " A "+2048+64*" #N "(%rip)\n"
#define LOAD_K(N, A) "kmovq " A "+4096+8*" #N "(%rip), %k" #N "\n"
#define SAVE_K(N, A) "kmovq %k" #N ", " A "+4160+8*" #N "(%rip)\n"
#define SPIN "1: cmpl $0, held_go(%rip)\n je 1b\n"
#define SLEEP "xor %eax, %eax\n mov held_fd(%rip), %edi\n lea held_byte(%rip), %rsi\n mov $1, %edx\n syscall\n"

__asm__(".text\n"
	"ymm_spin:\n" EACH16(LOAD_YMM, "held_spin") SPIN EACH16(SAVE_YMM, "held_spin") "vzeroupper\n ret\n"
	"ymm_sleep:\n" EACH16(LOAD_YMM, "held_sleep") SLEEP EACH16(SAVE_YMM, "held_sleep") "vzeroupper\n ret\n"
	"zmm_spin:\n" EACH32(LOAD_ZMM, "held_spin") MASKS(LOAD_K, "held_spin") SPIN
	EACH32(SAVE_ZMM, "held_spin") MASKS(SAVE_K, "held_spin") "vzeroupper\n ret\n"
	"zmm_sleep:\n" EACH32(LOAD_ZMM, "held_sleep") MASKS(LOAD_K, "held_sleep") SLEEP
	EACH32(SAVE_ZMM, "held_sleep") MASKS(SAVE_K, "held_sleep") "vzeroupper\n ret\n");
long ymm_spin(void), ymm_sleep(void), zmm_spin(void), zmm_sleep(void);

struct holder {
	long (*hold)(void);
	volatile pid_t tid;
	long returned;
};

static void *hold(void *arg)
{
	struct holder *holder = arg;
	holder->tid = tid_of_self();
	holder->returned = holder->hold();
	return NULL;
}

static void across(long (*spin)(void), long (*sleep)(void), int registers, size_t width, bool masks)
{
	struct holder spinner = { .hold = spin }, sleeper = { .hold = sleep };
	pthread_t threads[2];
	int ends[2];
	fill(held_spin.in, sizeof(held_spin.in), 11);
	fill(held_sleep.in, sizeof(held_sleep.in), 12);
	fill(held_spin.mask_in, sizeof(held_spin.mask_in), 13);
	fill(held_sleep.mask_in, sizeof(held_sleep.mask_in), 14);
	MUST(pipe(ends));
	held_fd = ends[0];
	MUST0(pthread_create(&threads[0], NULL, hold, &spinner));
	MUST0(pthread_create(&threads[1], NULL, hold, &sleeper));
	while (!spinner.tid || !sleeper.tid)
		sched_yield();
	until_in_syscall(sleeper.tid, SYS_read);
	ready_and_wait();
	held_go = 1;
	MUST(write(ends[1], "x", 1));
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	CHECK_EQ(sleeper.returned, 1, "the result of the interrupted read");
	for (int i = 0; i < registers; i++) {
		CHECK(!memcmp(held_spin.in[i], held_spin.out[i], width), "vector %d of the spinning thread", i);
		CHECK(!memcmp(held_sleep.in[i], held_sleep.out[i], width), "vector %d of the sleeping thread", i);
	}
	for (int i = 1; masks && i < 8; i++) {
		CHECK_EQ(held_spin.mask_out[i], held_spin.mask_in[i], "a mask of the spinning thread");
		CHECK_EQ(held_sleep.mask_out[i], held_sleep.mask_in[i], "a mask of the sleeping thread");
	}
}

KIND(avx2, "ymm0-15 of a spinning and of a sleeping thread")
{
	if (!__builtin_cpu_supports("avx2"))
		skip("this processor has no AVX2");
	across(ymm_spin, ymm_sleep, 16, 32, false);
}

KIND(avx512, "zmm0-31 and k1-k7 of a spinning and of a sleeping thread")
{
	if (!__builtin_cpu_supports("avx512bw"))
		skip("this processor has no AVX-512");
	across(zmm_spin, zmm_sleep, 32, 64, true);
}
