/* The journal of a batch: what each name was and is; see journal.h. */
#include "source/file/batch/journal.h"

#include "base/units.h"

#include <stdlib.h>
#include <string.h>

#define WRITER_TIME (50 * NS_PER_MS) /* in which most writers have closed */

/* ---- tables ---------------------------------------------------------------------------------- */

static uint64_t folder_hash(const void *self)
{
	return hash_bytes(&self, sizeof self);
}

static uint64_t thing_hash(const void *item)
{
	return folder_hash(((const struct thing *)item)->self);
}

static bool thing_is(const void *item, const void *self)
{
	return ((const struct thing *)item)->self == self;
}

void journal_init(struct journal *j, const struct journal_folders *folders)
{
	static const struct table_type by_folder = {thing_hash, folder_hash, thing_is};

	*j = (struct journal){.folders = folders};
	table_init(&j->by_name, &table_by_name);
	table_init(&j->by_folder, &by_folder);
	list_init(&j->order);
	list_init(&j->by_age);
	list_init(&j->things);
	list_init(&j->fresh);
	list_init(&j->asked);
}

struct record *journal_find(const struct journal *j, const struct node *d, const char *name)
{
	return table_find(&j->by_name, &(struct table_name){d, name});
}

struct thing *journal_thing_of(const struct journal *j, const struct node *self)
{
	return table_find(&j->by_folder, self);
}

/* ---- things and records ---------------------------------------------------------------------- */

/* A directory that came in this batch, or was touched as a name only, is known by its own now. */
static void adopt(struct journal *j, struct thing *t, struct node *self)
{
	if (!self || t->self || journal_thing_of(j, self))
		return;
	t->self = self;
	if (table_add(&j->by_folder, t) == 0) {
		j->folders->hold(self);
	} else {
		t->self = NULL;
		j->lost_memory = true;
	}
}

void journal_adopt(struct journal *j, struct node *self)
{
	struct node *d = j->folders->parent(self);
	struct record *r =
	    d && !j->folders->is_gone(self) ? journal_find(j, d, j->folders->name(self)) : NULL;

	if (r && r->now && r->now->type == 'd')
		adopt(j, r->now, self);
}

struct thing *journal_thing_new(struct journal *j, char type, struct node *self,
				struct record *origin)
{
	struct thing *t = calloc(1, sizeof *t);

	if (!t) {
		j->lost_memory = true;
		return NULL;
	}
	t->refs = 1;
	t->type = type;
	t->origin = t->at = origin;
	list_init(&t->of_open);
	list_init(&t->names);
	adopt(j, t, self);
	list_append(&j->things, &t->link);
	return t;
}

/* It is not known by its directory any more, if it was. */
static void forsake(struct journal *j, struct thing *t)
{
	if (!t->self)
		return;
	table_remove(&j->by_folder, t->self);
	j->folders->release(t->self);
	t->self = NULL;
}

static void thing_free(struct journal *j, struct thing *t)
{
	forsake(j, t);
	list_remove(&t->link);
	list_remove(&t->of_open);
	free(t);
}

struct thing *journal_hold(struct thing *t)
{
	t->refs++;
	return t;
}

void journal_release(struct journal *j, struct thing *t)
{
	if (t && --t->refs == 0)
		thing_free(j, t);
}

static void leave(struct journal *j, struct record *r)
{
	if (r->now && r->now->at == r)
		r->now->at = NULL;
	journal_release(j, r->now);
	r->now = NULL;
}

/* What it was is new wherever it is now. */
static void forget_was(struct journal *j, struct record *r)
{
	if (r->was && r->was->origin == r)
		r->was->origin = NULL;
	journal_release(j, r->was);
	r->was = NULL;
}

static void record_free(struct journal *j, struct record *r)
{
	table_remove(&j->by_name, r);
	leave(j, r);
	forget_was(j, r);
	list_remove(&r->link);
	list_remove(&r->of_age);
	list_remove(&r->of_folder);
	j->folders->release(r->node);
	j->count--;
	free(r);
}

void journal_free(struct journal *j)
{
	if (!j->order.next)
		return;
	LIST_EACH(at, after, &j->order)
	record_free(j, CONTAINER_OF(at, struct record, link));
	LIST_EACH(at, after, &j->things)
	thing_free(j, CONTAINER_OF(at, struct thing, link));
	table_free(&j->by_name);
	table_free(&j->by_folder);
}

/* Its first event is this one. */
static void begins(struct journal *j, struct record *r)
{
	r->since = j->now;
	list_remove(&r->of_age);
	list_append(&j->by_age, &r->of_age);
}

static struct record *record_new(struct journal *j, struct node *d, const char *name)
{
	size_t length = strlen(name) + 1;
	struct record *r = calloc(1, sizeof *r + length);

	if (r) {
		r->name = memcpy(r->text, name, length);
		r->node = d;
	}
	if (!r || table_add(&j->by_name, r) < 0) {
		free(r);
		j->lost_memory = true;
		return NULL;
	}
	j->folders->hold(d);
	list_append(&j->order, &r->link);
	list_init(&r->of_age);
	list_init(&r->of_folder);
	begins(j, r);
	j->count++;
	return r;
}

struct record *journal_record_new(struct journal *j, struct node *d, const char *name, char type,
				  struct node *self)
{
	struct record *r = record_new(j, d, name);

	if (!r || !type)
		return r;
	r->was = r->now = journal_thing_new(j, type, self, r);
	if (r->was) {
		journal_hold(r->was);
		return r;
	}
	record_free(j, r);
	return NULL;
}

/* The record of a name to which something happens now; new ones are as said. NULL: ENOMEM. */
static struct record *touch(struct journal *j, struct node *d, const char *name, char type,
			    struct node *self)
{
	struct record *r = journal_find(j, d, name);

	j->last = j->now;
	if (!r) {
		r = journal_record_new(j, d, name, type, self);
		if (r) {
			r->in_run = j->running;
			r->by = j->by;
		}
		return r;
	}
	r->in_run &= j->running;
	r->implied = false;
	if (j->by)
		r->by = j->by;
	list_remove(&r->link);
	list_append(&j->order, &r->link);
	return r;
}

/* ---- what happens ---------------------------------------------------------------------------- */

/* It is open until its close, or until nobody is found to write it. */
static void set_open(struct journal *j, struct thing *t, int64_t ask_after)
{
	t->open = t->type == 'f';
	t->heard = j->now;
	t->ask_at = j->now + ask_after;
	list_remove(&t->of_open);
	if (t->open && ask_after)
		list_append(&j->fresh, &t->of_open);
	else if (t->open)
		list_prepend(&j->fresh, &t->of_open);
}

void journal_came(struct journal *j, struct node *d, const char *name, char type,
		  enum arrival arrival)
{
	struct record *r = touch(j, d, name, 0, NULL);

	if (!r)
		return;
	/* What comes after all else has left waits anew. */
	if (!r->now && r->was)
		begins(j, r);
	r->now = journal_thing_new(j, type, NULL, NULL);
	if (!r->now)
		return;
	r->now->at = r;
	if (arrival == ARRIVED_WHOLE)
		r->now->seen |= type == 'd' ? 0U : FILE_CLOSE_WRITE;
	else if (arrival != ARRIVED_EARLY)
		set_open(j, r->now, arrival == ARRIVED_MADE ? WRITER_TIME : 0);
}

void journal_gone(struct journal *j, struct node *d, const char *name, char type, struct node *self)
{
	struct record *r = touch(j, d, name, type, self);

	if (!r)
		return;
	if (r->now && !r->now->origin) {
		r->flickered |= FILE_CREATE | r->now->seen;
		r->flicker_type = type;
	}
	if (r->now)
		adopt(j, r->now, self);
	leave(j, r);
}

struct thing *journal_take(struct journal *j, struct node *d, const char *name, char type,
			   struct node *self)
{
	struct record *r = touch(j, d, name, type, self);
	struct thing *t = r ? r->now : NULL;

	if (!t)
		return NULL;
	if (t->self && t->self != self) {
		leave(j, r);
		return journal_thing_new(j, type, self, NULL);
	}
	adopt(j, t, self);
	t->at = NULL;
	r->now = NULL;
	return t;
}

void journal_put(struct journal *j, struct node *d, const char *name, struct thing *t)
{
	struct record *r = touch(j, d, name, 0, NULL);

	if (r && t) {
		r->now = t;
		t->at = r;
	} else {
		journal_release(j, t);
	}
}

void journal_flickered(struct journal *j, struct node *d, const char *name, unsigned events)
{
	struct record *r = touch(j, d, name, 0, NULL);

	if (!r)
		return;
	r->flickered |= FILE_CREATE | events;
	r->flicker_type = '?';
}

/* Of what was written while it was read it stays unknown what it holds: a writer that does not rest
 * would have it read for ever. */
static void note_write(struct thing *t)
{
	t->writes++;
	t->read = t->read && !t->content;
}

/* What is still being written holds back nothing else. */
void journal_active(struct journal *j, struct node *d, const char *name, char type, unsigned events)
{
	int64_t last = j->last;
	struct record *r = touch(j, d, name, type, NULL);

	if (!r)
		return;
	r->notices |= events & FILE_NOTICES;
	if (!r->now)
		return;
	if (r->now->open && !(events & FILE_CLOSE_WRITE))
		j->last = last;
	r->now->seen |= events & ~(unsigned)FILE_NOTICES;
	if (events & (FILE_MODIFY | FILE_CLOSE_WRITE))
		note_write(r->now);
	if (events & FILE_MODIFY)
		set_open(j, r->now, WRITER_TIME);
	if (events & FILE_CLOSE_WRITE)
		r->now->open = false;
}

struct record *journal_imply(struct journal *j, struct node *d, const struct journal_entry *e)
{
	struct record *r = journal_find(j, d, e->name);

	if (r && r->now)
		adopt(j, r->now, e->self);
	if (r)
		return r;
	r = journal_record_new(j, d, e->name, e->type, e->self);
	if (r)
		r->implied = true;
	return r;
}

/* ---- afterwards ------------------------------------------------------------------------------ */

/* It is handed on where it is now, but what took its former place may wait. */
static void part(struct journal *j, struct thing *t)
{
	struct record *r = t->origin;

	if (t->fate == FATE_MOVES)
		forget_was(j, r);
	else
		forsake(j, t);
}

void journal_settle(struct journal *j, struct record *r, bool keeps)
{
	if (r->now && r->now->origin && r->now->origin != r)
		part(j, r->now);
	if (!keeps || !r->now) {
		record_free(j, r);
		return;
	}
	forget_was(j, r);
	r->was = journal_hold(r->now);
	r->now->origin = r;
	r->now->seen &= FILE_MODIFY;
	r->now->read = false;
	r->flickered = r->notices = 0;
}

void journal_left(struct journal *j, struct record *r)
{
	forget_was(j, r);
}
