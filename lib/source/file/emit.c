/*
 * Handing on: changes to events.
 *
 * All kinds of events are merged; --events decides at the end. A path whose net effect was not
 * asked for is handed on as the most telling of its events that was.
 */
#include "base/array.h"
#include "base/log.h"
#include "source/file/file.h"

#include <stdlib.h>
#include <string.h>

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
	m->details[0] = (struct detail){.name = "EVWATCH_PATH", .value = path};
	m->details[1] = (struct detail){.name = "EVWATCH_OLD_PATH", .value = old_path};
	e->subjects = &m->subject;
	e->n_subjects = 1;
	e->details = m->details;
	e->n_details = 1 + (old_path != NULL);
}

/* What --events lets through of a change to its path; 0: nothing. */
static unsigned shown_as(const struct file_config *c, const struct change *change)
{
	static const unsigned telling[] = {FILE_CLOSE_WRITE, FILE_MODIFY, FILE_CREATE, FILE_MOVE,
					   FILE_ATTRIB,      FILE_OPEN,   FILE_ACCESS};
	unsigned seen = change->seen;

	if (change->event & FILE_NOTICES || (change->hidden && c->events & FILE_MOVE))
		return 0;
	if (c->events & change->event || change->event == FILE_DELETE)
		return c->events & change->event;
	if (change->event == FILE_MOVE)
		seen |= FILE_CREATE;
	for (size_t i = 0; i < ARRAY_LENGTH(telling); i++)
		if (seen & c->events & telling[i])
			return telling[i];
	return 0;
}

bool change_waits(const struct file_source *s, const struct change *change, int64_t now)
{
	return (change->open || change->slow) && now - change->since < s->base.gather.max_wait;
}

/*
 * A file that moved and is still written: that it moved is told now, for what is at its old path
 * may be told, too; that it was modified waits on. `moved` is out of the books already.
 */
static void keep_writing(struct file_source *s, const struct change *moved, struct link *before)
{
	struct change *rest = change_of(s, moved->path, FILE_MODIFY);

	if (!rest)
		return;
	rest->open = moved->open;
	rest->slow = moved->slow;
	rest->in_run = moved->in_run;
	rest->since = moved->since;
	s->changes.n_open += rest->open;
	list_remove(&rest->link);
	list_prepend(before, &rest->link);
}

/* Takes out what is ready. What was open for too long is known as slow from now on. */
static void take_ready(struct file_source *s, struct link *taken, int64_t now)
{
	struct changes *c = &s->changes;

	LIST_EACH(at, after, &c->order)
	{
		struct change *change = CONTAINER_OF(at, struct change, link);
		struct link *before = at->prev;
		bool waits = change_waits(s, change, now);

		if (waits && change->event != FILE_MOVE)
			continue;
		if (change->open && !waits) {
			free(c->slow_path);
			c->slow_path = strdup(change->path);
		}
		change_take(c, change);
		list_append(taken, &change->link);
		if (waits)
			keep_writing(s, change, before);
	}
}

/* The events of a batch. */
struct emission {
	struct event *events;
	struct material *materials;
	size_t count;
};

enum { AT_MOST = 3 /* events of one change */ };

static void add_event(struct emission *out, unsigned event, const char *path, const char *old_path)
{
	if (!event)
		return;
	make_event(&out->events[out->count], &out->materials[out->count], event, path, old_path);
	out->count++;
}

static void add_change(const struct file_config *c, struct emission *out,
		       const struct change *change)
{
	unsigned event = shown_as(c, change);

	/* Who does not ask for moves is told of both ends; others have a hidden delete. */
	if (change->first && change->event == FILE_MOVE && c->events & FILE_DELETE &&
	    !(c->events & FILE_MOVE))
		add_event(out, FILE_DELETE, change->old_path, NULL);
	add_event(out, event, change->path, event == FILE_MOVE ? change->old_path : NULL);
	add_event(out, change->seen & FILE_UNMOUNT, change->path, NULL);
	add_event(out, change->seen & FILE_OVERFLOW, change->path, NULL);
}

/* They are taken out first: emitting may bring us back here. */
void changes_emit(struct file_source *s, int64_t now)
{
	size_t n = s->changes.count;
	struct emission out = {.events = calloc(AT_MOST * n, sizeof *out.events),
			       .materials = calloc(AT_MOST * n, sizeof *out.materials)};
	struct link taken;

	list_init(&taken);
	if (!out.events || !out.materials) {
		log_error(s->base.rule, "out of memory: %zu changes wait", n);
		goto end;
	}
	batch_judge(s);
	take_ready(s, &taken, now);
	LIST_EACH(at, after, &taken)
	add_change(s->base.config, &out, CONTAINER_OF(at, struct change, link));
	if (out.count)
		s->base.host->emit(&s->base, out.events, out.count);
end:
	LIST_EACH(at, after, &taken)
	change_free(CONTAINER_OF(at, struct change, link));
	free(out.events);
	free(out.materials);
}

void change_emit(struct file_source *s, const struct happening *h)
{
	const struct file_config *c = s->base.config;
	struct material m;
	struct event e;

	if (!(c->events & h->event) && !(h->event & FILE_NOTICES))
		return;
	make_event(&e, &m, h->event, h->path, h->old_path);
	s->base.host->emit(&s->base, &e, 1);
}
