/*
 * Settling a round: what was looked at is held against what is known.
 *
 * What left one name and is at another is moved: taken out first, all of it, since names may have
 * been exchanged; then what is gone or replaced is reported; then what was taken is put to its new
 * names, those in directories that are themselves in hand last; then what is new is added.
 *
 * Looks are made one after the other, and the tree changes meanwhile, so two directories may seem
 * to be in one another. Such are given up: reported as gone, and found anew by another look.
 */
#include "source/file/model/model.h"

/* ---- what is gone ---------------------------------------------------------------------------- */

void model_leave(struct model *m, struct node *n, bool keeps_entry)
{
	m->leaving = (struct leaving){
	    .top = n, .at = n, .keeps_entry = keeps_entry, .by = m->by, .folder = -1};
}

/* A node whose entries have been reported. */
static void leave_node(struct model *m, struct node *n)
{
	struct node *d = n->parent;
	struct entry *e = node_entry(n);

	model_forget(m, n);
	if (n->in_hand) {
		m->host->drop(m, m->leaving.thing);
	} else if (n == m->leaving.top && m->leaving.keeps_entry) {
		m->host->shut(m, d, e->name, n);
		node_detach(d, e);
	} else {
		m->host->gone(m, d, e->name, 'd', n);
		node_remove(d, e);
	}
	m->directories--;
	node_retire(n);
}

/* What is in it went with it, but for what somebody removed before. */
static int who_removed(const struct model *m, const struct node *d, const char *name)
{
	const struct touched *t = touches_find(&m->names.round, d, name);

	return t && t->bits & HINT_DELETED ? t->by : m->leaving.by;
}

/* One name, the deepest first. */
static void leave(struct model *m)
{
	struct node *n = m->leaving.at, *d = n->parent;
	struct entry *e;
	bool is_top = n == m->leaving.top;

	m->by = m->leaving.by;
	if (model_learn(m, n))
		return;
	e = entries_any(n->entries);
	if (e && e->entered) {
		m->leaving.at = e->node;
	} else if (e) {
		m->by = who_removed(m, n, e->name);
		m->host->gone(m, n, e->name, e->type, NULL);
		node_remove(n, e);
	} else {
		leave_node(m, n);
		m->leaving.at = d;
	}
	if (!e && is_top)
		m->leaving = (struct leaving){.folder = -1};
}

/* Something was done to it, so it has been there, though it was not known by name. */
static bool is_old(const struct touched *t)
{
	return t->node->sparse && !(t->bits & ~(unsigned)HINTS_THERE);
}

static void remove_one(struct model *m, struct touched *t)
{
	struct entry *e = t->looked && t->differs ? entries_find(t->node->entries, t->name) : NULL;

	if (!e)
		return;
	m->by = t->by;
	model_report_earlier(m, t, e);
	if (is_old(t))
		t->bits |= HINT_SCAN; /* what stands there now is not what was there */
	if (m->reading.node == t->node)
		m->reading.disturbed = true;
	if (e->entered) {
		model_leave(m, e->node, false);
		return;
	}
	m->host->gone(m, t->node, e->name, e->type, NULL);
	node_remove(t->node, e);
}

/* ---- what is put and added ------------------------------------------------------------------- */

static void fill(struct node *d, struct entry *e, const struct look *now)
{
	e->type = now->type;
	e->inode = now->identity.inode;
	e->sure = true;
	if (entries_stamp(d->entries, e))
		*entries_stamp(d->entries, e) = now->stamp;
}

/* A new entry, or NULL: ENOMEM. */
static struct entry *add_entry(struct model *m, struct touched *t)
{
	struct entry *e = node_add(t->node, t->name, model_stamps(m, t->node));

	if (!e) {
		m->lacks_memory = true;
		return NULL;
	}
	if (m->reading.node == t->node)
		m->reading.disturbed = true;
	fill(t->node, e, &t->now);
	return e;
}

/* A directory that could not be read where it was expected is read where it is. */
static void list_unread(struct model *m, struct node *n)
{
	if (n->state != NODE_KNOWN && m->reading.node != n)
		model_list(m, n);
}

/*
 * A directory stands at another path: is it, and what is in it, still to be entered? Where one of
 * the names was also made or deleted, it may be another that has the number of the inode; what was
 * mounted in it on its way, or unmounted, has another path by now than the one that was reported.
 */
static void enter_anew(struct model *m, const struct touched *from, const struct touched *to,
		       struct entry *e)
{
	bool enters = e->type == 'd' && m->host->enters(m, to->node, to->name);
	bool doubtful = (from->bits | to->bits) & (HINT_CREATED | HINT_DELETED) ||
			from->mounts != m->progress.mounts;

	if (e->entered && !enters)
		model_leave(m, e->node, true);
	else if (e->entered && (m->settings.place_matters || doubtful))
		model_lost(m, e->node, true);
	if (e->entered && enters)
		list_unread(m, e->node);
	else if (!e->entered && enters)
		model_enter(m, to->node, e, &to->now.identity);
}

static void put(struct model *m, struct touched *from)
{
	struct touched *to = from->to;
	struct entry *e = add_entry(m, to);

	if (!e)
		return;
	if (from->self) {
		node_attach(to->node, e, from->self);
		/* The host may have to report it as gone and come, where names are not free. */
		if (m->settings.learns || to->replaces || from->now.type)
			model_learn_moved(m, from->self);
	}
	from->self = NULL;
	from->to = NULL;
	m->progress.in_hand--;
	m->progress.has_put = true;
	m->by = from->by;
	m->host->put(m, to->node, to->name, from->thing);
	enter_anew(m, from, to, e);
}

/* It is gone after all; where it was thought to be is looked at again. */
static void give_up(struct model *m, struct touched *from)
{
	struct touched *to = from->to;

	if (from->self) {
		model_leave(m, from->self, false);
		m->leaving.thing = from->thing;
	} else {
		m->host->drop(m, from->thing);
	}
	from->self = NULL;
	from->to = NULL;
	to->arrives = false;
	to->looked = false;
	to->tries = UINT8_MAX;
	m->progress.in_hand--;
	model_look_again(m, to->node, to->name, HINT_SCAN);
	m->progress.drained = true;
}

/* Is it a part of the tree, with all above it? */
static bool is_in_tree(const struct node *n)
{
	for (; n->parent; n = n->parent)
		if (n->in_hand || n->gone)
			return false;
	return true;
}

/* All that is left waits for each other, or for what is gone. */
static void give_up_one(struct model *m)
{
	struct link *at = m->names.round.order.next;

	while (!CONTAINER_OF(at, struct touched, link)->to)
		at = at->next;
	give_up(m, CONTAINER_OF(at, struct touched, link));
}

/* The next one of the walk, if it can be put. False: nothing is in hand. */
static bool put_next(struct model *m)
{
	struct touched *from;

	if (!m->progress.in_hand)
		return false;
	if (m->progress.at->next == &m->names.round.order) {
		if (!m->progress.has_put)
			give_up_one(m);
		m->progress.has_put = false;
		m->progress.at = &m->names.round.order;
		return true;
	}
	m->progress.at = m->progress.at->next;
	from = CONTAINER_OF(m->progress.at, struct touched, link);
	if (from->to && is_in_tree(from->to->node))
		put(m, from);
	return true;
}

static void enter_or_leave(struct model *m, struct touched *t, struct entry *e)
{
	bool enters = e->type == 'd' && m->host->enters(m, t->node, t->name);

	if (enters && !e->entered)
		model_enter(m, t->node, e, &t->now.identity);
	else if (enters)
		list_unread(m, e->node);
	else if (e->entered)
		model_leave(m, e->node, true);
}

/* What is there as it was known; where it has been meanwhile is not. */
static void confirm(struct model *m, struct touched *t, struct entry *e)
{
	if (t->bits & HINT_CAME && e->type != 'd' && !m->settings.sparse)
		model_expect_another(m, t);
	if (t->bits & (HINT_CAME | HINT_LEFT) && e->entered)
		model_lost(m, e->node, true);
	if (e->entered && !e->node->identity.device)
		e->node->identity = t->now.identity;
	model_compare(m, t->node, e, &t->now,
		      m->settings.stamped || t->node != m->top || t->bits & HINT_STAMP);
	if (!e->entered) {
		e->inode = t->now.identity.inode;
		e->sure = true;
	}
	if (e->type == '?')
		e->type = t->now.type;
	enter_or_leave(m, t, e);
}

static void add_new(struct model *m, struct touched *t)
{
	struct entry *e;

	if (is_old(t)) {
		if (t->now.type != 'd' || !model_know(m, t->node, t->name, &t->now.identity, true))
			model_assume(m, t->node, t->name, &t->now, true);
		return;
	}
	e = add_entry(m, t);
	if (!e)
		return;
	m->host->came(m, t->node, t->name, e->type, t->bits);
	if (e->type == 'd' && m->host->enters(m, t->node, t->name))
		model_enter(m, t->node, e, &t->now.identity);
}

/* It went with its directory, and has come to the successor of that since: what was said
 * would be taken for the present. */
static bool is_succeeded(const struct touched *t)
{
	const struct node *above = t->node->gone ? t->node->parent : NULL;
	const struct entry *e = above ? entries_find(above->entries, node_name(t->node)) : NULL;

	return e && e->entered && entries_find(e->node->entries, t->name);
}

static bool has_flickered(const struct touched *t)
{
	return !t->now.type && !t->differs && t->bits & HINTS_COME && t->bits & HINTS_GO;
}

static void add_one(struct model *m, struct touched *t)
{
	struct entry *e;

	if (t->awaits) {
		model_await(m, t);
		return;
	}
	m->by = t->by;
	if (has_flickered(t) && !is_succeeded(t))
		m->host->flickered(m, t->node, t->name, t->earlier | t->active);
	e = entries_find(t->node->entries, t->name);
	if (e && !t->arrives)
		confirm(m, t, e);
	else if (!e && t->now.type && !t->node->gone)
		add_new(m, t);
	e = entries_find(t->node->entries, t->name);
	if (e && t->earlier | t->active)
		m->host->active(m, t->node, t->name, e->type, t->earlier | t->active);
}

/* What is done to it from now on is reported at once: it leaves the round. */
static void add_next(struct model *m, struct touched *t)
{
	if (!t->looked)
		return;
	add_one(m, t);
	m->progress.at = t->link.prev;
	touches_drop(&m->names.round, t);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void next_stage(struct model *m)
{
	m->progress.stage = m->progress.stage == STAGE_ADD ? STAGE_IDLE : m->progress.stage + 1;
	m->progress.at = &m->names.round.order;
}

void model_settle(struct model *m)
{
	struct touched *t;

	if (m->leaving.top) {
		leave(m);
	} else if (model_learn_next(m)) {
		return;
	} else if (m->progress.stage == STAGE_TAKE) {
		model_take_all(m);
		next_stage(m);
	} else if (m->progress.stage == STAGE_PUT) {
		if (!put_next(m))
			next_stage(m);
	} else if (m->progress.at->next == &m->names.round.order) {
		next_stage(m);
	} else {
		m->progress.at = m->progress.at->next;
		t = CONTAINER_OF(m->progress.at, struct touched, link);
		if (m->progress.stage == STAGE_REMOVE)
			remove_one(m, t);
		else
			add_next(m, t);
	}
}
