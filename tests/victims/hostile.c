/* Targets that cannot or must not be checkpointed. */
#include "victim.h"
#include <sys/socket.h>
#include <sys/fanotify.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

KIND(tracer, "traces a child of its own; the child's pid is in `child`")
{
	pid_t child = MUST(fork());
	if (!child) {
		/* The pipe to the harness, among others, is the parent's. */
		close_range(3, ~0U, 0);
		for (;;)
			pause();
	}
	MUST(ptrace(PTRACE_SEIZE, child, NULL, NULL));
	FILE *file = fopen("child", "w");
	fprintf(file, "%d\n", child);
	fclose(file);
	ready_and_wait();
	/* Still ours: a checkpoint that was refused must not have taken the child away. */
	CHECK_EQ(ptrace(PTRACE_INTERRUPT, child, NULL, NULL), 0, "interrupting the traced child");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

KIND(zombie, "has a child that ended and was not waited for; its pid is in `child`")
{
	siginfo_t info;
	pid_t child = MUST(fork());
	if (!child)
		_exit(3);
	MUST(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	FILE *file = fopen("child", "w");
	fprintf(file, "%d\n", child);
	fclose(file);
	ready_and_wait();
	int status = 0;
	CHECK_EQ(waitpid(child, &status, 0), child, "waiting for the zombie");
	CHECK_EQ(WEXITSTATUS(status), 3, "its status");
}

KIND(unsupported, "holds two descriptors that cannot be carried over (fanotify)")
{
	int fanotify = MUST(fanotify_init(FAN_CLOEXEC | FAN_REPORT_FID, 0));
	int other = MUST(fanotify_init(FAN_CLOEXEC | FAN_REPORT_FID | FAN_NONBLOCK, 0));
	CHECK(fanotify >= 0 && other >= 0, "the set-up");
	ready_and_wait();
}

KIND(othername, "a file that was deleted under the name it was opened by, and lives on under another")
{
	int fd = MUST(open("first-name", O_RDWR | O_CREAT | O_TRUNC, 0600));
	MUST(link("first-name", "other-name"));
	MUST(unlink("first-name"));
	ready_and_wait();
	CHECK_EQ(write(fd, "x", 1), 1, "writing to it");
}

KIND(lonely, "a child that may be killed at any time")
{
	pid_t child = MUST(split());
	if (child == 0)
		for (;;)
			pause();
	ready_and_wait();
	int status;
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, &status, 0), child, "the child that was waited for");
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "its status is %#x", status);
}

KIND(vforked, "in the middle of a vfork, whose child is to be killed")
{
	pid_t child = vfork();
	if (child == 0) {
		say_ready();
		for (;;)
			pause();
	}
	int status;
	CHECK_EQ(waitpid(child, &status, 0), child, "the child of vfork");
	wait_for_go();
}

KIND(sharedpipe, "both ends of a pipe and of a socket pair, which a child has too; the child's pid is in `child`")
{
	int ends[2], told[2], pair[2];
	MUST(pipe2(ends, O_CLOEXEC));
	MUST(pipe2(told, O_CLOEXEC));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid_t child = MUST(fork());
	if (!child) {
		close_range(0, ends[0] - 1, 0);
		char byte;
		close(told[1]);
		_exit(read(told[0], &byte, 1) != 0 || write(ends[1], "x", 1) != 1);
	}
	close(told[0]);
	FILE *file = fopen("child", "w");
	fprintf(file, "%d\n", child);
	fclose(file);
	ready_and_wait();
	/* Nothing was taken from either: the child writes into what is still our pipe. */
	close(told[1]);
	char byte = 0;
	CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x', "what the child writes");
	waitpid(child, NULL, 0);
	CHECK_EQ(write(pair[0], "y", 1), 1, "a write to a socket");
	CHECK(read(pair[1], &byte, 1) == 1 && byte == 'y', "what came through a socket");
}
