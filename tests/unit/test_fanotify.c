/*
 * The sparse model with fanotify: nothing is read before something happens, a real tree is
 * disturbed, and at the end the reports, replayed on what was there at the start, are the tree.
 */
#include "source/file/observe/fanotify.h"

#include "base/error.h"
#include "base/list.h"
#include "source/file/model/disk.h"
#include "source/file/model/model.h"
#include "source/file/observe/inotify.h"

#include "real_tree.h"
#include "tap.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/wait.h>

enum { TURN = 1000000 /* ns */, LOG = 4096 };

static struct world {
	struct reactor *loop;
	struct fanotify_observer observer;
	struct model model;
	struct disk disk;
	struct list paths; /* the tree, as it was reported to be */
	char log[LOG][PATH];
	size_t n_log;
	size_t wrong, n_lost;
	int by; /* of the last report */
	volatile bool done;
	unsigned seed;
} w;

/* ---- the host: reports are replayed ---------------------------------------------------------- */

struct hand {
	size_t prefix;
	struct list list;
};

static char *path_of(const struct node *d, const char *name)
{
	struct buf b = {0};

	node_path(d, name, &b);
	return buf_take(&b);
}

static void log_line(const char *what, const char *path)
{
	if (w.n_log < LOG)
		snprintf(w.log[w.n_log++], PATH, "%s %.500s", what, path);
	w.by = w.model.by;
}

static bool has_log(const char *line)
{
	for (size_t i = 0; i < w.n_log; i++)
		if (strcmp(w.log[i], line) == 0)
			return true;
	return false;
}

static size_t place_of(const char *path)
{
	size_t i = 0;

	while (i < w.paths.count && strcmp(w.paths.items[i], path) != 0)
		i++;
	return i;
}

static void remove_at(size_t i)
{
	free(w.paths.items[i]);
	w.paths.items[i] = w.paths.items[--w.paths.count];
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '/' || !path[n]);
}

static bool enters(struct model *m, const struct node *d, const char *name)
{
	(void)m;
	(void)d;
	return strcmp(name, "skip") != 0;
}

static void add_path(const char *path)
{
	if (place_of(path) < w.paths.count) {
		/* A rename whose word that it replaced something was merged into an earlier one
		 * counts as one onto a free name. */
		log_line("came onto", path);
		w.wrong += !w.model.settings.unread;
	} else {
		add_line(&w.paths, path);
	}
}

static void came(struct model *m, struct node *d, const char *name, char type, unsigned bits)
{
	char *path = path_of(d, name);

	(void)m;
	(void)type;
	(void)bits;
	log_line("came", path);
	add_path(path);
	free(path);
}

static void gone(struct model *m, struct node *d, const char *name, char type, struct node *self)
{
	char *path = path_of(d, name);

	(void)m;
	(void)type;
	(void)self;
	log_line("gone", path);
	for (size_t i = 0; i < w.paths.count;)
		if (is_below(w.paths.items[i], path))
			remove_at(i);
		else
			i++;
	free(path);
}

static void *take(struct model *m, struct node *d, const char *name, char type, struct node *self)
{
	struct hand *h = calloc(1, sizeof *h);
	char *path = path_of(d, name);

	(void)m;
	(void)type;
	(void)self;
	log_line("left", path);
	h->prefix = strlen(path);
	for (size_t i = 0; i < w.paths.count;)
		if (is_below(w.paths.items[i], path)) {
			h->list.items[h->list.count++] = w.paths.items[i];
			w.paths.items[i] = w.paths.items[--w.paths.count];
		} else {
			i++;
		}
	free(path);
	return h;
}

static void drop(struct model *m, void *thing)
{
	struct hand *h = thing;

	(void)m;
	while (h->list.count)
		free(h->list.items[--h->list.count]);
	free(h);
}

static void put(struct model *m, struct node *d, const char *name, void *thing)
{
	struct hand *h = thing;
	char *path = path_of(d, name);

	log_line("at", path);
	for (size_t i = 0; i < h->list.count; i++) {
		struct buf b = {0};

		buf_printf(&b, "%s%s", path, h->list.items[i] + h->prefix);
		add_path(b.data);
		buf_free(&b);
	}
	free(path);
	drop(m, h);
}

static void flickered(struct model *m, struct node *d, const char *name, unsigned active)
{
	char *path = path_of(d, name);

	(void)m;
	(void)active;
	log_line("flickered", path);
	free(path);
}

static void active(struct model *m, struct node *d, const char *name, char type, unsigned bits)
{
	char *path = path_of(d, name);

	(void)m;
	(void)type;
	if (bits & FILE_CLOSE_WRITE)
		log_line("written", path);
	if (bits & FILE_ATTRIB)
		log_line("attrib", path);
	free(path);
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

static void shut(struct model *m, struct node *d, const char *name, struct node *self)
{
	(void)m;
	(void)d;
	(void)name;
	(void)self;
}

static void wake(struct model *m)
{
	(void)m;
}

static bool keeps(struct fanotify_observer *o)
{
	(void)o;
	return false;
}

static void lost(struct model *m, int64_t synced)
{
	m->since = synced;
	w.n_lost++;
}

static const struct model_host host = {enters,    came,   gone,    take,   put,  drop, shut,
				       flickered, active, changed, unseen, wake, lost};

/* ---- a world --------------------------------------------------------------------------------- */

static bool open_world(bool unread)
{
	static char *const roots[] = {"tree"};
	struct error e;

	w.loop = reactor_new(NULL, NULL);
	w.n_log = w.wrong = w.n_lost = 0;
	w.done = false;
	disk_init(&w.disk);
	w.observer = (struct fanotify_observer){.base = {&observer_fanotify, &w.model},
						.reactor = w.loop,
						.roots = roots,
						.n_roots = 1,
						.active = FILE_CLOSE_WRITE | FILE_ATTRIB,
						.keeps = keeps};
	w.model = (struct model){.fs = &w.disk.fs,
				 .host = &host,
				 .observer = &w.observer.base,
				 .settings = {.sparse = true, .unread = unread}};
	if (model_open(&w.model) < 0 || observer_fanotify.open(&w.observer.base, &e) < 0) {
		printf("# %s\n", e.what);
		model_close(&w.model);
		reactor_free(w.loop);
		return false;
	}
	w.model.early = true;
	model_add_root(&w.model, "tree");
	while (model_work(&w.model, INT64_MAX))
		;
	model_begun(&w.model);
	return true;
}

static void close_world(void)
{
	observer_fanotify.close(&w.observer.base);
	model_close(&w.model);
	reactor_free(w.loop);
	while (w.paths.count)
		free(w.paths.items[--w.paths.count]);
}

static bool turn(void)
{
	bool more;

	reactor_turn(w.loop, TURN);
	more = model_work(&w.model, clock_read(CLOCK_OF_LOOP) + TURN);
	if (!more)
		observer_fanotify.read(&w.observer.base);
	return more || !model_idle(&w.model) || w.observer.progress.stage != FAN_FRESH;
}

static void settle(void)
{
	for (int quiet = 0; quiet < 20; quiet++)
		if (turn())
			quiet = 0;
}

/* What is there is not reported. */
static bool start(bool unread)
{
	mkdir("away", 0755);
	mkdir("tree", 0755);
	if (!open_world(unread))
		return false;
	settle();
	if (unread)
		list_tree("tree", &w.paths);
	w.n_log = 0;
	return true;
}

static void finish(void)
{
	close_world();
	remove_all("tree");
	remove_all("away");
}

static bool is_equal(void)
{
	static struct list tree;
	bool same;

	list_tree("tree", &tree);
	/* The root itself is reported, too. */
	for (size_t i = 0; i < w.paths.count; i++)
		if (strcmp(w.paths.items[i], "tree") == 0)
			remove_at(i--);
	qsort(tree.items, tree.count, sizeof *tree.items, by_text);
	qsort(w.paths.items, w.paths.count, sizeof *w.paths.items, by_text);
	same = tree.count == w.paths.count && !w.wrong;
	for (size_t i = 0; i < tree.count && same; i++)
		same = strcmp(tree.items[i], w.paths.items[i]) == 0;
	if (!same) {
		for (size_t i = 0; i < tree.count; i++)
			if (place_of(tree.items[i]) == w.paths.count)
				printf("# not reported: %s\n", tree.items[i]);
		for (size_t i = 0; i < w.paths.count; i++) {
			size_t k = 0;

			while (k < tree.count && strcmp(tree.items[k], w.paths.items[i]) != 0)
				k++;
			if (k == tree.count)
				printf("# not there: %s\n", w.paths.items[i]);
		}
		printf("# %zu reports did not fit\n", w.wrong);
		for (size_t i = 0; i < w.n_log && getenv("VERBOSE"); i++)
			printf("# %s\n", w.log[i]);
	}
	while (tree.count)
		free(tree.items[--tree.count]);
	return same;
}

/* ---- single histories ------------------------------------------------------------------------ */

static void test_files(void)
{
	mkdir("tree", 0755);
	mkdir("tree/d", 0755);
	write_file("tree/d/old");
	write_file("tree/d/lost");
	write_file("tree/d/saved");
	start(true);
	write_file("tree/d/old");
	write_file("tree/d/new");
	write_file("tree/d/flick");
	unlink("tree/d/flick");
	unlink("tree/d/lost");
	write_file("tree/d/temporary");
	rename("tree/d/temporary", "tree/d/saved");
	settle();
	OK(has_log("written tree/d/old") && !has_log("came tree/d/old"),
	   "what was there is written, and does not come");
	OK(has_log("came tree/d/new"), "a new file comes");
	OK(has_log("flickered tree/d/flick"), "what came and went is reported as that");
	OK(has_log("gone tree/d/lost"), "what was there is gone");
	OK(has_log("gone tree/d/saved") && has_log("came tree/d/saved"),
	   "what a rename replaced is gone");
	SAME(w.by, getpid(), "who did it is known");
	OK(is_equal(), "all that was reported is the tree");
	finish();
}

/* The root is looked at when it is followed to be another: what was done in it is still queued. */
static void test_replaced_root(void)
{
	mkdir("tree", 0755);
	mkdir("tree/d", 0755);
	write_file("tree/a");
	write_file("tree/d/f");
	start(true);
	write_file("tree/b");
	remove_all("tree");
	mkdir("tree", 0755);
	write_file("tree/new");
	model_add_root(&w.model, "tree");
	model_drained(&w.model);
	while (model_work(&w.model, INT64_MAX))
		;
	settle();
	OK(has_log("gone tree/a") && has_log("gone tree/d/f") && has_log("gone tree/d"),
	   "what was deleted before its root was looked at is gone");
	OK(has_log("came tree/new") && is_equal(), "what is in the new root comes");
	finish();
}

static void test_directories(void)
{
	mkdir("tree", 0755);
	mkdir("away", 0755);
	mkdir("tree/a", 0755);
	mkdir("tree/a/b", 0755);
	write_file("tree/a/b/f");
	mkdir("tree/gone", 0755);
	write_file("tree/gone/f");
	mkdir("away/in", 0755);
	write_file("away/in/f");
	start(true);
	rename("tree/a", "tree/z");
	write_file("tree/z/b/g");
	rename("tree/z/b", "tree/y");
	remove_all("tree/gone");
	rename("away/in", "tree/in");
	write_file("tree/in/late");
	settle();
	OK(has_log("left tree/a") && has_log("at tree/z"), "a directory moves");
	OK(has_log("gone tree/gone/f"), "what was in a directory that is gone is gone, too");
	OK(has_log("came tree/in/f"), "what is in a directory that comes comes, too");
	OK(has_log("written tree/in/late"), "and what is done in it then is reported");
	OK(is_equal(), "renamed, removed and new directories are the tree");
	rename("tree/in", "away/in");
	settle();
	OK(has_log("gone tree/in/f"), "what is in a directory that leaves is gone");
	OK(is_equal(), "and nothing is left of it");
	rename("tree/y", "away/out");
	settle();
	OK(has_log("gone tree/y/f"), "also where it was never read");
	OK(is_equal(), "what left is no part of the tree");
	finish();
}

/* Where the directory was is known by what the kernel reports of one above it. */
static void test_left_before(void)
{
	mkdir("tree", 0755);
	mkdir("tree/x", 0755);
	mkdir("tree/x/a", 0755);
	mkdir("tree/x/a/b", 0755);
	write_file("tree/x/a/b/moved");
	write_file("tree/x/a/b/gone");
	start(true);
	rename("tree/x/a/b/moved", "tree/moved");
	unlink("tree/x/a/b/gone");
	rename("tree/x", "away/x");
	settle();
	OK(has_log("left tree/x/a/b/moved") || has_log("gone tree/x/a/b/moved"),
	   "what moved from a directory before that left the tree is reported");
	OK(has_log("gone tree/x/a/b/gone") && is_equal(), "and what was deleted is");
	finish();
}

static void test_made_and_removed(void)
{
	start(true);
	mkdir("tree/a", 0755);
	mkdir("tree/a/b", 0755);
	write_file("tree/a/b/f");
	rename("tree/a", "tree/z");
	remove_all("tree/z");
	settle();
	OK(has_log("flickered tree/a/b/f"), "what was in a directory that came and went did, too");
	OK(is_equal(), "and nothing of it is left");
	finish();
}

/* Its successor is read before that is dealt with. */
static void test_made_and_replaced(void)
{
	mkdir("tree", 0755);
	mkdir("away", 0755);
	mkdir("away/d", 0755);
	start(true);
	rename("away/d", "tree/d");
	mkdir("tree/d/n", 0755);
	write_file("tree/d/n/f");
	write_file("tree/d/n/g");
	remove_all("tree/d/n");
	mkdir("tree/d/n", 0755);
	write_file("tree/d/n/f");
	settle();
	OK(has_log("flickered tree/d/n/g"), "what was in a directory that was made twice went");
	OK(!has_log("flickered tree/d/n/f"), "but for what is in its successor");
	OK(is_equal(), "and that is the tree");
	finish();
}

static void test_exchange(void)
{
	mkdir("tree", 0755);
	mkdir("tree/a", 0755);
	write_file("tree/a/f");
	write_file("tree/x");
	start(true);
	renameat2(AT_FDCWD, "tree/a", AT_FDCWD, "tree/x", RENAME_EXCHANGE);
	settle();
	OK(has_log("at tree/a") && has_log("at tree/x"), "what is exchanged moves, both of it");
	OK(is_equal(), "and is the tree");
	finish();
}

/* The process that renames may be interrupted between the kernel's events of that. */
static void test_interrupted(void)
{
	static char bytes[4096];
	struct fanotify_event_metadata first;
	int ends[2], fd;
	ssize_t n;

	mkdir("tree", 0755);
	mkdir("tree/a", 0755);
	mkdir("tree/b", 0755);
	start(true);
	rename("tree/a", "tree/b");
	fd = w.observer.queue.fd;
	n = read(fd, bytes, sizeof bytes);
	memcpy(&first, bytes, sizeof first);
	if (n < (ssize_t)first.event_len || pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
		return;
	w.observer.queue.fd = ends[0];
	if (write(ends[1], bytes, first.event_len) < 0)
		perror("write");
	for (int i = 0; i < 5; i++)
		turn();
	OK(!has_log("left tree/a"), "a rename waits for what the kernel has not reported yet");
	if (write(ends[1], bytes + first.event_len, (size_t)n - first.event_len) < 0)
		perror("write");
	settle();
	OK(has_log("gone tree/b") && has_log("at tree/b"), "and what it replaced is gone");
	w.observer.queue.fd = fd;
	close(ends[0]);
	close(ends[1]);
	finish();
}

/* A chain of directories outside, as deep as anybody likes, costs no more than its events. */
static void test_chain(void)
{
	int levels = 6000, at = AT_FDCWD;
	int64_t began, took;

	start(true);
	mkdir("away/t", 0755);
	at = open("away/t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < levels; i++) {
		int next;

		mkdirat(at, "d", 0755);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	close(at);
	settle();
	if (system("rm -rf away/t") != 0)
		perror("rm");
	write_file("tree/after");
	began = clock_read(CLOCK_OF_LOOP);
	settle();
	took = clock_read(CLOCK_OF_LOOP) - began;
	OK(has_log("came tree/after") && took < INT64_C(3000000000),
	   "a chain of %d directories that is removed elsewhere delays by %lld ms", levels,
	   (long long)(took / 1000000));
	finish();
}

/* The queue is read away, and the kernel's word for that put in its place. */
static void test_overflow(void)
{
	struct fanotify_event_metadata word = {.event_len = sizeof word,
					       .vers = FANOTIFY_METADATA_VERSION,
					       .metadata_len = sizeof word,
					       .mask = FAN_Q_OVERFLOW,
					       .fd = FAN_NOFD};
	static char bytes[65536];

	start(true);
	write_file("tree/f");
	write_file("tree/g");
	settle();
	unlink("tree/f");
	while (read(w.observer.fd, bytes, sizeof bytes) > 0)
		;
	buf_add(&w.observer.queue.bytes, &word, sizeof word);
	settle();
	OK(has_log("gone tree/f") && !has_log("gone tree/g") && w.n_lost == 1,
	   "what is known is looked at again when events were lost");
	finish();
}

static void test_unmount(void)
{
	mkdir("tree", 0755);
	if (mount("none", "tree", "tmpfs", 0, NULL) < 0) {
		SKIP(strerror(errno), "a file system that is observed can be unmounted");
		return;
	}
	start(true);
	write_file("tree/f");
	mkdir("tree/d", 0755);
	write_file("tree/d/f");
	settle();
	OK(has_log("came tree/f") && has_log("came tree/d/f"), "another file system is observed");
	OK(umount("tree") == 0, "and can be unmounted");
	finish();
}

static void test_mount_below(void)
{
	mkdir("tree", 0755);
	mkdir("tree/m", 0755);
	if (mount("none", "tree/m", "tmpfs", 0, NULL) < 0) {
		SKIP(strerror(errno), "what is mounted below a root is observed");
		return;
	}
	mkdir("tree/m/d", 0755);
	start(true);
	OK(fanotify_mount(&w.observer, "tree/m") == 0, "a mount below a root gets a mark");
	write_file("tree/m/d/f");
	settle();
	OK(has_log("came tree/m/d/f"), "and what happens there is reported");
	OK(umount("tree/m") == 0, "it can be unmounted");
	finish();
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void *disturbs(void *unused)
{
	unsigned state = w.seed;

	(void)unused;
	for (int i = 0; i < 400; i++)
		disturb(&state);
	w.done = true;
	return NULL;
}

static void print_awaited(void)
{
	for (struct link *at = w.model.names.hinted.order.next; at != &w.model.names.hinted.order;
	     at = at->next) {
		const struct touched *t = CONTAINER_OF(at, struct touched, link);
		char *path = path_of(t->node, t->name);

		printf("# awaited: %s, hints %u, the last %u\n", path, t->bits, t->last);
		free(path);
	}
}

static bool round_is_right(unsigned seed, bool unread, bool waits)
{
	pthread_t thread;
	bool right;

	mkdir("tree", 0755);
	mkdir("away", 0755);
	w.seed = seed * 7;
	disturbs(NULL);
	start(unread);
	w.seed = seed;
	if (pthread_create(&thread, NULL, disturbs, NULL) != 0)
		return false;
	while (!w.done && !waits)
		turn();
	pthread_join(thread, NULL);
	settle();
	print_awaited();
	right = is_equal();
	finish();
	return right;
}

static void test_rounds(unsigned rounds, bool unread, bool waits, const char *promise)
{
	unsigned failed = 0;

	for (unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : 1;
	     seed <= rounds && failed < 3; seed++)
		if (!round_is_right(seed, unread, waits)) {
			printf("# seed %u\n", seed);
			failed++;
		}
	OK(!failed, "%s", promise);
}

int main(int argc, char **argv)
{
	char folder[] = "/tmp/fanotify.XXXXXX";
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 5;

	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (!mkdtemp(folder) || chdir(folder) < 0)
		return 1;
	mkdir("tree", 0755);
	if (open_world(true)) {
		close_world();
		test_files();
		test_directories();
		test_replaced_root();
		test_left_before();
		test_made_and_removed();
		test_made_and_replaced();
		test_exchange();
		test_interrupted();
		test_chain();
		test_overflow();
		test_unmount();
		test_mount_below();
		test_rounds(rounds, false, false, "what was read and then disturbed is the tree");
		if (argc > 1)
			test_rounds(rounds, true, false, "so is what was never read");
		test_rounds(rounds, true, true, "also when all happens before it is looked at");
	} else {
		SKIP("no fanotify here", "fanotify says what happens");
	}
	remove_all("tree");
	if (chdir("/") == 0)
		rmdir(folder);
	return tap_done();
}
