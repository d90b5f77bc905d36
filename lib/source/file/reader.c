/*
 * The reader: inotify(7) events to ours.
 *
 * A rename comes as two events with one cookie, mostly next to each other; a MOVED_FROM whose other
 * half does not come in a moment went out of the tree, and is a delete.
 */
#include "source/file/file.h"

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define OTHER_HALF (2 * NS_PER_MS) /* how long a MOVED_FROM waits for its MOVED_TO */

enum { ROUND = 32 * 1024, ROUNDS = 16 }; /* bytes a read, reads a turn */

/* ---- moves ----------------------------------------------------------------------------------- */

/* The waiting MOVED_FROM left the tree. */
static void move_out(struct file_source *s)
{
	char *path = s->moved_from;

	if (!path)
		return;
	s->moved_from = NULL;
	timer_stop(s->base.reactor, &s->move_timer);
	changes_add(s, NULL, FILE_DELETE, path, NULL, s->moved_directory);
	free(path);
}

static void on_move_timer(struct reactor *r, struct timer *t)
{
	struct file_source *s = CONTAINER_OF(t, struct file_source, move_timer);

	(void)r;
	move_out(s);
	changes_review(s);
}

static void moved_from(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	struct dir *child = ev->mask & IN_ISDIR ? tree_child(d, ev->name) : NULL;

	move_out(s);
	names_remove(&d->names, ev->name);
	s->moved_from = strdup(tree_path(s, d, ev->name));
	s->cookie = ev->cookie;
	s->moved_directory = ev->mask & IN_ISDIR;
	if (child)
		tree_remove(s, child);
	if (!s->moved_from || timer_start_in(s->base.reactor, &s->move_timer, OTHER_HALF) < 0)
		move_out(s);
}

static void enter(struct file_source *s, struct dir *d, const char *name)
{
	const struct file_config *c = s->base.config;
	const char *path = tree_path(s, d, name);

	if (c->no_recursive || (c->depth && d->depth + 1 >= c->depth) ||
	    filter_ignores(c, path, root_relative(d->root, path)))
		return;
	if (tree_add(s, d->root, d, name) < 0 && errno != EEXIST && errno != ENOENT &&
	    errno != ENOTDIR && errno != ENOSPC)
		log_error(s->base.rule, "cannot watch %s: %s", tree_path(s, d, name),
			  strerror(errno));
}

/* A directory that moved within the tree is watched anew without being reported entry by entry. */
static void enter_quietly(struct file_source *s, struct dir *d, const char *name)
{
	bool before = s->arming;

	s->arming = true;
	enter(s, d, name);
	s->arming = before;
}

static void moved_to(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	bool known = names_add(&d->names, ev->name) == 0;
	char *old = s->moved_from && s->cookie == ev->cookie ? s->moved_from : NULL;
	bool directory = ev->mask & IN_ISDIR;

	if (old) {
		s->moved_from = NULL;
		timer_stop(s->base.reactor, &s->move_timer);
	} else {
		move_out(s);
	}
	if (known && !directory)
		changes_add_replaced(s, d->root, tree_path(s, d, ev->name), old);
	else if (old)
		changes_add(s, d->root, FILE_MOVE, tree_path(s, d, ev->name), old, directory);
	else
		changes_add(s, d->root, FILE_CREATE, tree_path(s, d, ev->name), NULL, directory);
	if (!old && !directory && !known)
		changes_add(s, d->root, FILE_CLOSE_WRITE, tree_path(s, d, ev->name), NULL, false);
	if (directory && old)
		enter_quietly(s, d, ev->name);
	else if (directory)
		enter(s, d, ev->name);
	free(old);
}

/* ---- entries of a watched directory ---------------------------------------------------------- */

static void created(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	bool directory = ev->mask & IN_ISDIR;

	/* Known: a walk found it before the kernel's event was read. */
	if (names_add(&d->names, ev->name) == 0)
		return;
	changes_add(s, d->root, FILE_CREATE, tree_path(s, d, ev->name), NULL, directory);
	if (directory)
		enter(s, d, ev->name);
}

static void deleted(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	struct dir *child = ev->mask & IN_ISDIR ? tree_child(d, ev->name) : NULL;

	names_remove(&d->names, ev->name);
	if (child)
		tree_remove(s, child);
	changes_add(s, d->root, FILE_DELETE, tree_path(s, d, ev->name), NULL, ev->mask & IN_ISDIR);
}

static void entry_happened(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	static const struct {
		uint32_t mask;
		unsigned event;
	} plain[] = {{IN_MODIFY, FILE_MODIFY},
		     {IN_CLOSE_WRITE, FILE_CLOSE_WRITE},
		     {IN_ATTRIB, FILE_ATTRIB},
		     {IN_OPEN, FILE_OPEN},
		     {IN_ACCESS, FILE_ACCESS}};

	if (ev->mask & IN_MOVED_FROM)
		moved_from(s, d, ev);
	else if (ev->mask & IN_MOVED_TO)
		moved_to(s, d, ev);
	else if (ev->mask & IN_CREATE)
		created(s, d, ev);
	else if (ev->mask & IN_DELETE)
		deleted(s, d, ev);
	else
		for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
			if (ev->mask & plain[i].mask)
				changes_add(s, d->root, plain[i].event, tree_path(s, d, ev->name),
					    NULL, ev->mask & IN_ISDIR);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void overflowed(struct file_source *s)
{
	log_warn(s->base.rule, "the kernel's event queue overflowed: reading the tree again");
	move_out(s);
	roots_rescan(s);
}

static void directory_happened(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	if (ev->mask & IN_UNMOUNT)
		changes_add(s, d->root, FILE_UNMOUNT, tree_path(s, d, NULL), NULL, true);
	if (ev->mask & IN_IGNORED)
		tree_remove(s, d);
}

static void happened(struct file_source *s, const struct inotify_event *ev)
{
	struct dir *d;

	if (ev->mask & IN_Q_OVERFLOW) {
		overflowed(s);
		return;
	}
	if (s->moved_from && !(ev->mask & IN_MOVED_TO && ev->cookie == s->cookie))
		move_out(s);
	d = tree_find(s, ev->wd);
	if (d && ev->len)
		entry_happened(s, d, ev);
	else if (d)
		directory_happened(s, d, ev);
	roots_look(s, ev->wd, ev->len ? ev->name : NULL, ev->mask);
}

static ssize_t read_round(struct file_source *s)
{
	_Alignas(struct inotify_event) char room[ROUND];
	ssize_t n = read(s->inotify, room, sizeof room);
	const struct inotify_event *ev;

	for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof *ev + ev->len)) {
		ev = (const struct inotify_event *)(const void *)(room + at);
		happened(s, ev);
	}
	return n;
}

void reader_read(struct file_source *s)
{
	struct timespec now;
	ssize_t n = 1;

	for (int i = 0; i < ROUNDS && n > 0; i++) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		n = read_round(s);
	}
	if (n < 0 && errno == EAGAIN)
		s->synced = now; /* all that happened before is told */
	changes_review(s);
}

void reader_init(struct file_source *s)
{
	timer_init(&s->move_timer, CLOCK_OF_LOOP, on_move_timer);
	clock_gettime(CLOCK_REALTIME_COARSE, &s->synced);
}

void reader_close(struct file_source *s)
{
	if (s->move_timer.call)
		timer_stop(s->base.reactor, &s->move_timer);
	free(s->moved_from);
	s->moved_from = NULL;
}
