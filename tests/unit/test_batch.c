/*
 * The journal of a batch and its net effect, without a file system: whatever was created, removed
 * and renamed, who replays the effects from the tree before has the tree after.
 */
#include "source/file/batch/pace.h"

#include "source/file/batch/contents.h"
#include "source/file/batch/rejoin.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/units.h"
#include "tap.h"

#include <assert.h>
#include <stdlib.h>

enum { MOST = 24, DEEPEST = 5 };

/* ---- a tree ---------------------------------------------------------------------------------- */

struct item {
	char name[8];
	char type;
	int id;
	unsigned content;  /* of a file, in the tests of contents */
	struct node *node; /* of a directory */
};

struct node {
	struct node *parent;
	char name[8];
	struct item items[MOST];
	size_t count;
	unsigned holds;
	bool gone;
	struct node *all; /* to be freed at the end */
};

static struct node *top, *all;
static struct journal journal;
static struct contents contents;
static int last_id;
static bool shuts; /* directories that are called e are not entered */

static struct node *parent_of(const struct node *d)
{
	return d->parent;
}

static const char *name_of(const struct node *d)
{
	return d->name;
}

static bool is_gone(const struct node *d)
{
	return d->gone;
}

static void hold(struct node *d)
{
	d->holds++;
}

static void release(struct node *d)
{
	assert(d->holds);
	d->holds--;
}

static bool next(const struct node *d, uint32_t *at, struct journal_entry *e)
{
	const struct item *i = &d->items[*at];

	if (*at >= d->count)
		return false;
	*e = (struct journal_entry){i->name, i->type, i->node};
	(*at)++;
	return true;
}

static const struct journal_folders folders = {parent_of, name_of, is_gone, hold, release, next};

static struct node *new_node(struct node *parent, const char *name)
{
	struct node *d = calloc(1, sizeof *d);

	assert(d);
	d->parent = parent;
	snprintf(d->name, sizeof d->name, "%s", name);
	d->all = all;
	all = d;
	return d;
}

static struct item *find(struct node *d, const char *name)
{
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->items[i].name, name) == 0)
			return &d->items[i];
	return NULL;
}

static void place(struct node *d, const char *name, struct item item)
{
	assert(d->count < MOST);
	snprintf(item.name, sizeof item.name, "%s", name);
	if (item.node) {
		item.node->parent = d;
		snprintf(item.node->name, sizeof item.node->name, "%s", name);
	}
	d->items[d->count++] = item;
}

static void displace(struct node *d, const char *name)
{
	*find(d, name) = d->items[d->count - 1];
	d->count--;
}

static void start(void)
{
	list_init(&journal.order);
	journal_init(&journal, &folders);
	contents_init(&contents);
	top = new_node(NULL, "");
	place(top, "src", (struct item){.type = 'd', .node = new_node(top, "src")});
}

static void finish(void)
{
	journal_free(&journal);
	contents_free(&contents);
	while (all) {
		struct node *d = all;

		all = d->all;
		assert(!d->holds);
		free(d);
	}
}

/* ---- what happens to it, as the model reports it --------------------------------------------- */

static struct node *folder(const char *path)
{
	struct node *d = top;
	char copy[256];

	snprintf(copy, sizeof copy, "%s", path);
	for (char *part = strtok(copy, "/"); part; part = strtok(NULL, "/"))
		d = find(d, part)->node;
	return d;
}

static const char *split(const char *path, struct node **d)
{
	const char *slash = strrchr(path, '/');
	char above[256];

	snprintf(above, sizeof above, "%.*s", (int)(slash - path), path);
	*d = folder(above);
	return slash + 1;
}

static bool enters(const char *name)
{
	return !shuts || strcmp(name, "e") != 0;
}

static void create_in(struct node *d, const char *name, char type)
{
	place(d, name, (struct item){.type = type, .id = ++last_id});
	if (type == 'd' && enters(name))
		find(d, name)->node = new_node(d, name);
	journal_came(&journal, d, name, type, ARRIVED_WHOLE);
}

static void write_in(struct node *d, const char *name, unsigned content)
{
	find(d, name)->content = content;
	journal_active(&journal, d, name, 'f', FILE_MODIFY | FILE_CLOSE_WRITE);
}

static void remove_in(struct node *d, const char *name)
{
	struct item *i = find(d, name);
	struct node *n = i->node;

	while (n && n->count)
		remove_in(n, n->items[0].name);
	journal_gone(&journal, d, find(d, name)->name, find(d, name)->type, n);
	if (n)
		n->gone = true;
	displace(d, name);
}

struct end {
	struct node *d;
	char name[8];
};

/* What was renamed is entered, or not any more: then what was in it is gone. */
static void enter_or_shut(struct end at)
{
	struct node *n = find(at.d, at.name)->node;

	if (find(at.d, at.name)->type != 'd' || enters(at.name) == (n != NULL))
		return;
	find(at.d, at.name)->node = n ? NULL : new_node(at.d, at.name);
	if (!n)
		return;
	while (n->count)
		remove_in(n, n->items[0].name);
	journal_imply(&journal, at.d, &(struct journal_entry){at.name, 'd', n});
	n->gone = true;
}

static struct end end_of(const char *path)
{
	struct end e;

	snprintf(e.name, sizeof e.name, "%s", split(path, &e.d));
	return e;
}

static void rename_to(struct end from, struct end to)
{
	struct item item = *find(from.d, from.name);
	struct thing *t = journal_take(&journal, from.d, from.name, item.type, item.node);

	displace(from.d, from.name);
	if (find(to.d, to.name))
		remove_in(to.d, to.name);
	place(to.d, to.name, item);
	journal_put(&journal, to.d, to.name, t);
	enter_or_shut(to);
}

static void exchange_ends(struct end a, struct end b)
{
	struct item x = *find(a.d, a.name), y = *find(b.d, b.name);
	struct thing *tx = journal_take(&journal, a.d, a.name, x.type, x.node);
	struct thing *ty = journal_take(&journal, b.d, b.name, y.type, y.node);

	displace(a.d, a.name);
	displace(b.d, b.name);
	place(b.d, b.name, x);
	place(a.d, a.name, y);
	journal_put(&journal, b.d, b.name, tx);
	journal_put(&journal, a.d, a.name, ty);
	enter_or_shut(b);
	enter_or_shut(a);
}

static void make(const char *path)
{
	struct end e = end_of(path);

	create_in(e.d, e.name, 'f');
}

static void make_folder(const char *path)
{
	struct end e = end_of(path);

	create_in(e.d, e.name, 'd');
}

static void remove_path(const char *path)
{
	struct end e = end_of(path);

	remove_in(e.d, e.name);
}

static void move(const char *from, const char *to)
{
	rename_to(end_of(from), end_of(to));
}

static void exchange(const char *a, const char *b)
{
	exchange_ends(end_of(a), end_of(b));
}

static void act(const char *path, unsigned events)
{
	struct end e = end_of(path);

	journal_active(&journal, e.d, e.name, find(e.d, e.name)->type, events);
}

static void fill(const char *path, unsigned content)
{
	struct end e = end_of(path);

	write_in(e.d, e.name, content);
}

/* ---- what is reported ------------------------------------------------------------------------ */

static struct net_options options;
static char told[4096];

static const char *word_of(const struct effect *e)
{
	switch (e->event) {
	case FILE_CREATE:
		return "create";
	case FILE_MODIFY:
		return "modify";
	case FILE_DELETE:
		return "delete";
	case FILE_MOVE:
		return "move";
	default:
		return e->flickered                 ? "flicker"
		       : e->seen & FILE_CLOSE_WRITE ? "close_write"
						    : "seen";
	}
}

/* Reads what was written, as the owner of the journal does. */
static void read_written(void)
{
	LIST_EACH(at, after, &journal.order)
	{
		const struct record *r = CONTAINER_OF(at, struct record, link);

		if (!r->now || r->now->type != 'f' ||
		    (r->now->origin && !(r->now->seen & (FILE_MODIFY | FILE_CLOSE_WRITE))))
			continue;
		r->now->read = true;
		r->now->content = find(r->node, r->name)->content;
	}
}

static struct net taken(void)
{
	struct net_maker *m = net_begin(&journal, &options);

	assert(m);
	while (net_go_on(m) > 0)
		;
	return net_end(m);
}

/* The effects of all that happened, as one text. */
static const char *effects(void)
{
	struct net net;
	size_t n = 0;

	told[0] = '\0';
	read_written();
	net = taken();
	for (size_t i = 0; i < net.count; i++) {
		const struct effect *e = &net.items[i];

		n += (size_t)snprintf(told + n, sizeof told - n, "%s%s %s%s%s", i ? ", " : "",
				      word_of(e), e->path, e->old_path ? " from " : "",
				      e->old_path ? e->old_path : "");
		assert(n < sizeof told);
	}
	net_free(&net);
	return told;
}

/* A tree, before anything is reported. */
static void given(const char *paths)
{
	char copy[512];
	char *rest = NULL;

	start();
	options = (struct net_options){.gathers = true, .moves = true};
	snprintf(copy, sizeof copy, "%s", paths);
	for (char *path = strtok_r(copy, " ", &rest); path; path = strtok_r(NULL, " ", &rest)) {
		size_t n = strlen(path);

		if (path[n - 1] == '/') {
			path[n - 1] = '\0';
			make_folder(path);
		} else {
			make(path);
		}
	}
	effects();
}

static bool only_files(void *owner, const char *path, char type)
{
	(void)owner;
	(void)path;
	return type == 'f';
}

static bool not_b(void *owner, const char *path, char type)
{
	const char *base = strrchr(path, '/');

	(void)owner;
	(void)type;
	return !base || strcmp(base, "/b") != 0;
}

static bool waits_always(void *owner, const struct record *r)
{
	(void)owner;
	(void)r;
	return true;
}

/* ---- what waits ------------------------------------------------------------------------------ */

static struct net waiting;

/* What happened is handed on, and waits. */
static void wait_for_runs(void)
{
	options.names = true;
	waiting = taken();
}

static const char *effects_taken_back(void)
{
	for (size_t i = 0; i < waiting.count; i++)
		rejoin(&journal, &waiting.items[i]);
	net_free(&waiting);
	return effects();
}

static void test_rejoin(void)
{
	given("src/f src/g src/d/ src/d/in");
	make("src/a");
	make("src/b");
	make("src/c");
	wait_for_runs();
	move("src/a", "src/z");
	remove_path("src/b");
	act("src/c", FILE_CLOSE_WRITE);
	SAME_TEXT(effects_taken_back(), "create src/z, create src/c",
		  "what came, waits and moves or goes came elsewhere or not at all");
	act("src/f", FILE_CLOSE_WRITE);
	remove_path("src/g");
	make("src/g");
	remove_path("src/c");
	wait_for_runs();
	move("src/f", "src/h");
	remove_path("src/g");
	make("src/c");
	SAME_TEXT(effects_taken_back(), "move src/h from src/f, delete src/g, modify src/c",
		  "what was there before the effect that waits counts");
	move("src/h", "src/i");
	move("src/z", "src/y");
	move("src/c", "src/k");
	wait_for_runs();
	move("src/i", "src/j");
	remove_path("src/y");
	make("src/c");
	SAME_TEXT(effects_taken_back(),
		  "move src/j from src/h, move src/k from src/c, delete src/z, modify src/c",
		  "moves that wait have not happened yet");
	make("src/d/new");
	remove_path("src/d/in");
	wait_for_runs();
	move("src/d", "src/e");
	SAME_TEXT(effects_taken_back(), "move src/e from src/d, delete src/e/in, create src/e/new",
		  "what waits in a directory that moves is where that is");
	finish();
}

/* ---- the net effect -------------------------------------------------------------------------- */

static void test_net_effects(void)
{
	given("src/f");
	make("src/g");
	remove_path("src/g");
	SAME_TEXT(effects(), "", "what came and went is nothing");
	remove_path("src/f");
	make("src/f");
	SAME_TEXT(effects(), "modify src/f", "what was removed and made again is modified");
	act("src/f", FILE_MODIFY | FILE_CLOSE_WRITE);
	SAME_TEXT(effects(), "close_write src/f", "what was done to a file is kept");
	move("src/f", "src/g");
	move("src/g", "src/h");
	SAME_TEXT(effects(), "move src/h from src/f", "two renames are one move");
	move("src/h", "src/i");
	move("src/i", "src/h");
	SAME_TEXT(effects(), "", "what moved away and back is nothing");
	make("src/new");
	move("src/new", "src/h");
	SAME_TEXT(effects(), "modify src/h", "a save by rename is one modify");
	move("src/h", "src/h~");
	make("src/h");
	remove_path("src/h~");
	SAME_TEXT(effects(), "modify src/h", "a save with a backup is one modify");
	make("src/i");
	effects();
	move("src/h", "src/j");
	move("src/i", "src/h");
	SAME_TEXT(effects(), "move src/j from src/h, move src/h from src/i",
		  "a move to a name that another left is told after that");
	finish();
}

/* One name by itself goes a way of its own through net.c. */
static void test_alone(void)
{
	given("src/f src/b src/d/");
	act("src/d", FILE_ATTRIB);
	SAME_TEXT(effects(), "seen src/d", "what is done to one directory is told");
	options.counts = not_b;
	act("src/b", FILE_MODIFY | FILE_CLOSE_WRITE);
	SAME_TEXT(effects(), "", "what is done to one name that does not count is not");
	act("src/b", FILE_OVERFLOW);
	SAME_TEXT(effects(), "seen src/b", "a notice is, whatever counts");
	options.waits = waits_always;
	act("src/f", FILE_MODIFY);
	SAME_TEXT(effects(), "", "one file waits while it is written");
	act("src/f", FILE_CLOSE_WRITE);
	SAME_TEXT(effects(), "close_write src/f", "and is told when it is closed");
	OK(!journal.count, "then nothing is left of it");
	finish();
}

static void test_directories(void)
{
	given("src/a/ src/a/f src/a/g src/a/k");
	move("src/a", "src/b");
	remove_path("src/b/f");
	move("src/b/g", "src/g");
	move("src/b", "src/c");
	make_folder("src/a");
	make("src/a/f");
	SAME_TEXT(effects(),
		  "move src/c from src/a, move src/g from src/c/g, delete src/c/f, create src/a, "
		  "create src/a/f",
		  "what is in a directory that moves is told where the directory is");
	finish();

	given("src/a/ src/a/f src/a/s/ src/a/s/g");
	shuts = true;
	move("src/a", "src/e");
	move("src/e", "src/b");
	make("src/b/new");
	SAME_TEXT(effects(),
		  "delete src/a/f, delete src/a/s/g, delete src/a/s, delete src/a, create src/b, "
		  "create src/b/new",
		  "one that had a name meanwhile by which none is entered is another one");
	shuts = false;
	finish();

	given("src/a/ src/a/s/ src/a/s/in");
	move("src/a/s", "src/a/t");
	move("src/a", "src/b");
	SAME_TEXT(effects(), "move src/b from src/a, move src/b/t from src/b/s",
		  "moves are told parents first");
	finish();

	given("src/x/ src/x/o src/x/both src/q/ src/q/k src/q/both src/q/deep/ src/q/deep/f");
	remove_path("src/x");
	move("src/q", "src/x");
	SAME_TEXT(effects(),
		  "modify src/x, move src/x/deep from src/q/deep, move src/x/k from src/q/k, "
		  "delete src/x/o, delete src/q/both, delete src/q, modify src/x/both",
		  "what is in a directory that takes another's place is told one by one");
	finish();

	given("src/a/ src/a/f src/a/k");
	move("src/a", "src/b");
	remove_path("src/b/f");
	make("src/b/new");
	remove_path("src/b");
	SAME_TEXT(effects(), "delete src/a/f, delete src/a/k, delete src/a",
		  "a directory that moved and left is gone from where it was");
	finish();

	given("src/a/ src/a/f src/b/ src/b/g");
	exchange("src/a", "src/b");
	SAME_TEXT(
	    effects(),
	    "modify src/a, move src/a/g from src/b/g, modify src/b, move src/b/f from src/a/f",
	    "directories that are exchanged are told with what is in them");
	finish();
}

static void test_filters(void)
{
	given("src/a/ src/a/f src/a/deep/ src/a/deep/g");
	options.counts = only_files;
	move("src/a", "src/z");
	SAME_TEXT(effects(), "move src/z/f from src/a/f, move src/z/deep/g from src/a/deep/g",
		  "what a directory takes along is told when its own move is not");
	options.moves = false;
	move("src/z/f", "src/f");
	SAME_TEXT(effects(), "delete src/z/f, create src/f",
		  "where moves are not asked for both ends are told");
	finish();

	given("src/a/ src/a/f src/b");
	options.counts = only_files;
	exchange("src/b", "src/a");
	SAME_TEXT(effects(), "delete src/b, move src/b/f from src/a/f, create src/a",
		  "what is in a directory leaves before a file takes its place");
	finish();

	given("src/f src/g");
	options.counts = not_b;
	move("src/f", "src/b");
	SAME_TEXT(effects(), "delete src/f", "what moves to where nothing counts is deleted");
	move("src/b", "src/h");
	SAME_TEXT(effects(), "create src/h", "what moves from where nothing counts is created");
	finish();
}

static void test_writers(void)
{
	given("src/f");
	options.waits = waits_always;
	act("src/f", FILE_MODIFY);
	make("src/g");
	SAME_TEXT(effects(), "create src/g", "a file that is written holds back no other");
	move("src/f", "src/h");
	make("src/f");
	SAME_TEXT(effects(), "move src/h from src/f, modify src/f",
		  "that it moved is told while it is written");
	act("src/h", FILE_CLOSE_WRITE);
	SAME_TEXT(effects(), "close_write src/h", "and the rest when it is closed");
	finish();

	given("src/a/ src/f");
	act("src/a", FILE_UNMOUNT);
	act("src/f", FILE_OVERFLOW);
	remove_path("src/a");
	act("src/f", FILE_MODIFY | FILE_CLOSE_WRITE);
	SAME_TEXT(effects(), "delete src/a, close_write src/f",
		  "what happens to a name after a notice is told, too");
	finish();

	given("src/a/ src/a/f src/a/g");
	options.counts = only_files;
	options.waits = waits_always;
	act("src/a/f", FILE_MODIFY);
	move("src/a", "src/z");
	SAME_TEXT(effects(), "move src/z/f from src/a/f, move src/z/g from src/a/g",
		  "what is written in a directory that moves is told as moved");
	finish();

	given("src/b src/d");
	options.waits = waits_always;
	options.counts = not_b;
	act("src/b", FILE_MODIFY);
	move("src/b", "src/f");
	make("src/g");
	SAME_TEXT(effects(), "create src/g",
		  "a file that is written moves in from what counts not");
	act("src/d", FILE_CLOSE_WRITE);
	effects();
	act("src/f", FILE_CLOSE_WRITE);
	SAME_TEXT(effects(), "create src/f", "and is told when it is closed");
	finish();

	given("src/a/ src/a/f src/b");
	options.waits = waits_always;
	options.counts = only_files;
	exchange("src/a", "src/b");
	act("src/a", FILE_MODIFY);
	SAME_TEXT(effects(), "delete src/b, move src/b/f from src/a/f",
		  "a directory whose place a file has that is written moves");
	remove_path("src/b/f");
	SAME_TEXT(effects(), "delete src/b/f", "and has moved when more happens in it");
	finish();
}

static void test_without_gathering(void)
{
	given("src/f src/g src/k");
	options.gathers = false;
	journal_flickered(&journal, folder("src"), "x", 0);
	act("src/f", FILE_MODIFY);
	make("src/new");
	move("src/g", "src/k");
	act("src/f", FILE_CLOSE_WRITE);
	SAME_TEXT(effects(),
		  "flicker src/x, create src/new, move src/k from src/g, close_write src/f",
		  "effects come in the order of each name's last event");
	finish();
}

/* What the order of the last events would have is put right. */
static void test_order(void)
{
	given("src/a/ src/a/f src/d/ src/d/f src/d/s/ src/d/s/f");
	options.gathers = false;
	move("src/a/f", "src/f");
	remove_path("src/a");
	act("src/f", FILE_ATTRIB);
	SAME_TEXT(effects(), "move src/f from src/a/f, delete src/a",
		  "what moves out of a directory that is gone is told before");
	remove_path("src/d/s");
	act("src/d", FILE_ATTRIB);
	remove_path("src/d");
	make_folder("src/d");
	make("src/d/f");
	SAME_TEXT(effects(),
		  "delete src/d/s/f, delete src/d/s, delete src/d/f, delete src/d, create src/d, "
		  "create src/d/f",
		  "a directory that is replaced is emptied before");
	make_folder("src/n");
	journal_flickered(&journal, folder("src/n"), "x", 0);
	act("src/n", FILE_ATTRIB);
	SAME_TEXT(effects(), "create src/n, flicker src/n/x",
		  "what came and went in a new directory is told after that");
	finish();
}

static void test_in_hand(void)
{
	struct node *src, *d;
	struct thing *t;

	given("src/d/ src/d/f");
	options.gathers = false;
	src = folder("src");
	d = folder("src/d");
	t = journal_take(&journal, src, "d", 'd', d);
	displace(src, "d");
	SAME_TEXT(effects(), "delete src/d", "what is in hand is told as gone");
	journal_gone(&journal, d, "f", 'f', NULL);
	SAME_TEXT(effects(), "delete src/d/f", "and what was in it by its last path");
	journal_release(&journal, t);
	finish();
}

static void given_contents(const char *paths)
{
	given(paths);
	options.contents = &contents;
	for (size_t i = 0; i < find(top, "src")->node->count; i++) {
		struct item *item = &find(top, "src")->node->items[i];

		if (item->type == 'f')
			write_in(find(top, "src")->node, item->name, 1);
	}
	effects();
}

static void test_contents(void)
{
	given_contents("src/f src/g src/h");
	fill("src/f", 1);
	SAME_TEXT(effects(), "", "what holds what it held is no event");
	fill("src/f", 1);
	fill("src/g", 2);
	SAME_TEXT(effects(), "close_write src/g", "nor is it beside what does not");
	make("src/new");
	fill("src/new", 1);
	move("src/new", "src/f");
	remove_path("src/g");
	make("src/g");
	fill("src/g", 3);
	SAME_TEXT(effects(), "modify src/g", "nor is what was replaced by the same");
	move("src/f", "src/f~");
	make("src/f");
	fill("src/f", 1);
	SAME_TEXT(effects(), "move src/f~ from src/f, modify src/f",
		  "but where the old one stays by another name");
	remove_path("src/h");
	effects();
	make("src/h");
	fill("src/h", 1);
	SAME_TEXT(effects(), "create src/h", "what was deleted is forgotten");
	finish();

	given_contents("src/f src/g");
	fill("src/g", 2);
	effects();
	exchange("src/f", "src/g");
	effects();
	fill("src/f", 2);
	fill("src/g", 1);
	SAME_TEXT(effects(), "", "names that are exchanged take their content along");
	make_folder("src/d");
	move("src/f", "src/d/f");
	move("src/d", "src/e");
	effects();
	fill("src/e/f", 2);
	SAME_TEXT(effects(), "", "and so do directories that move");
	remove_path("src/e");
	remove_path("src/g");
	effects();
	OK(contents.by_name.count == 0, "of what is gone nothing is kept");
	finish();
}

/* ---- when ------------------------------------------------------------------------------------ */

/* How long after the last change a batch is due, in us. */
static long due(struct pace *p)
{
	int64_t at = pace_due(p, &journal);

	return at == INT64_MAX ? -1 : (long)((at - journal.last) / NS_PER_US);
}

static void test_pace(void)
{
	struct pace pace = {.automatic = true, .max_wait = 2 * NS_PER_S};

	given("src/f src/g src/h");
	journal.now = 10 * NS_PER_S;
	SAME(due(&pace), -1, "nothing is due where nothing happened");
	act("src/f", FILE_CLOSE_WRITE);
	SAME(due(&pace), 1250, "a lone save is handed on at once");
	remove_path("src/g");
	SAME(due(&pace), 25000, "for what is gone the other half of a save is waited for");
	effects();
	make("src/4913");
	SAME(due(&pace), 25000, "and for what has a makeshift name");
	effects();
	pace_handed_on(&pace, journal.now);
	pace_handed_on(&pace, journal.now);
	pace_handed_on(&pace, journal.now);
	act("src/f", FILE_CLOSE_WRITE);
	SAME(due(&pace), 5000, "batches that follow each other double the wait");
	effects();
	journal.now += 10 * NS_PER_S;
	options.waits = waits_always;
	act("src/f", FILE_MODIFY);
	SAME(due(&pace), 2000000, "what is written is waited for, at most for so long");
	act("src/h", FILE_CLOSE_WRITE);
	SAME(due(&pace), 1250, "and holds back no other");
	pace.automatic = false;
	pace.debounce = 7 * NS_PER_MS;
	SAME(due(&pace), 7000, "--debounce is as it says");
	effects();
	pace.max_wait = 20 * NS_PER_MS;
	act("src/h", FILE_CLOSE_WRITE);
	journal.now += 16 * NS_PER_MS;
	act("src/h", FILE_CLOSE_WRITE);
	SAME(due(&pace), 4000, "what is older than it may become is not held up by what follows");
	finish();
}

/* ---- random histories ------------------------------------------------------------------------ */

static uint64_t state;

static unsigned draw(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state % below);
}

struct listed {
	char path[128];
	char type;
	int id;
};

struct list {
	struct listed items[2048];
	size_t count;
};

static void list_tree(const struct node *d, const char *path, struct list *out)
{
	for (size_t i = 0; i < d->count; i++) {
		struct listed *l = &out->items[out->count++];
		const struct item *item = &d->items[i];

		assert(out->count < ARRAY_LENGTH(out->items));
		snprintf(l->path, sizeof l->path, "%.110s%s%s", path, *path ? "/" : "", item->name);
		l->type = item->type;
		l->id = options.contents && item->type == 'f' ? (int)item->content : item->id;
		if (item->node)
			list_tree(item->node, l->path, out);
	}
}

static struct listed *listed_at(struct list *l, const char *path)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->items[i].path, path) == 0)
			return &l->items[i];
	return NULL;
}

static bool is_below(const char *path, const char *above)
{
	size_t n = strlen(above);

	return strncmp(path, above, n) == 0 && (!path[n] || path[n] == '/');
}

static void forget(struct list *l, const char *path)
{
	for (size_t i = 0; i < l->count;)
		if (is_below(l->items[i].path, path))
			l->items[i] = l->items[--l->count];
		else
			i++;
}

static void carry(struct list *l, const char *from, const char *to)
{
	for (size_t i = 0; i < l->count; i++) {
		char path[256];

		if (!is_below(l->items[i].path, from))
			continue;
		snprintf(path, sizeof path, "%s%s", to, l->items[i].path + strlen(from));
		snprintf(l->items[i].path, sizeof l->items[i].path, "%.127s", path);
	}
}

static bool is_empty(const struct list *l, const char *path)
{
	for (size_t i = 0; i < l->count; i++)
		if (is_below(l->items[i].path, path) && strcmp(l->items[i].path, path) != 0)
			return false;
	return true;
}

static bool above_is_there(struct list *l, const char *path)
{
	char above[128];
	char *slash;

	snprintf(above, sizeof above, "%s", path);
	slash = strrchr(above, '/');
	if (!slash)
		return true;
	*slash = '\0';
	return listed_at(l, above);
}

/* A file, or a link, has nothing below it. */
static void put_listed(struct list *was, const struct listed *now)
{
	struct listed *before;

	if (now->type != 'd')
		forget(was, now->path);
	before = listed_at(was, now->path);
	if (!before)
		before = &was->items[was->count++];
	*before = *now;
}

/* One effect onto the tree as it was; what is there now is looked up. False: it does not fit. */
static bool replay(struct list *was, struct list *is, const struct effect *e)
{
	struct listed *now = listed_at(is, e->path), *before = listed_at(was, e->path);
	bool all_count = !options.counts;

	switch (e->event) {
	case FILE_MOVE:
		if (!listed_at(was, e->old_path) || (options.gathers && before))
			return false;
		if (all_count && !above_is_there(was, e->path))
			return false;
		forget(was, e->path);
		carry(was, e->old_path, e->path);
		if (options.contents && e->seen & FILE_MODIFY && now)
			*listed_at(was, e->path) = *now;
		return true;
	case FILE_DELETE:
		if (!before && all_count && above_is_there(was, e->path))
			return false;
		if (now && options.gathers)
			return false;
		if (all_count && !is_empty(was, e->path))
			return false;
		forget(was, e->path);
		return true;
	case FILE_CREATE:
		if ((before && options.gathers) || !now ||
		    (all_count && !above_is_there(was, e->path)))
			return false;
		put_listed(was, now);
		return true;
	case FILE_MODIFY:
		/* Of a file whose name was left to a backup, the name is free. */
		if (!now || (all_count && !above_is_there(was, e->path)))
			return false;
		if (all_count && now->type != 'd' && !is_empty(was, e->path))
			return false;
		put_listed(was, now);
		return true;
	default:
		if (options.contents && e->seen & FILE_MODIFY && before && now)
			*before = *now;
		return true;
	}
}

/* Does it say that a file changed that holds what it held? */
static bool is_idle(struct list *was, struct list *is, const struct effect *e)
{
	const struct listed *now = listed_at(is, e->path), *before = listed_at(was, e->path);

	return options.contents &&
	       (e->event == FILE_MODIFY || (!e->event && e->seen & FILE_MODIFY)) && now && before &&
	       now->type == 'f' && before->type == 'f' && now->id == before->id;
}

static bool counts_here(const struct listed *l)
{
	return !options.counts || options.counts(NULL, l->path, l->type);
}

static void drop_uncounted(struct list *l)
{
	for (size_t i = 0; i < l->count;)
		if (!counts_here(&l->items[i]))
			l->items[i] = l->items[--l->count];
		else
			i++;
}

static bool same_lists(struct list *a, struct list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct listed *l = listed_at(b, a->items[i].path);

		if (!l || l->type != a->items[i].type || l->id != a->items[i].id)
			return false;
	}
	return true;
}

static struct node *any_folder(void)
{
	struct node *d = top->items[0].node;

	for (int depth = 1; depth < DEEPEST; depth++) {
		struct item *i = d->count ? &d->items[draw((unsigned)d->count)] : NULL;

		if (!i || !i->node || !draw(3))
			break;
		d = i->node;
	}
	return d;
}

static bool is_in(const struct node *d, const struct node *above)
{
	for (; d; d = d->parent)
		if (d == above)
			return true;
	return false;
}

static void disturb(void)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};
	struct end x = {.d = any_folder()}, y = {.d = any_folder()};
	struct item *here, *there;
	unsigned what = draw(12);

	snprintf(x.name, sizeof x.name, "%s", names[draw(5)]);
	snprintf(y.name, sizeof y.name, "%s", names[draw(5)]);
	here = find(x.d, x.name);
	there = find(y.d, y.name);
	if (!here) {
		create_in(x.d, x.name, draw(2) ? 'f' : 'd');
		find(x.d, x.name)->content = 1 + draw(2);
		return;
	}
	if (options.contents && here->type == 'f' && draw(2)) {
		write_in(x.d, x.name, 1 + draw(2));
		return;
	}
	if (options.waits && here->type == 'f' && draw(2)) {
		journal_active(&journal, x.d, x.name, 'f', FILE_MODIFY);
		return;
	}
	if (what < 2) {
		remove_in(x.d, x.name);
	} else if (what < 3) {
		journal_active(&journal, x.d, x.name, here->type, FILE_ATTRIB);
	} else if (x.d == y.d && strcmp(x.name, y.name) == 0) {
		return;
	} else if (here->node && is_in(y.d, here->node)) {
		return;
	} else if (there && there->node && is_in(x.d, there->node)) {
		return;
	} else if (there && what < 7) {
		exchange_ends(x, y);
	} else {
		rename_to(x, y);
	}
}

static void show(const char *title, struct list *l)
{
	printf("# %s:", title);
	for (size_t i = 0; i < l->count; i++)
		printf(" %s(%c%d)", l->items[i].path, l->items[i].type, l->items[i].id);
	printf("\n");
}

static bool batch_is_right(unsigned steps)
{
	static struct list was, is, before;
	struct net net;
	bool right = true;

	was.count = is.count = 0;
	list_tree(top, "", &was);
	for (unsigned i = 0; i < steps; i++)
		disturb();
	list_tree(top, "", &is);
	drop_uncounted(&was);
	drop_uncounted(&is);
	before = was;
	read_written();
	net = taken();
	for (size_t i = 0; i < net.count && right; i++)
		right = !is_idle(&was, &is, &net.items[i]) && replay(&was, &is, &net.items[i]);
	right = right && same_lists(&was, &is);
	if (!right) {
		show("before", &before);
		for (size_t i = 0; i < net.count; i++)
			printf("# %s %s %s\n", word_of(&net.items[i]), net.items[i].path,
			       net.items[i].old_path ? net.items[i].old_path : "");
		show("replayed", &was);
		show("after", &is);
	}
	net_free(&net);
	return right;
}

static bool histories_are_right(unsigned rounds, struct net_options with)
{
	for (unsigned seed = 1; seed <= rounds; seed++) {
		bool right = true;

		state = seed * UINT64_C(0x9E3779B97F4A7C15);
		start();
		options = with;
		for (int batch = 0; batch < 12 && right; batch++)
			right = batch_is_right(draw(2) ? 1 + draw(4) : 1 + draw(24));
		finish();
		if (!right) {
			printf("# seed %u\n", seed);
			return false;
		}
	}
	return true;
}

/* Is that the path of the name in this directory? */
static bool has_path(const struct node *d, const char *name, const char *path)
{
	char text[256];
	size_t at = sizeof text - 1, n;

	text[at] = '\0';
	for (;; name = d->name, d = d->parent) {
		n = strlen(name);
		at -= n;
		memcpy(text + at, name, n);
		if (!d->parent)
			return strcmp(text + at, path) == 0;
		text[--at] = '/';
	}
}

static bool is_overtaken(const struct effect *e)
{
	const struct record *r = rejoin_find(&journal, e);

	return (r && r->now != r->was) ||
	       !has_path(e->node, net_name(&folders, e->node, e->path), e->path);
}

/* Onto a tree to which other things may have happened that were not handed on yet. False: a run
 * would find nothing there. */
static bool replay_late(struct list *was, struct list *is, const struct effect *e)
{
	struct listed *now = listed_at(is, e->path);

	if (e->event == FILE_DELETE) {
		forget(was, e->path);
		return true;
	}
	if (!now)
		return false;
	if (e->event == FILE_MOVE) {
		if (!listed_at(was, e->old_path))
			return false;
		forget(was, e->path);
		carry(was, e->old_path, e->path);
	}
	put_listed(was, now);
	return true;
}

static bool replay_all(struct list *was, const struct net *net, size_t from, size_t to)
{
	static struct list is;

	is.count = 0;
	list_tree(top, "", &is);
	for (size_t i = from; i < to; i++)
		if (!replay_late(was, &is, &net->items[i]))
			return false;
	return true;
}

/* Some of a batch are handed on at once; to others something happens before. */
static bool late_batch_is_right(void)
{
	static struct list was, is, before;
	size_t n, kept = 0;
	struct net net;
	bool right;

	was.count = is.count = 0;
	list_tree(top, "", &was);
	for (unsigned i = draw(12); i-- > 0;)
		disturb();
	before = was;
	wait_for_runs();
	n = rejoin_is_possible(&waiting) ? draw((unsigned)waiting.count + 1) : waiting.count;
	right = replay_all(&was, &waiting, 0, n);
	for (unsigned i = draw(12); i-- > 0;)
		disturb();
	for (size_t i = 0; i < waiting.count; i++) {
		struct effect e = waiting.items[i];

		if (i < n || is_overtaken(&e)) {
			if (i >= n)
				rejoin(&journal, &e);
			effect_free(&e, &folders);
		} else {
			waiting.items[kept++] = e;
		}
	}
	waiting.count = kept;
	right = right && replay_all(&was, &waiting, 0, kept);
	net = taken();
	right = right && replay_all(&was, &net, 0, net.count);
	list_tree(top, "", &is);
	right = right && same_lists(&was, &is);
	if (!right) {
		show("before", &before);
		for (size_t i = 0; i < kept; i++)
			printf("# late %s %s %s\n", word_of(&waiting.items[i]),
			       waiting.items[i].path,
			       waiting.items[i].old_path ? waiting.items[i].old_path : "");
		for (size_t i = 0; i < net.count; i++)
			printf("# %s %s %s\n", word_of(&net.items[i]), net.items[i].path,
			       net.items[i].old_path ? net.items[i].old_path : "");
		show("replayed", &was);
		show("after", &is);
	}
	net_free(&waiting);
	net_free(&net);
	return right;
}

static bool late_histories_are_right(unsigned rounds)
{
	for (unsigned seed = 1; seed <= rounds; seed++) {
		bool right = true;

		state = seed * UINT64_C(0x9E3779B97F4A7C15);
		start();
		options = (struct net_options){.gathers = true, .moves = true};
		for (int batch = 0; batch < 12 && right; batch++)
			right = late_batch_is_right();
		finish();
		if (!right) {
			printf("# seed %u\n", seed);
			return false;
		}
	}
	return true;
}

static void close_all(struct node *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->items[i].node)
			close_all(d->items[i].node);
		else
			journal_active(&journal, d, d->items[i].name, 'f', FILE_CLOSE_WRITE);
}

static bool replay_taken(struct list *was)
{
	struct net net = taken();
	bool right = replay_all(was, &net, 0, net.count);

	net_free(&net);
	return right;
}

/* Batches are handed on while files are being written; at last all are closed. */
static bool written_history_is_right(void)
{
	static struct list was, is;
	bool right = true;

	was.count = is.count = 0;
	list_tree(top, "", &was);
	for (unsigned batches = 1 + draw(8); batches-- > 0 && right;) {
		for (unsigned i = draw(12); i-- > 0;)
			disturb();
		right = replay_taken(&was);
	}
	close_all(top);
	right = right && replay_taken(&was);
	list_tree(top, "", &is);
	drop_uncounted(&is);
	drop_uncounted(&was);
	right = right && same_lists(&was, &is);
	if (!right) {
		show("replayed", &was);
		show("after", &is);
	}
	return right;
}

static bool written_histories_are_right(unsigned rounds, struct net_options with)
{
	for (unsigned seed = 1; seed <= rounds; seed++) {
		bool right;

		state = seed * UINT64_C(0x9E3779B97F4A7C15);
		start();
		options = with;
		options.waits = waits_always;
		right = written_history_is_right();
		finish();
		if (!right) {
			printf("# seed %u\n", seed);
			return false;
		}
	}
	return true;
}

/* They are made in pieces, and each directory is gone after what was in it. */
static void test_many(void)
{
	enum { MANY = 5000 };
	struct net_maker *m;
	struct node *src, *d;
	struct net net;
	size_t pieces = 0, right = 0;
	char text[32];

	given("src/d/");
	src = find(top, "src")->node;
	d = find(src, "d")->node;
	journal_gone(&journal, src, "d", 'd', d);
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "%d", i);
		journal_gone(&journal, src, text, 'l', NULL);
		journal_gone(&journal, d, text, 'l', NULL);
	}
	m = net_begin(&journal, &options);
	while (net_go_on(m) > 0)
		pieces++;
	net = net_end(m);
	while (right < MANY) {
		snprintf(text, sizeof text, "src/d/%zu", right);
		if (strcmp(net.items[right].path, text) != 0)
			break;
		right++;
	}
	OK(net.count == 2 * MANY + 1 && right == MANY &&
	       strcmp(net.items[MANY].path, "src/d") == 0 &&
	       strcmp(net.items[2 * MANY].path, "src/4999") == 0,
	   "of many that are gone a directory comes after all in it, else they keep their order");
	OK(pieces > MANY / 100 && !journal.count, "and all is made in pieces");
	net_free(&net);
	finish();
}

/* Exchanges, and a chain of renames, are no more work than other moves. */
static void test_many_moves(void)
{
	enum { MANY = 20000 };
	struct thing *first, *hand;
	struct node *src;
	struct net net;
	char text[32];
	size_t moves = 0;

	for (int gathers = 0; gathers < 2; gathers++) {
		given("");
		options.gathers = gathers;
		src = find(top, "src")->node;
		hand = first = journal_take(&journal, src, "0", 'f', NULL);
		for (int i = 1; i < MANY; i++) {
			struct thing *next;

			snprintf(text, sizeof text, "%d", i);
			next = journal_take(&journal, src, text, 'f', NULL);
			journal_put(&journal, src, text, hand);
			hand = next;
		}
		journal_put(&journal, src, "0", hand);
		net = taken();
		moves = 0;
		for (size_t i = 0; i < net.count; i++)
			moves += net.items[i].event == FILE_MOVE;
		OK(first && net.count == MANY && moves == (gathers ? 0 : MANY - 1),
		   gathers ? "of many in a circle none is moved, with gathering"
			   : "of many that are renamed in a circle one is not told as moved");
		net_free(&net);
		finish();
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 500;
	struct net_options with = {.gathers = true, .moves = true};

	test_net_effects();
	test_alone();
	test_rejoin();
	test_directories();
	test_filters();
	test_writers();
	test_without_gathering();
	test_order();
	test_in_hand();
	test_contents();
	test_pace();
	test_many();
	test_many_moves();
	OK(histories_are_right(rounds, with), "the effects of random batches make the tree");
	OK(late_histories_are_right(rounds), "so do those that wait while more happens");
	OK(written_histories_are_right(rounds, with), "so do those while files are written");
	with.counts = only_files;
	OK(histories_are_right(rounds, with), "they do where only files count");
	OK(written_histories_are_right(rounds, with), "and while these are written");
	with.counts = not_b;
	OK(histories_are_right(rounds, with), "they do where some names do not count");
	with.counts = NULL;
	with.moves = false;
	OK(histories_are_right(rounds, with), "they do without moves");
	with.moves = true;
	with.gathers = false;
	OK(histories_are_right(rounds, with), "they do where nothing is gathered");
	with.contents = &contents;
	OK(histories_are_right(rounds, with), "they do where what holds the same is left out");
	with.gathers = true;
	OK(histories_are_right(rounds, with), "they do where that is gathered");
	with.contents = NULL;
	shuts = true;
	OK(histories_are_right(rounds, with), "they do where some directories are not entered");
	return tap_done();
}
