/*
 * --changed: what files hold is compared with what they held when they were last read.
 *
 * At the start all that count are read: for a second before the rule is armed, the rest while it
 * waits. Such a reading may come after a change that was not heard of yet, so it counts only if the
 * file's ctime is from before the start; both come from the same clock (CLOCK_REALTIME_COARSE).
 *
 * Before a batch is handed on all that was written in it is read; net.c compares. What is written
 * while it is read counts as changed, and so does what cannot be read.
 */
#include "source/file/kind.h"

#include "base/array.h"
#include "base/file_time.h"

#include <stdlib.h>
#include <string.h>

enum { WRITTEN = FILE_MODIFY | FILE_CLOSE_WRITE };

void compare_init(struct file_source *s)
{
	struct compare *c = &s->compare;

	contents_init(&c->contents);
	c->reader.fd = c->early.fd = -1;
	c->began = file_time_now();
}

static void unread_free(struct unread *u)
{
	if (u->node)
		node_release(u->node);
	free(u->name);
	*u = (struct unread){0};
}

void compare_close(struct file_source *s)
{
	struct compare *c = &s->compare;

	content_close(&c->reader);
	content_close(&c->early);
	unread_free(&c->is_read);
	while (c->n_unread)
		unread_free(&c->unread[--c->n_unread]);
	free(c->unread);
	c->unread = NULL;
	contents_free(&c->contents);
}

/* Does it count, and may it be read without a wait? */
static bool is_to_be_read(struct file_source *s, const struct node *d, const char *name)
{
	const char *path = file_path(s, d, name);

	return path && !poll_may_hang(&s->poll, path) && roots_count(s, path, 'f');
}

/* ---- the start ------------------------------------------------------------------------------- */

void compare_later(struct file_source *s, struct node *d, const char *name)
{
	struct compare *c = &s->compare;
	struct unread *u;

	if (ARRAY_GROW(c->unread, c->unread_capacity, c->n_unread + 1) < 0)
		return;
	u = &c->unread[c->n_unread];
	u->name = strdup(name);
	if (!u->name)
		return;
	u->node = node_hold(d);
	c->n_unread++;
}

/* All names of a node that is gone were forgotten. */
static bool is_there(const struct unread *u)
{
	return !u->node->gone && entries_find(u->node->entries, u->name);
}

static bool begin_early(struct file_source *s)
{
	struct compare *c = &s->compare;

	c->is_read = c->unread[--c->n_unread];
	if (is_there(&c->is_read) && is_to_be_read(s, c->is_read.node, c->is_read.name) &&
	    content_open(&c->early, &s->model, c->is_read.node, c->is_read.name) == 0)
		return true;
	unread_free(&c->is_read);
	return false;
}

static void end_early(struct compare *c)
{
	if (c->early.content && c->early.changed < c->began && is_there(&c->is_read))
		contents_keep(&c->contents, c->is_read.node, c->is_read.name, c->early.content);
	unread_free(&c->is_read);
}

bool compare_start(struct file_source *s, int64_t deadline)
{
	struct compare *c = &s->compare;

	while (c->is_read.node || c->n_unread) {
		if (clock_read(CLOCK_OF_LOOP) >= deadline)
			return true;
		if (!c->is_read.node && !begin_early(s))
			continue;
		if (content_read(&c->early, deadline))
			return true;
		end_early(c);
	}
	return false;
}

/* ---- a batch --------------------------------------------------------------------------------- */

/* What was only renamed holds what it held. */
static bool needs_reading(const struct file_source *s, const struct record *r)
{
	const struct thing *t = r->now;
	const struct record *origin = t ? t->origin : NULL;

	if (!t || t->type != 'f' || t->read || hand_on_waits(s, r))
		return false;
	return !origin || t->seen & WRITTEN ||
	       (origin != r && !contents_find(&s->compare.contents, origin->node, origin->name));
}

static void begin(struct file_source *s, const struct record *r)
{
	struct compare *c = &s->compare;

	c->reads = journal_hold(r->now);
	c->writes = r->now->writes;
	c->reader.content = 0;
	if (is_to_be_read(s, r->node, r->name))
		content_open(&c->reader, &s->model, r->node, r->name);
}

static void end(struct file_source *s)
{
	struct compare *c = &s->compare;

	c->reads->read = true;
	c->reads->content = c->reads->writes == c->writes ? c->reader.content : 0;
	journal_release(&s->journal, c->reads);
	c->reads = NULL;
}

/* Reads what is open, if anything is. True: there is more. */
static bool read_on(struct file_source *s, int64_t deadline)
{
	struct compare *c = &s->compare;

	if (!c->reads)
		return false;
	if (c->reader.fd >= 0 && content_read(&c->reader, deadline))
		return true;
	end(s);
	return false;
}

bool compare_batch(struct file_source *s, int64_t deadline)
{
	if (read_on(s, deadline))
		return true;
	LIST_EACH(at, after, &s->journal.order)
	{
		const struct record *r = CONTAINER_OF(at, struct record, link);

		if (!needs_reading(s, r))
			continue;
		if (clock_read(CLOCK_OF_LOOP) >= deadline)
			return true;
		begin(s, r);
		if (read_on(s, deadline))
			return true;
	}
	return false;
}
