/*
 * The net effect of a batch; see net.h. First it is decided what is reported as moved, then all is
 * brought to paths, and each path is one effect; at last they are put in order. What turns out then
 * not to be possible as a move is barred from being one, and all is done again.
 *
 * What most batches are, one file that was written, goes the short way: it is one effect.
 */
#include "source/file/batch/contents.h"
#include "source/file/batch/net_inner.h"

#include "base/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- paths ----------------------------------------------------------------------------------- */

static bool is_made(const struct thing *t, enum made made)
{
	return made == MADE_ALL ? net_moves(t) : made == MADE_REPORTED && t->reported;
}

/* One step up from directory *d: the name that it has, or where *before, had. Above a move that has
 * been made all is as it is now. */
static const char *step_up(const struct work *w, const struct node **d, bool *before,
			   enum made made)
{
	const struct thing *t = *before ? journal_thing_of(w->j, *d) : NULL;
	const char *name = w->j->folders->name(*d);

	if (t && t->origin && !is_made(t, made)) {
		name = t->origin->name;
		*d = t->origin->node;
		return name;
	}
	*before = *before && !(t && is_made(t, made));
	*d = w->j->folders->parent(*d);
	return name;
}

/* The path of a name now, or before the batch but for the moves that have been made. In scratch;
 * NULL: ENOMEM. */
static char *path_of(struct work *w, const struct node *d, const char *name, bool before,
		     enum made made)
{
	size_t n = 0;

	for (;;) {
		if (ARRAY_GROW(w->parts, w->parts_capacity, n + 1) < 0)
			return NULL;
		w->parts[n++] = name;
		if (!w->j->folders->parent(d))
			break;
		name = step_up(w, &d, &before, made);
	}
	buf_clear(&w->scratch);
	while (n > 0) {
		buf_add_text(&w->scratch, w->parts[--n]);
		if (n > 0 && w->scratch.length && w->scratch.data[w->scratch.length - 1] != '/')
			buf_add_char(&w->scratch, '/');
	}
	return w->scratch.failed ? NULL : w->scratch.data;
}

char *net_path_now(struct work *w, const struct record *r)
{
	return path_of(w, r->node, r->name, false, MADE_ALL);
}

char *net_path_before(struct work *w, const struct record *r, enum made made)
{
	return path_of(w, r->node, r->name, true, made);
}

/* ---- what files hold ------------------------------------------------------------------------- */

enum { WRITTEN = FILE_MODIFY | FILE_CLOSE_WRITE };

static uint64_t content_before(const struct work *w, const struct record *r)
{
	return r ? contents_find(w->options->contents, r->node, r->name) : 0;
}

/* 0: not known. */
static uint64_t content_now(const struct work *w, const struct thing *t)
{
	if (t->type != 'f')
		return 0;
	if (t->read)
		return t->content;
	return t->seen & WRITTEN ? 0 : content_before(w, t->origin);
}

static void leave_out_same(const struct work *w, const struct slot *s, const struct thing *now,
			   struct effect *e)
{
	const struct record *before = e->event == FILE_MOVE ? now->origin : s->was;
	uint64_t content;

	if (!w->options->contents || !before || !before->was || before->was->type != 'f')
		return;
	content = content_now(w, now);
	if (!content || content != content_before(w, before))
		return;
	e->seen &= ~(unsigned)WRITTEN;
	if (e->event == FILE_MODIFY)
		e->event = 0;
}

/* What is still written holds for now what it held before. All is found before anything is put
 * down: names may have been exchanged. */
static int find_content(struct work *w, struct record *r)
{
	struct thing *t = r->now;

	if (w->options->contents && t && !net_waits_wholly(w, r))
		t->content = net_waits(w, r) && t->type == 'f' ? content_before(w, t->origin)
							       : content_now(w, t);
	return 0;
}

/* It was handed on, unless it waits. */
static int settle(struct work *w, struct record *r)
{
	if (net_waits_wholly(w, r)) {
		if (r->left)
			journal_left(w->j, r);
		return 0;
	}
	if (w->options->contents)
		contents_keep(w->options->contents, r->node, r->name, r->now ? r->now->content : 0);
	journal_settle(w->j, r, net_waits(w, r));
	return 0;
}

/* ---- the effect of a path: the table of net.h ------------------------------------------------ */

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

static struct effect effect_of(const struct work *w, const struct slot *s)
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
		leave_out_same(w, s, now, &e);
	e.flickered = !w->options->gathers && !now && !was && !cleared && s->touched->flickered &&
		      net_counts(w, s->path, e.type);
	if (e.flickered)
		e.seen = s->touched->flickered & ~(unsigned)FILE_CREATE;
	return e;
}

/* What names it is about, for who puts it back into the journal. */
static void add_names(const struct work *w, const struct slot *s, struct effect *e)
{
	const struct thing *was = net_was(s), *now = net_now(s);
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
int net_append(struct work *w, const struct slot *s, struct effect *e)
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

static bool is_empty(const struct work *w, const struct slot *s, const struct effect *e)
{
	bool active = s->now || !w->options->gathers;

	return !e->event && !e->notices && !(active && (e->seen || e->flickered));
}

int net_add_effect(struct work *w, struct slot *s)
{
	struct effect e = effect_of(w, s);
	struct thing *now = net_now(s);

	if (is_empty(w, s, &e))
		return 0;
	if (now && e.event == FILE_MOVE) {
		const char *path = net_path_before(w, now->origin, MADE_REPORTED);

		e.old_path = path ? strdup(path) : NULL;
		if (!e.old_path)
			return -1;
	}
	if (s->now && net_waits(w, s->now))
		e.seen &= ~(unsigned)(FILE_MODIFY | FILE_CLOSE_WRITE);
	if (net_append(w, s, &e) < 0)
		return -1;
	if (now && e.event == FILE_MOVE)
		now->reported = true;
	return 0;
}

/* ---- a change by itself ---------------------------------------------------------------------- */

/* A save: of one name, at which the same stands as before. Nothing is to be put in order. */
static bool is_lone_change(const struct journal *j)
{
	const struct record *r = CONTAINER_OF(j->order.next, struct record, link);

	return j->count == 1 && r->now && r->now == r->was;
}

static int report_lone_change(struct work *w)
{
	struct record *r = CONTAINER_OF(w->j->order.next, struct record, link);
	struct slot s = {.was = r, .now = r, .touched = r};

	if (net_waits_wholly(w, r))
		return 0;
	s.path = net_path_now(w, r);
	if (!s.path || net_add_effect(w, &s) < 0)
		return -1;
	find_content(w, r);
	return settle(w, r);
}

/* ---- the stages ------------------------------------------------------------------------------ */

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

int net_each_record(struct work *w, int (*visit)(struct work *w, struct record *r))
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE && p->at != &w->j->order; n++) {
		struct record *r = CONTAINER_OF(p->at, struct record, link);

		p->at = p->at->next;
		if (visit(w, r) < 0)
			return -1;
	}
	return p->at != &w->j->order;
}

static int find_contents(struct work *w)
{
	return net_each_record(w, find_content);
}

static int settle_all(struct work *w)
{
	return net_each_record(w, settle);
}

typedef int stage(struct work *w);

enum { UNDO, FIRST };

static stage *const whole[] = {
    net_undo,       net_find_movers,  net_decide_moves, make_room,  net_fill_slots,
    net_join_slots, net_put_in_order, find_contents,    settle_all, net_free_slots,
    NULL,
};
static stage *const lone[] = {net_undo, report_lone_change, NULL};

struct net_maker {
	struct work work;
	struct net_options options;
	struct net net;
	stage *const *stages; /* up to NULL: all is made */
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

static void begin_stage(struct net_maker *m, size_t which)
{
	m->stage = which;
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
	m->stages = is_lone_change(j) ? lone : whole;
	net_init_slots(&m->work);
	begin_stage(m, FIRST);
	return m;
}

static void undo_all(struct net_maker *m)
{
	m->work.again = false;
	begin_stage(m, UNDO);
	while (net_undo(&m->work))
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
	int result = m->stages[m->stage](w);

	if (result > 0)
		return 1;
	if (result < 0 && !w->again)
		return fail(m);
	/* Each time one thing less is to be reported as moved. */
	begin_stage(m, result < 0 ? UNDO : m->stage + 1);
	return m->stages[m->stage] != NULL;
}

struct net net_end(struct net_maker *m)
{
	struct net net = {0};
	struct work *w;

	if (!m)
		return net;
	w = &m->work;
	if (!m->stages[m->stage]) {
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
