/*
 * A spool: bytes that wait, first in memory and beyond a limit in an unlinked file.
 *
 * First in, first out. The memory that it holds is bounded by its limit whatever comes in; only
 * where no file can be made or written (ENOSPC) does the rest stay in memory, too.
 */
#ifndef EVWATCH_OUTPUT_SPOOL_H
#define EVWATCH_OUTPUT_SPOOL_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes that all spools of a process may hold on disk. */
struct spool_budget {
	uint64_t used, most;
};

struct spool {
	struct buf memory;           /* the oldest bytes */
	size_t taken;                /* of `memory` */
	size_t limit;                /* of `memory`, in bytes */
	int fd;                      /* younger ones, or -1 */
	int64_t from, to;            /* in the file */
	struct spool_budget *budget; /* borrowed: what the file holds counts there; or NULL */
};

void spool_init(struct spool *s, size_t limit, struct spool_budget *budget);
/* Adds at the end. Returns 0, or -1 with ENOMEM: then nothing was added. */
int spool_add(struct spool *s, const void *bytes, size_t length);
/* Adds what one read(2) of at most `most` bytes brings. Returns what that returned, with its errno.
 */
ssize_t spool_read(struct spool *s, int fd, size_t most);
/* The oldest bytes, *length of them (0: none are left); good until the next call. */
const char *spool_peek(struct spool *s, size_t *length);
/* Drops `n` of those that spool_peek returned. An empty spool holds neither memory nor file. */
void spool_take(struct spool *s, size_t n);
/* How many bytes wait. */
uint64_t spool_length(const struct spool *s);
void spool_free(struct spool *s);
/* The budget is used up: whoever can wait is to add nothing now. What is added is taken all the
 * same. */
bool spool_is_over(const struct spool_budget *b);

/* A file without a name, in TMPDIR or /tmp, or in memory where that is refused. -1 with errno. */
int unlinked_file(void);

#endif
