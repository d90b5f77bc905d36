/* Remote mounts, their threads, and what those are asked; see remote.h. */
#include "source/file/observe/remote.h"

#include "base/log.h"
#include "source/file/model/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AGE = 30 /* seconds in which nobody asks */ };

static const int64_t PATIENCE = 5000000000; /* ns until a thread is said to hang */

/* ---- questions ------------------------------------------------------------------------------- */

static bool is_bound(const struct question *q)
{
	return q->node && q->node->watch == (uintptr_t)q;
}

static void let_go(struct question *q)
{
	if (is_bound(q))
		q->node->watch = 0;
	if (q->node)
		node_release(q->node);
	q->node = NULL;
}

void sites_drop(struct poll_observer *o, struct question *q)
{
	let_go(q);
	list_remove(&q->of_site);
	table_remove(&o->remote.questions, q);
	asker_drop(((struct site *)q->site)->asker, q);
}

/* What the node had is now at another path: it is opened anew, by that. */
static void give_to(struct poll_observer *o, struct question *q, struct node *n)
{
	struct node *other = q->node;

	if (other == n)
		return;
	if (is_bound(q) && !other->gone)
		model_lost(o->base.model, other, false);
	let_go(q);
	q->node = n ? node_hold(n) : NULL;
}

static void on_answered(void *owner, struct question *q)
{
	struct poll_observer *o = owner;
	struct model *m = o->base.model;

	if (!q->lists)
		model_hint(m, m->top, q->path, HINT_SCAN | HINT_STAMP);
	else if (q->node && !q->node->gone && q->node->state == NODE_UNREAD)
		model_list(m, q->node);
	else if (q->node)
		model_lost(m, q->node, false);
	model_drained(m);
}

static struct question *question_new(struct poll_observer *o, struct site *s,
				     const struct opening *how, bool lists)
{
	struct question *q = asker_ask(s->asker, how, lists);

	if (!q)
		return NULL;
	q->of = lists ? s : NULL;
	q->site = s;
	if (table_add(&o->remote.questions, q) < 0) {
		asker_drop(s->asker, q);
		return NULL;
	}
	list_append(&s->questions, &q->of_site);
	return q;
}

struct question *sites_ask(struct poll_observer *o, struct site *s, const struct opening *how,
			   bool lists)
{
	struct question *q =
	    table_find(&o->remote.questions, &(struct table_name){lists ? s : NULL, how->path});

	if (q && (q->site != s || q->root != how->root)) {
		sites_drop(o, q);
		q = NULL;
	}
	if (!q)
		q = question_new(o, s, how, lists);
	if (!q)
		return NULL;
	q->age = 0;
	give_to(o, q, how->node);
	return q;
}

struct question *sites_find_root(struct poll_observer *o, const char *path)
{
	return table_find(&o->remote.questions, &(struct table_name){NULL, path});
}

/* ---- sites ----------------------------------------------------------------------------------- */

static struct site *site_new(struct poll_observer *o, const struct mount_point *p)
{
	size_t length = strlen(p->path) + 1;
	struct site *s = calloc(1, sizeof *s + length);

	if (!s)
		return NULL;
	s->asker = asker_new(o->reactor, o->interval, o->priority, on_answered, o);
	if (!s->asker) {
		if (!o->remote.lacks_thread)
			log_error(o->rule, "cannot start a thread for %s: %s", p->path,
				  strerror(errno));
		o->remote.lacks_thread = true;
		free(s);
		return NULL;
	}
	memcpy(s->point, p->path, length);
	s->id = p->id;
	s->type = p->remote;
	list_init(&s->questions);
	list_append(&o->remote.sites, &s->link);
	poll_tick_on(o);
	if (o->inner) /* else polling is what the user asked for */
		log_warn(o->rule,
			 "%s is a file system of type %s: the kernel does not report what others "
			 "change there; it is read every second",
			 s->point, s->type);
	return s;
}

struct site *sites_at(struct poll_observer *o, const struct mount_point *p)
{
	LIST_EACH(at, after, &o->remote.sites)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		if (s->id == p->id)
			return s;
	}
	return site_new(o, p);
}

static void site_free(struct poll_observer *o, struct site *s)
{
	LIST_EACH(at, after, &s->questions)
	sites_drop(o, CONTAINER_OF(at, struct question, of_site));
	list_remove(&s->link);
	asker_free(s->asker);
	free(s);
}

static bool is_mounted(const struct mounts *m, const struct site *s)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->items[i].id == s->id)
			return true;
	return false;
}

void sites_review(struct poll_observer *o)
{
	LIST_EACH(at, after, &o->remote.sites)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		if (!is_mounted(&o->mounts, s))
			site_free(o, s);
	}
}

/* ---- time ------------------------------------------------------------------------------------ */

static void name_hanging(const char *rule, struct site *s)
{
	bool hangs = asker_waits(s->asker) >= PATIENCE;

	if (!s->hangs && hangs)
		log_warn(rule,
			 "the file system of type %s at %s does not answer: what changes there is "
			 "reported when it does",
			 s->type, s->point);
	else if (s->hangs && !hangs)
		log_warn(rule, "the file system of type %s at %s answers again", s->type, s->point);
	s->hangs = hangs;
}

/* What is asked of a root is asked for as long as that is there. */
static void drop_unasked(struct poll_observer *o, struct site *s)
{
	LIST_EACH(at, after, &s->questions)
	{
		struct question *q = CONTAINER_OF(at, struct question, of_site);

		if (q->lists && !is_bound(q) && ++q->age > MOST_AGE)
			sites_drop(o, q);
	}
}

bool sites_tick(struct poll_observer *o)
{
	LIST_EACH(at, after, &o->remote.sites)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		name_hanging(o->rule, s);
		drop_unasked(o, s);
	}
	return !list_empty(&o->remote.sites);
}

bool sites_wait(struct poll_observer *o, int64_t deadline)
{
	LIST_EACH(at, after, &o->remote.sites)
	if (asker_wait(CONTAINER_OF(at, struct site, link)->asker, deadline))
		return true;
	return false;
}

/* ---- life ------------------------------------------------------------------------------------ */

void sites_open(struct poll_observer *o)
{
	table_init(&o->remote.questions, &table_by_name);
	list_init(&o->remote.sites);
}

void sites_close(struct poll_observer *o)
{
	LIST_EACH(at, after, &o->remote.sites)
	site_free(o, CONTAINER_OF(at, struct site, link));
	table_free(&o->remote.questions);
}
