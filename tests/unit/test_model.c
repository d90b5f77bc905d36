/*
 * The model of a tree, on a tree in memory: whatever happens, and whenever it is looked at, at the
 * end the model equals the tree, and so does what it reported, replayed.
 */
#include "source/file/model/model.h"

#include "fixed_hashes.h"
#include "memory_reports.h"
#include "source/file/model/observer.h"
#include "tap.h"

enum { MOST_EVENTS = 65536, MOST_WATCHES = 65536 };

/* What the kernel's queue holds. */
struct queued {
	int watch; /* -1: of the roots */
	char name[NAME_SIZE];
	unsigned bits; /* 0: the watch is gone */
	bool written;  /* or this */
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
	bool short_of_watches, overflowed;
	uint32_t synced; /* when the queue was empty last */
} w;

static size_t wrong_watches; /* of directories that were not the ones that were opened then */

/* ---- the observer ---------------------------------------------------------------------------- */

static void add_event(const struct memory_tree *t, const struct memory_inode *d, const char *name,
		      struct queued event)
{
	struct queued *q = &w.queue[w.last];

	if (d != t->root && d->watch < 0)
		return;
	assert(w.last < MOST_EVENTS);
	*q = event;
	q->watch = d == t->root ? -1 : d->watch;
	snprintf(q->name, sizeof q->name, "%s", name);
	w.last++;
}

static void on_changed(struct memory_tree *t, struct memory_inode *d, const char *name,
		       unsigned bits)
{
	add_event(t, d, name, (struct queued){.bits = bits});
}

static void on_written(struct memory_tree *t, struct memory_inode *d, const char *name)
{
	add_event(t, d, name, (struct queued){.written = true});
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
	uint64_t wd = n->watch;

	(void)o;
	w.watches[wd] = NULL;
	if (w.watched[wd])
		w.watched[wd]->watch = -1;
	w.watched[wd] = NULL;
	n->watched = false;
}

static int watch_inode(struct observer *o, struct node *n, struct memory_inode *i)
{
	if (w.short_of_watches && !n->watched && !draw(3)) {
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
	if (n->watched && n->watch != (uint64_t)i->watch)
		unwatch(o, n);
	w.watches[i->watch] = n;
	n->watch = (uint64_t)i->watch;
	n->watched = true;
	return 0;
}

static int watch(struct observer *o, struct node *n, int folder, const char *path)
{
	(void)path;
	return watch_inode(o, n, w.tree.folders[folder].inode);
}

/* Somebody exchanges the directory for another, and back again as soon as that is watched. */
static struct memory_inode *exchange(struct node *n, struct memory_inode *i)
{
	struct memory_inode *other = memory_any_folder(&w.tree), *above;
	char *path = path_of(n->parent, NULL);

	above = memory_resolve(&w.tree, path);
	free(path);
	if (!above || other->type != 'd' || other == i)
		return i;
	on_changed(&w.tree, above, node_name(n), HINT_LEFT | HINT_CAME);
	on_changed(&w.tree, above, node_name(n), HINT_LEFT | HINT_CAME);
	return other;
}

/* The tree may change before it, and again before what is there is opened. */
static int watch_ahead(struct observer *o, struct node *n, const struct opening *how)
{
	struct memory_inode *i;

	memory_maybe_disturb(&w.tree);
	i = memory_resolve(&w.tree, how->path);
	if (i && w.tree.disturbance && !draw(8))
		i = exchange(n, i);
	errno = i ? ENOTDIR : ENOENT;
	return i && i->type == 'd' ? watch_inode(o, n, i) : -1;
}

static bool is_quiet(const struct observer *o)
{
	(void)o;
	return w.first == w.last;
}

static void lose_all(void)
{
	if (!w.overflowed)
		w.model.since = w.synced + 1;
	w.overflowed = true;
	model_lost(&w.model, w.model.top, true);
	model_drained(&w.model);
}

static void lose(struct observer *o)
{
	(void)o;
	wrong_watches++;
	lose_all();
}

static const struct observer_type in_memory = {.name = "memory",
					       .watch = watch,
					       .watch_ahead = watch_ahead,
					       .is_quiet = is_quiet,
					       .lose = lose,
					       .unwatch = unwatch};

static void deliver(size_t most)
{
	for (; most && w.first < w.last; most--) {
		const struct queued *q = &w.queue[w.first++];
		struct node *n = q->watch < 0 ? w.model.top : w.watches[q->watch];

		if (q->watch < 0 && strcmp(q->name, "w") != 0)
			continue;
		if (n && q->written)
			model_active(&w.model, n, q->name, 1);
		else if (n && q->bits)
			model_hint(&w.model, n, q->name, q->bits);
		else if (n)
			model_suspect(&w.model, n, HINT_DELETED);
	}
	if (w.first < w.last)
		return;
	w.first = w.last = 0;
	w.synced = w.tree.clock;
}

/* ---- what must be equal ---------------------------------------------------------------------- */

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
	begin_reports();
	random_state = h->seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	memory_init(&w.tree);
	w.tree.changed = on_changed;
	w.tree.removed = on_removed;
	w.tree.written = on_written;
	r.depth = h->depth;
	r.tree = &w.tree;
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
	w.model.early = h->seed % 2;
	assert(model_open(&w.model) == 0);
	model_add_root(&w.model, "w");
	model_drained(&w.model);
	w.tree.disturbance = h->disturbance;
	w.tree.grows_behind = true;
}

static bool work(void)
{
	/* The first reading may be one long turn. */
	bool more = model_work(&w.model, w.model.early && draw(2) ? INT64_MAX : 0);

	if (!more && w.model.early) {
		model_begun(&w.model);
		return true;
	}
	if (!more && model_idle(&w.model)) {
		w.model.since = 0;
		w.overflowed = false;
	}
	return more;
}

static void work_until_done(void)
{
	for (int i = 0; i < 100000 && work(); i++)
		;
}

static void overflow(void)
{
	w.first = w.last = 0;
	/* Watches that went are found out, too. */
	for (int i = 0; i < w.n_watches; i++)
		if (w.watches[i] && !w.watched[i])
			model_suspect(&w.model, w.watches[i], HINT_SCAN);
	lose_all();
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
		overflow();
	} else {
		deliver(draw(3) ? draw(12) : SIZE_MAX);
		if (!draw(4))
			model_retry(&w.model);
		if (draw(2))
			model_drained(&w.model);
	}
	for (unsigned i = draw(20); i; i--)
		work();
}

static void settle(const struct history *h)
{
	w.tree.disturbance = 0;
	for (int i = 0; i < 6; i++) {
		if (h->polls)
			model_lost(&w.model, w.model.top, true);
		deliver(SIZE_MAX);
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
	right = reports_are(&tree) && right && !r.wrong;
	if (!right)
		printf("# seed %llu: %zu reports did not fit\n", (unsigned long long)h->seed,
		       r.wrong);
	buf_free(&tree);
	buf_free(&model);
	return right;
}

static bool passes(struct history h, size_t *moves)
{
	bool right;

	begin(&h);
	for (unsigned i = 0; i < h.steps; i++)
		go_on(&h);
	settle(&h);
	right = is_right(&h);
	*moves += r.moves;
	model_close(&w.model);
	end_reports();
	memory_free(w.tree.root);
	return right;
}

/* A rule leaves in the middle of its history: a step at a time, while more happens. */
static bool unloads(void)
{
	bool watched = false;

	while (model_unload(&w.model, 0)) {
		memory_maybe_disturb(&w.tree);
		deliver(draw(3));
		if (!draw(20))
			lose(&w.observer);
	}
	for (int i = 0; i < w.n_watches; i++)
		watched |= w.watches[i] != NULL;
	return !watched && !w.model.directories;
}

static bool all_unload(unsigned rounds, struct history h)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < rounds; i++) {
		h.seed++;
		begin(&h);
		for (unsigned k = draw(h.steps); k; k--)
			go_on(&h);
		failed += !unloads();
		model_close(&w.model);
		end_reports();
		memory_free(w.tree.root);
	}
	return !failed;
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

/* A name to which something was renamed twice, the second time what has the first one's number;
 * what moves from where all is still to be read again to where it was; a path that leads to another
 * directory when what was listed there is to be read (with the hashes of 12). */
static bool known_pass(size_t *moves)
{
	struct history overflows = {.seed = 6810, .steps = 60, .disturbance = 60, .overflows = 100};

	return passes((struct history){.seed = 14864, .steps = 40, .disturbance = 60}, moves) &&
	       passes((struct history){.seed = 103726, .steps = 40, .disturbance = 60}, moves) &&
	       passes(overflows, moves);
}

/* As editors do: a new file is renamed over the old one, whose number the next new one has. */
static void save(struct memory_inode *d)
{
	w.tree.clock += 16;
	memory_create(&w.tree, d, "t", memory_new(&w.tree, 'f'));
	memory_rename(&w.tree, d, "t", d, "z");
}

static void hear_all(void)
{
	deliver(SIZE_MAX);
	model_drained(&w.model);
}

/* The second save comes when the events of the first were read, and nothing was looked at yet. */
static bool saves_are_reported(void)
{
	const struct history h = {.seed = 1};
	struct memory_inode *d;
	bool right;

	begin(&h);
	d = memory_find(w.tree.root, "w")->inode;
	work_until_done();
	memory_create(&w.tree, d, "z", memory_new(&w.tree, 'f'));
	hear_all();
	work_until_done();
	save(d);
	hear_all();
	save(d);
	work_until_done();
	hear_all();
	work_until_done();
	right = is_right(&h);
	model_close(&w.model);
	end_reports();
	memory_free(w.tree.root);
	return right;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) - 1 : 0;
	size_t moves = 0, polled = 0;

	fix_hashes(argc > 3 ? argv[3] : "12");
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
	OK(wrong_watches > 0, "it does where a path led elsewhere when it was watched");
	OK(all_unload(
	       rounds,
	       (struct history){.seed = seed, .steps = 60, .disturbance = 60, .overflows = 30}),
	   "at any time it is taken apart in steps, and leaves no watch");
	OK(known_pass(&moves), "it does where a change hides behind another");
	OK(saves_are_reported(),
	   "a file that was replaced twice, by one of its number, is reported");
	OK(polled > rounds / 10, "what was renamed between two passes of polling is a move");
	return tap_done();
}
