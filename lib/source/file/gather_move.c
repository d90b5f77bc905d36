/*
 * Gathering moves: the net effect of a rename within a batch.
 *
 * What was created in the batch is created at its new place; what moved before keeps its origin,
 * and its place in the order. It cannot be told as a move where it ends at a path that was deleted
 * or left in the same batch: that path is modified, and the old one gone.
 *
 * Directories take along what is in them: renames.c.
 */
#include "base/log.h"
#include "source/file/file.h"

#include <stdlib.h>
#include <string.h>

/* It is gone from there; that is told by its new place, if that is told as a move. */
static void hide(struct file_source *s, const char *path)
{
	struct change *old = table_find(&s->changes.by_path, path);

	if (old && old->event != FILE_DELETE)
		return; /* something is there anew */
	old = change_of(s, path, FILE_DELETE);
	if (old)
		old->hidden = true;
}

/*
 * Takes what is known of a path that is moved away. Returns what its new place is to be: created,
 * when it was created in this batch; else moved, from *from (owned).
 */
static unsigned move_away(struct file_source *s, const struct happening *h, char **from)
{
	struct change *old = table_find(&s->changes.by_path, h->old_path);
	unsigned before = old ? old->event : FILE_MOVE;

	*from = NULL;
	if (before == FILE_MOVE && old) {
		*from = old->old_path;
		old->old_path = NULL;
	}
	if (old)
		change_drop(&s->changes, old);
	if (before == FILE_CREATE)
		return FILE_CREATE;
	if (*from)
		return FILE_MOVE;
	*from = strdup(h->old_path);
	hide(s, h->old_path);
	return FILE_MOVE;
}

/* What moved in a batch before, and moves on: it stays where it is in the order. */
struct earlier {
	struct link *before; /* NULL: it did not */
	int64_t since;
};

static struct earlier earlier_move(const struct file_source *s, const char *path)
{
	const struct change *old = table_find(&s->changes.by_path, path);

	if (!old || old->event != FILE_MOVE)
		return (struct earlier){0};
	return (struct earlier){.before = old->link.prev, .since = old->since};
}

/* Takes the origin over. */
static void set_move(struct change *change, const struct earlier *earlier, char *from)
{
	free(change->old_path);
	change->old_path = from;
	if (!earlier->before)
		return;
	list_remove(&change->link);
	list_prepend(earlier->before, &change->link);
	change->since = earlier->since;
}

static void move_replaces(struct file_source *s, const char *path, char *from)
{
	if (from)
		change_unhide(s, from);
	free(from);
	changes_gather(s, FILE_MODIFY, path, false);
	changes_gather(s, FILE_CLOSE_WRITE, path, false);
}

/* One that moves with a directory above it, all in which is told one by one. */
static void directory_along(struct file_source *s, const struct happening *h)
{
	changes_gather(s, FILE_CREATE, h->path, false);
	changes_gather(s, FILE_DELETE, h->old_path, false);
}

static void entry_moved(struct file_source *s, const struct happening *h)
{
	struct earlier earlier = earlier_move(s, h->old_path);
	char *from;
	unsigned event = move_away(s, h, &from);
	struct change *change;

	if (h->replaced) {
		move_replaces(s, h->path, from);
		return;
	}
	change = change_of(s, h->path, event);
	if (change)
		change->seen |= FILE_CLOSE_WRITE;
	if (change && change->event == FILE_MOVE && from) {
		set_move(change, &earlier, from);
		return;
	}
	if (from)
		change_unhide(s, from); /* nobody is told that it moved, but that it is gone */
	free(from);
}

void changes_gather_move(struct file_source *s, const struct happening *h)
{
	if (h->type != 'd')
		entry_moved(s, h);
	else if (h->along)
		directory_along(s, h);
	else
		renames_add(s, h);
}
