/*
 * What is reported as moved. A move onto a path is possible only if that was free, which may depend
 * on another move, and so on; of what waits for each other in a circle (exchanges) none is. What is
 * in a directory whose move is not reported is then asked by itself.
 */
#include "source/file/batch/net_inner.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>

static int add_mover(struct work *w, struct record *r)
{
	const char *path;
	struct mover *m;

	if (!r->now || !r->now->origin || r->now->listed)
		return 0;
	path = net_path_now(w, r);
	if (!path || ARRAY_GROW(w->movers, w->movers_capacity, w->n_movers + 1) < 0)
		return -1;
	m = &w->movers[w->n_movers];
	*m = (struct mover){.record = r, .path = strdup(path), .depth = net_depth(path)};
	if (!m->path)
		return -1;
	w->n_movers++;
	r->now->undecided = r->now->listed = true;
	return 0;
}

/* It is not reported that the directory was moved (by that process): all in it is looked at by
 * itself. `replaced`: it is reported as gone and come, and so is what nothing else happened to. */
static int expand(struct work *w, struct node *d, int by, bool replaced)
{
	struct journal_entry e;

	for (uint32_t at = 0; w->j->folders->next(d, &at, &e);) {
		struct record *r = journal_imply(w->j, d, &e);

		if (r && r->now && r->implied && replaced)
			r->now->barred = true;
		if (r && r->implied)
			r->by = by;
		if (!r || add_mover(w, r) < 0)
			return -1;
	}
	return 0;
}

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_LATER };

/* Without gathering a file's rename onto another is what it is. */
bool net_may_replace(const struct work *w, const struct thing *now, const struct thing *was)
{
	return !w->options->gathers && now->type != 'd' && was->type != 'd';
}

/* Is the name free for a move? What else was at its path is seen when all paths are known. */
static enum answer is_free(const struct work *w, const struct mover *m)
{
	const struct thing *now = m->record->now, *was = m->record->was;

	if (!was || was == now || was->moves || !net_counts(w, m->path, was->type))
		return ANSWER_YES;
	if (was->undecided)
		return ANSWER_LATER;
	return net_may_replace(w, now, was) ? ANSWER_YES : ANSWER_NO;
}

static bool both_ends_count(struct work *w, const struct mover *m)
{
	const struct thing *t = m->record->now;
	const char *before = net_path_before(w, t->origin, MADE_NONE);

	return before && net_counts(w, before, t->type) && net_counts(w, m->path, t->type);
}

static bool may_move(struct work *w, const struct mover *m)
{
	return w->options->moves && !m->record->now->barred && both_ends_count(w, m);
}

static int decide(struct work *w, size_t i, bool moves)
{
	const struct record *r = w->movers[i].record;
	struct thing *t = r->now;

	t->undecided = false;
	t->moves = moves;
	if (moves || !t->self)
		return 0;
	return expand(w, t->self, r->by, !w->options->gathers && both_ends_count(w, &w->movers[i]));
}

static int by_depth(const void *a, const void *b)
{
	const struct mover *x = a, *y = b;

	return (x->depth > y->depth) - (x->depth < y->depth);
}

static int decide_one(struct work *w, size_t i)
{
	enum answer answer;

	if (!w->movers[i].record->now->undecided)
		return 0;
	answer = may_move(w, &w->movers[i]) ? is_free(w, &w->movers[i]) : ANSWER_NO;
	if (answer == ANSWER_LATER)
		return 0;
	w->progress.decided = true;
	return decide(w, i, answer == ANSWER_YES);
}

/* The first of a circle: a file is deleted and created where nothing is gathered; else none is a
 * move. */
static int break_circle(struct work *w)
{
	for (size_t i = 0; i < w->n_movers; i++) {
		if (!w->movers[i].record->now->undecided)
			continue;
		w->progress.decided = true;
		return decide(w, i, !w->options->gathers && w->movers[i].record->now->type != 'd');
	}
	return 0;
}

int net_find_movers(struct work *w)
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE && p->at != &w->j->order; n++, p->at = p->at->next) {
		struct record *r = CONTAINER_OF(p->at, struct record, link);

		if (r->now && r->now->origin != r && add_mover(w, r) < 0)
			return -1;
	}
	return p->at != &w->j->order;
}

/* Passes over what is undecided, until nothing is. */
int net_decide_moves(struct work *w)
{
	struct net_progress *p = &w->progress;

	if (p->i == 0) {
		p->decided = false;
		if (w->n_movers)
			qsort(w->movers, w->n_movers, sizeof *w->movers, by_depth);
	}
	for (int n = 0; n < NET_PIECE && p->i < w->n_movers; n++, p->i++)
		if (decide_one(w, p->i) < 0)
			return -1;
	if (p->i < w->n_movers)
		return 1;
	p->i = 0;
	if (!p->decided && break_circle(w) < 0)
		return -1;
	return p->decided;
}

/* ---- when all paths are known -----------------------------------------------------------------
 */

/* Is this move possible, and one at all, now that all paths are known? Two directories may have had
 * the same path one after the other; and what was carried from one to the other is where it was. */
static bool is_possible(const struct work *w, const struct slot *s)
{
	const struct thing *now = s->now->now, *was = s->was ? s->was->was : NULL;

	if (!was)
		return true;
	if (was == now)
		return false;
	return was->moves || !net_counts(w, s->path, was->type) || net_may_replace(w, now, was);
}

/* All that are not possible are barred before the next try. */
int net_check_moves(struct work *w)
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE && p->i < w->n_slots; n++, p->i++) {
		const struct slot *s = w->slots[p->i];

		if (s->now && s->now->now->moves && !is_possible(w, s))
			s->now->now->barred = w->again = true;
	}
	if (p->i < w->n_slots)
		return 1;
	return w->again ? -1 : 0;
}
