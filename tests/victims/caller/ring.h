/* A child and a grandchild of whoever makes one, in a ring of pipes: a number that is sent around comes back two higher.
 * Shared by the programs that save themselves. */
#pragma once

#include <sys/wait.h>
#include <unistd.h>

struct ring {
	int in, out;
	pid_t child;
};

/* Passes numbers on, each one higher, until there are none; then its own reader sees the end too. */
static void pass_on(int in, int out)
{
	long number;
	while (read(in, &number, sizeof(number)) == sizeof(number)) {
		number++;
		if (write(out, &number, sizeof(number)) != sizeof(number))
			_exit(1);
	}
	close(out);
}

static struct ring make_ring(void)
{
	int to_child[2], between[2], back[2], status;
	if (pipe(to_child) || pipe(between) || pipe(back))
		_exit(2);
	pid_t child = fork();
	if (child == 0) {
		close(to_child[1]), close(back[0]);
		pid_t grandchild = fork();
		if (grandchild == 0) {
			close(to_child[0]), close(between[1]);
			pass_on(between[0], back[1]);
			_exit(4);
		}
		close(between[0]), close(back[1]);
		pass_on(to_child[0], between[1]);
		if (waitpid(grandchild, &status, 0) != grandchild)
			_exit(3);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) + 1 : 1);
	}
	close(to_child[0]), close(between[0]), close(between[1]), close(back[1]);
	return (struct ring){ back[0], to_child[1], child };
}

/* What comes back. */
static long once_around(const struct ring *ring, long number)
{
	if (write(ring->out, &number, sizeof(number)) != sizeof(number) ||
	    read(ring->in, &number, sizeof(number)) != sizeof(number))
		return -1;
	return number;
}

/* Ends the ring; 5 is the exit code of a child whose own child ended with 4. */
static int end_ring(const struct ring *ring)
{
	int status;
	close(ring->out);
	if (waitpid(ring->child, &status, 0) != ring->child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
