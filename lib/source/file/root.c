/*
 * Roots: the user's PATHs.
 *
 * The directory above each root is watched, too: there one sees the root come, go, and be replaced
 * by a rename, as editors save. While that directory is missing itself, the deepest one above it
 * that is there is watched, and everything is looked at again when something is created in it.
 */
#include "source/file/file.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path of the directory above: "a/b" gives "a", "a" gives ".", "/a" gives "/". Owned. */
static char *path_above(const char *path)
{
	char *copy = strdup(path), *slash;
	size_t n;

	if (!copy)
		return NULL;
	n = strlen(copy);
	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	if (!slash)
		strcpy(copy, "."); /* no path is shorter than that, but the empty one */
	else if (slash == copy)
		slash[1] = '\0';
	else
		*slash = '\0';
	return copy;
}

/* The last component without slashes. Owned. */
static char *path_base(const char *path)
{
	size_t n = strlen(path), start;

	while (n > 1 && path[n - 1] == '/')
		n--;
	for (start = n; start > 0 && path[start - 1] != '/'; start--)
		;
	return strndup(path + start, n - start);
}

/* `.`, `..` and `/` have no name in the directory above that could come or go. */
static bool has_no_name(const struct root *r)
{
	return !*r->base || strcmp(r->base, ".") == 0 || strcmp(r->base, "..") == 0;
}

/* Watches the deepest directory above the root that is there. Returns 0, or -1 with errno. */
static int root_anchor(struct file_source *s, struct root *r)
{
	char *path = path_above(r->path), *above;

	r->anchor_is_parent = true;
	if (has_no_name(r)) {
		free(path);
		return 0;
	}
	while (path) {
		r->anchor = inotify_add_watch(s->inotify, path, watch_mask(s));
		if (r->anchor >= 0 || (errno != ENOENT && errno != ENOTDIR))
			break;
		above = strcmp(path, ".") == 0 || strcmp(path, "/") == 0 ? NULL : path_above(path);
		free(path);
		path = above;
		r->anchor_is_parent = false;
	}
	free(path);
	return r->anchor >= 0 ? 0 : -1;
}

/* Looks what the root is now, and watches it if it is a directory. */
static int root_arm(struct file_source *s, struct root *r)
{
	struct stat st;

	r->is_file = false;
	if (stat(r->path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	r->device = st.st_dev;
	r->is_file = !S_ISDIR(st.st_mode);
	if (r->is_file || tree_add(s, r, NULL, r->path) == 0)
		return 0;
	return errno == EEXIST || errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}

static int root_open(struct file_source *s, const char *path, struct error *e)
{
	struct root *r = calloc(1, sizeof *r);

	if (!r)
		return error_errno(e, "cannot watch %s", path);
	r->owner = s;
	r->path = path;
	r->base = path_base(path);
	r->anchor = -1;
	list_append(&s->roots, &r->link);
	/* The anchor first: what replaces the root while it is read must not be missed. */
	if (r->base && root_anchor(s, r) == 0 && root_arm(s, r) == 0)
		return s->told_limit ? error_set(e, "cannot watch all of %s", path) : 0;
	return error_errno(e, "cannot watch %s", path);
}

int roots_open(struct file_source *s, struct error *e)
{
	const struct file_config *c = s->base.config;

	list_init(&s->roots);
	for (size_t i = 0; i < c->roots.count; i++)
		if (root_open(s, c->roots.items[i], e) < 0)
			return -1;
	for (size_t i = 0; i < s->listed.count; i++)
		if (root_open(s, s->listed.items[i], e) < 0)
			return -1;
	return 0;
}

void roots_close(struct file_source *s)
{
	LIST_EACH(at, after, &s->roots)
	{
		struct root *r = CONTAINER_OF(at, struct root, link);

		list_remove(&r->link);
		free((char *)(uintptr_t)r->base);
		free(r);
	}
}

/* ---- what happens above a root --------------------------------------------------------------- */

static void root_gone(struct file_source *s, struct root *r)
{
	bool was_there = r->dir || r->is_file, directory = r->dir != NULL;

	if (r->dir)
		tree_remove(s, r->dir);
	r->is_file = false;
	if (was_there)
		changes_add(s, r, FILE_DELETE, r->path, NULL, directory);
}

static void root_came(struct file_source *s, struct root *r, uint32_t mask)
{
	bool was_file = r->is_file;

	if (r->dir)
		tree_remove(s, r->dir); /* replaced */
	if (root_arm(s, r) < 0)
		log_error(s->base.rule, "cannot watch %s: %s", r->path, strerror(errno));
	if (r->is_file && was_file && mask & IN_MOVED_TO) {
		changes_add_replaced(s, r, r->path, NULL);
	} else if (r->is_file || r->dir) {
		changes_add(s, r, FILE_CREATE, r->path, NULL, r->dir != NULL);
		if (r->is_file && mask & IN_MOVED_TO)
			changes_add(s, r, FILE_CLOSE_WRITE, r->path, NULL, false);
	}
}

static void root_happened(struct file_source *s, struct root *r, uint32_t mask)
{
	if (mask & (IN_CREATE | IN_MOVED_TO))
		root_came(s, r, mask);
	if (mask & (IN_DELETE | IN_MOVED_FROM))
		root_gone(s, r);
	if (!r->is_file)
		return;
	if (mask & IN_MODIFY)
		changes_add(s, r, FILE_MODIFY, r->path, NULL, false);
	if (mask & IN_CLOSE_WRITE)
		changes_add(s, r, FILE_CLOSE_WRITE, r->path, NULL, false);
	if (mask & IN_ATTRIB)
		changes_add(s, r, FILE_ATTRIB, r->path, NULL, false);
}

/* Not the parent yet, or no longer: find the deepest one again, and the root with it. */
static void root_search(struct file_source *s, struct root *r)
{
	bool there = r->dir || r->is_file;

	if (root_anchor(s, r) < 0) {
		log_error(s->base.rule, "cannot watch for %s: %s", r->path, strerror(errno));
		return;
	}
	if (!there)
		root_came(s, r, IN_MOVED_TO);
}

void roots_look(struct file_source *s, int wd, const char *name, uint32_t mask)
{
	LIST_EACH(at, after, &s->roots)
	{
		struct root *r = CONTAINER_OF(at, struct root, link);

		if (r->anchor != wd)
			continue;
		if (mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) {
			root_gone(s, r);
			root_search(s, r);
		} else if (!r->anchor_is_parent) {
			if (mask & (IN_CREATE | IN_MOVED_TO))
				root_search(s, r);
		} else if (name && strcmp(name, r->base) == 0) {
			root_happened(s, r, mask);
		}
	}
}

void roots_rescan(struct file_source *s)
{
	LIST_EACH(at, after, &s->roots)
	{
		struct root *r = CONTAINER_OF(at, struct root, link);
		struct timespec since = s->synced;
		struct stat st;

		if (r->dir)
			tree_rescan(s, r->dir, &since);
		else if (r->is_file && stat(r->path, &st) == 0 &&
			 (st.st_ctim.tv_sec > since.tv_sec ||
			  (st.st_ctim.tv_sec == since.tv_sec &&
			   st.st_ctim.tv_nsec >= since.tv_nsec)))
			changes_add(s, r, FILE_CLOSE_WRITE, r->path, NULL, false);
		else
			root_search(s, r);
		changes_add(s, r, FILE_OVERFLOW, r->path, NULL, true);
	}
}
