/*
 * See spool.h. What is in memory is always older than what is in the file: while there is a file,
 * bytes are added to it alone, and memory that ran empty is filled from it.
 */
#include "output/spool.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CHUNK = 65536 }; /* read back from the file at once */

int unlinked_file(void)
{
	const char *folder = getenv("TMPDIR");
	int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : memfd_create("output", MFD_CLOEXEC);
}

void spool_init(struct spool *s, size_t limit, struct spool_budget *budget)
{
	*s = (struct spool){.limit = limit, .fd = -1, .budget = budget};
}

bool spool_is_over(const struct spool_budget *b)
{
	return b && b->used >= b->most;
}

/* The file got so many bytes more, or less. */
static void account(const struct spool *s, int64_t bytes)
{
	if (s->budget)
		s->budget->used += (uint64_t)bytes;
}

uint64_t spool_length(const struct spool *s)
{
	return s->memory.length - s->taken + (uint64_t)(s->to - s->from);
}

static int add_to_memory(struct spool *s, const void *bytes, size_t length)
{
	if (s->taken > s->memory.length / 2) {
		buf_consume(&s->memory, s->taken); /* what is gone must not pile up */
		s->taken = 0;
	}
	if (buf_add(&s->memory, bytes, length) == 0)
		return 0;
	s->memory.failed = false;
	errno = ENOMEM;
	return -1;
}

/* Appends to the file. A write that fails midway leaves `to` where it was. */
static int add_to_file(struct spool *s, const char *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = pwrite(s->fd, bytes + done, length - done, s->to + (off_t)done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return -1;
	}
	s->to += (int64_t)length;
	account(s, (int64_t)length);
	return 0;
}

/* What was read back is given back to the disk: a spool that never runs empty must not grow for
 * ever. Where the file system cannot do that (fallocate(2)), it is given back at the end. */
static void give_back(struct spool *s, int64_t length)
{
	account(s, -length);
	s->from += length;
	if (s->from < s->to) {
		fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, s->from);
		return;
	}
	fd_close(&s->fd);
	s->from = s->to = 0;
}

/* Moves up to CHUNK bytes from the file into memory. */
static int refill(struct spool *s)
{
	int64_t left = s->to - s->from;
	size_t want = left < CHUNK ? (size_t)left : CHUNK;
	ssize_t n;

	if (buf_reserve(&s->memory, want) < 0) {
		s->memory.failed = false;
		return -1;
	}
	do
		n = pread(s->fd, s->memory.data + s->memory.length, want, s->from);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -1;
	s->memory.length += (size_t)n;
	give_back(s, n);
	return 0;
}

/* Everything back into memory: the file takes no more. */
static int leave_file(struct spool *s)
{
	while (s->fd >= 0)
		if (refill(s) < 0)
			return -1;
	return 0;
}

int spool_add(struct spool *s, const void *bytes, size_t length)
{
	if (s->fd < 0 && s->memory.length - s->taken + length > s->limit)
		s->fd = unlinked_file();
	if (s->fd < 0)
		return add_to_memory(s, bytes, length);
	if (add_to_file(s, bytes, length) == 0)
		return 0;
	if (s->from == s->to)
		fd_close(&s->fd); /* nothing is in it */
	return leave_file(s) < 0 ? -1 : add_to_memory(s, bytes, length);
}

/* Straight into memory where there is room: what is held of most commands is copied once less. */
ssize_t spool_read(struct spool *s, int fd, size_t most)
{
	char chunk[CHUNK];
	bool direct = s->fd < 0 && s->memory.length - s->taken + most <= s->limit &&
		      buf_reserve(&s->memory, most) == 0;
	ssize_t n;

	if (direct) {
		n = read(fd, s->memory.data + s->memory.length, most);
		s->memory.length += n > 0 ? (size_t)n : 0;
		return n;
	}
	n = read(fd, chunk, most < CHUNK ? most : CHUNK);
	return n > 0 && spool_add(s, chunk, (size_t)n) < 0 ? -1 : n;
}

const char *spool_peek(struct spool *s, size_t *length)
{
	if (s->taken == s->memory.length && s->fd >= 0) {
		s->memory.length = s->taken = 0;
		refill(s); /* what cannot be read back for now is asked for again later */
	}
	*length = s->memory.length - s->taken;
	return s->memory.data + s->taken;
}

void spool_take(struct spool *s, size_t n)
{
	s->taken += n;
	if (s->taken < s->memory.length)
		return;
	s->taken = s->memory.length = 0;
	if (s->fd < 0)
		buf_free(&s->memory);
}

void spool_free(struct spool *s)
{
	account(s, s->from - s->to);
	fd_close(&s->fd);
	buf_free(&s->memory);
	spool_init(s, s->limit, s->budget);
}
