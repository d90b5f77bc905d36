/* See fd.h. */
#include "base/fd.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd < 0)
		return;
	close(*fd); /* never repeated on EINTR: Linux has freed it (close(2)) */
	*fd = -1;
	errno = saved;
}

bool fd_is_short(int error)
{
	return error == EMFILE || error == ENFILE;
}

int fd_most_for_peers(void)
{
	enum { RESERVE = 64 };
	struct rlimit files;
	rlim_t reserve;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur > INT_MAX)
		return INT_MAX;
	reserve = files.rlim_cur / 16;
	return (int)(files.rlim_cur - (reserve < RESERVE ? reserve : RESERVE));
}

int fd_set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	return fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int fd_set_cloexec(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* From `first` to `last`, both included. */
static void close_range_of(unsigned first, unsigned last)
{
	long most = sysconf(_SC_OPEN_MAX);

	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	for (unsigned fd = first; fd <= last && (long)fd < most; fd++)
		close((int)fd);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void fd_close_all_but(int *keep, size_t n)
{
	unsigned next = 0;

	qsort(keep, n, sizeof *keep, by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] > 0)
			close_range_of(next, (unsigned)keep[i] - 1);
		next = (unsigned)keep[i] + 1;
	}
	close_range_of(next, ~0U);
}

int fd_reserve_standard(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
			return -1;
	}
	return 0;
}

int fd_write_all(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length) {
		ssize_t n = write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		length -= (size_t)n;
	}
	return 0;
}

static int write_and_close(int fd, const void *bytes, size_t length, bool durable)
{
	int result = fd_write_all(fd, bytes, length);

	if (result == 0 && durable)
		result = fsync(fd);
	fd_close(&fd);
	return result;
}

int file_replace(const char *path, const void *bytes, size_t length, unsigned mode, bool durable,
		 struct error *e)
{
	char beside[PATH_MAX];
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	if ((size_t)snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= sizeof beside) {
		errno = ENAMETOOLONG;
		return error_errno(e, "cannot write %s", path);
	}
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return error_errno(e, "cannot write %s", path);
	if (fchmod(fd, mode & ~mask) < 0 || write_and_close(fd, bytes, length, durable) < 0 ||
	    rename(beside, path) < 0) {
		error_errno(e, "cannot write %s", path);
		unlink(beside);
		return -1;
	}
	return 0;
}
