/*
 * A program that checkpoints itself, after the one in the documentation of the linux-cr patch set.
 *
 *	cc -o self self.c $(pkg-config --cflags --libs stasis)
 *	./self > self.image &
 *
 * It opens a file, duplicates a descriptor, writes a line, and checkpoints itself to standard output. Then it writes what the
 * call returned, and spins. The file /tmp/cr-self.out (or the one named on the command line) then holds
 *
 *	hello, world!
 *	world, hello!
 *	ret = 1
 *
 * Kill it and run `./restart < self.image`: the program goes on behind the call, and the last line is `ret = 0`.
 *
 * With -DRAW the call is made as a real system call, as on a kernel that had the patch; run it by `stasis run ./self`.
 */
#include <stasis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef RAW
#include <sys/syscall.h>
#define checkpoint(pid, fd, flags) syscall(STASIS_NR_CHECKPOINT, pid, fd, flags)
#else
#define checkpoint(pid, fd, flags) stasis_checkpoint(pid, fd, flags)
#endif

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "/tmp/cr-self.out";
	FILE *file;
	int ret;

	/* Standard input and error may lead to a terminal or a pipe; they are not wanted. */
	close(0);
	close(2);
	unlink(name);
	file = fopen(name, "w+");
	if (!file)
		exit(1);
	/* The file has the lowest free number, 0; now it is standard error too. */
	if (dup2(0, 2) < 0)
		exit(2);
	fprintf(file, "hello, world!\n");
	fflush(file);

	ret = checkpoint(getpid(), STDOUT_FILENO, 0);
	if (ret < 0) {
		perror("checkpoint");
		exit(3);
	}

	fprintf(file, "world, hello!\n");
	fprintf(file, "ret = %d\n", ret);
	fflush(file);
	for (;;)
		;
}
