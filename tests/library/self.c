/*
 * A program that checkpoints itself by libstasis, in the ways that are hard. It is told one, in a directory of its own, and
 * leaves two files: `original` by the process that went on, `restarted` by the one that an image brought back. Each says
 * "ok", or what was wrong.
 */
#define _GNU_SOURCE
#include <stasis.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../victims/caller/ring.h"

static const char *life = "original";

static void verdict(const char *format, ...)
{
	va_list args;
	FILE *file = fopen(life, "w");
	if (!file)
		_exit(3);
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	fclose(file);
}

#define CHECK(condition, ...)                                         \
	do {                                                          \
		if (!(condition)) {                                   \
			verdict(#condition ": " __VA_ARGS__);         \
			_exit(1);                                     \
		}                                                     \
	} while (0)

/* Of a checkpoint that has to succeed: notes which life this is. */
static int lived(int ret)
{
	CHECK(ret >= 0, "%s", strerror(errno));
	if (ret == 0)
		life = "restarted";
	return ret;
}

static int image(void)
{
	int fd = open("image", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0, "%s", strerror(errno));
	return fd;
}

/* Once there was an image, it has to be the only one that can be found. */
static void no_trace(void)
{
	int status;
	CHECK(waitpid(-1, &status, __WALL) == -1 && errno == ECHILD, "there is a child");
}

/* The caller has 8 busy threads. */
static atomic_ulong counts[8];
static atomic_int stop;

static void *busy(void *count)
{
	while (!stop)
		atomic_fetch_add((atomic_ulong *)count, 1);
	return NULL;
}

static void start_busy(pthread_t threads[8])
{
	for (int i = 0; i < 8; i++)
		CHECK(pthread_create(&threads[i], NULL, busy, &counts[i]) == 0, "thread %d", i);
}

static void end_busy(pthread_t threads[8])
{
	unsigned long before[8];
	for (int i = 0; i < 8; i++)
		before[i] = counts[i];
	for (int i = 0; i < 8; i++)
		while (counts[i] < before[i] + 1000)
			sched_yield();
	stop = 1;
	for (int i = 0; i < 8; i++)
		CHECK(pthread_join(threads[i], NULL) == 0, "thread %d", i);
}

static void threads(void)
{
	pthread_t all[8];
	start_busy(all);
	lived(stasis_checkpoint(0, image(), 0));
	end_busy(all);
	no_trace();
}

/* The call comes from a handler of signals, on a stack of its own. */
static volatile sig_atomic_t handled = -1, handler_errno, children_ended;

static void on_signal(int signal)
{
	(void)signal;
	errno = 77;
	handled = stasis_checkpoint(getpid(), 100, 0);
	handler_errno = errno;
}

static void on_child(int signal)
{
	(void)signal;
	children_ended = 1;
}

static void handler(void)
{
	static char stack[8192];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	sigset_t mask;
	CHECK(dup2(image(), 100) == 100, "dup2");
	CHECK(sigaltstack(&alternate, NULL) == 0, "sigaltstack");
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
	CHECK(signal(SIGCHLD, on_child) != SIG_ERR, "signal");
	raise(SIGUSR1);
	lived(handled);
	CHECK(handler_errno == 77, "errno is %d", (int)handler_errno);
	CHECK(!children_ended, "SIGCHLD came");
	CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGTERM),
	      "signals are blocked");
	no_trace();
}

/* A child is being forked at that moment. */
static atomic_int forks, bad_children;

static void *forking(void *arg)
{
	(void)arg;
	while (!stop) {
		int status = -1;
		pid_t child = fork();
		if (child == 0)
			_exit(7);
		if (child < 0 || waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7)
			bad_children++;
		forks++;
	}
	return NULL;
}

static void fork_beside(void)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, forking, NULL) == 0, "thread");
	enum { TIMES = 50 };
	for (int i = 0; i < TIMES; i++) {
		int fd = image();
		int ret = stasis_checkpoint(0, fd, 0);
		CHECK(ret == i + 1, "%d, %s", ret, strerror(errno));
		close(fd);
	}
	int before = forks;
	while (forks < before + 10)
		sched_yield();
	stop = 1;
	CHECK(pthread_join(thread, NULL) == 0, "join");
	CHECK(!bad_children, "%d children did not end as they should", bad_children);
	int ret = lived(stasis_checkpoint(0, image(), 0));
	CHECK(ret == 0 || ret == TIMES + 1, "identifier %d after %d checkpoints", ret, TIMES);
	no_trace();
}

/* Standard output is the pipe. A thread shows in the file `ticks` that the process is not waiting. */
static void *ticking(void *arg)
{
	int fd = open("ticks", O_CREAT | O_WRONLY, 0600);
	(void)arg;
	while (!stop)
		if (write(fd, ".", 1) != 1)
			break;
		else
			usleep(1000);
	close(fd);
	return NULL;
}

static void slow_pipe(void)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, ticking, NULL) == 0, "thread");
	lived(stasis_checkpoint(0, 1, 0));
	stop = 1;
	CHECK(pthread_join(thread, NULL) == 0, "join");
}

static void full_pipe(void)
{
	static const char junk[4096];
	CHECK(fcntl(1, F_SETFL, O_NONBLOCK) == 0, "fcntl");
	while (write(1, junk, sizeof(junk)) > 0)
		;
	CHECK(errno == EAGAIN, "%s", strerror(errno));
	FILE *file = fopen("full", "w");
	CHECK(file && fclose(file) == 0, "the file that says so");
	slow_pipe();
}

static void closed_pipe(void)
{
	/* Whoever made the pipe closes its end and says so. */
	char byte;
	CHECK(read(0, &byte, 1) == 0, "the word to go on");
	for (int i = 0; i < 3; i++)
		CHECK(stasis_checkpoint(0, 1, 0) == -1 && errno == EPIPE, "%s", strerror(errno));
	close(1);
	int ret = lived(stasis_checkpoint(0, image(), 0));
	CHECK(ret <= 1, "a failure took an identifier, this is number %d", ret);
}

/* The reader of the pipe is a thread of the process itself. */
static int ends[2];

static void *reading(void *arg)
{
	char buffer[4096];
	ssize_t got;
	int fd = image();
	(void)arg;
	while ((got = read(ends[0], buffer, sizeof(buffer))) > 0)
		CHECK(write(fd, buffer, got) == got, "%s", strerror(errno));
	close(fd);
	return NULL;
}

static void own_reader(void)
{
	pthread_t thread;
	CHECK(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
	CHECK(pthread_create(&thread, NULL, reading, NULL) == 0, "thread");
	int ret = stasis_checkpoint(0, ends[1], 0);
	CHECK(ret >= 0, "%s", strerror(errno));
	close(ends[1]);
	/* The thread of the restarted process would write into `image` too. */
	CHECK(pthread_join(thread, NULL) == 0, "join");
	if (ret == 0)
		life = "restarted";
}

/* The helper is killed meanwhile. */
static void helper_killed(void)
{
	int ret = stasis_checkpoint(0, 1, 0);
	CHECK(ret == -1 && errno == EIO, "%d, %s", ret, strerror(errno));
	no_trace();
	lived(stasis_checkpoint(0, image(), 0));
}

/* Several threads at once. */
enum { EACH = 10 };
static int identifiers[4][EACH];

static void *saving(void *list)
{
	int *ids = list, fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (int i = 0; i < EACH; i++) {
		ids[i] = stasis_checkpoint(0, fd, 0);
		CHECK(ids[i] > 0, "%d, %s", ids[i], strerror(errno));
	}
	return NULL;
}

static void at_once(void)
{
	pthread_t threads[4];
	char seen[4 * EACH + 1] = { 0 };
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, saving, identifiers[i]) == 0, "thread");
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0, "join");
	for (int i = 0; i < 4 * EACH; i++) {
		int id = identifiers[i / EACH][i % EACH];
		CHECK(id <= 4 * EACH && !seen[id], "identifier %d", id);
		seen[id] = 1;
	}
	int ret = lived(stasis_checkpoint(0, image(), 0));
	CHECK(ret == 0 || ret == 4 * EACH + 1, "identifier %d", ret);
	/* It counts on in the second life. */
	if (ret == 0)
		CHECK(stasis_checkpoint(0, open("/dev/null", O_WRONLY), 0) == 4 * EACH + 2, "%s", strerror(errno));
}

/* A thousand in a row. */
struct footprint {
	int descriptors, tasks, mappings;
	long size;
};

static int entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;
	CHECK(dir, "%s", path);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static struct footprint footprint(void)
{
	struct footprint now = { .descriptors = entries("/proc/self/fd"), .tasks = entries("/proc/self/task") };
	FILE *maps = fopen("/proc/self/maps", "r");
	for (int c; (c = getc(maps)) != EOF;)
		now.mappings += c == '\n';
	fclose(maps);
	FILE *statm = fopen("/proc/self/statm", "r");
	CHECK(statm && fscanf(statm, "%ld", &now.size) == 1, "statm");
	fclose(statm);
	return now;
}

static void thousand(void)
{
	int fd = image();
	struct footprint before = { 0 };
	for (int i = 1; i <= 1001; i++) {
		CHECK(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0, "%s", strerror(errno));
		int ret = lived(stasis_checkpoint(0, fd, 0));
		if (ret == 0)
			return;
		CHECK(ret == i, "identifier %d of checkpoint %d", ret, i);
		if (i == 1)
			before = footprint();
	}
	struct footprint after = footprint();
	CHECK(before.descriptors == after.descriptors, "%d, %d", before.descriptors, after.descriptors);
	CHECK(before.tasks == after.tasks, "%d, %d", before.tasks, after.tasks);
	CHECK(before.mappings == after.mappings, "%d, %d", before.mappings, after.mappings);
	CHECK(before.size == after.size, "%ld, %ld pages", before.size, after.size);
	no_trace();
}

/* What is no image: nothing of the caller changes. The files that are none follow on the command line, each behind the
 * name of its error. */
static void no_image(char **files)
{
	pthread_t all[8];
	start_busy(all);
	for (; files[0]; files += 2) {
		int wanted = strcmp(files[0], "EPIPE") ? EINVAL : EPIPE;
		int fd = open(files[1], O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0, "%s", files[1]);
		int ret = stasis_restart(1, fd, 0);
		CHECK(ret == -1 && errno == wanted, "%s: %d, %s", files[1], ret, strerror(errno));
		CHECK(close(fd) == 0, "%s", files[1]);
	}
	end_busy(all);
	no_trace();
}

/* What is said before anything is done. */
static void mistakes(void)
{
	int fd = image();
	CHECK(stasis_checkpoint(0, fd, 1) == -1 && errno == EINVAL, "%s", strerror(errno));
	CHECK(stasis_restart(0, fd, 1ul << 63) == -1 && errno == EINVAL, "%s", strerror(errno));
	CHECK(stasis_checkpoint(0, -1, 2) == -1 && errno == EINVAL, "%s", strerror(errno));
	CHECK(stasis_checkpoint(0, -1, 0) == -1 && errno == EBADF, "%s", strerror(errno));
	CHECK(stasis_checkpoint(0, 77, 0) == -1 && errno == EBADF, "%s", strerror(errno));
	CHECK(stasis_restart(1, -1, 0) == -1 && errno == EBADF, "%s", strerror(errno));
	CHECK(stasis_checkpoint(-5, fd, 0) == -1 && errno == ESRCH, "%s", strerror(errno));
	CHECK(stasis_checkpoint(0x7fffffff, fd, 0) == -1 && errno == ESRCH, "%s", strerror(errno));
	CHECK(setenv("STASIS_REV", "3", 1) == 0, "setenv");
	CHECK(stasis_checkpoint(0, fd, 0) == -1 && errno == EINVAL, "%s", strerror(errno));
	CHECK(unsetenv("STASIS_REV") == 0, "unsetenv");
	char *path = strdup(getenv("STASIS_PATH"));
	CHECK(setenv("STASIS_PATH", "/nonexistent/stasis", 1) == 0, "setenv");
	CHECK(stasis_checkpoint(0, fd, 0) == -1 && errno == ENOSYS, "%s", strerror(errno));
	CHECK(setenv("STASIS_PATH", "/etc/passwd", 1) == 0, "setenv");
	CHECK(stasis_checkpoint(0, fd, 0) == -1 && errno == EACCES, "%s", strerror(errno));
	CHECK(setenv("STASIS_PATH", "/bin/true", 1) == 0, "setenv");
	CHECK(stasis_checkpoint(0, fd, 0) == -1 && errno == EIO, "%s", strerror(errno));
	CHECK(setenv("STASIS_PATH", path, 1) == 0, "setenv");
	CHECK(lseek(fd, 0, SEEK_END) == 0, "a failure left something in the file");
	no_trace();
	int ret = lived(stasis_checkpoint(0, fd, 0));
	CHECK(ret <= 1, "identifier %d", ret);
}

/* A process that others may not trace. */
static void undumpable(void)
{
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0, "prctl");
	lived(stasis_checkpoint(0, image(), 0));
	CHECK(prctl(PR_GET_DUMPABLE) == 0, "it may be traced now");
}

/* With a child and a grandchild, who come back too. */
static void family(void)
{
	struct ring ring = make_ring();
	CHECK(once_around(&ring, 10) == 12, "the ring does not go around");
	lived(stasis_checkpoint(0, image(), 0));
	CHECK(once_around(&ring, 20) == 22, "the ring does not go around any more");
	CHECK(end_ring(&ring) == 5, "the exit codes of the family");
	no_trace();
}

/* Another process: a child. */
static void child(void)
{
	int status, fd = image();
	pid_t pid = fork();
	CHECK(pid >= 0, "fork");
	if (pid == 0) {
		life = "restarted";
		for (;;)
			if (access("go", F_OK) == 0) {
				verdict("ok");
				_exit(0);
			} else {
				usleep(1000);
			}
	}
	int ret = stasis_checkpoint(pid, fd, 0);
	CHECK(ret == 1, "%d, %s", ret, strerror(errno));
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid, "the child");
}

/* Revision 1: the name of the caller, there and back. */
static void revision_1(void)
{
	char name[16];
	unsigned int state = ~0u;
	int fd = open("image", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	CHECK(setenv("STASIS_REV", "1", 1) == 0, "setenv");
	CHECK(prctl(PR_SET_NAME, "first") == 0, "prctl");
	CHECK(stasis_checkpoint(0, fd, 0) == 1, "%s", strerror(errno));
	CHECK(lseek(fd, 0, SEEK_CUR) == 304, "the length");
	/* The first field behind the headers of HEAD and TASK, and HEAD: the caller runs. */
	CHECK(pread(fd, &state, sizeof(state), 8 + 224 + 8) == sizeof(state) && state == 0, "state %u", state);
	CHECK(prctl(PR_SET_NAME, "second") == 0 && lseek(fd, 0, SEEK_SET) == 0, "prctl");
	CHECK(stasis_restart(1, fd, 0) == 0, "%s", strerror(errno));
	CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "first") == 0, "the name is %s", name);
	CHECK(lseek(fd, 0, SEEK_CUR) == 304, "bytes behind the image were taken");
	CHECK(stasis_restart(1, fd, 0) == -1 && errno == EPIPE, "%s", strerror(errno));
	CHECK(stasis_checkpoint(0, fd, 0) == 2, "%s", strerror(errno));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} ways[] = {
		{ "threads", threads },	      { "handler", handler },	    { "fork", fork_beside },
		{ "slow-pipe", slow_pipe },   { "full-pipe", full_pipe },   { "closed-pipe", closed_pipe },
		{ "own-reader", own_reader }, { "thousand", thousand },	    { "mistakes", mistakes },
		{ "helper-killed", helper_killed }, { "at-once", at_once },
		{ "undumpable", undumpable }, { "child", child },	    { "revision-1", revision_1 },
		{ "family", family },
	};
	const char *name = argc > 1 ? argv[1] : "";
	if (strcmp(name, "no-image") == 0) {
		no_image(argv + 2);
		verdict("ok");
		return 0;
	}
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(name, ways[i].name) == 0) {
			ways[i].run();
			verdict("ok");
			return 0;
		}
	return 2;
}
