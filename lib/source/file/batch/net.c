/*
 * The net effect of a batch, see net.h: it is made in stages, each in pieces, and what was reported
 * is taken out of the journal. A stage is a function that is called until it returns 0, or -1:
 * ENOMEM.
 *
 * What most batches are, one file that was written, goes the short way: it is one effect.
 */
#include "source/file/batch/contents.h"
#include "source/file/batch/net_inner.h"

#include "base/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the stages ------------------------------------------------------------------------------ */

/* Visits a piece of all records, each of which may go. */
static int each_record(struct work *w, void (*visit)(struct work *w, struct record *r))
{
	for (int n = 0; n < NET_PIECE && w->at != &w->j->order; n++) {
		struct record *r = CONTAINER_OF(w->at, struct record, link);

		w->at = w->at->next;
		visit(w, r);
	}
	return w->at != &w->j->order;
}

/* What grows would be moved as a whole, of a large batch for longer than a piece may take. */
static int make_room(struct work *w)
{
	size_t most = 2 * w->j->count;

	w->net->items = malloc(most * sizeof *w->net->items);
	if (!w->net->items)
		return -1;
	w->net->capacity = most;
	w->last = &w->j->order;
	return 0;
}

static void detach_thing(struct thing *t)
{
	if (t)
		t->over = t->under = NULL;
}

/* Nothing names another any more: then they may go one by one. */
static void detach(struct work *w, struct record *r)
{
	(void)w;
	list_remove(&r->of_folder);
	detach_thing(r->was);
	detach_thing(r->now);
}

/* What is still written holds for now what it held before. All is found before anything is put
 * down: names may have been exchanged. */
static void find_content(struct work *w, struct record *r)
{
	struct thing *t = r->now;

	detach(w, r);
	if (w->options->contents && t && !net_waits_wholly(w, r))
		t->content = net_waits(w, r) && t->type == 'f' ? net_content_before(w, t->origin)
							       : net_content_now(w, t);
}

static int find_contents(struct work *w)
{
	return each_record(w, find_content);
}

/* It was handed on, unless it waits. */
static void settle(struct work *w, struct record *r)
{
	if (net_waits_wholly(w, r)) {
		if (r->left)
			journal_left(w->j, r);
		return;
	}
	if (w->options->contents)
		contents_keep(w->options->contents, r->node, r->name, r->now ? r->now->content : 0);
	journal_settle(w->j, r, net_waits(w, r));
}

static int settle_all(struct work *w)
{
	return each_record(w, settle);
}

static void reset_thing(struct thing *t)
{
	if (!t)
		return;
	t->fate = FATE_NONE;
	t->paired = false;
}

static void reset_record(struct work *w, struct record *r)
{
	reset_thing(r->was);
	reset_thing(r->now);
	r->left = r->coming = r->told = false;
	if (r->implied)
		journal_settle(w->j, r, false);
}

/* The journal is as it was, but for what was handed on. */
static int reset_all(struct work *w)
{
	return each_record(w, reset_record);
}

/* ---- a change by itself ---------------------------------------------------------------------- */

/* A save: of one name, at which the same stands as before. Nothing is to be put in order. */
static bool is_lone_change(const struct journal *j)
{
	const struct record *r = CONTAINER_OF(j->order.next, struct record, link);

	return j->count == 1 && r->now && r->now == r->was;
}

static int tell_lone_change(struct work *w)
{
	struct record *r = CONTAINER_OF(w->j->order.next, struct record, link);
	struct place place = {.at = r, .before = r, .now = r->now};

	if (net_waits_wholly(w, r))
		return 0;
	place.path = net_path(w, r, WHEN_NOW);
	return net_tell(w, &place);
}

/* ---- all ------------------------------------------------------------------------------------- */

typedef int stage(struct work *w);

static stage *const whole[] = {make_room, net_tell_all, find_contents, settle_all, reset_all, NULL};
static stage *const lone[] = {tell_lone_change, find_contents, settle_all, NULL};

struct net_maker {
	struct work work;
	struct net_options options;
	struct net net;
	stage *const *stage; /* the next; NULL: all is made */
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

struct net_maker *net_begin(struct journal *j, const struct net_options *options)
{
	struct net_maker *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->options = *options;
	m->net.folders = j->folders;
	m->work =
	    (struct work){.j = j, .options = &m->options, .net = &m->net, .at = j->order.next};
	m->stage = is_lone_change(j) ? lone : whole;
	return m;
}

static void all_records(struct work *w, void (*visit)(struct work *w, struct record *r))
{
	w->at = w->j->order.next;
	while (each_record(w, visit))
		;
}

int net_go_on(struct net_maker *m)
{
	struct work *w = &m->work;
	int result = *m->stage ? (*m->stage)(w) : 0;

	if (result > 0)
		return 1;
	if (result < 0) {
		errno = ENOMEM;
		return -1;
	}
	m->stage++;
	w->at = w->j->order.next;
	return *m->stage != NULL;
}

struct net net_end(struct net_maker *m)
{
	struct net net = {0};

	if (!m)
		return net;
	if (!*m->stage) {
		net = m->net;
	} else {
		net_free(&m->net);
		all_records(&m->work, detach);
		all_records(&m->work, reset_record);
	}
	free(m->work.stack);
	free(m->work.parts);
	buf_free(&m->work.scratch);
	free(m);
	return net;
}
