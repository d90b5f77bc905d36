/*
 * Sparse directories: for an observer that hears of all that happens on a file system, without
 * having looked at it before.
 *
 * Nothing is read at the start. A directory has a node from when something is said of it, and its
 * names are learned from what is said of them: what is deleted, renamed, written or opened was
 * there before, what is created or renamed to a name was not. From then on a look decides, as
 * everywhere. What comes is read as a whole; what leaves while its names were never read is read
 * where it is then (observer.h: reopen, catch_up), so that they can be reported as gone.
 */
#include "source/file/model/model.h"

#include "base/array.h"
#include "source/file/model/observer.h"

#include <stdlib.h>
#include <string.h>

enum { A_STEP = 64 /* entries */ };

/* ---- what was there -------------------------------------------------------------------------- */

static bool is_hinted(const struct touches *in, const struct node *d, const char *name)
{
	const struct touched *t = touches_find(in, d, name);

	return t && t->bits & (HINTS_COME | HINTS_GO);
}

/* Was an event passed on that says that something came to the name, or left it? */
static bool has_changed(const struct model *m, const struct node *d, const char *name)
{
	return is_hinted(&m->names.hinted, d, name) || is_hinted(&m->names.round, d, name);
}

/* Of what is known, or was said to come, the first word was heard already. */
static bool may_be_old(const struct model *m, const struct node *d, const char *name, bool anyway)
{
	return d->sparse && !entries_find(d->entries, name) && (anyway || !has_changed(m, d, name));
}

static struct entry *learn(struct model *m, struct node *d, const char *name,
			   const struct look *was)
{
	struct entry *e = node_add(d, name, model_stamps(m, d));

	if (!e) {
		m->lacks_memory = true;
		return NULL;
	}
	e->type = was->type;
	e->inode = was->identity.inode;
	e->sure = e->inode != 0;
	return e;
}

/* It is entered: its names are learned. NULL with ENOMEM. */
static struct node *enter_sparse(struct model *m, struct node *d, struct entry *e,
				 const struct identity *is)
{
	struct node *n = node_new();

	if (!n) {
		m->lacks_memory = true;
		return NULL;
	}
	n->identity = *is;
	n->state = NODE_KNOWN;
	n->sparse = true;
	node_attach(d, e, n);
	m->directories++;
	return n;
}

struct node *model_know(struct model *m, struct node *d, const char *name,
			const struct identity *is, bool anyway)
{
	const struct look was = {.type = 'd', .identity = *is};
	struct entry *e = entries_find(d->entries, name);

	/* What is still to be read will be known then. */
	if (e && e->entered)
		return e->node->state == NODE_UNREAD ? NULL : e->node;
	if (e && (!d->sparse || e->twice || e->type != 'd' || has_changed(m, d, name)))
		return NULL;
	if (!e && !may_be_old(m, d, name, anyway))
		return NULL;
	if (!m->host->enters(m, d, name))
		return NULL;
	if (!e)
		e = learn(m, d, name, &was);
	return e ? enter_sparse(m, d, e, is) : NULL;
}

void model_assume(struct model *m, struct node *d, const char *name, const struct look *was,
		  bool anyway)
{
	if (!d->gone && may_be_old(m, d, name, anyway))
		learn(m, d, name, was);
}

/* Nobody has heard of what is in the tree. */
static void drop_all(struct model *m, struct node *top)
{
	const struct node *end = top->parent;

	for (struct node *n = top; n != end;)
		n = model_take_out(m, n);
}

bool model_unlearn(struct model *m, struct node *d, const char *name)
{
	struct entry *e = d->sparse ? entries_find(d->entries, name) : NULL;

	if (!e || !e->learned || has_changed(m, d, name))
		return false;
	if (e->entered)
		drop_all(m, e->node);
	else
		node_remove(d, e);
	return true;
}

void model_unlearn_elsewhere(struct model *m, const struct node *n, const struct node *d,
			     const char *name)
{
	struct node *elsewhere = n->parent;

	if (elsewhere && model_is_early(n) && !node_is_in(d, n) &&
	    (elsewhere != d || strcmp(node_name(n), name) != 0))
		model_unlearn(m, elsewhere, node_name(n));
}

bool model_is_early(const struct node *d)
{
	const struct entry *e = node_entry(d);

	return e && e->learned;
}

bool model_is_other(const struct node *d, const char *name, bool is_dir, const struct node *which)
{
	const struct entry *e = entries_find(d->entries, name);

	return e && e->type != '?' &&
	       ((e->type == 'd') != is_dir || (e->entered && e->node->watched && e->node != which));
}

struct node *model_ghost(struct model *m, struct node *d, const char *name)
{
	struct node *n = m->host->enters(m, d, name) ? node_new() : NULL;

	if (!n)
		return NULL;
	n->parent = node_hold(d);
	n->last = strdup(name);
	n->gone = true;
	return node_hold(n);
}

/* ---- forgetting ------------------------------------------------------------------------------ */

static bool has_nodes(const struct node *n)
{
	const struct entry *e;

	for (uint32_t at = 0; (e = entries_next(n->entries, &at));)
		if (e->entered)
			return true;
	return false;
}

bool model_trim(struct model *m, struct node *n)
{
	if (n->holds || n->gone || n->in_hand || n->state != NODE_KNOWN || n->polled ||
	    has_nodes(n))
		return false;
	entries_free(&n->entries);
	n->sparse = true;
	n->learned = false;
	if (n->parent == m->top)
		return false;
	model_forget(m, n);
	m->directories--;
	n->parent->sparse = true; /* this name is known no more */
	entries_remove(&n->parent->entries, node_entry(n));
	free(n);
	return true;
}

/* ---- what leaves with a directory ------------------------------------------------------------ */

/* A directory that is entered is known by what a look says: else what stands at its path when it is
 * opened would be taken for it. */
static void learn_one(struct model *m, struct node *n, const struct listed *listed)
{
	struct look was = {.type = listed->type};
	bool enters = was.type == 'd' && m->host->enters(m, n, listed->name);
	struct entry *e;

	if (!may_be_old(m, n, listed->name, false))
		return;
	if ((was.type == '?' || enters) &&
	    (model_look(m, n, m->leaving.folder, listed->name, &was) < 0 || !was.type))
		return;
	e = learn(m, n, listed->name, &was);
	if (e)
		e->learned = true;
	if (!e || e->type != 'd' || !m->host->enters(m, n, e->name))
		return;
	if (enter_sparse(m, n, e, &was.identity))
		m->observer->type->found(m->observer, e->node, m->leaving.folder, e->name);
}

/* One whose names are known may hold one of which they were forgotten. */
void model_learn_moved(struct model *m, struct node *n)
{
	if (!m->settings.sparse)
		return;
	if (ARRAY_GROW(m->nodes.moved.items, m->nodes.moved.capacity, m->nodes.moved.count + 1) < 0)
		m->lacks_memory = true;
	else
		m->nodes.moved.items[m->nodes.moved.count++] = node_hold(n);
}

/* What is in it follows it. */
bool model_learn_next(struct model *m)
{
	struct node *n =
	    m->nodes.moved.count ? m->nodes.moved.items[m->nodes.moved.count - 1] : NULL;
	struct entry *e;

	if (!n)
		return false;
	if (!n->gone && model_learn(m, n))
		return true;
	m->nodes.moved.count--;
	for (uint32_t at = 0; (e = entries_next(n->entries, &at));)
		if (e->entered)
			model_learn_moved(m, e->node);
	node_release(n);
	return true;
}

static bool list_some(struct model *m, struct node *n)
{
	struct leaving *l = &m->leaving;
	struct listed listed;

	if (l->folder < 0)
		l->folder = m->observer->type->reopen(m->observer, n);
	for (int i = 0; i < A_STEP && l->folder >= 0; i++) {
		if (m->fs->next(m->fs, l->folder, &listed) > 0) {
			learn_one(m, n, &listed);
			continue;
		}
		m->fs->close(m->fs, l->folder);
		l->folder = -1;
	}
	n->learned = l->folder < 0;
	return !n->learned;
}

/* What came to what leaves, or went, before or after it was listed is in the events. */
bool model_learn(struct model *m, struct node *n)
{
	if (!n->sparse)
		return false;
	if (!n->learned && list_some(m, n))
		return true;
	if (m->leaving.top) {
		m->observer->type->catch_up(m->observer, n);
		n->sparse = false;
	}
	return false;
}
