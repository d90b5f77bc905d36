/*
 * The tree of watched directories.
 *
 * A directory is watched before it is read: what comes after is told by the kernel, what came
 * before is found, and what is both is known by its name already. The walk keeps no descriptor open
 * but the one it reads, and goes by a list, not by recursion: trees are deeper than stacks.
 */
#include "source/file/file.h"

#include "base/array.h"
#include "base/error.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* One mask for every watch: a directory may be a root's parent and in another root's tree. */
uint32_t watch_mask(const struct file_source *s)
{
	unsigned events = ((const struct file_config *)s->base.config)->events;

	return IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
	       IN_ATTRIB | (events & FILE_OPEN ? (uint32_t)IN_OPEN : 0) |
	       (events & FILE_ACCESS ? (uint32_t)IN_ACCESS : 0) | IN_ONLYDIR | IN_EXCL_UNLINK;
}

/* ---- by watch descriptor --------------------------------------------------------------------- */

static uint64_t wd_hash(const void *wd)
{
	return (uint64_t)(unsigned)*(const int *)wd * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

static uint64_t dir_hash(const void *dir)
{
	return wd_hash(&((const struct dir *)dir)->wd);
}

static bool dir_has_wd(const void *dir, const void *wd)
{
	return ((const struct dir *)dir)->wd == *(const int *)wd;
}

void tree_init(struct file_source *s)
{
	static const struct table_type by_wd = {dir_hash, wd_hash, dir_has_wd};

	table_init(&s->dirs, &by_wd);
}

struct dir *tree_find(const struct file_source *s, int wd)
{
	return table_find(&s->dirs, &wd);
}

void tree_free(struct file_source *s)
{
	struct dir *d;

	for (size_t at = 0; (d = table_next(&s->dirs, &at));) {
		names_free(&d->names);
		free(d);
	}
	table_free(&s->dirs);
}

/* ---- paths ----------------------------------------------------------------------------------- */

static void add_path(struct buf *out, const struct dir *d)
{
	if (d->parent) {
		add_path(out, d->parent);
		if (out->length && out->data[out->length - 1] != '/')
			buf_add_char(out, '/');
	}
	buf_add_text(out, d->name);
}

const char *tree_path(struct file_source *s, const struct dir *d, const char *name)
{
	buf_clear(&s->path);
	add_path(&s->path, d);
	if (name) {
		if (s->path.length && s->path.data[s->path.length - 1] != '/')
			buf_add_char(&s->path, '/');
		buf_add_text(&s->path, name);
	}
	return s->path.failed ? "" : s->path.data;
}

const char *root_relative(const struct root *r, const char *path)
{
	size_t n = strlen(r->path);

	if (strncmp(path, r->path, n) != 0)
		return path;
	path += n;
	return path + strspn(path, "/");
}

/* ---- adding ---------------------------------------------------------------------------------- */

static long limit_read(void)
{
	FILE *f = fopen("/proc/sys/fs/inotify/max_user_watches", "re");
	long limit = -1;

	if (f && fscanf(f, "%ld", &limit) != 1)
		limit = -1;
	if (f)
		fclose(f);
	return limit;
}

/* ENOSPC of inotify_add_watch(2) has nothing to do with the disk: say what it is, and the cure. */
static void tell_limit(struct file_source *s, const char *path)
{
	long limit = limit_read();

	if (s->told_limit)
		return;
	s->told_limit = true;
	log_error(s->base.rule,
		  "cannot watch %s: the limit of inotify watches is reached "
		  "(fs.inotify.max_user_watches is %ld, %zu are in use here); raise it: "
		  "sysctl fs.inotify.max_user_watches=%ld",
		  path, limit, s->dirs.count, limit * 4);
}

static struct dir *dir_new(struct root *r, struct dir *parent, const char *name)
{
	size_t length = strlen(name) + 1;
	struct dir *d = calloc(1, sizeof *d + length);

	if (!d)
		return NULL;
	d->root = r;
	d->parent = parent;
	d->depth = parent ? parent->depth + 1 : 0;
	memcpy(d->name, name, length);
	return d;
}

static void dir_link(struct dir *d)
{
	if (!d->parent)
		return;
	d->next_sibling = d->parent->first_child;
	d->parent->first_child = d;
}

static void dir_unlink(struct dir *d)
{
	struct dir **at;

	if (!d->parent)
		return;
	for (at = &d->parent->first_child; *at != d; at = &(*at)->next_sibling)
		;
	*at = d->next_sibling;
}

/*
 * Watches one directory. NULL with errno; EEXIST: it is watched already, as a part of this or of
 * another root.
 */
static struct dir *dir_watch(struct file_source *s, struct root *r, struct dir *parent,
			     const char *name)
{
	struct dir *d = dir_new(r, parent, name);
	const char *path;

	if (!d)
		return NULL;
	path = tree_path(s, d, NULL);
	d->wd = inotify_add_watch(s->inotify, path,
				  watch_mask(s) | (parent ? (uint32_t)IN_DONT_FOLLOW : 0));
	if (d->wd >= 0 && !tree_find(s, d->wd) && table_add(&s->dirs, d) == 0) {
		dir_link(d);
		return d;
	}
	if (d->wd >= 0)
		errno = EEXIST;
	else if (errno == ENOSPC)
		tell_limit(s, path);
	free(d);
	return NULL;
}

/* Directories that are watched but not read yet. */
struct walk {
	struct dir **items;
	size_t count, capacity;
};

static int walk_push(struct walk *w, struct dir *d)
{
	if (ARRAY_GROW(w->items, w->capacity, w->count + 1) < 0)
		return -1;
	w->items[w->count++] = d;
	return 0;
}

static bool may_enter(struct file_source *s, const struct dir *parent, const char *path)
{
	const struct file_config *c = s->base.config;
	struct stat st;

	if (c->no_recursive || (c->depth && parent->depth + 1 >= c->depth))
		return false;
	if (filter_ignores(c, path, root_relative(parent->root, path)))
		return false;
	return !c->one_file_system || (lstat(path, &st) == 0 && st.st_dev == parent->root->device);
}

static bool is_directory(int folder, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* An entry that a walk found: known from now on, reported if it is new, entered if it may be. */
static void take_entry(struct file_source *s, struct walk *w, struct dir *d, const char *name,
		       bool directory)
{
	const struct file_config *c = s->base.config;
	int new = names_add(&d->names, name);
	const char *path;
	struct dir *child;

	if (new <= 0)
		return;
	path = tree_path(s, d, name);
	if (!s->arming || c->existing) {
		changes_add(s, d->root, FILE_CREATE, path, NULL, directory);
		/* It was written before anybody watched: that counts as written. */
		if (!directory)
			changes_add(s, d->root, FILE_CLOSE_WRITE, path, NULL, false);
		path = tree_path(s, d, name);
	}
	if (!directory || !may_enter(s, d, path))
		return;
	child = dir_watch(s, d->root, d, name);
	if (child && walk_push(w, child) < 0)
		log_error(s->base.rule, "out of memory: %s is not read", path);
}

static void read_directory(struct file_source *s, struct walk *w, struct dir *d)
{
	DIR *folder = opendir(tree_path(s, d, NULL));
	struct dirent *entry;

	if (!folder) {
		if (errno != ENOENT && errno != ENOTDIR)
			log_warn(s->base.rule, "cannot read %s: %s", tree_path(s, d, NULL),
				 strerror(errno));
		return;
	}
	while ((entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			take_entry(s, w, d, entry->d_name, is_directory(dirfd(folder), entry));
	closedir(folder);
}

int tree_add(struct file_source *s, struct root *r, struct dir *parent, const char *name)
{
	struct walk w = {0};
	struct dir *d = dir_watch(s, r, parent, name);

	if (!d)
		return -1;
	if (!parent)
		r->dir = d;
	if (walk_push(&w, d) < 0)
		return -1;
	while (w.count)
		read_directory(s, &w, w.items[--w.count]);
	free(w.items);
	return 0;
}

/* ---- removing -------------------------------------------------------------------------------- */

struct dir *tree_child(const struct dir *d, const char *name)
{
	for (struct dir *c = d->first_child; c; c = c->next_sibling)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

void tree_remove(struct file_source *s, struct dir *d)
{
	struct dir *top = d, *next;

	dir_unlink(top);
	if (!top->parent && top->root->dir == top)
		top->root->dir = NULL;
	/* Leaves first: go down to one, free it, go on with its sibling or its parent. */
	while (d) {
		while (d->first_child)
			d = d->first_child;
		next = d == top ? NULL : d->parent;
		if (next)
			next->first_child = d->next_sibling;
		table_remove(&s->dirs, &d->wd);
		inotify_rm_watch(s->inotify, d->wd);
		names_free(&d->names);
		free(d);
		d = next;
	}
}

/* ---- looking again --------------------------------------------------------------------------- */

static bool changed_since(const struct stat *st, const struct timespec *since)
{
	return st->st_ctim.tv_sec > since->tv_sec ||
	       (st->st_ctim.tv_sec == since->tv_sec && st->st_ctim.tv_nsec >= since->tv_nsec);
}

/* What is new is taken as a walk takes it; what was known is reported if it changed. */
static void rescan_entry(struct file_source *s, struct dir *d, const char *name, int folder,
			 const struct timespec *since, struct names *found)
{
	struct stat st;
	bool directory, was_known = names_has(&d->names, name);

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	names_add(found, name);
	directory = S_ISDIR(st.st_mode);
	if (!was_known) {
		struct walk w = {0};

		take_entry(s, &w, d, name, directory);
		while (w.count)
			read_directory(s, &w, w.items[--w.count]);
		free(w.items);
	} else if (!directory && changed_since(&st, since)) {
		changes_add(s, d->root, FILE_MODIFY, tree_path(s, d, name), NULL, false);
		changes_add(s, d->root, FILE_CLOSE_WRITE, tree_path(s, d, name), NULL, false);
	}
}

void tree_rescan(struct file_source *s, struct dir *d, const struct timespec *since)
{
	DIR *folder = opendir(tree_path(s, d, NULL));
	struct names found = {0};
	struct dirent *entry;
	struct dir *next;

	if (!folder) {
		changes_add(s, d->root, FILE_DELETE, tree_path(s, d, NULL), NULL, true);
		tree_remove(s, d);
		return;
	}
	while ((entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rescan_entry(s, d, entry->d_name, dirfd(folder), since, &found);
	closedir(folder);
	names_free(&d->names);
	d->names = found;
	for (struct dir *child = d->first_child; child; child = next) {
		next = child->next_sibling;
		tree_rescan(s, child, since);
	}
}
