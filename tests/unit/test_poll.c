/*
 * Polling, mounts and file systems that may hang: a real tree, looked at by the loop and by
 * threads. What mounts runs in a mount namespace of its own.
 */
#include "source/file/observe/poll.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "source/file/model/model.h"
#include "source/file/observe/inotify.h"
#include "source/file/observe/remote.h"
#include "quiet_host.h"
#include "tap.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TURN = 1000000 /* ns */, MANY = 10000 /* turns of it */, INTERVAL = 10000000 };

static struct world {
	struct reactor *loop;
	struct inotify_set *set;
	struct mounts *mounts;
	struct inotify_observer inotify;
	struct poll_observer poll;
	struct model model;
	struct buf said; /* a line for each report */
} w;

/* ---- the host: what is reported is written down ---------------------------------------------- */

static void say(const char *what, const struct node *d, const char *name)
{
	struct buf path = {0};

	node_path(d, name, &path);
	buf_printf(&w.said, "%s %s\n", what, path.data);
	buf_free(&path);
}

static bool enters(struct model *m, const struct node *d, const char *name)
{
	(void)m;
	(void)d;
	return strcmp(name, "skip") != 0;
}

static void came(struct model *m, struct node *d, const char *name, char type, unsigned bits)
{
	(void)m;
	(void)type;
	say(!bits && d->early ? "found" : "came", d, name);
}

static void gone(struct model *m, struct node *d, const char *name, char type, struct node *self)
{
	(void)m;
	(void)type;
	(void)self;
	say("gone", d, name);
}

static void *take(struct model *m, struct node *d, const char *name, char type, struct node *self)
{
	(void)m;
	(void)type;
	(void)self;
	say("taken", d, name);
	return NULL;
}

static void put(struct model *m, struct node *d, const char *name, void *thing)
{
	(void)m;
	(void)thing;
	say("put", d, name);
}

static void drop(struct model *m, void *thing)
{
	(void)m;
	(void)thing;
}

static void flickered(struct model *m, struct node *d, const char *name, unsigned bits)
{
	(void)m;
	(void)bits;
	say("flickered", d, name);
}

static void active(struct model *m, struct node *d, const char *name, char type, unsigned bits)
{
	(void)m;
	(void)type;
	if (bits & FILE_UNMOUNT)
		say("unmounted", d, name);
	if (bits & FILE_MODIFY)
		say("heard", d, name);
}

static void changed(struct model *m, struct node *d, const char *name, char type, bool content)
{
	(void)m;
	(void)type;
	say(content ? "written" : "attrib", d, name);
}

static void unseen(struct model *m, struct node *n, int error)
{
	(void)m;
	printf("# %s: %s\n", node_name(n), strerror(error));
}

static const struct model_host host = {enters,    came,   gone,    take,   put,  drop, shut,
				       flickered, active, changed, unseen, wake, lost};

/* ---- a world --------------------------------------------------------------------------------- */

static void turn(void)
{
	reactor_turn(w.loop, TURN);
	model_work(&w.model, clock_read(CLOCK_OF_LOOP) + 2 * TURN);
}

/* The start waits for what answers, and what it finds is no news. */
static void begin(void)
{
	do
		while (model_work(&w.model, INT64_MAX))
			;
	while (poll_wait(&w.poll, INT64_MAX));
	model_begun(&w.model);
}

static void open_world(bool polls, const char *root)
{
	struct error e;

	w.loop = reactor_new(NULL, NULL);
	w.set = inotify_set_new(w.loop);
	w.mounts = mounts_new(w.loop);
	w.inotify = (struct inotify_observer){
	    .base = {&observer_inotify, &w.model}, .set = w.set, .active = FILE_MODIFY};
	w.poll = (struct poll_observer){.base = {&observer_poll, &w.model},
					.inner = polls ? NULL : &w.inotify.base,
					.reactor = w.loop,
					.mounts = w.mounts,
					.interval = INTERVAL};
	w.model = (struct model){.fs = poll_files(&w.poll),
				 .host = &host,
				 .observer = &w.poll.base,
				 .early = true,
				 .settings = {.stamped = polls}};
	poll_prepare(&w.poll);
	if (observer_poll.open(&w.poll.base, &e) < 0 || model_open(&w.model) < 0)
		printf("# %s\n", e.what);
	model_add_root(&w.model, root);
	model_drained(&w.model);
}

static void close_world(void)
{
	observer_poll.close(&w.poll.base);
	model_close(&w.model);
	inotify_set_free(w.set);
	mounts_free(w.mounts);
	reactor_free(w.loop);
	buf_free(&w.said);
}

static bool has(const char *line)
{
	struct buf whole = {0};
	bool found;

	buf_printf(&whole, "\n%s\n", line);
	found = w.said.data && (strncmp(w.said.data, whole.data + 1, whole.length - 1) == 0 ||
				strstr(w.said.data, whole.data));
	buf_free(&whole);
	return found;
}

/* Waits for a report. */
static bool says(const char *line)
{
	for (int i = 0; i < MANY && !has(line); i++)
		turn();
	if (!has(line))
		printf("# no \"%s\" in:\n# %s\n", line, w.said.data ? w.said.data : "");
	return has(line);
}

/* Until a few passes were made. */
static void wait_passes(void)
{
	int64_t until = clock_read(CLOCK_OF_LOOP) + 5 * (int64_t)INTERVAL;

	while (clock_read(CLOCK_OF_LOOP) < until)
		turn();
}

static void pass(void)
{
	wait_passes();
	buf_clear(&w.said);
}

static void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static void start(bool polls)
{
	mkdir("tree", 0755);
	mkdir("tree/a", 0755);
	mkdir("away", 0755);
	put_file("tree/f", "one");
	open_world(polls, "tree");
	begin();
	pass();
}

static void finish(void)
{
	close_world();
	if (system("rm -rf tree away") != 0)
		printf("# the tree cannot be removed\n");
}

/* ---- polling --------------------------------------------------------------------------------- */

static void test_changes(void)
{
	start(true);
	put_file("tree/f", "longer");
	OK(says("written tree/f"), "a file that was written is found");
	pass();
	chmod("tree/f", 0600);
	OK(says("attrib tree/f") && !has("written tree/f"),
	   "another mode is a change of attributes, and not of the content");
	pass();
	OK(link("tree/f", "away/f") == 0 && says("attrib tree/f") && !has("written tree/f"),
	   "another link to a file does not change it");
	pass();
	OK(rename("tree/f", "tree/a/g") == 0 && says("put tree/a/g") && has("taken tree/f"),
	   "a renamed file is found as that");
	OK(rename("tree/a", "tree/b") == 0 && says("put tree/b") && !has("gone tree/a/g"),
	   "and a renamed directory, with what is in it");
	chmod("tree/b", 0700);
	OK(says("attrib tree/b"), "a directory has attributes, too");
	pass();
	unlink("tree/b/g");
	OK(says("gone tree/b/g") && !has("attrib tree/b"),
	   "what is gone is found, and is no change of its directory");
	finish();
}

static void test_two_ways(void)
{
	start(true);
	model_add_root(&w.model, "tree/a");
	model_drained(&w.model);
	OK(says("came tree/a"), "a root in another root's tree is one, too");
	pass();
	put_file("tree/a/new", "");
	says("came tree/a/new");
	pass();
	put_file("tree/a/new", "more");
	says("written tree/a/new");
	wait_passes();
	SAME_TEXT(w.said.data, "written tree/a/new\n",
		  "what two paths lead to is read by one of them");
	finish();
}

static void test_kernel(void)
{
	open_world(false, "/proc/uptime");
	begin();
	OK(says("written /proc/uptime"), "a file of /proc is read every second");
	close_world();
}

/* ---- mounts ---------------------------------------------------------------------------------- */

static bool leads(const struct mounts *m, const char *path, const char *where)
{
	char real[MOUNTS_PATH], here[MOUNTS_PATH], want[2 * MOUNTS_PATH];
	bool is;

	if (!getcwd(here, sizeof here))
		return false;
	snprintf(want, sizeof want, "%s/%s", here, where);
	mounts_resolve(m, path, real);
	is = strcmp(real, *where ? want : here) == 0;
	if (!is)
		printf("# %s leads to %s\n", path, real);
	return is;
}

static void test_paths(void)
{
	struct mount_point far = {.remote = "nfs", .whole = true, .path = realpath(".", NULL)};
	struct mounts none = {0}, one = {.items = &far, .count = 1, .n_remote = 1};
	struct buf absolute = {0}, path = {0};
	char real[MOUNTS_PATH];

	buf_printf(&absolute, "%s/tree/a", far.path);
	buf_printf(&path, "%s/tree/far", far.path);
	free(far.path);
	far.path = path.data;
	mkdir("tree", 0755);
	mkdir("tree/a", 0755);
	mkdir("tree/far", 0755);
	OK(symlink("a", "tree/rel") == 0 && symlink("../rel/../up", "tree/a/way") == 0 &&
	       symlink("..", "tree/up") == 0 && symlink("loop/x", "tree/loop") == 0 &&
	       symlink(absolute.data, "tree/abs") == 0 && symlink("far/in", "tree/there") == 0,
	   "links are made");
	OK(leads(&none, "tree//a/./../a/", "tree/a") &&
	       leads(&none, "tree/rel/new", "tree/a/new") && leads(&none, "tree/abs", "tree/a") &&
	       leads(&none, "tree/a/way/tree/x", "tree/x") && leads(&none, "tree/a/way/.", "") &&
	       leads(&none, absolute.data, "tree/a"),
	   "a path leads over links to where it is");
	OK(!mounts_resolve(&none, "tree/loop", real) && !real[0], "one in a circle leads nowhere");
	OK(!mounts_resolve(&none, "/../..", real) && strcmp(real, "/") == 0, "the root is one");
	OK(leads(&one, "tree/there//deep/../x", "tree/far/in//deep/../x") &&
	       leads(&one, "tree/rel/../far///", "tree/far") &&
	       leads(&one, "tree/far/../a", "tree/far/../a") && leads(&one, "tree/up", "") &&
	       mounts_resolve(&one, "tree/far//x", real) == &far,
	   "what is behind a mount that may hang is not looked at");
	buf_free(&absolute);
	buf_free(&path);
	if (system("rm -rf tree") != 0)
		printf("# the tree cannot be removed\n");
}

/* What is mounted before the loop waits for the first time. */
static void test_mounted_early(void)
{
	mkdir("tree", 0755);
	mkdir("tree/a", 0755);
	open_world(false, "tree");
	begin();
	mount("none", "tree/a", "tmpfs", 0, NULL);
	put_file("tree/a/f", "");
	OK(says("came tree/a/f"), "what is mounted before the first wait is found");
	umount("tree/a");
	finish();
}

static void test_mounts(bool polls)
{
	const char *how = polls ? "polled" : "watched";

	start(polls);
	put_file("tree/a/below", "");
	says("came tree/a/below");
	pass();
	if (mount("none", "tree/a", "tmpfs", 0, NULL) < 0)
		perror("mount");
	OK(says("gone tree/a/below") && says("came tree/a"), "%s: what is mounted over is gone",
	   how);
	put_file("tree/a/f", "");
	OK(says("came tree/a/f"), "%s: what is in a mounted file system is found", how);
	pass();
	SAME(umount("tree/a"), 0, "%s: it is not kept busy", how);
	OK(says("came tree/a/below") && has("gone tree/a/f"), "%s: what was below is there again",
	   how);
	OK(says("unmounted tree/a"), "%s: that it was unmounted is reported", how);
	pass();
	mount("none", "tree", "tmpfs", 0, NULL);
	OK(says("gone tree/a/below"), "%s: a mount on a root is found", how);
	umount2("tree", MNT_DETACH);
	OK(says("unmounted tree") && says("came tree/a/below"), "%s: and its end", how);
	mount("proc", "tree/a", "proc", 0, NULL);
	OK(says("gone tree/a/below"), "%s: /proc in a tree is found", how);
	pass();
	put_file("tree/f", "again");
	says(polls ? "written tree/f" : "heard tree/f");
	OK(!strstr(w.said.data, "tree/a/"), "%s: and not entered", how);
	umount("tree/a");
	finish();
}

/* ---- what others change ---------------------------------------------------------------------- */

static pid_t start_bindfs(const char *from, const char *at)
{
	struct stat before, now;
	pid_t pid;

	if (access("/dev/fuse", W_OK) < 0 || stat(at, &before) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(STDERR_FILENO);
		execlp("bindfs", "bindfs", "-f", from, at, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 5000; i++) {
		usleep(1000);
		if (stat(at, &now) == 0 && now.st_dev != before.st_dev)
			return pid;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return -1;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

static void end_bindfs(pid_t pid)
{
	kill(pid, SIGCONT);
	umount2("tree/a", MNT_DETACH);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

static void test_remote(void)
{
	pid_t pid;

	start(false);
	mkdir("away/deep", 0755);
	put_file("away/deep/f", "one");
	pid = start_bindfs("away", "tree/a");
	if (pid < 0) {
		SKIP("no bindfs, or no /dev/fuse", "a file system of others is read by itself");
		finish();
		return;
	}
	OK(says("came tree/a/deep/f"), "a file system of others is read when it is mounted");
	pass();
	put_file("away/deep/f", "longer");
	OK(says("written tree/a/deep/f"), "what others write there is found");
	rename("away/deep", "away/other");
	OK(says("put tree/a/other") && !has("gone tree/a/deep/f"), "a renamed directory, too");
	put_file("away/other/new", "");
	OK(says("came tree/a/other/new"), "and what is made in it then");
	pass();
	kill(pid, SIGSTOP);
	put_file("away/other/late", "");
	put_file("tree/f", "local");
	OK(says("heard tree/f"), "one that hangs does not keep others from being heard");
	model_lost(&w.model, w.model.top, true);
	rename("tree/f", "tree/g");
	OK(says("put tree/g") && !has("came tree/a/other/late"), "nor all from being read again");
	kill(pid, SIGCONT);
	OK(says("came tree/a/other/late"), "what happened there is found when it answers");
	kill(pid, SIGSTOP);
	pass();
	close_world();
	OK(true, "one that hangs is not waited for at the end");
	open_world(false, "tree");
	begin();
	OK(has("found tree/a") && !has("found tree/a/other"), "nor for long at the start");
	for (int second = 0; second < 60; second++)
		sites_tick(&w.poll.remote.sites);
	kill(pid, SIGCONT);
	OK(says("found tree/a/other/late"),
	   "where what is found when it answers, a minute later, is no news");
	close_world();
	open_world(false, "tree");
	begin();
	OK(has("found tree/a/other/late"), "one that answers is read at the start");
	put_file("away/other/more", "");
	OK(says("came tree/a/other/more"), "and what comes then is news");
	end_bindfs(pid);
	OK(says("unmounted tree/a") && says("gone tree/a/other"), "its end is reported");
	finish();
}

/* The directory of the one is that of a name in the other. */
static void test_remote_root_in_root(void)
{
	pid_t pid;

	start(false);
	mkdir("away/deep", 0755);
	mkdir("away/deep/er", 0755);
	pid = start_bindfs("away", "tree/a");
	if (pid >= 0) {
		close_world();
		open_world(false, "tree");
		model_add_root(&w.model, "tree/a/deep/er");
		begin();
		buf_clear(&w.said);
		put_file("away/deep/f", "");
		put_file("away/deep/er/f", "");
		OK(says("came tree/a/deep/f") && says("came tree/a/deep/er/f"),
		   "a root in another's tree that others change hinders neither");
		wait_passes();
		OK(model_idle(&w.model), "and both come to rest");
		end_bindfs(pid);
	}
	finish();
}

static void test_remote_root(void)
{
	pid_t pid;

	start(false);
	put_file("away/f", "one");
	pid = start_bindfs("away", "tree/a");
	if (pid >= 0) {
		model_add_root(&w.model, "tree/a/f");
		model_drained(&w.model);
		OK(says("came tree/a/f"), "a root may be a file that others change");
		pass();
		put_file("away/f", "longer");
		OK(says("written tree/a/f"), "which is looked at");
		OK(poll_may_hang(&w.poll, "tree/a/f") && !poll_may_hang(&w.poll, "tree/f"),
		   "a path that may hang is known");
		end_bindfs(pid);
	}
	finish();
}

int main(void)
{
	char folder[] = "/tmp/poll.XXXXXX";

	log_setup(LOG_ERROR, false);
	if (!mkdtemp(folder) || chdir(folder) < 0)
		return 1;
	test_changes();
	test_two_ways();
	test_kernel();
	test_paths();
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
		test_mounted_early();
		test_mounts(false);
		test_mounts(true);
		test_remote();
		test_remote_root();
		test_remote_root_in_root();
	} else {
		SKIP("no mount namespace", "mounts are found");
	}
	if (chdir("/") == 0)
		rmdir(folder);
	return tap_done();
}
