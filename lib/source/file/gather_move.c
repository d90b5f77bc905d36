/*
 * Gathering moves: the net effect of a rename within a batch.
 *
 * A move says where a path and all below it are now, so what the batch knows below the old path is
 * to be found below the new one. It keeps its origin, and its place in the order, when it goes on.
 *
 * It cannot be told as a move where it ends at a path that was deleted or left in the same batch:
 * that path is modified, and the old one gone. What is in a directory that does so is told entry
 * by entry, each by the same rules.
 */
#include "base/array.h"
#include "base/log.h"
#include "source/file/file.h"

#include <stdlib.h>
#include <string.h>

/* A directory that goes on from `from` to `to`; what is gone from it is told below `gone`. */
struct passage {
	const char *from, *to;
	const char
	    *gone; /* NULL: it was at `from` when the batch began, and is told there already */
};

static const char *behind(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && path[n] == '/' ? path + n : NULL;
}

static char *joined(const char *top, const char *rest)
{
	struct buf b = {0};

	buf_printf(&b, "%s%s", top, rest);
	return buf_take(&b);
}

/* ---- the path itself ------------------------------------------------------------------------- */

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
	const char *origin = h->origin ? h->origin : h->old_path;

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
	*from = strdup(origin);
	hide(s, origin);
	return FILE_MOVE;
}

/* ---- what is below a directory --------------------------------------------------------------- */

static void gone_below(struct file_source *s, struct change *old, const char *path)
{
	struct change *there = table_find(&s->changes.by_path, path);
	bool hidden = old->hidden && (!there || there->hidden);

	if (!there)
		there = change_of(s, path, FILE_DELETE);
	if (there && there->event == FILE_DELETE)
		there->hidden = hidden;
	change_drop(&s->changes, old);
}

static void goes_along(struct file_source *s, struct change *old, const char *path)
{
	struct change *change = change_of(s, path, old->event);

	if (!change)
		return;
	change->event = old->event;
	change->seen |= old->seen;
	change->since = old->since;
	free(change->old_path);
	change->old_path = old->old_path;
	old->old_path = NULL;
	change_drop(&s->changes, old);
}

static void pass_on(struct file_source *s, const struct passage *p, struct change *change)
{
	const char *rest = change->old_path ? behind(change->old_path, p->from) : NULL;
	char *path;

	if (rest && p->gone && (path = joined(p->gone, rest))) {
		free(change->old_path);
		change->old_path = path;
	}
	rest = behind(change->path, p->from);
	if (!rest || (change->event == FILE_DELETE && !p->gone))
		return;
	path = joined(change->event == FILE_DELETE ? p->gone : p->to, rest);
	if (!path)
		log_error(s->base.rule, "out of memory: %s is told by its old path", change->path);
	else if (change->event == FILE_DELETE)
		gone_below(s, change, path);
	else
		goes_along(s, change, path);
	free(path);
}

/* What happened below in this batch goes along. The order changes meanwhile: they are found first.
 */
static void pass_below(struct file_source *s, const struct passage *p)
{
	struct change **found = NULL;
	size_t n = 0, capacity = 0;

	LIST_EACH(at, after, &s->changes.order)
	{
		struct change *change = CONTAINER_OF(at, struct change, link);

		if (!behind(change->path, p->from) &&
		    !(change->old_path && behind(change->old_path, p->from)))
			continue;
		if (ARRAY_GROW(found, capacity, n + 1) == 0)
			found[n++] = change;
		else
			log_error(s->base.rule, "out of memory: %s is told by its old path",
				  change->path);
	}
	for (size_t i = 0; i < n; i++)
		pass_on(s, p, found[i]);
	free(found);
}

/* ---- the move -------------------------------------------------------------------------------- */

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

void changes_gather_move(struct file_source *s, const struct happening *h)
{
	struct earlier earlier = earlier_move(s, h->old_path);
	char *from;
	unsigned event = move_away(s, h, &from);
	struct passage passage = {.from = h->old_path, .to = h->path};
	struct change *change;
	bool plain;

	if (h->replaced) {
		move_replaces(s, h->path, from);
		return;
	}
	change = change_of(s, h->path, event);
	if (change)
		change->seen |= FILE_CLOSE_WRITE;
	plain = change && change->event == FILE_MOVE && from;
	if (plain)
		set_move(change, &earlier, from);
	else if (from)
		change_unhide(s, from); /* nobody is told that it moved, but that it is gone */
	if (earlier.before)
		passage.gone = plain ? h->path : from;
	/* One that is back where it was holds what it held. */
	if (h->type == 'd' && from && !plain && !h->along && strcmp(from, h->path) != 0)
		below_expand(s, h, from);
	if (h->type == 'd')
		pass_below(s, &passage);
	if (!plain)
		free(from);
}
