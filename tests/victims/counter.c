/*
 * Writes numbered lines as fast as it can until told to stop: a gap, a repeat or a torn line would show that the
 * checkpoint was not a moment.
 */
#include "victim.h"

static volatile sig_atomic_t stop;

static void on_go(int sig)
{
	(void)sig;
	stop = 1;
}

static void *spin(void *arg)
{
	uint64_t *count = arg;
	while (!stop)
		__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
	return NULL;
}

KIND(counter, "a thread that counts and one that writes numbered lines to `log`, until told to stop")
{
	static uint64_t count;
	struct sigaction action = { .sa_handler = on_go, .sa_flags = SA_RESTART };
	sigset_t go;
	pthread_t thread;
	char line[64];
	int fd = MUST(open("log", O_WRONLY | O_CREAT | O_TRUNC, 0666));
	MUST(sigaction(SIGUSR1, &action, NULL));
	sigemptyset(&go);
	sigaddset(&go, SIGUSR1);
	MUST0(pthread_create(&thread, NULL, spin, &count));
	MUST0(pthread_sigmask(SIG_UNBLOCK, &go, NULL));
	say_ready();
	for (unsigned long number = 1; !stop; number++) {
		int length = snprintf(line, sizeof(line), "%lu\n", number);
		/* A short write would be an interruption that the program can see. */
		ssize_t wrote = write(fd, line, length);
		CHECK(wrote == length, "line %lu: write gave %zd, errno %d", number, wrote, errno);
		/* A file that does not grow by megabytes while a test looks at it. */
		struct timespec pause = { .tv_nsec = 200000 };
		int slept = nanosleep(&pause, NULL);
		CHECK(slept == 0 || stop, "line %lu: nanosleep was interrupted, errno %d", number, errno);
	}
	MUST0(pthread_join(thread, NULL));
}
