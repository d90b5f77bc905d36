/* See pidfile.h. */
#include "pidfile.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/safe_open.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_holder(int fd, char *text, size_t room)
{
	ssize_t n = pread(fd, text, room - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/* Does the path still name the file that is locked? An evwatch that ends removes its file. */
static bool is_current(const char *path, int fd)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

static int open_locked(const char *path, struct error *e)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd =
	    safe_open(path, O_RDWR | O_CREAT, 0644, SAFE_TRUSTED | SAFE_OWN, "cannot write", e);
	char text[32];

	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return fd;
	read_holder(fd, text, sizeof text);
	error_set(e, "%s is locked by another evwatch (pid %s)", path, text);
	error_hint(e, "stop it first, or give this one another --pidfile");
	fd_close(&fd);
	return -1;
}

int pidfile_open(const char *path, int pid, struct error *e)
{
	int fd = open_locked(path, e);
	char text[32];

	/* Its last owner may have removed the file after it was opened here: open the new one. */
	while (fd >= 0 && !is_current(path, fd)) {
		fd_close(&fd);
		fd = open_locked(path, e);
	}
	if (fd < 0)
		return -1;
	snprintf(text, sizeof text, "%d\n", pid);
	if (ftruncate(fd, 0) < 0 || fd_write_all(fd, text, strlen(text)) < 0) {
		error_errno(e, "cannot write %s", path);
		fd_close(&fd);
		return -1;
	}
	return fd;
}

void pidfile_close(const char *path, int fd)
{
	if (fd < 0)
		return;
	/* Under the lock, so that the file of a successor is never removed. */
	if (is_current(path, fd))
		unlink(path);
	fd_close(&fd);
}
