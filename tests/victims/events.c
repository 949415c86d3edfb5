/* Descriptors that are kernel objects of their own: eventfd, epoll, timerfd, signalfd, pidfd. */
#include "victim.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static bool readable(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	return poll(&poller, 1, 0) == 1;
}

KIND(eventfds, "counters from 0 to 2^64-2, semaphores, flags")
{
	static const uint64_t counts[] = { 0, 1, 0x123456789abcdefULL, 0xfffffffffffffffeULL, 3 };
	int fds[5];
	for (int i = 0; i < 5; i++) {
		fds[i] = MUST(eventfd(0, (i == 4 ? EFD_SEMAPHORE : 0) | EFD_NONBLOCK | (i % 2 ? EFD_CLOEXEC : 0)));
		if (counts[i])
			MUST(write(fds[i], &counts[i], 8));
	}
	int duplicate = MUST(dup(fds[1]));
	ready_and_wait();
	for (int i = 0; i < 5; i++) {
		uint64_t value = 0;
		CHECK_EQ(fcntl(fds[i], F_GETFD), i % 2 ? FD_CLOEXEC : 0, "close-on-exec of an eventfd");
		CHECK(fcntl(fds[i], F_GETFL) & O_NONBLOCK, "an eventfd is no longer non-blocking");
		if (i == 0) {
			CHECK(read(fds[i], &value, 8) == -1 && errno == EAGAIN, "a count of 0 became readable");
		} else if (i == 4) {
			for (int n = 0; n < 3; n++)
				CHECK(read(fds[i], &value, 8) == 8 && value == 1, "a semaphore gave %lu", value);
			CHECK(read(fds[i], &value, 8) == -1, "a semaphore had one count too many");
		} else {
			CHECK(read(i == 1 ? duplicate : fds[i], &value, 8) == 8, "an eventfd has no count");
			CHECK(value == counts[i], "a count is %lu, was %lu", value, counts[i]);
		}
	}
	CHECK(!readable(fds[1]), "an eventfd and its duplicate became two");
}

static int wait_now(int epoll, struct epoll_event *events)
{
	return epoll_wait(epoll, events, 8, 0);
}

KIND(epolls, "level, edge (seen and unseen), one-shot (armed and spent), data of 64 bits, an epoll inside an epoll")
{
	struct epoll_event interest, events[8];
	int ready[6][2];
	int epoll = MUST(epoll_create1(EPOLL_CLOEXEC)), outer = MUST(epoll_create1(0));
	for (int i = 0; i < 6; i++) {
		MUST(pipe(ready[i]));
		MUST(write(ready[i][1], "x", 1));
	}
	static const uint32_t kinds[6] = { EPOLLIN,		     EPOLLIN | EPOLLET,	     EPOLLIN | EPOLLONESHOT,
					   EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLPRI, EPOLLIN | EPOLLET };
	for (int i = 0; i < 6; i++) {
		interest.events = kinds[i];
		interest.data.u64 = 0xfedcba9876543210ULL + i;
		/* The third is not ready yet; it stays armed. */
		if (i == 3)
			MUST(read(ready[i][0], events, 1));
		MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, ready[i][0], &interest));
	}
	interest.events = EPOLLIN;
	interest.data.u64 = 42;
	MUST(epoll_ctl(outer, EPOLL_CTL_ADD, epoll, &interest));
	/* Sees all five that are ready: the edges are taken, the one-shot is spent. */
	CHECK_EQ(wait_now(epoll, events), 5, "events before the checkpoint");
	CHECK_EQ(wait_now(epoll, events), 2, "events on a second look");
	MUST(epoll_ctl(epoll, EPOLL_CTL_DEL, ready[4][0], NULL));
	close(ready[4][0]);

	ready_and_wait();

	/* Whether an edge that was taken is reported once more is not promised by epoll(7), a lost one is an error. */
	int count = wait_now(epoll, events), level = 0, spent = 0;
	for (int i = 0; i < count; i++) {
		level += events[i].data.u64 == 0xfedcba9876543210ULL;
		spent += events[i].data.u64 == 0xfedcba9876543210ULL + 2;
	}
	CHECK_EQ(level, 1, "the level-triggered event");
	CHECK_EQ(spent, 0, "the spent one-shot event");
	MUST(write(ready[1][1], "y", 1));
	MUST(write(ready[3][1], "y", 1));
	count = wait_now(epoll, events);
	int edge = 0, armed = 0;
	for (int i = 0; i < count; i++) {
		edge += events[i].data.u64 == 0xfedcba9876543210ULL + 1;
		armed += events[i].data.u64 == 0xfedcba9876543210ULL + 3;
	}
	CHECK_EQ(edge, 1, "a new edge");
	CHECK_EQ(armed, 1, "the armed one-shot event");
	count = wait_now(outer, events);
	CHECK(count == 1 && events[0].data.u64 == 42, "the epoll inside an epoll");
	interest.events = EPOLLIN | EPOLLONESHOT;
	interest.data.u64 = 43;
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_MOD, ready[2][0], &interest), 0, "re-arming the spent one-shot");
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_MOD, ready[4][1], &interest), -1, "changing what was never in");
}

KIND(timerfds, "relative, periodic and absolute ones; expirations that were not read yet; a disarmed one")
{
	struct itimerspec spec, now;
	struct timespec clock;
	int hour = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	spec = (struct itimerspec){ { 7, 8000 }, { 3600, 0 } };
	MUST(timerfd_settime(hour, 0, &spec, NULL));
	int absolute = MUST(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	MUST(clock_gettime(CLOCK_REALTIME, &clock));
	spec = (struct itimerspec){ { 0, 0 }, { clock.tv_sec + 7200, 0 } };
	MUST(timerfd_settime(absolute, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL));
	int fast = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	spec = (struct itimerspec){ { 0, 2000000 }, { 0, 1 } };
	MUST(timerfd_settime(fast, 0, &spec, NULL));
	int fired = MUST(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK));
	spec = (struct itimerspec){ { 0, 0 }, { 0, 1 } };
	MUST(timerfd_settime(fired, 0, &spec, NULL));
	int idle = MUST(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK));
	while (!readable(fast) || !readable(fired))
		sched_yield();
	int64_t since = monotonic();
	while (monotonic() < since + 30000000)
		sched_yield();

	ready_and_wait();

	MUST(timerfd_gettime(hour, &now));
	CHECK(now.it_value.tv_sec > 2600 && now.it_value.tv_sec <= 3600, "%ld s are left of an hour", now.it_value.tv_sec);
	CHECK(now.it_interval.tv_sec == 7 && now.it_interval.tv_nsec == 8000, "the interval of a timerfd");
	MUST(timerfd_gettime(absolute, &now));
	CHECK(now.it_value.tv_sec > 6200 && now.it_value.tv_sec <= 7200, "%ld s are left of two", now.it_value.tv_sec);
	uint64_t count = 0;
	CHECK_EQ(read(fast, &count, 8), 8, "a read from a ticking timerfd");
	CHECK(count >= 15, "only %lu expirations are left of what 30 ms gave", count);
	struct pollfd poller = { .fd = fast, .events = POLLIN };
	CHECK_EQ(poll(&poller, 1, -1), 1, "the next tick of a timerfd");
	CHECK(read(fired, &count, 8) == 8 && count == 1, "the one expiration of a timerfd: %lu", count);
	CHECK(read(fired, &count, 8) == -1 && errno == EAGAIN, "a timerfd fired twice");
	CHECK(read(idle, &count, 8) == -1 && errno == EAGAIN, "a disarmed timerfd fired");
	MUST(timerfd_gettime(idle, &now));
	CHECK_EQ(now.it_value.tv_sec, 0, "what is left of a disarmed timerfd");
	CHECK_EQ(fcntl(hour, F_GETFD), FD_CLOEXEC, "close-on-exec of a timerfd");
}

KIND(signalfds, "the mask, and a signal that waits behind it")
{
	sigset_t set;
	struct signalfd_siginfo info;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGHUP);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	int fd = MUST(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
	MUST(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 1234 }));
	ready_and_wait();
	CHECK_EQ(read(fd, &info, sizeof(info)), sizeof(info), "a read from a signalfd");
	CHECK_EQ(info.ssi_signo, SIGRTMIN + 1, "the signal");
	CHECK_EQ(info.ssi_int, 1234, "its value");
	CHECK(read(fd, &info, sizeof(info)) == -1 && errno == EAGAIN, "a signal too many");
	MUST(raise(SIGHUP));
	CHECK(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGHUP, "a new signal");
}

KIND(pidfds, "a pidfd to itself")
{
	int fd = MUST(syscall(SYS_pidfd_open, getpid(), 0));
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	ready_and_wait();
	CHECK_EQ(syscall(SYS_pidfd_send_signal, fd, SIGHUP, NULL, 0), 0, "sending by pidfd");
	siginfo_t info;
	CHECK_EQ(sigwaitinfo(&set, &info), SIGHUP, "the signal sent by pidfd");
	CHECK_EQ(info.si_pid, getpid(), "its sender");
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC, "close-on-exec of a pidfd");
}
