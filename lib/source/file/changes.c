/*
 * Changes: merged to the net effect on each path.
 *
 *	first \ then   create   modify   delete    move onto it
 *	create         create   create   (nothing) create
 *	modify         modify   modify   delete    modify
 *	delete         modify   modify   delete    modify
 *	move           move     move     delete the old path
 *
 * A move leaves a hidden delete at its old path: what is created there afterwards was modified (an
 * editor's backup), and what is deleted at the new path is gone from the old one.
 *
 * What moves takes along what is known of it: gather_move.c, and renames.c for directories.
 *
 * What is no change of the path (overflow, unmount) is told beside it.
 *
 * Without a command nothing is gathered: each event is handed on as it comes.
 */
#include "base/log.h"
#include "source/file/file.h"

#include <stdlib.h>
#include <string.h>

/* ---- the table ------------------------------------------------------------------------------- */

static uint64_t path_hash(const void *path)
{
	return hash_bytes(path, strlen(path));
}

static uint64_t change_hash(const void *change)
{
	return path_hash(((const struct change *)change)->path);
}

static bool change_has_path(const void *change, const void *path)
{
	return strcmp(((const struct change *)change)->path, path) == 0;
}

void changes_init(struct file_source *s)
{
	static const struct table_type by_path = {change_hash, path_hash, change_has_path};

	table_init(&s->changes.by_path, &by_path);
	list_init(&s->changes.order);
	batch_init(s);
}

void change_take(struct changes *c, struct change *change)
{
	if (table_find(&c->by_path, change->path) == change)
		table_remove(&c->by_path, change->path);
	list_remove(&change->link);
	c->count--;
	c->n_open -= change->open;
}

void change_free(struct change *change)
{
	free(change->old_path);
	free(change);
}

void change_drop(struct changes *c, struct change *change)
{
	change_take(c, change);
	change_free(change);
}

void changes_free(struct file_source *s)
{
	struct changes *c = &s->changes;

	if (!c->order.next)
		return;
	LIST_EACH(at, after, &c->order)
	change_drop(c, CONTAINER_OF(at, struct change, link));
	table_free(&c->by_path);
	batch_free(s);
}

static struct change *change_alloc(const char *path)
{
	size_t length = strlen(path) + 1;
	struct change *change = calloc(1, sizeof *change + length);

	if (change)
		memcpy(change->path, path, length);
	return change;
}

static struct change *change_new(struct changes *c, const char *path)
{
	struct change *change = change_alloc(path);

	if (!change)
		return NULL;
	if (table_add(&c->by_path, change) < 0) {
		free(change);
		return NULL;
	}
	list_append(&c->order, &change->link);
	c->count++;
	return change;
}

int change_rename(struct changes *c, struct change *change, const char *path)
{
	struct change *anew = change_alloc(path);
	struct link *before = change->link.prev;

	if (!anew)
		return -1;
	memcpy(anew, change, offsetof(struct change, path));
	if (table_find(&c->by_path, change->path) == change) {
		table_remove(&c->by_path, change->path);
		table_add(&c->by_path, anew); /* room was just made */
	}
	list_remove(&change->link);
	list_prepend(before, &anew->link);
	free(change);
	return 0;
}

struct change *change_add_rename(struct file_source *s, const char *path, const char *old_path)
{
	struct changes *c = &s->changes;
	struct change *change = change_alloc(path);

	if (change)
		change->old_path = strdup(old_path);
	if (!change || !change->old_path) {
		free(change);
		log_error(s->base.rule, "out of memory: a move of %s is not told", old_path);
		return NULL;
	}
	change->event = FILE_MOVE;
	change->seen = FILE_MOVE | FILE_CLOSE_WRITE;
	change->in_run = c->self.running;
	change->since = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	list_append(&c->order, &change->link);
	c->count++;
	return change;
}

/* ---- merging --------------------------------------------------------------------------------- */

static void set_open(struct changes *c, struct change *change, bool open)
{
	bool slow = open && c->slow_path && strcmp(c->slow_path, change->path) == 0;

	open = open && !slow;
	c->n_open += (size_t)open - (size_t)change->open;
	change->open = open;
	change->slow = slow;
}

static bool is_lesser(unsigned event)
{
	return event == FILE_ATTRIB || event == FILE_OPEN || event == FILE_ACCESS;
}

/* The net effect of `event` after `before`; 0: none is left. */
static unsigned merge(unsigned before, unsigned event)
{
	if (before & FILE_NOTICES)
		return event;
	switch (event) {
	case FILE_CREATE:
		return before == FILE_DELETE ? FILE_MODIFY : before;
	case FILE_DELETE:
		return before == FILE_CREATE ? 0 : FILE_DELETE;
	case FILE_MOVE:
		return before == FILE_CREATE ? FILE_CREATE : FILE_MODIFY;
	case FILE_MODIFY:
		return before == FILE_DELETE || before == FILE_CLOSE_WRITE || is_lesser(before)
			   ? FILE_MODIFY
			   : before;
	case FILE_CLOSE_WRITE:
		if (before == FILE_DELETE)
			return FILE_MODIFY;
		return is_lesser(before) ? FILE_CLOSE_WRITE : before;
	default:
		return before;
	}
}

struct change *change_of(struct file_source *s, const char *path, unsigned event)
{
	struct changes *c = &s->changes;
	struct change *change = table_find(&c->by_path, path);

	if (change) {
		/* What is there anew came after all that left in the meantime. */
		if (change->event == FILE_DELETE && event != FILE_DELETE) {
			list_remove(&change->link);
			list_append(&c->order, &change->link);
			change->since = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
		}
		change->event = merge(change->event, event);
		change->seen |= event;
		change->hidden = false;
		change->in_run &= c->self.running;
		return change;
	}
	change = change_new(c, path);
	if (!change) {
		log_error(s->base.rule, "out of memory: a change of %s is lost", path);
		return NULL;
	}
	change->event = change->seen = event;
	change->in_run = c->self.running;
	change->since = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	return change;
}

void change_unhide(struct file_source *s, const char *old_path)
{
	struct change *old = table_find(&s->changes.by_path, old_path);

	if (old)
		old->hidden = false;
}

/* What was moved here is deleted: so it is gone from where it was. */
static void delete_moved(struct file_source *s, struct change *change)
{
	if (change->old_path)
		change_unhide(s, change->old_path);
	change_drop(&s->changes, change);
}

static void gather(struct file_source *s, unsigned event, const char *path, bool open)
{
	struct change *change = table_find(&s->changes.by_path, path);

	if (change && change->event == FILE_MOVE && event == FILE_DELETE) {
		delete_moved(s, change);
		return;
	}
	change = change_of(s, path, event);
	if (!change)
		return;
	if (!is_lesser(event))
		set_open(&s->changes, change, open);
	if (!change->event)
		change->event = change->seen & FILE_NOTICES;
	if (!change->event)
		change_drop(&s->changes, change);
}

void changes_gather(struct file_source *s, unsigned event, const char *path, bool open)
{
	char *origin = event == FILE_DELETE ? renames_undo(s, path) : NULL;

	gather(s, event, origin ? origin : path, open);
	free(origin);
}

/* ---- what comes in --------------------------------------------------------------------------- */

static void take(struct file_source *s, const struct happening *h)
{
	bool open = h->open || (h->event == FILE_MODIFY && h->type != 'd');

	s->changes.last_change = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	/* What --existing found, or what came during a pause, goes first. */
	if (!s->base.has_command && s->started && !s->base.paused && s->changes.count)
		changes_emit(s, s->changes.last_change);
	if (!s->base.has_command && !s->arming && !s->base.paused) {
		change_emit(s, h);
	} else if (h->event == FILE_MOVE) {
		changes_gather_move(s, h);
	} else if (h->event == FILE_CREATE && h->replaced) {
		changes_gather(s, FILE_MODIFY, h->path, false);
		changes_gather(s, FILE_CLOSE_WRITE, h->path, false);
	} else {
		changes_gather(s, h->event, h->path, open);
	}
}

/* A move counts by both its ends: out of what is matched it is a delete, into it a creation. */
static void take_move(struct file_source *s, const struct happening *h)
{
	struct happening old = *h, new = *h;
	bool is, was;

	old.path = h->old_path;
	old.old_path = new.old_path = NULL;
	old.event = FILE_DELETE;
	new.event = FILE_CREATE;
	was = filter_matches(s, &old);
	is = filter_matches(s, h);
	if (is && was) {
		take(s, h);
		return;
	}
	if (was)
		take(s, &old);
	if (is)
		take(s, &new);
	new.event = FILE_CLOSE_WRITE;
	if (is && h->type != 'd')
		take(s, &new);
	/* Nobody is told that it moved: so what is in it is told of. */
	if (h->type == 'd' && !h->along)
		below_moved(s, h);
}

void changes_add(struct file_source *s, const struct happening *h)
{
	filter_notice(s, h->path);
	if (h->event == FILE_MOVE)
		take_move(s, h);
	else if (h->event & FILE_NOTICES || filter_matches(s, h))
		take(s, h);
}

void changes_report(struct file_source *s, const struct dir *d, const char *name, unsigned event,
		    char type)
{
	struct happening h = {.event = event, .root = dir_root(d), .type = type};

	h.path = tree_path(s, d, name);
	changes_add(s, &h);
}
