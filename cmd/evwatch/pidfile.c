/* See pidfile.h. */
#include "pidfile.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void read_holder(int fd, char *text, size_t room)
{
	ssize_t n = pread(fd, text, room - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

int pidfile_open(const char *path, int pid, struct error *e)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	char text[32];

	if (fd < 0)
		return error_errno(e, "cannot write %s", path);
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		read_holder(fd, text, sizeof text);
		error_set(e, "%s is locked by another evwatch (pid %s)", path, text);
		error_hint(e, "stop it first, or give this one another --pidfile");
		fd_close(&fd);
		return -1;
	}
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
	unlink(path); /* before the lock goes: a successor never loses its own file */
	fd_close(&fd);
}
