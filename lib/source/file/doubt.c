/*
 * Doubt: is each watch still the one of the directory that is thought to have it?
 *
 * A watch is added by path, and later than what the kernel tells of that path. When directories
 * were renamed in the meantime it has gone to another one, and an event may speak of one that was
 * called so before. What is still in the kernel's queue mostly explains it. So each directory that
 * was created or moved is doubted until the queue is empty; whose path then leads to another inode
 * is in the wrong place of the tree, and the tree is read again.
 *
 * The kernel's queue is a history, and what is known must end as the tree is. Wherever reading it
 * came to a guess (the path leads elsewhere by now, its name is another's), the directory is
 * unsure, and what is known to be in it is held against what is there once the queue is empty.
 */
#include "base/array.h"
#include "base/log.h"
#include "source/file/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>

bool doubt_is_here(struct file_source *s, const struct dir *d)
{
	uint32_t nofollow = d->parent && !d->through_link ? (uint32_t)IN_DONT_FOLLOW : 0;
	int wd;

	if (d->wd < 0)
		return false;
	wd = inotify_add_watch(s->inotify, tree_path(s, d, NULL),
			       watch_mask(s) | nofollow | IN_MASK_ADD);
	if (wd >= 0 && !tree_find(s, wd))
		watch_drop(s, wd);
	return wd == d->wd;
}

bool doubt_is_folder(struct file_source *s, const struct dir *d, int folder)
{
	char path[64];
	int wd;

	if (s->arming || d->wd < 0)
		return true;
	snprintf(path, sizeof path, "/proc/self/fd/%d", folder);
	wd = inotify_add_watch(s->inotify, path, watch_mask(s) | IN_MASK_ADD);
	if (wd >= 0 && !tree_find(s, wd))
		watch_drop(s, wd);
	return wd < 0 || wd == d->wd; /* without /proc it is believed */
}

void doubt_add(struct file_source *s, const struct dir *d)
{
	struct doubts *doubts = &s->doubts;

	if ((s->arming && !d->unsure) || d->wd < 0)
		return;
	if (ARRAY_GROW(doubts->items, doubts->capacity, doubts->count + 1) < 0)
		log_error(s->base.rule, "out of memory: %s may be mistaken for another directory",
			  tree_path(s, d, NULL));
	else
		doubts->items[doubts->count++] = d->wd;
}

/* Is what is known to be in it there? And if it moved, is it still what may be entered? */
static void look_in(struct file_source *s, struct dir *d)
{
	struct scan_how how = {
	    .report = true, .again = true, .doors = d->moved, .shallow = !d->moved};

	d->moved = d->unsure = false;
	scan(s, d, &how);
}

bool doubt_settle(struct file_source *s)
{
	static const struct scan_how how = {.report = true};
	struct doubts doubts = s->doubts;

	/* One that is moving has no place yet. */
	if (!doubts.count || !list_empty(&s->moves))
		return false;
	s->doubts = (struct doubts){0}; /* reading brings new ones */
	for (size_t i = 0; i < doubts.count; i++) {
		struct dir *d = tree_find(s, doubts.items[i]);

		if (!d)
			continue;
		if (!doubt_is_here(s, d))
			rescan_soon(s);
		else if (d->fresh)
			scan(s, d, &how);
		else if (d->moved || d->unsure)
			look_in(s, d);
	}
	free(doubts.items);
	return s->doubts.count > 0;
}

void doubt_free(struct file_source *s)
{
	free(s->doubts.items);
	s->doubts = (struct doubts){0};
}
