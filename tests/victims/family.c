/* Several processes: who is whose child, in which session and group, what they share by fork(2), and the dead. */
#include "victim.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

/* What a child waits on until the root has been told to go on: the end of this pipe. */
static int gate[2];

static void open_gate(void)
{
	MUST(pipe(gate));
}

/* In a child: says that it is set up, by a byte in `told`, and waits for the root. */
static void told_and_wait(int told)
{
	char byte = 0;
	close(gate[1]);
	MUST(write(told, &byte, 1));
	CHECK_EQ(read(gate[0], &byte, 1), 0, "the end of the gate");
}

/* In the root: waits until `n` processes are set up. */
static void all_told(int told, int n)
{
	char byte;
	while (n--)
		MUST(read(told, &byte, 1));
}

/* In the root: lets the children go on. */
static void let_go(void)
{
	close(gate[1]);
	close(gate[0]);
}

/* The exit code of a child, -1 for another end, as waitpid(2) tells it. */
static int end_of(pid_t pid)
{
	int status = 0;
	pid_t got;
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	CHECK_EQ(got, pid, "the child that was waited for");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

KIND(tree, "children and a grandchild with their ids, a pipe between each, exit codes")
{
	enum { CHILDREN = 3 };
	int told[2], talk[CHILDREN][2], back[2];
	pid_t children[CHILDREN], root = getpid();
	open_gate();
	MUST(pipe(told));
	MUST(pipe(back));
	for (int i = 0; i < CHILDREN; i++) {
		MUST(pipe(talk[i]));
		children[i] = MUST(split());
		if (children[i] == 0) {
			char text[8];
			pid_t self = getpid(), grandchild = -1;
			char *heap = malloc(100000);
			fill(heap, 100000, i);
			if (i == 1) {
				grandchild = MUST(split());
				if (grandchild == 0) {
					told_and_wait(told[1]);
					CHECK_EQ(getppid(), self, "the parent of a grandchild");
					CHECK(filled(heap, 100000, i), "the memory of a grandchild");
					MUST(write(back[1], "g", 1));
					_exit(40);
				}
			}
			told_and_wait(told[1]);
			CHECK_EQ(getpid(), self, "the id of a child");
			CHECK_EQ(getppid(), root, "the parent of a child");
			CHECK_EQ(read(talk[i][0], text, 8), 3, "what the root says to a child");
			CHECK(filled(heap, 100000, i), "the memory of a child");
			if (grandchild >= 0)
				CHECK_EQ(end_of(grandchild), 40, "the exit code of a grandchild");
			MUST(write(back[1], "c", 1));
			_exit(20 + i);
		}
		MUST(write(talk[i][1], "old", 3));
	}
	all_told(told[0], CHILDREN + 1);

	ready_and_wait();

	CHECK_EQ(getpid(), root, "the id of the root");
	let_go();
	char bytes[8];
	for (int got = 0; got < CHILDREN + 1;)
		got += MUST(read(back[0], bytes, sizeof(bytes)));
	for (int i = 0; i < CHILDREN; i++)
		CHECK_EQ(end_of(children[i]), 20 + i, "the exit code of a child");
	CHECK(waitpid(-1, NULL, 0) < 0 && errno == ECHILD, "there are more children than there were");
}

KIND(zombies, "children that have ended, by themselves and by signals, and SIGCHLD in the queue")
{
	sigset_t chld;
	siginfo_t info;
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	pid_t exited = MUST(split());
	if (exited == 0) {
		prctl(PR_SET_NAME, "the late");
		_exit(3);
	}
	MUST(waitid(P_PID, exited, &info, WEXITED | WNOWAIT));
	MUST(sigwaitinfo(&chld, &info));
	pid_t killed = MUST(split());
	if (killed == 0) {
		raise(SIGTERM);
		_exit(1);
	}
	MUST(waitid(P_PID, killed, &info, WEXITED | WNOWAIT));
	/* The first SIGCHLD was taken, this one is in the queue. */
	pid_t quiet = MUST(syscall(SYS_clone, 0, 0, 0, 0, 0));
	if (quiet == 0)
		_exit(9);
	MUST(waitid(P_PID, quiet, &info, WEXITED | WNOWAIT | __WALL));

	ready_and_wait();

	sigset_t pending;
	int status;
	MUST(sigpending(&pending));
	CHECK(sigismember(&pending, SIGCHLD), "the SIGCHLD in the queue is gone");
	CHECK_EQ(sigwaitinfo(&chld, &info), SIGCHLD, "the signal in the queue");
	CHECK_EQ(info.si_pid, killed, "the child that the signal is about");
	CHECK_EQ(info.si_code, CLD_KILLED, "the code of the signal");
	MUST(sigpending(&pending));
	CHECK(!sigismember(&pending, SIGCHLD), "a SIGCHLD that had been taken came again");
	CHECK_EQ(end_of(exited), 3, "the exit code of a child that had ended");
	CHECK_EQ(waitpid(killed, &status, 0), killed, "the child that had been killed");
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "its status is %#x", status);
	CHECK_EQ(waitpid(quiet, &status, __WALL), quiet, "the child that ends without a signal");
	CHECK_EQ(status, 9 << 8, "its status");
	CHECK(waitpid(-1, NULL, __WALL) < 0 && errno == ECHILD, "a child came from nowhere");
}

struct place {
	pid_t pid, group, session;
};

/* What a process of the kind "sessions" checks of itself; numbers of the outer session are not the same afterwards. */
static void check_place(const struct place *was, const char *who, bool group, bool session)
{
	CHECK_EQ(getpid(), was->pid, who);
	if (group)
		CHECK(getpgrp() == was->group, "%s is in group %d, was in %d", who, getpgrp(), was->group);
	if (session)
		CHECK(getsid(0) == was->session, "%s is in session %d, was in %d", who, getsid(0), was->session);
}

static struct place here(void)
{
	return (struct place){ getpid(), getpgrp(), getsid(0) };
}

KIND(sessions, "a session led by the root, a child from before it, groups with and without a leader")
{
	int told[2];
	open_gate();
	MUST(pipe(told));
	/* Born into the session of before; neither it nor its child can follow the root into the new one. */
	pid_t elder = MUST(split());
	if (elder == 0) {
		pid_t child = MUST(split());
		struct place was = here();
		told_and_wait(told[1]);
		check_place(&was, "one of the session of before", false, false);
		CHECK(getsid(0) != getppid(), "a child of before is in the session of the root");
		_exit(child == 0 ? 5 : end_of(child));
	}
	if (getsid(0) != getpid())
		MUST(setsid());
	pid_t leader = MUST(split());
	if (leader == 0) {
		MUST(setsid());
		struct place was = here();
		pid_t member = MUST(split());
		if (member == 0) {
			was = here();
			told_and_wait(told[1]);
			check_place(&was, "a member of a session", true, true);
			_exit(6);
		}
		told_and_wait(told[1]);
		check_place(&was, "the leader of a session", true, true);
		_exit(end_of(member));
	}
	pid_t group = MUST(split());
	if (group == 0) {
		MUST(setpgid(0, 0));
		struct place was = here();
		told_and_wait(told[1]);
		check_place(&was, "the leader of a group", true, true);
		_exit(7);
	}
	/* Its leader comes and goes, as the first process of a pipeline does. */
	int ready[2];
	MUST(pipe(ready));
	pid_t gone = MUST(split());
	if (gone == 0) {
		MUST(setpgid(0, 0));
		close(ready[1]);
		char byte;
		_exit(read(ready[0], &byte, 1) != 0);
	}
	setpgid(gone, gone);
	pid_t bereft = MUST(split());
	if (bereft == 0) {
		MUST(setpgid(0, gone));
		close(ready[0]);
		close(ready[1]);
		struct place was = here();
		told_and_wait(told[1]);
		check_place(&was, "a member of a group without a leader", true, true);
		_exit(8);
	}
	struct place was = here();
	all_told(told[0], 6);
	close(ready[0]);
	close(ready[1]);
	CHECK_EQ(end_of(gone), 0, "the exit code of the leader that goes");

	ready_and_wait();

	check_place(&was, "the root", true, true);
	CHECK_EQ(getpgid(bereft), gone, "the group of a child without a leader");
	let_go();
	CHECK_EQ(end_of(elder), 5, "the end of the session of before");
	CHECK_EQ(end_of(leader), 6, "the end of the session of its own");
	CHECK_EQ(end_of(group), 7, "the end of the leader of a group");
	CHECK_EQ(end_of(bereft), 8, "the end of the member of a group without one");
}

KIND(inherited, "descriptors from before a fork: offset, lock, pipe, eventfd, and an epoll with a signalfd")
{
	int told[2], words[2];
	char text[32] = "";
	uint64_t count;
	open_gate();
	MUST(pipe(told));
	MUST(pipe(words));
	MUST(write(words[1], "in the pipe", 11));
	int file = MUST(open("shared", O_RDWR | O_CREAT | O_TRUNC, 0600));
	MUST(write(file, "0123456789", 10));
	MUST(lseek(file, 2, SEEK_SET));
	MUST(flock(file, LOCK_EX));
	int counter = MUST(eventfd(3, 0));
	sigset_t usr2;
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	sigprocmask(SIG_BLOCK, &usr2, NULL);

	pid_t child = MUST(split());
	if (child == 0) {
		int own = MUST(open("shared", O_RDONLY));
		int signals = MUST(signalfd(-1, &usr2, SFD_NONBLOCK));
		int epoll = MUST(epoll_create1(0));
		struct epoll_event event = { .events = EPOLLIN, .data.u64 = 77 };
		MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, signals, &event));
		told_and_wait(told[1]);
		/* The root has moved the offset on by two. */
		CHECK_EQ(read(file, text, 2), 2, "a read through a shared offset");
		CHECK(!memcmp(text, "45", 2), "a shared offset is not: read %.2s", text);
		CHECK_EQ(read(own, text, 1), 1, "a read through an offset of one's own");
		CHECK(text[0] == '0', "an offset of one's own was moved: read %c", text[0]);
		CHECK_EQ(flock(own, LOCK_EX | LOCK_NB), -1, "a lock that is held by somebody else");
		CHECK_EQ(flock(file, LOCK_EX | LOCK_NB), 0, "a lock that is held together");
		count = 4;
		MUST(write(counter, &count, 8));
		kill(getpid(), SIGUSR2);
		CHECK_EQ(epoll_wait(epoll, &event, 1, 10000), 1, "a signal seen by epoll");
		CHECK_EQ(event.data.u64, 77, "the data of an epoll registration");
		_exit(11);
	}
	all_told(told[0], 1);

	ready_and_wait();

	CHECK_EQ(read(file, text, 2), 2, "a read of the root");
	CHECK(!memcmp(text, "23", 2), "the offset of a file is wrong: read %.2s", text);
	let_go();
	CHECK_EQ(end_of(child), 11, "the exit code of the child");
	CHECK_EQ(lseek(file, 0, SEEK_CUR), 6, "the offset that the child moved");
	CHECK_EQ(read(counter, &count, 8), 8, "a read of an eventfd");
	CHECK_EQ(count, 7, "the count of a shared eventfd");
	CHECK_EQ(read(words[0], text, 32), 11, "the content of a pipe");
	close(words[1]);
	CHECK_EQ(read(words[0], text, 32), 0, "the end of a pipe whose writers are gone");
}

KIND(sharedmem, "memory that parent and child share: anonymous, a memfd, a mutex between them")
{
	struct shared {
		pthread_mutex_t mutex;
		volatile int turns;
		char bytes[8000];
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die(__FILE__, __LINE__, "mmap");
	int told[2], memfd = MUST(syscall(SYS_memfd_create, "both", 0));
	MUST(ftruncate(memfd, 4096));
	char *through = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	pthread_mutexattr_t attributes;
	MUST0(pthread_mutexattr_init(&attributes));
	MUST0(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED));
	MUST0(pthread_mutex_init(&shared->mutex, &attributes));
	fill(shared->bytes, sizeof(shared->bytes), 5);
	strcpy(through, "by the root");
	MUST(pipe(told));
	MUST0(pthread_mutex_lock(&shared->mutex));
	pid_t child = MUST(split());
	if (child == 0) {
		char byte = 0;
		MUST(write(told[1], &byte, 1));
		/* Sleeps in the kernel until the root lets go. */
		MUST0(pthread_mutex_lock(&shared->mutex));
		CHECK(filled(shared->bytes, sizeof(shared->bytes), 6), "what the root wrote into shared memory");
		CHECK(!strcmp(through, "again by the root"), "what the root wrote into a memfd: %s", through);
		shared->turns++;
		strcpy(through, "by the child");
		MUST0(pthread_mutex_unlock(&shared->mutex));
		_exit(12);
	}
	all_told(told[0], 1);

	ready_and_wait();

	CHECK(filled(shared->bytes, sizeof(shared->bytes), 5), "the content of shared memory");
	fill(shared->bytes, sizeof(shared->bytes), 6);
	strcpy(through, "again by the root");
	MUST0(pthread_mutex_unlock(&shared->mutex));
	CHECK_EQ(end_of(child), 12, "the exit code of the child");
	CHECK_EQ(shared->turns, 1, "what the child wrote into shared memory");
	char text[32] = "";
	MUST(pread(memfd, text, 31, 0));
	CHECK(!strcmp(text, "by the child"), "what the child wrote into a memfd: %s", text);
}

KIND(kinfds, "pidfds to a child, to one that has ended, and to one that was waited for, watched by epoll")
{
	int told[2];
	pid_t gone = MUST(split());
	if (gone == 0)
		_exit(0);
	int to_gone = MUST(syscall(SYS_pidfd_open, gone, 0));
	CHECK_EQ(end_of(gone), 0, "the exit code of one that is waited for");
	open_gate();
	MUST(pipe(told));
	pid_t child = MUST(split());
	if (child == 0) {
		told_and_wait(told[1]);
		_exit(13);
	}
	pid_t dead = MUST(split());
	if (dead == 0)
		_exit(14);
	siginfo_t info;
	MUST(waitid(P_PID, dead, &info, WEXITED | WNOWAIT));
	int to_child = MUST(syscall(SYS_pidfd_open, child, 0)), to_dead = MUST(syscall(SYS_pidfd_open, dead, 0));
	int epoll = MUST(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 99 };
	MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, to_child, &event));
	all_told(told[0], 1);

	ready_and_wait();

	struct pollfd poller = { .fd = to_dead, .events = POLLIN };
	CHECK_EQ(poll(&poller, 1, 0), 1, "what a pidfd of the dead offers");
	poller = (struct pollfd){ .fd = to_gone, .events = POLLIN };
	CHECK_EQ(poll(&poller, 1, 0), 1, "what a pidfd of one who was waited for offers");
	CHECK(waitid(P_PIDFD, to_gone, &info, WEXITED) == -1 && errno == ECHILD, "one who was waited for is there");
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0, "events of a pidfd of the living");
	let_go();
	CHECK_EQ(epoll_wait(epoll, &event, 1, 10000), 1, "events of a pidfd when its process ends");
	CHECK_EQ(event.data.u64, 99, "the data of the event");
	memset(&info, 0, sizeof(info));
	CHECK_EQ(waitid(P_PIDFD, to_child, &info, WEXITED), 0, "waiting by pidfd");
	CHECK_EQ(info.si_status, 13, "the exit code by pidfd");
	CHECK_EQ(end_of(dead), 14, "the exit code of the dead");
}

KIND(stoppedchild, "a child that job control has stopped")
{
	int status;
	siginfo_t info;
	pid_t child = MUST(split());
	if (child == 0) {
		raise(SIGSTOP);
		_exit(15);
	}
	MUST(waitid(P_PID, child, &info, WSTOPPED | WNOWAIT));

	ready_and_wait();

	CHECK_EQ(waitpid(child, &status, WUNTRACED), child, "the child that is stopped");
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "its status is %#x", status);
	MUST(kill(child, SIGCONT));
	CHECK_EQ(end_of(child), 15, "the exit code of a child that goes on");
}

KIND(adopted, "a grandchild that came to the root, a subreaper, when its parent ended")
{
	int told[2], back[2];
	open_gate();
	MUST(pipe(told));
	MUST(pipe(back));
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid_t root = getpid(), child = MUST(split());
	if (child == 0) {
		pid_t self = getpid(), grandchild = MUST(split());
		if (grandchild)
			_exit(0);
		while (getppid() == self)
			sched_yield();
		told_and_wait(told[1]);
		CHECK_EQ(getppid(), root, "the parent of an adopted child");
		pid_t own = getpid();
		MUST(write(back[1], &own, sizeof(own)));
		_exit(16);
	}
	CHECK_EQ(end_of(child), 0, "the exit code of the parent that ends");
	all_told(told[0], 1);

	ready_and_wait();

	let_go();
	pid_t adopted = 0;
	MUST(read(back[0], &adopted, sizeof(adopted)));
	CHECK_EQ(end_of(adopted), 16, "the exit code of an adopted child");
	int on = 0;
	MUST(prctl(PR_GET_CHILD_SUBREAPER, &on));
	CHECK_EQ(on, 1, "whether the root is a subreaper");
}
