/*
 * --fanotify: where directories were when an event happened.
 *
 * No tree is read: a directory is looked for when something in it is told of for the first time.
 * Where it is now says the kernel; where it was at the event's time says the first event behind it
 * that renames or removes it (fan_queue.c). From then on its renames are followed, as they are
 * told. The same goes for each directory above it. A handle is never used again for another one.
 */
#include "base/array.h"
#include "base/fd.h"
#include "base/log.h"
#include "source/file/fanotify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 4096 /* directories remembered */, DEEPEST = 4096 };

/* ---- handles --------------------------------------------------------------------------------- */

void fan_handle_hash(struct fan_handle *h)
{
	h->hash = hash_bytes(h->fsid, offsetof(struct fan_handle, data) -
					  offsetof(struct fan_handle, fsid) + h->bytes) |
		  1;
}

/* As the system calls want it. */
static struct file_handle *file_handle(const struct fan_handle *h)
{
	return (struct file_handle *)(uintptr_t)&h->bytes;
}

int fan_handle_open(const struct fan *f, const struct fan_handle *h, int flags)
{
	for (size_t i = 0; i < f->n_mounts; i++)
		if (memcmp(f->mounts[i].fsid, h->fsid, sizeof h->fsid) == 0)
			return open_by_handle_at(f->mounts[i].fd, file_handle(h),
						 flags | O_CLOEXEC);
	errno = ENOENT;
	return -1;
}

int fan_handle_of(int folder, const char *name, const int32_t fsid[2], struct fan_handle *h)
{
	int mount;

	h->hash = 0;
	h->bytes = sizeof h->data;
	memcpy(h->fsid, fsid, sizeof h->fsid);
	if (name_to_handle_at(folder, name, file_handle(h), &mount, *name ? 0 : AT_EMPTY_PATH) < 0)
		return -1;
	fan_handle_hash(h);
	return mount;
}

/* ---- what is remembered ---------------------------------------------------------------------- */

static uint64_t hash_of_key(const void *hash)
{
	return *(const uint64_t *)hash;
}

static uint64_t hash_of_dir(const void *dir)
{
	return ((const struct fan_dir *)dir)->hash;
}

static bool dir_has_hash(const void *dir, const void *hash)
{
	return ((const struct fan_dir *)dir)->hash == *(const uint64_t *)hash;
}

void fan_dirs_init(struct fan *f)
{
	static const struct table_type by_hash = {hash_of_dir, hash_of_key, dir_has_hash};

	table_init(&f->dirs, &by_hash);
}

void fan_dirs_free(struct fan *f)
{
	struct fan_dir *d;

	for (size_t at = 0; (d = table_next(&f->dirs, &at));) {
		free(d->name);
		free(d);
	}
	table_free(&f->dirs);
}

void fan_dirs_trim(struct fan *f)
{
	if (f->dirs.count > MOST)
		fan_dirs_free(f);
}

static struct fan_dir *dir_new(struct fan *f, uint64_t hash, struct fan_dir *parent,
			       const char *name)
{
	struct fan_dir *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->hash = hash;
	d->parent = parent;
	d->name = strdup(name);
	if (d->name && table_add(&f->dirs, d) == 0)
		return d;
	free(d->name);
	free(d);
	return NULL;
}

/* ---- in which root -------------------------------------------------------------------------- */

/* The path as the user wrote its root, in *out; NULL: in no root. */
static const struct root *root_of(const struct fan *f, const char *real, struct buf *out)
{
	for (size_t i = 0; i < f->n_roots; i++) {
		const struct fan_root *r = &f->roots[i];
		const char *rest = real + r->length;

		if (strncmp(real, r->real, r->length) != 0 || (*rest && *rest != '/'))
			continue;
		rest += strspn(rest, "/");
		buf_clear(out);
		buf_add_text(out, r->root->path);
		if (*rest && out->length && out->data[out->length - 1] != '/')
			buf_add_char(out, '/');
		buf_add_text(out, rest);
		return out->failed ? NULL : r->root;
	}
	return NULL;
}

/* ---- where it is ----------------------------------------------------------------------------- */

/* The present path of a directory. Returns its length, or -1 with errno. */
static ssize_t present_path(int folder, char path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
	n = readlink(link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
	return n;
}

/* Its path is too long for the kernel to say: by the nearest above it whose is not, once. */
static void tell_too_deep(struct file_source *s, int folder)
{
	struct fan *f = s->fan;
	struct buf at = {0};
	char path[PATH_MAX];
	int up = f->told_too_deep ? -1 : openat(folder, "..", O_PATH | O_CLOEXEC);

	while (up >= 0 && present_path(up, path) < 0) {
		int next = errno == ENAMETOOLONG ? openat(up, "..", O_PATH | O_CLOEXEC) : -1;

		fd_close(&up);
		up = next;
	}
	if (up >= 0 && root_of(f, path, &at)) {
		f->told_too_deep = true;
		log_warn(s->base.rule,
			 "cannot see all that is below %s: its path is longer than 4095 bytes "
			 "(PATH_MAX): without --fanotify it can be watched by evwatch started in a "
			 "directory nearer to it",
			 at.data);
	}
	fd_close(&up);
	buf_free(&at);
}

/* It has another mount above it, or nothing. */
static bool is_top(const struct fan_handle *h, int mount, const struct fan_spot *spot, int above)
{
	return mount != above || spot->parent.hash == h->hash;
}

/* Where is it now? */
static bool look_at(struct file_source *s, const struct fan_handle *h, int folder,
		    struct fan_spot *spot)
{
	char path[PATH_MAX];
	struct fan_handle same;
	struct stat st;
	int up = openat(folder, "..", O_PATH | O_CLOEXEC), mount, above;
	ssize_t n;

	mount = fan_handle_of(folder, "", h->fsid, &same);
	above = fan_handle_of(up, "", h->fsid, &spot->parent);
	fd_close(&up);
	n = present_path(folder, path);
	if (n < 0 && errno == ENAMETOOLONG)
		tell_too_deep(s, folder);
	if (mount < 0 || above < 0 || n <= 0 || fstat(folder, &st) < 0 || st.st_nlink == 0)
		return false;
	if (*path != '/')
		return false; /* it cannot be reached from here */
	spot->top = is_top(h, mount, spot, above);
	strcpy(spot->name, spot->top ? (n > 1 ? path : "") : strrchr(path, '/') + 1);
	return true;
}

static bool departs(const struct file_source *s, const struct fan_handle *h, struct fan_spot *spot)
{
	struct fan_event ev;

	if (!fan_queue_departs(&s->fan->queue, h->hash, &ev))
		return false;
	spot->top = false;
	spot->parent = ev.dir;
	strcpy(spot->name, ev.name);
	return true;
}

/* Where is it at the time of the event at hand? */
static bool find_spot(struct file_source *s, const struct fan_handle *h, struct fan_spot *spot)
{
	int folder;
	bool there;

	if (departs(s, h, spot))
		return true;
	folder = fan_handle_open(s->fan, h, O_PATH | O_DIRECTORY);
	there = folder >= 0 && look_at(s, h, folder, spot);
	fd_close(&folder);
	/* It may have gone there just now. */
	return (fan_queue_fill(s) && departs(s, h, spot)) || there;
}

/* The directory; NULL: it is unknown. The way up is gone first, and then down with names. */
static struct fan_dir *dir_of(struct file_source *s, const struct fan_handle *h)
{
	struct fan *f = s->fan;
	struct way {
		uint64_t hash;
		char *name;
	} *way = NULL;
	size_t n = 0, capacity = 0;
	struct fan_handle at = *h;
	struct fan_spot spot = {.top = false};
	struct fan_dir *d = table_find(&f->dirs, &at.hash);
	bool failed = false;

	while (!d && !spot.top && !failed) {
		failed = n > DEEPEST || !find_spot(s, &at, &spot) ||
			 ARRAY_GROW(way, capacity, n + 1) < 0;
		if (failed)
			break;
		way[n++] = (struct way){at.hash, strdup(spot.name)};
		at = spot.parent;
		d = spot.top ? NULL : table_find(&f->dirs, &at.hash);
	}
	for (; n; free(way[n].name)) {
		n--;
		if (!failed && way[n].name)
			d = dir_new(f, way[n].hash, d, way[n].name);
		failed |= !d;
	}
	free(way);
	return failed ? NULL : d;
}

static bool is_below(const struct fan_dir *d, const struct fan_dir *above)
{
	while (d && d != above)
		d = d->parent;
	return d;
}

bool fan_dir_is_in(struct file_source *s, const struct fan_handle *h,
		   const struct fan_handle *above)
{
	const struct fan_dir *d = dir_of(s, h), *top = table_find(&s->fan->dirs, &above->hash);

	return d && top && is_below(d, top);
}

void fan_dir_is(struct file_source *s, const struct fan_handle *h, const struct fan_handle *parent,
		const char *name)
{
	struct fan *f = s->fan;
	struct fan_dir *above = dir_of(s, parent), *d = table_find(&f->dirs, &h->hash);
	char *copy;

	if (!d) {
		if (above && h->hash)
			dir_new(f, h->hash, above, name);
		return;
	}
	copy = above && !is_below(above, d) ? strdup(name) : NULL;
	if (!copy) {
		fan_dirs_free(f); /* they will be found again */
		return;
	}
	free(d->name);
	d->name = copy;
	d->parent = above;
}

/* ---- from directories to paths --------------------------------------------------------------- */

static void add_path(struct buf *out, const struct fan_dir *d)
{
	if (d->parent) {
		add_path(out, d->parent);
		buf_add_char(out, '/');
	}
	buf_add_text(out, d->name);
}

const struct root *fan_locate(struct file_source *s, const struct fan_handle *dir, const char *name,
			      struct buf *out)
{
	struct fan *f = s->fan;
	const struct fan_dir *d = dir_of(s, dir);
	const struct root *r;

	if (!d)
		return NULL;
	buf_clear(&f->real);
	add_path(&f->real, d);
	if (strcmp(name, ".") != 0)
		buf_printf(&f->real, "/%s", name);
	r = f->real.failed ? NULL : root_of(f, f->real.data, out);
	return r && filter_passes(s, r, out->data) ? r : NULL;
}

int fan_open_near(const char *path)
{
	char *copy = strdup(path), *slash;
	int fd = -1;

	while (copy && (fd = open(copy, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0 && *copy &&
	       strcmp(copy, "/") != 0 && strcmp(copy, ".") != 0) {
		slash = strrchr(copy, '/');
		if (!slash)
			strcpy(copy, ".");
		else
			slash[slash == copy] = '\0';
	}
	free(copy);
	return fd;
}
