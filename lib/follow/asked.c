/*
 * What stands at a path that leads into a file system that may hang: the thread of its mount looks
 * every second, links followed, and a change of what it finds is a reason to walk.
 */
#include "follow/inner.h"

#include "base/statx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

static struct asked *of(struct question *q)
{
	return CONTAINER_OF(q, struct asked, base);
}

/* ---- in the thread --------------------------------------------------------------------------- */

static int64_t ns_of(const struct statx_timestamp *t)
{
	return t->tv_sec * 1000000000 + t->tv_nsec;
}

struct standing standing_at(const char *path)
{
	struct statx st;

	if (statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return (struct standing){.error = errno};
	return (struct standing){.device = makedev(st.stx_dev_major, st.stx_dev_minor),
				 .inode = (ino_t)st.stx_ino,
				 .mode = st.stx_mode,
				 .born = st.stx_mask & STATX_BTIME ? ns_of(&st.stx_btime) : 0,
				 .size = (off_t)st.stx_size,
				 .written = ns_of(&st.stx_mtime),
				 .changed = ns_of(&st.stx_ctime)};
}

static uint64_t sum_of(const struct standing *s)
{
	const uint64_t parts[] = {(uint64_t)s->error,
				  s->device,
				  s->inode,
				  s->mode,
				  (uint64_t)s->born,
				  (uint64_t)s->size,
				  (uint64_t)s->written,
				  (uint64_t)s->changed};

	return hash_bytes(parts, sizeof parts) | 1;
}

static void *ask(struct question *q, uint64_t *sum)
{
	struct standing *s = malloc(sizeof *s);

	if (!s)
		return NULL;
	*s = standing_at(of(q)->path);
	*sum = sum_of(s);
	return s;
}

static void asked_free(struct question *q)
{
	free(of(q)->path);
	free(of(q));
}

/* ---- in the loop ----------------------------------------------------------------------------- */

static void answered(struct question *q)
{
	struct follow *f = of(q)->follow;

	follow_want(f, WANT_WALK);
	timer_start_soon(f->set->reactor, &f->set->soon);
}

static void forget(struct question *q)
{
	of(q)->follow->asked = NULL;
	of(q)->follow->site = NULL;
}

void asked_drop(struct follow *f)
{
	if (f->asked)
		question_drop(&f->asked->base);
}

static int put(struct follow *f, struct site *s, const char *path)
{
	static const struct question_type type = {false, ask, free, answered, forget, asked_free};
	struct asked *a = calloc(1, sizeof *a);

	if (a)
		a->path = strdup(path);
	if (!a || !a->path) {
		free(a);
		return -1;
	}
	a->base.type = &type;
	a->follow = f;
	f->asked = a;
	question_put(&a->base, s);
	return 0;
}

struct standing asked_at(struct follow *f, struct site *s, const char *path)
{
	if (f->asked && (f->asked->base.site != s || strcmp(f->asked->path, path) != 0))
		asked_drop(f);
	if (!f->asked && put(f, s, path) < 0)
		return (struct standing){.error = ENOMEM};
	return f->asked->base.answer ? *(const struct standing *)f->asked->base.answer
				     : (struct standing){.error = EAGAIN};
}
