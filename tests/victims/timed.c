/*
 * Threads asleep in system calls, timed and untimed. The checkpoint interrupts every one of them; none may return
 * EINTR, none may end before its time, and those that wait for something must still get it.
 */
#include "victim.h"
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

static const struct timespec LONG = { .tv_sec = 5000 };

static int pipes[8][2], epolls[2], event;
static uint32_t words[3];
static struct sleeper {
	const char *name;
	long nr;
	long (*sleep)(int index);
	long wanted;
	volatile pid_t tid;
	long result;
	int error;
} *sleepers;

static long in_poll(int index)
{
	struct pollfd fd = { .fd = pipes[0][0], .events = POLLIN };
	(void)index;
	return syscall(SYS_poll, &fd, 1, 5000000);
}

static long in_ppoll(int index)
{
	struct pollfd fd = { .fd = pipes[1][0], .events = POLLIN };
	struct timespec timeout = LONG;
	(void)index;
	return syscall(SYS_ppoll, &fd, 1, &timeout, NULL, 8);
}

static long in_poll_forever(int index)
{
	struct pollfd fd = { .fd = pipes[2][0], .events = POLLIN };
	(void)index;
	return syscall(SYS_poll, &fd, 1, -1);
}

static long in_select(int index)
{
	fd_set set;
	struct timeval timeout = { .tv_sec = 5000 };
	(void)index;
	FD_ZERO(&set);
	FD_SET(pipes[3][0], &set);
	return syscall(SYS_select, pipes[3][0] + 1, &set, NULL, NULL, &timeout);
}

static long in_pselect(int index)
{
	fd_set set;
	struct timespec timeout = LONG;
	sigset_t mask;
	struct {
		sigset_t *mask;
		size_t size;
	} with = { &mask, 8 };
	(void)index;
	FD_ZERO(&set);
	FD_SET(pipes[4][0], &set);
	/* A mask of its own for the time of the call: all blocked but SIGWINCH. */
	sigfillset(&mask);
	sigdelset(&mask, SIGWINCH);
	return syscall(SYS_pselect6, pipes[4][0] + 1, &set, NULL, NULL, &timeout, &with);
}

static long in_epoll(int index)
{
	struct epoll_event got;
	(void)index;
	return syscall(SYS_epoll_wait, epolls[0], &got, 1, 5000000);
}

static long in_epoll_pwait2(int index)
{
	struct epoll_event got;
	struct timespec timeout = LONG;
	(void)index;
	return syscall(SYS_epoll_pwait2, epolls[1], &got, 1, &timeout, NULL, 8);
}

static long in_futex(int index)
{
	(void)index;
	return syscall(SYS_futex, &words[0], FUTEX_WAIT_PRIVATE, 0, &LONG, NULL, 0);
}

static long in_futex_absolute(int index)
{
	struct timespec until;
	(void)index;
	MUST(clock_gettime(CLOCK_MONOTONIC, &until));
	until.tv_sec += LONG.tv_sec;
	return syscall(SYS_futex, &words[1], FUTEX_WAIT_BITSET_PRIVATE, 0, &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

static long in_futex_forever(int index)
{
	(void)index;
	return syscall(SYS_futex, &words[2], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static long in_read(int index)
{
	char byte;
	(void)index;
	return syscall(SYS_read, pipes[7][0], &byte, 1);
}

static long in_write(int index)
{
	static char data[1 << 17];
	(void)index;
	/* Twice what the pipe holds: half of it is in the pipe when the call is interrupted. */
	return syscall(SYS_write, pipes[6][1], data, sizeof(data));
}

static long in_eventfd(int index)
{
	uint64_t value;
	(void)index;
	return syscall(SYS_read, event, &value, 8);
}

static long in_sigtimedwait(int index)
{
	sigset_t set;
	siginfo_t info;
	(void)index;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 7);
	return syscall(SYS_rt_sigtimedwait, &set, &info, &LONG, 8);
}

static struct sleeper waiting[] = {
	{ .name = "poll", .nr = SYS_poll, .sleep = in_poll, .wanted = 1 },
	{ .name = "ppoll", .nr = SYS_ppoll, .sleep = in_ppoll, .wanted = 1 },
	{ .name = "poll without limit", .nr = SYS_poll, .sleep = in_poll_forever, .wanted = 1 },
	{ .name = "select", .nr = SYS_select, .sleep = in_select, .wanted = 1 },
	{ .name = "pselect6", .nr = SYS_pselect6, .sleep = in_pselect, .wanted = 1 },
	{ .name = "epoll_wait", .nr = SYS_epoll_wait, .sleep = in_epoll, .wanted = 1 },
	{ .name = "epoll_pwait2", .nr = SYS_epoll_pwait2, .sleep = in_epoll_pwait2, .wanted = 1 },
	{ .name = "futex", .nr = SYS_futex, .sleep = in_futex, .wanted = 0 },
	{ .name = "futex until", .nr = SYS_futex, .sleep = in_futex_absolute, .wanted = 0 },
	{ .name = "futex without limit", .nr = SYS_futex, .sleep = in_futex_forever, .wanted = 0 },
	{ .name = "read", .nr = SYS_read, .sleep = in_read, .wanted = 1 },
	{ .name = "eventfd", .nr = SYS_read, .sleep = in_eventfd, .wanted = 8 },
	{ .name = "sigtimedwait", .nr = SYS_rt_sigtimedwait, .sleep = in_sigtimedwait, .wanted = 0 },
};
enum { WAITING = sizeof(waiting) / sizeof(*waiting) };

static void *sleep_in(void *arg)
{
	struct sleeper *sleeper = arg;
	sleeper->tid = tid_of_self();
	sleeper->result = sleeper->sleep(0);
	sleeper->error = errno;
	return NULL;
}

static void start(pthread_t *threads, size_t count)
{
	for (size_t i = 0; i < count; i++)
		MUST0(pthread_create(&threads[i], NULL, sleep_in, &sleepers[i]));
	for (size_t i = 0; i < count; i++) {
		while (!sleepers[i].tid)
			sched_yield();
		until_in_syscall(sleepers[i].tid, sleepers[i].nr);
	}
}

static void collect(pthread_t *threads, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		MUST0(pthread_join(threads[i], NULL));
		CHECK(sleepers[i].result == sleepers[i].wanted, "%s gave %ld (errno %d), not %ld", sleepers[i].name,
		      sleepers[i].result, sleepers[i].error, sleepers[i].wanted);
	}
}

KIND(waiting, "thirteen threads wait in poll, select, epoll, futex, read, sigtimedwait; each gets what it waits for")
{
	static pthread_t threads[WAITING];
	struct epoll_event interest = { .events = EPOLLIN };
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN + 7);
	MUST(sigprocmask(SIG_BLOCK, &blocked, NULL));
	waiting[WAITING - 1].wanted = SIGRTMIN + 7;
	sleepers = waiting;
	for (int i = 0; i < 8; i++)
		MUST(pipe2(pipes[i], O_CLOEXEC));
	for (int i = 0; i < 2; i++) {
		epolls[i] = MUST(epoll_create1(EPOLL_CLOEXEC));
		MUST(epoll_ctl(epolls[i], EPOLL_CTL_ADD, pipes[5][0], &interest));
	}
	event = MUST(eventfd(0, EFD_CLOEXEC));
	start(threads, WAITING);
	ready_and_wait();
	/* If a call had returned early, its thread would be gone or elsewhere by now. */
	for (int i = 0; i < WAITING; i++)
		until_in_syscall(sleepers[i].tid, sleepers[i].nr);
	for (int i = 0; i < 8; i++)
		if (i != 6)
			MUST(write(pipes[i][1], "x", 1));
	for (int i = 0; i < 3; i++) {
		/* The word changes too, so that a thread which comes late does not go to sleep again. */
		__atomic_store_n(&words[i], 1, __ATOMIC_SEQ_CST);
		CHECK_EQ(syscall(SYS_futex, &words[i], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1, "threads woken");
	}
	uint64_t one = 1;
	MUST(write(event, &one, 8));
	MUST(syscall(SYS_tgkill, getpid(), sleepers[WAITING - 1].tid, SIGRTMIN + 7));
	collect(threads, WAITING);
}

static struct sleeper writing[] = {
	{ .name = "write", .nr = SYS_write, .sleep = in_write, .wanted = 1 << 17 },
};

KIND(writing, "a write of which half is in the pipe: the other half follows, no byte twice")
{
	static char data[1 << 17];
	pthread_t thread;
	size_t total = 0;
	sleepers = writing;
	MUST(pipe2(pipes[6], O_CLOEXEC));
	start(&thread, 1);
	ready_and_wait();
	/* A write that was interrupted after some bytes returns their number, as at any signal; the rest is not lost
	 * but the caller's to send. All that was accepted must come out, once. */
	ssize_t got = MUST(read(pipes[6][0], data, sizeof(data)));
	total += got;
	fcntl(pipes[6][0], F_SETFL, O_NONBLOCK);
	MUST0(pthread_join(thread, NULL));
	while ((got = read(pipes[6][0], data, sizeof(data))) > 0)
		total += got;
	CHECK(sleepers[0].result > 0, "the write gave %ld, errno %d", sleepers[0].result, sleepers[0].error);
	CHECK_EQ(total, sleepers[0].result, "the bytes that came out of the pipe");
}

static const struct timespec SHORT = { .tv_sec = 2 };
static int64_t began[6], ended[6];
static int timed_epoll, timed_pair[2];
static struct timespec remaining;

static long in_nanosleep(int index)
{
	(void)index;
	began[0] = monotonic();
	long result = syscall(SYS_nanosleep, &SHORT, &remaining);
	ended[0] = monotonic();
	return result;
}

static long in_clock_nanosleep(int index)
{
	(void)index;
	began[1] = monotonic();
	long result = syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &SHORT, NULL);
	ended[1] = monotonic();
	return result;
}

static long in_clock_nanosleep_until(int index)
{
	struct timespec until;
	(void)index;
	began[2] = monotonic();
	MUST(clock_gettime(CLOCK_MONOTONIC, &until));
	until.tv_sec += SHORT.tv_sec;
	long result = syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	ended[2] = monotonic();
	return result;
}

static long in_poll_for_time(int index)
{
	(void)index;
	began[3] = monotonic();
	long result = syscall(SYS_poll, NULL, 0, 2000);
	ended[3] = monotonic();
	return result;
}

static long in_epoll_for_time(int index)
{
	struct epoll_event got;
	(void)index;
	began[4] = monotonic();
	long result = syscall(SYS_epoll_wait, timed_epoll, &got, 1, 2000);
	ended[4] = monotonic();
	return result;
}

static long in_recv_for_time(int index)
{
	char byte;
	(void)index;
	began[5] = monotonic();
	long result = syscall(SYS_recvfrom, timed_pair[0], &byte, 1, 0, NULL, NULL);
	ended[5] = monotonic();
	return result < 0 && errno == EAGAIN ? 0 : -1;
}

static struct sleeper sleeping[] = {
	{ .name = "nanosleep", .nr = SYS_nanosleep, .sleep = in_nanosleep },
	{ .name = "clock_nanosleep", .nr = SYS_clock_nanosleep, .sleep = in_clock_nanosleep },
	{ .name = "clock_nanosleep until", .nr = SYS_clock_nanosleep, .sleep = in_clock_nanosleep_until },
	{ .name = "poll for a time", .nr = SYS_poll, .sleep = in_poll_for_time },
	{ .name = "epoll_wait for a time", .nr = SYS_epoll_wait, .sleep = in_epoll_for_time },
	{ .name = "recv for a time", .nr = SYS_recvfrom, .sleep = in_recv_for_time },
};

KIND(sleeping, "nanosleep and its kin: their time is up in the end, and not before")
{
	enum { COUNT = sizeof(sleeping) / sizeof(*sleeping) };
	struct timeval limit = { .tv_sec = SHORT.tv_sec }, after;
	socklen_t length = sizeof(after);
	pthread_t threads[COUNT];
	sleepers = sleeping;
	timed_epoll = MUST(epoll_create1(EPOLL_CLOEXEC));
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, timed_pair));
	MUST(setsockopt(timed_pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	start(threads, COUNT);
	ready_and_wait();
	collect(threads, COUNT);
	/* What was left of the time stood there for a moment at most. */
	MUST(getsockopt(timed_pair[0], SOL_SOCKET, SO_RCVTIMEO, &after, &length));
	CHECK(after.tv_sec == limit.tv_sec && !after.tv_usec, "SO_RCVTIMEO is %ld.%06ld", after.tv_sec, after.tv_usec);
	for (int i = 0; i < COUNT; i++)
		CHECK(ended[i] - began[i] >= 2000000000, "%s ended after %lld ms", sleepers[i].name,
		      (long long)(ended[i] - began[i]) / 1000000);
}
