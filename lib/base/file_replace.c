/* Replacing a file: see fd.h. */
#include "base/fd.h"

#include "base/error.h"
#include "base/path.h"
#include "base/safe_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 100 };

/* NAME.XXXXXX, as mkstemp(3) would have it, in the directory. Returns the descriptor or -1. */
static int create_beside(int directory, const char *name, char *beside, size_t room)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t length = strlen(name);

	if (length + 8 > room) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (int i = 0; i < TRIES; i++) {
		unsigned char random[6];
		int fd;

		if (getrandom(random, sizeof random, GRND_NONBLOCK) != sizeof random)
			memset(random, i, sizeof random);
		snprintf(beside, room, "%s.", name);
		for (size_t n = 0; n < sizeof random; n++)
			beside[length + 1 + n] = letters[random[n] % (sizeof letters - 1)];
		beside[length + 7] = '\0';
		fd = openat(directory, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

static int write_and_close(int fd, const void *bytes, size_t length, bool durable)
{
	int result = fd_write_all(fd, bytes, length);

	if (result == 0 && durable)
		result = fsync(fd);
	fd_close(&fd);
	return result;
}

/* All of it, in a directory that is open. Returns 0 or -1 with errno. */
static int replace_in(int directory, const char *name, const void *bytes, size_t length,
		      unsigned mode, bool durable)
{
	char beside[NAME_MAX + 1];
	mode_t mask = umask(0);
	int fd, code;

	umask(mask);
	fd = create_beside(directory, name, beside, sizeof beside);
	if (fd < 0)
		return -1;
	if (fchmod(fd, mode & ~mask) == 0) {
		if (write_and_close(fd, bytes, length, durable) == 0 &&
		    renameat(directory, beside, directory, name) == 0)
			return 0;
	} else {
		fd_close(&fd);
	}
	code = errno;
	unlinkat(directory, beside, 0);
	errno = code;
	return -1;
}

int file_replace(const char *path, const void *bytes, size_t length, unsigned mode, bool durable,
		 struct error *e)
{
	char *above = path_above(path), *name = path_base(path);
	int directory = -1, result = -1;

	if (!above || !name)
		error_errno(e, "cannot write %s", path);
	else
		directory = safe_open(above, O_PATH, 0, SAFE_DIRECTORY, "cannot write to", e);
	if (directory >= 0)
		result = replace_in(directory, name, bytes, length, mode, durable);
	/* A refusal has its cure already, and names the directory. */
	if (result < 0 && !*e->hint)
		error_errno(e, "cannot write %s", path);
	fd_close(&directory);
	free(above);
	free(name);
	return result;
}
