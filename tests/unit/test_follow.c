/* lib/follow: what stands at a path, whatever happens to the way there. Real trees. */
#include "follow/follow.h"

#include "base/list.h"
#include "inotify/inotify.h"
#include "reactor/reactor.h"
#include "remote/mounts.h"
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

struct owner {
	struct follow follow;
	char changes[256]; /* A, R, G */
	int modified;
};

static struct reactor *loop;
static struct inotify_set *inotify;
static struct mounts *mounts;
static struct follow_set *set;
static char top[64];

static void on_changed(struct follow *f, enum follow_change change)
{
	struct owner *o = CONTAINER_OF(f, struct owner, follow);
	size_t n = strlen(o->changes);

	if (n + 1 < sizeof o->changes)
		o->changes[n] = "ARG"[change];
}

static void on_modified(struct follow *f)
{
	CONTAINER_OF(f, struct owner, follow)->modified++;
}

static const struct follow_calls calls = {on_changed, on_modified};

static void begin(struct owner *o, const char *path)
{
	*o = (struct owner){.follow = {.calls = &calls}};
	if (follow_start(set, &o->follow, path) < 0)
		perror(path);
}

/* Until nothing is due any more. */
static void turn(void)
{
	for (int i = 0; i < 6; i++)
		reactor_turn(loop, 0);
}

static void sh(const char *command)
{
	if (system(command) != 0)
		printf("# failed: %s\n", command);
}

/* What follow says is what stat(2) says. */
static bool is_right(const struct owner *o, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return o->follow.error != 0;
	return !o->follow.error && st.st_dev == o->follow.device && st.st_ino == o->follow.inode &&
	       st.st_mode == o->follow.mode;
}

/* Runs the command and compares what changed. */
static void after(struct owner *o, const char *command, const char *changes, const char *promise)
{
	memset(o->changes, 0, sizeof o->changes);
	o->modified = 0;
	sh(command);
	turn();
	SAME_TEXT(o->changes, changes, "%s", promise);
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void test_file(void)
{
	struct owner o;

	begin(&o, "log");
	SAME(o.follow.error, ENOENT, "a path may be missing at the start");
	after(&o, "echo a >log", "A", "a file that is created appears");
	after(&o, "echo b >>log", "", "a write is no change of the path");
	OK(o.modified, "but the file was modified");
	after(&o, "truncate -s 1 log", "", "nor is a truncation");
	OK(o.modified, "which is told as well");
	sh("ln log hard");
	after(&o, "echo c >>hard", "", "a write by another hard link");
	OK(o.modified, "is told");
	after(&o, "mv log log.1; echo >log", "R", "a rotation replaces it");
	after(&o, "echo d >>log.1", "", "the old file");
	SAME(o.modified, 0, "is watched no more");
	after(&o, "echo x >new; mv new log", "R", "so does a rename onto it");
	after(&o, "rm log; echo >log", "R",
	      "a file that is made again is another one, even with the same inode");
	after(&o, "rm log; mkdir log", "R", "a directory may take its place");
	after(&o, "rmdir log", "G", "what is removed is gone");
	after(&o, "ln -s log log", "", "a link to itself leads nowhere");
	SAME(o.follow.error, ELOOP, "and says so");
	sh("rm log");
	follow_stop(&o.follow);
}

static void test_way(void)
{
	struct owner o, absolute;
	char path[128];

	begin(&o, "x/y/z/log");
	after(&o, "mkdir x", "", "directories on the way");
	after(&o, "mkdir -p x/y/z; echo >x/y/z/log", "A", "may be made later");
	after(&o, "mv x x2", "G", "an ancestor may be renamed");
	after(&o, "mv x2 x", "A", "and renamed back");
	sh("mkdir -p w/y/z; echo >w/y/z/log");
	memset(o.changes, 0, sizeof o.changes);
	renameat2(AT_FDCWD, "x", AT_FDCWD, "w", RENAME_EXCHANGE);
	turn();
	SAME_TEXT(o.changes, "R", "or exchanged");
	after(&o, "rm -r x", "G", "or removed");
	after(&o, "mkdir -p x/y/z; echo >x/y/z/log", "A", "and made again");
	snprintf(path, sizeof path, "%s/x/../x//y/./z/log", top);
	begin(&absolute, path);
	OK(is_right(&absolute, path), "dots and slashes are walked as the kernel walks them");
	after(&absolute, "mv x x3", "G", "and followed");
	sh("rm -r x3 w");
	follow_stop(&o.follow);
	follow_stop(&absolute.follow);
}

static void test_links(void)
{
	struct owner o;

	begin(&o, "current/log/f");
	sh("mkdir -p r1/log r2/log; echo 1 >r1/log/f; echo 2 >r2/log/f");
	after(&o, "ln -s r1 current", "A", "a link on the way may come late");
	after(&o, "ln -sfn r2 current", "R", "and be switched");
	after(&o, "mv r2 r3", "G", "what it leads to may be renamed");
	after(&o, "mkdir -p r2/log; echo >r2/log/f", "A", "and come again");
	after(&o, "rm -r r2/log; ln -s ../r1/log r2/log", "R", "a link may stand below a link");
	after(&o, "mv r1/log/f r1/log/g", "G", "what stands in its directory may go");
	after(&o, "ln -s ../../target r1/log/f", "", "a link may dangle");
	after(&o, "echo >target", "A", "until its target comes");
	after(&o, "echo >>target", "", "a write to the target");
	OK(o.modified, "is one to the path");
	sh("rm -r r1 r2 r3 current target");
	turn();
	SAME(o.follow.error, ENOENT, "all may go at once");
	follow_stop(&o.follow);
}

static bool become(uid_t user)
{
	return seteuid(user) == 0;
}

static void after_as_root(struct owner *o, const char *command, const char *changes,
			  const char *promise)
{
	become(0);
	sh(command);
	become(65534);
	after(o, "true", changes, promise);
}

static void test_permissions(void)
{
	struct owner o;
	struct timespec wait = {.tv_nsec = 20000000};

	sh("mkdir -m 711 locked; chmod 777 .; mkdir -m 777 mine");
	if (!become(65534)) {
		SKIP("cannot become nobody", "permissions");
		return;
	}
	begin(&o, "locked/in/log");
	become(0);
	sh("mkdir locked/in; echo >locked/in/log");
	become(65534);
	for (int i = 0; i < 200 && !o.changes[0]; i++) {
		reactor_turn(loop, 0);
		nanosleep(&wait, NULL);
	}
	SAME_TEXT(o.changes, "A", "a directory that may not be read is looked at every second");
	follow_stop(&o.follow);
	begin(&o, "mine/log");
	after_as_root(&o, "echo >mine/log; chmod 0 mine/log", "A",
		      "a file that may not be read is there");
	after_as_root(&o, "chmod 644 mine/log", "", "and when it may be");
	OK(o.modified, "that is a reason to look");
	after_as_root(&o, "chmod 0 mine", "G", "a directory that may not be searched hides it");
	after_as_root(&o, "chmod 755 mine", "A", "until it may");
	follow_stop(&o.follow);
	become(0);
	sh("rm -r locked mine");
}

static void test_mounts(void)
{
	struct owner o;

	sh("mkdir -p m/in; echo >m/in/log");
	begin(&o, "m/in/log");
	if (mount("none", "m", "tmpfs", 0, NULL) < 0) {
		SKIP("cannot mount", "mounts");
		follow_stop(&o.follow);
		return;
	}
	turn();
	SAME_TEXT(o.changes, "G", "what is mounted over hides the path");
	after(&o, "mkdir m/in; echo >m/in/log", "A", "what is in the mount is followed");
	after(&o, "umount m", "R", "until it is unmounted");
	OK(is_right(&o, "m/in/log"), "and what was there before stands there again");
	follow_stop(&o.follow);
	sh("rm -r m");
}

/* Any callback may stop any path. */
static struct owner *victim;
static void stop_victim(struct follow *f, enum follow_change change)
{
	(void)f;
	(void)change;
	if (victim)
		follow_stop(&victim->follow);
	victim = NULL;
}

static void test_stopping_within(void)
{
	static const struct follow_calls stops = {.changed = stop_victim};
	struct owner a, b;

	begin(&a, "both");
	begin(&b, "both");
	a.follow.calls = b.follow.calls = &stops;
	victim = &b;
	sh("echo >both");
	turn();
	OK(!b.follow.set, "a callback may stop another path");
	victim = &a;
	sh("rm both");
	turn();
	OK(!a.follow.set, "and its own");
	follow_stop(&a.follow);
	follow_stop(&b.follow);
}

/* ---- many, and at random --------------------------------------------------------------------- */

static void test_many(void)
{
	enum { MANY = 2000 };
	static struct owner o[MANY];
	char path[32];
	int right = 0, modified = 0;

	sh("mkdir many; cd many; seq 2000 | sed s/^/f/ | xargs touch");
	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof path, "many/f%d", i + 1);
		begin(&o[i], path);
		right += is_right(&o[i], path);
	}
	SAME(right, MANY, "2,000 files in a directory are followed");
	for (int i = 0; i < 50; i++)
		turn();
	for (int i = 0; i < MANY; i++)
		o[i].modified = 0;
	sh("echo >many/f7; rm many/f8");
	for (int i = 0; i < 50; i++)
		turn();
	for (int i = 0; i < MANY; i++)
		modified += o[i].modified + (int)strlen(o[i].changes);
	SAME(modified, 2, "what happens to two of them concerns nobody else");
	for (int i = 0; i < MANY; i++)
		follow_stop(&o[i].follow);
	sh("rm -r many");
}

static const char *random_path(char room[96])
{
	static const char *const names[] = {"a", "b", "c"};
	size_t n = 0;

	for (int depth = 1 + (int)(random() % 3); depth; depth--)
		n += (size_t)snprintf(room + n, 96 - n, "%s%s", n ? "/" : "", names[random() % 3]);
	return room;
}

/* Whatever it does, and whether it works, does not matter. */
static void random_change(void)
{
	char one[96], two[96], text[200];
	int fd;

	random_path(one);
	random_path(two);
	switch (random() % 9) {
	case 0:
	case 1:
		(void)mkdir(one, 0755);
		break;
	case 2:
		(void)rmdir(one);
		break;
	case 3:
		(void)unlink(one);
		break;
	case 4:
		(void)rename(one, two);
		break;
	case 5:
		(void)renameat2(AT_FDCWD, one, AT_FDCWD, two, RENAME_EXCHANGE);
		break;
	case 6:
		snprintf(text, sizeof text, "%s%s%s", random() % 2 ? top : "..",
			 random() % 8 ? "/" : "", two);
		if (symlink(random() % 2 ? two : text, one) < 0)
			break;
		break;
	default:
		fd = open(one, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd >= 0)
			close(fd);
	}
}

static void test_random(void)
{
	static const char *const paths[] = {"a",     "b/a",    "c/b/a", "a/b/c",
					    "a/a/a", "b/../c", "c/c/",  "b/b/./b"};
	enum { PATHS = sizeof paths / sizeof paths[0] };
	static struct owner o[PATHS];
	int wrong = 0, there = 0;

	srandom(11);
	sh("mkdir random");
	if (chdir("random") < 0)
		return;
	for (int i = 0; i < PATHS; i++)
		begin(&o[i], paths[i]);
	for (int round = 0; round < 2000; round++) {
		for (long n = random() % 4; n >= 0; n--)
			random_change();
		turn();
		for (int i = 0; i < PATHS; i++) {
			there += !o[i].follow.error;
			if (is_right(&o[i], paths[i]))
				continue;
			if (!wrong++)
				printf("# round %d: %s is wrong (%d)\n", round, paths[i],
				       o[i].follow.error);
		}
		if (wrong)
			break;
	}
	SAME(wrong, 0, "after every change each path leads where stat(2) says");
	OK(there > 1000, "which often was somewhere");
	for (int i = 0; i < PATHS; i++)
		follow_stop(&o[i].follow);
	sh("cd ..; rm -r random");
	if (chdir("..") < 0)
		return;
}

int main(void)
{
	char command[96];

	strcpy(top, "/tmp/follow.XXXXXX");
	if (!mkdtemp(top) || chdir(top) < 0)
		return 1;
	if (unshare(CLONE_NEWNS) == 0)
		(void)mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	loop = reactor_new(NULL, NULL);
	inotify = inotify_set_new(loop);
	mounts = mounts_new(loop);
	set = follow_set_new(loop, inotify, mounts);
	test_file();
	test_way();
	test_links();
	test_permissions();
	test_mounts();
	test_stopping_within();
	test_many();
	test_random();
	follow_set_free(set);
	mounts_free(mounts);
	inotify_set_free(inotify);
	reactor_free(loop);
	snprintf(command, sizeof command, "rm -r %s", top);
	return system(command) == 0 ? tap_done() : 1;
}
