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

/* What grows would be moved as a whole, of a large batch for longer than a piece may take. */
static int make_room(struct work *w)
{
	size_t paths = w->j->count + w->n_movers;

	w->net->items = malloc((paths + 1) * sizeof *w->net->items);
	if (!w->net->items)
		return -1;
	w->net->capacity = paths + 1;
	return 0;
}

/* ---- afterwards ------------------------------------------------------------------------------ */

static int find_contents(struct work *w)
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE && p->at != &w->j->order; n++, p->at = p->at->next)
		net_find_content(w, CONTAINER_OF(p->at, struct record, link));
	return p->at != &w->j->order;
}

static int settle(struct work *w)
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE && p->at != &w->j->order; n++) {
		struct record *r = CONTAINER_OF(p->at, struct record, link);

		p->at = p->at->next;
		if (net_waits_wholly(w, r)) {
			if (r->left)
				journal_left(w->j, r);
			continue;
		}
		net_keep_content(w, r);
		journal_settle(w->j, r, net_waits(w, r));
	}
	return p->at != &w->j->order;
}

/* ---- undone ------------------------------------------------------------------------------------
 */

static void begin(struct work *w)
{
	table_init(&w->by_path, &table_by_text);
	list_init(&w->slots);
	for (int rank = 0; rank < RANKS; rank++)
		list_init(&w->ranks[rank]);
	w->again = false;
}

static void reset(struct thing *t, bool again)
{
	if (!t)
		return;
	t->fate = FATE_NONE;
	t->reported = false;
	t->barred = t->barred && again;
	t->slot = NULL;
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

static int reset_records(struct work *w)
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE && p->at != &w->j->order; n++) {
		struct record *r = CONTAINER_OF(p->at, struct record, link);

		p->at = p->at->next;
		reset(r->was, w->again);
		reset(r->now, w->again);
		r->left = false;
		if (r->implied && !w->again)
			journal_settle(w->j, r, false);
	}
	return p->at != &w->j->order;
}

/* The journal is as it was; what is to be done again is so but for what is barred, and for what
 * was implied. */
static int undo(struct work *w)
{
	if (reset_records(w) || free_effects(w->net) || net_free_slots(w))
		return 1;
	w->n_movers = w->n_stack = 0;
	begin(w);
	return 0;
}

/* ---- the stages ------------------------------------------------------------------------------ */

enum { UNDO, FIRST };

static int (*const stages[])(struct work *w) = {
    undo,           net_find_movers,  net_decide_moves, make_room, net_fill_slots,
    net_join_slots, net_put_in_order, find_contents,    settle,    net_free_slots,
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
	begin(&m->work);
	begin_stage(m, FIRST);
	return m;
}

static void undo_all(struct net_maker *m)
{
	m->work.again = false;
	begin_stage(m, UNDO);
	while (undo(&m->work))
		;
}

static int fail(struct net_maker *m)
{
	undo_all(m);
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
	begin_stage(m, result < 0 ? UNDO : m->stage + 1);
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
	undo_all(m);
	free(w->movers);
	free(w->stack);
	free(w->parts);
	buf_free(&w->scratch);
	free(m);
	return net;
}
