/*
 * --fanotify: what is in a directory that came or left, or is there at start.
 *
 * Without a tree in memory there is nothing to hold it against: it is read once, wherever it is by
 * now, and told by the path that it had. The walk goes by a list, not by recursion, and stays on
 * the file system.
 */
#include "base/array.h"
#include "base/fd.h"
#include "base/log.h"
#include "source/file/fanotify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fan_walk {
	struct file_source *s;
	const struct fan_tale *tale;
	int top;
	dev_t device;
	char **items; /* directories to be read, from the top; owned, and so are they */
	size_t count, capacity;
	char **gone; /* directories that are told to be gone: behind what is in them; as items */
	size_t n_gone, gone_capacity;
	struct names *arrivals; /* of events that are still to be told */
	size_t looked;          /* until there in the queue */
};

/* ---- what came later ------------------------------------------------------------------------- */

/* What came by an event that is still in the queue is told then. */
static void look_ahead(struct fan_walk *w)
{
	struct fan_event ev;
	char key[FAN_KEY];

	fan_queue_fill(w->s);
	while (fan_queue_peek(&w->s->fan->queue, &w->looked, &ev))
		if (fan_arrival(&ev, key))
			names_add(&w->arrivals, key, 'f');
}

static bool came_later(const struct fan_walk *w, int folder, const char *name)
{
	const struct fan *f = w->s->fan;
	struct fan_handle dir, target;
	char key[FAN_KEY];

	for (size_t i = 0; w->arrivals && i < f->n_mounts; i++) {
		if (fan_handle_of(folder, "", f->mounts[i].fsid, &dir) < 0 ||
		    fan_handle_of(folder, name, f->mounts[i].fsid, &target) < 0)
			continue;
		fan_key(key, &dir, name, &target);
		if (names_find(w->arrivals, key))
			return true;
	}
	return false;
}

/* ---- what was found -------------------------------------------------------------------------- */

static void add_joined(struct buf *b, const char *folder, const char *name)
{
	size_t n = strlen(folder);

	buf_printf(b, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name);
}

static void report(struct fan_walk *w, const char *name, char type)
{
	const struct fan_tale *t = w->tale;
	struct happening h = {.event = t->event, .root = t->root, .type = type};
	struct buf path = {0}, old = {0};

	add_joined(&path, t->path, name);
	if (t->old_path)
		add_joined(&old, t->old_path, name);
	h.path = path.data;
	h.old_path = old.data;
	h.along = t->event == FILE_MOVE && !t->shallow;
	if (path.failed || old.failed) {
		log_error(w->s->base.rule, "out of memory: %s in %s is not told of", name, t->path);
	} else {
		changes_add(w->s, &h);
		h.event = FILE_CLOSE_WRITE;
		if (type != 'd' && t->event == FILE_CREATE)
			changes_add(w->s, &h);
	}
	buf_free(&path);
	buf_free(&old);
}

/* A directory that moves as one, with what is in it. */
static void report_moved(struct fan_walk *w, int folder, const char *base, const char *name)
{
	struct fan *f = w->s->fan;
	const struct fan_handle moving = f->moving;

	if (fan_handle_of(folder, base, moving.fsid, &f->moving) >= 0)
		report(w, name, 'd');
	f->moving = moving;
}

/* ---- directories ----------------------------------------------------------------------------- */

static void push(struct fan_walk *w, const char *name)
{
	char *copy = strdup(name);

	if (copy && ARRAY_GROW(w->items, w->capacity, w->count + 1) == 0) {
		w->items[w->count++] = copy;
		return;
	}
	log_error(w->s->base.rule, "out of memory: %s in %s is not read", name, w->tale->path);
	free(copy);
}

/* It is told to be gone when all that is in it has been. */
static bool put_off(struct fan_walk *w, const char *name)
{
	char *copy = strdup(name);

	if (copy && ARRAY_GROW(w->gone, w->gone_capacity, w->n_gone + 1) == 0) {
		w->gone[w->n_gone++] = copy;
		return true;
	}
	free(copy);
	return false;
}

/* Those were found first in which the others are. */
static void report_gone(struct fan_walk *w)
{
	while (w->n_gone) {
		char *name = w->gone[--w->n_gone];

		report(w, name, 'd');
		free(name);
	}
	free(w->gone);
}

/* Does it lie below an ignored directory, or too deep? */
static bool passes(const struct fan_walk *w, const char *name)
{
	struct buf b = {0};
	bool is;

	add_joined(&b, w->tale->path, name);
	is = !b.failed && filter_passes(w->s, w->tale->root, b.data);
	buf_free(&b);
	return is;
}

static void found(struct fan_walk *w, int folder, const char *base, const char *name)
{
	struct stat st;
	char type;

	if (fstatat(folder, base, &st, AT_SYMLINK_NOFOLLOW) < 0 || came_later(w, folder, base))
		return;
	type = S_ISDIR(st.st_mode) ? 'd' : S_ISLNK(st.st_mode) ? 'l' : 'f';
	if (w->tale->shallow && type == 'd') {
		report_moved(w, folder, base, name);
		return;
	}
	if (w->tale->event != FILE_DELETE || type != 'd' || !put_off(w, name))
		report(w, name, type);
	if (type == 'd' && st.st_dev == w->device)
		push(w, name);
}

/* The names in a directory, each with its NUL. */
static void read_names(const struct fan_walk *w, int folder, const char *name, struct buf *names)
{
	DIR *d = fdopendir(folder);
	const struct dirent *e;

	if (!d)
		log_error(w->s->base.rule, "cannot read %s/%s: %s", w->tale->path, name,
			  strerror(errno));
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			buf_add(names, e->d_name, strlen(e->d_name) + 1);
	if (d)
		closedir(d);
}

static void read_folder(struct fan_walk *w, const char *name)
{
	int folder =
	    openat(w->top, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct buf names = {0}, path = {0};

	if (folder < 0) {
		if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			log_warn(w->s->base.rule, "cannot read %s/%s: %s", w->tale->path, name,
				 strerror(errno));
		return;
	}
	read_names(w, dup(folder), name, &names);
	look_ahead(w);
	for (size_t at = 0; at < names.length; at += strlen(names.data + at) + 1) {
		buf_clear(&path);
		buf_printf(&path, "%s%s%s", name, *name ? "/" : "", names.data + at);
		if (!path.failed && passes(w, path.data))
			found(w, folder, names.data + at, path.data);
	}
	fd_close(&folder);
	buf_free(&names);
	buf_free(&path);
}

/* A handle is opened wherever its directory is; the path is the user's, and may be a link. */
static int open_top(const struct file_source *s, const struct fan_tale *t)
{
	if (t->subject && t->subject->hash)
		return fan_handle_open(s->fan, t->subject, O_RDONLY | O_DIRECTORY);
	return open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void fan_walk(struct file_source *s, const struct fan_tale *t)
{
	struct fan_walk w = {.s = s, .tale = t, .top = open_top(s, t), .looked = s->fan->queue.at};
	struct stat st;

	if (w.top < 0)
		return;
	if (fstat(w.top, &st) == 0) {
		w.device = st.st_dev;
		push(&w, "");
	}
	while (w.count) {
		char *next = w.items[--w.count];

		read_folder(&w, next);
		free(next);
	}
	report_gone(&w);
	fd_close(&w.top);
	free(w.items);
	names_free(&w.arrivals);
}
