/* See fd.h. */
#include "base/fd.h"

#include "base/buf.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <limits.h>
#include <poll.h>
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

bool fd_is_ready(int fd, int events)
{
	struct pollfd p = {.fd = fd, .events = (short)events};

	return fd >= 0 && poll(&p, 1, 0) > 0;
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

/* Those that /proc names. Its entries stand at their numbers: closing moves none. -1: no /proc. */
static int close_listed(unsigned first, unsigned last)
{
	DIR *listed = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (!listed)
		return -1;
	while ((entry = readdir(listed))) {
		unsigned fd = (unsigned)strtoul(entry->d_name, NULL, 10);

		if (*entry->d_name != '.' && fd >= first && fd <= last && (int)fd != dirfd(listed))
			close((int)fd);
	}
	return closedir(listed);
}

/* From `first` to `last`, both included. */
static void close_range_of(unsigned first, unsigned last)
{
	long most = sysconf(_SC_OPEN_MAX);

	if (first > last || syscall(SYS_close_range, first, last, 0) == 0 ||
	    close_listed(first, last) == 0)
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

int fd_read_all(int fd, struct buf *out, size_t most)
{
	enum { PIECE = 65536 };
	size_t had = out->length;
	ssize_t n;

	do {
		n = buf_reserve(out, PIECE) < 0 ? -1 : read(fd, out->data + out->length, PIECE);
		if (n > 0)
			out->data[out->length += (size_t)n] = '\0';
		if (out->length - had > most) {
			errno = EFBIG;
			return -1;
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -1 : 0;
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
