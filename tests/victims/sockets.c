/* Pairs of sockets, inside the process and to a child: queues, packets, directions shut down, peers that are gone. */
#include "victim.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
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

static struct sockaddr_un named(const char *name, socklen_t *len)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	/* What begins with @ is abstract. */
	strcpy(address.sun_path, name);
	*len = offsetof(struct sockaddr_un, sun_path) + strlen(name) + (name[0] != '@');
	if (name[0] == '@')
		address.sun_path[0] = 0;
	return address;
}

static int bound(int type, const char *name)
{
	socklen_t len;
	struct sockaddr_un address = named(name, &len);
	int fd = MUST(socket(AF_UNIX, type, 0));
	MUST(bind(fd, (struct sockaddr *)&address, len));
	return fd;
}

static int connected(int fd, const char *name)
{
	socklen_t len;
	struct sockaddr_un address = named(name, &len);
	MUST(connect(fd, (struct sockaddr *)&address, len));
	return fd;
}

static void must_be_named(int fd, const char *name, const char *what)
{
	socklen_t wanted_len, len = sizeof(struct sockaddr_un);
	struct sockaddr_un wanted = named(name, &wanted_len), got;
	MUST(getsockname(fd, (struct sockaddr *)&got, &len));
	CHECK(len == wanted_len && !memcmp(&got, &wanted, len), "%s: %s", what, got.sun_path + 1);
}

static void must_come_from(int fd, const char *text, const char *sender, const char *what)
{
	char got[64];
	socklen_t wanted_len, len = sizeof(struct sockaddr_un);
	struct sockaddr_un wanted = named(sender, &wanted_len), from;
	ssize_t size = recvfrom(fd, got, sizeof(got), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	CHECK(size == (ssize_t)strlen(text) && !memcmp(got, text, size), "%s: %zd bytes", what, size);
	CHECK(len == wanted_len && !memcmp(&from, &wanted, len), "%s: its sender", what);
}

KIND(namedsockets, "sockets with paths and abstract names: who listens and who waits there, accepted ones, senders of packets")
{
	char folder[] = "/tmp/socketsXXXXXX", path[80], removed[80], post[80], sender[80], nowhere[80];
	MUST(mkdtemp(folder) ? 0 : -1);
	sprintf(path, "%s/listener", folder);
	sprintf(removed, "%s/removed", folder);
	sprintf(post, "%s/post", folder);
	sprintf(sender, "%s/sender", folder);
	sprintf(nowhere, "@nowhere-%d", getpid());
	int listener = bound(SOCK_STREAM, path);
	MUST(chmod(path, 0640));
	MUST(listen(listener, 7));
	int client = connected(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), path), served = MUST(accept(listener, NULL, NULL));
	int first = connected(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), path);
	int second = connected(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), path);
	MUST(write(client, "to the server", 13));
	MUST(write(served, "to the client", 13));

	int hidden = bound(SOCK_SEQPACKET, nowhere);
	MUST(listen(hidden, 1));
	int asking = connected(MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0)), nowhere), asked = MUST(accept(hidden, NULL, NULL));
	MUST(close(hidden));
	MUST(send(asking, "one", 3, 0));
	MUST(send(asking, "two", 3, 0));

	int box = bound(SOCK_DGRAM, post), living = bound(SOCK_DGRAM, sender), dead = bound(SOCK_DGRAM, removed);
	connected(living, post);
	MUST(send(living, "alive", 5, 0));
	connected(dead, post);
	MUST(send(dead, "dead", 4, 0));
	MUST(send(living, "", 0, 0));
	MUST(close(dead));
	MUST(unlink(removed));

	ready_and_wait();

	struct stat file;
	MUST(stat(path, &file));
	CHECK_EQ(file.st_mode, S_IFSOCK | 0640, "permissions of a path");
	CHECK(stat(removed, &file) == -1 && errno == ENOENT, "a path that was removed");
	must_be_named(listener, path, "the name of who listens");
	must_be_named(served, path, "the name of who was accepted");
	must_read(served, "to the server", "what was sent to the server");
	must_read(client, "to the client", "what was sent to the client");
	MUST(write(first, "first", 5));
	MUST(write(second, "second", 6));
	must_read(MUST(accept(listener, NULL, NULL)), "first", "the first who waits");
	must_read(MUST(accept(listener, NULL, NULL)), "second", "the second who waits");
	int late = connected(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), path);
	MUST(write(late, "late", 4));
	must_read(MUST(accept(listener, NULL, NULL)), "late", "one who comes later");

	must_be_named(asked, nowhere, "an abstract name");
	must_read(asked, "one", "a packet");
	must_read(asked, "two", "the next packet");
	MUST(close(bound(SOCK_SEQPACKET, nowhere)));

	must_come_from(box, "alive", sender, "a packet of one who is there");
	must_come_from(box, "dead", removed, "a packet of one who is gone");
	must_come_from(box, "", sender, "a packet of nothing");
	MUST(send(living, "more", 4, 0));
	must_come_from(box, "more", sender, "a packet to one who is known");
	MUST(unlink(path)), MUST(unlink(post)), MUST(unlink(sender)), MUST(rmdir(folder));
}
