/* Does anybody have a file open for writing? See writer.h. */
#include "source/file/batch/writer.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>

static bool is_regular(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static enum writer ask(int fd)
{
	if (fcntl(fd, F_SETSIG, SIGURG) < 0)
		return WRITER_UNKNOWN;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN ? WRITER_AT_WORK : WRITER_UNKNOWN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return WRITER_NONE;
}

enum writer writer_ask(const char *path)
{
	enum writer answer;
	int fd;

	/* A FIFO must not even be opened: who waits to write to it would go on. */
	if (!is_regular(path))
		return WRITER_NONE;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? WRITER_NONE : WRITER_UNKNOWN;
	answer = ask(fd);
	fd_close(&fd);
	return answer;
}
