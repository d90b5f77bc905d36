/*
 * The slots of a batch: what was and is at each path once the moves that are reported have been
 * made, and how paths lie to each other.
 */
#include "source/file/batch/net_inner.h"

#include <stdlib.h>
#include <string.h>

void net_init_slots(struct work *w)
{
	table_init(&w->by_path, &table_by_text);
	list_init(&w->slots);
	for (int rank = 0; rank < RANKS; rank++)
		list_init(&w->ranks[rank]);
	w->again = false;
}

static struct slot *slot_new(const char *path)
{
	struct slot *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->path = strdup(path);
	list_init(&s->link);
	list_init(&s->below);
	list_init(&s->of_below);
	list_init(&s->movers);
	list_init(&s->of_mover);
	return s;
}

static void slot_free(struct slot *s)
{
	free(s->path);
	free(s);
}

/* The slot of this path, a new one if there is none, is the last one touched. NULL: ENOMEM, or no
 * path. */
static struct slot *slot_of(struct work *w, const char *path)
{
	struct slot *s = path ? table_find(&w->by_path, path) : NULL;

	if (path && !s) {
		s = slot_new(path);
		if (s && (!s->path || table_add(&w->by_path, s) < 0)) {
			slot_free(s);
			s = NULL;
		}
	}
	if (s) {
		list_remove(&s->link);
		list_append(&w->slots, &s->link);
	}
	return s;
}

static int fill_slots_of(struct work *w, const struct record *r)
{
	struct slot *s = slot_of(w, net_path_before(w, r, MADE_ALL));

	if (!s)
		return -1;
	s->touched = r;
	if (r->was)
		s->was = r;
	if (!r->now)
		return 0;
	s = slot_of(w, net_path_now(w, r));
	if (!s)
		return -1;
	s->now = s->touched = r;
	r->now->slot = s;
	return 0;
}

/* Of a name that waits: its directory may be at another path, and is not reported as moved. Then it
 * is gone from where it was, and what waits will be new. */
static int fill_slot_left(struct work *w, struct record *r)
{
	char *path = net_path_now(w, r), *now = path ? strdup(path) : NULL;
	char *before = now ? net_path_before(w, r, MADE_ALL) : NULL;
	struct slot *s;

	r->left = before && strcmp(before, now) != 0;
	free(now);
	if (!r->left)
		return before ? 0 : -1;
	s = slot_of(w, before);
	if (!s)
		return -1;
	s->was = s->touched = r;
	return 0;
}

static int fill_slots(struct work *w, struct record *r)
{
	if (!net_waits_wholly(w, r))
		return fill_slots_of(w, r);
	return r->was ? fill_slot_left(w, r) : 0;
}

int net_fill_slots(struct work *w)
{
	return net_each_record(w, fill_slots);
}

/* Cuts the path to that of the nearest slot above it. NULL: there is none. */
static struct slot *cut_to_slot(const struct work *w, char *path)
{
	struct slot *s = NULL;
	char *slash;

	while (!s && (slash = strrchr(path, '/')) && slash != path) {
		*slash = '\0';
		s = table_find(&w->by_path, path);
	}
	return s;
}

static enum rank rank_of(const struct work *w, const struct slot *s)
{
	if (!w->options->gathers)
		return 0;
	if (net_moves(net_now(s)))
		return net_now(s)->type == 'd' ? RANK_MOVED_FOLDER : RANK_MOVED;
	if (!s->now)
		return RANK_GONE;
	return s->was ? RANK_CHANGED : RANK_NEW;
}

/* What moves out of a directory is to do so before that is gone. */
static int join_mover(struct work *w, struct slot *s)
{
	char *path = net_path_before(w, net_now(s)->origin, MADE_ALL);
	struct slot *from = path ? cut_to_slot(w, path) : NULL;

	if (from)
		list_append(&from->movers, &s->of_mover);
	if (!net_is_possible(w, s))
		net_now(s)->barred = w->again = true;
	return path ? 0 : -1;
}

static int join(struct work *w, struct slot *s)
{
	buf_clear(&w->scratch);
	if (buf_add_text(&w->scratch, s->path) < 0)
		return -1;
	s->above = cut_to_slot(w, w->scratch.data);
	if (s->above)
		list_append(&s->above->below, &s->of_below);
	list_append(&w->ranks[rank_of(w, s)], &s->link);
	return net_moves(net_now(s)) ? join_mover(w, s) : 0;
}

/* All moves that are not possible are barred before the next try. */
int net_join_slots(struct work *w)
{
	for (int n = 0; n < NET_PIECE && !list_empty(&w->slots); n++)
		if (join(w, CONTAINER_OF(list_take(&w->slots), struct slot, link)) < 0)
			return -1;
	return !list_empty(&w->slots) ? 1 : w->again ? -1 : 0;
}

int net_free_slots(struct work *w)
{
	struct net_progress *p = &w->progress;
	struct slot *s;

	for (int n = 0; n < NET_PIECE; n++) {
		s = table_next(&w->by_path, &p->i);
		if (!s) {
			table_free(&w->by_path);
			return 0;
		}
		slot_free(s);
	}
	return 1;
}
