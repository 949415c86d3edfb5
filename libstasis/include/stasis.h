/*
 * libstasis: a program checkpoints and restarts itself. See stasis_checkpoint(3); link with `pkg-config --libs stasis`.
 *
 * Made from libstasis/src/c.rs by `BLESS=1 cargo test -p stasis-lib --test header`; do not edit.
 */

#ifndef STASIS_H
#define STASIS_H

#include <sys/types.h>

/**
 * Number of the call `checkpoint(pid, fd, flags)` under `stasis run`, unless that was told another one.
 *
 * Linux on x86-64 counts up from 0 and has not come to 500; 512 to 547 are those of x32 programs (arch/x86/entry/
 * syscalls/syscall_64.tbl). Without `stasis run`, a kernel answers this number with `ENOSYS`.
 */
#define STASIS_NR_CHECKPOINT 1454

/**
 * Number of the call `restart(crid, fd, flags)` under `stasis run`, unless that was told another one.
 */
#define STASIS_NR_RESTART 1455

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Writes an image of the process `pid`, 0 for the caller, to the descriptor `fd`: a file, a pipe or a socket. `flags`
 * has to be 0.
 *
 * Returns a positive identifier to the caller, which goes on; 0 to the process that is restarted from the image; -1
 * and sets errno if there is no image. May be called in a signal handler.
 */
int stasis_checkpoint(pid_t pid, int fd, unsigned long flags);

/**
 * Replaces the calling process by the one in the image that the descriptor `fd` gives. `crid` is the identifier that the
 * checkpoint returned, `flags` has to be 0.
 *
 * Returns -1 and sets errno if that fails, and then nothing of the caller has changed. Returns 0 after an image of
 * revision 1, which holds a name for the caller and no process.
 */
int stasis_restart(int crid,
                   int fd,
                   unsigned long flags);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* STASIS_H */
