/*
 * See time.h: what --catch-up remembers. One line, the due time of the last run in seconds since
 * the epoch with nanoseconds. It is replaced by rename, so that a crash leaves the old or the new
 * one; the lock is a file of its own, since a rename would leave a lock on the old file behind. The
 * loop waits for the disk here: a run that is not remembered would be run twice after a power cut.
 */
#include "source/time/time.h"
#include "source/record.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/safe_open.h"
#include "base/scan.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* No file is no record; one that cannot be understood is an error, not a reason to run. */
static int record_read(struct record *r, struct error *e)
{
	uint64_t seconds = 0;
	int fraction = 0;
	char line[64];
	const char *at = line;
	int fd = safe_open(r->path, O_RDONLY, 0, 0, "cannot read", e);
	ssize_t n;

	r->last = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	n = read(fd, line, sizeof line - 1);
	fd_close(&fd);
	line[n > 0 ? n : 0] = '\0';
	if (scan_number(&at, 10, &seconds) && scan_char(&at, '.'))
		scan_digits(&at, 9, &fraction);
	if (seconds == 0 || seconds > INT64_MAX / NS_PER_S - 1) {
		error_set(e, "%s does not hold the time of a run", r->path);
		return error_hint(e, "remove it, and what was missed is not caught up");
	}
	r->last = (int64_t)seconds * NS_PER_S + fraction;
	return 0;
}

int record_open(struct record *r, struct source *s, const char *directory, struct error *e)
{
	r->lock = record_lock(s, directory, e);
	if (r->lock < 0)
		return -1;
	r->path = record_path(directory, s->rule, ".last");
	if (!r->path)
		error_errno(e, "cannot remember the last run");
	else if (record_read(r, e) == 0)
		return 0;
	record_close(r);
	return -1;
}

int record_write(struct record *r, int64_t at, struct error *e)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%lld.%09lld\n", (long long)(at / NS_PER_S),
			 (long long)(at % NS_PER_S));

	r->last = at;
	return file_replace(r->path, line, (size_t)n, 0644, true, e);
}

void record_close(struct record *r)
{
	fd_close(&r->lock);
	free(r->path);
	r->path = NULL;
}
