/*
 * The way of a path: one component after the other, as the kernel resolves it (path_resolution(7)).
 *
 * Each directory is watched before the name in it is looked up: a change between the two is an
 * event, and the way is walked again. A name at which a file system is mounted that may hang is not
 * looked up: the rest of the way is asked of the site of that mount.
 */
#include "follow/inner.h"

#include "base/buf.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* As the kernel, and more steps than a path has room for: links may hold many each. */
enum { MOST_LINKS = 40, MOST_STEPS = 2500 };

static const long PROC = 0x9fa0; /* PROC_SUPER_MAGIC */

struct way {
	struct follow *follow;
	struct link steps;
	struct buf at;          /* the directory so far; "": the working directory */
	char real[MOUNTS_PATH]; /* the same without links, as mounts_go has it */
	struct buf rest;        /* from `taken` on: what is still to be walked */
	size_t taken;
	int links, walked;
	bool unwatched; /* some of it has no watch */
	int error;
	struct stat st;    /* of what stands at `at` */
	struct site *site; /* to be asked of the rest; NULL: it was walked to its end */
	struct standing end;
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
		w->real[0] = '\0';
	}
	if (++w->links > MOST_LINKS)
		w->error = ELOOP;
	else if (rest.failed || w->at.failed)
		w->error = ENOMEM;
}

/* The links of /proc lead where their text does not say (proc(5)): the kernel follows them, unless
 * that may hang. `real` is then where it leads. */
static bool is_magic(const struct mounts *m, const char *path, char *real)
{
	char *above = path_above(path);
	struct statfs fs;
	bool magic = above && statfs(above, &fs) == 0 && (long)fs.f_type == PROC;

	free(above);
	return magic && !mounts_resolve(m, path, real) && stat(path, &(struct stat){0}) == 0;
}

/* `place` is a link: goes on with where it leads. False: it is to be taken as what it leads to,
 * which is `real`. */
static bool follow_link(struct way *w, const char *place, char *real)
{
	char text[PATH_MAX];
	ssize_t n = readlink(place, text, sizeof text - 1);

	if (n < 0) {
		w->error = errno;
		return true;
	}
	text[n] = '\0';
	if (is_magic(w->follow->set->mounts, place, real))
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
static void advance(struct way *w, const char *place, const char *real)
{
	if (w->rest.data[w->taken] && !S_ISDIR(w->st.st_mode)) {
		w->error = ENOTDIR;
		return;
	}
	strcpy(w->real, strcmp(real, "/") == 0 ? "" : real);
	buf_clear(&w->at);
	if (buf_add_text(&w->at, place) < 0)
		w->error = ENOMEM;
}

/* Is the rest of the way asked of a site? From `place` on, which is `real` without links. */
static bool leave_to_site(struct way *w, const char *place, const char *real)
{
	struct follow_set *set = w->follow->set;
	const struct mount_point *p = mounts_remote(set->mounts, real);
	const char *rest = w->rest.data + w->taken;
	struct buf whole = {0};

	w->site = p ? sites_at(&set->sites, p, w->follow->rule) : NULL;
	w->unwatched |= p && !w->site;
	if (!w->site)
		return false;
	buf_add_text(&whole, place);
	if (*rest && *rest != '/')
		buf_add_char(&whole, '/');
	buf_add_text(&whole, rest);
	if (whole.failed)
		w->end.error = ENOMEM;
	else
		w->end = asked_at(w->follow, w->site, whole.data);
	w->error = w->end.error;
	buf_free(&whole);
	return true;
}

static void take_step(struct way *w, const char *name)
{
	char *place = place_of(w, name), real[MOUNTS_PATH];

	mounts_go(strcpy(real, w->real), name);
	if (!place)
		w->error = ENOMEM;
	else if (++w->walked > MOST_STEPS)
		w->error = ELOOP;
	else
		watch_step(w, directory_of(w), name);
	if (w->error || leave_to_site(w, place, real)) {
		/* as it was found */
	} else if (lstat(place, &w->st) < 0) {
		w->error = errno;
	} else if (!S_ISLNK(w->st.st_mode)) {
		advance(w, place, real);
	} else if (!follow_link(w, place, real)) {
		if (stat(place, &w->st) < 0)
			w->error = errno;
		else
			advance(w, place, real);
	}
	free(place);
}

static void way_walk(struct way *w)
{
	char name[NAME_MAX + 1];

	buf_add_text(&w->rest, w->follow->path);
	if (w->follow->path[0] == '/')
		buf_add_char(&w->at, '/');
	else if (!getcwd(w->real, sizeof w->real))
		strcpy(w->real, "?");
	if (strcmp(w->real, "/") == 0)
		w->real[0] = '\0';
	if (w->rest.failed || w->at.failed)
		w->error = ENOMEM;
	else if (!w->rest.length)
		w->error = ENOENT;
	else if (!leave_to_site(w, directory_of(w), w->real) && stat(directory_of(w), &w->st) < 0)
		w->error = errno;
	while (!w->error && !w->site && next_component(w, name))
		take_step(w, name);
	if (!w->error && !w->site && !w->at.length)
		watch_above(w);
}

/* ---- the end --------------------------------------------------------------------------------- */

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

/* Is it still what it was? A watch distinguishes inodes, one that was deleted and used again, too.
 */
static bool is_same(const struct follow *f, int wd_before, const struct standing *now)
{
	if (wd_before && f->self.wd)
		return wd_before == f->self.wd;
	return f->device == now->device && f->inode == now->inode && f->born == now->born;
}

/* Without a site the way was walked to its end. */
static void look_at_end(struct way *w)
{
	if (w->site)
		return;
	if (!w->error)
		w->end = standing_at(directory_of(w));
	if (!w->error && w->end.error)
		w->error = w->end.error;
}

/* Writes down what the way has come to. */
static bool arrive(struct way *w, enum follow_change *change)
{
	struct follow *f = w->follow;
	bool was = f->error == 0, is, same, was_asked = f->error == EAGAIN;
	int wd_before = f->self.wd;

	if (!w->site)
		asked_drop(f);
	look_at_end(w);
	is = w->error == 0;
	if (is && !w->site)
		watch_end(w);
	else
		inotify_unlisten(&f->set->ends, &f->self);
	same = was && is && is_same(f, wd_before, &w->end);
	f->site = w->site;
	f->error = w->error;
	f->device = w->end.device;
	f->inode = w->end.inode;
	f->mode = w->end.mode;
	f->size = w->end.size;
	f->born = w->end.born;
	if (was != is)
		*change = is ? FOLLOW_APPEARED : FOLLOW_GONE;
	else
		*change = is ? FOLLOW_REPLACED : FOLLOW_GONE;
	return was != is || (is && !same) || (was_asked && f->error != EAGAIN);
}

/* Paths that are not watched all the way are looked at every second. */
static void file_under(struct follow *f, bool unwatched)
{
	list_remove(&f->unwatched);
	if (unwatched)
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
	asked_drop(f);
}
