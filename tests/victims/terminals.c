/* Pseudoterminals whose master is in the tree: modes, window, queues, the session that one controls. */
#define _GNU_SOURCE
#include "victim.h"
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static int open_pair(int *slave)
{
	int master = MUST(posix_openpt(O_RDWR | O_NOCTTY));
	MUST(unlockpt(master));
	*slave = MUST(open(ptsname(master), O_RDWR | O_NOCTTY));
	return master;
}

KIND(terminals, "pairs with modes and a window, raw and by lines, with input, a line begun and output in their queues")
{
	struct termios modes = { 0 }, now = { 0 };
	struct winsize window = { 33, 77, 5, 6 }, seen;
	int raw_slave, slave, raw = open_pair(&raw_slave), master = open_pair(&slave);
	MUST(tcgetattr(raw_slave, &modes));
	cfmakeraw(&modes);
	modes.c_cc[VMIN] = 3;
	cfsetspeed(&modes, B115200);
	MUST(tcsetattr(raw_slave, TCSANOW, &modes));
	MUST(tcgetattr(raw_slave, &modes));
	MUST(ioctl(raw, TIOCSWINSZ, &window));
	struct termios quiet;
	MUST(tcgetattr(slave, &quiet));
	quiet.c_lflag &= ~ECHO;
	MUST(tcsetattr(slave, TCSANOW, &quiet));
	MUST(write(master, "first\nsecond\nhal", 16));
	MUST(write(slave, "out\n", 4));
	/* What was written is on its way through the kernel until it can be read. */
	for (int there = 0; there < 5;)
		MUST(ioctl(master, FIONREAD, &there));
	for (int there = 0; there < 13;)
		MUST(ioctl(slave, FIONREAD, &there));
	MUST(fcntl(slave, F_SETFL, O_NONBLOCK));
	char *name = strdup(ptsname(master));
	ready_and_wait();
	CHECK(!strcmp(ptsname(master), name), "the terminal is %s, was %s", ptsname(master), name);
	MUST(tcgetattr(raw_slave, &now));
	CHECK(!memcmp(&modes, &now, sizeof modes), "the modes are others");
	MUST(ioctl(raw_slave, TIOCGWINSZ, &seen));
	CHECK(!memcmp(&window, &seen, sizeof window), "the window is %d by %d", seen.ws_row, seen.ws_col);
	char text[64];
	CHECK(read(slave, text, 64) == 6 && !memcmp(text, "first\n", 6), "the first line is another");
	CHECK(read(slave, text, 64) == 7 && !memcmp(text, "second\n", 7), "the second line is another");
	CHECK(read(slave, text, 64) == -1 && errno == EAGAIN, "half a line can be read");
	MUST(write(master, "f\n", 2));
	MUST(fcntl(slave, F_SETFL, 0));
	CHECK(read(slave, text, 64) == 5 && !memcmp(text, "half\n", 5), "the line begun is another");
	CHECK(read(master, text, 64) == 5 && !memcmp(text, "out\r\n", 5), "the output is another");
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

KIND(terminal_session, "a child that leads the session of a terminal: ^C reaches it")
{
	int slave, master = open_pair(&slave), said[2], told[2];
	char byte = 0;
	MUST(pipe(said));
	MUST(pipe(told));
	pid_t child = MUST(fork());
	if (!child) {
		close(master);
		MUST(setsid());
		MUST(ioctl(slave, TIOCSCTTY, 0));
		struct sigaction action = { .sa_handler = on_interrupt };
		MUST(sigaction(SIGINT, &action, 0));
		MUST(write(said[1], "r", 1));
		/* Waits to be told, or to be interrupted on the way. */
		while (read(told[0], &byte, 1) != 1)
			if (interrupted)
				break;
		int tty = open("/dev/tty", O_RDWR);
		_exit(interrupted && tty >= 0 && tcgetpgrp(tty) == getpid() ? 7 : 8);
	}
	MUST(read(said[0], &byte, 1));
	struct termios modes;
	MUST(tcgetattr(slave, &modes));
	ready_and_wait();
	int status = 0;
	MUST(write(master, (char[]){ modes.c_cc[VINTR] }, 1));
	MUST(waitpid(child, &status, 0));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the child ended with %#x", status);
}
