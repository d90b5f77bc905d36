/*
 * The sparse model on a tree in memory, with an observer that hears of all that happens in it, as
 * that of fanotify(7) does: nothing is read at the start, looks are ahead of the events, and at the
 * end the reports, replayed on what was there at the start, are the tree.
 */
#include "source/file/model/model.h"

#include "fixed_hashes.h"
#include "memory_reports.h"
#include "source/file/model/observer.h"
#include "tap.h"

enum { MOST_EVENTS = 65536, MOST_HANDLES = 65536, MOST_LEVELS = 64, RETRIES = 3 };

/* A directory when something happened in it. */
struct level {
	uint64_t handle;
	struct identity identity;
	char name[NAME_SIZE];
};

struct event {
	struct level levels[MOST_LEVELS]; /* the lowest first, up to a root */
	size_t n_levels;
	char name[NAME_SIZE];
	unsigned bits;    /* enum hint; 0: it was written */
	struct level was; /* what stood there; handle 0: nothing */
	char was_type;
	uint32_t time;
};

static struct world {
	struct memory_tree tree;
	struct model model;
	struct observer observer;
	struct event *queue[MOST_EVENTS], *late[MOST_EVENTS];
	size_t first, last, n_late;
	struct node *nodes[MOST_HANDLES];
} w;

/* ---- the kernel's side ----------------------------------------------------------------------- */

static struct level level_of(const struct memory_inode *i, const char *name)
{
	struct level l = {.handle = i->handle, .identity = {i->number, 1, i->born + 1}};

	snprintf(l.name, sizeof l.name, "%s", name);
	return l;
}

static const char *name_in(const struct memory_inode *d, const struct memory_inode *i)
{
	for (size_t k = 0; k < d->count; k++)
		if (d->children[k].inode == i)
			return d->children[k].name;
	return "";
}

static void trace(const char *what, const struct event *ev)
{
	if (!getenv("VERBOSE"))
		return;
	printf("# %s %u:", what, ev->bits);
	for (size_t i = ev->n_levels; i--;)
		printf(" %s.%u", ev->levels[i].name, (unsigned)ev->levels[i].handle);
	printf(" %s%s%c.%u\n", ev->name, ev->was_type ? " was " : "",
	       ev->was_type ? ev->was_type : ' ', (unsigned)ev->was.handle);
}

static void on_changed(struct memory_tree *t, struct memory_inode *d, const char *name,
		       unsigned bits)
{
	const struct child *was = bits & HINT_CREATED ? NULL : memory_find(d, name);
	struct event *ev = calloc(1, sizeof *ev);

	assert(ev && w.last < MOST_EVENTS);
	snprintf(ev->name, sizeof ev->name, "%s", name);
	ev->bits = bits;
	ev->time = t->clock;
	if (was) {
		ev->was = level_of(was->inode, name);
		ev->was_type = was->inode->type;
	}
	for (; d != t->root; d = d->parent) {
		assert(ev->n_levels < MOST_LEVELS);
		ev->levels[ev->n_levels++] = level_of(d, name_in(d->parent, d));
	}
	trace("happens", ev);
	w.queue[w.last++] = ev;
}

static void on_written(struct memory_tree *t, struct memory_inode *d, const char *name)
{
	if (d != t->root)
		on_changed(t, d, name, 0);
}

static void on_removed(struct memory_tree *t, struct memory_inode *d)
{
	(void)t;
	(void)d;
}

/* Where the directory is by now; NULL: it is gone. */
static struct memory_inode *find_handle(struct memory_inode *d, uint64_t handle)
{
	struct memory_inode *found = d->handle == handle ? d : NULL;

	for (size_t i = 0; i < d->count && !found; i++)
		if (d->children[i].inode->type == 'd')
			found = find_handle(d->children[i].inode, handle);
	return found;
}

/* ---- the observer ---------------------------------------------------------------------------- */

static void unwatch(struct observer *o, struct node *n)
{
	(void)o;
	w.nodes[n->watch] = NULL;
	n->watched = false;
}

static void bind(struct node *n, uint64_t handle)
{
	if (n->watched)
		unwatch(&w.observer, n);
	assert(handle < MOST_HANDLES);
	w.nodes[handle] = n;
	n->watch = handle;
	n->watched = true;
}

static struct identity identity_now(const struct level *l)
{
	return find_handle(w.tree.root, l->handle) ? l->identity : identity_of_gone();
}

/* What was listed at this name ahead of the events is forgotten: the directory was there. */
static void forget_other(struct node *d, const char *name, bool keeps)
{
	const struct entry *e = entries_find(d->entries, name);

	if (e && !(keeps && e->entered) && model_is_other(d, name, true, NULL))
		model_unlearn(&w.model, d, name);
}

/* The node of the lowest of these directories, made where it was; n is that of the one above. It
 * `keeps` directories that were listed ahead. */
static struct node *go_down(struct node *n, const struct level *levels, size_t at, bool keeps)
{
	while (n && at--) {
		const struct level *l = &levels[at];
		struct identity is = identity_now(l);
		struct node *below;

		forget_other(n, l->name, keeps);
		below = model_know(&w.model, n, l->name, &is, false);
		if (below && below->watched && below->watch != l->handle)
			below = NULL;
		if (below)
			bind(below, l->handle);
		n = below;
	}
	return n;
}

/* ---- where a directory was before what is still to be heard of ------------------------------- */

/* Is what has the name still to be heard of, before this place of the queue? */
static bool is_to_come(uint64_t handle, const char *name, size_t before)
{
	for (size_t i = w.first; i < before; i++)
		if (w.queue[i]->n_levels && w.queue[i]->levels[0].handle == handle &&
		    w.queue[i]->bits & HINTS_COME && strcmp(w.queue[i]->name, name) == 0)
			return true;
	return false;
}

/* The place of the event that it left, or was removed; w.last: none. */
static size_t departure(uint64_t handle)
{
	size_t i = w.first;

	while (i < w.last && !(w.queue[i]->was.handle == handle && w.queue[i]->bits & HINTS_GO))
		i++;
	return i;
}

/* The directory above it then, and in *l its name. 0: it was not there, or in no root. */
static uint64_t step_up(struct level *l)
{
	size_t at = departure(l->handle);
	const struct memory_inode *i = find_handle(w.tree.root, l->handle);
	uint64_t above = i && i->parent ? i->parent->handle : 0;

	if (at < w.last) {
		*l = w.queue[at]->was;
		above = w.queue[at]->n_levels ? w.queue[at]->levels[0].handle : 0;
	} else if (above) {
		*l = level_of(i, name_in(i->parent, i));
	}
	return above && !is_to_come(above, l->name, at) ? above : 0;
}

/* The node of this directory where it was, if it is to be heard that it left. */
static struct node *node_before(uint64_t handle)
{
	struct level levels[MOST_LEVELS];
	struct node *n = NULL;
	size_t at = 0;

	if (departure(handle) == w.last)
		return NULL;
	while (!n && at < MOST_LEVELS) {
		levels[at].handle = handle;
		handle = step_up(&levels[at++]);
		if (!handle)
			return NULL;
		n = w.nodes[handle];
	}
	return n ? go_down(n, levels, at, true) : NULL;
}

static int watch(struct observer *o, struct node *n, int folder, const char *path)
{
	uint64_t handle = w.tree.folders[folder].inode->handle;
	struct node *other = w.nodes[handle] ? w.nodes[handle] : node_before(handle);

	(void)path;
	if (other && other != n) {
		model_suspect(o->model, other, model_doubt(o->model, other->parent));
		errno = EEXIST;
		return -1;
	}
	bind(n, handle);
	return 0;
}

static int reopen(struct observer *o, struct node *n)
{
	struct memory_inode *i = n->watched ? find_handle(w.tree.root, n->watch) : NULL;
	struct look found;

	(void)o;
	return i ? memory_open_inode(&w.tree, i, &found) : -1;
}

static void found(struct observer *o, struct node *n, int folder, const char *name)
{
	const struct child *c = memory_find(w.tree.folders[folder].inode, name);

	(void)o;
	if (c && c->inode->type == 'd' && !w.nodes[c->inode->handle])
		bind(n, c->inode->handle);
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool has_left(const struct node *n)
{
	const struct touched *t = touches_find(&w.model.names.hinted, n->parent, node_name(n));

	return t && t->bits & HINTS_GO;
}

/* The directory, or one above it, may have been listed ahead of what moved it there. */
static bool forget_ahead(const struct node *n, const struct event *ev)
{
	size_t i;

	for (; n->parent != w.model.top; n = n->parent) {
		for (i = 0; i < ev->n_levels && ev->levels[i].handle != n->watch;)
			i++;
		if (model_is_early(n) && i + 1 < ev->n_levels && !has_left(n) &&
		    (n->parent->watch != ev->levels[i + 1].handle ||
		     strcmp(node_name(n), ev->levels[i].name) != 0))
			return model_unlearn(&w.model, n->parent, node_name(n));
	}
	return false;
}

/* The node of an event's directory, made where it was. */
static struct node *place(const struct event *ev)
{
	struct node *n = NULL;
	size_t at = 0;

	for (; at < ev->n_levels; at++) {
		n = w.nodes[ev->levels[at].handle];
		if (n && !forget_ahead(n, ev))
			break;
		n = NULL;
	}
	return n ? go_down(n, ev->levels, at, false) : NULL;
}

static bool is_other(const struct node *d, const struct event *ev)
{
	return model_is_other(d, ev->name, ev->was_type == 'd', w.nodes[ev->was.handle]);
}

static void assume(struct node *d, const struct event *ev)
{
	struct look was = {.type = ev->was_type, .identity = ev->was.identity};
	struct node *n = NULL;

	if (was.type == 'd')
		was.identity = identity_now(&ev->was);
	if (!d->sparse)
		return;
	if (is_other(d, ev))
		model_unlearn(&w.model, d, ev->name);
	if (w.nodes[ev->was.handle])
		model_unlearn_elsewhere(&w.model, w.nodes[ev->was.handle], d, ev->name);
	/* Where it went may have been read before: what is in it is known there. */
	if (was.type == 'd' && !w.nodes[ev->was.handle])
		n = model_know(&w.model, d, ev->name, &was.identity, false);
	if (!n)
		model_assume(&w.model, d, ev->name, &was, false);
	else if (!n->watched)
		bind(n, ev->was.handle);
}

static void pass_to(struct node *d, const struct event *ev)
{
	unsigned bits = ev->bits;

	/* What is done to a directory is reported by its own handle. */
	if (ev->was.handle && (bits || ev->was_type == 'd'))
		assume(d, ev);
	else if (bits & HINTS_COME)
		model_unlearn(&w.model, d, ev->name);
	if (bits == HINT_DELETED && is_other(d, ev))
		bits = HINT_LEFT;
	if (bits)
		model_hint(&w.model, d, ev->name, bits);
	else if (ev->was_type == 'd')
		model_active(&w.model, d, ev->name, 1);
	else
		model_active_file(&w.model, d, ev->name, 1);
}

static void catch_up(struct observer *o, struct node *n)
{
	(void)o;
	for (size_t i = w.first; i < w.last && n->watched; i++)
		if (w.queue[i]->n_levels && w.queue[i]->bits &&
		    w.queue[i]->levels[0].handle == n->watch) {
			trace("caught up", w.queue[i]);
			pass_to(n, w.queue[i]);
		}
}

static void pass(struct event *ev, bool late)
{
	struct node *d = late ? w.nodes[ev->levels[0].handle] : place(ev);

	if (late && d && model_is_early(d))
		d = NULL;
	trace(late ? "late" : d ? "passed" : "unplaced", ev);
	if (!d && !late) {
		w.late[w.n_late++] = ev;
		return;
	}
	if (d)
		pass_to(d, ev);
	free(ev);
}

/* The next chunk, or what is late of the one before; both when the model is idle. */
static void deliver(size_t most)
{
	if (!model_idle(&w.model))
		return;
	if (w.n_late) {
		for (size_t i = 0; i < w.n_late; i++)
			pass(w.late[i], true);
		w.n_late = 0;
	} else {
		uint32_t time = 0;

		/* What one call of the system did is reported as one. */
		for (; w.first < w.last && (most || w.queue[w.first]->time == time);
		     most -= most > 0) {
			struct event *ev = w.queue[w.first++];

			time = ev->time;
			if (ev->n_levels) {
				pass(ev, false);
				continue;
			}
			if (strcmp(ev->name, "w") == 0)
				model_hint(&w.model, w.model.top, "w", HINT_SCAN);
			free(ev);
		}
	}
	model_drained(&w.model);
}

/* ---- histories ------------------------------------------------------------------------------- */

struct history {
	uint64_t seed;
	unsigned disturbance; /* of a thousand looks */
	unsigned steps;
	bool learns, trims;
};

static void list_start(const struct memory_inode *d, const char *path)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct child *c = &d->children[i];
		struct buf below = {0};

		if (!*path && strcmp(c->name, "w") != 0)
			continue;
		buf_printf(&below, "%s%s%s", path, *path ? "/" : "", c->name);
		r.paths[r.count++] = below.data;
		if (c->inode->type == 'd' && strcmp(c->name, "skip") != 0)
			list_start(c->inode, below.data);
	}
}

static void work_until_idle(void)
{
	for (int i = 0; i < 100000 && model_work(&w.model, 0); i++)
		;
}

static const struct observer_type in_memory = {.name = "memory",
					       .watch = watch,
					       .unwatch = unwatch,
					       .reopen = reopen,
					       .found = found,
					       .catch_up = catch_up};

static void begin(const struct history *h)
{
	memset(&w, 0, sizeof w);
	begin_reports();
	random_state = h->seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	memory_init(&w.tree);
	w.tree.changed = on_changed;
	w.tree.removed = on_removed;
	w.tree.written = on_written;
	w.observer = (struct observer){&in_memory, &w.model};
	w.model = (struct model){.fs = &w.tree.fs,
				 .host = &host,
				 .observer = &w.observer,
				 .settings = {.sparse = true, .unread = true, .learns = h->learns}};
	memory_create(&w.tree, w.tree.root, "w", memory_new(&w.tree, 'd'));
	memory_create(&w.tree, w.tree.root, "x", memory_new(&w.tree, 'd'));
	for (int i = 0; i < 60; i++)
		memory_disturb(&w.tree);
	while (w.last)
		free(w.queue[--w.last]);
	assert(model_open(&w.model) == 0);
	w.model.early = true;
	model_add_root(&w.model, "w");
	model_drained(&w.model);
	work_until_idle();
	model_begun(&w.model);
	for (size_t i = 0; i < r.count; i++)
		free(r.paths[i]);
	r.count = 0;
	list_start(w.tree.root, "");
	w.tree.disturbance = h->disturbance;
}

static void trim_some(struct node *d)
{
	struct entry *e;

	for (uint32_t at = 0; (e = entries_next(d->entries, &at));) {
		if (!e->entered)
			continue;
		if (!draw(6)) {
			if (model_trim(&w.model, e->node))
				return;
		} else {
			trim_some(e->node);
		}
	}
}

static void go_on(const struct history *h)
{
	for (unsigned i = draw(6); i; i--)
		memory_disturb(&w.tree);
	if (h->trims && !draw(8) && model_idle(&w.model) && !w.n_late && w.first == w.last)
		trim_some(w.model.top);
	if (draw(3))
		deliver(draw(3) ? draw(12) : SIZE_MAX);
	for (unsigned i = draw(40); i; i--)
		model_work(&w.model, 0);
}

static bool is_right(const struct history *h)
{
	struct buf tree = {0};
	bool right;

	list_tree(w.tree.root, "", 0, &tree);
	right = reports_are(&tree) && !r.wrong;
	if (!right)
		printf("# seed %llu: %zu reports did not fit\n", (unsigned long long)h->seed,
		       r.wrong);
	buf_free(&tree);
	return right;
}

/* In which an event was waited for that did not come. */
static unsigned late_histories;

static bool passes(struct history h, size_t *moves)
{
	bool right;

	begin(&h);
	for (unsigned i = 0; i < h.steps; i++)
		go_on(&h);
	w.tree.disturbance = 0;
	work_until_idle();
	while (w.first < w.last || w.n_late) {
		deliver(SIZE_MAX);
		work_until_idle();
	}
	late_histories += model_waits(&w.model);
	for (int i = 0; i < RETRIES && model_waits(&w.model); i++) {
		model_retry(&w.model);
		work_until_idle();
	}
	right = !model_waits(&w.model) && is_right(&h);
	*moves += r.moves;
	model_close(&w.model);
	end_reports();
	memory_free(w.tree.root);
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

/* A deletion that a look was ahead of, a directory that was found where it went before that it left
 * was heard, one that was listed before that it came was, and what was done in it until then; what
 * is moved to the name that the directory above it had; what goes while what leaves is listed. */
static bool known_pass(size_t *moves)
{
	static const uint64_t seeds[] = {131,  355,  491,   617,   762,  927,  1031,
					 1204, 2272, 4241,  4249,  5291, 7536, 7940,
					 8107, 9457, 10473, 13340, 15134};
	bool right = true;

	for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
		struct history h = {.seed = seeds[i], .steps = 40};

		right &= passes(h, moves);
		h.disturbance = 60;
		right &= passes(h, moves);
		h.learns = true;
		right &= passes(h, moves);
		h = (struct history){
		    .seed = seeds[i], .steps = 60, .disturbance = 60, .trims = true};
		right &= passes(h, moves);
	}
	return right;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) - 1 : 0;
	size_t moves = 0;

	fix_hashes(argc > 3 ? argv[3] : "0");
	OK(all_pass(rounds, (struct history){.seed = seed, .steps = 40}, &moves),
	   "what is reported of a tree that was never read is the tree");
	OK(all_pass(rounds, (struct history){.seed = seed, .steps = 40, .disturbance = 60}, &moves),
	   "it is when the tree changes at any look");
	OK(moves > rounds, "renames are reported as moves");
	OK(all_pass(rounds,
		    (struct history){.seed = seed, .steps = 40, .disturbance = 60, .learns = true},
		    &moves),
	   "it is when the names of what moves are learned");
	OK(all_pass(rounds,
		    (struct history){.seed = seed, .steps = 60, .disturbance = 60, .trims = true},
		    &moves),
	   "it is when what nothing was said of lately is forgotten");
	OK(late_histories <= 5 + rounds / 100, "seldom is an event waited for that does not come");
	OK(known_pass(&moves), "it is where looks are far ahead of the events");
	return tap_done();
}
