/* See record.h. */
#include "source/record.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/safe_open.h"
#include "base/units.h"
#include "reactor/reactor.h"
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

char *record_path(const char *directory, const char *rule, const char *ending)
{
	struct buf b = {0};

	buf_printf(&b, "%s/%s%s", directory, rule, ending);
	return buf_take(&b);
}

/* Is the file open at `fd` locked by the rule that this one replaces? A second descriptor of that
 * lock, or -1. */
static int share(struct source *s, int fd)
{
	int kept = s->host->kept_record ? s->host->kept_record(s) : -1;
	struct stat mine, other;

	if (kept >= 0 && fstat(fd, &mine) == 0 && fstat(kept, &other) == 0 &&
	    mine.st_dev == other.st_dev && mine.st_ino == other.st_ino)
		return fcntl(kept, F_DUPFD_CLOEXEC, 3);
	return -1;
}

/*
 * A command that was forked and has not executed yet holds the lock, too: it may outlive an evwatch
 * that was killed by a moment. A lock of fcntl(2) beside it is the process's own and goes with
 * that: it tells who is at work.
 */
static void sign(int fd)
{
	struct flock mine = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	fcntl(fd, F_SETLK, &mine);
}

static bool is_signed(int fd)
{
	struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_GETLK, &other) == 0 && other.l_type != F_UNLCK;
}

/* Waits while nobody is known to be at work, a second at most. Returns 0, or -1 with errno. */
static int lock_alone(int fd)
{
	const struct timespec moment = {.tv_nsec = 5 * NS_PER_MS};
	int64_t end = clock_read(CLOCK_OF_LOOP) + NS_PER_S;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -1;
		if (is_signed(fd) || clock_read(CLOCK_OF_LOOP) >= end) {
			errno = EWOULDBLOCK;
			return -1;
		}
		nanosleep(&moment, NULL);
	}
	sign(fd);
	return 0;
}

/* Locks the file open at *fd, which the shared lock may replace. -1 with errno. */
static int lock(struct source *s, int *fd)
{
	int shared = share(s, *fd);

	if (shared < 0)
		return lock_alone(*fd);
	close(*fd);
	*fd = shared;
	return 0;
}

static int take(struct source *s, const char *directory, struct error *e)
{
	char *path = record_path(directory, s->rule, ".lock");
	int fd = -1;

	if (path)
		fd = safe_open(path, O_RDWR | O_CREAT, 0644, 0, "cannot remember the last run in",
			       e);
	else
		error_errno(e, "cannot remember the last run in %s", directory);
	if (fd >= 0 && lock(s, &fd) < 0) {
		if (errno == EWOULDBLOCK)
			error_set(e, "another evwatch keeps the last run of %s in %s", s->rule,
				  directory);
		else
			error_errno(e, "cannot lock %s", path);
		fd_close(&fd);
	}
	free(path);
	return fd;
}

/* Where others may have their hands on the way, mkdir(2) would follow their links. */
static int make(const char *directory, struct error *e)
{
	char *above = path_above(directory), *name = path_base(directory);
	int fd = -1, result = -1;

	errno = ENOMEM;
	error_clear(e);
	if (above && name)
		fd = safe_open(above, O_PATH, 0, SAFE_DIRECTORY, "cannot make a directory in", e);
	if (fd >= 0)
		result = mkdirat(fd, name, 0755) == 0 || errno == EEXIST ? 0 : -1;
	/* A refusal has its cure already, and names the directory. */
	if (result < 0 && !*e->hint)
		error_errno(e, "cannot make the directory %s", directory);
	fd_close(&fd);
	free(above);
	free(name);
	return result;
}

int record_lock(struct source *s, const char *directory, struct error *e)
{
	struct stat st;

	if (stat(directory, &st) < 0 && errno == ENOENT && make(directory, e) < 0)
		return -1;
	return take(s, directory, e);
}
