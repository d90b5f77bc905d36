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
	m->details[0] = (struct detail){"EVWATCH_PATH", path};
	m->details[1] = (struct detail){"EVWATCH_OLD_PATH", old_path};
	e->subjects = &m->subject;
	e->n_subjects = 1;
	e->details = m->details;
	e->n_details = 1 + (old_path != NULL);
}

/* What --events lets through of a change; 0: nothing. */
static unsigned shown_as(const struct file_config *c, const struct change *change)
{
	static const unsigned telling[] = {FILE_CLOSE_WRITE, FILE_MODIFY, FILE_CREATE, FILE_MOVE,
					   FILE_ATTRIB,      FILE_OPEN,   FILE_ACCESS};
	unsigned seen = change->seen;

	if (change->hidden && c->events & FILE_MOVE)
		return 0;
	if (change->event == FILE_OVERFLOW || change->event == FILE_UNMOUNT)
		return change->event;
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

/* Takes out what is ready. What was open for too long is known as slow from now on. */
static void take_ready(struct file_source *s, struct link *taken, int64_t now)
{
	struct changes *c = &s->changes;

	LIST_EACH(at, after, &c->order)
	{
		struct change *change = CONTAINER_OF(at, struct change, link);

		if (change_waits(s, change, now))
			continue;
		if (change->open) {
			free(c->slow_path);
			c->slow_path = strdup(change->path);
		}
		change_take(c, change);
		list_append(taken, &change->link);
	}
}

/* They are taken out first: emitting may bring us back here. */
void changes_emit(struct file_source *s, int64_t now)
{
	const struct file_config *c = s->base.config;
	size_t n = s->changes.count, i = 0;
	struct event *events = calloc(2 * n, sizeof *events);
	struct material *materials = calloc(2 * n, sizeof *materials);
	struct link taken;

	list_init(&taken);
	if (!events || !materials) {
		log_error(s->base.rule, "out of memory: %zu changes wait", n);
		goto end;
	}
	batch_judge(s);
	take_ready(s, &taken, now);
	LIST_EACH(at, after, &taken)
	{
		struct change *change = CONTAINER_OF(at, struct change, link);
		unsigned event = shown_as(s->base.config, change);

		/* Who does not ask for moves is told of both ends; others have a hidden delete. */
		if (change->first && change->event == FILE_MOVE && c->events & FILE_DELETE &&
		    !(c->events & FILE_MOVE)) {
			make_event(&events[i], &materials[i], FILE_DELETE, change->old_path, NULL);
			i++;
		}
		if (event) {
			make_event(&events[i], &materials[i], event, change->path,
				   event == FILE_MOVE ? change->old_path : NULL);
			i++;
		}
	}
	if (i)
		s->base.host->emit(&s->base, events, i);
end:
	LIST_EACH(at, after, &taken)
	change_free(CONTAINER_OF(at, struct change, link));
	free(events);
	free(materials);
}

void change_emit(struct file_source *s, const struct happening *h)
{
	const struct file_config *c = s->base.config;
	struct material m;
	struct event e;

	if (!(c->events & h->event) && !(h->event & (FILE_OVERFLOW | FILE_UNMOUNT)))
		return;
	make_event(&e, &m, h->event, h->path, h->old_path);
	s->base.host->emit(&s->base, &e, 1);
}
