/*
 * Entering and leaving: an entry of a directory becomes known, and what is below a directory
 * becomes watched; or it is forgotten, and told to be gone.
 *
 * What stands at a path may be watched by another one: it moved, and the kernel's word of that is
 * still to be read; or it is seen twice. Then it is entered later, or not.
 */
#include "base/log.h"
#include "source/file/file.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

/* ---- entering -------------------------------------------------------------------------------- */

static bool leads_to_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

struct dir *scan_watched_at(struct file_source *s, const struct dir *d, const char *name)
{
	const struct file_config *c = s->base.config;
	int wd;

	if (c->poll)
		return tree_child(d, name);
	wd = inotify_add_watch(s->inotify, tree_path(s, d, name), watch_mask(s));
	return wd >= 0 ? tree_find(s, wd) : NULL;
}

/* With the cure where the system's own word has none. */
const char *scan_why_unseen(int error)
{
	return error == ENAMETOOLONG ? "its path is longer than 4095 bytes (PATH_MAX): watch it "
				       "with evwatch started in a directory nearer to it"
				     : strerror(error);
}

/*
 * A link above it leads back: it is what it is in. Watches show that by themselves; a polled tree
 * would go round until the system has enough of the links (ELOOP), with two loops for ever.
 */
static bool is_in_itself(struct file_source *s, const struct dir *d)
{
	bool linked = d->through_link;
	struct stat here, above;

	for (const struct dir *up = d->parent; up; up = up->parent)
		linked |= up->through_link;
	if (!linked || stat(tree_path(s, d, NULL), &here) < 0)
		return false;
	for (const struct dir *up = d->parent; up; up = up->parent)
		if (stat(tree_path(s, up, NULL), &above) == 0 && above.st_ino == here.st_ino &&
		    above.st_dev == here.st_dev)
			return true;
	return false;
}

struct dir *scan_enter(struct file_source *s, struct dir *d, const char *name, char type)
{
	const struct file_config *c = s->base.config;
	const char *path = tree_path(s, d, name);
	bool link = type == 'l' && c->follow && leads_to_directory(path);
	struct dir *child;

	if ((type != 'd' && !link) || !filter_enters(s, d, path)) {
		errno = 0;
		return NULL;
	}
	child = tree_watch(s, NULL, d, name, link);
	if (child && child->wd < 0 && is_in_itself(s, child)) {
		tree_remove(s, child);
		errno = 0;
		return NULL;
	}
	if (child)
		child->fresh = true;
	else if (errno != EEXIST && errno != ENOENT && errno != ENOTDIR)
		log_error(s->base.rule, "cannot watch %s: %s", tree_path(s, d, name),
			  scan_why_unseen(errno));
	return child;
}

void scan_suspect(struct file_source *s, struct dir *d)
{
	d->unsure = true;
	doubt_add(s, d);
}

int scan_take(struct file_source *s, struct dir *d, const char *name, char type, struct dir **child)
{
	struct dir *other;

	*child = NULL;
	if (names_find(d->names, name))
		return 0;
	*child = scan_enter(s, d, name, type);
	if (!*child && errno == EEXIST) {
		other = scan_watched_at(s, d, name);
		if (other && !dir_is_in(d, other) && moves_have_out(s, other))
			*child = scan_enter(s, d, name, type); /* it left, and came back here */
		else if (other && type == 'd' && other->parent == d && !strcmp(other->name, name))
			return 0;
		else if (other) {
			scan_suspect(s, d); /* it may have moved here */
			doubt_add(s, other);
		}
		s->rescan_again |= !*child;
	}
	if (!*child && (errno == ENOENT || errno == ENOTDIR))
		scan_suspect(s, d); /* it is gone, or d has another path by now */
	if (*child)
		doubt_add(s, *child);
	if (*child && (*child)->wd >= 0 && type == 'd')
		return 1;
	return names_add(&d->names, name, type);
}

/* ---- leaving --------------------------------------------------------------------------------- */

void scan_content_gone(struct file_source *s, const struct dir *d)
{
	struct entry *e;

	for (const struct dir *c = d->first_child; c; c = c->next) {
		scan_content_gone(s, c);
		changes_report(s, c, NULL, FILE_DELETE, 'd');
		e = names_find(d->names, c->name); /* it is polled, and has both */
		if (e)
			e->seen = true;
	}
	for (uint32_t at = 0; (e = names_next(d->names, &at)); e->seen = false)
		if (!e->seen)
			changes_report(s, d, e->name, FILE_DELETE, e->type);
}

void scan_gone(struct file_source *s, struct dir *d)
{
	scan_content_gone(s, d);
	changes_report(s, d, NULL, FILE_DELETE, 'd');
	if (d->parent)
		names_remove(&d->parent->names, d->name);
	tree_remove(s, d);
}

/* What is in it is not to be seen any more: what stands there is watched elsewhere, or not to be
 * entered. */
void scan_leave(struct file_source *s, struct dir *d)
{
	struct dir *parent = d->parent;

	if (!parent) {
		scan_gone(s, d);
		return;
	}
	scan_content_gone(s, d);
	if (names_add(&parent->names, d->name, 'd') < 0)
		log_error(s->base.rule, "out of memory: %s is told of again",
			  tree_path(s, d, NULL));
	tree_remove(s, d);
}
