/*
 * The way of a path: one component after the other, as the kernel resolves it (path_resolution(7)).
 *
 * Each directory is watched before the name in it is looked up: a change between the two is an
 * event, and the way is walked again.
 */
#include "follow/inner.h"

#include "base/buf.h"
#include "base/path.h"
#include "base/statx.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };

static const long PROC = 0x9fa0; /* PROC_SUPER_MAGIC */

struct way {
	struct follow *follow;
	struct link steps;
	struct buf at;   /* the directory so far; "": the working directory */
	struct buf rest; /* from `taken` on: what is still to be walked */
	size_t taken;
	int links;
	bool unwatched; /* some of it has no watch */
	int error;
	struct stat st; /* of what stands at the end */
};

static const char *directory_of(const struct way *w)
{
	return w->at.length ? w->at.data : ".";
}

/* ---- components ------------------------------------------------------------------------------ */

/* The next component but `.`, copied. False: there is none. */
static bool next_component(struct way *w, char name[NAME_MAX + 1])
{
	const char *start;
	size_t n;

	do {
		w->taken += strspn(w->rest.data + w->taken, "/");
		start = w->rest.data + w->taken;
		n = strcspn(start, "/");
		w->taken += n;
	} while (n == 1 && *start == '.');
	if (n > NAME_MAX) {
		w->error = ENAMETOOLONG;
		return false;
	}
	memcpy(name, start, n);
	name[n] = '\0';
	return n > 0;
}

/* Puts the text of a link before the rest. */
static void enter_link(struct way *w, const char *text)
{
	struct buf rest = {0};

	buf_add_text(&rest, text);
	buf_add_char(&rest, '/');
	buf_add_text(&rest, w->rest.data + w->taken);
	if (w->taken == w->rest.length && rest.length)
		rest.data[--rest.length] = '\0'; /* the link's own end: no directory is asked for */
	buf_free(&w->rest);
	w->rest = rest;
	w->taken = 0;
	if (*text == '/') {
		buf_clear(&w->at);
		buf_add_char(&w->at, '/');
	}
	if (++w->links > MOST_LINKS)
		w->error = ELOOP;
	else if (rest.failed || w->at.failed)
		w->error = ENOMEM;
}

/* The links of /proc lead where their text does not say (proc(5)): the kernel follows them. */
static bool is_magic(const char *path)
{
	struct statfs fs;
	char *above = path_above(path);
	bool magic = above && statfs(above, &fs) == 0 && (long)fs.f_type == PROC;

	free(above);
	return magic && stat(path, &(struct stat){0}) == 0;
}

/* `place` is a link: goes on with where it leads. False: it is to be taken as what it leads to. */
static bool follow_link(struct way *w, const char *place)
{
	char text[PATH_MAX];
	ssize_t n = readlink(place, text, sizeof text - 1);

	if (n < 0) {
		w->error = errno;
		return true;
	}
	text[n] = '\0';
	if (is_magic(place))
		return false;
	enter_link(w, text);
	return true;
}

/* ---- one step -------------------------------------------------------------------------------- */

/* Watches the directory for the name. What vanished meanwhile is an event above it. */
static void watch_step(struct way *w, const char *directory, const char *name)
{
	if (dirs_step(w->follow, &w->steps, directory, name) == 0)
		return;
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENOMEM) {
		w->error = errno;
		return;
	}
	w->unwatched = true;
	follow_say_unwatched(w->follow, directory);
}

/* The working directory stays "." when it is removed, and as long as it is one its own watch says
 * nothing of that. */
static void watch_above(struct way *w)
{
	char path[PATH_MAX];
	const char *name = getcwd(path, sizeof path) ? strrchr(path, '/') + 1 : NULL;

	if (name && *name)
		watch_step(w, "..", name);
	if (!w->error && !getcwd(path, sizeof path) && errno == ENOENT)
		w->error = ENOENT;
}

/* Appends a component to a copy of the directory. */
static char *place_of(const struct way *w, const char *name)
{
	struct buf b = {0};

	buf_add(&b, w->at.data ? w->at.data : "", w->at.length);
	if (b.length && b.data[b.length - 1] != '/')
		buf_add_char(&b, '/');
	buf_add_text(&b, name);
	return buf_take(&b);
}

/* Goes to `place`, which was looked up. */
static void advance(struct way *w, const char *place)
{
	if (w->rest.data[w->taken] && !S_ISDIR(w->st.st_mode)) {
		w->error = ENOTDIR;
		return;
	}
	buf_clear(&w->at);
	if (buf_add_text(&w->at, place) < 0)
		w->error = ENOMEM;
}

static void take_step(struct way *w, const char *name)
{
	char *place = place_of(w, name);

	if (!place)
		w->error = ENOMEM;
	else
		watch_step(w, directory_of(w), name);
	if (w->error) {
		/* as it was found */
	} else if (lstat(place, &w->st) < 0) {
		w->error = errno;
	} else if (!S_ISLNK(w->st.st_mode)) {
		advance(w, place);
	} else if (!follow_link(w, place)) {
		if (stat(place, &w->st) < 0)
			w->error = errno;
		else
			advance(w, place);
	}
	free(place);
}

static void way_walk(struct way *w)
{
	char name[NAME_MAX + 1];

	buf_add_text(&w->rest, w->follow->path);
	if (w->follow->path[0] == '/')
		buf_add_char(&w->at, '/');
	if (w->rest.failed || w->at.failed)
		w->error = ENOMEM;
	else if (!w->rest.length)
		w->error = ENOENT;
	else if (stat(directory_of(w), &w->st) < 0)
		w->error = errno;
	while (!w->error && next_component(w, name))
		take_step(w, name);
	if (!w->error && !w->at.length)
		watch_above(w);
}

/* ---- the end --------------------------------------------------------------------------------- */

static int64_t birth_of(const char *path)
{
	struct statx st;

	if (statx(AT_FDCWD, path, 0, STATX_BTIME, &st) < 0 || !(st.stx_mask & STATX_BTIME))
		return 0;
	return st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
}

/* Watches what stands at the end. A file that may not be read has no watch: its directory reports
 * when that changes. */
static void watch_end(struct way *w)
{
	enum { OF_FILE = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF };
	enum { OF_DIRECTORY = IN_MOVE_SELF | IN_DELETE_SELF };
	struct follow *f = w->follow;
	struct follow_set *set = f->set;
	uint32_t mask = S_ISDIR(w->st.st_mode) ? OF_DIRECTORY : OF_FILE;

	errno = EMFILE;
	if (set->ends.on && inotify_listen(&set->ends, &f->self, directory_of(w), mask) == 0)
		return;
	inotify_unlisten(&set->ends, &f->self);
	if (errno == EACCES || errno == ENOENT)
		return;
	w->unwatched = true;
	follow_say_unwatched(f, directory_of(w));
}

static const char *remote_of(struct follow_set *set, const struct way *w)
{
	struct stat st;

	if (stat(directory_of(w), &st) < 0)
		return NULL;
	if (st.st_dev != set->device) {
		set->device = st.st_dev;
		set->remote = follow_remote(directory_of(w));
	}
	return set->remote;
}

/* Is it still what it was? A watch distinguishes inodes, one that was deleted and used again, too;
 * but one file of a FUSE may have several inodes here, one after the other. */
static bool is_same(const struct follow *f, int wd_before, const struct way *w, int64_t born)
{
	if (wd_before && f->self.wd && !f->remote)
		return wd_before == f->self.wd;
	return f->device == w->st.st_dev && f->inode == w->st.st_ino && f->born == born;
}

/* Writes down what the way has come to. */
static bool arrive(struct way *w, enum follow_change *change)
{
	struct follow *f = w->follow;
	bool was = f->error == 0, is = w->error == 0;
	int wd_before = f->self.wd;
	int64_t born = is ? birth_of(directory_of(w)) : 0;
	bool same;

	f->remote = remote_of(f->set, w);
	if (is)
		watch_end(w);
	else
		inotify_unlisten(&f->set->ends, &f->self);
	same = was && is && is_same(f, wd_before, w, born);
	f->error = w->error;
	f->device = w->st.st_dev;
	f->inode = w->st.st_ino;
	f->mode = w->st.st_mode;
	f->born = born;
	if (was != is)
		*change = is ? FOLLOW_APPEARED : FOLLOW_GONE;
	else
		*change = FOLLOW_REPLACED;
	return was != is || (is && !same);
}

/* Paths that are not watched all the way are looked at every second. */
static void file_under(struct follow *f, bool unwatched)
{
	list_remove(&f->unwatched);
	if (unwatched || f->remote)
		list_append(&f->set->unwatched, &f->unwatched);
}

bool walk(struct follow *f, enum follow_change *change)
{
	struct way w = {.follow = f};
	bool changed = false;

	list_init(&w.steps);
	way_walk(&w);
	if (w.error == ENOMEM) {
		dirs_drop(f->set, &w.steps);
		w.unwatched = true; /* that is: it is tried again in a second */
	} else {
		dirs_drop(f->set, &f->steps);
		LIST_EACH(at, after, &w.steps)
		{
			list_remove(at);
			list_append(&f->steps, at);
		}
		changed = arrive(&w, change);
	}
	file_under(f, w.unwatched);
	buf_free(&w.at);
	buf_free(&w.rest);
	return changed;
}

void walk_forget(struct follow *f)
{
	dirs_drop(f->set, &f->steps);
	inotify_unlisten(&f->set->ends, &f->self);
}
