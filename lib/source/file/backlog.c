/*
 * --each: the effects of a batch wait here, and are handed on one by one as commands may run.
 *
 * What happens to a path meanwhile is put down in the journal. So before an effect is handed on the
 * journal is asked: is what came to the path gone, moved or replaced since, or being written? Then
 * the effect goes back into the journal and is a part of the next batch; and so it is where a
 * directory above the path has moved. What was only done to the path belongs to the run that
 * begins.
 *
 * An effect whose path still has a run does not hold up the others. With --on-busy restart, skip or
 * signal those whose path has one are handed on whatever waits; then most are held here.
 */
#include "source/file/kind.h"

#include "base/array.h"
#include "base/log.h"

#include <string.h>

enum { PIECE = 256 /* effects that a turn looks at */ };

void backlog_take(struct file_source *s, struct net *net)
{
	net_free(&s->backlog.net);
	s->backlog.net = *net;
	s->backlog.at = 0;
	s->backlog.may_rejoin = rejoin_is_possible(net);
	*net = (struct net){0};
	timer_start_soon(s->base.reactor, &s->hand_on.timer);
}

size_t backlog_count(const struct file_source *s)
{
	return s->backlog.net.count - s->backlog.at + s->backlog.held.count - s->backlog.held_at;
}

void backlog_free(struct file_source *s)
{
	net_free(&s->backlog.net);
	net_free(&s->backlog.held);
	s->backlog.at = s->backlog.held_at = 0;
}

/* ---- what has happened since ----------------------------------------------------------------- */

static bool is_elsewhere(struct file_source *s, const struct effect *e)
{
	const char *name = net_name(&file_folders, e->node, e->path);
	const char *path = file_path(s, e->node, name);

	return path && strcmp(path, e->path) != 0;
}

static bool is_overtaken(struct file_source *s, const struct effect *e)
{
	const struct record *r = rejoin_find(&s->journal, e);

	if (!s->backlog.may_rejoin)
		return false;
	return (r && (r->now != r->was || (r->now && hand_on_waits(s, r)))) || is_elsewhere(s, e);
}

/* What it held counts as unknown: the digest is that of a change that is not handed on. */
static void rejoin_effect(struct file_source *s, const struct effect *e)
{
	contents_keep(&s->compare.contents, e->node, net_name(&file_folders, e->node, e->path), 0);
	rejoin(&s->journal, e);
}

/* Its run sees what was done to the path since. */
static void add_activity(struct file_source *s, struct effect *e)
{
	const struct record *r = rejoin_find(&s->journal, e);

	if (!r || !r->now || !r->now->seen)
		return;
	e->seen |= r->now->seen;
	r->now->seen = 0;
	contents_keep(&s->compare.contents, r->node, r->name, 0);
}

void backlog_rejoin(struct file_source *s)
{
	struct net *held = &s->backlog.held;
	size_t n = 0;

	for (size_t i = s->backlog.held_at; i < held->count; i++) {
		struct effect *e = &held->items[i];

		if (!rejoin_find(&s->journal, e)) {
			held->items[n++] = *e;
			continue;
		}
		rejoin_effect(s, e);
		effect_free(e, &file_folders);
	}
	held->count = n;
	s->backlog.held_at = 0;
}

/* ---- handing on ------------------------------------------------------------------------------ */

static bool is_busy(struct file_source *s, const struct effect *e)
{
	return s->base.host->is_busy(&s->base, e->path);
}

/* Without memory it is handed on: the job keeps it then. */
static bool hold_back(struct file_source *s, const struct effect *e)
{
	struct net *held = &s->backlog.held;

	held->folders = &file_folders;
	if (!s->backlog.may_rejoin || !is_busy(s, e) ||
	    ARRAY_GROW(held->items, held->capacity, held->count + 1) < 0)
		return false;
	held->items[held->count++] = *e;
	return true;
}

/* Takes out one that was held back, in order. What waits for the run of its own path are as few as
 * runs; what waits for a free place, all at once, may be many. */
static bool next_held(struct file_source *s, struct effect *e)
{
	struct backlog *b = &s->backlog;
	struct effect *held = b->held.items;
	size_t i = b->held_at;

	if (i == b->held.count || s->base.host->is_busy(&s->base, NULL))
		return false;
	while (i < b->held.count && is_busy(s, &held[i]))
		i++;
	if (i == b->held.count)
		return false;
	*e = held[i];
	memmove(&held[b->held_at + 1], &held[b->held_at], (i - b->held_at) * sizeof *held);
	held[b->held_at++] = (struct effect){0};
	if (b->held_at == b->held.count)
		b->held_at = b->held.count = 0;
	return true;
}

/* Takes out the next of the batch. False: it was held back. */
static bool next_new(struct file_source *s, struct effect *e)
{
	struct backlog *b = &s->backlog;

	*e = b->net.items[b->at];
	b->net.items[b->at++] = (struct effect){0};
	return !hold_back(s, e);
}

/* True: it was emitted. */
static bool hand_on_one(struct file_source *s, struct effect *e)
{
	bool emitted = false;

	if (is_overtaken(s, e)) {
		rejoin_effect(s, e);
	} else {
		add_activity(s, e);
		emitted = hand_on_effect(s, e);
	}
	effect_free(e, &file_folders);
	return emitted;
}

bool backlog_hand_on(struct file_source *s)
{
	struct backlog *b = &s->backlog;
	struct effect e;

	for (int n = 0; n < PIECE; n++) {
		bool found = next_held(s, &e);

		if (!found && b->at == b->net.count) {
			net_free(&b->net);
			b->at = 0;
			return false;
		}
		timer_start_soon(s->base.reactor, &s->hand_on.timer);
		if ((found || next_new(s, &e)) && hand_on_one(s, &e))
			return true;
	}
	return true;
}
