/* What belongs to the process as a whole: names, directories, credentials, limits, and the many prctl bits. */
#include "victim.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/personality.h>
#include <sys/resource.h>

enum { TEXT = 16384, NOBODY = 65534, FACTS = 40 };

/* Lines of /proc/self/status that a restart must not change. */
static const char *const status_lines[] = {
	"Name:",    "Umask:",  "State:",  "Uid:",	      "Gid:",		"Groups:",
	"Threads:", "SigBlk:", "SigIgn:", "SigCgt:", "CapInh:", "CapPrm:",    "CapEff:",	"CapBnd:",
	"CapAmb:",  "Seccomp:", "NoNewPrivs:", "THP_enabled:", "Cpus_allowed:",
};

struct facts {
	char status[TEXT], limits[TEXT], cwd[PATH_MAX], root[PATH_MAX], filter[64], score[64], environ[TEXT];
	long numbers[FACTS];
};

static const char *const number_names[] = {
	"dumpable",	"the death signal", "the subreaper bit", "no_new_privs",   "the securebits",
	"keepcaps",	"THP disabled",	    "timer slack",	 "memory-failure policy", "the personality",
	"nice",		"I/O priority",	    "the policy",	 "the pid",	"the tid",
};

static void gather(struct facts *facts)
{
	static char status[TEXT];
	int subreaper = 0, death = 0, n = 0;
	memset(facts, 0, sizeof(*facts));
	slurp("/proc/self/status", status, TEXT);
	for (char *line = strtok(status, "\n"); line; line = strtok(NULL, "\n"))
		for (size_t i = 0; i < sizeof(status_lines) / sizeof(*status_lines); i++)
			if (!strncmp(line, status_lines[i], strlen(status_lines[i])))
				strcat(strcat(facts->status, line), "\n");
	slurp("/proc/self/limits", facts->limits, TEXT);
	slurp("/proc/self/coredump_filter", facts->filter, 64);
	slurp("/proc/self/oom_score_adj", facts->score, 64);
	MUST(readlink("/proc/self/cwd", facts->cwd, PATH_MAX - 1));
	MUST(readlink("/proc/self/root", facts->root, PATH_MAX - 1));
	MUST(prctl(PR_GET_CHILD_SUBREAPER, &subreaper));
	MUST(prctl(PR_GET_PDEATHSIG, &death));
	facts->numbers[n++] = prctl(PR_GET_DUMPABLE);
	facts->numbers[n++] = death;
	facts->numbers[n++] = subreaper;
	facts->numbers[n++] = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	facts->numbers[n++] = prctl(PR_GET_SECUREBITS);
	facts->numbers[n++] = prctl(PR_GET_KEEPCAPS);
	facts->numbers[n++] = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
	facts->numbers[n++] = prctl(PR_GET_TIMERSLACK);
	facts->numbers[n++] = prctl(PR_MCE_KILL_GET, 0, 0, 0, 0);
	facts->numbers[n++] = personality(0xffffffff);
	facts->numbers[n++] = getpriority(PRIO_PROCESS, 0);
	facts->numbers[n++] = syscall(SYS_ioprio_get, 1, 0);
	facts->numbers[n++] = sched_getscheduler(0);
	/* Not from /proc, which shows the numbers of the namespace that it was mounted in. */
	facts->numbers[n++] = getpid();
	facts->numbers[n++] = tid_of_self();
}

static void compare_lines(const char *before, const char *after)
{
	while (*before || *after) {
		size_t b = strcspn(before, "\n"), a = strcspn(after, "\n");
		CHECK(a == b && !memcmp(before, after, a), "\"%.*s\" was \"%.*s\"", (int)a, after, (int)b, before);
		before += b + (before[b] != 0);
		after += a + (after[a] != 0);
	}
}

static void across(void)
{
	static struct facts before, after;
	gather(&before);
	ready_and_wait();
	gather(&after);
	compare_lines(before.status, after.status);
	compare_lines(before.limits, after.limits);
	CHECK(!strcmp(before.cwd, after.cwd), "the working directory is %s, was %s", after.cwd, before.cwd);
	CHECK(!strcmp(before.root, after.root), "the root is %s, was %s", after.root, before.root);
	CHECK(!strcmp(before.filter, after.filter), "the core dump filter is %s, was %s", after.filter, before.filter);
	CHECK(!strcmp(before.score, after.score), "oom_score_adj is %s, was %s", after.score, before.score);
	for (size_t i = 0; i < sizeof(number_names) / sizeof(*number_names); i++)
		CHECK_EQ(after.numbers[i], before.numbers[i], number_names[i]);
}

static void put(const char *path, const char *text)
{
	int fd = MUST(open(path, O_WRONLY));
	MUST(write(fd, text, strlen(text)));
	close(fd);
}

KIND(attributes, "comm, cwd, umask, limits, oom_score_adj, personality, THP, core filter, I/O priority, prctl bits")
{
	static const int resources[] = { RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_STACK, RLIMIT_NPROC, RLIMIT_MEMLOCK,
					 RLIMIT_SIGPENDING };
	MUST(prctl(PR_SET_NAME, "a (strange) ) R"));
	MUST(mkdir("below", 0700));
	MUST(chdir("below"));
	umask(0135);
	for (size_t i = 0; i < sizeof(resources) / sizeof(*resources); i++) {
		struct rlimit limit;
		MUST(getrlimit(resources[i], &limit));
		limit.rlim_cur = limit.rlim_cur == RLIM_INFINITY ? (rlim_t)(100000000 + i) : limit.rlim_cur - i;
		MUST(setrlimit(resources[i], &limit));
	}
	put("/proc/self/oom_score_adj", "321");
	put("/proc/self/coredump_filter", "0x3b");
	MUST(personality(ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS));
	MUST(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
	MUST(prctl(PR_SET_TIMERSLACK, 123456));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	MUST(setpriority(PRIO_PROCESS, 0, 3));
	/* Best effort, level 6. */
	MUST(syscall(SYS_ioprio_set, 1, 0, (2 << 13) | 6));
	across();
	CHECK_EQ(access("../verdict", F_OK), 0, "a relative lookup from the working directory");
}

KIND(pdeathsig, "a death signal, and a process that is not dumpable")
{
	/* Deadly on purpose: the end of whoever restarted it must not count as the death of its parent. */
	MUST(prctl(PR_SET_PDEATHSIG, SIGTERM));
	MUST(prctl(PR_SET_DUMPABLE, 0));
	across();
}

static void reduce_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	MUST(syscall(SYS_capget, &header, data));
	data[0].effective &= ~(1u << CAP_NET_RAW);
	data[0].permitted &= ~(1u << CAP_MKNOD);
	data[0].effective &= data[0].permitted;
	data[0].inheritable = data[0].permitted & (1u << CAP_CHOWN | 1u << CAP_NET_BIND_SERVICE);
	MUST(syscall(SYS_capset, &header, data));
	MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0));
}

KIND(capabilities, "reduced, inheritable and ambient capabilities, a bounding set, securebits (needs root)")
{
	if (geteuid() != 0)
		skip("only root has capabilities to give up");
	MUST(prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE));
	MUST(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP));
	reduce_capabilities();
	across();
}

static void become_nobody(void)
{
	static const gid_t groups[] = { 7, 1234, NOBODY, 100000 };
	if (geteuid() != 0)
		skip("only root can become another user");
	MUST(setgroups(4, groups));
	MUST(setresgid(NOBODY, NOBODY, NOBODY));
	MUST(setresuid(NOBODY, NOBODY, NOBODY));
}

KIND(nobody, "another user with four groups and no capabilities (needs root to set up)")
{
	become_nobody();
	/* After the change of user, which clears it. */
	MUST(prctl(PR_SET_PDEATHSIG, SIGTERM));
	across();
	CHECK(setuid(0) == -1, "it can become root again");
	CHECK(open("/etc/shadow", O_RDONLY) == -1, "it can read what only root may");
}

KIND(manygroups, "6,000 supplementary groups (needs root to set up)")
{
	enum { GROUPS = 6000 };
	static gid_t before[GROUPS], after[GROUPS];
	if (geteuid() != 0)
		skip("only root can join groups");
	for (int i = 0; i < GROUPS; i++)
		before[i] = 1000 + 3 * i;
	MUST(setgroups(GROUPS, before));
	ready_and_wait();
	CHECK_EQ(MUST(getgroups(GROUPS, after)), GROUPS, "the number of groups");
	for (int i = 0; i < GROUPS; i++)
		CHECK_EQ(after[i], before[i], "a group");
}

KIND(mixeduser, "different real, effective, saved and file-system ids (needs root to set up)")
{
	if (geteuid() != 0)
		skip("only root can become another user");
	MUST(setresgid(10, 20, 30));
	MUST(setresuid(1000, NOBODY, 0));
	across();
	MUST(setresuid(-1, 0, -1));
}

KIND(keepcaps, "another user that kept some capabilities (needs root to set up)")
{
	MUST(prctl(PR_SET_KEEPCAPS, 1));
	become_nobody();
	reduce_capabilities();
	across();
}

KIND(jail, "a root directory of its own (needs root to set up)")
{
	struct stat before, after;
	if (geteuid() != 0)
		skip("only root can change its root directory");
	MUST(mkdir("jail", 0755));
	MUST(mkdir("jail/below", 0755));
	MUST(chroot("jail"));
	MUST(chdir("/below"));
	MUST(stat("/", &before));
	ready_and_wait();
	MUST(stat("/", &after));
	CHECK_EQ(after.st_ino, before.st_ino, "the inode of the root directory");
	CHECK_EQ(access("/below", F_OK), 0, "a lookup from the root directory");
	CHECK_EQ(access("../below", F_OK), 0, "a relative lookup");
	CHECK(access("/verdict", F_OK) == -1 && access("../../verdict", F_OK) == -1, "it got out of its root directory");
}
