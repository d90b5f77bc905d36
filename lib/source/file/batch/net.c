/*
 * The net effect of a batch; see net.h. First it is decided what is reported as moved, then all is
 * brought to paths, and each path is one effect; at last they are put in order. What turns out then
 * not to be possible as a move is barred from being one, and all is done again.
 */
#include "source/file/batch/net_inner.h"

#include "base/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- afterwards ------------------------------------------------------------------------------ */

static int keep_contents(struct work *w)
{
	net_keep_contents(w);
	return 0;
}

/* What left a name that is handed on, and is still written under another, is new there. */
static void forget_origin(const struct work *w, const struct record *r)
{
	struct thing *t = r->now;

	if (net_waits_wholly(w, r) && t->origin && t->origin != r &&
	    !net_waits_wholly(w, t->origin))
		t->origin = NULL;
}

static int forget_origins(struct work *w)
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE && p->at != &w->j->order; n++, p->at = p->at->next)
		forget_origin(w, CONTAINER_OF(p->at, struct record, link));
	return p->at != &w->j->order;
}

static int settle(struct work *w)
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE && p->at != &w->j->order; n++) {
		struct record *r = CONTAINER_OF(p->at, struct record, link);

		p->at = p->at->next;
		if (!net_waits_wholly(w, r))
			journal_settle(w->j, r, net_waits(w, r));
	}
	return p->at != &w->j->order;
}

static int end_batch(struct work *w)
{
	struct net_progress *p = &w->progress;

	if (!p->i++)
		p->at = journal_end(w->j);
	p->at = journal_sweep(w->j, p->at, NET_PIECE);
	return p->at != NULL;
}

/* Many take a while. */
static int free_slots(struct work *w)
{
	for (int n = 0; n < NET_PIECE && w->n_slots; n++) {
		free(w->slots[--w->n_slots]->path);
		free(w->slots[w->n_slots]);
	}
	return w->n_slots > 0;
}

/* ---- the stages ------------------------------------------------------------------------------ */

static int (*const stages[])(struct work *w) = {
    net_find_movers, net_decide_moves, net_fill_slots,   net_check_moves,
    net_hurry_moves, net_sort,         net_put_in_order, keep_contents,
    forget_origins,  settle,           end_batch,        free_slots,
};

struct net_maker {
	struct work work;
	struct net_options options;
	struct net net;
	size_t stage;
};

void net_free(struct net *net)
{
	while (net->count)
		effect_free(&net->items[--net->count], net->folders);
	free(net->items);
	*net = (struct net){.folders = net->folders};
}

void effect_free(struct effect *e, const struct journal_folders *folders)
{
	free(e->path);
	free(e->old_path);
	if (e->node)
		folders->release(e->node);
	if (e->old_node)
		folders->release(e->old_node);
	*e = (struct effect){0};
}

const char *net_name(const struct journal_folders *folders, const struct node *d, const char *path)
{
	const char *slash = folders->parent(d) ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

static void forget_moves(struct work *w)
{
	LIST_EACH(at, after, &w->j->things)
	{
		struct thing *t = CONTAINER_OF(at, struct thing, link);

		t->moves = t->reported = t->listed = t->undecided = false;
		t->slot = NULL;
	}
	while (w->n_movers)
		free(w->movers[--w->n_movers].path);
	w->n_stack = 0;
	net_free(w->net);
	net_free_slots(w);
	free(w->spare);
	w->spare = NULL;
}

static void begin_stage(struct net_maker *m, size_t stage)
{
	m->stage = stage;
	m->work.progress = (struct net_progress){.at = m->work.j->order.next};
}

struct net_maker *net_begin(struct journal *j, const struct net_options *options)
{
	struct net_maker *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->options = *options;
	m->net.folders = j->folders;
	m->work = (struct work){.j = j, .options = &m->options, .net = &m->net};
	net_free_slots(&m->work);
	begin_stage(m, 0);
	return m;
}

static int fail(struct net_maker *m)
{
	forget_moves(&m->work);
	for (struct link *at = journal_end(m->work.j); at;)
		at = journal_sweep(m->work.j, at, NET_PIECE);
	errno = ENOMEM;
	return -1;
}

int net_go_on(struct net_maker *m)
{
	struct work *w = &m->work;
	int result = stages[m->stage](w);

	if (result > 0)
		return 1;
	if (result < 0 && !w->again)
		return fail(m);
	/* Each time one thing less is to be reported as moved. */
	if (result < 0)
		forget_moves(w);
	w->again = false;
	begin_stage(m, result < 0 ? 0 : m->stage + 1);
	return m->stage < ARRAY_LENGTH(stages);
}

struct net net_end(struct net_maker *m)
{
	struct net net = {0};
	struct work *w;

	if (!m)
		return net;
	w = &m->work;
	if (m->stage == ARRAY_LENGTH(stages)) {
		net = m->net;
		m->net = (struct net){0};
	}
	forget_moves(w);
	table_free(&w->by_path);
	free(w->movers);
	free(w->slots);
	free(w->stack);
	free(w->parts);
	buf_free(&w->scratch);
	free(m);
	return net;
}
