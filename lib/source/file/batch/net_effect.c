/* The effect of one slot: the table of net.h. */
#include "source/file/batch/net_inner.h"

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

static unsigned event_of(const struct thing *was, const struct thing *now)
{
	if (net_moves(now))
		return FILE_MOVE;
	if (!was)
		return now ? FILE_CREATE : 0;
	if (!now)
		return FILE_DELETE;
	return now == was ? 0 : FILE_MODIFY;
}

struct effect net_effect_of(const struct work *w, const struct slot *s)
{
	const struct thing *was = net_was(s), *now = net_now(s), *stood;
	bool left = net_moves(was) && was != now, cleared = s->cleared;
	struct effect e = {.notices = s->touched->notices,
			   .in_run = s->touched->in_run,
			   .since = s->touched->since,
			   .by = s->touched->by};

	if (was && (cleared || !net_counts(w, s->path, was->type)))
		was = NULL;
	if (now && !net_counts(w, s->path, now->type))
		now = NULL;
	e.type = now ? now->type : was ? was->type : s->touched->flicker_type;
	stood = left ? NULL : was;
	e.seen = seen_of(w, now, stood);
	/* A file whose backup was made by a rename is modified. */
	e.event =
	    event_of(left && w->options->gathers && now && now->type != 'd' ? was : stood, now);
	if (now && (e.event == FILE_MOVE || stood))
		net_leave_out_same(w, s, now, &e);
	e.flickered = !w->options->gathers && !now && !was && !cleared && s->touched->flickered &&
		      net_counts(w, s->path, e.type);
	if (e.flickered)
		e.seen = s->touched->flickered & ~(unsigned)FILE_CREATE;
	return e;
}
