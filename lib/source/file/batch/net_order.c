/*
 * Effects, and their order: what comes above a path is reported before what comes to it, what was
 * at a path leaves before another comes, and what moves out of a directory leaves before that is
 * gone.
 */
#include "source/file/batch/net_inner.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>

static unsigned seen_of(const struct work *w, const struct thing *now, const struct thing *was)
{
	unsigned seen = now ? now->seen : 0;

	/* Whoever made it has closed it, or did so elsewhere. */
	if (now && now->type != 'd' && now != was && (now->origin || was) &&
	    (w->options->gathers || !now->moves))
		seen |= FILE_CLOSE_WRITE;
	/* Before it went. */
	if (!now && was && !w->options->gathers)
		seen |= was->seen;
	return seen;
}

/* The table of net.h. */
static struct effect effect_of(struct work *w, const struct slot *s)
{
	const struct thing *was = s->was ? s->was->was : NULL, *now = s->now ? s->now->now : NULL;
	bool left = was && was->moves && was != now,
	     was_counted = was && net_counts(w, s->path, was->type);
	struct effect e = {
	    .in_run = s->touched->in_run, .since = s->touched->since, .by = s->touched->by};

	if (was && (!was_counted || s->cleared))
		was = NULL;
	if (now && !net_counts(w, s->path, now->type))
		now = NULL;
	e.type = now ? now->type : was ? was->type : s->touched->flicker_type;
	e.seen = seen_of(w, now, left ? NULL : was);
	e.notices = s->touched->notices;
	if (now && now->moves)
		e.event = FILE_MOVE;
	else if (now && was && left)
		e.event = w->options->gathers && now->type != 'd' ? FILE_MODIFY : FILE_CREATE;
	else if (now && was)
		e.event = now == was ? 0 : FILE_MODIFY;
	else if (now)
		e.event = FILE_CREATE;
	else if (was && !left)
		e.event = FILE_DELETE;
	if (now && (e.event == FILE_MOVE || (was && !left)))
		net_leave_out_same(w, s, now, &e);
	e.flickered = !w->options->gathers && !now && !was && !s->cleared &&
		      s->touched->flickered && net_counts(w, s->path, e.type);
	if (e.flickered)
		e.seen = s->touched->flickered & ~(unsigned)FILE_CREATE;
	return e;
}

/* ---- order ------------------------------------------------------------------------------------
 */

static bool leaves(const struct work *w, const struct slot *s)
{
	return !s->now || (!w->options->gathers && s->was && s->now->now != s->was->was);
}

/* The next slot above a path, from *slash (its start at first) downward; NULL: there is none. */
static struct slot *next_above(const struct work *w, char *path, char **slash)
{
	struct slot *above = NULL;

	while (!above && (*slash = strchr(*slash + 1, '/'))) {
		**slash = '\0';
		above = table_find(&w->by_path, path);
		**slash = '/';
	}
	return above;
}

/* What moves out of a directory that is gone or replaced is reported before that is. */
static int hurry(struct work *w, struct slot *s)
{
	const char *path = net_path_before(w, s->now->now->origin, MADE_ALL);
	char *copy = path ? strdup(path) : NULL, *slash = copy;
	const struct slot *above;

	if (!copy)
		return -1;
	while ((above = next_above(w, copy, &slash)))
		if (leaves(w, above) && above->order <= s->order)
			s->order = above->order - 1;
	free(copy);
	return 0;
}

int net_hurry_moves(struct work *w)
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE && p->i < w->n_slots; n++, p->i++) {
		struct slot *s = w->slots[p->i];

		if (s->now && s->now->now->moves && hurry(w, s) < 0)
			return -1;
	}
	return p->i < w->n_slots;
}

/* What names it is about, for who puts it back into the journal. */
static void add_names(const struct work *w, const struct slot *s, struct effect *e)
{
	const struct thing *was = s->was ? s->was->was : NULL, *now = s->now ? s->now->now : NULL;
	const struct record *r = s->now ? s->now : s->was ? s->was : s->touched;

	e->was = was && was != now ? was->type : 0;
	e->node = r->node;
	w->j->folders->hold(e->node);
	if (e->event != FILE_MOVE || now->origin->now)
		return;
	e->old_node = now->origin->node;
	w->j->folders->hold(e->old_node);
}

/* Appends the effect with a path of its own. */
static int append(struct work *w, const struct slot *s, struct effect *e)
{
	struct net *net = w->net;

	e->path = strdup(s->path);
	if (!e->path || ARRAY_GROW(net->items, net->capacity, net->count + 1) < 0) {
		free(e->path);
		free(e->old_path);
		return -1;
	}
	if (w->options->names)
		add_names(w, s, e);
	net->items[net->count++] = *e;
	return 0;
}

/* What was there is gone, whatever is there now. */
static int clear(struct work *w, struct slot *s)
{
	const struct thing *was = s->was ? s->was->was : NULL;
	struct effect e = {.event = FILE_DELETE,
			   .in_run = s->touched->in_run,
			   .since = s->touched->since,
			   .by = s->touched->by};

	if (s->cleared || s->done || !was || was->moves || !net_counts(w, s->path, was->type))
		return 0;
	s->cleared = true;
	e.type = was->type;
	e.seen = was->seen;
	return append(w, s, &e);
}

static int deepest_first(const void *a, const void *b)
{
	const struct slot *x = *(struct slot *const *)a, *y = *(struct slot *const *)b;
	unsigned dx = x->depth, dy = y->depth;

	if (dx != dy)
		return dx > dy ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

/* Does a directory above it, below so many bytes of its path, move here and was not reported yet?
 */
static bool is_to_move(const struct work *w, const struct slot *s, size_t length)
{
	char *path = strdup(s->path), *slash = path ? path + length : NULL;
	const struct slot *above;
	bool is = false;

	while (path && !is && (above = next_above(w, path, &slash)))
		is = above->now && above->now->now->moves && !above->done;
	free(path);
	return is;
}

/* A directory that is replaced was emptied before it went. */
static int clear_all_in(struct work *w, struct slot *top)
{
	struct slot **below = calloc(w->n_slots, sizeof *below);
	size_t length = strlen(top->path), n = 0;
	int result = below ? 0 : -1;

	for (size_t i = 0; below && i < w->n_slots; i++)
		if (strncmp(w->slots[i]->path, top->path, length) == 0 &&
		    w->slots[i]->path[length] == '/' && !is_to_move(w, w->slots[i], length))
			below[n++] = w->slots[i];
	if (n)
		qsort(below, n, sizeof *below, deepest_first);
	for (size_t i = 0; i < n && result == 0; i++)
		result = clear(w, below[i]);
	free(below);
	return result < 0 ? -1 : clear(w, top);
}

/* Is what was in a directory to be reported as gone? Of one that is gone itself it was. */
static bool is_emptied(const struct work *w, const struct slot *s, unsigned event)
{
	return !w->options->gathers && s->was && s->was->was->type == 'd' &&
	       (event == FILE_MODIFY || (event == FILE_DELETE && s->was->was->slot));
}

static int add_effect(struct work *w, struct slot *s)
{
	struct effect e = effect_of(w, s);
	struct thing *now = s->now ? s->now->now : NULL;

	if (is_emptied(w, s, e.event)) {
		if (clear_all_in(w, s) < 0)
			return -1;
		e = effect_of(w, s);
	}
	s->done = true;
	if (!e.event && !e.notices && !(w->options->gathers && !now ? 0 : e.seen || e.flickered))
		return 0;
	if (now && e.event == FILE_MOVE) {
		const char *path = net_path_before(w, now->origin, MADE_REPORTED);

		e.old_path = path ? strdup(path) : NULL;
		if (!e.old_path)
			return -1;
	}
	if (s->now && net_waits(w, s->now))
		e.seen &= ~(unsigned)(FILE_MODIFY | FILE_CLOSE_WRITE);
	if (append(w, s, &e) < 0)
		return -1;
	if (now && e.event == FILE_MOVE)
		now->reported = true;
	return 0;
}

/* Does something come to this path? */
static bool is_arrival(const struct slot *s)
{
	return s->now &&
	       (s->cleared || s->now->now->moves || !s->was || s->was->was != s->now->now);
}

static int push(struct work *w, struct slot *s)
{
	if (s->opened) {
		/* It waits for itself: one of the moves on the way is not to be reported. */
		for (size_t i = w->n_stack; i-- > 0 && !w->again;)
			if (w->stack[i]->now && w->stack[i]->now->now->moves)
				w->stack[i]->now->now->barred = w->again = true;
		return -1;
	}
	if (ARRAY_GROW(w->stack, w->stack_capacity, w->n_stack + 1) < 0)
		return -1;
	w->stack[w->n_stack++] = s;
	return 0;
}

/* What is gone from a directory that is replaced went before that. */
static bool comes_after(const struct work *w, const struct slot *s, const struct slot *above)
{
	return w->options->gathers || s->now || above->now->now->moves;
}

/* What comes above it is reported before it. 1: that was pushed, 0: all is there. */
static int push_above(struct work *w, const struct slot *s)
{
	char *path = strdup(s->path), *slash = path;
	int result = path ? 0 : -1;
	struct slot *above;

	while (result == 0 && (above = next_above(w, path, &slash)))
		if (!above->done && is_arrival(above) && comes_after(w, s, above))
			result = push(w, above) < 0 ? -1 : 1;
	free(path);
	return result;
}

/* What was at its path leaves before it comes. */
static int push_before(struct work *w, const struct slot *s)
{
	const struct thing *was = s->was ? s->was->was : NULL;

	if (!s->now || !was || !was->moves || was == s->now->now || !was->slot || was->slot->done)
		return 0;
	return push(w, was->slot) < 0 ? -1 : 1;
}

/* What moves out of a directory that is emptied leaves before. */
static int push_out(struct work *w, const struct slot *s)
{
	size_t length = strlen(s->path);
	int pushed = 0;

	if (!is_emptied(w, s, effect_of(w, s).event))
		return 0;
	for (size_t i = 0; i < w->n_movers && pushed == 0; i++) {
		const struct thing *t = w->movers[i].record->now;
		const char *before;

		if (!t->moves || !t->slot || t->slot->done)
			continue;
		before = net_path_before(w, t->origin, MADE_ALL);
		if (!before)
			return -1;
		if (strncmp(before, s->path, length) == 0 && before[length] == '/')
			pushed = push(w, t->slot) < 0 ? -1 : 1;
	}
	return pushed;
}

static int add_in_order(struct work *w, struct slot *first)
{
	if (first->done)
		return 0;
	if (push(w, first) < 0)
		return -1;
	while (w->n_stack > 0) {
		struct slot *s = w->stack[w->n_stack - 1];
		int pushed;

		s->opened = true;
		pushed = push_before(w, s);
		if (pushed == 0)
			pushed = push_out(w, s);
		if (pushed == 0)
			pushed = push_above(w, s);
		if (pushed < 0)
			return -1;
		if (pushed > 0)
			continue;
		w->n_stack--;
		if (add_effect(w, s) < 0)
			return -1;
	}
	return 0;
}

int net_put_in_order(struct work *w)
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE && p->i < w->n_slots; n++, p->i++)
		if (add_in_order(w, w->slots[p->i]) < 0)
			return -1;
	return p->i < w->n_slots;
}
