/* Descriptors that watch files: inotify. */
#include "victim.h"
#include <sys/inotify.h>
#include <sys/wait.h>

/* Reads one event; what is not there has mask 0. */
static struct inotify_event next(int instance, char *name)
{
	static char buffer[64 << 10];
	static ssize_t length, at;
	static int of = -1;
	if (of != instance || at >= length) {
		length = read(instance, buffer, sizeof buffer);
		at = 0;
		of = instance;
	}
	struct inotify_event none = { 0 }, event;
	if (length <= 0)
		return none;
	memcpy(&event, buffer + at, sizeof event);
	strcpy(name, event.len ? buffer + at + sizeof event : "");
	at += sizeof event + event.len;
	return event;
}

static void expect(int instance, int wd, uint32_t mask, const char *name)
{
	char got[256] = "";
	struct inotify_event event = next(instance, got);
	CHECK(event.wd == wd && event.mask == mask && !strcmp(got, name),
	      "event of watch %d, mask %#x, name \"%s\" is of watch %d, mask %#x, name \"%s\"", wd, mask, name,
	      event.wd, event.mask, got);
}

static void nothing(int instance, const char *when)
{
	char got[256] = "";
	struct inotify_event event = next(instance, got);
	CHECK_EQ(event.mask, 0, when);
}

static int file(const char *name)
{
	return MUST(open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
}

KIND(inotify, "watches of files, directories, renamed and deleted ones, with gaps in their numbers; a child has it too")
{
	char name[256];
	int instance = MUST(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), empty = MUST(inotify_init());
	int open_file = file("open"), renamed = file("before"), deleted = file("deleted"), once = file("once");
	MUST(mkdir("dir", 0700));
	int dir = MUST(open("dir", O_RDONLY | O_DIRECTORY));
	for (int i = 0; i < 5; i++)
		MUST(inotify_rm_watch(instance, MUST(inotify_add_watch(instance, ".", IN_OPEN))));
	int of_file = MUST(inotify_add_watch(instance, "open", IN_ALL_EVENTS));
	MUST(inotify_rm_watch(instance, MUST(inotify_add_watch(instance, ".", IN_OPEN))));
	int of_dir = MUST(inotify_add_watch(instance, "dir", IN_ALL_EVENTS | IN_EXCL_UNLINK));
	int of_renamed = MUST(inotify_add_watch(instance, "before", IN_MODIFY));
	int of_deleted = MUST(inotify_add_watch(instance, "deleted", IN_MODIFY));
	int of_once = MUST(inotify_add_watch(instance, "once", IN_MODIFY | IN_ONESHOT));
	MUST(rename("before", "after"));
	MUST(unlink("deleted"));
	CHECK(of_file > 5 && of_dir > of_file + 1, "the set-up");
	while (next(instance, name).mask)
		;
	pid_t child = MUST(split());
	if (child == 0)
		for (;;)
			pause();

	ready_and_wait();

	nothing(instance, "an event of the checkpoint or the restart");
	CHECK_EQ(fcntl(instance, F_GETFL) & O_NONBLOCK, O_NONBLOCK, "O_NONBLOCK");
	CHECK_EQ(fcntl(instance, F_GETFD), FD_CLOEXEC, "close-on-exec");
	CHECK_EQ(fcntl(empty, F_GETFL) & O_NONBLOCK, 0, "O_NONBLOCK of the other one");
	MUST(write(open_file, "x", 1));
	expect(instance, of_file, IN_MODIFY, "");
	int made = MUST(openat(dir, "made", O_WRONLY | O_CREAT | O_EXCL, 0600));
	expect(instance, of_dir, IN_CREATE, "made");
	expect(instance, of_dir, IN_OPEN, "made");
	MUST(unlinkat(dir, "made", 0));
	expect(instance, of_dir, IN_DELETE, "made");
	MUST(write(made, "x", 1));
	nothing(instance, "an event of a file without a name, which IN_EXCL_UNLINK leaves out");
	MUST(write(renamed, "x", 1));
	expect(instance, of_renamed, IN_MODIFY, "");
	MUST(write(deleted, "x", 1));
	expect(instance, of_deleted, IN_MODIFY, "");
	MUST(write(once, "x", 1));
	expect(instance, of_once, IN_MODIFY, "");
	expect(instance, of_once, IN_IGNORED, "");
	MUST(write(once, "x", 1));
	nothing(instance, "an event of a watch that is spent");
	CHECK_EQ(inotify_add_watch(instance, "open", IN_OPEN), of_file, "the number of a watch that is changed");
	CHECK(MUST(inotify_add_watch(instance, "after", IN_OPEN)) == of_renamed, "a file is watched twice");
	CHECK(MUST(inotify_add_watch(instance, ".", IN_OPEN)) > of_once, "a number that was used before");
	CHECK_EQ(inotify_rm_watch(instance, of_dir), 0, "removing a watch");
	expect(instance, of_dir, IN_IGNORED, "");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}
