/* Directories on the way of followed paths: one watch each, whoever leads through. See inner.h. */
#include "follow/inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The directory itself (MOVE_SELF: `..` of it is another one then), and the names in it. */
enum {
	MASK = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_MOVE_SELF |
	       IN_DELETE_SELF | IN_ONLYDIR
};

/* ---- tables ---------------------------------------------------------------------------------- */

static uint64_t text_hash(const void *text)
{
	return hash_bytes(text, strlen(text));
}

static uint64_t name_hash(const void *name)
{
	return text_hash(((const struct follow_name *)name)->text);
}

static bool name_is(const void *name, const void *text)
{
	return strcmp(((const struct follow_name *)name)->text, text) == 0;
}

static const struct table_type by_text = {name_hash, text_hash, name_is};

/* ---- directories ----------------------------------------------------------------------------- */

static void dir_free(struct follow_set *set, struct follow_dir *dir)
{
	inotify_unlisten(&set->dirs, &dir->listener);
	table_free(&dir->names);
	free(dir);
}

/* The directory that stands at `path` now; it may have no name yet. NULL with errno. */
static struct follow_dir *dir_at(struct follow_set *set, const char *path)
{
	struct inotify_listener *other;
	struct follow_dir *dir;

	if (!set->dirs.on) {
		errno = EMFILE;
		return NULL;
	}
	dir = calloc(1, sizeof *dir);
	if (!dir)
		return NULL;
	table_init(&dir->names, &by_text);
	if (inotify_listen(&set->dirs, &dir->listener, path, MASK) < 0) {
		free(dir);
		return NULL;
	}
	other = inotify_other(&set->dirs, &dir->listener);
	if (!other)
		return dir;
	dir_free(set, dir);
	return CONTAINER_OF(other, struct follow_dir, listener);
}

static struct follow_name *name_in(struct follow_dir *dir, const char *text)
{
	struct follow_name *name = table_find(&dir->names, text);
	size_t size = strlen(text) + 1;

	if (name)
		return name;
	name = malloc(sizeof *name + size);
	if (!name)
		return NULL;
	name->dir = dir;
	list_init(&name->steps);
	memcpy(name->text, text, size);
	if (table_add(&dir->names, name) == 0)
		return name;
	free(name);
	return NULL;
}

/* A name without steps goes, and a directory without names. */
static void name_release(struct follow_set *set, struct follow_name *name)
{
	struct follow_dir *dir = name->dir;

	if (!list_empty(&name->steps))
		return;
	table_remove(&dir->names, name->text);
	free(name);
	if (!dir->names.count)
		dir_free(set, dir);
}

/* ---- steps ----------------------------------------------------------------------------------- */

int dirs_step(struct follow *f, struct link *steps, const char *path, const char *text)
{
	struct follow_dir *dir = dir_at(f->set, path);
	struct follow_step *step = dir ? malloc(sizeof *step) : NULL;
	struct follow_name *name = step ? name_in(dir, text) : NULL;

	if (!name) {
		int saved = errno;

		free(step);
		if (dir && !dir->names.count)
			dir_free(f->set, dir);
		errno = saved;
		return -1;
	}
	step->follow = f;
	step->name = name;
	list_append(&name->steps, &step->of_name);
	list_append(steps, &step->of_path);
	return 0;
}

void dirs_drop(struct follow_set *set, struct link *steps)
{
	LIST_EACH(at, after, steps)
	{
		struct follow_step *step = CONTAINER_OF(at, struct follow_step, of_path);

		list_remove(&step->of_path);
		list_remove(&step->of_name);
		name_release(set, step->name);
		free(step);
	}
}

/* ---- events ---------------------------------------------------------------------------------- */

static void want_all(const struct follow_name *name, uint32_t mask)
{
	LIST_EACH(at, after, (struct link *)&name->steps)
	{
		struct follow *f = CONTAINER_OF(at, struct follow_step, of_name)->follow;

		f->came += mask & (IN_CREATE | IN_MOVED_TO) ? 1 : 0;
		follow_want(f, WANT_WALK);
	}
}

void dirs_event(const struct follow_dir *dir, const struct inotify_event *event)
{
	const char *text = inotify_name(event);
	struct follow_name *name;
	size_t at = 0;

	if (!(event->mask & (MASK | IN_IGNORED | IN_UNMOUNT)))
		return;
	if (text) {
		name = table_find(&dir->names, text);
		if (name)
			want_all(name, event->mask);
		return;
	}
	while ((name = table_next(&dir->names, &at)))
		want_all(name, event->mask);
}
