/* lib/inotify: shared watches, who is called, and callbacks that stop others. Real directories. */
#include "inotify/inner.h"

#include "base/error.h"
#include "base/list.h"
#include "reactor/reactor.h"
#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct ear {
	struct inotify_listener listener;
	int heard, ignored;
	uint32_t mask;
	char name[64];
	/* What the callback does, once. */
	struct ear *stops, *starts;
	struct inotify_user *leaves;
	const char *listens;
};

struct listening {
	struct inotify_user user;
	int lost, drained;
};

static struct reactor *loop;
static struct inotify_set *set;

static void on_event(struct inotify_user *u, struct inotify_listener *l,
		     const struct inotify_event *event)
{
	struct ear *ear = CONTAINER_OF(l, struct ear, listener);

	ear->heard++;
	ear->mask |= event->mask;
	ear->ignored += (event->mask & IN_IGNORED) != 0;
	if (inotify_name(event))
		snprintf(ear->name, sizeof ear->name, "%.60s", inotify_name(event));
	if (ear->stops) {
		inotify_unlisten(u, &ear->stops->listener);
		memset(ear->stops, 0xa5, sizeof *ear->stops); /* as if it were freed */
	}
	ear->stops = NULL;
	if (ear->starts)
		inotify_listen(u, &ear->starts->listener, "tree", IN_CREATE);
	ear->starts = NULL;
	if (ear->listens)
		inotify_listen(u, l, ear->listens, IN_CREATE);
	ear->listens = NULL;
	if (ear->leaves)
		inotify_leave(ear->leaves);
}

static void on_lost(struct inotify_user *u)
{
	CONTAINER_OF(u, struct listening, user)->lost++;
}

static void on_drained(struct inotify_user *u)
{
	CONTAINER_OF(u, struct listening, user)->drained++;
}

static const struct inotify_calls calls = {on_event, on_lost, on_drained};

static void join(struct listening *who, const char *root)
{
	char *roots[1] = {(char *)(uintptr_t)root};
	struct error e;

	*who = (struct listening){.user = {.calls = &calls, .priority = PRIORITY_DEFAULT}};
	if (inotify_join(set, &who->user, roots, root ? 1 : 0, &e) < 0)
		printf("# %s\n", e.what);
}

static void listen_to(struct listening *who, struct ear *ear, const char *path, uint32_t mask)
{
	if (inotify_listen(&who->user, &ear->listener, path, mask) < 0)
		perror(path);
}

static void turn(void)
{
	reactor_turn(loop, 0);
	reactor_turn(loop, 0);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, "x", 1) != 1)
		perror(path);
	close(fd);
}

/* Lines of /proc/self/fdinfo that begin with `what`, or the inotify descriptors (NULL). */
static int kernel_counts(const char *what)
{
	DIR *d = opendir("/proc/self/fdinfo");
	struct dirent *entry;
	char path[300], line[300];
	int n = 0;

	while (d && (entry = readdir(d))) {
		ssize_t length;

		snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
		length = readlink(path, line, sizeof line - 1);
		line[length > 0 ? length : 0] = '\0';
		if (!what) {
			n += strcmp(line, "anon_inode:inotify") == 0;
			continue;
		}
		snprintf(path, sizeof path, "/proc/self/fdinfo/%s", entry->d_name);

		FILE *f = fopen(path, "re");

		while (f && fgets(line, sizeof line, f))
			n += strncmp(line, what, strlen(what)) == 0;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return n;
}

static int watches_of_kernel(void)
{
	return kernel_counts("inotify wd:");
}

static void test_sharing(void)
{
	struct listening a, b, c, d;
	struct ear ears[3] = {{.heard = 0}};

	mkdir("tree", 0755);
	mkdir("tree/in", 0755);
	mkdir("other", 0755);
	join(&a, "/x/tree");
	join(&b, "/x/tree/in");
	join(&c, "/x/tree2");
	join(&d, NULL);
	OK(a.user.on == b.user.on, "trees that overlap share an instance");
	OK(a.user.on != c.user.on, "trees that do not have their own");
	OK(d.user.on != a.user.on && d.user.on != c.user.on, "so have those without a tree");
	SAME(kernel_counts(NULL), 3, "the kernel has as many");
	listen_to(&a, &ears[0], "tree", IN_CREATE);
	listen_to(&b, &ears[1], "tree", IN_DELETE);
	listen_to(&c, &ears[2], "tree", IN_CREATE);
	SAME(watches_of_kernel(), 2, "one watch an inode and instance");
	touch("tree/f");
	turn();
	SAME_TEXT(ears[0].name, "f", "who asked for creations hears of one");
	SAME_TEXT(ears[2].name, "f", "and in another instance, too");
	SAME(a.drained, 1, "and that the queue is empty");
	unlink("tree/f");
	turn();
	OK(ears[1].mask & IN_DELETE, "masks are merged");
	inotify_leave(&a.user);
	SAME(watches_of_kernel(), 2, "a watch stays while somebody listens");
	inotify_unlisten(&b.user, &ears[1].listener);
	SAME(watches_of_kernel(), 1, "and goes with the last listener");
	inotify_leave(&b.user);
	inotify_leave(&c.user);
	inotify_leave(&d.user);
	SAME(kernel_counts(NULL), 0, "the descriptors go with their last users");
}

/* An exchange there and back is found out by it (source/file/model/read.c). */
static void test_quiet(void)
{
	struct listening a, b;
	struct ear ear = {.heard = 0}, above = {.heard = 0};

	join(&a, "/x/tree");
	join(&b, "/y");
	listen_to(&a, &ear, "tree", IN_CREATE | IN_MOVE);
	listen_to(&b, &above, ".", IN_MOVE);
	OK(inotify_is_quiet(&a.user), "it is quiet when nothing has happened");
	mkdir("tree/moves", 0755);
	inotify_read(&a.user);
	OK(inotify_is_quiet(&a.user), "and when what happened was passed on");
	rename("tree/moves", "tree/moved");
	rename("tree/moved", "tree/moves");
	OK(!inotify_is_quiet(&a.user), "it is not when something was renamed there and back");
	inotify_read(&a.user);
	rename("tree", "else");
	rename("else", "tree");
	OK(!inotify_is_quiet(&a.user), "nor when that is an event of another instance");
	inotify_read(&b.user);
	rmdir("tree/moves");
	if (mount("none", "tree", "tmpfs", 0, NULL) == 0) {
		umount("tree");
		OK(!inotify_is_quiet(&a.user), "nor when something was mounted meanwhile");
		OK(inotify_is_quiet(&a.user), "which is said once");
	} else {
		SKIP("cannot mount", "mounts");
	}
	inotify_leave(&a.user);
	inotify_leave(&b.user);
}

static void test_many(void)
{
	static struct listening who[40];
	char root[32];

	for (size_t i = 0; i < 40; i++) {
		snprintf(root, sizeof root, "/r%zu", i);
		join(&who[i], i == 39 ? NULL : root);
	}
	SAME(kernel_counts(NULL), 16, "a process has 16 instances at most");
	for (size_t i = 0; i < 39; i++)
		if (who[i].user.on == who[39].user.on)
			OK(false, "rule %zu shares with what follows paths", i);
	for (size_t i = 0; i < 40; i++)
		inotify_leave(&who[i].user);
}

static void test_stopping_within(void)
{
	struct listening a, b;
	struct ear ears[3] = {{.heard = 0}};

	join(&a, "/t");
	join(&b, "/t");
	for (size_t i = 0; i < 3; i++)
		listen_to(&a, &ears[i], "tree", IN_CREATE);
	/* The last one that listens is called first. */
	ears[2].stops = &ears[1];
	touch("tree/g");
	turn();
	SAME(ears[2].heard, 1, "a callback may free the listener that is next");
	SAME(ears[0].heard, 1, "the one after it is called");
	ears[1] = (struct ear){.heard = 0};
	ears[2].starts = &ears[1];
	unlink("tree/g");
	touch("tree/g");
	turn();
	SAME(ears[0].heard, 2, "a callback may start another listener");
	SAME(ears[1].heard, 0, "which hears nothing of what was before its time");
	unlink("tree/g");
	touch("tree/g");
	turn();
	SAME(ears[1].heard, 1, "but of what comes then");
	ears[0] = (struct ear){.listener = ears[0].listener, .heard = 1, .leaves = &a.user};
	unlink("tree/g");
	touch("tree/g");
	touch("tree/h");
	turn();
	OK(!a.user.on, "a callback may let its user leave");
	SAME(ears[0].heard, 2, "and nobody of it is called any more");
	ears[0] = (struct ear){.leaves = &b.user};
	listen_to(&b, &ears[0], "tree", IN_DELETE);
	unlink("tree/g");
	unlink("tree/h");
	turn();
	SAME(ears[0].heard, 1, "the last user of an instance may leave in a callback");
	SAME(kernel_counts(NULL), 0, "and its descriptor goes");
}

static void test_gone(void)
{
	struct listening a;
	struct ear ears[2] = {{.heard = 0}};
	int wd;

	join(&a, NULL);
	mkdir("gone", 0755);
	listen_to(&a, &ears[0], "gone", IN_CREATE);
	listen_to(&a, &ears[1], "gone", IN_CREATE);
	ears[0].listens = "tree";
	rmdir("gone");
	mkdir("gone", 0755);
	turn();
	SAME(ears[1].ignored, 1, "who listens to a directory that is removed is told IN_IGNORED");
	OK(!inotify_listens(&ears[1].listener), "and is stopped");
	OK(inotify_listens(&ears[0].listener), "unless it listens to another by then");
	touch("tree/i");
	turn();
	SAME_TEXT(ears[0].name, "i", "which it hears");
	wd = ears[0].listener.wd;
	listen_to(&a, &ears[0], "./tree", IN_CREATE);
	SAME(ears[0].listener.wd, wd, "the same inode is the same watch");
	listen_to(&a, &ears[0], "gone", IN_CREATE);
	OK(ears[0].listener.wd != wd, "another inode is another one");
	SAME(watches_of_kernel(), 1, "the old watch goes");
	SAME(inotify_listen(&a.user, &ears[0].listener, "nowhere", IN_CREATE), -1,
	     "what is missing cannot be listened to");
	OK(inotify_listens(&ears[0].listener), "and the listener is as it was");
	touch("tree/j"); /* nobody's: the kernel may still have events of the old watch */
	unlink("tree/j");
	turn();
	inotify_leave(&a.user);
}

/* Watches come and go at random; at the end everybody hears exactly what they listen to. */
static void test_churn(void)
{
	enum { EARS = 300, DIRS = 40 };
	static struct ear ears[EARS];
	static int at[EARS];
	struct listening a;
	char path[64];
	bool right = true;

	memset(ears, 0, sizeof ears);
	join(&a, NULL);
	srandom(7);
	for (int i = 0; i < DIRS; i++) {
		snprintf(path, sizeof path, "churn%d", i);
		mkdir(path, 0755);
	}
	for (int i = 0; i < EARS; i++)
		at[i] = -1;
	for (int i = 0; i < 6000; i++) {
		int who = (int)(random() % EARS), dir = (int)(random() % (DIRS + 10));

		at[who] = dir < DIRS ? dir : -1;
		snprintf(path, sizeof path, "churn%d", dir);
		if (dir < DIRS)
			listen_to(&a, &ears[who], path, IN_CREATE);
		else
			inotify_unlisten(&a.user, &ears[who].listener);
	}
	turn();
	for (int i = 0; i < DIRS; i++) {
		snprintf(path, sizeof path, "churn%d/f%d", i, i);
		touch(path);
	}
	turn();
	for (int i = 0; i < EARS; i++) {
		snprintf(path, sizeof path, "f%d", at[i]);
		right = right && ears[i].heard == (at[i] >= 0) &&
			(at[i] < 0 || strcmp(ears[i].name, path) == 0);
	}
	OK(right, "after 6,000 changes everybody hears what they listen to, and nothing else");
	inotify_leave(&a.user);
}

static void test_overflow(void)
{
	struct listening a, b;
	struct ear ears[2] = {{.heard = 0}};
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	int most = 0, fd;

	if (!f || fscanf(f, "%d", &most) != 1 || most > 200000) {
		SKIP("the queue is too long", "overflow is told");
		if (f)
			fclose(f);
		return;
	}
	fclose(f);
	join(&a, "/a");
	join(&b, "/b");
	listen_to(&a, &ears[0], "tree", IN_OPEN | IN_CLOSE);
	listen_to(&b, &ears[1], "other", IN_CREATE);
	touch("tree/flood");
	for (int i = 0; i < most; i++) {
		fd = open("tree/flood", O_RDONLY | O_CLOEXEC);
		close(fd);
	}
	touch("other/one");
	for (int i = 0; i < most / 4096 + 4; i++)
		turn();
	SAME(a.lost, 1, "who listens in an instance whose queue overflowed is told so");
	SAME(b.lost, 0, "nobody else is");
	SAME(ears[1].heard, 1, "and their events come");
	OK(a.drained > 1, "a long queue is handed on in pieces");
	inotify_leave(&a.user);
	inotify_leave(&b.user);
}

/* What is taken out of a table looks at all that is in use behind it. */
static size_t longest_run(const struct table *t)
{
	size_t run = 0, longest = 0;

	for (size_t i = 0; i <= t->mask; i++) {
		run = t->slots[i] ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

static void test_table(void)
{
	enum { N = 100000, MOST = 16384 };
	struct inotify_listener *all = calloc(N, sizeof *all);
	size_t listening = 0;
	struct table watches;

	watches_init(&watches);
	for (int i = 0; all && i < N; i++) {
		all[i].wd = i + 1;
		watch_add(&watches, &all[i]);
	}
	OK(longest_run(&watches) < MOST,
	   "one of 100,000 watches goes without a look at most others");
	watches_clear(&watches);
	for (int i = 0; all && i < N; i++)
		listening += all[i].wd != 0;
	SAME(watches.count + listening, 0, "all go at once, and nobody listens any more");
	table_free(&watches);
	free(all);
}

int main(void)
{
	char folder[] = "/tmp/inotify.XXXXXX", command[64];

	if (!mkdtemp(folder) || chdir(folder) < 0)
		return 1;
	if (unshare(CLONE_NEWNS) == 0)
		(void)mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	loop = reactor_new(NULL, NULL);
	set = inotify_set_new(loop);
	test_sharing();
	test_quiet();
	test_many();
	test_stopping_within();
	test_gone();
	test_churn();
	test_overflow();
	test_table();
	inotify_set_free(set);
	reactor_free(loop);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command) == 0 ? tap_done() : 1;
}
