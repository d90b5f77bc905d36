/*
 * Watching directories before they are opened, by their paths: that costs half of what a watch of
 * an opened one does.
 *
 * Whoever may write to a directory on the way can exchange it for a link, and back again before the
 * path is opened. Each of the two is an event of the directory above, which is watched, and the
 * kernel queues it before it lets that change again. So one question at the end of a turn is enough
 * for all of it: if nothing happened, each path led to the same directory both times. Else each is
 * held against what stands there now, and no more are watched ahead.
 */
#include "base/array.h"
#include "source/file/model/model.h"
#include "source/file/model/observer.h"

static bool is_watched_above(const struct node *n)
{
	const struct node *d = n->parent;

	while (d->parent && d->watched)
		d = d->parent;
	return d != n->parent && !d->parent;
}

/* Only in the first reading is there much to watch. */
static bool may_be_ahead(const struct model *m, const struct opening *how)
{
	const struct observer *o = m->observer;

	return o && o->type->watch_ahead && m->early && m->progress.stage == STAGE_IDLE &&
	       !m->ahead.disturbed && touches_empty(&m->names.hinted) && how->path &&
	       !how->follow && !how->node->watched && is_watched_above(how->node);
}

bool model_watch_ahead(struct model *m, const struct opening *how)
{
	struct nodes *list = &m->ahead.watched;

	if (!may_be_ahead(m, how) || ARRAY_GROW(list->items, list->capacity, list->count + 1) < 0 ||
	    m->observer->type->watch_ahead(m->observer, how->node, how) < 0)
		return false;
	list->items[list->count++] = node_hold(how->node);
	return true;
}

static bool was_right(struct model *m, struct node *n)
{
	uint64_t watch = n->watch;
	bool displaced;
	int folder = model_open_node(m, n, false, &displaced), result;

	if (folder < 0)
		return false;
	result = m->observer->type->watch(m->observer, n, folder, "");
	m->fs->close(m->fs, folder);
	return result == 0 && n->watch == watch;
}

void model_confirm_ahead(struct model *m)
{
	struct nodes *list = &m->ahead.watched;
	bool all_right = true;

	m->ahead.disturbed = !m->observer->type->is_quiet(m->observer);
	while (list->count) {
		struct node *n = list->items[--list->count];

		if (m->ahead.disturbed && n->watched && !n->gone)
			all_right &= was_right(m, n);
		node_release(n);
	}
	if (!all_right)
		m->observer->type->lose(m->observer);
}
