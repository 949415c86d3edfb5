/* Pipes and FIFOs inside the process, with what is in them. */
#include "victim.h"
#include <poll.h>

enum { BIG = 1 << 20 };

static bool drained(int fd, uint64_t seed, size_t size)
{
	static char data[BIG];
	size_t total = 0;
	while (total < size) {
		ssize_t got = read(fd, data + total, size - total);
		if (got <= 0)
			return false;
		total += got;
	}
	return filled(data, size, seed);
}

KIND(pipes, "content, sizes, flags; one with its writer gone, one with its reader gone; FIFOs")
{
	static char data[BIG];
	int small[2], big[2], no_writer[2], no_reader[2], empty[2];
	MUST(pipe2(small, O_CLOEXEC));
	fill(data, 8000, 1);
	MUST(write(small[1], data, 8000));
	MUST(pipe2(big, O_NONBLOCK));
	MUST(fcntl(big[1], F_SETPIPE_SZ, BIG));
	fill(data, BIG, 2);
	CHECK_EQ(write(big[1], data, BIG), BIG, "filling the big pipe");
	MUST(pipe(no_writer));
	fill(data, 4096, 3);
	MUST(write(no_writer[1], data, 4096));
	close(no_writer[1]);
	MUST(pipe(no_reader));
	close(no_reader[0]);
	MUST(pipe(empty));
	int second_reader = MUST(dup(small[0]));

	MUST(mkfifo("fifo", 0600));
	int fifo = MUST(open("fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC));
	MUST(write(fifo, "in the fifo", 11));
	int fifo_reader = MUST(open("fifo", O_RDONLY));
	signal(SIGPIPE, SIG_IGN);
	struct stat before, after;
	MUST(fstat(fifo, &before));

	ready_and_wait();

	char text[32] = "";
	CHECK_EQ(fcntl(small[0], F_GETFD), FD_CLOEXEC, "close-on-exec of a pipe");
	CHECK_EQ(fcntl(second_reader, F_GETFD), 0, "close-on-exec of a duplicate");
	CHECK(drained(small[0], 1, 8000), "the content of a pipe");
	MUST(write(small[1], "again", 5));
	CHECK(read(second_reader, text, 5) == 5 && !memcmp(text, "again", 5), "the ends no longer belong together");
	CHECK_EQ(fcntl(big[0], F_GETPIPE_SZ), BIG, "the size of a pipe");
	CHECK(fcntl(big[0], F_GETFL) & O_NONBLOCK, "a pipe is no longer non-blocking");
	CHECK(write(big[1], "x", 1) == -1 && errno == EAGAIN, "a full pipe is no longer full");
	CHECK(drained(big[0], 2, BIG), "the content of a full big pipe");
	CHECK(drained(no_writer[0], 3, 4096), "the content of a pipe whose writer is gone");
	CHECK_EQ(read(no_writer[0], text, 1), 0, "the end of a pipe whose writer is gone");
	CHECK(write(no_reader[1], "x", 1) == -1 && errno == EPIPE, "a pipe whose reader is gone took a byte");
	struct pollfd poller = { .fd = empty[0], .events = POLLIN };
	CHECK_EQ(poll(&poller, 1, 0), 0, "what an empty pipe offers");
	close(empty[1]);
	CHECK_EQ(poll(&poller, 1, 0), 1, "what an empty pipe offers when its writer closes");
	CHECK(poller.revents & POLLHUP, "no hang-up when the writer closes: another copy of it is open");
	memset(text, 0, sizeof(text));
	CHECK(read(fifo_reader, text, 32) == 11 && !strcmp(text, "in the fifo"), "the content of a FIFO: %s", text);
	MUST(fstat(fifo, &after));
	CHECK_EQ(after.st_ino, before.st_ino, "the inode of a FIFO");
	CHECK_EQ(fcntl(fifo, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR | O_NONBLOCK, "the flags of a FIFO");
	CHECK_EQ(write(fifo, "more", 4), 4, "a write to a FIFO");
	CHECK_EQ(read(fifo_reader, text, 32), 4, "a read from a FIFO");
}

KIND(packets, "a pipe that keeps packets apart, with two of them in it")
{
	char text[32];
	int ends[2];
	MUST(pipe2(ends, O_DIRECT | O_CLOEXEC));
	MUST(write(ends[1], "one", 3));
	MUST(write(ends[1], "twotwo", 6));
	ready_and_wait();
	CHECK(fcntl(ends[1], F_GETFL) & O_DIRECT, "a pipe no longer keeps packets apart");
	CHECK_EQ(read(ends[0], text, 32), 3, "the first packet");
	CHECK_EQ(read(ends[0], text, 32), 6, "the second packet");
}
