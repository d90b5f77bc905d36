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

enum { WRITTEN = FILE_MODIFY | FILE_CLOSE_WRITE };

/* ---- paths ----------------------------------------------------------------------------------- */

/* One step up from directory *d: the name that it has, or where *before, had. Above what was moved
 * in the tree that was reported all is as it is now. */
static const char *step_up(const struct work *w, const struct node **d, bool *before,
			   enum when when)
{
	const struct thing *t = *before ? journal_thing_of(w->j, *d) : NULL;
	bool moved = when == WHEN_TOLD && net_moves(t);
	const char *name = w->j->folders->name(*d);

	if (t && t->origin && !moved) {
		name = t->origin->name;
		*d = t->origin->node;
		return name;
	}
	*before = *before && !moved;
	*d = w->j->folders->parent(*d);
	return name;
}

char *net_path(struct work *w, const struct record *r, enum when when)
{
	const struct node *d = r->node;
	const char *name = r->name;
	bool before = when != WHEN_NOW;
	size_t n = 0;

	for (;;) {
		if (ARRAY_GROW(w->parts, w->parts_capacity, n + 1) < 0)
			return NULL;
		w->parts[n++] = name;
		if (!w->j->folders->parent(d))
			break;
		name = step_up(w, &d, &before, when);
	}
	buf_clear(&w->scratch);
	while (n > 0) {
		buf_add_text(&w->scratch, w->parts[--n]);
		if (n > 0 && w->scratch.length && w->scratch.data[w->scratch.length - 1] != '/')
			buf_add_char(&w->scratch, '/');
	}
	return w->scratch.failed ? NULL : w->scratch.data;
}

/* ---- what files hold ------------------------------------------------------------------------- */

/* The digest of what a file holds; 0: it is none, or that is not known. */
static uint64_t content_before(const struct work *w, const struct record *r)
{
	return r ? contents_find(w->options->contents, r->node, r->name) : 0;
}

static uint64_t content_now(const struct work *w, const struct thing *t)
{
	if (t->type != 'f')
		return 0;
	if (t->read)
		return t->content;
	return t->seen & WRITTEN ? 0 : content_before(w, t->origin);
}

static void leave_out_same(const struct work *w, const struct place *p, struct effect *e)
{
	const struct record *before = e->event == FILE_MOVE ? p->now->origin : p->before;
	uint64_t content;

	if (!w->options->contents || !before || !before->was || before->was->type != 'f')
		return;
	content = content_now(w, p->now);
	if (!content || content != content_before(w, before))
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
		t->content = net_waits(w, r) && t->type == 'f' ? content_before(w, t->origin)
							       : content_now(w, t);
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
