/* Sockets of IPv4 and IPv6: those that listen, those that are connected inside the tree, datagrams. */
#include "victim.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* The loopback address of a family, with any port. */
static union address loopback(int family)
{
	union address at = { .any.sa_family = family };
	if (family == AF_INET)
		at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		at.v6.sin6_addr = in6addr_loopback;
	return at;
}

static union address name_of(int fd)
{
	union address at = { 0 };
	socklen_t len = sizeof(at);
	MUST(getsockname(fd, &at.any, &len));
	return at;
}

static union address peer_of(int fd)
{
	union address at = { 0 };
	socklen_t len = sizeof(at);
	MUST(getpeername(fd, &at.any, &len));
	return at;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	MUST(getsockopt(fd, level, name, &value, &len));
	return value;
}

static void set(int fd, int level, int name, int value)
{
	MUST(setsockopt(fd, level, name, &value, sizeof(value)));
}

static int bound(int family, int type, union address at)
{
	int fd = MUST(socket(family, type | SOCK_CLOEXEC, 0));
	MUST(bind(fd, &at.any, sizeof(at)));
	return fd;
}

static int listening(int family, union address at, int backlog)
{
	int fd = bound(family, SOCK_STREAM, at);
	MUST(listen(fd, backlog));
	return fd;
}

static void connect_to(int fd, union address at)
{
	CHECK(connect(fd, &at.any, sizeof(at)) == 0, "connect: %s", strerror(errno));
}

/* A connection that goes both ways. */
static void must_talk(int one, int other)
{
	char text[8] = "";
	MUST(send(one, "there", 5, MSG_NOSIGNAL));
	CHECK_EQ(recv(other, text, 5, MSG_WAITALL), 5, "bytes there");
	MUST(send(other, "back", 4, MSG_NOSIGNAL));
	CHECK_EQ(recv(one, text, 4, MSG_WAITALL), 4, "bytes back");
}

/* A client can connect to a listening socket, and is served. */
static void must_serve(int fd)
{
	union address at = name_of(fd);
	if (at.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&at.v6.sin6_addr))
		at.v6.sin6_addr = in6addr_loopback;
	int client = MUST(socket(at.any.sa_family, SOCK_STREAM, 0));
	connect_to(client, at);
	int server = MUST(accept(fd, NULL, NULL));
	must_talk(client, server);
	close(client), close(server);
}

KIND(listeners, "TCP sockets that listen, over IPv4 and IPv6, alone and in a group, with their options")
{
	union address any6 = { .v6.sin6_family = AF_INET6 };
	int v4 = listening(AF_INET, loopback(AF_INET), 7), v6 = listening(AF_INET6, loopback(AF_INET6), 9);
	int dual = listening(AF_INET6, any6, 3);
	int only6 = MUST(socket(AF_INET6, SOCK_STREAM, 0));
	set(only6, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	MUST(bind(only6, &any6.any, sizeof(any6)));
	MUST(listen(only6, 5));
	int group[2];
	union address at = loopback(AF_INET);
	for (int i = 0; i < 2; i++) {
		group[i] = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
		set(group[i], SOL_SOCKET, SO_REUSEPORT, 1);
		MUST(bind(group[i], &at.any, sizeof(at)));
		MUST(listen(group[i], 16));
		at = name_of(group[0]);
	}
	int unheard = bound(AF_INET, SOCK_STREAM, loopback(AF_INET)), fresh = MUST(socket(AF_INET, SOCK_STREAM, 0));
	set(v4, IPPROTO_TCP, TCP_NODELAY, 1);
	set(v4, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(v4, IPPROTO_TCP, TCP_KEEPIDLE, 77);
	set(v4, IPPROTO_TCP, TCP_KEEPINTVL, 7);
	set(v4, IPPROTO_TCP, TCP_KEEPCNT, 3);
	set(v4, IPPROTO_TCP, TCP_USER_TIMEOUT, 4321);
	set(v4, IPPROTO_IP, IP_TOS, 0x10);
	set(v4, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	set(v4, SOL_SOCKET, SO_RCVBUF, 30000);
	set(v6, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3);
	set(v6, IPPROTO_IPV6, IPV6_TCLASS, 0x20);
	set(v6, IPPROTO_TCP, TCP_FASTOPEN, 12);
	MUST(setsockopt(dual, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	int all[] = { v4, v6, dual, only6, group[0], group[1], unheard };
	enum { ALL = sizeof(all) / sizeof(all[0]) };
	union address before[ALL];
	for (int i = 0; i < ALL; i++)
		before[i] = name_of(all[i]);
	int receive = option(v4, SOL_SOCKET, SO_RCVBUF), defer = option(v6, IPPROTO_TCP, TCP_DEFER_ACCEPT);
	int send = option(v4, SOL_SOCKET, SO_SNDBUF), epoll = MUST(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 5 };
	MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, v4, &event));

	ready_and_wait();

	for (int i = 0; i < ALL; i++) {
		union address now = name_of(all[i]);
		CHECK(!memcmp(&now, &before[i], sizeof(now)), "the address of socket %d", i);
		CHECK_EQ(option(all[i], SOL_SOCKET, SO_ACCEPTCONN), all[i] != unheard, "whether it listens");
		CHECK_EQ(option(all[i], SOL_SOCKET, SO_REUSEADDR), 0, "SO_REUSEADDR");
	}
	CHECK_EQ(option(v4, IPPROTO_TCP, TCP_NODELAY), 1, "TCP_NODELAY");
	CHECK_EQ(option(v4, SOL_SOCKET, SO_KEEPALIVE), 1, "SO_KEEPALIVE");
	CHECK_EQ(option(v4, IPPROTO_TCP, TCP_KEEPIDLE), 77, "TCP_KEEPIDLE");
	CHECK_EQ(option(v4, IPPROTO_TCP, TCP_KEEPINTVL), 7, "TCP_KEEPINTVL");
	CHECK_EQ(option(v4, IPPROTO_TCP, TCP_KEEPCNT), 3, "TCP_KEEPCNT");
	CHECK_EQ(option(v4, IPPROTO_TCP, TCP_USER_TIMEOUT), 4321, "TCP_USER_TIMEOUT");
	CHECK_EQ(option(v4, IPPROTO_IP, IP_TOS), 0x10, "IP_TOS");
	CHECK_EQ(option(v4, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT, "IP_MTU_DISCOVER");
	CHECK_EQ(option(v4, SOL_SOCKET, SO_RCVBUF), receive, "SO_RCVBUF");
	CHECK_EQ(option(v4, SOL_SOCKET, SO_SNDBUF), send, "SO_SNDBUF");
	/* SO_BUF_LOCK: only the receive buffer is fixed. */
	CHECK_EQ(option(v4, SOL_SOCKET, 72), 2, "SO_BUF_LOCK");
	CHECK_EQ(option(v6, IPPROTO_TCP, TCP_DEFER_ACCEPT), defer, "TCP_DEFER_ACCEPT");
	CHECK_EQ(option(v6, IPPROTO_IPV6, IPV6_TCLASS), 0x20, "IPV6_TCLASS");
	CHECK_EQ(option(v6, IPPROTO_TCP, TCP_FASTOPEN), 12, "TCP_FASTOPEN");
	CHECK_EQ(option(only6, IPPROTO_IPV6, IPV6_V6ONLY), 1, "IPV6_V6ONLY");
	CHECK_EQ(option(group[1], SOL_SOCKET, SO_REUSEPORT), 1, "SO_REUSEPORT");
	char name[16] = "";
	socklen_t len = sizeof(name);
	MUST(getsockopt(dual, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	CHECK(!strcmp(name, "reno"), "TCP_CONGESTION is %s", name);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0, "events of a socket that nobody has connected to");
	struct tcp_info info;
	len = sizeof(info);
	MUST(getsockopt(v4, IPPROTO_TCP, TCP_INFO, &info, &len));
	CHECK_EQ(info.tcpi_sacked, 7, "the backlog");
	must_serve(v4), must_serve(v6), must_serve(dual), must_serve(only6);
	MUST(listen(unheard, 1));
	must_serve(unheard);
	connect_to(fresh, name_of(v4));
	CHECK_EQ(epoll_wait(epoll, &event, 1, 10000), 1, "events of a socket that listens");
}

/* A connection over a listening socket that stays. */
static void join(int listener, int ends[2])
{
	union address at = name_of(listener);
	ends[0] = MUST(socket(at.any.sa_family, SOCK_STREAM, 0));
	MUST(connect(ends[0], &at.any, sizeof(at)));
	ends[1] = MUST(accept(listener, NULL, NULL));
}

/* Until all that was sent is acknowledged, so that it does not take a privilege to know where it is. */
static void until_events(int fd, short events)
{
	struct pollfd poller = { .fd = fd, .events = events };
	CHECK_EQ(poll(&poller, 1, 10000), 1, "events of a connection");
}

KIND(connections, "TCP connections inside the process: queues, ends, options, one that was reset")
{
	int v4 = listening(AF_INET, loopback(AF_INET), 8), v6 = listening(AF_INET6, loopback(AF_INET6), 8);
	int both[2], six[2], half[2], deserted[2], over[2], broken[2], epoll = MUST(epoll_create1(0));
	join(v4, both), join(v6, six), join(v4, half), join(v4, deserted), join(v4, over), join(v4, broken);
	int waiting = MUST(socket(AF_INET, SOCK_STREAM, 0));
	union address to = name_of(v4);
	MUST(connect(waiting, &to.any, sizeof(to)));
	MUST(send(both[0], "hello", 5, 0));
	MUST(send(both[1], "you", 3, 0));
	MUST(send(half[0], "bye", 3, 0));
	MUST(shutdown(half[0], SHUT_WR));
	MUST(send(deserted[1], "will", 4, 0));
	MUST(close(deserted[1]));
	MUST(shutdown(over[0], SHUT_WR));
	MUST(shutdown(over[1], SHUT_WR));
	struct linger now = { .l_onoff = 1 };
	MUST(setsockopt(broken[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	MUST(close(broken[1]));
	set(both[0], IPPROTO_TCP, TCP_NODELAY, 1);
	set(both[1], SOL_SOCKET, SO_SNDBUF, 40000);
	until_events(both[1], POLLIN), until_events(both[0], POLLIN), until_events(half[1], POLLRDHUP);
	until_events(deserted[0], POLLRDHUP), until_events(over[1], POLLRDHUP), until_events(broken[0], POLLERR);
	int second = MUST(dup(both[0])), size = option(both[1], SOL_SOCKET, SO_SNDBUF);
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 9 };
	MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, six[1], &event));
	union address name = name_of(both[0]), peer = peer_of(both[0]);

	ready_and_wait();

	char text[64] = "";
	union address name_now = name_of(both[0]), peer_now = peer_of(both[0]);
	CHECK(!memcmp(&name, &name_now, sizeof(name)), "the address of a connection");
	CHECK(!memcmp(&peer, &peer_now, sizeof(peer)), "the address of its other end");
	CHECK_EQ(recv(both[1], text, 64, MSG_DONTWAIT), 5, "bytes in a queue");
	CHECK(!memcmp(text, "hello", 5), "%s instead of hello", text);
	CHECK_EQ(recv(second, text, 64, MSG_DONTWAIT), 3, "bytes in the other queue");
	CHECK_EQ(recv(second, text, 64, MSG_DONTWAIT), -1, "nothing more");
	must_talk(both[0], both[1]);
	CHECK_EQ(option(both[0], IPPROTO_TCP, TCP_NODELAY), 1, "TCP_NODELAY");
	CHECK_EQ(option(both[1], SOL_SOCKET, SO_SNDBUF), size, "SO_SNDBUF");
	CHECK_EQ(option(both[0], SOL_SOCKET, SO_REUSEADDR), 0, "SO_REUSEADDR");
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0, "events of a quiet connection");
	must_talk(six[0], six[1]);
	CHECK_EQ(recv(half[1], text, 64, MSG_DONTWAIT), 3, "bytes before an end");
	CHECK_EQ(recv(half[1], text, 64, MSG_DONTWAIT), 0, "the end");
	CHECK_EQ(send(half[0], "x", 1, MSG_NOSIGNAL), -1, "bytes behind the end");
	MUST(send(half[1], "answer", 6, 0));
	CHECK_EQ(recv(half[0], text, 64, 0), 6, "the direction that is open");
	CHECK_EQ(recv(deserted[0], text, 64, MSG_DONTWAIT), 4, "bytes of one who is gone");
	CHECK_EQ(recv(deserted[0], text, 64, MSG_DONTWAIT), 0, "his end");
	CHECK_EQ(recv(over[0], text, 64, MSG_DONTWAIT), 0, "the end of a connection that is over");
	CHECK_EQ(recv(over[1], text, 64, MSG_DONTWAIT), 0, "its other end");
	CHECK_EQ(send(over[0], "x", 1, MSG_NOSIGNAL), -1, "bytes into it");
	CHECK(recv(broken[0], text, 64, MSG_DONTWAIT) == -1 && errno == ECONNRESET, "a reset: %s", strerror(errno));
	int server = MUST(accept(v4, NULL, NULL));
	must_talk(waiting, server);
	must_serve(v4), must_serve(v6);
}
