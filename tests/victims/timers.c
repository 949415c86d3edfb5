/* Timers that run across the checkpoint: interval timers, POSIX timers, and those that keep ticking. */
#include "victim.h"
#include <sys/time.h>

enum { HOUR = 3600 };

static void check_left(long left, long before, const char *what)
{
	CHECK(left > 0 && left <= before, "%s has %ld s left, had %ld s", what, left, before);
	/* Lost time is a minute at most on any machine that finishes these tests; a timer that was set anew or
	 * dropped is off by more. */
	CHECK(left > before - 1000, "%s has %ld s left, had %ld s", what, left, before);
}

KIND(itimers, "the three interval timers with what is left of them and their intervals")
{
	static const int which[] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
	static const char *const names[] = { "ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF" };
	struct itimerval timer;
	for (int i = 0; i < 3; i++) {
		timer.it_value = (struct timeval){ .tv_sec = HOUR * (i + 1) };
		timer.it_interval = (struct timeval){ .tv_sec = 77 + i, .tv_usec = 250000 };
		MUST(setitimer(which[i], &timer, NULL));
	}
	ready_and_wait();
	for (int i = 0; i < 3; i++) {
		MUST(getitimer(which[i], &timer));
		check_left(timer.it_value.tv_sec, HOUR * (i + 1), names[i]);
		CHECK_EQ(timer.it_interval.tv_sec, 77 + i, "the seconds of an interval");
		CHECK_EQ(timer.it_interval.tv_usec, 250000, "the microseconds of an interval");
	}
}

KIND(alarm, "an alarm that is still to come")
{
	alarm(HOUR);
	ready_and_wait();
	check_left(alarm(0), HOUR, "the alarm");
}

static volatile sig_atomic_t ticks, thread_ticks;

static void tick(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (sig == SIGRTMIN + 1)
		thread_ticks++;
	else
		ticks++;
	CHECK(info->si_code == SI_TIMER || info->si_code == SI_KERNEL, "si_code %d", info->si_code);
}

KIND(ticking, "an interval timer and a POSIX timer that tick every few milliseconds go on ticking")
{
	struct sigaction action = { .sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval every = { { 0, 5000 }, { 0, 5000 } };
	struct itimerspec each = { { 0, 3000000 }, { 0, 3000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1 };
	sigset_t mask;
	timer_t timer;
	MUST(sigaction(SIGALRM, &action, NULL));
	MUST(sigaction(SIGRTMIN + 1, &action, NULL));
	MUST(setitimer(ITIMER_REAL, &every, NULL));
	MUST(timer_create(CLOCK_MONOTONIC, &event, &timer));
	MUST(timer_settime(timer, 0, &each, NULL));
	MUST(sigprocmask(SIG_BLOCK, NULL, &mask));
	while (ticks < 3 || thread_ticks < 3)
		sigsuspend(&mask);
	ready_and_wait();
	int seen = ticks, seen_by_thread = thread_ticks;
	/* Ends only if both still tick; a lost timer hangs here and the harness says so. */
	while (ticks < seen + 5 || thread_ticks < seen_by_thread + 5)
		sigsuspend(&mask);
}

enum { POSIX = 7 };

KIND(posixtimers, "POSIX timers on several clocks, relative and absolute, ids with gaps, one whose signal waits")
{
	static const clockid_t clocks[POSIX] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
						 CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_MONOTONIC };
	static long wanted[POSIX];
	int ids[POSIX];
	struct sigevent event;
	struct itimerspec spec;
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN + 2);
	MUST(sigprocmask(SIG_BLOCK, &blocked, NULL));
	for (int i = 0; i < POSIX; i++) {
		int gap;
		memset(&event, 0, sizeof(event));
		event.sigev_notify = i == 2 ? SIGEV_NONE : i == 3 ? SIGEV_THREAD_ID : SIGEV_SIGNAL;
		event.sigev_signo = SIGRTMIN + 2;
		event.sigev_value.sival_int = 7000 + i;
		if (i == 3)
			event._sigev_un._tid = tid_of_self();
		MUST(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &gap));
		MUST(syscall(SYS_timer_create, clocks[i], &event, &ids[i]));
		MUST(syscall(SYS_timer_delete, gap));
		memset(&spec, 0, sizeof(spec));
		wanted[i] = HOUR * (i + 1);
		spec.it_interval.tv_sec = 10 + i;
		spec.it_value.tv_sec = wanted[i];
		if (i == 5 || i == 1) {
			struct timespec now;
			MUST(clock_gettime(clocks[i], &now));
			spec.it_value.tv_sec += now.tv_sec;
		}
		if (i == 6) {
			spec.it_interval = (struct timespec){ .tv_nsec = 1000000 };
			spec.it_value = spec.it_interval;
		}
		MUST(syscall(SYS_timer_settime, ids[i], i == 5 || i == 1 ? TIMER_ABSTIME : 0, &spec, NULL));
	}
	/* The last one has fired at least once when its signal is pending. */
	sigset_t pending;
	do
		MUST(sigpending(&pending));
	while (!sigismember(&pending, SIGRTMIN + 2));
	ready_and_wait();
	for (int i = 0; i < POSIX - 1; i++) {
		MUST(syscall(SYS_timer_gettime, ids[i], &spec));
		check_left(spec.it_value.tv_sec, wanted[i], "a POSIX timer");
		CHECK_EQ(spec.it_interval.tv_sec, 10 + i, "the interval of a POSIX timer");
	}
	siginfo_t info;
	CHECK_EQ(sigwaitinfo(&blocked, &info), SIGRTMIN + 2, "the signal of the ticking timer");
	CHECK_EQ(info.si_code, SI_TIMER, "its si_code");
	CHECK_EQ(info.si_value.sival_int, 7006, "its value");
	/* How many expirations came on top while it waited nobody can ask the kernel for; that it goes on, we can. */
	CHECK(info.si_overrun >= 0, "the overrun is %d", info.si_overrun);
	CHECK_EQ(sigwaitinfo(&blocked, &info), SIGRTMIN + 2, "the next signal of the ticking timer");
	CHECK_EQ(info.si_value.sival_int, 7006, "the next signal's value");
	CHECK(syscall(SYS_timer_gettime, ids[POSIX - 1] + 1, &spec) == -1 && errno == EINVAL, "a timer too many");
}
