/*
 * Directories that move within a batch.
 *
 * A batch is told in two parts: first the moves of directories, in their order, then what happened
 * to each path. So all paths of the second part are those of now, and what happened to them can be
 * merged without regard to the order. What a directory takes along need not be told: its move says
 * where that is.
 *
 * The first part stays right when a directory moves on: what was told of the old path since it came
 * there is told of the new one, if nothing else was at the new path since. Or its move comes last
 * in the first part, if nothing happened at the new path. Where neither goes (it was put in the
 * place of another) it is told entry by entry. When it leaves or is deleted, its move is taken
 * back, and what is gone from it is gone from where it was.
 */
#include "base/log.h"
#include "base/path.h"
#include "source/file/file.h"

#include <stdlib.h>
#include <string.h>

static bool is_rename(const struct change *change)
{
	return change->first && change->event == FILE_MOVE;
}

static struct change *change_at(struct link *at)
{
	return CONTAINER_OF(at, struct change, link);
}

/* ---- the order ------------------------------------------------------------------------------- */

/* Where the second part begins. */
static struct link *second_part(struct file_source *s)
{
	struct link *at = s->changes.order.next;

	while (at != &s->changes.order && change_at(at)->first)
		at = at->next;
	return at;
}

/* Does anything from `at` on speak of this path, of what is below it, or of having left what is
 * above it? */
static bool is_spoken_of(const struct file_source *s, const struct link *at, const char *path)
{
	for (; at != &s->changes.order; at = at->next) {
		const struct change *change = CONTAINER_OF(at, const struct change, link);

		if (path_is_in(change->path, path) || path_is_in(change->old_path, path) ||
		    path_is_in(path, change->old_path))
			return true;
	}
	return false;
}

static char *renamed(const char *path, const char *from, const char *to)
{
	struct buf b = {0};

	buf_printf(&b, "%s%s", to, path + strlen(from));
	return buf_take(&b);
}

/* Says `to` for `from` in this one. */
static void rename_in(struct file_source *s, struct change *change, const char *from,
		      const char *to)
{
	bool here = path_is_in(change->path, from), was = path_is_in(change->old_path, from);
	char *path = here ? renamed(change->path, from, to) : NULL;
	char *old_path = was ? renamed(change->old_path, from, to) : NULL;

	if (was && old_path) {
		free(change->old_path);
		change->old_path = old_path;
	}
	if ((was && !old_path) || (here && (!path || change_rename(&s->changes, change, path) < 0)))
		log_error(s->base.rule, "out of memory: %s is told by its old path", to);
	free(path);
}

static void rename_from(struct file_source *s, struct link *at, const char *from, const char *to)
{
	struct link *next;

	for (; at != &s->changes.order; at = next) {
		next = at->next;
		rename_in(s, change_at(at), from, to);
	}
}

/* ---- the first part -------------------------------------------------------------------------- */

static void put_first(struct file_source *s, struct change *change, struct link *before)
{
	/* The first of all tells since when the batch waits. */
	if (s->changes.order.next != &s->changes.order)
		change->since = change_at(s->changes.order.next)->since;
	change->first = true;
	list_remove(&change->link);
	list_append(before, &change->link);
}

/* Was a directory above the path created in this batch? All that were are put before `before`. */
static bool above_created(struct file_source *s, const char *path, struct link *before)
{
	char *above = strdup(path);
	bool any = false;

	for (char *slash = above ? strchr(above + 1, '/') : NULL; slash;
	     slash = strchr(slash + 1, '/')) {
		struct change *change;

		*slash = '\0';
		change = table_find(&s->changes.by_path, above);
		*slash = '/';
		if (!change || change->event != FILE_CREATE)
			continue;
		any = true;
		if (before && !change->first)
			put_first(s, change, before);
	}
	free(above);
	return any;
}

/* How the directory at this path came there in this batch: its change, or NULL. *touched: it did,
 * and not by being created or moved. */
static struct change *came_by(struct file_source *s, const char *path, bool *touched)
{
	struct change *change = table_find(&s->changes.by_path, path), *rename = NULL;

	*touched = false;
	if (change && change->event == FILE_CREATE)
		return change;
	*touched = change && !(change->event & (FILE_ATTRIB | FILE_OPEN | FILE_ACCESS));
	if (*touched)
		return NULL;
	LIST_EACH(at, after, &s->changes.order)
	{
		change = change_at(at);
		if (!change->first)
			break;
		if (is_rename(change) && strcmp(change->path, path) == 0)
			rename = change;
	}
	return rename;
}

/* It goes on: as if it had come there at once. */
static bool goes_on(struct file_source *s, struct change *came, const char *from, const char *to)
{
	struct link *since = came->first ? came->link.next : second_part(s);
	bool back = is_rename(came) && strcmp(came->old_path, to) == 0;

	if (is_spoken_of(s, since, to) || (came->first && above_created(s, to, NULL)))
		return false;
	if (back)
		change_drop(&s->changes, came);
	else if (came->first)
		since = &came->link;
	rename_from(s, since, from, to);
	return true;
}

/* Its move is the last of the first part. */
static bool comes_last(struct file_source *s, const char *from, const char *to)
{
	struct link *rest = second_part(s);
	struct change *change;

	if (is_spoken_of(s, rest, to))
		return false;
	change = change_add_rename(s, to, from);
	if (!change)
		return true;
	put_first(s, change, rest);
	above_created(s, to, &change->link);
	rename_from(s, second_part(s), from, to);
	return true;
}

/* Takes its move back if nothing else was where it came from. Returns that path, owned. */
static char *take_back(struct file_source *s, struct change *came)
{
	struct link *since = came->link.next;
	char *to, *from;

	if (!is_rename(came) || is_spoken_of(s, since, came->old_path))
		return NULL;
	to = came->old_path;
	from = strdup(came->path);
	if (!from)
		return NULL;
	came->old_path = NULL;
	change_drop(&s->changes, came);
	rename_from(s, since, from, to);
	free(from);
	return to;
}

char *renames_undo(struct file_source *s, const char *path)
{
	bool touched;
	struct change *came = came_by(s, path, &touched);

	return came ? take_back(s, came) : NULL;
}

static void expand(struct file_source *s, const struct happening *h, struct change *came)
{
	char *origin = came ? take_back(s, came) : NULL;
	const char *from = origin ? origin : h->old_path;

	changes_gather(s, FILE_CREATE, h->path, false);
	below_expand(s, h, from);
	changes_gather(s, FILE_DELETE, from, false);
	free(origin);
}

void renames_add(struct file_source *s, const struct happening *h)
{
	bool touched;
	struct change *came = came_by(s, h->old_path, &touched);

	if (came && !h->replaced && goes_on(s, came, h->old_path, h->path))
		return;
	if (!touched && (!came || came->first) && !h->replaced &&
	    comes_last(s, h->old_path, h->path))
		return;
	expand(s, h, came);
}
