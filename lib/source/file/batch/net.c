/*
 * The net effect of a batch; see net.h. First it is decided what is reported as moved, then all is
 * brought to paths, and each path is one effect; at last they are put in order. What turns out then
 * not to be possible as a move is barred from being one, and all is done again.
 */
#include "source/file/batch/net_inner.h"

#include <errno.h>
#include <stdlib.h>

/* What left a name that is handed on, and is still written under another, is new there. */
static void forget_origins(struct work *w)
{
	LIST_EACH(at, after, &w->j->order)
	{
		const struct record *r = CONTAINER_OF(at, struct record, link);
		struct thing *t = r->now;

		if (net_waits_wholly(w, r) && t->origin && t->origin != r &&
		    !net_waits_wholly(w, t->origin))
			t->origin = NULL;
	}
}

static void settle(struct work *w)
{
	net_keep_contents(w);
	forget_origins(w);
	LIST_EACH(at, after, &w->j->order)
	{
		struct record *r = CONTAINER_OF(at, struct record, link);

		if (net_waits_wholly(w, r))
			continue;
		journal_settle(w->j, r, net_waits(w, r));
	}
}

void net_free(struct net *net)
{
	while (net->count) {
		net->count--;
		free(net->items[net->count].path);
		free(net->items[net->count].old_path);
	}
	free(net->items);
	*net = (struct net){0};
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
}

static int make(struct work *w)
{
	w->again = false;
	forget_moves(w);
	return net_decide_moves(w) < 0 || net_fill_slots(w) < 0 || net_check_moves(w) < 0 ||
		       net_put_in_order(w) < 0
		   ? -1
		   : 0;
}

int net_take(struct net *net, struct journal *j, const struct net_options *options)
{
	struct work w = {.j = j, .options = options, .net = net};
	int result;

	*net = (struct net){0};
	/* Each time one thing less is to be reported as moved. */
	do
		result = make(&w);
	while (result < 0 && w.again);
	if (result == 0)
		settle(&w);
	else
		net_free(net);
	journal_end(j);
	net_free_slots(&w);
	table_free(&w.by_path);
	while (w.n_movers)
		free(w.movers[--w.n_movers].path);
	free(w.movers);
	free(w.slots);
	free(w.stack);
	free(w.parts);
	buf_free(&w.scratch);
	if (result < 0)
		errno = ENOMEM;
	return result;
}
