/* The model: hints come in, rounds of looking go on; see model.h. */
#include "source/file/model/model.h"

#include "base/array.h"
#include "reactor/reactor.h"
#include "source/file/model/observer.h"

#include <errno.h>
#include <stdlib.h>

enum {
	A_STEP = 64, /* names looked at before the clock is */
};

int model_open(struct model *m)
{
	touches_init(&m->names.hinted);
	touches_init(&m->names.own);
	touches_init(&m->names.round);
	touches_init(&m->names.waiting);
	touches_init(&m->names.twice);
	m->progress.stage = STAGE_IDLE;
	m->reading.folder = m->leaving.folder = -1;
	m->top = node_new();
	if (!m->top)
		return -1;
	m->top->state = NODE_KNOWN;
	return 0;
}

static void free_nodes(struct nodes *list)
{
	while (list->count)
		node_release(list->items[--list->count]);
	free(list->items);
	*list = (struct nodes){0};
}

/* What is in hand belongs to no tree: it is put back. */
static void put_back(struct model *m)
{
	LIST_EACH(at, after, &m->names.round.order)
	{
		struct touched *t = CONTAINER_OF(at, struct touched, link);
		struct entry *e = t->self ? node_add(t->node, t->name, false) : NULL;

		if (e)
			node_attach(t->node, e, t->self);
		t->self = NULL;
	}
}

bool model_unload(struct model *m, int64_t deadline)
{
	struct leaving *l = &m->leaving;
	struct node *n = l->top || !l->at ? m->top : l->at;

	put_back(m);
	do {
		n = model_take_out(m, n);
	} while (n && clock_read(CLOCK_OF_LOOP) < deadline);
	l->top = NULL;
	l->at = n;
	return n;
}

void model_close(struct model *m)
{
	if (!m->top)
		return;
	put_back(m);
	touches_free(&m->names.hinted);
	touches_free(&m->names.own);
	touches_free(&m->names.round);
	touches_free(&m->names.waiting);
	touches_free(&m->names.twice);
	free_nodes(&m->nodes.unread);
	free_nodes(&m->nodes.stale);
	free_nodes(&m->nodes.moved);
	free_nodes(&m->nodes.later);
	free_nodes(&m->nodes.lost);
	free_nodes(&m->ahead.watched);
	if (m->leaving.folder >= 0)
		m->fs->close(m->fs, m->leaving.folder);
	if (m->reading.node) {
		m->fs->close(m->fs, m->reading.folder);
		node_release(m->reading.node);
	}
	node_free_all(m->top);
	*m = (struct model){0};
}

/* ---- where to look --------------------------------------------------------------------------- */

static struct touched *touch(struct model *m, struct touches *in, struct node *d, const char *name,
			     unsigned bits)
{
	struct touched *t = touches_add(in, d, name);

	if (!t) {
		m->lacks_memory = true;
		return NULL;
	}
	if (!t->bits)
		t->mounts = m->progress.mounts;
	t->bits |= bits;
	/* What is renamed to where something came before replaces that, and no event says so. */
	if (bits & HINT_CAME && t->last & HINT_CAME)
		t->bits |= HINT_DELETED;
	if (bits & (HINTS_COME | HINTS_GO))
		t->last = bits & (HINTS_COME | HINTS_GO);
	if (m->by)
		t->by = m->by;
	return t;
}

void model_hint(struct model *m, struct node *d, const char *name, unsigned bits)
{
	struct touched *t = d->sparse ? touches_find(&m->names.hinted, d, name) : NULL;

	/* It was there: what comes now replaces it. */
	if (t && t->bits && !(t->bits & ~(unsigned)HINTS_THERE))
		model_assume(m, d, name, &(struct look){.type = '?'}, false);
	t = touch(m, &m->names.hinted, d, name, bits);
	/* What was done before was done to what goes now. */
	if (t && bits & (HINT_DELETED | HINT_LEFT)) {
		t->earlier |= t->active;
		t->active = 0;
	}
}

/* What is still to be looked at there; most often that is nothing. */
static struct touched *pending(const struct model *m, const struct node *d, const char *name)
{
	struct touched *t =
	    touches_empty(&m->names.hinted) ? NULL : touches_find(&m->names.hinted, d, name);

	/* What the first reading finds is no news. */
	return t || m->early || touches_empty(&m->names.round)
		   ? t
		   : touches_find(&m->names.round, d, name);
}

void model_active(struct model *m, struct node *d, const char *name, unsigned active)
{
	const struct entry *e = entries_find(d->entries, name);
	struct touched *t = pending(m, d, name);

	if (!t && e && !m->rests && !m->early) {
		m->host->active(m, d, name, e->type, active);
		return;
	}
	if (!t)
		t = touch(m, &m->names.hinted, d, name, d->sparse ? HINT_THERE : HINT_SCAN);
	if (!t)
		return;
	t->active |= active;
	t->by = m->by;
}

void model_active_file(struct model *m, struct node *d, const char *name, unsigned active)
{
	struct touched *t;

	model_active(m, d, name, active);
	t = touches_find(&m->names.hinted, d, name);
	if (t && t->bits == HINT_THERE)
		t->bits |= HINT_FILE;
}

void model_look_again(struct model *m, struct node *d, const char *name, unsigned bits)
{
	if (m->early)
		touch(m, &m->names.own, d, name, bits);
	else
		model_hint(m, d, name, bits);
}

void model_look_for(struct model *m, struct node *n, unsigned bits)
{
	if (n->parent && !n->gone)
		model_look_again(m, n->parent, node_name(n), bits);
}

void model_add_root(struct model *m, const char *path)
{
	model_look_again(m, m->top, path, HINT_SCAN);
}

void model_suspect(struct model *m, struct node *n, unsigned bits)
{
	if (n->parent && !n->gone)
		model_hint(m, n->parent, node_name(n), bits);
}

/* Looked at again when the event that it waits for has come. What is hinted at is newer. */
void model_await(struct model *m, const struct touched *t)
{
	struct touched *again = touch(m, &m->names.hinted, t->node, t->name, 0);

	if (!again)
		return;
	again->bits |= t->bits;
	again->active |= t->active;
	again->earlier |= t->earlier;
	again->mounts = t->mounts;
	again->last = again->last ? again->last : t->last;
	again->by = again->by ? again->by : t->by;
	again->waited = t->waited > again->waited ? t->waited : again->waited;
	again->awaits = m->progress.awaits = true;
}

void model_expect_another(struct model *m, const struct touched *t)
{
	struct touched *next = touch(m, &m->names.hinted, t->node, t->name, 0);

	if (!next)
		return;
	if (next->bits & HINT_CAME)
		next->bits |= HINT_DELETED;
	else if (!next->last)
		next->last = HINT_CAME;
	next->bits |= next->bits ? 0U : HINT_SCAN;
}

static void list_node(struct model *m, struct nodes *list, struct node *n)
{
	if (n->listing.listed)
		return;
	if (ARRAY_GROW(list->items, list->capacity, list->count + 1) < 0) {
		m->lacks_memory = true;
		return;
	}
	n->listing.listed = true;
	n->listing.parity = m->progress.parity != (list == &m->nodes.stale);
	list->items[list->count++] = node_hold(n);
}

static void all_lost(struct model *m)
{
	struct entry *e;

	for (uint32_t at = 0; (e = entries_next(m->top->entries, &at));) {
		model_look_again(m, m->top, e->name, HINT_SCAN);
		if (e->entered)
			model_lost(m, e->node, true);
	}
}

void model_lost(struct model *m, struct node *n, bool below)
{
	if (n == m->top) {
		m->early_loss |= m->early;
		if (!m->early)
			all_lost(m);
		return;
	}
	if (n->gone || n->state == NODE_UNREAD)
		return;
	n->state = NODE_STALE;
	n->below |= below;
	n->listing.again |= n->listing.listed && n->listing.parity != m->progress.parity;
	model_list(m, n);
}

void model_list(struct model *m, struct node *n)
{
	list_node(m, n->state == NODE_UNREAD ? &m->nodes.unread : &m->nodes.lost, n);
}

void model_list_now(struct model *m, struct node *n)
{
	list_node(m, &m->nodes.stale, n);
}

void model_read_later(struct model *m, struct node *n)
{
	list_node(m, &m->nodes.later, n);
}

void model_enter(struct model *m, struct node *d, struct entry *e, const struct identity *is)
{
	struct node *n = node_new();

	if (!n) {
		m->lacks_memory = true;
		return;
	}
	n->identity = *is;
	n->early = m->early || (d->early && m->reading.node == d && m->reading.first);
	n->sparse = m->settings.unread && d == m->top && m->early;
	node_attach(d, e, n);
	m->directories++;
	model_list(m, n);
}

void model_remounted(struct model *m)
{
	m->progress.mounts++;
}

void model_drained(struct model *m)
{
	m->progress.drained = true;
	m->host->wake(m);
}

/* Is there something to be looked at, that was said so far? */
static bool is_hinted_at(const struct model *m)
{
	return m->early ? !touches_empty(&m->names.own)
			: m->progress.drained && !touches_empty(&m->names.hinted);
}

bool model_settled(const struct model *m)
{
	return m->progress.stage == STAGE_IDLE && !m->leaving.top && !is_hinted_at(m);
}

bool model_idle(const struct model *m)
{
	return model_settled(m) && !m->reading.node && !m->nodes.lost.count &&
	       !m->nodes.stale.count && !m->nodes.unread.count;
}

bool model_waits(const struct model *m)
{
	return m->nodes.later.count || !touches_empty(&m->names.waiting) || m->progress.awaits;
}

static void hint_all(struct model *m, struct touches *of)
{
	LIST_EACH(at, after, &of->order)
	{
		struct touched *t = CONTAINER_OF(at, struct touched, link);

		model_look_again(m, t->node, t->name, model_doubt(m, t->node));
		touches_drop(of, t);
	}
	m->progress.drained = true;
}

void model_begun(struct model *m)
{
	m->early = false;
	hint_all(m, &m->names.own);
	if (m->early_loss)
		all_lost(m);
	m->early_loss = false;
	/* Else the first events would be looked at before the rest of them is read. */
	m->progress.drained = !touches_empty(&m->names.hinted);
	m->host->wake(m);
}

/* What is hinted at otherwise is counted, too, and comes to be looked at before that matters. */
static void wait_less(struct model *m)
{
	for (struct link *at = m->names.hinted.order.next; at != &m->names.hinted.order;
	     at = at->next) {
		struct touched *t = CONTAINER_OF(at, struct touched, link);

		t->waited = (uint8_t)(t->waited + (t->waited < UINT8_MAX));
	}
	m->progress.drained = true;
}

void model_retry(struct model *m)
{
	if (m->progress.awaits)
		wait_less(m);
	hint_all(m, &m->names.waiting);
	for (; m->nodes.later.count; m->nodes.later.count--) {
		struct node *n = m->nodes.later.items[m->nodes.later.count - 1];

		n->listing.listed = false;
		if (!n->gone)
			model_list(m, n);
		node_release(n);
	}
}

/* ---- a round: looking ------------------------------------------------------------------------ */

/* Its directory is not where it is expected: that is looked at, and its entries in the next round.
 */
static void defer(struct model *m, struct touched *t)
{
	struct node *above = t->node->parent;

	t->tries++;
	touch(m, &m->names.round, above, node_name(t->node), model_doubt(m, above));
}

/* It cannot be looked at for now; all in its directory is read later. */
static void postpone(struct model *m, struct touched *t)
{
	t->tries = MODEL_PATIENCE;
	if (t->node == m->top) {
		touch(m, &m->names.waiting, t->node, t->name, t->bits);
		return;
	}
	t->node->state = t->node->state == NODE_UNREAD ? NODE_UNREAD : NODE_STALE;
	model_read_later(m, t->node);
}

static int open_for(struct model *m, struct touched *t)
{
	bool displaced;
	int folder;

	if (t->node == m->top)
		return FOLDER_NONE;
	folder = model_open_node(m, t->node, false, &displaced);
	if (folder < 0 && displaced)
		defer(m, t);
	else if (folder < 0)
		postpone(m, t);
	return folder;
}

static void look_at(struct model *m, struct touched *t, int folder)
{
	if (model_look(m, t->node, folder, t->name, &t->now) == 0)
		t->looked = true;
	else
		postpone(m, t);
}

/* At the names of one directory that follow each other. */
static void look_at_some(struct model *m)
{
	struct touched *first = CONTAINER_OF(m->progress.at->next, struct touched, link),
		       *t = first;
	int folder;

	m->progress.at = &t->link;
	if (t->looked)
		return;
	if (t->node->gone) {
		t->looked = true;
		return;
	}
	folder = open_for(m, t);
	if (folder == -1)
		return;
	for (int i = 0; i < A_STEP; i++) {
		if (!t->looked)
			look_at(m, t, folder);
		m->progress.at = &t->link;
		if (m->progress.at->next == &m->names.round.order)
			break;
		t = CONTAINER_OF(m->progress.at->next, struct touched, link);
		if (t->node != first->node)
			break;
	}
	if (folder >= 0)
		m->fs->close(m->fs, folder);
}

/*
 * What is lost from now on waits for the next round: a look made before may say what was
 * never heard of again.
 */
static void begin_round(struct model *m)
{
	struct nodes lost;

	touches_take(&m->names.round,
		     m->early ? &m->names.own : &m->names.hinted); /* none was left of the last */
	m->progress.drained &= m->early;                           /* what is heard waits */
	m->progress.awaits = false;
	m->progress.parity = !m->progress.parity;
	m->progress.stage = STAGE_LOOK;
	m->progress.at = &m->names.round.order;
	/* None is left of the round before. */
	lost = m->nodes.stale;
	m->nodes.stale = m->nodes.lost;
	m->nodes.lost = lost;
}

/* Where its directory is will be said by an event. */
static bool is_below_awaited(const struct model *m, const struct node *n)
{
	for (; n->parent && !n->gone; n = n->parent) {
		const struct touched *t = touches_find(&m->names.hinted, n->parent, node_name(n));

		if (t && t->awaits)
			return true;
	}
	return false;
}

/* What is left was deferred: it is looked at once more, but not for ever. */
static void end_round(struct model *m)
{
	LIST_EACH(at, after, &m->names.round.order)
	{
		struct touched *t = CONTAINER_OF(at, struct touched, link);

		if (m->progress.awaits && is_below_awaited(m, t->node))
			model_await(m, t);
		else if (t->tries < MODEL_PATIENCE)
			continue;
		else if (t->node != m->top && !t->node->gone)
			postpone(m, t);
		touches_drop(&m->names.round, t);
	}
	m->progress.stage = touches_empty(&m->names.round) ? STAGE_IDLE : STAGE_LOOK;
	m->progress.at = &m->names.round.order;
}

static void step_of_round(struct model *m)
{
	if (m->leaving.top || m->progress.stage != STAGE_LOOK)
		model_settle(m);
	else if (m->progress.at->next != &m->names.round.order)
		look_at_some(m);
	else if (!model_read(m, false))
		m->progress.stage = STAGE_TAKE;
	if (m->progress.stage == STAGE_IDLE)
		end_round(m);
}

/* False: there is nothing to do. */
static bool step(struct model *m)
{
	if (m->progress.stage != STAGE_IDLE || m->leaving.top) {
		step_of_round(m);
		return true;
	}
	if (m->lacks_memory) {
		m->lacks_memory = false;
		all_lost(m);
	}
	if (m->left && !touches_empty(&m->names.twice))
		hint_all(m, &m->names.twice);
	m->left = false;
	if (m->nodes.lost.count || is_hinted_at(m)) {
		begin_round(m);
		return true;
	}
	return !model_idle(m) && model_read(m, true);
}

bool model_work(struct model *m, int64_t deadline)
{
	bool more;

	do {
		m->by = 0;
		more = step(m);
	} while (more && clock_read(CLOCK_OF_LOOP) < deadline);
	if (m->ahead.watched.count)
		model_confirm_ahead(m);
	return more || !model_idle(m);
}
