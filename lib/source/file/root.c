/*
 * Roots: the user's PATHs.
 *
 * The directory above each root is watched, too: there one sees the root come, go, and be replaced
 * by a rename, as editors save. While that directory is missing itself, the deepest one above it
 * that is there is watched, and everything is looked at again when something is created in it.
 */
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "source/file/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

char *root_real(const char *path)
{
	char *above = realpath(path, NULL), *up, *base;
	struct buf b = {0};

	if (above || (errno != ENOENT && errno != ENOTDIR))
		return above;
	up = path_above(path);
	base = path_base(path);
	above = up && base && strcmp(up, path) != 0 ? root_real(up) : NULL;
	if (above)
		buf_printf(&b, "%s%s%s", above, above[1] ? "/" : "", base);
	b.failed |= !above;
	free(above);
	free(up);
	free(base);
	return buf_take(&b);
}

/* `.`, `..` and `/` have no name in the directory above that could come or go. */
static bool has_no_name(const struct root *r)
{
	return !*r->base || strcmp(r->base, ".") == 0 || strcmp(r->base, "..") == 0;
}

const char *root_relative(const struct root *r, const char *path)
{
	size_t n = strlen(r->path);

	if (strncmp(path, r->path, n) != 0)
		return path;
	path += n;
	return path + strspn(path, "/");
}

bool roots_lean_on(const struct file_source *s, int wd)
{
	LIST_EACH(at, after, &s->roots)
	{
		const struct root *r = CONTAINER_OF(at, struct root, link);

		if (r->anchor == wd)
			return true;
		for (size_t i = 0; i < r->n_steps; i++)
			if (r->steps[i].wd == wd)
				return true;
	}
	return false;
}

/*
 * Only comings and goings are asked for above a directory: its neighbours' writes wake nobody. The
 * bits are added to those of a watch that is there already.
 */
static uint32_t anchor_mask(const struct file_source *s, const struct root *r)
{
	uint32_t all = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;

	return IN_MASK_ADD | IN_MOVE_SELF | (r->is_file ? watch_mask(s) : all);
}

/*
 * Watches the deepest directory above the root that is there. *came: the one below it is there,
 * too, by now, perhaps since before the watch. Returns 0, or -1 with errno.
 */
static int watch_above(struct file_source *s, struct root *r, bool *came)
{
	char *path = path_above(r->path), *below = NULL, *above;
	struct stat st;

	*came = false;
	r->anchor = -1;
	while (path) {
		r->anchor = inotify_add_watch(s->inotify, path, anchor_mask(s, r));
		if (r->anchor >= 0 || (errno != ENOENT && errno != ENOTDIR))
			break;
		above = strcmp(path, ".") == 0 || strcmp(path, "/") == 0 ? NULL : path_above(path);
		free(below);
		below = path;
		path = above;
	}
	r->anchor_is_parent = !below;
	if (r->anchor >= 0 && below)
		*came = stat(below, &st) == 0 && S_ISDIR(st.st_mode);
	free(below);
	free(path);
	return r->anchor >= 0 ? 0 : -1;
}

/* For want of a watch it is polled, and counts as a directory that is. */
static void set_polled(struct file_source *s, struct root *r, bool polled)
{
	s->n_polled += (size_t)polled - (size_t)r->polled;
	r->polled = polled;
	if (polled && !s->limit_path)
		s->limit_path = strdup(r->path);
}

static int root_anchor(struct file_source *s, struct root *r)
{
	const struct file_config *c = s->base.config;
	bool came = true;

	r->anchor_is_parent = true;
	if (has_no_name(r) || c->poll)
		return 0;
	while (came)
		if (watch_above(s, r, &came) < 0) {
			if (errno != ENOSPC)
				return -1;
			set_polled(s, r, true);
			return 0;
		}
	set_polled(s, r, false);
	way_watch(s, r, anchor_mask(s, r));
	return 0;
}

/* What is there? 1; 0 if nothing is; -1 with errno. */
static int root_stat(const struct root *r, struct stat *st)
{
	if (stat(r->path, st) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}

/* Watches what the root is now, if that is a directory. */
static int root_arm(struct file_source *s, struct root *r, const struct stat *st)
{
	const struct file_config *c = s->base.config;
	struct scan_how how = {.report = !s->arming || c->existing};
	struct dir *d;

	r->device = st->st_dev;
	r->stamp = stat_stamp(st);
	r->is_file = !S_ISDIR(st->st_mode);
	if (r->is_file)
		return root_anchor(s, r);
	d = tree_watch(s, r, NULL, r->path, false);
	if (!d)
		return errno == EEXIST || errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	d->fresh = true;
	scan(s, d, &how);
	return 0;
}

static void root_report(struct file_source *s, const struct root *r, unsigned event, bool replaced)
{
	changes_add(s, &(struct happening){.event = event,
					   .path = r->path,
					   .root = r,
					   .type = r->is_file ? 'f' : 'd',
					   .replaced = replaced});
}

static int root_open(struct file_source *s, const char *path, struct error *e)
{
	const struct file_config *c = s->base.config;
	struct root *r = calloc(1, sizeof *r);
	struct stat st;
	int there;

	if (!r)
		return error_errno(e, "cannot watch %s", path);
	r->path = path;
	r->base = path_base(path);
	r->anchor = -1;
	list_append(&s->roots, &r->link);
	if (!r->base)
		return error_errno(e, "cannot watch %s", path);
	if (c->fanotify)
		return 0;
	/* The anchor first: what replaces the root while it is read must not be missed. */
	if (root_anchor(s, r) < 0 || (there = root_stat(r, &st)) < 0 ||
	    (there && root_arm(s, r, &st) < 0))
		return error_errno(e, "cannot watch %s", path);
	if (r->is_file && c->existing)
		root_report(s, r, FILE_CREATE, false);
	return 0;
}

int roots_open(struct file_source *s, struct error *e)
{
	const struct file_config *c = s->base.config;

	for (size_t i = 0; i < c->roots.count; i++)
		if (root_open(s, c->roots.items[i], e) < 0)
			return -1;
	for (size_t i = 0; i < s->listed.count; i++)
		if (root_open(s, s->listed.items[i], e) < 0)
			return -1;
	watch_tell_limit(s);
	return 0;
}

void roots_close(struct file_source *s)
{
	LIST_EACH(at, after, &s->roots)
	{
		struct root *r = CONTAINER_OF(at, struct root, link);

		list_remove(&r->link);
		way_forget(s, r);
		free(r->base);
		free(r);
	}
}

/* ---- what happens above a root --------------------------------------------------------------- */

static void root_gone(struct file_source *s, struct root *r)
{
	moves_settle_below(s, r->path);
	if (r->dir)
		scan_gone(s, r->dir);
	else if (r->is_file || r->unlinked)
		root_report(s, r, FILE_DELETE, false);
	r->is_file = r->unlinked = false;
}

static void tell_unwatched(const struct file_source *s, const struct root *r)
{
	log_error(s->base.rule, "cannot watch %s: %s", r->path, strerror(errno));
}

/* Something stands there that did not, or something else. One look decides: what comes later is
 * told by the watch above. */
static void root_came(struct file_source *s, struct root *r, bool moved)
{
	bool was_file = r->is_file, directory;
	struct stat st;
	int there;

	if (r->dir && doubt_is_here(s, r->dir))
		return; /* it was found before this was told */
	there = root_stat(r, &st);
	if (there < 0)
		tell_unwatched(s, r);
	directory = there > 0 && S_ISDIR(st.st_mode);
	if (r->dir || there <= 0 || (r->is_file && directory))
		root_gone(s, r);
	/* The root first, then what is in it. */
	r->unlinked = directory;
	if (r->unlinked)
		root_report(s, r, FILE_CREATE, false);
	if (there > 0 && root_arm(s, r, &st) < 0)
		tell_unwatched(s, r);
	if (r->dir)
		r->unlinked = false; /* or else it is gone already */
	if (!r->is_file)
		way_watch(s, r, anchor_mask(s, r)); /* it may lead elsewhere */
	if (!r->is_file)
		return;
	root_report(s, r, FILE_CREATE, was_file && moved);
	if (moved && !was_file)
		root_report(s, r, FILE_CLOSE_WRITE, false);
}

/* Is another one there by now? Of two that were exchanged the kernel says first that one came, and
 * then that the other is gone. */
static bool is_of_the_past(struct file_source *s, const struct root *r, uint32_t mask)
{
	struct stat st;

	if (r->dir)
		return doubt_is_here(s, r->dir);
	if (!r->is_file || !r->came_last || !(mask & IN_MOVED_FROM) || stat(r->path, &st) < 0 ||
	    S_ISDIR(st.st_mode))
		return false;
	root_report(s, r, FILE_MODIFY, false);
	root_report(s, r, FILE_CLOSE_WRITE, false);
	return true;
}

static void root_happened(struct file_source *s, struct root *r, uint32_t mask)
{
	static const struct {
		uint32_t mask;
		unsigned event;
	} plain[] = {{IN_MODIFY, FILE_MODIFY},
		     {IN_CLOSE_WRITE, FILE_CLOSE_WRITE},
		     {IN_ATTRIB, FILE_ATTRIB},
		     {IN_OPEN, FILE_OPEN},
		     {IN_ACCESS, FILE_ACCESS}};

	if (mask & (IN_CREATE | IN_MOVED_TO))
		root_came(s, r, mask & IN_MOVED_TO);
	else if (mask & (IN_DELETE | IN_MOVED_FROM) && !is_of_the_past(s, r, mask))
		root_gone(s, r);
	r->came_last = mask & IN_MOVED_TO;
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (r->is_file && mask & plain[i].mask)
			root_report(s, r, plain[i].event, false);
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
		root_came(s, r, true);
}

void roots_look(struct file_source *s, const struct inotify_event *ev)
{
	LIST_EACH(at, after, &s->roots)
	{
		struct root *r = CONTAINER_OF(at, struct root, link);
		enum way_word word = way_tells(r, ev);

		if (word == WAY_LINK)
			root_came(s, r, true);
		else if (word == WAY_END)
			root_happened(s, r, ev->mask);
		if (r->anchor != ev->wd || word != WAY_NOTHING)
			continue;
		if (ev->mask & (IN_IGNORED | IN_MOVE_SELF)) {
			r->anchor = -1;
			if (access(r->path, F_OK) < 0)
				root_gone(s, r);
			root_search(s, r);
		} else if (!r->anchor_is_parent) {
			if (ev->mask & (IN_CREATE | IN_MOVED_TO))
				root_search(s, r);
		} else if (ev->len && strcmp(ev->name, r->base) == 0) {
			root_happened(s, r, ev->mask);
		}
	}
}

/* ---- looking again --------------------------------------------------------------------------- */

static void file_rescan(struct file_source *s, struct root *r, const struct stat *st,
			const struct scan_how *how)
{
	const struct file_config *c = s->base.config;
	uint32_t stamp = stat_stamp(st);
	bool changed = c->poll || r->polled ? stamp != r->stamp
					    : how->lost && stat_changed_since(st, &s->synced);

	r->stamp = stamp;
	if (!changed)
		return;
	root_report(s, r, FILE_MODIFY, false);
	root_report(s, r, FILE_CLOSE_WRITE, false);
}

static void root_rescan(struct file_source *s, struct root *r, const struct scan_how *how)
{
	struct stat st;
	bool there = stat(r->path, &st) == 0, directory = there && S_ISDIR(st.st_mode);

	if ((r->dir && !directory) || (r->is_file && (!there || directory)))
		root_gone(s, r);
	if (r->dir)
		scan(s, r->dir, how);
	else if (r->is_file)
		file_rescan(s, r, &st, how);
	else
		root_search(s, r);
}

void root_look(struct file_source *s, struct root *r, const struct scan_how *how)
{
	if (root_anchor(s, r) < 0)
		log_error(s->base.rule, "cannot watch for %s: %s", r->path, strerror(errno));
	root_rescan(s, r, how);
}

void roots_rescan(struct file_source *s, const struct scan_how *how)
{
	moves_settle(s); /* so that no directory vanishes while it is read */
	LIST_EACH(at, after, &s->roots)
	root_rescan(s, CONTAINER_OF(at, struct root, link), how);
}
