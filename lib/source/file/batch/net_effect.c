/* The effect of a path: the table of net.h. */
#include "source/file/batch/net_inner.h"

#include "source/file/batch/contents.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>

enum { WRITTEN = FILE_MODIFY | FILE_CLOSE_WRITE };

/* ---- what files hold ------------------------------------------------------------------------- */

uint64_t net_content_before(const struct work *w, const struct record *r)
{
	return r ? contents_find(w->options->contents, r->node, r->name) : 0;
}

uint64_t net_content_now(const struct work *w, const struct thing *t)
{
	if (t->type != 'f')
		return 0;
	if (t->read)
		return t->content;
	return t->seen & WRITTEN ? 0 : net_content_before(w, t->origin);
}

static void leave_out_same(const struct work *w, const struct place *p, struct effect *e)
{
	const struct record *before = e->event == FILE_MOVE ? p->now->origin : p->before;
	uint64_t content;

	if (!w->options->contents || !before || !before->was || before->was->type != 'f')
		return;
	content = net_content_now(w, p->now);
	if (!content || content != net_content_before(w, before))
		return;
	e->seen &= ~(unsigned)WRITTEN;
	if (e->event == FILE_MODIFY)
		e->event = 0;
}

/* ---- what happened --------------------------------------------------------------------------- */

static unsigned seen_of(const struct work *w, const struct thing *now, const struct thing *was)
{
	unsigned seen = now ? now->seen : 0;

	/* Whoever made it has closed it, or did so elsewhere. */
	if (now && now->type != 'd' && now != was && (now->origin || was) &&
	    (w->options->gathers || !net_moves(now)))
		seen |= FILE_CLOSE_WRITE;
	/* Before it went. */
	if (!now && was && !w->options->gathers)
		seen |= was->seen;
	return seen;
}

/* What was carried with one directory to another in its place is where it was. */
static unsigned event_of(const struct thing *was, const struct thing *now)
{
	if (now == was)
		return 0;
	if (net_moves(now))
		return FILE_MOVE;
	if (!was)
		return FILE_CREATE;
	return now ? FILE_MODIFY : FILE_DELETE;
}

static struct effect effect_of(const struct work *w, const struct place *p)
{
	const struct thing *was = p->before ? p->before->was : NULL, *now = p->now, *stood;
	bool left = net_moves(was) && was != now;
	/* A notice is reported with what is there now, if anything is. */
	struct effect e = {.notices = p->now || !p->at->now ? p->at->notices : 0,
			   .in_run = p->at->in_run,
			   .since = p->at->since,
			   .by = p->at->by};

	if (was && (p->emptied || !net_counts(w, p->path, was->type)))
		was = NULL;
	if (now && !net_counts(w, p->path, now->type))
		now = NULL;
	e.type = now ? now->type : was ? was->type : p->at->flicker_type;
	stood = left ? NULL : was;
	e.seen = seen_of(w, now, stood);
	/* A file whose backup was made by a rename is modified. */
	e.event =
	    event_of(left && w->options->gathers && now && now->type != 'd' ? was : stood, now);
	if (now && (e.event == FILE_MOVE || stood))
		leave_out_same(w, p, &e);
	if (now && net_waits(w, p->at))
		e.seen &= ~(unsigned)WRITTEN;
	e.flickered = !w->options->gathers && !now && !was && !p->emptied && p->at->flickered &&
		      net_counts(w, p->path, e.type);
	if (e.flickered)
		e.seen = p->at->flickered & ~(unsigned)FILE_CREATE;
	return e;
}

static bool is_empty(const struct work *w, const struct place *p, const struct effect *e)
{
	bool active = p->now || !w->options->gathers;

	return !e->event && !e->notices && !(active && (e->seen || e->flickered));
}

/* ---- told ------------------------------------------------------------------------------------ */

/* What names it is about, for who puts it back into the journal. */
static void add_names(const struct work *w, const struct place *p, struct effect *e)
{
	const struct thing *was = p->before ? p->before->was : NULL;

	e->was = was && was != p->now ? was->type : 0;
	e->node = p->at->node;
	w->j->folders->hold(e->node);
	if (e->event != FILE_MOVE || p->now->origin->now)
		return;
	e->old_node = p->now->origin->node;
	w->j->folders->hold(e->old_node);
}

static char *old_path(struct work *w, const struct thing *now)
{
	const char *path = net_path(w, now->origin, WHEN_TOLD);

	return path ? strdup(path) : NULL;
}

static int append(struct work *w, const struct place *p, struct effect *e)
{
	bool moved = e->event == FILE_MOVE;
	struct net *net = w->net;

	e->path = strdup(p->path);
	e->old_path = moved ? old_path(w, p->now) : NULL;
	if (!e->path || (moved && !e->old_path) ||
	    ARRAY_GROW(net->items, net->capacity, net->count + 1) < 0) {
		free(e->path);
		free(e->old_path);
		return -1;
	}
	if (w->options->names)
		add_names(w, p, e);
	net->items[net->count++] = *e;
	return 0;
}

int net_tell(struct work *w, const struct place *p)
{
	struct effect e;

	if (!p->path)
		return -1;
	e = effect_of(w, p);
	return is_empty(w, p, &e) ? 0 : append(w, p, &e);
}
