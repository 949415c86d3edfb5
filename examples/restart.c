/*
 * A program that becomes the one in the image on its standard input, after the one in the documentation of the linux-cr patch
 * set. See self.c.
 *
 *	cc -o restart restart.c $(pkg-config --cflags --libs stasis)
 *	./restart < self.image
 */
#include <stasis.h>

#include <stdio.h>
#include <unistd.h>

#ifdef RAW
#include <sys/syscall.h>
#define restart(crid, fd, flags) syscall(STASIS_NR_RESTART, crid, fd, flags)
#else
#define restart(crid, fd, flags) stasis_restart(crid, fd, flags)
#endif

int main(void)
{
	restart(1, STDIN_FILENO, 0);
	/* It returns only if it fails. */
	perror("restart");
	return 1;
}
