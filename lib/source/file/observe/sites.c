/* The threads that the model's file system asks; see sites.h. */
#include "source/file/observe/sites.h"

#include "base/log.h"
#include "source/file/model/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AGE = 30 /* seconds in which nobody asks */ };

static const int64_t PATIENCE = 5000000000; /* ns until a thread is said to hang */

/* ---- tables by path -------------------------------------------------------------------------- */

struct key {
	const char *text;
	size_t length;
};

static uint64_t key_hash(const void *key)
{
	const struct key *k = key;

	return hash_bytes(k->text, k->length);
}

static bool text_is(const char *text, const struct key *k)
{
	return strncmp(text, k->text, k->length) == 0 && !text[k->length];
}

static uint64_t root_hash(const void *item)
{
	const struct remote_root *root = item;

	return hash_bytes(root->path, strlen(root->path));
}

static bool root_is(const void *item, const void *key)
{
	return text_is(((const struct remote_root *)item)->path, key);
}

static uint64_t question_hash(const void *item)
{
	const struct question *q = item;

	return hash_bytes(q->path, strlen(q->path));
}

static bool question_is(const void *item, const void *key)
{
	return text_is(((const struct question *)item)->path, key);
}

static const struct table_type by_root = {root_hash, key_hash, root_is},
			       by_question = {question_hash, key_hash, question_is};

/* ---- questions ------------------------------------------------------------------------------- */

static bool is_bound(const struct question *q)
{
	return q->node && q->node->watch[0] == (uintptr_t)q;
}

static void let_go(struct question *q)
{
	if (is_bound(q))
		q->node->watch[0] = 0;
	if (q->node)
		node_release(q->node);
	q->node = NULL;
}

void sites_drop(struct remote *r, struct question *q)
{
	let_go(q);
	if (q->lists)
		table_remove(&r->questions, &(struct key){q->path, strlen(q->path)});
	asker_drop(((struct site *)q->site)->asker, q);
}

/* What the node had is now at another path: it is opened anew, by that. */
static void give_to(struct remote *r, struct question *q, struct node *n)
{
	struct node *other = q->node;

	if (other == n)
		return;
	if (is_bound(q) && !other->gone)
		model_lost(r->model, other, false);
	let_go(q);
	q->node = n ? node_hold(n) : NULL;
}

static void on_answered(void *owner, struct question *q)
{
	struct remote *r = owner;
	struct model *m = r->model;

	if (!q->lists)
		model_hint(m, m->top, q->path, HINT_SCAN | HINT_STAMP);
	else if (q->node && !q->node->gone && q->node->state == NODE_UNREAD)
		model_list(m, q->node);
	else if (q->node)
		model_lost(m, q->node, false);
	model_drained(m);
	r->wake(r);
}

struct question *sites_ask(struct remote *r, struct site *s, const struct opening *how)
{
	struct question *q = table_find(&r->questions, &(struct key){how->path, strlen(how->path)});

	if (q && (q->site != s || q->root != how->root)) {
		sites_drop(r, q);
		q = NULL;
	}
	if (!q) {
		q = asker_ask(s->asker, how, true);
		if (!q)
			return NULL;
		q->site = s;
		if (table_add(&r->questions, q) < 0) {
			asker_drop(s->asker, q);
			return NULL;
		}
	}
	q->age = 0;
	give_to(r, q, how->node);
	return q;
}

/* ---- sites ----------------------------------------------------------------------------------- */

static struct site *site_new(struct remote *r, const struct mount_point *p)
{
	size_t length = strlen(p->path) + 1;
	struct site *s = calloc(1, sizeof *s + length);

	if (!s)
		return NULL;
	s->asker = asker_new(r->reactor, r->interval, r->priority, on_answered, r);
	if (!s->asker) {
		if (!r->lacks_thread)
			log_error(r->rule, "cannot start a thread for %s: %s", p->path,
				  strerror(errno));
		r->lacks_thread = true;
		free(s);
		return NULL;
	}
	memcpy(s->point, p->path, length);
	s->id = p->id;
	s->type = p->remote;
	list_append(&r->sites, &s->link);
	r->ticking(r);
	if (!r->silent)
		log_warn(r->rule,
			 "%s is a file system of type %s: the kernel does not report what others "
			 "change there; it is read every second",
			 s->point, s->type);
	return s;
}

struct site *sites_at(struct remote *r, const struct mount_point *p)
{
	LIST_EACH(at, after, &r->sites)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		if (s->id == p->id)
			return s;
	}
	return site_new(r, p);
}

/* What is asked of it goes first; the table may not change while it is walked. */
static void drop_all_of(struct remote *r, const struct site *s)
{
	struct question **list = calloc(r->questions.count + 1, sizeof(void *)), *q;
	struct remote_root *root;
	size_t n = 0;

	for (size_t at = 0; list && (q = table_next(&r->questions, &at));)
		if (q->site == s)
			list[n++] = q;
	while (n)
		sites_drop(r, list[--n]);
	free(list);
	for (size_t at = 0; (root = table_next(&r->roots, &at));)
		if (root->site == s) {
			if (root->look)
				sites_drop(r, root->look);
			root->look = NULL;
			root->site = NULL;
		}
}

static void site_free(struct remote *r, struct site *s)
{
	drop_all_of(r, s);
	list_remove(&s->link);
	asker_free(s->asker);
	free(s);
}

/* ---- roots ----------------------------------------------------------------------------------- */

void sites_set_kernel(struct remote *r, struct remote_root *root, bool kernel)
{
	r->n_kernel += (size_t)kernel - (size_t)root->kernel;
	root->kernel = kernel;
	if (kernel)
		r->ticking(r);
}

static void find_site(struct remote *r, struct remote_root *root)
{
	char real[MOUNTS_PATH];
	const struct mount_point *p = NULL;
	struct site *s;

	real[0] = '\0';
	if (r->mounts->n_remote)
		p = mounts_resolve(r->mounts, root->path, real);
	s = p ? sites_at(r, p) : NULL;
	if (root->look && s != root->site) {
		sites_drop(r, root->look);
		root->look = NULL;
	}
	free(root->real);
	root->real = strdup(real);
	root->site = s;
	root->whole = p && p->whole && strcmp(p->path, real) == 0;
}

struct remote_root *sites_root(struct remote *r, const char *path, size_t length, bool anew)
{
	struct remote_root *root = table_find(&r->roots, &(struct key){path, length});
	bool is_new = !root;

	if (is_new) {
		root = calloc(1, sizeof *root);
		if (root)
			root->path = strndup(path, length);
		if (!root || !root->path || table_add(&r->roots, root) < 0) {
			if (root)
				free(root->path);
			free(root);
			return NULL;
		}
	}
	if (is_new || anew)
		find_site(r, root);
	return root;
}

static bool is_mounted(const struct remote *r, const struct site *s)
{
	for (size_t i = 0; i < r->mounts->count; i++)
		if (r->mounts->items[i].id == s->id)
			return true;
	return false;
}

void remote_mounts_changed(struct remote *r)
{
	struct remote_root *root;

	LIST_EACH(at, after, &r->sites)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		if (!is_mounted(r, s))
			site_free(r, s);
	}
	for (size_t at = 0; (root = table_next(&r->roots, &at));)
		find_site(r, root);
}

/* ---- time ------------------------------------------------------------------------------------ */

bool remote_ticks(const struct remote *r)
{
	return r->n_kernel || !list_empty(&r->sites);
}

static void name_hanging(const struct remote *r, struct site *s)
{
	int64_t waits = asker_waits(s->asker);

	if (!s->hangs && waits >= PATIENCE)
		log_warn(r->rule,
			 "the file system of type %s at %s does not answer: what changes there is "
			 "reported when it does",
			 s->type, s->point);
	else if (s->hangs && waits < PATIENCE)
		log_warn(r->rule, "the file system of type %s at %s answers again", s->type,
			 s->point);
	s->hangs = waits >= PATIENCE;
}

/* One in a tick is enough: there are few. */
static void drop_unasked(struct remote *r)
{
	struct question *q, *old = NULL;

	for (size_t at = 0; (q = table_next(&r->questions, &at));)
		if (!is_bound(q) && ++q->age > MOST_AGE)
			old = q;
	if (old)
		sites_drop(r, old);
}

void remote_tick(struct remote *r)
{
	struct remote_root *root;

	LIST_EACH(at, after, &r->sites)
	name_hanging(r, CONTAINER_OF(at, struct site, link));
	drop_unasked(r);
	for (size_t at = 0; r->n_kernel && (root = table_next(&r->roots, &at));)
		if (root->kernel) {
			model_hint(r->model, r->model->top, root->path, HINT_SCAN | HINT_STAMP);
			model_drained(r->model);
		}
	if (r->n_kernel)
		r->wake(r);
}

bool remote_wait(struct remote *r, int64_t deadline)
{
	LIST_EACH(at, after, &r->sites)
	if (asker_wait(CONTAINER_OF(at, struct site, link)->asker, deadline))
		return true;
	return false;
}

/* ---- life ------------------------------------------------------------------------------------ */

void sites_open(struct remote *r)
{
	table_init(&r->roots, &by_root);
	table_init(&r->questions, &by_question);
	list_init(&r->sites);
}

void sites_close(struct remote *r)
{
	struct remote_root *root;

	LIST_EACH(at, after, &r->sites)
	site_free(r, CONTAINER_OF(at, struct site, link));
	for (size_t at = 0; (root = table_next(&r->roots, &at));) {
		free(root->path);
		free(root->real);
		free(root);
	}
	table_free(&r->roots);
	table_free(&r->questions);
}
