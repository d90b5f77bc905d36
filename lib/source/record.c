/* See record.h. */
#include "source/record.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/safe_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

char *record_path(const char *directory, const char *rule, const char *ending)
{
	struct buf b = {0};

	buf_printf(&b, "%s/%s%s", directory, rule, ending);
	return buf_take(&b);
}

static int take(const char *directory, const char *rule, struct error *e)
{
	char *path = record_path(directory, rule, ".lock");
	int fd = -1;

	if (path)
		fd = safe_open(path, O_RDWR | O_CREAT, 0644, 0, "cannot remember the last run in",
			       e);
	else
		error_errno(e, "cannot remember the last run in %s", directory);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			error_set(e, "another evwatch keeps the last run of %s in %s", rule,
				  directory);
		else
			error_errno(e, "cannot lock %s", path);
		fd_close(&fd);
	}
	free(path);
	return fd;
}

int record_lock(const char *directory, const char *rule, struct error *e)
{
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return error_errno(e, "cannot make the directory %s", directory);
	return take(directory, rule, e);
}
