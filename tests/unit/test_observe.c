/*
 * The model with the kernel: a real tree is disturbed by a thread while it is observed. When all is
 * quiet the model equals the tree, and so do its reports.
 */
#include "source/file/observe/inotify.h"
#include "source/file/batch/writer.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "reactor/reactor.h"
#include "source/file/model/disk.h"
#include "source/file/model/model.h"
#include "quiet_host.h"
#include "real_tree.h"
#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TURN = 1000000 /* ns */ };

static struct world {
	struct reactor *loop;
	struct inotify_set *set;
	struct inotify_observer observer;
	struct model model;
	struct disk disk;
	long names, written; /* reported: names that are there; files that were closed */
	unsigned flickered;
	volatile bool done;
	unsigned seed;
} w;

/* ---- the host: names are counted ------------------------------------------------------------- */

static bool enters(struct model *m, const struct node *d, const char *name)
{
	(void)m;
	(void)d;
	return strcmp(name, "skip") != 0;
}

static void came(struct model *m, struct node *d, const char *name, char type, unsigned bits)
{
	(void)bits;
	(void)m;
	(void)d;
	(void)name;
	(void)type;
	w.names++;
}

static void gone(struct model *m, struct node *d, const char *name, char type, struct node *self)
{
	(void)m;
	(void)d;
	(void)name;
	(void)type;
	(void)self;
	w.names--;
}

static void *take(struct model *m, struct node *d, const char *name, char type, struct node *self)
{
	gone(m, d, name, type, self);
	return NULL;
}

static void put(struct model *m, struct node *d, const char *name, void *thing)
{
	(void)thing;
	came(m, d, name, 0, 0);
}

static void drop(struct model *m, void *thing)
{
	(void)m;
	(void)thing;
}

static void flickered(struct model *m, struct node *d, const char *name, unsigned active)
{
	(void)m;
	(void)d;
	(void)name;
	(void)active;
	w.flickered++;
}

static void active(struct model *m, struct node *d, const char *name, char type, unsigned bits)
{
	(void)m;
	(void)d;
	(void)name;
	(void)type;
	w.written += (bits & FILE_CLOSE_WRITE) != 0;
}

static void changed(struct model *m, struct node *d, const char *name, char type, bool content)
{
	(void)m;
	(void)d;
	(void)name;
	(void)type;
	(void)content;
}

static void unseen(struct model *m, struct node *n, int error)
{
	(void)m;
	printf("# %s: %s\n", node_name(n), strerror(error));
}

static const struct model_host host = {enters,    came,   gone,    take,   put,  drop, shut,
				       flickered, active, changed, unseen, wake, lost};

static void *disturbs(void *unused)
{
	unsigned state = w.seed;

	(void)unused;
	for (int i = 0; i < 400; i++)
		disturb(&state);
	w.done = true;
	return NULL;
}

/* ---- what must be equal ---------------------------------------------------------------------- */

static void list_model(const struct node *d, struct list *out)
{
	struct entry *e;

	for (uint32_t at = 0; (e = entries_next(d->entries, &at));) {
		struct buf path = {0};

		node_path(d, e->name, &path);
		if (d->parent && path.data)
			add_line(out, path.data);
		buf_free(&path);
		if (e->entered)
			list_model(e->node, out);
	}
}

static bool same_lists(struct list *tree, struct list *model)
{
	bool same = tree->count == model->count;

	qsort(tree->items, tree->count, sizeof *tree->items, by_text);
	qsort(model->items, model->count, sizeof *model->items, by_text);
	for (size_t i = 0; i < tree->count && same; i++)
		same = strcmp(tree->items[i], model->items[i]) == 0;
	if (!same) {
		for (size_t i = 0; i < tree->count; i++)
			printf("# tree %s\n", tree->items[i]);
		for (size_t i = 0; i < model->count; i++)
			printf("# model %s\n", model->items[i]);
	}
	while (tree->count)
		free(tree->items[--tree->count]);
	while (model->count)
		free(model->items[--model->count]);
	return same;
}

static bool is_equal(void)
{
	static struct list tree, model;

	list_tree("tree", &tree);
	list_model(w.model.top, &model);
	/* The root counts, too. */
	if ((size_t)w.names != model.count + 1)
		printf("# %ld names were reported, %zu are known\n", w.names, model.count + 1);
	return (size_t)w.names == model.count + 1 && same_lists(&tree, &model);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void open_world(void)
{
	struct error e;

	w.loop = reactor_new(NULL, NULL);
	w.set = inotify_set_new(w.loop);
	w.names = w.written = 0;
	w.flickered = 0;
	w.done = false;
	disk_init(&w.disk);
	w.observer = (struct inotify_observer){.base = {&observer_inotify, &w.model},
					       .set = w.set,
					       .active = FILE_CLOSE_WRITE | FILE_MODIFY};
	w.model = (struct model){.fs = &w.disk.fs, .host = &host, .observer = &w.observer.base};
	if (observer_inotify.open(&w.observer.base, &e) < 0 || model_open(&w.model) < 0)
		printf("# %s\n", e.what);
	model_add_root(&w.model, "tree");
	model_drained(&w.model);
}

static void close_world(void)
{
	observer_inotify.close(&w.observer.base); /* its listeners are in the nodes */
	model_close(&w.model);
	inotify_set_free(w.set);
	reactor_free(w.loop);
}

static void turn(void)
{
	reactor_turn(w.loop, TURN);
	model_work(&w.model, clock_read(CLOCK_OF_LOOP) + 2 * TURN);
}

static bool work(void)
{
	return model_work(&w.model, clock_read(CLOCK_OF_LOOP) + TURN);
}

/* Until nothing comes any more. */
static void settle(void)
{
	for (int quiet = 0; quiet < 20; quiet++) {
		reactor_turn(w.loop, TURN);
		if (work())
			quiet = 0;
	}
}

static void start(void)
{
	mkdir("tree", 0755);
	mkdir("away", 0755);
	open_world();
}

static void finish(void)
{
	close_world();
	remove_all("tree");
	remove_all("away");
}

static bool round_is_right(unsigned seed)
{
	pthread_t thread;
	bool right;

	start();
	w.seed = seed;
	settle();
	if (pthread_create(&thread, NULL, disturbs, NULL) != 0)
		return false;
	while (!w.done)
		turn();
	pthread_join(thread, NULL);
	settle();
	right = is_equal();
	finish();
	return right;
}

static void test_tree(void)
{
	start();
	mkdir("tree/a", 0755);
	settle();
	SAME(w.names, 2, "a root and a directory are known");
	mkdir("tree/a/new", 0755);
	write_file("tree/a/new/f");
	settle();
	SAME(w.names, 4, "what is made in a new directory is known");
	write_file("tree/a/new/f");
	w.written = 0;
	settle();
	SAME(w.written, 1, "a file that was written is reported once");
	write_file("tree/g");
	unlink("tree/g");
	settle();
	SAME(w.flickered, 1, "what came and went is reported as that");
	rename("tree", "elsewhere");
	model_hint(&w.model, w.model.top, "tree", HINT_LEFT);
	model_drained(&w.model);
	settle();
	SAME(w.names, 0, "a root that left is gone with all in it");
	rename("elsewhere", "tree");
	finish();
}

static void test_link_for_a_directory(void)
{
	start();
	mkdir("tree/a", 0755);
	mkdir("away/in", 0755);
	settle();
	/* What was a directory when it was found is a link when it is read. */
	mkdir("tree/b", 0755);
	reactor_turn(w.loop, TURN);
	for (int i = 0; i < 6; i++)
		model_work(&w.model, 0);
	rmdir("tree/b");
	if (symlink("../away", "tree/b") < 0)
		perror("tree/b");
	settle();
	SAME(w.names, 3, "nothing behind a link is known");
	finish();
}

static void test_writers(void)
{
	int fd = open("upload", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	enum writer answer = writer_ask("upload");

	if (answer == WRITER_UNKNOWN) {
		SKIP("no leases on this file system", "a file that is written has a writer");
	} else {
		SAME(answer, WRITER_AT_WORK, "a file that is written has a writer");
		close(fd);
		SAME(writer_ask("upload"), WRITER_NONE, "one that was closed has none");
		fd = open("upload", O_RDONLY | O_CLOEXEC);
		SAME(writer_ask("upload"), WRITER_NONE, "one that is read has none");
	}
	close(fd);
	unlink("upload");
	SAME(writer_ask("upload"), WRITER_NONE, "nor has one that is gone");
	if (mkfifo("upload", 0644) == 0)
		SAME(writer_ask("upload"), WRITER_NONE, "a FIFO is not asked, nor opened");
	unlink("upload");
}

int main(int argc, char **argv)
{
	char folder[] = "/tmp/observe.XXXXXX";
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 10, failed = 0;

	if (!mkdtemp(folder) || chdir(folder) < 0)
		return 1;
	test_tree();
	test_link_for_a_directory();
	test_writers();
	for (unsigned seed = 1; seed <= rounds && failed < 2; seed++)
		if (!round_is_right(seed)) {
			printf("# seed %u\n", seed);
			failed++;
		}
	OK(!failed, "after %u rounds of disturbance the model equals the tree", rounds);
	if (chdir("/") == 0)
		rmdir(folder);
	return tap_done();
}
