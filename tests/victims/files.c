/* Open files: where they stand, what they share, and those that have no name any more. */
#include "victim.h"
#include <dirent.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

enum { DELETED = 5 << 20 };

static int make(const char *name, int flags, uint64_t seed, size_t size)
{
	static char data[DELETED];
	int fd = MUST(open(name, O_RDWR | O_CREAT | O_TRUNC, 0640));
	fill(data, size, seed);
	CHECK_EQ(write(fd, data, size), size, "the set-up of a file");
	close(fd);
	return MUST(open(name, flags));
}

static bool holds(int fd, uint64_t seed, size_t size)
{
	static char data[DELETED];
	return pread(fd, data, size, 0) == (ssize_t)size && filled(data, size, seed);
}

/* kcmp(2): 0 means the two descriptors are one open file. */
static bool same_file(int one, int two)
{
	return syscall(SYS_kcmp, getpid(), getpid(), 0 /* KCMP_FILE */, one, two) == 0;
}

KIND(files, "offsets, flags, close-on-exec, shared and separate offsets, O_PATH, directories, devices")
{
	int plain = make("plain", O_RDONLY, 1, 65536);
	MUST(lseek(plain, 4097, SEEK_SET));
	int append = make("append", O_WRONLY | O_APPEND | O_CLOEXEC, 2, 4096);
	int shared = MUST(dup(plain));
	int separate = MUST(open("plain", O_RDWR | O_CLOEXEC | O_NOATIME));
	MUST(lseek(separate, 99, SEEK_SET));
	int high = MUST(fcntl(plain, F_DUPFD_CLOEXEC, 700));
	int path = MUST(open("plain", O_PATH | O_CLOEXEC));
	int directory = MUST(open(".", O_RDONLY | O_DIRECTORY));
	int past_end = MUST(open("plain", O_RDWR));
	MUST(lseek(past_end, 1 << 30, SEEK_SET));
	int read_only = make("write-protected", O_RDONLY, 3, 4096);
	MUST(chmod("write-protected", 0400));
	static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/urandom", "/dev/full", "/dev/random" };
	int device[5];
	for (int i = 0; i < 5; i++)
		device[i] = MUST(open(devices[i], O_RDWR | (i % 2 ? O_CLOEXEC : O_NONBLOCK)));
	int all[] = { plain, append, shared, separate, high, path, directory, past_end, read_only, device[0],
		      device[1], device[2], device[3], device[4] };
	enum { ALL = sizeof(all) / sizeof(*all) };
	struct {
		int fl, fd;
		off_t offset;
		struct stat stat;
	} before[ALL];
	for (int i = 0; i < ALL; i++) {
		before[i].fl = MUST(fcntl(all[i], F_GETFL));
		before[i].fd = MUST(fcntl(all[i], F_GETFD));
		before[i].offset = lseek(all[i], 0, SEEK_CUR);
		MUST(fstat(all[i], &before[i].stat));
	}

	ready_and_wait();

	for (int i = 0; i < ALL; i++) {
		struct stat stat;
		CHECK_EQ(fcntl(all[i], F_GETFL), before[i].fl, "the flags of a file");
		CHECK_EQ(fcntl(all[i], F_GETFD), before[i].fd, "close-on-exec of a file");
		CHECK_EQ(lseek(all[i], 0, SEEK_CUR), before[i].offset, "the offset of a file");
		CHECK_EQ(fstat(all[i], &stat), 0, "fstat");
		CHECK_EQ(stat.st_dev, before[i].stat.st_dev, "the file system of a file");
		CHECK_EQ(stat.st_ino, before[i].stat.st_ino, "the inode of a file");
		CHECK_EQ(stat.st_mode, before[i].stat.st_mode, "the mode of a file");
	}
	CHECK(same_file(plain, shared) && same_file(plain, high), "duplicates are no longer one open file");
	CHECK(!same_file(plain, separate), "two open files became one");
	MUST(lseek(shared, 8192, SEEK_SET));
	CHECK_EQ(lseek(high, 0, SEEK_CUR), 8192, "the offset that a duplicate sees");
	CHECK_EQ(lseek(separate, 0, SEEK_CUR), 99, "the offset of a separate open file");
	CHECK(holds(plain, 1, 65536), "the content of a file");
	MUST(write(append, "tail", 4));
	CHECK_EQ(lseek(append, 0, SEEK_CUR), 4100, "the end that an appending write found");
	CHECK(read(path, &(char){ 0 }, 1) == -1 && errno == EBADF, "an O_PATH descriptor can be read");
	CHECK_EQ(faccessat(directory, "append", R_OK, 0), 0, "a lookup in the open directory");
	char byte = 1;
	CHECK_EQ(read(device[0], &byte, 1), 0, "a read from /dev/null");
	CHECK(read(device[1], &byte, 1) == 1 && byte == 0, "a read from /dev/zero");
	CHECK_EQ(read(device[2], &byte, 1), 1, "a read from /dev/urandom");
	CHECK(write(device[3], &byte, 1) == -1 && errno == ENOSPC, "a write to /dev/full");
	int next = MUST(open("/dev/null", O_RDONLY));
	CHECK(next < 64, "the next free descriptor is %d: something is left open", next);
}

KIND(deleted, "files without a name: 5 MiB, one whose name is another file's now, one of a TiB that is all holes")
{
	struct stat stat, left;
	int gone = make("gone", O_RDWR, 4, DELETED);
	int gone_read = MUST(open("gone", O_RDONLY | O_CLOEXEC));
	MUST(unlink("gone"));
	MUST(lseek(gone, 1234567, SEEK_SET));
	MUST(lseek(gone_read, 5, SEEK_SET));
	int open_to_all = make("open-to-all", O_RDWR, 5, 8192);
	MUST(fchmod(open_to_all, 0666));
	MUST(unlink("open-to-all"));
	int replaced = make("replaced", O_RDONLY, 6, 8192);
	MUST(unlink("replaced"));
	close(make("replaced", O_RDONLY, 7, 8192));
	int sparse = make("sparse", O_RDWR, 8, 4096);
	MUST(ftruncate(sparse, 1L << 40));
	MUST(pwrite(sparse, "end", 3, (1L << 40) - 3));
	MUST(unlink("sparse"));

	ready_and_wait();

	CHECK(holds(gone, 4, DELETED) && holds(gone_read, 4, DELETED), "the content of a deleted file");
	CHECK_EQ(lseek(gone, 0, SEEK_CUR), 1234567, "the offset of a deleted file");
	CHECK_EQ(lseek(gone_read, 0, SEEK_CUR), 5, "the second offset of a deleted file");
	MUST(fstat(gone, &stat));
	MUST(fstat(gone_read, &left));
	CHECK_EQ(left.st_ino, stat.st_ino, "the inode behind two descriptors of one deleted file");
	CHECK_EQ(stat.st_size, DELETED, "the size of a deleted file");
	CHECK_EQ(stat.st_nlink, 0, "the names of a deleted file");
	CHECK_EQ(stat.st_mode, S_IFREG | 0640, "the mode of a deleted file");
	MUST(pwrite(gone, "new", 3, 0));
	char text[4] = "";
	CHECK(pread(gone_read, text, 3, 0) == 3 && !strcmp(text, "new"), "a deleted file became two");
	CHECK(access("gone", F_OK) == -1 && errno == ENOENT, "a deleted file has its name again");
	CHECK(write(gone_read, "x", 1) == -1 && errno == EBADF, "a read-only descriptor can be written to");

	CHECK(holds(open_to_all, 5, 8192), "the content of another deleted file");
	MUST(fstat(open_to_all, &stat));
	CHECK_EQ(stat.st_mode, S_IFREG | 0666, "the mode of a deleted file that the umask forbids");
	CHECK(holds(replaced, 6, 8192), "the content of a file whose name is another file's now");
	int new_one = MUST(open("replaced", O_RDONLY));
	CHECK(holds(new_one, 7, 8192), "the file that took a deleted one's name");
	CHECK(pread(sparse, text, 3, (1L << 40) - 3) == 3 && !memcmp(text, "end", 3), "the end of a sparse file");
	MUST(fstat(sparse, &stat));
	CHECK_EQ(stat.st_size, 1L << 40, "the size of a sparse deleted file");
	CHECK(stat.st_blocks < 10000, "the holes of a deleted file take %ld blocks", (long)stat.st_blocks);
}

/* What a process other than us would be told about a lock on the whole file: F_UNLCK, F_RDLCK or F_WRLCK. */
static int seen_by_another(const char *name, off_t from, off_t length)
{
	int ends[2], type = -1;
	MUST(pipe(ends));
	pid_t child = MUST(fork());
	if (!child) {
		struct flock lock = { .l_type = F_WRLCK, .l_start = from, .l_len = length };
		int fd = open(name, O_RDWR);
		if (fcntl(fd, F_GETLK, &lock) == 0)
			type = lock.l_type;
		if (write(ends[1], &type, sizeof(type)) < 0)
			_exit(1);
		_exit(0);
	}
	MUST(read(ends[0], &type, sizeof(type)));
	close(ends[0]);
	close(ends[1]);
	return type;
}

KIND(locks, "record locks of the process, of an open file, and a lock on the whole file")
{
	struct flock write_lock = { .l_type = F_WRLCK, .l_start = 100, .l_len = 50 };
	struct flock read_lock = { .l_type = F_RDLCK, .l_start = 500, .l_len = 0 };
	struct flock owned = { .l_type = F_WRLCK, .l_start = 10, .l_len = 10 };
	int posix = make("posix", O_RDWR, 1, 4096), ofd = make("ofd", O_RDWR, 1, 4096);
	int whole = make("whole", O_RDWR, 1, 4096);
	MUST(fcntl(posix, F_SETLK, &write_lock));
	MUST(fcntl(posix, F_SETLK, &read_lock));
	MUST(fcntl(ofd, F_OFD_SETLK, &owned));
	MUST(flock(whole, LOCK_EX));
	ready_and_wait();
	CHECK_EQ(seen_by_another("posix", 100, 50), F_WRLCK, "a write lock of the process");
	CHECK_EQ(seen_by_another("posix", 1000, 10), F_RDLCK, "a read lock of the process");
	CHECK_EQ(seen_by_another("posix", 200, 100), F_UNLCK, "a place without a lock");
	CHECK_EQ(seen_by_another("ofd", 10, 10), F_WRLCK, "a lock of an open file");
	int other = MUST(open("whole", O_RDWR));
	CHECK(flock(other, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK, "the lock on the whole file is lost");
	MUST(flock(whole, LOCK_UN));
	CHECK_EQ(flock(other, LOCK_SH | LOCK_NB), 0, "locking after the holder let go");
}
