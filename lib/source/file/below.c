/*
 * What is below a directory that moved, where that has to be told one by one.
 *
 * As a rule the move of a directory says where all in it is now. But who filters the directory out
 * (--type f, --match '*.c') is not told of its move, and the paths in it have changed all the same.
 * The tree knows what was there; --fanotify has none, and reads the directory.
 */
#include "base/log.h"
#include "source/file/fanotify.h"

#include <string.h>

static void tell(struct file_source *s, const struct happening *top, const struct dir *d,
		 const char *name, char type)
{
	struct happening h = {.event = FILE_MOVE, .root = top->root, .type = type, .along = true};
	struct buf path = {0}, old_path = {0};

	buf_add_text(&path, tree_path(s, d, name));
	if (!path.failed)
		buf_printf(&old_path, "%s%s", top->old_path, path.data + strlen(top->path));
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
	const struct entry *e;

	for (uint32_t at = 0; (e = names_next(d->names, &at));)
		tell(s, top, d, e->name, e->type);
	for (const struct dir *c = d->first_child; c; c = c->next) {
		if (!names_find(d->names, c->name))
			tell(s, top, c, NULL, 'd');
		tell_content(s, top, c);
	}
}

void below_moved(struct file_source *s, const struct happening *h)
{
	if (s->fan)
		fan_walk(s, &(struct fan_tale){.root = h->root,
					       .subject = &s->fan->moving,
					       .path = h->path,
					       .old_path = h->old_path,
					       .event = FILE_MOVE});
	else if (h->moved)
		tell_content(s, h, h->moved);
}
