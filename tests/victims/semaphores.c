/* System V objects. */
#include "victim.h"
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/wait.h>

KIND(semaphores, "a set with values and permissions, which a child waits for")
{
	int set = MUST(semget(IPC_PRIVATE, 3, IPC_CREAT | 0640));
	unsigned short values[3] = { 0, 7, 32767 }, now[3] = { 0 };
	MUST(semctl(set, 0, SETALL, values));
	FILE *file = fopen("set", "w");
	fprintf(file, "%d\n", set);
	fclose(file);
	struct sembuf up = { 0, 2, 0 }, down = { 0, -1, 0 };
	pid_t child = MUST(split());
	if (child == 0)
		_exit(semop(set, &(struct sembuf){ 0, -3, 0 }, 1) == 0 ? 3 : errno);
	while (semctl(set, 0, GETNCNT) != 1)
		sched_yield();

	ready_and_wait();

	struct semid_ds status;
	CHECK_EQ(semctl(set, 0, IPC_STAT, &status), 0, "asking for the set");
	CHECK_EQ(status.sem_perm.mode & 0777, 0640, "its permissions");
	CHECK_EQ(status.sem_perm.uid, geteuid(), "its owner");
	CHECK_EQ(semctl(set, 0, GETALL, now), 0, "asking for the values");
	CHECK(!memcmp(values, now, sizeof now), "the values are %d %d %d", now[0], now[1], now[2]);
	CHECK_EQ(semctl(set, 0, GETNCNT), 1, "who waits");
	int result = 0;
	CHECK_EQ(semop(set, &up, 1), 0, "raising it");
	CHECK_EQ(waitpid(child, &result, WNOHANG), 0, "the child, for which that is not enough,");
	CHECK_EQ(semop(set, &up, 1), 0, "raising it again");
	CHECK_EQ(waitpid(child, &result, 0), child, "the child that waited");
	CHECK(WIFEXITED(result) && WEXITSTATUS(result) == 3, "what its semop(2) returned: %#x", result);
	CHECK_EQ(semop(set, &down, 1), 0, "lowering it");
	CHECK_EQ(semctl(set, 0, IPC_RMID), 0, "removing it");
}

KIND(semundo, "holds a semaphore that would be given back when it ends")
{
	int set = MUST(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600));
	MUST(semctl(set, 0, SETVAL, 1));
	MUST(semop(set, &(struct sembuf){ 0, -1, SEM_UNDO }, 1));
	ready_and_wait();
	CHECK_EQ(semctl(set, 0, GETVAL), 0, "the semaphore");
	CHECK_EQ(semop(set, &(struct sembuf){ 0, 1, SEM_UNDO }, 1), 0, "giving it back");
	CHECK_EQ(semctl(set, 0, IPC_RMID), 0, "removing it");
}
