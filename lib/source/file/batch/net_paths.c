/*
 * Paths, at any moment of a batch, and the slots: what was and is at each path once the moves that
 * are reported have been made.
 */
#include "source/file/batch/net_inner.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>

static bool is_made(const struct thing *t, enum made made)
{
	return made == MADE_ALL ? t->moves : made == MADE_REPORTED && t->reported;
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
static const char *path_of(struct work *w, const struct node *d, const char *name, bool before,
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

const char *net_path_now(struct work *w, const struct record *r)
{
	return path_of(w, r->node, r->name, false, MADE_ALL);
}

const char *net_path_before(struct work *w, const struct record *r, enum made made)
{
	return path_of(w, r->node, r->name, true, made);
}

unsigned net_depth(const char *path)
{
	unsigned depth = 0;

	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

/* ---- slots -------------------------------------------------------------------------------- */

/* The slot of this path, a new one if there is none. NULL: ENOMEM, or no path. */
static struct slot *slot_of(struct work *w, const char *path)
{
	struct slot *s = path ? table_find(&w->by_path, path) : NULL;

	if (s || !path)
		return s;
	s = calloc(1, sizeof *s);
	if (s) {
		s->path = strdup(path);
		s->depth = net_depth(path);
	}
	if (!s || !s->path || ARRAY_GROW(w->slots, w->slots_capacity, w->n_slots + 1) < 0 ||
	    table_add(&w->by_path, s) < 0) {
		if (s)
			free(s->path);
		free(s);
		return NULL;
	}
	w->slots[w->n_slots++] = s;
	return s;
}

void net_free_slots(struct work *w)
{
	while (w->n_slots) {
		free(w->slots[--w->n_slots]->path);
		free(w->slots[w->n_slots]);
	}
	table_free(&w->by_path);
	table_init(&w->by_path, &table_by_text);
}

static int fill_slots_of(struct work *w, const struct record *r, size_t order)
{
	struct slot *s = slot_of(w, net_path_before(w, r, MADE_ALL));

	if (!s)
		return -1;
	s->touched = r;
	s->order = order;
	if (r->was)
		s->was = r;
	s = r->now ? slot_of(w, net_path_now(w, r)) : s;
	if (!s)
		return -1;
	if (r->now) {
		s->now = s->touched = r;
		s->order = order;
		r->now->slot = s;
	}
	return 0;
}

int net_fill_slots(struct work *w)
{
	struct net_progress *p = &w->progress;

	for (int n = 0; n < NET_PIECE && p->at != &w->j->order; n++, p->at = p->at->next) {
		const struct record *r = CONTAINER_OF(p->at, struct record, link);

		p->order += 2;
		if (!net_waits_wholly(w, r) && fill_slots_of(w, r, p->order) < 0)
			return -1;
	}
	return p->at != &w->j->order;
}
