/*
 * The tree of watched directories: nodes and paths.
 *
 * A directory that moves keeps its watch, one that is reached twice (a link, a bind mount,
 * overlapping roots) has but one, and is reported where it was found first. That also ends every
 * loop of links.
 */
#include "source/file/tree.h"

#include "base/log.h"
#include "source/file/file.h"

#include <stdlib.h>
#include <string.h>

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

static uint64_t name_hash(const void *name)
{
	return hash_bytes(name, strlen(name));
}

static uint64_t dir_name_hash(const void *dir)
{
	return name_hash(((const struct dir *)dir)->name);
}

static bool dir_has_name(const void *dir, const void *name)
{
	return strcmp(((const struct dir *)dir)->name, name) == 0;
}

int tree_index(const struct dir *d, struct table *children)
{
	static const struct table_type by_name = {dir_name_hash, name_hash, dir_has_name};

	table_init(children, &by_name);
	for (struct dir *c = d->first_child; c; c = c->next)
		if (table_add(children, c) < 0)
			return -1;
	return 0;
}

struct root *dir_root(const struct dir *d)
{
	while (d->parent)
		d = d->parent;
	return d->root;
}

bool dir_is_in(const struct dir *d, const struct dir *above)
{
	while (d && d != above)
		d = d->parent;
	return d;
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

/* ---- coming and going ------------------------------------------------------------------------ */

struct dir *tree_watch(struct file_source *s, struct root *r, struct dir *parent, const char *name,
		       bool through_link)
{
	struct dir *d = dir_new(r, parent, name);

	if (!d)
		return NULL;
	d->through_link = through_link;
	if (watch_start(s, d) < 0) {
		free(d);
		return NULL;
	}
	dir_link(d);
	if (!parent)
		r->dir = d;
	return d;
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
	moved->unsure = d->unsure;
	moved->first_child = d->first_child;
	for (struct dir *c = moved->first_child; c; c = c->next)
		c->parent = moved;
	if (moved->wd >= 0)
		table_add(&s->dirs, moved); /* room was just made */
	dir_link(moved);
	free(d);
	return moved;
}

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
		watch_stop(s, d);
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
