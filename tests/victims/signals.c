/* Signals: what is done on which, which are blocked, and which wait, with all that was queued along. */
#include "victim.h"

static int value_of(siginfo_t *info)
{
	return info->si_value.sival_int;
}

static volatile int handled, handled_value;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	handled = sig;
	handled_value = value_of(info);
}

/* The kernel's own structure: the C library hides SA_RESTORER and two signals from its callers. */
struct action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static void actions(struct action *into)
{
	for (int sig = 1; sig < 65; sig++)
		MUST(syscall(SYS_rt_sigaction, sig, NULL, &into[sig], 8));
}

KIND(sigactions, "handlers, flags and masks of all signals; the main thread's mask; a handler that still works")
{
	static struct action before[65], after[65];
	static const int flags[] = { 0, SA_RESTART, SA_NODEFER, SA_ONSTACK | SA_RESTART, (int)SA_RESETHAND };
	sigset_t mask_before, mask_after;
	for (int sig = 1; sig < 65; sig++) {
		struct sigaction action = { .sa_flags = SA_SIGINFO | flags[sig % 5], .sa_sigaction = handler };
		if (sig == SIGKILL || sig == SIGSTOP || sig == 32 || sig == 33 || sig == SIGUSR1)
			continue;
		if (sig % 7 == 0)
			action.sa_flags = 0, action.sa_handler = SIG_IGN;
		sigemptyset(&action.sa_mask);
		sigaddset(&action.sa_mask, sig % 30 + 1);
		sigaddset(&action.sa_mask, 64);
		MUST(sigaction(sig, &action, NULL));
	}
	sigemptyset(&mask_before);
	sigaddset(&mask_before, SIGUSR1);
	sigaddset(&mask_before, SIGINT);
	sigaddset(&mask_before, SIGRTMAX);
	MUST(sigprocmask(SIG_SETMASK, &mask_before, NULL));
	actions(before);
	ready_and_wait();
	actions(after);
	for (int sig = 1; sig < 65; sig++) {
		CHECK_EQ((uintptr_t)after[sig].handler, (uintptr_t)before[sig].handler, "a handler");
		CHECK_EQ(after[sig].flags, before[sig].flags, "the flags of an action");
		CHECK_EQ((uintptr_t)after[sig].restorer, (uintptr_t)before[sig].restorer, "a restorer");
		CHECK_EQ(after[sig].mask, before[sig].mask, "the mask of an action");
	}
	MUST(sigprocmask(SIG_BLOCK, NULL, &mask_after));
	for (int sig = 1; sig < 65; sig++)
		CHECK(sigismember(&mask_after, sig) == sigismember(&mask_before, sig), "signal %d in the mask", sig);
	MUST(sigqueue(getpid(), SIGRTMIN + 9, (union sigval){ .sival_int = 77 }));
	CHECK_EQ(handled, SIGRTMIN + 9, "the signal that the handler saw");
	CHECK_EQ(handled_value, 77, "the value that the handler saw");
}

static volatile pid_t other_tid;
static pthread_barrier_t other_released;

static void expect(sigset_t *set, int sig, int code, int value)
{
	siginfo_t info;
	struct timespec now = { 0 };
	memset(&info, 0, sizeof(info));
	/* Not by the C library, which shows SI_TKILL as SI_USER. */
	int got = syscall(SYS_rt_sigtimedwait, set, &info, &now, 8);
	CHECK_EQ(got, sig, "the next pending signal");
	if (got != sig)
		return;
	CHECK_EQ(info.si_code, code, "si_code of a pending signal");
	CHECK_EQ(info.si_pid, getpid(), "si_pid of a pending signal");
	CHECK_EQ(info.si_uid, getuid(), "si_uid of a pending signal");
	if (code == SI_QUEUE)
		CHECK_EQ(value_of(&info), value, "the value of a pending signal");
}

static void queue_to_thread(pid_t tid, int sig, int value)
{
	siginfo_t info;
	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	MUST(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, &info));
}

static void *other(void *arg)
{
	sigset_t *set = arg;
	other_tid = tid_of_self();
	pthread_barrier_wait(&other_released);
	pthread_barrier_wait(&other_released);
	/* Its own queue comes before the one of the process, lowest number first, in the order of sending. */
	expect(set, SIGTERM, SI_TKILL, 0);
	expect(set, SIGRTMIN + 3, SI_QUEUE, 301);
	expect(set, SIGRTMIN + 3, SI_QUEUE, 302);
	return NULL;
}

KIND(pending, "signals queued to the process and to two threads, with their siginfo, in order")
{
	sigset_t set;
	pthread_t thread;
	sigfillset(&set);
	sigdelset(&set, SIGUSR1);
	MUST0(pthread_sigmask(SIG_SETMASK, &set, NULL));
	sigset_t all = set;
	sigaddset(&all, SIGUSR1);
	MUST0(pthread_sigmask(SIG_SETMASK, &all, NULL));
	MUST0(pthread_barrier_init(&other_released, NULL, 2));
	MUST0(pthread_create(&thread, NULL, other, &set));
	pthread_barrier_wait(&other_released);

	MUST(sigqueue(getpid(), SIGRTMIN + 5, (union sigval){ .sival_int = 501 }));
	for (int i = 0; i < 50; i++)
		MUST(sigqueue(getpid(), SIGRTMIN + 6, (union sigval){ .sival_int = 600 + i }));
	MUST(sigqueue(getpid(), SIGRTMIN + 5, (union sigval){ .sival_int = 502 }));
	MUST(kill(getpid(), SIGHUP));
	queue_to_thread(other_tid, SIGRTMIN + 3, 301);
	queue_to_thread(other_tid, SIGRTMIN + 3, 302);
	MUST(syscall(SYS_tgkill, getpid(), other_tid, SIGTERM));
	queue_to_thread(getpid(), SIGRTMIN + 4, 401);

	ready_and_wait();
	pthread_barrier_wait(&other_released);
	MUST0(pthread_join(thread, NULL));
	expect(&set, SIGRTMIN + 4, SI_QUEUE, 401);
	expect(&set, SIGHUP, SI_USER, 0);
	expect(&set, SIGRTMIN + 5, SI_QUEUE, 501);
	expect(&set, SIGRTMIN + 5, SI_QUEUE, 502);
	for (int i = 0; i < 50; i++)
		expect(&set, SIGRTMIN + 6, SI_QUEUE, 600 + i);
	struct timespec now = { 0 };
	CHECK(sigtimedwait(&set, NULL, &now) == -1 && errno == EAGAIN, "a signal too many is pending");
}

static volatile int inner_done;

static void waits_inside(int sig)
{
	sigset_t mask;
	(void)sig;
	ready_and_wait();
	MUST(sigprocmask(SIG_BLOCK, NULL, &mask));
	CHECK(sigismember(&mask, SIGALRM) && sigismember(&mask, SIGHUP), "the mask inside a handler was lost");
	inner_done = 1;
}

KIND(handler, "checkpointed inside a signal handler on its alternate stack; it returns to where it came from")
{
	static char stack[65536];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_handler = waits_inside, .sa_flags = SA_ONSTACK };
	sigset_t before, after;
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGALRM);
	MUST(sigaltstack(&alternate, NULL));
	MUST(sigaction(SIGHUP, &action, NULL));
	MUST(sigprocmask(SIG_BLOCK, NULL, &before));
	raise(SIGHUP);
	MUST(sigprocmask(SIG_BLOCK, NULL, &after));
	CHECK_EQ(inner_done, 1, "whether the handler ran to its end");
	for (int sig = 1; sig < 65; sig++)
		CHECK(sigismember(&after, sig) == sigismember(&before, sig), "signal %d after the handler", sig);
}
