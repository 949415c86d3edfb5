/* Nothing at all: the smallest thing to checkpoint. */
#include "victim.h"

KIND(idle, "waits; its pid, parentless life and one page of data are all it has")
{
	static uint64_t page[512];
	pid_t pid = getpid();
	fill(page, sizeof(page), 1);
	ready_and_wait();
	CHECK_EQ(getpid(), pid, "the pid");
	CHECK_EQ(syscall(SYS_gettid), pid, "the tid");
	CHECK(filled(page, sizeof(page), 1), "a page of data changed");
}
