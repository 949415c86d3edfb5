/* Memory: every way to map, every flag that smaps shows, and what is in the pages. */
#include "victim.h"
#include <linux/prctl.h>
#include <sys/auxv.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum { PAGE = 4096, MAP = 1 << 20 };

static char map_before[MAP], map_after[MAP];

/*
 * The memory map as text: of every mapping its range, rights and offset, and its flags. Names and inodes are left
 * out: those of deleted and memory files are the kernel's own business. Only static memory and plain reads, so that
 * the act of looking does not change the map.
 */
static void describe(char *into)
{
	static char smaps[4 * MAP];
	char *out = into;
	slurp("/proc/self/smaps", smaps, sizeof(smaps));
	for (char *line = smaps, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			break;
		*end = 0;
		if ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f')) {
			char *cut = strchr(strchr(strchr(line, ' ') + 1, ' ') + 1, ' ');
			if (!strstr(line, "[vvar"))
				out += snprintf(out, into + MAP - out, "%.*s", (int)(cut - line), line);
			else
				out += snprintf(out, into + MAP - out, "%.*s", (int)(strchr(line, ' ') - line), line);
		} else if (!strncmp(line, "VmFlags:", 8)) {
			out += snprintf(out, into + MAP - out, "%s\n", line + 8);
		}
	}
}

/* Says which lines of two maps differ. */
static void compare(void)
{
	char *before = map_before, *after = map_after;
	int shown = 0;
	while ((*before || *after) && shown < 10) {
		size_t b = strcspn(before, "\n"), a = strcspn(after, "\n");
		if (a != b || memcmp(before, after, a)) {
			CHECK(false, "the map shows \"%.*s\", was \"%.*s\"", (int)a, after, (int)b, before);
			shown++;
		}
		before += b + (before[b] != 0);
		after += a + (after[a] != 0);
	}
}

static void *map(void *at, size_t size, int prot, int flags, int fd)
{
	return MUST(mmap(at, size, prot, flags, fd, 0));
}

static int file_with(const char *name, uint64_t seed)
{
	char data[4 * PAGE];
	int fd = MUST(open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	fill(data, sizeof(data), seed);
	MUST(write(fd, data, sizeof(data)));
	return fd;
}

enum { RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

KIND(mappings, "private, shared, file, deleted file, memfd with seals, shared anonymous; compared page by page")
{
	char *anon = map(NULL, 16 * PAGE, RW, ANON, -1);
	fill(anon + PAGE, 3 * PAGE, 1);
	MUST(mprotect(anon + 2 * PAGE, PAGE, PROT_READ));

	int fd = file_with("private", 2);
	char *clean = map(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd);
	char *dirty = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd);
	char *no_access = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd);
	fill(dirty + PAGE, PAGE, 3);
	fill(no_access, PAGE, 4);
	MUST(mprotect(no_access, 4 * PAGE, PROT_NONE));
	close(fd);

	fd = file_with("shared", 5);
	char *shared = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd);
	char *shared_read = map(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd);
	fill(shared + PAGE, PAGE, 6);
	close(fd);

	fd = file_with("deleted", 7);
	char *deleted = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd);
	char *deleted_shared = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd);
	fill(deleted + 2 * PAGE, PAGE, 8);
	fill(deleted_shared + 3 * PAGE, PAGE, 9);
	MUST(unlink("deleted"));
	close(fd);

	int mem = MUST(memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC));
	MUST(ftruncate(mem, 8 * PAGE));
	char *mem_map = map(NULL, 8 * PAGE, RW, MAP_SHARED, mem);
	fill(mem_map + 4 * PAGE, 2 * PAGE, 10);
	MUST(fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	MUST(lseek(mem, 12345, SEEK_SET));

	/* Two views of one shared anonymous object: mremap with old size 0 makes the second. */
	char *both = map(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	char *again = MUST(mremap(both, 0, 4 * PAGE, MREMAP_MAYMOVE));
	fill(both + PAGE, PAGE, 11);

	describe(map_before);
	ready_and_wait();
	describe(map_after);
	compare();

	CHECK(filled(anon + PAGE, 3 * PAGE, 1), "private anonymous memory");
	CHECK(anon[0] == 0 && anon[15 * PAGE] == 0, "untouched anonymous memory is not zero");
	static char data[4 * PAGE];
	fill(data, sizeof(data), 2);
	CHECK(!memcmp(clean, data, 4 * PAGE), "a clean private file mapping");
	CHECK(!memcmp(dirty, data, PAGE) && filled(dirty + PAGE, PAGE, 3), "a dirty private file mapping");
	CHECK(!memcmp(dirty + 2 * PAGE, data + 2 * PAGE, 2 * PAGE), "the clean rest of a dirty file mapping");
	MUST(mprotect(no_access, 4 * PAGE, PROT_READ));
	CHECK(filled(no_access, PAGE, 4), "a dirty page without access rights");
	CHECK(filled(shared + PAGE, PAGE, 6) && filled(shared_read + PAGE, PAGE, 6), "a shared file mapping");
	fill(shared + 2 * PAGE, PAGE, 12);
	CHECK(filled(shared_read + 2 * PAGE, PAGE, 12), "two shared mappings of a file are no longer one");
	fd = MUST(open("shared", O_RDONLY));
	MUST(pread(fd, data, 4 * PAGE, 0));
	CHECK(filled(data + 2 * PAGE, PAGE, 12), "a shared mapping no longer writes to its file");
	fill(data, sizeof(data), 7);
	CHECK(!memcmp(deleted, data, PAGE), "a private mapping of a deleted file");
	CHECK(filled(deleted + 2 * PAGE, PAGE, 8), "a dirty page of a private mapping of a deleted file");
	CHECK(!memcmp(deleted_shared, data, PAGE), "a shared mapping of a deleted file");
	CHECK(filled(deleted_shared + 3 * PAGE, PAGE, 9), "a written page of a shared mapping of a deleted file");
	fill(deleted_shared, PAGE, 13);
	CHECK(filled(deleted, PAGE, 13), "private and shared mapping of a deleted file no longer share pages");
	CHECK(filled(mem_map + 4 * PAGE, 2 * PAGE, 10), "a memfd mapping");
	CHECK_EQ(fcntl(mem, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW, "the seals");
	CHECK_EQ(lseek(mem, 0, SEEK_CUR), 12345, "the offset of the memfd");
	MUST(pread(mem, data, PAGE, 5 * PAGE));
	CHECK(!memcmp(data, mem_map + 5 * PAGE, PAGE), "the memfd and its mapping are no longer one");
	CHECK(filled(both + PAGE, PAGE, 11) && filled(again + PAGE, PAGE, 11), "shared anonymous memory");
	fill(again, PAGE, 14);
	CHECK(filled(both, PAGE, 14), "two views of shared anonymous memory are no longer one");
}

KIND(vmflags, "grows-down, locked, no-dump, no-fork, wipe-on-fork, hugepage advice, guard pages")
{
	static const int advices[] = { MADV_DONTDUMP, MADV_DONTFORK, MADV_WIPEONFORK, MADV_HUGEPAGE,
				       MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_SEQUENTIAL, MADV_RANDOM };
	/* A gap below each keeps the kernel from merging neighbours. */
	for (size_t i = 0; i < sizeof(advices) / sizeof(*advices); i++) {
		char *area = map(NULL, 20 * PAGE, PROT_NONE, ANON, -1);
		MUST(mprotect(area + PAGE, 16 * PAGE, RW));
		area[PAGE] = 1;
		if (madvise(area + PAGE, 16 * PAGE, advices[i]) && errno != EINVAL)
			die(__FILE__, __LINE__, "madvise");
	}
	char *locked = map(NULL, 4 * PAGE, RW, ANON, -1);
	MUST(mlock(locked, 2 * PAGE));
	fill(locked, 4 * PAGE, 22);
	char *on_fault = map(NULL, 4 * PAGE, RW, ANON, -1);
	MUST(mlock2(on_fault, 4 * PAGE, MLOCK_ONFAULT));
	map(NULL, 4 * PAGE, RW, ANON | MAP_NORESERVE, -1);
	map(NULL, 4 * PAGE, PROT_READ | PROT_EXEC, ANON, -1);
	char *guarded = map(NULL, 8 * PAGE, RW, ANON, -1);
	fill(guarded, 8 * PAGE, 23);
	bool guard = madvise(guarded + 3 * PAGE, PAGE, MADV_GUARD_INSTALL) == 0;

	/* Last, as later mappings would be put into the three free pages it has below it. */
	char *down = map(NULL, 64 * PAGE, PROT_NONE, ANON, -1) + 60 * PAGE;
	MUST(munmap(down - 3 * PAGE, 5 * PAGE));
	map(down, 2 * PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1);
	fill(down, 2 * PAGE, 21);

	describe(map_before);
	ready_and_wait();
	describe(map_after);
	compare();
	CHECK(filled(down, 2 * PAGE, 21), "the mapping that grows down");
	/* Only a mapping that grows down takes this write; any other would end the program here. */
	((volatile char *)down)[-1] = 1;
	CHECK(filled(locked, 4 * PAGE, 22), "the locked mapping");
	if (guard) {
		/* Reading a guard page as the source of a write(2) gives EFAULT instead of a signal. */
		int null = MUST(open("out", O_WRONLY | O_APPEND));
		CHECK(write(null, guarded + 3 * PAGE, 1) == -1 && errno == EFAULT, "the guard page is gone");
		CHECK(write(null, guarded + 4 * PAGE, 1) == 1, "a page behind the guard page");
	}
}

KIND(reservation, "300 GB without access rights, with a few written pages inside")
{
	const size_t size = 300UL << 30;
	char *area = map(NULL, size, PROT_NONE, ANON | MAP_NORESERVE, -1);
	for (size_t i = 1; i <= 3; i++) {
		MUST(mprotect(area + i * (64UL << 30), PAGE, RW));
		fill(area + i * (64UL << 30), PAGE, 30 + i);
	}
	describe(map_before);
	ready_and_wait();
	describe(map_after);
	compare();
	for (size_t i = 1; i <= 3; i++)
		CHECK(filled(area + i * (64UL << 30), PAGE, 30 + i), "page %zu in the reservation", i);
}

KIND(manyvmas, "20,000 mappings, every second one written to and made read-only")
{
	enum { VMAS = 20000 };
	char *area = map(NULL, (size_t)VMAS * PAGE, RW, ANON, -1);
	for (size_t i = 0; i < VMAS; i += 2) {
		fill(area + i * PAGE, 64, i);
		MUST(mprotect(area + i * PAGE, PAGE, PROT_READ));
	}
	ready_and_wait();
	for (size_t i = 0; i < VMAS; i += 2)
		CHECK(filled(area + i * PAGE, 64, i), "mapping %zu", i);
	/* Each write must fault if the mapping is read-only: EFAULT from the kernel, no signal. */
	int zero = MUST(open("/dev/zero", O_RDONLY));
	for (size_t i = 0; i < VMAS; i++) {
		ssize_t got = read(zero, area + i * PAGE + 128, 8);
		CHECK(i % 2 ? got == 8 : got == -1 && errno == EFAULT, "the rights of mapping %zu", i);
	}
}

/* Names that the kernel shows for areas, one after the other. */
static size_t names_of_areas(char *out)
{
	static char text[16 << 20];
	size_t n = slurp("/proc/self/maps", text, sizeof(text)), length = 0;
	for (char *at = text; (at = memchr(at, '[', text + n - at)); at++)
		if (!strncmp(at, "[anon:stasis-", 13)) {
			size_t line = strcspn(at, "\n");
			memcpy(out + length, at, line);
			length += line;
		}
	return length;
}

KIND(areanames, "12,000 areas, each with a name of 79 characters")
{
	enum { AREAS = 12000, LONGEST = 79 };
	static char before[AREAS * 128], after[AREAS * 128], name[LONGEST + 1];
	char *area = map(NULL, (size_t)AREAS * PAGE, RW, ANON, -1);
	for (size_t i = 0; i < AREAS; i++) {
		snprintf(name, sizeof(name), "stasis-%072zu", i);
		if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, area + i * PAGE, PAGE, name) == -1)
			skip("this kernel knows no names of areas");
	}
	size_t length = names_of_areas(before);
	CHECK_EQ(length, (size_t)AREAS * (LONGEST + sizeof("[anon:]") - 1), "the length of all names");
	ready_and_wait();
	CHECK_EQ(names_of_areas(after), length, "the length of all names");
	CHECK(!memcmp(before, after, length), "the names of areas differ");
}

static long resident_kb(void)
{
	static char text[4096];
	slurp("/proc/self/status", text, sizeof(text));
	const char *line = strstr(text, "\nVmRSS:");
	return line ? atol(line + 7) : -1;
}

KIND(sparse, "4 GiB of which every 256th page is written")
{
	const size_t size = 4UL << 30, step = 256 * PAGE;
	char *area = map(NULL, size, RW, ANON | MAP_NORESERVE, -1);
	MUST(madvise(area, size, MADV_NOHUGEPAGE));
	for (size_t at = 0; at < size; at += step)
		fill(area + at, PAGE, at);
	long before = resident_kb();
	ready_and_wait();
	long after = resident_kb();
	CHECK(after < 2 * before, "%ld kB are resident, were %ld: holes were filled", after, before);
	for (size_t at = 0; at < size; at += step) {
		CHECK(filled(area + at, PAGE, at), "the page at %zu", at);
		CHECK(area[at + 2 * PAGE] == 0, "the hole behind %zu", at);
	}
}

KIND(mm, "brk, auxv, command line, environment, exe link, the vDSO")
{
	static char before[5][8192], after[5][8192];
	static const char *const files[4] = { "/proc/self/auxv", "/proc/self/cmdline", "/proc/self/environ",
					      "/proc/self/stat" };
	size_t sizes[4];
	char *brk_before = MUST(sbrk(3 * PAGE));
	fill(brk_before, 3 * PAGE, 40);
	char *top = sbrk(0);
	for (int i = 0; i < 4; i++)
		sizes[i] = slurp(files[i], before[i], sizeof(before[i]));
	MUST(readlink("/proc/self/exe", before[4], sizeof(before[4]) - 1));
	ready_and_wait();
	CHECK_EQ((uintptr_t)sbrk(0), (uintptr_t)top, "the program break");
	CHECK(filled(brk_before, 3 * PAGE, 40), "the heap");
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(slurp(files[i], after[i], sizeof(after[i])), sizes[i], files[i]);
		CHECK(!memcmp(before[i], after[i], sizes[i]), "%s changed", files[i]);
	}
	MUST(readlink("/proc/self/exe", after[4], sizeof(after[4]) - 1));
	CHECK(!strcmp(before[4], after[4]), "exe is %s, was %s", after[4], before[4]);
	slurp(files[3], after[3], sizeof(after[3]));
	/* From the state behind the comm on: startcode, endcode, startstack are fields 26-28, start_data.. 45-51. */
	char *b = strrchr(before[3], ')') + 2, *a = strrchr(after[3], ')') + 2, *next_b, *next_a;
	char *word_b = strtok_r(b, " ", &next_b), *word_a = strtok_r(a, " ", &next_a);
	for (int field = 3; word_b && word_a; field++) {
		if ((field >= 26 && field <= 28) || (field >= 45 && field <= 51))
			CHECK(!strcmp(word_b, word_a), "field %d of stat is %s, was %s", field, word_a, word_b);
		word_b = strtok_r(NULL, " ", &next_b);
		word_a = strtok_r(NULL, " ", &next_a);
	}
	/* The C library calls the vDSO that it found at the start; a program with none there would die here. */
	CHECK(monotonic() > 0 && getauxval(AT_SYSINFO_EHDR) != 0, "the vDSO");
	CHECK(!memcmp((void *)getauxval(AT_SYSINFO_EHDR), "\177ELF", 4), "no ELF header at the vDSO's address");
	char *more = MUST(sbrk(PAGE));
	CHECK_EQ((uintptr_t)more, (uintptr_t)top, "the place where the heap grows");
	more[0] = 1;
}
