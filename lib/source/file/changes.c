/*
 * Changes: gathered until the tree is quiet, merged to the net effect on each path.
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
 * Without a command nothing is gathered: each event is handed on as it comes.
 *
 * The hard part is when to hand on. A lone save should run the command at once, a checkout of
 * thousands of files once: so --debounce auto waits 2 ms, and doubles that with each batch that
 * follows another closely. What is still being written waits for its close, within --max-wait.
 */
#include "source/file/file.h"

#include "base/array.h"
#include "base/log.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define QUIET_LEAST (2 * NS_PER_MS)
#define QUIET_MOST  (50 * NS_PER_MS)
#define CLOSELY     (500 * NS_PER_MS) /* a batch within this of the one before doubles the wait */

static void on_quiet(struct reactor *r, struct timer *t);

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
	timer_init(&s->changes.timer, CLOCK_OF_LOOP, on_quiet);
	s->changes.timer.priority = s->base.priority;
}

static void change_drop(struct changes *c, struct change *change)
{
	table_remove(&c->by_path, change->path);
	list_remove(&change->link);
	c->count--;
	c->n_open -= change->open;
	free(change->old_path);
	free(change);
}

void changes_free(struct file_source *s)
{
	struct changes *c = &s->changes;

	if (!c->order.next)
		return;
	LIST_EACH(at, after, &c->order)
	change_drop(c, CONTAINER_OF(at, struct change, link));
	table_free(&c->by_path);
	timer_stop(s->base.reactor, &c->timer);
}

static struct change *change_new(struct changes *c, const char *path)
{
	size_t length = strlen(path) + 1;
	struct change *change = calloc(1, sizeof *change + length);

	if (!change)
		return NULL;
	memcpy(change->path, path, length);
	if (table_add(&c->by_path, change) < 0) {
		free(change);
		return NULL;
	}
	list_append(&c->order, &change->link);
	c->count++;
	return change;
}

/* ---- merging --------------------------------------------------------------------------------- */

static void set_open(struct changes *c, struct change *change, bool open)
{
	c->n_open += (size_t)open - (size_t)change->open;
	change->open = open;
}

/* The net effect of `event` after `before`; 0: none is left. */
static unsigned merge(unsigned before, unsigned event)
{
	switch (event) {
	case FILE_CREATE:
		return before == FILE_DELETE ? FILE_MODIFY : before;
	case FILE_DELETE:
		return before == FILE_CREATE ? 0 : FILE_DELETE;
	case FILE_MOVE:
		return before == FILE_CREATE ? FILE_CREATE : FILE_MODIFY;
	case FILE_MODIFY:
		return before == FILE_CLOSE_WRITE || before == FILE_ATTRIB || before == FILE_OPEN ||
			       before == FILE_ACCESS
			   ? FILE_MODIFY
			   : before;
	case FILE_CLOSE_WRITE:
		return before == FILE_ATTRIB || before == FILE_OPEN || before == FILE_ACCESS
			   ? FILE_CLOSE_WRITE
			   : before;
	default:
		return before;
	}
}

/* The change of this path, a new one with `event` if there is none. NULL with ENOMEM. */
static struct change *change_of(struct file_source *s, const char *path, unsigned event)
{
	struct changes *c = &s->changes;
	struct change *change = table_find(&c->by_path, path);

	if (change) {
		change->event = merge(change->event, event);
		change->hidden = false;
		return change;
	}
	change = change_new(c, path);
	if (!change) {
		log_error(s->base.rule, "out of memory: a change of %s is lost", path);
		return NULL;
	}
	change->event = event;
	if (c->count == 1)
		c->first = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	return change;
}

/* What was moved here is deleted: so it is gone from where it was. */
static void delete_moved(struct file_source *s, struct change *change)
{
	struct change *old =
	    change->old_path ? table_find(&s->changes.by_path, change->old_path) : NULL;

	if (old)
		old->hidden = false;
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
	set_open(&s->changes, change, open);
	if (!change->event)
		change_drop(&s->changes, change);
}

/*
 * Takes what is known of a path that is moved away. Returns what its new place is to be: created,
 * when it was created in this batch; else moved, from *from (owned).
 */
static unsigned move_away(struct file_source *s, const char *old_path, char **from)
{
	struct change *old = table_find(&s->changes.by_path, old_path);
	unsigned before = old ? old->event : FILE_MOVE;

	*from = NULL;
	if (before == FILE_MOVE && old) {
		*from = old->old_path;
		old->old_path = NULL;
	}
	if (old)
		change_drop(&s->changes, old);
	if (before == FILE_CREATE)
		return FILE_CREATE;
	if (*from)
		return FILE_MOVE;
	*from = strdup(old_path);
	old = change_of(s, old_path, FILE_DELETE);
	if (old)
		old->hidden = true;
	return FILE_MOVE;
}

static void gather_move(struct file_source *s, const char *path, const char *old_path)
{
	char *from;
	unsigned event = move_away(s, old_path, &from);
	struct change *change = change_of(s, path, event);

	if (!change || change->event != FILE_MOVE) {
		free(from);
		return;
	}
	free(change->old_path);
	change->old_path = from;
}

/* ---- handing on ------------------------------------------------------------------------------ */

/* What one event needs to live for as long as it is emitted. */
struct material {
	const char *subject;
	struct detail details[2];
};

static void make_event(struct event *e, struct material *m, unsigned event, const char *path,
		       const char *old_path)
{
	*e = event_make(file_events[__builtin_ctz(event)].name);
	m->subject = path;
	m->details[0] = (struct detail){"EVWATCH_PATH", path};
	m->details[1] = (struct detail){"EVWATCH_OLD_PATH", old_path};
	e->subjects = &m->subject;
	e->n_subjects = 1;
	e->details = m->details;
	e->n_details = 1 + (old_path != NULL);
}

static void emit_one(struct file_source *s, unsigned event, const char *path, const char *old_path)
{
	struct material m;
	struct event e;

	make_event(&e, &m, event, path, old_path);
	s->base.host->emit(&s->base, &e, 1);
}

/* Doubles the wait of --debounce auto when batches follow each other, and forgets it when not. */
static void adapt(struct file_source *s)
{
	struct changes *c = &s->changes;
	int64_t now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);

	if (!c->last_batch || now - c->last_batch > CLOSELY)
		c->quiet = QUIET_LEAST;
	else if (c->quiet < QUIET_MOST)
		c->quiet = c->quiet * 2 < QUIET_MOST ? c->quiet * 2 : QUIET_MOST;
	c->last_batch = now;
}

/* All changes as one batch. They are taken out first: emitting may bring us back here. */
static void emit_all(struct file_source *s)
{
	struct changes *c = &s->changes;
	size_t n = c->count, i = 0;
	struct event *events = calloc(n, sizeof *events);
	struct material *materials = calloc(n, sizeof *materials);
	struct link taken;

	if (!events || !materials) {
		free(events);
		free(materials);
		log_error(s->base.rule, "out of memory: %zu changes wait", n);
		return;
	}
	adapt(s);
	list_init(&taken);
	LIST_EACH(at, after, &c->order)
	{
		struct change *change = CONTAINER_OF(at, struct change, link);

		if (!change->hidden) {
			make_event(&events[i], &materials[i], change->event, change->path,
				   change->old_path);
			i++;
		}
		table_remove(&c->by_path, change->path);
		list_remove(&change->link);
		list_append(&taken, &change->link);
	}
	c->count = c->n_open = 0;
	if (i)
		s->base.host->emit(&s->base, events, i);
	LIST_EACH(at, after, &taken)
	{
		struct change *change = CONTAINER_OF(at, struct change, link);

		free(change->old_path);
		free(change);
	}
	free(events);
	free(materials);
}

/* When may the batch be handed on? */
static int64_t due(const struct file_source *s, int64_t now)
{
	const struct changes *c = &s->changes;
	const struct gather *g = &s->base.gather;
	int64_t quiet = g->automatic ? (c->quiet ? c->quiet : QUIET_LEAST) : g->quiet;
	int64_t last = c->first + g->max_wait;

	if (g->automatic && c->last_batch && now - c->last_batch > CLOSELY)
		quiet = QUIET_LEAST;
	if (c->n_open || now + quiet > last)
		return last;
	return now + quiet;
}

static void on_quiet(struct reactor *r, struct timer *t)
{
	struct file_source *s = CONTAINER_OF(t, struct file_source, changes.timer);

	(void)r;
	/* While the command runs the batch goes on growing: see file.c, resume. */
	if (s->changes.count && !s->base.paused)
		emit_all(s);
}

void changes_review(struct file_source *s)
{
	struct changes *c = &s->changes;
	int64_t now = reactor_now(s->base.reactor, CLOCK_OF_LOOP), when;

	if (!c->count) {
		timer_stop(s->base.reactor, &c->timer);
		return;
	}
	when = due(s, now);
	if (when <= now && !s->base.paused)
		emit_all(s);
	else if (timer_start_at(s->base.reactor, &c->timer, when) < 0 && !s->base.paused)
		emit_all(s);
}

/* ---- what comes in --------------------------------------------------------------------------- */

static bool type_counts(const struct file_config *c, const char *path, bool directory)
{
	struct stat st;

	if (!c->any_type)
		return true;
	if (directory)
		return c->types[1];
	if (c->types[0] == c->types[2])
		return c->types[0];
	if (lstat(path, &st) < 0)
		return true; /* gone: it cannot be known any more */
	return S_ISLNK(st.st_mode) ? c->types[2] : c->types[0];
}

/* Whoever opens a new file to write it will close it: its end is worth waiting for. */
static bool is_being_written(unsigned event, const char *path, bool directory)
{
	struct stat st;

	if (event == FILE_MODIFY)
		return !directory;
	return event == FILE_CREATE && !directory && lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_nlink == 1;
}

void changes_add(struct file_source *s, const struct root *r, unsigned event, const char *path,
		 const char *old_path, bool directory)
{
	const struct file_config *c = s->base.config;
	const char *relative = r ? root_relative(r, path) : path;
	bool is_root = r && !*relative;

	if (event != FILE_OVERFLOW && event != FILE_UNMOUNT) {
		if (!(c->events & event) || !type_counts(c, path, directory))
			return;
		/* A root was named: only what is below it is filtered. */
		if (!is_root && !filter_matches(c, path, relative))
			return;
	}
	if (!s->base.has_command) {
		emit_one(s, event, path, old_path);
		return;
	}
	if (event == FILE_MOVE && old_path)
		gather_move(s, path, old_path);
	else
		gather(s, event, path, is_being_written(event, path, directory));
}

void changes_add_replaced(struct file_source *s, const struct root *r, const char *path,
			  const char *old_path)
{
	char *copy, *from = NULL;

	if (!s->base.has_command) {
		changes_add(s, r, old_path ? FILE_MOVE : FILE_CREATE, path, old_path, false);
		return;
	}
	copy = strdup(path); /* `path` is scratch that the next call overwrites */
	if (!copy) {
		log_error(s->base.rule, "out of memory: a change of %s is lost", path);
		return;
	}
	if (old_path && move_away(s, old_path, &from) == FILE_MOVE)
		changes_add(s, r, FILE_DELETE, old_path, NULL, false);
	free(from);
	changes_add(s, r, FILE_MODIFY, copy, NULL, false);
	changes_add(s, r, FILE_CLOSE_WRITE, copy, NULL, false);
	free(copy);
}
