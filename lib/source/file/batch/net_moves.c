/*
 * What is reported as moved. A move onto a path is possible only if that was free, which may depend
 * on another move, and so on: such a chain is followed to its end, and decided from there. Of a
 * circle (exchanges) one is no move, and so with gathering none is. What is in a directory whose
 * move is not reported is then asked by itself.
 */
#include "source/file/batch/net_inner.h"

#include "base/array.h"

static int add_mover(struct work *w, struct record *r)
{
	if (!r->now || !r->now->origin || r->now->fate)
		return 0;
	if (ARRAY_GROW(w->movers, w->movers_capacity, w->n_movers + 1) < 0)
		return -1;
	w->movers[w->n_movers++] = r->now;
	r->now->fate = FATE_OPEN;
	return 0;
}

static int find_mover(struct work *w, struct record *r)
{
	return r->now && r->now->origin != r ? add_mover(w, r) : 0;
}

int net_find_movers(struct work *w)
{
	return net_each_record(w, find_mover);
}

/* ---- one move -------------------------------------------------------------------------------- */

/* What is to leave its name first, and was not decided; or NULL. */
static struct thing *next_in_chain(const struct thing *t)
{
	struct thing *was = t->at->was;
	bool open = was && was != t && (was->fate == FATE_OPEN || was->fate == FATE_ASKED);

	return open ? was : NULL;
}

/* May it be reported to come where that was? Without gathering a file's rename onto another is what
 * it is. What is in a directory that does not count has to leave first, be it to below the path
 * that the file comes from. */
static bool may_come(const struct work *w, const char *path, const struct thing *now,
		     const struct thing *was)
{
	if (net_moves(was))
		return true;
	if (now->type != 'd' && was->type != 'd')
		return !w->options->gathers || !net_counts(w, path, was->type);
	return now->type == 'd' && !net_counts(w, path, was->type);
}

/* What else was at its path is seen when all paths are known. */
static bool is_free(struct work *w, const struct thing *t)
{
	const struct thing *was = t->at->was;
	const char *path;

	if (!was || was == t)
		return true;
	path = net_path_now(w, t->at);
	return path && may_come(w, path, t, was);
}

static bool both_ends_count(struct work *w, const struct thing *t)
{
	const char *path = net_path_now(w, t->at);

	if (!path || !net_counts(w, path, t->type))
		return false;
	path = net_path_before(w, t->origin, MADE_NONE);
	return path && net_counts(w, path, t->type);
}

/* Two directories may have had the same path one after the other; and what was carried from one to
 * the other is where it was. */
bool net_is_possible(const struct work *w, const struct slot *s)
{
	const struct thing *was = net_was(s), *now = net_now(s);

	return !was || (was != now && may_come(w, s->path, now, was));
}

static void decide(struct work *w, struct thing *t)
{
	bool moves = w->options->moves && !t->barred && !next_in_chain(t) && is_free(w, t) &&
		     both_ends_count(w, t);

	t->fate = moves ? FATE_MOVES : FATE_SPLIT;
	if (moves || !t->self)
		return;
	w->progress.within = t;
	w->progress.replaced = !w->options->gathers && both_ends_count(w, t);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Of a circle the second, so that the first moves. */
static struct thing *end_of_chain(struct thing *t)
{
	struct thing *next;

	while (t->fate == FATE_OPEN && (next = next_in_chain(t))) {
		t->fate = FATE_ASKED;
		t = next;
	}
	return t->fate == FATE_ASKED ? next_in_chain(t) : t;
}

static void decide_next(struct work *w)
{
	struct thing *t = w->progress.decided, *waits = t->origin->now;

	decide(w, t);
	w->progress.decided = waits && waits->fate == FATE_ASKED ? waits : NULL;
}

/* It is not reported that a directory was moved: one name in it is looked at by itself. Where the
 * directory is reported as gone and come, so is what nothing else happened to. */
static int expand(struct work *w)
{
	struct net_progress *p = &w->progress;
	struct thing *t = p->within;
	struct journal_entry e;
	struct record *r;

	if (!w->j->folders->next(t->self, &p->entry, &e)) {
		p->within = NULL;
		p->entry = 0;
		return 0;
	}
	r = journal_imply(w->j, t->self, &e);
	if (!r)
		return -1;
	if (r->implied)
		r->by = t->at->by;
	if (r->implied && r->now && p->replaced)
		r->now->barred = true;
	return add_mover(w, r);
}

int net_decide_moves(struct work *w)
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE; n++) {
		if (p->within && expand(w) < 0)
			return -1;
		if (p->within)
			continue;
		if (p->decided)
			decide_next(w);
		else if (p->i == w->n_movers)
			return 0;
		else if (w->movers[p->i++]->fate == FATE_OPEN)
			p->decided = end_of_chain(w->movers[p->i - 1]);
	}
	return 1;
}

/* ---- undone ---------------------------------------------------------------------------------- */

static void reset(struct thing *t, bool again)
{
	if (!t)
		return;
	t->fate = FATE_NONE;
	t->reported = false;
	t->barred = t->barred && again;
	t->slot = NULL;
}

static int reset_record(struct work *w, struct record *r)
{
	reset(r->was, w->again);
	reset(r->now, w->again);
	r->left = false;
	if (r->implied && !w->again)
		journal_settle(w->j, r, false);
	return 0;
}

static int free_effects(struct net *net)
{
	for (int n = 0; n < NET_PIECE && net->count; n++)
		effect_free(&net->items[--net->count], net->folders);
	if (net->count)
		return 1;
	net_free(net);
	return 0;
}

int net_undo(struct work *w)
{
	if (net_each_record(w, reset_record) || free_effects(w->net) || net_free_slots(w))
		return 1;
	w->n_movers = w->n_stack = 0;
	net_init_slots(w);
	return 0;
}
