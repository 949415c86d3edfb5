/* Pairs of sockets, inside the process and to a child: queues, packets, directions shut down, peers that are gone. */
#include "victim.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { LONG = 60000 };

static void must_read(int fd, const char *wanted, const char *what)
{
	char text[64] = "";
	ssize_t got = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	CHECK(got == (ssize_t)strlen(wanted) && !memcmp(text, wanted, got), "%s: %zd bytes, %s", what, got, text);
}

KIND(socketpairs, "streams, datagrams and packets with what is in them, options, shut and deserted ones")
{
	static char data[LONG];
	int stream[2], datagrams[2], packets[2], shut[2], deserted[2], epoll = MUST(epoll_create1(0));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, stream));
	MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams));
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, packets));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, shut));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, deserted));
	int orphaned[2];
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, orphaned));
	MUST(send(orphaned[1], "bye", 3, 0));
	MUST(close(orphaned[1]));
	int alone = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
	fill(data, LONG, 1);
	MUST(write(stream[0], data, LONG));
	MUST(write(stream[1], "there", 5));
	MUST(send(datagrams[0], "one", 3, 0));
	MUST(send(datagrams[0], "twotwo", 6, 0));
	MUST(send(packets[1], "first", 5, 0));
	MUST(send(packets[1], "2", 1, 0));
	MUST(write(shut[0], "the last word", 13));
	MUST(shutdown(shut[0], SHUT_WR));
	MUST(write(deserted[1], "a testament", 11));
	MUST(close(deserted[1]));
	struct timeval patience = { .tv_sec = 2 };
	int on = 1, room = 40000;
	MUST(setsockopt(stream[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	MUST(setsockopt(stream[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	MUST(setsockopt(datagrams[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	int second = MUST(dup(stream[0]));
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 5 };
	MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, packets[1], &event));

	ready_and_wait();

	static char back[LONG];
	CHECK_EQ(recv(stream[1], back, LONG, MSG_WAITALL), LONG, "what is in a stream");
	CHECK(filled(back, LONG, 1), "the content of a stream");
	must_read(second, "there", "a stream by a duplicate");
	MUST(write(stream[1], "again", 5));
	must_read(stream[0], "again", "a stream that goes on");
	must_read(datagrams[1], "one", "the first datagram");
	must_read(datagrams[1], "twotwo", "the second datagram");
	must_read(packets[0], "first", "the first packet");
	must_read(packets[0], "2", "the second packet");
	must_read(orphaned[0], "bye", "a packet of one who is gone");
	CHECK_EQ(read(orphaned[0], back, 1), 0, "the end of packets");
	CHECK_EQ(read(packets[0], back, 1), -1, "a read of nothing without waiting");
	must_read(shut[1], "the last word", "a stream that is shut");
	CHECK_EQ(read(shut[1], back, 1), 0, "the end of a stream that is shut");
	CHECK_EQ(send(shut[0], "x", 1, MSG_NOSIGNAL), -1, "a write to a stream that is shut");
	MUST(write(shut[1], "the other way", 13));
	must_read(shut[0], "the other way", "the direction that is open");
	must_read(deserted[0], "a testament", "a stream whose peer is gone");
	CHECK_EQ(read(deserted[0], back, 1), 0, "its end");
	CHECK(send(deserted[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "a write to one who is gone");
	CHECK(send(alone, "x", 1, 0) == -1 && errno == ENOTCONN, "a socket that was never connected");
	socklen_t len = sizeof(patience);
	MUST(getsockopt(stream[0], SOL_SOCKET, SO_RCVTIMEO, &patience, &len));
	CHECK_EQ(patience.tv_sec, 2, "a time limit");
	len = sizeof(room);
	MUST(getsockopt(stream[0], SOL_SOCKET, SO_SNDBUF, &room, &len));
	CHECK_EQ(room, 80000, "the size of a buffer");
	len = sizeof(on);
	MUST(getsockopt(datagrams[1], SOL_SOCKET, SO_PASSCRED, &on, &len));
	CHECK_EQ(on, 1, "SO_PASSCRED");
	CHECK_EQ(fcntl(datagrams[0], F_GETFD), FD_CLOEXEC, "close-on-exec of a socket");
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0, "events of a socket that has nothing");
	MUST(send(packets[0], "!", 1, 0));
	CHECK_EQ(epoll_wait(epoll, &event, 1, 10000), 1, "events of a socket");
	CHECK_EQ(event.data.u64, 5, "the data of its event");
}

KIND(socketkin, "a socket to a child, as the child's standard input and output")
{
	int ends[2], told[2], status;
	char byte = 0;
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	MUST(pipe(told));
	pid_t child = MUST(split());
	if (child == 0) {
		char text[64];
		MUST(dup2(ends[1], 0));
		MUST(dup2(ends[1], 1));
		close(ends[0]), close(ends[1]);
		MUST(write(told[1], &byte, 1));
		close(told[0]), close(told[1]);
		/* Says back what it hears, until there is no more. */
		ssize_t got;
		while ((got = read(0, text, sizeof(text))) > 0)
			MUST(write(1, text, got));
		_exit(17);
	}
	close(ends[1]);
	MUST(read(told[0], &byte, 1));

	ready_and_wait();

	char text[64] = "";
	MUST(write(ends[0], "echo", 4));
	struct pollfd poller = { .fd = ends[0], .events = POLLIN };
	CHECK_EQ(poll(&poller, 1, 10000), 1, "an answer of the child");
	CHECK(read(ends[0], text, sizeof(text)) == 4 && !strcmp(text, "echo"), "the child says %s", text);
	MUST(shutdown(ends[0], SHUT_WR));
	CHECK_EQ(waitpid(child, &status, 0), child, "the child that was waited for");
	CHECK_EQ(status, 17 << 8, "its status");
}
