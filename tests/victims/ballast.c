/* Targets of the benchmark: as much data as the file `size` says, in MiB. */
#include "victim.h"

static char *area_of(size_t *size)
{
	static char text[64];
	slurp("size", text, sizeof(text));
	*size = strtoul(text, NULL, 10) << 20;
	return MUST(mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

KIND(ballast, "holds random data and tells the longest pause it saw, in microseconds")
{
	size_t size;
	char *area = area_of(&size);
	sigset_t pending;
	int64_t last, longest = 0;
	fill(area, size, 99);
	say_ready();
	last = monotonic();
	do {
		for (int i = 0; i < 1000; i++) {
			int64_t now = monotonic();
			if (now - last > longest)
				longest = now - last;
			last = now;
		}
		sigpending(&pending);
	} while (!sigismember(&pending, SIGUSR1));
	dprintf(STDOUT_FILENO, "%lld\n", (long long)longest / 1000);
	CHECK(filled(area, size, 99), "the data");
}

KIND(vessel, "has room for the same data, never touched")
{
	size_t size;
	area_of(&size);
	ready_and_wait();
}
