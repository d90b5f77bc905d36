/*
 * The model of a tree, on a tree in memory: whatever happens, and whenever it is looked at, at the
 * end the model equals the tree, and so does what it reported, replayed.
 */
#include "source/file/model/model.h"

#include "base/buf.h"
#include "memory_tree.h"
#include "source/file/model/observer.h"
#include "tap.h"

enum { MOST_PATHS = 8192, MOST_EVENTS = 65536, MOST_WATCHES = 65536 };

/* What the kernel's queue holds. */
struct queued {
	int watch; /* -1: of the roots */
	char name[NAME_SIZE];
	unsigned bits; /* 0: the watch is gone */
};

static struct world {
	struct memory_tree tree;
	struct model model;
	struct observer observer;
	struct queued queue[MOST_EVENTS];
	size_t first, last;
	struct node *watches[MOST_WATCHES];
	struct memory_inode *watched[MOST_WATCHES];
	int n_watches;
	unsigned depth; /* entered so deep; 0: all */
	bool short_of_watches;
	/* What was reported, replayed. */
	char *paths[MOST_PATHS];
	size_t count;
	size_t wrong, moves;
} w;

/* ---- the observer ---------------------------------------------------------------------------- */

static void on_changed(struct memory_tree *t, struct memory_inode *d, const char *name,
		       unsigned bits)
{
	struct queued *q = &w.queue[w.last];

	if (d != t->root && d->watch < 0)
		return;
	assert(w.last < MOST_EVENTS);
	q->watch = d == t->root ? -1 : d->watch;
	q->bits = bits;
	snprintf(q->name, sizeof q->name, "%s", name);
	w.last++;
}

static void on_removed(struct memory_tree *t, struct memory_inode *d)
{
	(void)t;
	if (d->watch < 0)
		return;
	assert(w.last < MOST_EVENTS);
	w.queue[w.last++] = (struct queued){.watch = d->watch};
	w.watched[d->watch] = NULL;
	d->watch = -1;
}

static void unwatch(struct observer *o, struct node *n)
{
	uint64_t wd = n->watch[0];

	(void)o;
	w.watches[wd] = NULL;
	if (w.watched[wd])
		w.watched[wd]->watch = -1;
	w.watched[wd] = NULL;
	n->watched = false;
}

static int watch_inode(struct observer *o, struct node *n, struct memory_inode *i)
{
	if (w.short_of_watches && !n->watched && (n->polled || !draw(3))) {
		n->polled = true;
		errno = ENOSPC;
		return -1;
	}
	errno = ENOENT;
	if (!i->links)
		return -1;
	if (i->watch < 0) {
		assert(w.n_watches < MOST_WATCHES);
		i->watch = w.n_watches++;
		w.watched[i->watch] = i;
	}
	if (w.watches[i->watch] && w.watches[i->watch] != n) {
		model_suspect(o->model, w.watches[i->watch], HINT_SCAN);
		errno = EEXIST;
		return -1;
	}
	if (n->watched && n->watch[0] != (uint64_t)i->watch)
		unwatch(o, n);
	w.watches[i->watch] = n;
	n->watch[0] = (uint64_t)i->watch;
	n->watched = true;
	return 0;
}

static int watch(struct observer *o, struct node *n, int folder, const char *path)
{
	(void)path;
	return watch_inode(o, n, w.tree.folders[folder].inode);
}

/* The tree may change before it, and again before what is there is opened. */
static int watch_ahead(struct observer *o, struct node *n, const struct opening *how)
{
	struct memory_inode *i;

	memory_maybe_disturb(&w.tree);
	i = memory_resolve(&w.tree, how->path);
	errno = i ? ENOTDIR : ENOENT;
	return i && i->type == 'd' ? watch_inode(o, n, i) : -1;
}

static const struct observer_type in_memory = {
    .name = "memory", .watch = watch, .watch_ahead = watch_ahead, .unwatch = unwatch};

static void deliver(size_t most)
{
	for (; most && w.first < w.last; most--) {
		const struct queued *q = &w.queue[w.first++];
		struct node *n = q->watch < 0 ? w.model.top : w.watches[q->watch];

		if (q->watch < 0 && strcmp(q->name, "w") != 0)
			continue;
		if (n && q->bits && !draw(3))
			model_active(&w.model, n, q->name, 1);
		if (n && q->bits)
			model_hint(&w.model, n, q->name, q->bits);
		else if (n)
			model_suspect(&w.model, n, HINT_DELETED);
	}
	if (w.first == w.last)
		w.first = w.last = 0;
}

/* ---- the host: reports are replayed ---------------------------------------------------------- */

struct hand {
	struct link link;
	size_t count;
	char *paths[MOST_PATHS];
	size_t prefix;
};

static struct link hands;

static char *path_of(const struct node *d, const char *name)
{
	struct buf b = {0};

	node_path(d, name, &b);
	return buf_take(&b);
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '/' || !path[n]);
}

static size_t place_of(const char *path)
{
	size_t i = 0;

	while (i < w.count && strcmp(w.paths[i], path) != 0)
		i++;
	return i;
}

static void has_come(char *path)
{
	w.wrong += place_of(path) < w.count;
	assert(w.count < MOST_PATHS);
	w.paths[w.count++] = path;
}

static void came(struct model *m, struct node *d, const char *name, char type, unsigned bits)
{
	(void)bits;
	(void)m;
	(void)type;
	has_come(path_of(d, name));
}

static bool gone_in_hand(const char *path)
{
	for (struct link *at = hands.next; at != &hands; at = at->next) {
		struct hand *h = CONTAINER_OF(at, struct hand, link);

		for (size_t i = 0; i < h->count; i++)
			if (strcmp(h->paths[i], path) == 0) {
				free(h->paths[i]);
				h->paths[i] = h->paths[--h->count];
				return true;
			}
	}
	return false;
}

static void gone(struct model *m, struct node *d, const char *name, char type, struct node *self)
{
	char *path = path_of(d, name);
	size_t at = place_of(path);

	(void)m;
	(void)type;
	(void)self;
	if (at < w.count) {
		free(w.paths[at]);
		w.paths[at] = w.paths[--w.count];
	} else {
		w.wrong += !gone_in_hand(path);
	}
	/* Nothing is left below it: what was in it was reported before. */
	for (size_t i = 0; i < w.count; i++)
		w.wrong += is_below(w.paths[i], path);
	free(path);
}

static void *take(struct model *m, struct node *d, const char *name, char type, struct node *self)
{
	struct hand *h = calloc(1, sizeof *h);
	char *path = path_of(d, name);

	(void)m;
	(void)type;
	(void)self;
	list_append(&hands, &h->link);
	h->prefix = strlen(path);
	for (size_t i = 0; i < w.count;) {
		if (is_below(w.paths[i], path)) {
			h->paths[h->count++] = w.paths[i];
			w.paths[i] = w.paths[--w.count];
		} else {
			i++;
		}
	}
	w.wrong += !h->count;
	w.moves++;
	free(path);
	return h;
}

static void put(struct model *m, struct node *d, const char *name, void *thing)
{
	struct hand *h = thing;
	char *path = path_of(d, name);

	(void)m;
	for (size_t i = 0; i < h->count; i++) {
		struct buf b = {0};

		buf_add_text(&b, path);
		buf_add_text(&b, h->paths[i] + h->prefix);
		free(h->paths[i]);
		has_come(buf_take(&b));
	}
	free(path);
	list_remove(&h->link);
	free(h);
}

static void drop(struct model *m, void *thing)
{
	struct hand *h = thing;

	(void)m;
	w.wrong += h->count != 1;
	free(h->paths[0]);
	list_remove(&h->link);
	free(h);
}

static bool enters(struct model *m, const struct node *d, const char *name)
{
	(void)m;
	return strcmp(name, "skip") != 0 && (!w.depth || node_depth(d) < w.depth);
}

/* What is in hand, or gone, is reported by a path that another may have. */
static bool is_in_tree(const struct node *n)
{
	for (; n; n = n->parent)
		if (n->in_hand || n->gone)
			return false;
	return true;
}

static void flickered(struct model *m, struct node *d, const char *name, unsigned active)
{
	char *path = path_of(d, name);

	(void)m;
	(void)active;
	w.wrong += is_in_tree(d) && place_of(path) < w.count;
	free(path);
}

static void active(struct model *m, struct node *d, const char *name, char type, unsigned bits)
{
	char *path = path_of(d, name);

	(void)m;
	(void)type;
	w.wrong += !bits || (is_in_tree(d) && place_of(path) == w.count);
	free(path);
}

static void changed(struct model *m, struct node *d, const char *name, char type, bool content)
{
	char *path = path_of(d, name);

	(void)m;
	(void)type;
	(void)content;
	w.wrong += place_of(path) == w.count;
	free(path);
}

static void unseen(struct model *m, struct node *n, int error)
{
	(void)m;
	(void)n;
	(void)error;
}

static const struct model_host host = {enters, came,      gone,   take,    put,
				       drop,   flickered, active, changed, unseen};

/* ---- what must be equal ---------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_tree(const struct memory_inode *d, const char *path, unsigned depth,
		      struct buf *out)
{
	char *names[MOST_CHILDREN];

	for (size_t i = 0; i < d->count; i++)
		names[i] = (char *)(uintptr_t)d->children[i].name;
	qsort(names, d->count, sizeof *names, by_text);
	for (size_t i = 0; i < d->count; i++) {
		const struct child *c = NULL;
		char below[512];

		if (!*path && strcmp(names[i], "w") != 0)
			continue;
		for (size_t k = 0; k < d->count; k++)
			if (d->children[k].name == names[i])
				c = &d->children[k];
		snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", names[i]);
		buf_printf(out, "%s %c\n", below, c->inode->type);
		if (c->inode->type == 'd' && strcmp(names[i], "skip") != 0 &&
		    (!w.depth || depth < w.depth))
			list_tree(c->inode, below, depth + 1, out);
	}
}

static void list_model(const struct node *d, struct buf *out)
{
	struct entry *entries[MOST_CHILDREN * 2], *e;
	size_t n = 0;

	for (uint32_t at = 0; (e = entries_next(d->entries, &at));)
		entries[n++] = e;
	for (;;) {
		struct entry *least = NULL;
		char *path;

		for (size_t i = 0; i < n; i++)
			if (entries[i] && (!least || strcmp(entries[i]->name, least->name) < 0))
				least = entries[i];
		if (!least)
			return;
		for (size_t i = 0; i < n; i++)
			if (entries[i] == least)
				entries[i] = NULL;
		path = path_of(d, least->name);
		buf_printf(out, "%s %c\n", path, least->type);
		free(path);
		if (least->entered)
			list_model(least->node, out);
	}
}

static bool reports_are(const struct buf *tree)
{
	struct buf told = {0}, wanted = {0};
	bool same;

	qsort(w.paths, w.count, sizeof *w.paths, by_text);
	for (size_t i = 0; i < w.count; i++)
		buf_printf(&told, "%s\n", w.paths[i]);
	/* The tree is sorted by component, the reports by path: sort both alike. */
	{
		char *lines[MOST_PATHS], *text = tree->data ? strdup(tree->data) : strdup("");
		size_t n = 0;

		for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
			at[strlen(at) - 2] = '\0';
			lines[n++] = at;
		}
		qsort(lines, n, sizeof *lines, by_text);
		for (size_t i = 0; i < n; i++)
			buf_printf(&wanted, "%s\n", lines[i]);
		free(text);
	}
	same = strcmp(told.data ? told.data : "", wanted.data ? wanted.data : "") == 0;
	if (!same)
		printf("# reported:\n%s# there is:\n%s", told.data ? told.data : "",
		       wanted.data ? wanted.data : "");
	buf_free(&told);
	buf_free(&wanted);
	return same;
}

/* ---- histories ------------------------------------------------------------------------------- */

struct history {
	uint64_t seed;
	unsigned disturbance, overflows; /* of a thousand */
	bool polls, short_of_watches;
	unsigned depth, steps;
};

static void begin(const struct history *h)
{
	memset(&w, 0, sizeof w);
	list_init(&hands);
	random_state = h->seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	memory_init(&w.tree);
	w.tree.changed = on_changed;
	w.tree.removed = on_removed;
	w.depth = h->depth;
	w.short_of_watches = h->short_of_watches;
	w.observer = (struct observer){&in_memory, &w.model};
	w.model.fs = &w.tree.fs;
	w.model.host = &host;
	w.model.observer = h->polls ? NULL : &w.observer;
	w.model.settings = (struct model_settings){.stamped = h->polls, .place_matters = h->depth};
	memory_create(&w.tree, w.tree.root, "w", memory_new(&w.tree, 'd'));
	memory_create(&w.tree, w.tree.root, "x", memory_new(&w.tree, 'd'));
	for (int i = 0; i < 20; i++)
		memory_disturb(&w.tree);
	assert(model_open(&w.model) == 0);
	model_add_root(&w.model, "w");
	model_drained(&w.model);
	w.tree.disturbance = h->disturbance;
}

static void work_until_done(void)
{
	for (int i = 0; i < 100000 && model_work(&w.model, 0); i++)
		;
}

static void lose(void)
{
	w.first = w.last = 0;
	/* Watches that went are found out, too. */
	for (int i = 0; i < w.n_watches; i++)
		if (w.watches[i] && !w.watched[i])
			model_suspect(&w.model, w.watches[i], HINT_SCAN);
	model_lost(&w.model, w.model.top, true);
	model_drained(&w.model);
}

/* What goes without a watch is read again. */
static void poll_below(struct node *d)
{
	struct entry *e;

	if (d->polled)
		model_lost(&w.model, d, false);
	for (uint32_t at = 0; (e = entries_next(d->entries, &at));)
		if (e->entered)
			poll_below(e->node);
}

/* A part of what happened is delivered, late; a part of what is to be looked at is. */
static void go_on(const struct history *h)
{
	for (unsigned i = draw(6); i; i--)
		memory_disturb(&w.tree);
	if (h->polls) {
		if (!draw(4)) {
			model_lost(&w.model, w.model.top, true);
			model_drained(&w.model);
		}
	} else if (draw(1000) < h->overflows) {
		lose();
	} else {
		deliver(draw(3) ? draw(12) : SIZE_MAX);
		if (!draw(4))
			poll_below(w.model.top);
		if (draw(2))
			model_drained(&w.model);
	}
	for (unsigned i = draw(20); i; i--)
		model_work(&w.model, 0);
}

static void settle(const struct history *h)
{
	w.tree.disturbance = 0;
	for (int i = 0; i < 6; i++) {
		if (h->polls)
			model_lost(&w.model, w.model.top, true);
		deliver(SIZE_MAX);
		poll_below(w.model.top);
		model_retry(&w.model);
		work_until_done();
	}
}

static bool is_right(const struct history *h)
{
	struct buf tree = {0}, model = {0};
	bool right;

	list_tree(w.tree.root, "", 0, &tree);
	list_model(w.model.top, &model);
	right = strcmp(tree.data ? tree.data : "", model.data ? model.data : "") == 0;
	if (!right)
		printf("# model:\n%s# tree:\n%s", model.data ? model.data : "",
		       tree.data ? tree.data : "");
	right = reports_are(&tree) && right && !w.wrong;
	if (!right)
		printf("# seed %llu: %zu reports did not fit\n", (unsigned long long)h->seed,
		       w.wrong);
	buf_free(&tree);
	buf_free(&model);
	return right;
}

static void free_tree(struct memory_inode *i)
{
	if (i->type == 'd')
		for (size_t k = 0; k < i->count; k++)
			free_tree(i->children[k].inode);
	if (--i->links == 0)
		free(i);
}

static bool passes(struct history h, size_t *moves)
{
	bool right;

	begin(&h);
	for (unsigned i = 0; i < h.steps; i++)
		go_on(&h);
	settle(&h);
	right = is_right(&h);
	*moves += w.moves;
	model_close(&w.model);
	for (size_t i = 0; i < w.count; i++)
		free(w.paths[i]);
	free_tree(w.tree.root);
	return right;
}

static bool all_pass(unsigned rounds, struct history h, size_t *moves)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < rounds && failed < 3; i++) {
		h.seed++;
		failed += !passes(h, moves);
	}
	return !failed;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 300;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) - 1 : 0;
	size_t moves = 0, polled = 0;

	OK(all_pass(rounds, (struct history){.seed = seed, .steps = 40}, &moves),
	   "the model equals the tree when nothing changes between two looks");
	OK(all_pass(rounds, (struct history){.seed = seed, .steps = 40, .disturbance = 60}, &moves),
	   "it does when the tree changes at any look");
	OK(moves > rounds, "renames are reported as moves");
	OK(all_pass(
	       rounds,
	       (struct history){.seed = seed, .steps = 60, .disturbance = 60, .overflows = 100},
	       &moves),
	   "it does when the kernel's queue overflows");
	OK(all_pass(rounds,
		    (struct history){
			.seed = seed, .steps = 40, .disturbance = 60, .depth = 2, .overflows = 30},
		    &moves),
	   "it does when directories are entered by how deep they are");
	OK(all_pass(rounds,
		    (struct history){.seed = seed, .steps = 60, .disturbance = 30, .polls = true},
		    &polled),
	   "it does when nothing but looking tells what happened");
	OK(all_pass(rounds,
		    (struct history){
			.seed = seed, .steps = 40, .disturbance = 60, .short_of_watches = true},
		    &moves),
	   "it does when some directories have no watch, and are read again");
	OK(polled > rounds / 10, "what was renamed between two passes of polling is a move");
	return tap_done();
}
