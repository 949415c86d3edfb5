/* A program without any library, whose image is as small as one of a real process can be. It says that it is ready and
 * waits for ever; with FAMILY, so does a child of it, and another child has ended. */

#include <sys/syscall.h>

static long call(long nr, long a, const void *b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = 0;
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

#ifdef FAMILY
static void found_a_family(void)
{
	/* P_PID, and WEXITED with WNOWAIT, of waitid(2). */
	enum { PID = 1, ENDED_AND_STAYS = 4 | 0x01000000 };
	long ended = call(SYS_fork, 0, 0, 0, 0);
	if (ended == 0)
		call(SYS_exit, 3, 0, 0, 0);
	call(SYS_waitid, PID, (void *)ended, 0, ENDED_AND_STAYS);
	if (call(SYS_fork, 0, 0, 0, 0) == 0) {
		call(SYS_close, 1, 0, 0, 0);
		for (;;)
			call(SYS_pause, 0, 0, 0, 0);
	}
}
#else
static void found_a_family(void)
{
}
#endif

void _start(void)
{
	static const char ready[] = "ready\n";

	found_a_family();
	call(SYS_write, 1, ready, sizeof ready - 1, 0);
	call(SYS_close, 1, 0, 0, 0);
	for (;;)
		call(SYS_pause, 0, 0, 0, 0);
}
