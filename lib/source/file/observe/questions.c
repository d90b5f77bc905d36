/* What the threads of remote mounts are asked; see remote.h. */
#include "source/file/observe/remote.h"

#include "source/file/model/model.h"

#include <stdlib.h>
#include <string.h>

/* ---- asking ---------------------------------------------------------------------------------- */

void question_free(struct question *q)
{
	answer_release(q->fresh);
	free(q->path);
	free(q);
}

static struct question *question_new(struct site *s, const struct opening *how)
{
	struct question *q = calloc(1, sizeof *q);

	if (q)
		q->path = strdup(how->path);
	if (!q || !q->path) {
		free(q);
		return NULL;
	}
	q->how = *how;
	q->how.path = q->path;
	q->site = s;
	list_init(&q->link);
	list_init(&q->of_news);
	return q;
}

/* Before all others. */
static void ask(struct question *q)
{
	struct site *s = q->site;

	list_append(&s->questions, &q->of_site);
	pthread_mutex_lock(&s->lock);
	list_prepend(&s->due, &q->link);
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

/* ---- of roots -------------------------------------------------------------------------------- */

struct question *question_of_root(struct poll_observer *o, struct site *s, const char *path)
{
	struct question *q = table_find(&o->remote.of_roots, path);

	if (q && q->site != s) {
		question_drop(q);
		q = NULL;
	}
	if (q || !s)
		return q;
	q = question_new(s, &(struct opening){.path = path, .root = strlen(path)});
	if (q && table_add(&o->remote.of_roots, q) == 0) {
		ask(q);
		return q;
	}
	if (q)
		question_free(q);
	return NULL;
}

/* ---- of directories -------------------------------------------------------------------------- */

static struct question *question_of(const struct node *n)
{
	return n->polled ? (struct question *)(uintptr_t)n->watch : NULL;
}

/* The node is polled from now on. Returns 0, or -1 with ENOMEM. */
static int give_to(struct poll_observer *o, struct question *q, struct node *n)
{
	bool stamps = model_stamps(o->base.model, n);

	if (n->watched)
		o->base.type->unwatch(&o->base, n);
	if (!stamps && node_stamp(n) < 0)
		return -1;
	n->watch = (uintptr_t)q;
	n->polled = n->watched = true;
	node_hold(n);
	return 0;
}

struct question *question_of_node(struct poll_observer *o, struct site *s,
				  const struct opening *how)
{
	struct question *q = question_of(how->node);

	if (q && q->site == s && strcmp(q->path, how->path) == 0)
		return q;
	question_unasked(how->node);
	q = question_new(s, how);
	if (!q)
		return NULL;
	q->how.to_read = true;
	if (give_to(o, q, how->node) < 0) {
		question_free(q);
		return NULL;
	}
	ask(q);
	return q;
}

void question_unasked(const struct node *n)
{
	struct question *q = question_of(n);

	if (q)
		question_drop(q);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* What is there was looked at before: it is another now, and that is news. */
static void root_answered(struct model *m, const char *path)
{
	if (entries_find(m->top->entries, path))
		model_hint(m, m->top, path, HINT_SCAN | HINT_STAMP);
	else
		model_look_again(m, m->top, path, HINT_SCAN | HINT_STAMP);
}

void question_answered(struct question *q)
{
	struct node *n = q->how.node;
	struct poll_observer *o = q->site->observer;
	struct model *m = o->base.model;

	if (!n && o->answered)
		o->answered(o, q->path);
	else if (!n)
		root_answered(m, q->path);
	else if (n->state == NODE_UNREAD)
		model_list(m, n);
	else if (m->early)
		model_read_later(m, n); /* after the first reading: it is news */
	else
		model_lost(m, n, false);
	model_drained(m);
}

void question_drop(struct question *q)
{
	struct site *s = q->site;

	list_remove(&q->of_site);
	if (q->how.node) {
		q->how.node->watch = 0;
		node_release(q->how.node);
	} else {
		table_remove(&s->observer->remote.of_roots, q->path);
	}
	pthread_mutex_lock(&s->lock);
	list_remove(&q->link);
	list_remove(&q->of_news);
	answer_release(q->answer);
	q->answer = NULL;
	if (s->asking == q)
		s->asking = NULL; /* the thread frees it */
	else
		question_free(q);
	pthread_mutex_unlock(&s->lock);
}
