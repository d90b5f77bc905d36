/*
 * What differs between the looks of a round and what is known, and what of it is a move: what left
 * one name and is at another is taken out, all of it, since names may have been exchanged.
 */
#include "source/file/model/model.h"

#include <stdlib.h>

enum { PATIENCE = 2 /* calls of model_retry */ };

/* ---- what differs ---------------------------------------------------------------------------- */

/*
 * File systems use the number of an inode again at once, so what was deleted is another even when
 * its number is the same.
 */
bool model_differs(const struct entry *e, const struct look *now, unsigned bits)
{
	bool heard = bits & ~(unsigned)(HINT_SCAN | HINT_STAMP | HINT_AHEAD);

	if (!e || !now->type)
		return e || now->type;
	if ((e->type != '?' && e->type != now->type) || bits & HINT_DELETED)
		return true;
	if (e->entered && e->node->state == NODE_UNREAD && !e->node->identity.device)
		return heard && e->node->identity.inode &&
		       e->node->identity.inode != now->identity.inode;
	/* What left unseen is not what is there. */
	if (e->entered && !e->node->identity.inode && bits & HINT_LEFT)
		return true;
	if (e->entered)
		return !node_may_be(e->node, &now->identity);
	if (!e->sure && !heard)
		return false;
	return e->inode != now->identity.inode;
}

/*
 * What stands where a file left is another, too, and if it is the same that came back, then nobody
 * heard what was done to it meanwhile. (Of a directory, that is read: settle.c, confirm. And an
 * observer of a whole file system hears all.)
 */
static bool has_come_since(const struct model *m, const struct touched *t, const struct entry *e)
{
	return !m->settings.sparse && e && !e->entered && t->now.type && t->bits & HINT_LEFT;
}

/* ---- what looks are ahead of ----------------------------------------------------------------- */

enum hint model_doubt(const struct model *m, const struct node *d)
{
	bool hears = m->settings.sparse && d->watched && !d->polled && !m->since;

	return hears ? HINT_AHEAD : HINT_SCAN;
}

/* May what the look found be what something was done to? */
static bool was_there(const struct touched *t)
{
	return t->bits & HINT_THERE && !(t->bits & HINT_FILE && t->now.type == 'd');
}

/* Does what was said of the name account for what the look found? `e` is what is known. */
static bool is_accounted(const struct touched *t, const struct entry *e)
{
	if (t->bits & HINT_SCAN)
		return true;
	if (!t->now.type)
		return t->last & HINTS_GO || (!e && !(t->bits & (HINTS_COME | HINT_THERE)));
	if (!e)
		return t->last & HINTS_COME || was_there(t);
	return !t->differs || t->last & HINTS_COME || t->bits & HINT_LEFT;
}

/*
 * The kernel makes a change before it reports it, so a look may be ahead of the events. What is
 * reported then would be reported again when the event comes, and without who did it. So it waits,
 * but not for ever: the event may be lost. What came and is gone was reported by nobody; that waits
 * in every mode.
 */
static bool is_ahead(const struct model *m, const struct touched *t, const struct entry *e)
{
	bool waits = model_doubt(m, t->node) == HINT_AHEAD || (!e && !t->now.type);

	return waits && t->looked && !t->node->gone && t->waited < PATIENCE && !is_accounted(t, e);
}

/* ---- what left one name and is at another -----------------------------------------------------
 */

struct source {
	uint64_t inode;
	struct touched *from;
};

static int by_inode(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static uint64_t inode_of(const struct entry *e)
{
	return e->entered ? e->node->identity.inode : e->inode;
}

/* Has something that is known left this name, so far as it was said? What came after it may have
 * left as well: that event is waited for, but not to put the first where it is. */
static bool may_leave(const struct model *m, const struct touched *t)
{
	return t->looked && (t->differs || t->awaits) && !t->node->gone && t->node != m->top &&
	       t->bits & (HINT_LEFT | HINT_SCAN) && entries_find(t->node->entries, t->name);
}

/* Where its directory is, and so whether it left, is looked at in the next round. */
static bool may_leave_later(const struct touched *t)
{
	return !t->looked && t->tries < MODEL_PATIENCE && !t->node->gone && t->bits & HINT_LEFT &&
	       entries_find(t->node->entries, t->name);
}

static bool may_arrive(const struct model *m, const struct touched *t)
{
	return t->looked && t->differs && t->now.type && !t->node->gone && t->node != m->top &&
	       t->bits & (HINT_CAME | HINT_SCAN);
}

/*
 * Is what is known at the one name now at the other? An inode number may be used again: where the
 * kernel did not say that both were renamed, birth time or the content's stamp must be the same.
 */
static bool is_at(const struct touched *from, const struct touched *to)
{
	struct entry *e = entries_find(from->node->entries, from->name);
	const struct stamp *stamp = entries_stamp(from->node->entries, e);
	bool heard = from->bits & HINT_LEFT && to->bits & HINT_CAME;

	if (e->type != to->now.type || from->node->identity.device != to->now.identity.device)
		return false;
	if (e->entered && e->node->identity.device)
		return identity_equal(&e->node->identity, &to->now.identity);
	return heard || (stamp && stamp->content == to->now.stamp.content);
}

static size_t count_round(const struct model *m)
{
	size_t n = 0;

	for (const struct link *at = m->names.round.order.next; at != &m->names.round.order;
	     at = at->next)
		n++;
	return n;
}

/* What may have left later arrives later, too. */
static void join(struct touched *from, struct touched *to)
{
	if (from->looked) {
		from->to = to;
		to->arrives = true;
		to->replaces = entries_find(to->node->entries, to->name);
		return;
	}
	to->looked = false;
	to->tries++;
}

/* Is the directory of `from` known to be below what is known at `to`? That leaves first. */
static bool is_in_the_way(const struct touched *from, const struct touched *to)
{
	const struct entry *e = entries_find(to->node->entries, to->name);

	return !from->looked && e && e->entered && node_is_in(from->node, e->node);
}

static void match(struct touched *to, const struct source *sources, size_t n)
{
	struct source key = {.inode = to->now.identity.inode};
	const struct source *found =
	    n ? bsearch(&key, sources, n, sizeof *sources, by_inode) : NULL;

	if (!found)
		return;
	while (found > sources && found[-1].inode == key.inode)
		found--;
	for (; found < sources + n && found->inode == key.inode; found++)
		if (!found->from->to && found->from != to && is_at(found->from, to) &&
		    !is_in_the_way(found->from, to)) {
			join(found->from, to);
			return;
		}
}

void model_report_earlier(struct model *m, struct touched *t, const struct entry *e)
{
	if (t->earlier)
		m->host->active(m, t->node, t->name, e->type, t->earlier);
	t->earlier = 0;
}

/* All below it, or below a directory above, is still to be read again. */
static bool is_lost(const struct node *d)
{
	while (d && !(d->state == NODE_STALE && d->below))
		d = d->parent;
	return d;
}

static void take(struct model *m, struct touched *t)
{
	struct entry *e = entries_find(t->node->entries, t->name);

	model_report_earlier(m, t, e);
	m->by = t->by;
	t->self = e->entered ? e->node : NULL;
	t->thing = m->host->take(m, t->node, e->name, e->type, t->self);
	if (m->reading.node == t->node)
		m->reading.disturbed = true;
	node_remove(t->node, e);
	/* Nobody who reads on from there comes to it. */
	if (t->self && is_lost(t->node))
		model_lost(m, t->self, true);
	m->progress.in_hand++;
}

void model_take_all(struct model *m)
{
	struct source *sources = calloc(count_round(m) + 1, sizeof *sources);
	size_t n = 0;

	LIST_EACH(at, after, &m->names.round.order)
	{
		struct touched *t = CONTAINER_OF(at, struct touched, link);
		const struct entry *e = entries_find(t->node->entries, t->name);

		t->differs = model_differs(e, &t->now, t->bits) || has_come_since(m, t, e);
		t->awaits = is_ahead(m, t, e);
		t->differs &= !t->awaits;
		if (sources && (may_leave(m, t) || may_leave_later(t)))
			sources[n++] = (struct source){inode_of(e), t};
	}
	if (n)
		qsort(sources, n, sizeof *sources, by_inode);
	LIST_EACH(at, after, &m->names.round.order)
	if (may_arrive(m, CONTAINER_OF(at, struct touched, link)))
		match(CONTAINER_OF(at, struct touched, link), sources, n);
	free(sources); /* without memory, moves are reported as gone and come */
	LIST_EACH(at, after, &m->names.round.order)
	if (CONTAINER_OF(at, struct touched, link)->to)
		take(m, CONTAINER_OF(at, struct touched, link));
}
