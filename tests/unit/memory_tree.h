/*
 * A file system in memory, as the model looks at one, that is disturbed at random: also between any
 * two looks. Inode numbers are used again at once, and birth times are coarse.
 */
#ifndef EVWATCH_TESTS_MEMORY_TREE_H
#define EVWATCH_TESTS_MEMORY_TREE_H

#include "source/file/model/look.h"
#include "source/file/model/touched.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CHILDREN = 64, MOST_INODES = 4096, MOST_OPEN = 64, NAME_SIZE = 8 };

struct memory_inode {
	uint64_t number;
	uint64_t handle; /* as a number, but never used again */
	char type;
	uint32_t born, content, changed;
	bool linked; /* it had several names: by which it was written is not said of the others */
	unsigned links, opened;
	struct memory_inode *parent; /* of a directory */
	size_t count;
	struct child {
		char name[NAME_SIZE];
		struct memory_inode *inode;
	} children[MOST_CHILDREN];
	int watch; /* -1: none */
};

struct memory_folder {
	struct memory_inode *inode; /* NULL: free */
	struct child list[MOST_CHILDREN];
	size_t count, at;
	size_t behind;     /* of the inode's children: these came since */
	struct child last; /* of those: as it was when it was listed, whatever happens to it */
};

struct memory_tree {
	struct file_system fs; /* first: the model's functions find the rest by it */
	struct memory_inode *root;
	uint64_t free_numbers[MOST_INODES];
	size_t n_free;
	uint64_t last_number, last_handle;
	uint32_t clock;
	struct memory_folder folders[MOST_OPEN];
	bool grows_behind;    /* what comes to a directory that is being read is listed, too */
	unsigned disturbance; /* of a thousand looks, so many are preceded by a change */
	void (*changed)(struct memory_tree *t, struct memory_inode *d, const char *name,
			unsigned bits);
	void (*removed)(struct memory_tree *t, struct memory_inode *d);
	void (*written)(struct memory_tree *t, struct memory_inode *d, const char *name);
};

/* ---- randomness ------------------------------------------------------------------------------ */

static uint64_t random_state;

static unsigned draw(unsigned below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state % below);
}

/* ---- inodes ---------------------------------------------------------------------------------- */

static struct memory_inode *memory_new(struct memory_tree *t, char type)
{
	struct memory_inode *i = calloc(1, sizeof *i);

	assert(i);
	i->number = t->n_free ? t->free_numbers[--t->n_free] : ++t->last_number;
	i->handle = ++t->last_handle;
	i->type = type;
	i->born = i->content = t->clock / 8;
	i->changed = t->clock;
	i->watch = -1;
	return i;
}

static void memory_settle(struct memory_tree *t, struct memory_inode *i)
{
	if (i->links || i->opened)
		return;
	if (t->n_free < MOST_INODES)
		t->free_numbers[t->n_free++] = i->number;
	free(i);
}

static struct child *memory_find(struct memory_inode *d, const char *name)
{
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->children[i].name, name) == 0)
			return &d->children[i];
	return NULL;
}

static void memory_link(struct memory_inode *d, const char *name, struct memory_inode *i)
{
	struct child *c = &d->children[d->count++];

	assert(d->count <= MOST_CHILDREN);
	snprintf(c->name, sizeof c->name, "%s", name);
	c->inode = i;
	i->links++;
	i->linked |= i->links > 1;
	if (i->type == 'd')
		i->parent = d;
}

static void memory_unlink(struct memory_tree *t, struct memory_inode *d, struct child *c)
{
	struct memory_inode *i = c->inode;

	*c = d->children[--d->count];
	i->links--;
	if (i->type == 'd' && !i->links)
		t->removed(t, i);
	memory_settle(t, i);
}

static struct memory_inode *memory_resolve(struct memory_tree *t, const char *path)
{
	struct memory_inode *at = t->root;
	char part[NAME_SIZE];

	while (at && *path) {
		size_t n = strcspn(path, "/");
		struct child *c;

		assert(n < sizeof part);
		memcpy(part, path, n);
		part[n] = '\0';
		c = at->type == 'd' ? memory_find(at, part) : NULL;
		at = c ? c->inode : NULL;
		path += n + (path[n] == '/');
	}
	return at;
}

/* ---- disturbing it --------------------------------------------------------------------------- */

/* A directory at random, that has room. */
static struct memory_inode *memory_any_folder(struct memory_tree *t)
{
	struct memory_inode *at = t->root;

	for (;;) {
		struct memory_inode *folders[MOST_CHILDREN];
		unsigned n = 0;

		for (size_t i = 0; i < at->count; i++)
			if (at->children[i].inode->type == 'd')
				folders[n++] = at->children[i].inode;
		if (!n || (at != t->root && !draw(3)))
			return at;
		at = folders[draw(n)];
	}
}

static bool memory_is_in(const struct memory_inode *i, const struct memory_inode *above)
{
	for (; i; i = i->parent)
		if (i == above)
			return true;
	return false;
}

static void memory_remove(struct memory_tree *t, struct memory_inode *d, const char *name)
{
	struct child *c = memory_find(d, name);
	struct memory_inode *i = c->inode;

	if (i->type == 'd')
		while (i->count)
			memory_remove(t, i, i->children[draw((unsigned)i->count)].name);
	t->changed(t, d, name, HINT_DELETED);
	memory_unlink(t, d, memory_find(d, name));
}

static void memory_rename(struct memory_tree *t, struct memory_inode *from, const char *old,
			  struct memory_inode *to, const char *new)
{
	struct child *source = memory_find(from, old), *target = memory_find(to, new);
	struct memory_inode *moved = source->inode;

	if ((from == to && strcmp(old, new) == 0) ||
	    (moved->type == 'd' && memory_is_in(to, moved)))
		return;
	if (target && (target->inode == moved || target->inode->count ||
		       (target->inode->type == 'd') != (moved->type == 'd')))
		return;
	t->changed(t, from, old, HINT_LEFT);
	t->changed(t, to, new, HINT_CAME);
	if (target)
		memory_unlink(t, to, target);
	moved->opened++;
	source = memory_find(from, old);
	*source = from->children[--from->count];
	moved->links--;
	moved->changed = t->clock;
	memory_link(to, new, moved);
	moved->opened--;
}

static void memory_exchange(struct memory_tree *t, struct memory_inode *d, const char *name,
			    struct memory_inode *e, const char *other)
{
	struct child *a = memory_find(d, name), *b = memory_find(e, other);
	struct memory_inode *i = a->inode;

	if (a->inode == b->inode || memory_is_in(e, a->inode) || memory_is_in(d, b->inode))
		return;
	t->changed(t, d, name, HINT_LEFT);
	t->changed(t, e, other, HINT_LEFT);
	t->changed(t, e, other, HINT_CAME);
	t->changed(t, d, name, HINT_CAME);
	a->inode = b->inode;
	b->inode = i;
	a->inode->changed = i->changed = t->clock;
	if (a->inode->type == 'd')
		a->inode->parent = d;
	if (b->inode->type == 'd')
		b->inode->parent = e;
}

static void memory_create(struct memory_tree *t, struct memory_inode *d, const char *name,
			  struct memory_inode *i)
{
	memory_link(d, name, i);
	t->changed(t, d, name, HINT_CREATED);
}

static void memory_write(struct memory_tree *t, struct memory_inode *d, struct child *c)
{
	c->inode->content = c->inode->changed = t->clock;
	if (t->written)
		t->written(t, d, c->name);
}

/* One change, of those that a file system may be asked for. */
static void memory_disturb(struct memory_tree *t)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "skip", "f", "g"};
	struct memory_inode *d = memory_any_folder(t), *e = memory_any_folder(t);
	const char *name = names[draw(8)], *other = names[draw(8)];
	struct child *here = memory_find(d, name), *there = memory_find(e, other);
	unsigned what = draw(16);

	t->clock++;
	if (d == t->root) {
		/* The roots: "w" is watched, "x" is not. Mostly they stay. */
		name = draw(12) ? "x" : "w";
		here = memory_find(d, name);
		if (here && draw(4))
			return;
	}
	if (e == t->root || d->count == MOST_CHILDREN || e->count == MOST_CHILDREN)
		return;
	if (!here && what < 7)
		memory_create(t, d, name, memory_new(t, what < 3 ? 'd' : what < 6 ? 'f' : 'l'));
	else if (!here && what < 9 && there && there->inode->type != 'd')
		memory_create(t, d, name, there->inode);
	else if (here && what < 3)
		memory_remove(t, d, name);
	else if (here && what < 5) {
		char type = here->inode->type;

		memory_remove(t, d, name);
		memory_create(t, d, name, memory_new(t, draw(3) ? type : 'd'));
	} else if (here && there && what < 8)
		memory_exchange(t, d, name, e, other);
	else if (here && what < 15)
		memory_rename(t, d, name, e, other);
	else if (here)
		memory_write(t, d, here);
}

/* ---- as the model sees it -------------------------------------------------------------------- */

static struct memory_tree *memory_of(const struct file_system *fs)
{
	return (struct memory_tree *)(void *)(uintptr_t)fs;
}

static void memory_maybe_disturb(struct memory_tree *t)
{
	while (draw(1000) < t->disturbance)
		memory_disturb(t);
}

static void memory_fill(const struct memory_inode *i, struct look *out)
{
	*out = (struct look){.type = i->type,
			     .identity = {i->number, 1, i->born + 1},
			     .stamp = {i->content, i->type == 'd' ? 0 : i->changed},
			     .changed = i->changed};
}

static int memory_open_inode(struct memory_tree *t, struct memory_inode *i, struct look *out)
{
	int fd = 0;

	while (fd < MOST_OPEN && t->folders[fd].inode)
		fd++;
	assert(fd < MOST_OPEN);
	i->opened++;
	t->folders[fd] = (struct memory_folder){.inode = i, .count = i->count};
	memcpy(t->folders[fd].list, i->children, sizeof i->children);
	memory_fill(i, out);
	return fd;
}

static int memory_open(const struct file_system *fs, const struct opening *how, struct look *out)
{
	struct memory_tree *t = memory_of(fs);
	struct memory_inode *i;

	memory_maybe_disturb(t);
	i = memory_resolve(t, how->path);
	errno = i ? ENOTDIR : ENOENT;
	return i && i->type == 'd' ? memory_open_inode(t, i, out) : -1;
}

static int memory_look(const struct file_system *fs, int folder, const char *name, bool follow,
		       struct look *out)
{
	struct memory_tree *t = memory_of(fs);
	struct memory_inode *i;
	struct child *c;

	(void)follow;
	memory_maybe_disturb(t);
	c = folder == FOLDER_NONE ? NULL : memory_find(t->folders[folder].inode, name);
	i = folder == FOLDER_NONE ? memory_resolve(t, name) : c ? c->inode : NULL;
	*out = (struct look){0};
	if (i)
		memory_fill(i, out);
	return 0;
}

/* What came since is listed behind, again if its name was in the list: so it is where directories
 * grow at their end (tmpfs). */
static const struct child *memory_next_behind(struct memory_folder *f)
{
	while (f->behind < f->inode->count) {
		bool listed = false;

		f->last = f->inode->children[f->behind++];
		for (size_t i = 0; i < f->count; i++)
			listed |= f->list[i].inode == f->last.inode &&
				  !strcmp(f->list[i].name, f->last.name);
		if (!listed)
			return &f->last;
	}
	return NULL;
}

/* The list is as old as a buffer of getdents64 may be; types and numbers are of that time. */
static int memory_next(const struct file_system *fs, int folder, struct listed *out)
{
	struct memory_tree *t = memory_of(fs);
	struct memory_folder *f = &t->folders[folder];
	const struct child *c;

	memory_maybe_disturb(t);
	for (; f->at < f->count; f->at++) {
		c = memory_find(f->inode, f->list[f->at].name);
		if (!c)
			continue;
		*out = (struct listed){f->list[f->at++].name, c->inode->type, c->inode->number};
		if (!draw(8))
			out->type = '?';
		return 1;
	}
	c = t->grows_behind ? memory_next_behind(f) : NULL;
	if (c)
		*out = (struct listed){c->name, c->inode->type, c->inode->number};
	return c != NULL;
}

static void memory_close(const struct file_system *fs, int folder)
{
	struct memory_tree *t = memory_of(fs);
	struct memory_inode *i = t->folders[folder].inode;

	t->folders[folder].inode = NULL;
	i->opened--;
	memory_settle(t, i);
}

static void memory_init(struct memory_tree *t)
{
	/* A stamp of 0 says that nobody has looked. */
	*t = (struct memory_tree){.fs = {memory_open, memory_look, memory_next, memory_close},
				  .clock = 8};
	t->root = memory_new(t, 'd');
	t->root->links = 1;
}

static void memory_free(struct memory_inode *i)
{
	if (i->type == 'd')
		for (size_t k = 0; k < i->count; k++)
			memory_free(i->children[k].inode);
	if (--i->links == 0)
		free(i);
}

#endif
