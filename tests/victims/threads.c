/* Threads: how many, who they are, and everything the kernel keeps for each of them. */
#include "victim.h"
#include <grp.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/resource.h>

enum { THREADS = 8, MANY = 500 };

struct robust_head {
	void *head;
	long offset;
	void *pending;
};

/* What one thread can say about itself. */
struct self {
	pid_t tid;
	char name[16];
	sigset_t mask;
	stack_t stack;
	struct robust_head *robust;
	size_t robust_length;
	cpu_set_t cpus;
	int nice, policy, priority;
	long slack;
	uintptr_t tls;
};

static __thread uint64_t tls_word;
static pthread_barrier_t arrived, released;
static char stacks[THREADS][32768];

static void describe(struct self *self)
{
	struct sched_param param;
	memset(self, 0, sizeof(*self));
	self->tid = tid_of_self();
	MUST(prctl(PR_GET_NAME, self->name));
	MUST0(pthread_sigmask(SIG_BLOCK, NULL, &self->mask));
	MUST(sigaltstack(NULL, &self->stack));
	MUST(syscall(SYS_get_robust_list, 0, &self->robust, &self->robust_length));
	MUST(sched_getaffinity(0, sizeof(self->cpus), &self->cpus));
	self->nice = getpriority(PRIO_PROCESS, 0);
	self->policy = MUST(sched_getscheduler(0));
	MUST(sched_getparam(0, &param));
	self->priority = param.sched_priority;
	self->slack = MUST(prctl(PR_GET_TIMERSLACK));
	self->tls = (uintptr_t)&tls_word;
}

static void compare(const struct self *before, const struct self *after)
{
	CHECK_EQ(after->tid, before->tid, "the tid");
	CHECK(!memcmp(after->name, before->name, 16), "the name is %.16s, was %.16s", after->name, before->name);
	for (int i = 1; i < 65; i++)
		CHECK(sigismember(&after->mask, i) == sigismember(&before->mask, i), "signal %d in the mask", i);
	CHECK_EQ((uintptr_t)after->stack.ss_sp, (uintptr_t)before->stack.ss_sp, "the alternate stack");
	CHECK_EQ(after->stack.ss_size, before->stack.ss_size, "the size of the alternate stack");
	CHECK_EQ(after->stack.ss_flags, before->stack.ss_flags, "the flags of the alternate stack");
	CHECK_EQ((uintptr_t)after->robust, (uintptr_t)before->robust, "the robust list");
	CHECK_EQ(after->robust_length, before->robust_length, "the length of the robust list head");
	CHECK(CPU_EQUAL(&after->cpus, &before->cpus), "the affinity of thread %d", before->tid);
	CHECK_EQ(after->nice, before->nice, "the nice value");
	CHECK_EQ(after->policy, before->policy, "the scheduling policy");
	CHECK_EQ(after->priority, before->priority, "the real-time priority");
	CHECK_EQ(after->slack, before->slack, "the timer slack");
	CHECK_EQ(after->tls, before->tls, "the address of a thread-local variable");
}

static void *one(void *arg)
{
	size_t index = (size_t)arg;
	struct self before, after;
	char name[16];
	sigset_t mask;
	stack_t stack = { .ss_sp = stacks[index], .ss_size = sizeof(stacks[index]) };
	cpu_set_t cpus;

	snprintf(name, sizeof(name), "worker-%zu\xff)(", index);
	MUST(prctl(PR_SET_NAME, name));
	sigemptyset(&mask);
	sigaddset(&mask, SIGRTMIN + 2 + index);
	sigaddset(&mask, SIGHUP);
	MUST0(pthread_sigmask(SIG_BLOCK, &mask, NULL));
	if (index % 2)
		MUST(sigaltstack(&stack, NULL));
	MUST(setpriority(PRIO_PROCESS, 0, index));
	if (index == 2 || index == 3) {
		struct sched_param none = { 0 };
		MUST(sched_setscheduler(0, index == 2 ? SCHED_BATCH : SCHED_IDLE, &none));
	}
	if (index == 4 && geteuid() == 0) {
		struct sched_param one = { .sched_priority = 1 };
		MUST(sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &one));
	}
	MUST(sched_getaffinity(0, sizeof(cpus), &cpus));
	for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE && CPU_COUNT(&cpus) > 1; cpu++)
		if (CPU_ISSET(cpu, &cpus) && seen++ == (int)(index % 2))
			CPU_CLR(cpu, &cpus);
	MUST(sched_setaffinity(0, sizeof(cpus), &cpus));
	MUST(prctl(PR_SET_TIMERSLACK, 60000 + index));
	tls_word = 0x7100 + index;

	describe(&before);
	pthread_barrier_wait(&arrived);
	pthread_barrier_wait(&released);
	describe(&after);
	compare(&before, &after);
	CHECK_EQ(tls_word, 0x7100 + index, "a thread-local variable");
	return (void *)(index + 100);
}

static int count_tasks(void)
{
	static char text[4096];
	slurp("/proc/self/status", text, sizeof(text));
	const char *line = strstr(text, "\nThreads:");
	return line ? atoi(line + 9) : -1;
}

KIND(threads, "eight threads: tids, names, masks, stacks, robust lists, TLS, scheduling; joined at the end")
{
	pthread_t threads[THREADS];
	struct self before, after;
	MUST0(pthread_barrier_init(&arrived, NULL, THREADS + 1));
	MUST0(pthread_barrier_init(&released, NULL, THREADS + 1));
	for (size_t i = 0; i < THREADS; i++)
		MUST0(pthread_create(&threads[i], NULL, one, (void *)i));
	pthread_barrier_wait(&arrived);
	describe(&before);
	ready_and_wait();
	CHECK_EQ(count_tasks(), THREADS + 1, "the number of threads");
	describe(&after);
	compare(&before, &after);
	pthread_barrier_wait(&released);
	for (size_t i = 0; i < THREADS; i++) {
		void *result;
		/* Joining waits on the word that the kernel clears at the address given to set_tid_address. */
		MUST0(pthread_join(threads[i], &result));
		CHECK_EQ((size_t)result, i + 100, "the result of a thread");
	}
}

static pid_t many_tids[MANY];
static uint64_t many_sums[MANY];

static void *one_of_many(void *arg)
{
	size_t index = (size_t)arg;
	many_tids[index] = tid_of_self();
	pthread_barrier_wait(&arrived);
	pthread_barrier_wait(&released);
	CHECK_EQ(tid_of_self(), many_tids[index], "the tid of one of many threads");
	many_sums[index] = index * index;
	return NULL;
}

KIND(manythreads, "500 threads that wait at one barrier and pass it together")
{
	static pthread_t threads[MANY];
	pthread_attr_t small;
	MUST0(pthread_attr_init(&small));
	MUST0(pthread_attr_setstacksize(&small, 65536));
	MUST0(pthread_barrier_init(&arrived, NULL, MANY + 1));
	MUST0(pthread_barrier_init(&released, NULL, MANY + 1));
	for (size_t i = 0; i < MANY; i++)
		MUST0(pthread_create(&threads[i], &small, one_of_many, (void *)i));
	pthread_barrier_wait(&arrived);
	ready_and_wait();
	CHECK_EQ(count_tasks(), MANY + 1, "the number of threads");
	pthread_barrier_wait(&released);
	for (size_t i = 0; i < MANY; i++)
		MUST0(pthread_join(threads[i], NULL));
	for (size_t i = 0; i < MANY; i++)
		CHECK_EQ(many_sums[i], i * i, "the work of one of many threads");
}

static pthread_mutex_t robust_mutex;
static volatile bool robust_held;

static void *dies_holding(void *unused)
{
	(void)unused;
	MUST0(pthread_mutex_lock(&robust_mutex));
	robust_held = true;
	pthread_barrier_wait(&released);
	return NULL;
}

static atomic_int staying;

/* Whoever finds the file `leave` leaves; the last one ends the process, with a status of its own. */
static void *leaver(void *none)
{
	while (access("leave", F_OK) == -1)
		sched_yield();
	if (atomic_fetch_sub(&staying, 1) == 1)
		_exit(7);
	return none;
}

KIND(leaving, "40 threads, the first among them, that end as soon as there is a file `leave`; the last exits with 7")
{
	enum { LEAVERS = 40 };
	pthread_t thread;
	staying = LEAVERS;
	for (int i = 1; i < LEAVERS; i++)
		MUST0(pthread_create(&thread, NULL, leaver, NULL));
	say_ready();
	pthread_exit(leaver(NULL));
}

static void *niced(void *arrived)
{
	MUST(setpriority(PRIO_PROCESS, 0, -5));
	pthread_barrier_wait(arrived);
	for (;;)
		pause();
}

KIND(niced, "seven threads of an ordinary user with a nice value that takes a right (needs root to set up)")
{
	enum { NICED = 7, NOBODY = 65534 };
	static pthread_barrier_t arrived;
	pthread_t thread;
	if (geteuid() != 0)
		skip("only root can be that nice");
	MUST0(pthread_barrier_init(&arrived, NULL, NICED));
	for (int i = 1; i < NICED; i++)
		MUST0(pthread_create(&thread, NULL, niced, &arrived));
	MUST(setpriority(PRIO_PROCESS, 0, -5));
	pthread_barrier_wait(&arrived);
	MUST(setgroups(0, NULL));
	MUST(setresgid(NOBODY, NOBODY, NOBODY));
	MUST(setresuid(NOBODY, NOBODY, NOBODY));
	ready_and_wait();
}

KIND(robust, "a thread that holds a robust mutex and dies with it after the restart; rseq still works")
{
	pthread_mutexattr_t attr;
	pthread_t thread;
	MUST0(pthread_barrier_init(&released, NULL, 2));
	MUST0(pthread_mutexattr_init(&attr));
	MUST0(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
	MUST0(pthread_mutex_init(&robust_mutex, &attr));
	MUST0(pthread_create(&thread, NULL, dies_holding, NULL));
	while (!robust_held)
		sched_yield();
	ready_and_wait();
	pthread_barrier_wait(&released);
	MUST0(pthread_join(thread, NULL));
	CHECK_EQ(pthread_mutex_lock(&robust_mutex), EOWNERDEAD, "the result of locking the dead thread's mutex");

	/* The kernel refuses a second registration at another address with EBUSY only while the first one stands. */
	static char other[64] __attribute__((aligned(64)));
	long result = syscall(SYS_rseq, other, 32, 0, 0x53053053);
	CHECK(result == -1 && (errno == EINVAL || errno == EBUSY || errno == EPERM),
	      "rseq was not registered any more: a new registration gave %ld, errno %d", result, errno);
}
