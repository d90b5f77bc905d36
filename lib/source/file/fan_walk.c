/*
 * --fanotify: what is in a directory that moved in, or is there at start.
 *
 * Without a tree in memory there is nothing to hold it against: it is read once and reported as
 * created, or if it was in the tree before, as moved. The walk goes by a list, not by recursion,
 * and stays on the file system.
 */
#include "base/array.h"
#include "base/log.h"
#include "source/file/fanotify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct fan_walk {
	struct file_source *s;
	const struct root *root;
	const char *top, *old_top; /* where it is, and where it was; NULL: outside */
	dev_t device;
	char **items; /* directories to be read; owned, and so are their paths */
	size_t count, capacity;
};

static void push(struct fan_walk *w, const char *path)
{
	char *copy = strdup(path);

	if (copy && ARRAY_GROW(w->items, w->capacity, w->count + 1) == 0) {
		w->items[w->count++] = copy;
		return;
	}
	log_error(w->s->base.rule, "out of memory: %s is not read", path);
	free(copy);
}

static void report(const struct fan_walk *w, const char *path, char type)
{
	struct happening h = {.event = FILE_CREATE, .path = path, .root = w->root, .type = type};
	struct buf old = {0};

	if (w->old_top) {
		buf_printf(&old, "%s%s", w->old_top, path + strlen(w->top));
		h.event = FILE_MOVE;
		h.along = true;
		h.old_path = old.data;
	}
	if (old.failed)
		log_error(w->s->base.rule, "out of memory: the move of %s is not told", path);
	else
		changes_add(w->s, &h);
	h.event = FILE_CLOSE_WRITE;
	if (type != 'd' && !w->old_top)
		changes_add(w->s, &h);
	buf_free(&old);
}

static void found(struct fan_walk *w, const char *path)
{
	struct stat st;
	char type;

	if (lstat(path, &st) < 0)
		return;
	type = S_ISDIR(st.st_mode) ? 'd' : S_ISLNK(st.st_mode) ? 'l' : 'f';
	names_add(&w->s->fan->walked, path, type);
	report(w, path, type);
	if (type == 'd' && st.st_dev == w->device)
		push(w, path);
}

static void read_folder(struct fan_walk *w, const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	struct buf b = {0};

	if (!d && errno != ENOENT && errno != ENOTDIR)
		log_warn(w->s->base.rule, "cannot read %s: %s", path, strerror(errno));
	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		buf_clear(&b);
		buf_printf(&b, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", e->d_name);
		/* Does it lie below an ignored directory, or too deep? */
		if (!b.failed && filter_passes(w->s, w->root, b.data))
			found(w, b.data);
	}
	if (d)
		closedir(d);
	buf_free(&b);
}

void fan_walk(struct file_source *s, const struct root *r, const char *path, const char *old_path)
{
	struct fan_walk w = {.s = s, .root = r, .top = path, .old_top = old_path};
	struct stat st;

	if (stat(path, &st) < 0)
		return;
	w.device = st.st_dev;
	push(&w, path);
	while (w.count) {
		char *next = w.items[--w.count];

		read_folder(&w, next);
		free(next);
	}
	free(w.items);
}
