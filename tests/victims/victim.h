/*
 * What every victim shares. A victim is a small program that sets up one kind of state, says so, waits to be told to
 * go on - in between it is checkpointed, perhaps killed and restarted - and then checks itself.
 *
 * One C file per kind; KIND() enters it in the table that `victim` without arguments prints. C and not Rust, because
 * each kind wants the kernel's interface as it is, and because a victim must not do anything behind its own back.
 */
#ifndef VICTIM_H
#define VICTIM_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct kind {
	const char *name;
	const char *what;
	void (*run)(void);
};

/* Defines the body of a kind and registers it; the pointers in section "kinds" are the table. */
#define KIND(id, text)                                                                             \
	static void id##_run(void);                                                                \
	static const struct kind id##_kind = { #id, text, id##_run };                              \
	static const struct kind *const id##_entry __attribute__((used, section("kinds"))) =       \
		&id##_kind;                                                                        \
	static void id##_run(void)

/* Notes a failure and goes on: one run should show all that is wrong. */
#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                         \
	} while (0)

#define CHECK_EQ(got, wanted, what)                                                                \
	do {                                                                                       \
		long long got_ = (long long)(got), wanted_ = (long long)(wanted);                  \
		CHECK(got_ == wanted_, "%s is %lld (0x%llx), was %lld (0x%llx)", what, got_, got_, \
		      wanted_, wanted_);                                                           \
	} while (0)

/* For the set-up: a call that must work, or there is nothing to test. */
#define MUST(call)                                                                                 \
	({                                                                                         \
		__typeof__(call) result_ = (call);                                                 \
		if (result_ == (__typeof__(call))-1)                                               \
			die(__FILE__, __LINE__, #call);                                            \
		result_;                                                                           \
	})

/* The same for pthread functions, which return the error. */
#define MUST0(call)                                                                                \
	do {                                                                                       \
		errno = (call);                                                                    \
		if (errno)                                                                         \
			die(__FILE__, __LINE__, #call);                                            \
	} while (0)

void fail(const char *file, int line, const char *condition, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void die(const char *file, int line, const char *call) __attribute__((noreturn));

/* This machine cannot do it: ends the program with status 77 and one sentence. */
void skip(const char *why) __attribute__((noreturn));

/* Says "ready", then waits for SIGUSR1 (blocked in all threads from the start). */
void ready_and_wait(void);

/* The two halves, for a kind that must wait in its own way. */
void say_ready(void);
void wait_for_go(void);

/* fork(2), for a child that is there when the victim says "ready": it does not keep the pipe to the harness. */
pid_t split(void);

/* Returns once thread TID sleeps in system call NR (from /proc/self/task/TID/syscall). */
void until_in_syscall(pid_t tid, long nr);

/* Whole file into BUFFER (zero-terminated); no allocation, so that the memory map stays as it is. */
size_t slurp(const char *path, char *buffer, size_t size);

/* A pattern that differs for every seed and position. */
void fill(void *at, size_t size, uint64_t seed);
bool filled(const void *at, size_t size, uint64_t seed);

/* The thread id and the monotonic clock in nanoseconds. */
pid_t tid_of_self(void);
int64_t monotonic(void);

#endif
