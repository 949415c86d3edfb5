/* The victim program: picks a kind, runs it, and leaves its verdict in the file "verdict" of its directory. */
#include "victim.h"

extern const struct kind *const __start_kinds[], *const __stop_kinds[];

static int ready_fd = -1;
static int failures;
static int verdict_fd = STDERR_FILENO;

void fail(const char *file, int line, const char *condition, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dprintf(verdict_fd, "%s:%d: %s (%s)\n", file, line, text, condition);
	__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
}

void die(const char *file, int line, const char *call)
{
	int error = errno;
	dprintf(verdict_fd, "%s:%d: %s: %s\n", file, line, call, strerror(error));
	_exit(2);
}

void skip(const char *why)
{
	dprintf(verdict_fd, "skipped: %s\n", why);
	_exit(77);
}

void say_ready(void)
{
	MUST(write(ready_fd, "ready\n", 6));
	/* The pipe to the harness must be gone before a checkpoint: it leads outside. */
	MUST(close(ready_fd));
}

pid_t split(void)
{
	pid_t pid = fork();
	if (pid == 0)
		close(ready_fd);
	return pid;
}

void wait_for_go(void)
{
	sigset_t go;
	sigemptyset(&go);
	sigaddset(&go, SIGUSR1);
	while (sigwaitinfo(&go, NULL) < 0)
		CHECK_EQ(errno, EINTR, "the error of sigwaitinfo");
}

void ready_and_wait(void)
{
	say_ready();
	wait_for_go();
}

void until_in_syscall(pid_t tid, long nr)
{
	char path[64], text[256];
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	long in;
	do {
		sched_yield();
		/* Restarted into a PID namespace of our own, we cannot find our threads in a /proc of the outer one. */
		if (access(path, F_OK))
			return;
		slurp(path, text, sizeof(text));
		in = text[0] >= '0' && text[0] <= '9' ? strtol(text, NULL, 10) : -1;
		/* A timed call that was interrupted goes on as restart_syscall(2), which only the kernel can tell apart. */
	} while (in != nr && in != SYS_restart_syscall);
}

size_t slurp(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	if (fd < 0)
		die(__FILE__, __LINE__, path);
	for (;;) {
		ssize_t got = MUST(read(fd, buffer + length, size - 1 - length));
		if (got == 0)
			break;
		length += got;
	}
	close(fd);
	buffer[length] = 0;
	return length;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	return x * 0xc4ceb9fe1a85ec53ULL;
}

void fill(void *at, size_t size, uint64_t seed)
{
	uint64_t *word = at;
	for (size_t i = 0; i < size / 8; i++)
		word[i] = mix(seed * 0x9e3779b97f4a7c15ULL + i + 1);
}

bool filled(const void *at, size_t size, uint64_t seed)
{
	const uint64_t *word = at;
	for (size_t i = 0; i < size / 8; i++)
		if (word[i] != mix(seed * 0x9e3779b97f4a7c15ULL + i + 1))
			return false;
	return true;
}

pid_t tid_of_self(void)
{
	return syscall(SYS_gettid);
}

int64_t monotonic(void)
{
	struct timespec now;
	MUST(clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv)
{
	const struct kind *chosen = NULL;
	sigset_t go;

	/* Whoever runs the tests may have left descriptors open for us; a checkpoint would rightly refuse them. */
	close_range(3, ~0U, 0);
	if (argc > 2 && !strcmp(argv[1], "run")) {
		MUST(execvp(argv[2], argv + 2));
	}
	for (const struct kind *const *kind = __start_kinds; kind < __stop_kinds; kind++) {
		if (argc < 2)
			printf("%-14s %s\n", (*kind)->name, (*kind)->what);
		else if (!strcmp(argv[1], (*kind)->name))
			chosen = *kind;
	}
	if (!chosen) {
		fprintf(stderr, "usage: victim KIND, in a directory of its own; or: victim run PROGRAM ARGS...\n");
		return 64;
	}
	verdict_fd = MUST(open("verdict", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666));
	/* "ready" goes to the stdout we were given; what is printed later goes to a file. */
	ready_fd = MUST(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 900));
	int out = MUST(open("out", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666));
	MUST(dup2(out, STDOUT_FILENO));
	close(out);
	sigemptyset(&go);
	sigaddset(&go, SIGUSR1);
	sigprocmask(SIG_BLOCK, &go, NULL);

	chosen->run();
	if (failures)
		return 1;
	MUST(write(verdict_fd, "ok\n", 3));
	return 0;
}
