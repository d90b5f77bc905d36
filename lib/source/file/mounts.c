/*
 * Mounts: what is mounted over a watched directory, and unmounted again.
 *
 * The kernel says nothing of it to a watch: the watch stays with the directory below, which nobody
 * sees any more. But it wakes who polls /proc/self/mountinfo (proc_pid_mountinfo(5)). The list is
 * held against the one before, and where a mount came or went, in a root or above one, what stands
 * there is looked at again.
 *
 * Only a change of the list is waited for, so this costs nothing while nothing is mounted.
 */
#include "base/array.h"
#include "base/fd.h"
#include "base/log.h"
#include "source/file/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mount_point {
	int id;
	char *path; /* real; owned */
};

struct mounts {
	struct io_watcher io;
	struct file_source *source;
	int fd;
	struct mount_point *items;
	size_t count, capacity;
};

static void points_free(struct mounts *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->items[i].path);
	free(m->items);
	m->items = NULL;
	m->count = m->capacity = 0;
}

/* ---- the list -------------------------------------------------------------------------------- */

/* \040 and the like, in place. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; to++)
		if (from[0] == '\\' && isdigit((unsigned char)from[1])) {
			char octal[4] = {from[1], from[2], from[3], '\0'};

			*to = (char)strtol(octal, NULL, 8);
			from += strlen(octal) + 1;
		} else {
			*to = *from++;
		}
	*to = '\0';
}

/* A line: id, parent's id, device, root, mount point, more. */
static int add_line(struct mounts *m, char *line)
{
	struct mount_point *p;
	char *word = NULL;
	int id = (int)strtol(line, NULL, 10);

	for (int i = 0; i < 5 && (word = strsep(&line, " ")); i++)
		;
	if (!word)
		return 0;
	unescape(word);
	if (ARRAY_GROW(m->items, m->capacity, m->count + 1) < 0)
		return -1;
	p = &m->items[m->count];
	*p = (struct mount_point){.id = id, .path = strdup(word)};
	m->count += p->path != NULL;
	return p->path ? 0 : -1;
}

/* Reads the list anew. Returns 0, or -1 with the old one kept. */
static int read_list(struct mounts *m)
{
	struct mounts fresh = {0};
	struct buf b = {0};
	char *rest, *line;
	ssize_t n;
	int result = 0;

	if (lseek(m->fd, 0, SEEK_SET) < 0)
		return -1;
	do {
		n = buf_reserve(&b, 16384) < 0 ? -1 : read(m->fd, b.data + b.length, 16384);
		b.length += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	buf_add_char(&b, '\0');
	rest = n == 0 ? b.data : NULL;
	result = rest && !b.failed ? 0 : -1;
	while (result == 0 && (line = strsep(&rest, "\n")))
		result = add_line(&fresh, line);
	buf_free(&b);
	if (result < 0) {
		points_free(&fresh);
		return -1;
	}
	points_free(m);
	m->items = fresh.items;
	m->count = fresh.count;
	m->capacity = fresh.capacity;
	return 0;
}

/* ---- what a change means --------------------------------------------------------------------- */

/* Is `path` this directory, or below it? Then what is behind it, without a slash; else NULL. */
static const char *within(const char *directory, const char *path)
{
	size_t n = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

	if (strncmp(path, directory, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path + n + strspn(path + n, "/");
}

/* The watched directory at this place below `d`, or the one above it. NULL: neither is watched. */
static struct dir *nearest(struct dir *d, const char *relative)
{
	char *copy = strdup(relative), *rest = copy, *name;
	struct dir *child = d;

	while (child && rest && *rest && (name = strsep(&rest, "/"))) {
		d = child;
		child = tree_child(d, name);
	}
	if (!child && rest)
		d = NULL;
	free(copy);
	return child ? child : d;
}

/* The path as the user would write it. */
static struct buf users_path(const struct root *r, const char *relative)
{
	struct buf path = {0};

	buf_printf(&path, "%s%s%s", r->path,
		   *relative && r->path[strlen(r->path) - 1] != '/' ? "/" : "", relative);
	return path;
}

static void report_unmount(struct file_source *s, const struct root *r, const char *relative)
{
	struct buf path = users_path(r, relative);

	if (!path.failed)
		changes_add(s,
			    &(struct happening){
				.event = FILE_UNMOUNT, .path = path.data, .root = r, .type = 'd'});
	buf_free(&path);
}

static void changed_at(struct file_source *s, struct root *r, const char *point, bool gone)
{
	static const struct scan_how how = {.report = true, .again = true, .doors = true};
	char *real = root_real(r->path);
	const char *relative = real ? within(real, point) : NULL;
	struct dir *d = relative && *relative && r->dir ? nearest(r->dir, relative) : NULL;
	bool above = real && !relative && within(point, real);

	if (gone && (d || (relative && !*relative) || (above && (r->dir || r->is_file))))
		report_unmount(s, r, relative ? relative : "");
	if (d)
		scan(s, d, &how);
	else if (above || (relative && !*relative))
		root_look(s, r, &how);
	free(real);
}

static bool is_root(const struct file_source *s, const char *point)
{
	bool is = false;

	LIST_EACH(at, after, &s->roots)
	{
		char *real = root_real(CONTAINER_OF(at, struct root, link)->path);

		is |= real && strcmp(real, point) == 0;
		free(real);
	}
	return is;
}

/* The marks of fanotify are on the file systems of the roots, and see no other. */
static void tell_unseen(struct file_source *s, const struct root *r, const char *point)
{
	const struct file_config *c = s->base.config;
	char *real = root_real(r->path);
	const char *relative = real ? within(real, point) : NULL;
	struct buf path = {0};

	if (relative && *relative && !c->one_file_system && !is_root(s, point)) {
		path = users_path(r, relative);
		if (!path.failed && filter_passes(s, r, path.data))
			log_warn(s->base.rule,
				 "--fanotify does not see what happens in %s, where something is "
				 "mounted: name it as a path, too",
				 path.data);
	}
	buf_free(&path);
	free(real);
}

static void changed(struct file_source *s, const char *point, bool gone)
{
	LIST_EACH(at, after, &s->roots)
	{
		struct root *r = CONTAINER_OF(at, struct root, link);

		if (!s->fan)
			changed_at(s, r, point, gone);
		else if (!gone)
			tell_unseen(s, r, point);
	}
}

void mounts_tell_unseen(struct file_source *s)
{
	for (size_t i = 0; s->mounts && i < s->mounts->count; i++)
		changed(s, s->mounts->items[i].path, false);
}

/* Tells of the mounts in `of` that are not in `other`. */
static void compare(struct file_source *s, const struct mounts *of, const struct mounts *other,
		    bool gone)
{
	for (size_t i = 0; i < of->count; i++) {
		bool found = false;

		for (size_t k = 0; k < other->count && !found; k++)
			found = of->items[i].id == other->items[k].id &&
				strcmp(of->items[i].path, other->items[k].path) == 0;
		if (!found)
			changed(s, of->items[i].path, gone);
	}
}

static void on_change(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct mounts *m = CONTAINER_OF(w, struct mounts, io), before = *m;
	struct file_source *s = m->source;

	(void)r;
	(void)ready;
	m->items = NULL;
	m->count = m->capacity = 0;
	if (read_list(m) < 0) {
		m->items = before.items;
		m->count = before.count;
		m->capacity = before.capacity;
		log_error(s->base.rule, "cannot read /proc/self/mountinfo: %s", strerror(errno));
		return;
	}
	if (!s->fan)
		reader_read(s);
	s->rescan_again = false;
	compare(s, &before, m, true);
	compare(s, m, &before, false);
	points_free(&before);
	if (s->rescan_again)
		rescan_soon(s);
	batch_review(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

void mounts_open(struct file_source *s)
{
	const struct file_config *c = s->base.config;
	struct mounts *m = c->poll ? NULL : calloc(1, sizeof *m);

	if (!m)
		return;
	m->source = s;
	m->fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (m->fd < 0 || read_list(m) < 0) {
		fd_close(&m->fd);
		free(m);
		return;
	}
	io_init(&m->io, m->fd, IO_URGENT, on_change);
	m->io.priority = s->base.priority;
	s->mounts = m;
}

void mounts_start(struct file_source *s)
{
	if (s->mounts && io_start(s->base.reactor, &s->mounts->io) < 0)
		log_error(s->base.rule, "cannot wait for mounts: %s", strerror(errno));
}

void mounts_stop(struct file_source *s)
{
	if (s->mounts)
		io_stop(s->base.reactor, &s->mounts->io);
}

void mounts_close(struct file_source *s)
{
	if (!s->mounts)
		return;
	mounts_stop(s);
	fd_close(&s->mounts->fd);
	points_free(s->mounts);
	free(s->mounts);
	s->mounts = NULL;
}
