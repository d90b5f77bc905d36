/*
 * The tree of watched directories: nodes, paths, watches.
 *
 * The hard part is that a watch belongs to an inode and a path to a place: a directory that moves
 * keeps its watch, one that is reached twice (a link, a bind mount, overlapping roots) has but one,
 * and is reported where it was found first. That also ends every loop of links.
 */
#include "source/file/tree.h"

#include "base/fd.h"
#include "base/log.h"
#include "source/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* One mask for every watch: a directory may be a root's parent and in another root's tree. */
uint32_t watch_mask(const struct file_source *s)
{
	unsigned events = ((const struct file_config *)s->base.config)->events;

	return IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
	       (events & FILE_ATTRIB ? (uint32_t)IN_ATTRIB : 0) |
	       (events & FILE_OPEN ? (uint32_t)IN_OPEN : 0) |
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

/* ---- nodes ----------------------------------------------------------------------------------- */

static struct dir *dir_new(struct root *r, struct dir *parent, const char *name)
{
	size_t length = strlen(name) + 1;
	struct dir *d = calloc(1, sizeof *d + length);

	if (!d)
		return NULL;
	d->parent = parent;
	if (!parent)
		d->root = r;
	d->wd = -1;
	memcpy(d->name, name, length);
	return d;
}

static void dir_link(struct dir *d)
{
	if (!d->parent)
		return;
	d->prev = NULL;
	d->next = d->parent->first_child;
	if (d->next)
		d->next->prev = d;
	d->parent->first_child = d;
}

static void dir_unlink(struct dir *d)
{
	if (!d->parent) {
		d->root->dir = NULL;
		return;
	}
	if (d->prev)
		d->prev->next = d->next;
	else
		d->parent->first_child = d->next;
	if (d->next)
		d->next->prev = d->prev;
}

struct dir *tree_child(const struct dir *d, const char *name)
{
	for (struct dir *c = d->first_child; c; c = c->next)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

struct root *dir_root(const struct dir *d)
{
	while (d->parent)
		d = d->parent;
	return d->root;
}

unsigned dir_depth(const struct dir *d)
{
	unsigned depth = 0;

	for (; d->parent; d = d->parent)
		depth++;
	return depth;
}

/* ---- paths ----------------------------------------------------------------------------------- */

static void add_name(struct buf *out, const char *name)
{
	if (out->length && out->data[out->length - 1] != '/')
		buf_add_char(out, '/');
	buf_add_text(out, name);
}

static void add_path(struct buf *out, const struct dir *d)
{
	if (d->parent)
		add_path(out, d->parent);
	add_name(out, d->name);
}

const char *tree_path(struct file_source *s, const struct dir *d, const char *name)
{
	buf_clear(&s->path);
	add_path(&s->path, d);
	if (name)
		add_name(&s->path, name);
	return s->path.failed ? "" : s->path.data;
}

/* ---- watches --------------------------------------------------------------------------------- */

static long limit_read(void)
{
	char text[32];
	int fd = open("/proc/sys/fs/inotify/max_user_watches", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

	fd_close(&fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? strtol(text, NULL, 10) : -1;
}

/* ENOSPC of inotify_add_watch(2) has nothing to do with the disk. Told once the tree was read. */
static void tell_limit(struct file_source *s)
{
	size_t need = s->dirs.count + s->n_polled;

	if (!s->n_polled || s->told_limit)
		return;
	s->told_limit = true;
	log_warn(s->base.rule,
		 "the limit of inotify watches is reached at %s: fs.inotify.max_user_watches is "
		 "%ld; %zu directories are watched, %zu more are polled every 2s; this rule "
		 "alone needs %zu: sysctl fs.inotify.max_user_watches=%zu",
		 s->limit_path ? s->limit_path : "?", limit_read(), s->dirs.count, s->n_polled,
		 need, (need + need / 4) | 1023);
}

void tree_tell_limit(struct file_source *s)
{
	const struct file_config *c = s->base.config;

	if (!c->poll)
		tell_limit(s);
}

/* The watch of d; -1: it is to be polled; -2 with errno: neither. */
static int watch(struct file_source *s, const struct dir *d)
{
	const struct file_config *c = s->base.config;
	const char *path = tree_path(s, d, NULL);
	uint32_t nofollow = d->parent && !d->through_link ? (uint32_t)IN_DONT_FOLLOW : 0;
	int wd;

	if (c->poll)
		return -1;
	wd = inotify_add_watch(s->inotify, path, watch_mask(s) | nofollow);
	if (wd >= 0)
		return wd;
	if (errno != ENOSPC)
		return -2;
	if (!s->limit_path)
		s->limit_path = strdup(path);
	return -1;
}

struct dir *tree_watch(struct file_source *s, struct root *r, struct dir *parent, const char *name,
		       bool through_link)
{
	struct dir *d = dir_new(r, parent, name);

	if (!d)
		return NULL;
	d->through_link = through_link;
	d->wd = watch(s, d);
	if (d->wd == -1) {
		s->n_polled++;
	} else if (d->wd < 0 || tree_find(s, d->wd) || table_add(&s->dirs, d) < 0) {
		if (d->wd >= 0)
			errno = EEXIST;
		free(d);
		return NULL;
	}
	dir_link(d);
	if (!parent)
		r->dir = d;
	return d;
}

/* Roots lean on watches, too: see root.c. */
void tree_unwatch(struct file_source *s, int wd)
{
	if (s->inotify >= 0 && wd >= 0 && !roots_lean_on(s, wd))
		inotify_rm_watch(s->inotify, wd); /* EINVAL: the kernel was first */
}

struct dir *tree_move(struct file_source *s, struct dir *d, struct dir *parent, const char *name)
{
	struct dir *moved = dir_new(NULL, parent, name);

	if (!moved) {
		log_error(s->base.rule, "out of memory: %s is not watched any more",
			  tree_path(s, parent, name));
		tree_remove(s, d);
		return NULL;
	}
	if (d->wd >= 0)
		table_remove(&s->dirs, &d->wd);
	dir_unlink(d);
	moved->names = d->names;
	moved->wd = d->wd;
	moved->fresh = d->fresh;
	moved->unentered = d->unentered;
	moved->first_child = d->first_child;
	for (struct dir *c = moved->first_child; c; c = c->next)
		c->parent = moved;
	if (moved->wd >= 0 && table_add(&s->dirs, moved) < 0) /* room was just made */
		moved->wd = -1;
	dir_link(moved);
	free(d);
	return moved;
}

/* ---- removing -------------------------------------------------------------------------------- */

void tree_remove(struct file_source *s, struct dir *d)
{
	struct dir *top = d, *next;

	dir_unlink(top);
	/* Leaves first: go down to one, free it, go on with its sibling or its parent. */
	while (d) {
		while (d->first_child)
			d = d->first_child;
		next = d == top ? NULL : d->parent;
		if (next)
			next->first_child = d->next;
		if (d->wd >= 0) {
			table_remove(&s->dirs, &d->wd);
			tree_unwatch(s, d->wd);
		} else {
			s->n_polled--;
		}
		names_free(&d->names);
		free(d);
		d = next;
	}
}

void tree_free(struct file_source *s)
{
	if (s->roots.next)
		LIST_EACH(at, after, &s->roots)
		{
			struct root *r = CONTAINER_OF(at, struct root, link);

			if (r->dir)
				tree_remove(s, r->dir);
		}
	table_free(&s->dirs);
	free(s->limit_path);
	s->limit_path = NULL;
}
