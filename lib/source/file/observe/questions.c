/* What the threads of remote mounts are asked for the model; see remote.h. */
#include "source/file/observe/remote.h"

#include "source/file/model/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct file_question *of(struct question *q)
{
	return CONTAINER_OF(q, struct file_question, base);
}

/* ---- in the thread --------------------------------------------------------------------------- */

static void *ask(struct question *q, uint64_t *sum)
{
	struct disk disk;
	struct answer *a;

	disk_init(&disk);
	a = answer_new(&disk.fs, &of(q)->how);
	*sum = a ? a->sum : 0;
	return a;
}

static void release(void *answer)
{
	answer_release(answer);
}

static void question_free(struct question *q)
{
	free(of(q)->path);
	free(of(q));
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void answered(struct question *q);
static void forget(struct question *q);

static struct file_question *question_new(struct poll_observer *o, const struct opening *how)
{
	static const struct question_type type = {false,    ask,    release,
						  answered, forget, question_free};
	struct file_question *q = calloc(1, sizeof *q);

	if (q)
		q->path = strdup(how->path);
	if (!q || !q->path) {
		free(q);
		return NULL;
	}
	q->base.type = &type;
	q->observer = o;
	q->how = *how;
	q->how.path = q->path;
	return q;
}

/* ---- of roots -------------------------------------------------------------------------------- */

struct answer *question_of_root(struct poll_observer *o, struct site *s, const char *path)
{
	struct file_question *q = table_find(&o->remote.of_roots, path);

	if (q && q->base.site != s) {
		question_drop(&q->base);
		q = NULL;
	}
	errno = EAGAIN;
	if (q || !s)
		return q ? q->base.answer : NULL;
	q = question_new(o, &(struct opening){.path = path, .root = strlen(path)});
	if (q && table_add(&o->remote.of_roots, q) == 0) {
		question_put(&q->base, s);
		return NULL;
	}
	if (q)
		question_free(&q->base);
	errno = ENOMEM;
	return NULL;
}

/* ---- of directories -------------------------------------------------------------------------- */

static struct file_question *question_of(const struct node *n)
{
	return n->polled ? (struct file_question *)(uintptr_t)n->watch : NULL;
}

/* The node is polled from now on. Returns 0, or -1 with ENOMEM. */
static int give_to(struct poll_observer *o, struct file_question *q, struct node *n)
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

struct answer *question_of_node(struct poll_observer *o, struct site *s, const struct opening *how)
{
	struct file_question *q = question_of(how->node);

	errno = EAGAIN;
	if (q && q->base.site == s && strcmp(q->path, how->path) == 0)
		return q->base.answer;
	question_unasked(how->node);
	q = question_new(o, how);
	if (q)
		q->how.to_read = true;
	if (q && give_to(o, q, how->node) == 0) {
		question_put(&q->base, s);
		errno = EAGAIN;
		return NULL;
	}
	if (q)
		question_free(&q->base);
	errno = ENOMEM;
	return NULL;
}

void question_unasked(const struct node *n)
{
	struct file_question *q = question_of(n);

	if (q)
		question_drop(&q->base);
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

static void answered(struct question *q)
{
	struct node *n = of(q)->how.node;
	struct poll_observer *o = of(q)->observer;
	struct model *m = o->base.model;

	if (!n && o->answered)
		o->answered(o, of(q)->path);
	else if (!n)
		root_answered(m, of(q)->path);
	else if (n->state == NODE_UNREAD)
		model_list(m, n);
	else if (m->early)
		model_read_later(m, n); /* after the first reading: it is news */
	else
		model_lost(m, n, false);
	model_drained(m);
}

static void forget(struct question *q)
{
	struct node *n = of(q)->how.node;

	if (!n) {
		table_remove(&of(q)->observer->remote.of_roots, of(q)->path);
		return;
	}
	n->watch = 0;
	node_release(n);
}
