/*
 * What is below a directory that moved, where that has to be told one by one.
 *
 * As a rule the move of a directory says where all in it is now. But who filters the directory out
 * (--type f, --match '*.c') is not told of its move, and the paths in it have changed all the same.
 * And a move that a batch cannot tell as one is told by what is in it (renames.c). The tree
 * knows what was there; --fanotify has none, and reads the directory.
 */
#include "base/log.h"
#include "source/file/fanotify.h"

#include <string.h>

/* `how` says what else is known of the entry. */
static void tell(struct file_source *s, const struct happening *top, const struct dir *d,
		 const char *name, const struct happening *how)
{
	struct happening h = *how;
	struct buf path = {0}, old_path = {0};
	const char *rest;

	h.event = FILE_MOVE;
	h.root = top->root;
	buf_add_text(&path, tree_path(s, d, name));
	rest = path.failed ? "" : path.data + strlen(top->path);
	buf_printf(&old_path, "%s%s", top->old_path, rest);
	h.path = path.data;
	h.old_path = old_path.data;
	if (path.failed || old_path.failed)
		log_error(s->base.rule, "out of memory: the move of %s is not told", top->path);
	else
		changes_add(s, &h);
	buf_free(&path);
	buf_free(&old_path);
}

static void tell_content(struct file_source *s, const struct happening *top, const struct dir *d)
{
	struct happening how = {.along = true};
	const struct entry *e;

	for (uint32_t at = 0; (e = names_next(d->names, &at));) {
		how.type = e->type;
		tell(s, top, d, e->name, &how);
	}
	how.type = 'd';
	for (const struct dir *c = d->first_child; c; c = c->next) {
		if (!names_find(d->names, c->name))
			tell(s, top, c, NULL, &how);
		tell_content(s, top, c);
	}
}

void below_moved(struct file_source *s, const struct happening *h)
{
	if (s->fan)
		fan_moved_below(s, h, false);
	else if (h->moved)
		tell_content(s, h, h->moved);
}

void below_expand(struct file_source *s, const struct happening *h, const char *from)
{
	struct happening top = *h;
	const struct entry *e;

	top.old_path = from;
	if (s->fan)
		fan_moved_below(s, &top, true);
	if (!h->moved)
		return;
	for (uint32_t at = 0; (e = names_next(h->moved->names, &at));)
		if (e->type == 'f' || !tree_child(h->moved, e->name))
			tell(s, &top, h->moved, e->name, &(struct happening){.type = e->type});
	for (const struct dir *c = h->moved->first_child; c; c = c->next)
		tell(s, &top, c, NULL, &(struct happening){.type = 'd', .moved = c});
}
