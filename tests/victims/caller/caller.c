/* A program that makes the calls checkpoint and restart by number, and says what they return. The first argument names
 * what it does. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ring.h"

/* The number of a call: the usual one unless the environment says otherwise. */
static long number(const char *name, long usual)
{
	const char *other = getenv(name);
	return other ? atol(other) : usual;
}

static long checkpoint(int pid, int fd, unsigned long flags)
{
	long ret = syscall(number("NR_CHECKPOINT", 1454), pid, fd, flags);
	return ret < 0 ? -errno : ret;
}

static long restart(int crid, int fd, unsigned long flags)
{
	long ret = syscall(number("NR_RESTART", 1455), crid, fd, flags);
	return ret < 0 ? -errno : ret;
}

static void say(const char *what, long value)
{
	printf("%s %ld\n", what, value);
	fflush(stdout);
}

static int image(int flags)
{
	return open("image", flags | O_CLOEXEC, 0600);
}

enum { NEW = O_RDWR | O_CREAT | O_TRUNC };

static atomic_long turns[8];

static void *spin(void *arg)
{
	atomic_long *count = arg;
	for (;;)
		++*count;
	return NULL;
}

static void busy(void)
{
	for (int i = 0; i < 8; i++) {
		pthread_t thread;
		pthread_create(&thread, NULL, spin, &turns[i]);
	}
}

/* Whether all eight threads go on. */
static long all_turn(void)
{
	long going = 0;
	for (int i = 0; i < 8; i++) {
		long before = turns[i];
		while (turns[i] == before)
			sched_yield();
		going++;
	}
	return going;
}

static long open_descriptors(void)
{
	long count = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void on_signal(int signo)
{
	(void)signo;
	say("in the handler", checkpoint(0, image(NEW), 0));
}

static void *drain(void *arg)
{
	int *ends = arg, out = image(NEW);
	char byte[512];
	ssize_t n;
	while ((n = read(ends[0], byte, sizeof(byte))) > 0)
		if (write(out, byte, n) != n)
			_exit(9);
	return NULL;
}

/* A thread of the caller itself reads what the call writes. */
static void through_pipe(int flags)
{
	static int ends[2];
	pthread_t reader;
	pipe2(ends, O_CLOEXEC | flags);
	fcntl(ends[0], F_SETFL, 0);
	pthread_create(&reader, NULL, drain, ends);
	long ret = checkpoint(0, ends[1], 0);
	say("checkpoint", ret);
	if (ret == 0)
		exit(7);
	close(ends[1]);
	pthread_join(reader, NULL);
}

static void errors(void)
{
	int broken[2];
	pipe(broken);
	close(broken[0]);
	say("a flag", checkpoint(0, 1, 1));
	say("a flag and no descriptor", checkpoint(0, 99, 1));
	say("no descriptor", checkpoint(0, 99, 0));
	say("no process", checkpoint(4194305, 1, 0));
	say("somebody else's process", checkpoint(1, image(NEW), 0));
	say("a closed pipe", checkpoint(0, broken[1], 0));
	say("a flag of restart", restart(1, image(O_RDONLY), 1));
	say("no descriptor of restart", restart(1, 99, 0));
	say("an image that is not kept", restart(1, -1, 0));
	say("an empty image", restart(1, open("/dev/null", O_RDONLY), 0));
	say("garbage", restart(1, open("/dev/zero", O_RDONLY), 0));
	/* After all that it can still be saved, and has lost nothing. */
	say("threads that go on", all_turn());
	say("checkpoint", checkpoint(0, image(NEW), 0) > 0);
}

static void forks(void)
{
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();
		if (!child) {
			long ret = checkpoint(0, image(NEW), 0);
			_exit(ret > 0 ? 0 : ret == 0 ? 7 : 1);
		}
		int status;
		waitpid(child, &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			say("a child ended with", status);
			exit(1);
		}
	}
	say("children that were saved", 20);
}

/* A child is being forked all the time while another thread asks. */
static void *fork_on(void *arg)
{
	(void)arg;
	for (;;) {
		pid_t child = fork();
		if (!child)
			_exit(0);
		waitpid(child, NULL, 0);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	if (!strcmp(what, "save")) {
		prctl(PR_SET_NAME, "first");
		FILE *log = fopen("log", "a");
		int second = dup(fileno(log));
		dprintf(second, "line\n");
		busy();
		long ret = checkpoint(0, image(NEW), 0);
		dprintf(second, "ret = %ld\n", ret);
		say("threads that go on", all_turn());
		char name[16];
		prctl(PR_GET_NAME, name);
		printf("name %s\n", name);
		return ret == 0 ? 7 : 0;
	} else if (!strcmp(what, "load")) {
		say("pid", getpid());
		say("restart", restart(1, image(O_RDONLY), 0));
		char name[16];
		prctl(PR_GET_NAME, name);
		printf("name %s\n", name);
		return 1;
	} else if (!strcmp(what, "load-as-nobody")) {
		if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
			return 2;
		say("pid", getpid());
		say("restart", restart(1, image(O_RDONLY), 0));
		return 1;
	} else if (!strcmp(what, "save-as-nobody")) {
		int fd = image(NEW);
		fchmod(fd, 0666);
		if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
			return 2;
		long ret = checkpoint(0, fd, 0);
		say("checkpoint", ret);
		say("uid", getuid());
		return ret == 0 ? 7 : 0;
	} else if (!strcmp(what, "handler")) {
		signal(SIGUSR1, on_signal);
		raise(SIGUSR1);
		say("behind the handler", 1);
	} else if (!strcmp(what, "pipe")) {
		through_pipe(0);
	} else if (!strcmp(what, "full-pipe")) {
		through_pipe(O_NONBLOCK);
	} else if (!strcmp(what, "stdout")) {
		long ret = checkpoint(0, 1, 0);
		fprintf(stderr, "ret = %ld\n", ret);
		return ret == 0 ? 7 : 0;
	} else if (!strcmp(what, "errors")) {
		busy();
		errors();
	} else if (!strcmp(what, "keep")) {
		int lives = 0;
		for (int i = 1; i <= 3; i++)
			say("checkpoint", checkpoint(0, image(NEW), 0));
		/* Not in any image: the offset of the file is shared by all lives. */
		int file = open("lives", O_RDWR | O_CREAT | O_APPEND, 0600);
		lives = lseek(file, 0, SEEK_END);
		write(file, "x", 1);
		if (lives < 2) {
			say("the oldest", restart(1, -1, 0));
			say("restart", restart(3, -1, 0));
			return 1;
		}
		say("lives", lives);
	} else if (!strcmp(what, "thousand")) {
		long before = open_descriptors(), ret = 0;
		for (int i = 0; i < 1000; i++) {
			int fd = image(NEW);
			ret = checkpoint(0, fd, 0);
			close(fd);
			if (ret != i + 1)
				break;
		}
		say("checkpoint", ret);
		say("descriptors too many", open_descriptors() - before);
		say("children", waitpid(-1, NULL, WNOHANG) == -1 ? -errno : 1);
		getchar();
	} else if (!strcmp(what, "forks")) {
		forks();
	} else if (!strcmp(what, "fork-meanwhile")) {
		pthread_t thread;
		pthread_create(&thread, NULL, fork_on, NULL);
		long done = 0;
		for (int i = 0; i < 200 && !done; i++) {
			long ret = checkpoint(0, image(NEW), 0);
			if (ret <= 0)
				say("checkpoint", ret);
			done = ret > 0;
		}
		say("went on", 1);
		_exit(0);
	} else if (!strcmp(what, "child")) {
		int told[2];
		pipe2(told, O_CLOEXEC);
		pid_t child = fork();
		if (!child) {
			close(0), close(told[0]), close(told[1]);
			for (;;)
				pause();
		}
		say("checkpoint", checkpoint(child, image(NEW), 0));
		kill(child, SIGKILL);
	} else if (!strcmp(what, "family") || !strcmp(what, "family-as-nobody")) {
		/* With a child and a grandchild, in both lives. */
		int fd = image(NEW);
		fchmod(fd, 0666);
		if (what[6] && (setgroups(0, NULL) || setgid(65534) || setuid(65534)))
			return 2;
		/* Children of a process that gave up rights are out of its user's reach unless it says otherwise. */
		prctl(PR_SET_DUMPABLE, 1);
		struct ring ring = make_ring();
		long ret = checkpoint(0, fd, 0);
		say("around", once_around(&ring, 20));
		say("the child's exit code", end_ring(&ring));
		say("children", waitpid(-1, NULL, 0) == -1 ? -errno : 1);
		return ret == 0 ? 7 : 0;
	} else if (!strcmp(what, "family-alive")) {
		/* The children in the image are still there when they are to come back. */
		struct ring ring = make_ring();
		long ret = checkpoint(0, image(NEW), 0);
		if (ret == 0)
			return 7;
		say("restart", restart(1, image(O_RDONLY), 0));
		say("around", once_around(&ring, 30));
		say("the child's exit code", end_ring(&ring));
		/* Now their ids are free, and the next life begins. */
		say("restart", restart(1, image(O_RDONLY), 0));
	} else if (!strcmp(what, "setuid-child")) {
		/* The child gains rights that we have given up. */
		int fd = image(NEW), begun[2], ends[2];
		char byte;
		pipe2(begun, O_CLOEXEC);
		pipe2(ends, O_CLOEXEC);
		if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
			return 2;
		pid_t child = fork();
		if (!child) {
			/* Beyond our signals, it ends with us. */
			dup2(ends[0], 0), close(1), close(2);
			execl("./setuid", "cat", NULL);
			_exit(1);
		}
		close(begun[1]);
		read(begun[0], &byte, 1);
		close(begun[0]);
		say("the child", checkpoint(child, fd, 0));
		say("all of us", checkpoint(0, fd, 0));
		say("not empty", lseek(fd, 0, SEEK_END));
		return 0;
	} else if (!strcmp(what, "subtree")) {
		/* A child with a family of its own. */
		sigset_t go;
		int status;
		sigemptyset(&go);
		sigaddset(&go, SIGUSR1);
		sigprocmask(SIG_BLOCK, &go, NULL);
		pid_t child = fork();
		if (!child) {
			struct ring ring = make_ring();
			kill(getppid(), SIGUSR1);
			sigwaitinfo(&go, NULL);
			FILE *verdict = fopen("verdict", "w");
			long number = once_around(&ring, 40);
			fprintf(verdict, "around %ld, exit code %d\n", number, end_ring(&ring));
			fclose(verdict);
			_exit(8);
		}
		sigwaitinfo(&go, NULL);
		say("checkpoint", checkpoint(child, image(NEW), 0));
		kill(child, SIGUSR1);
		waitpid(child, &status, 0);
		say("the child's exit code", WEXITSTATUS(status));
	} else if (!strcmp(what, "alone")) {
		say("checkpoint", checkpoint(0, image(NEW), 0));
		getchar();
		say("checkpoint", checkpoint(0, image(NEW), 0));
		say("restart", restart(0, image(O_RDONLY), 0));
	} else {
		return 3;
	}
	return 0;
}
