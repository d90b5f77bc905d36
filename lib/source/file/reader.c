/*
 * The reader: inotify(7) events to happenings.
 *
 * Here is what happens to the entries of a directory and to itself; what moves has a file of its
 * own, moves.c.
 */
#include "source/file/file.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROUND = 32 * 1024, ROUNDS = 16 }; /* bytes a read, reads a turn */

/* ---- entries of a watched directory ---------------------------------------------------------- */

char reader_type_of(const struct dir *d, const struct inotify_event *ev)
{
	const struct entry *e = names_find(d->names, ev->name);

	return ev->mask & IN_ISDIR ? 'd' : e ? e->type : 'f';
}

bool reader_take(struct file_source *s, struct dir *d, const struct inotify_event *ev, char type,
		 struct happening *h)
{
	static const struct scan_how how = {.report = true};
	struct dir *child;

	if (scan_take(s, d, ev->name, type, &child) == 0)
		return false; /* a scan found it before this event was read */
	h->root = dir_root(d);
	h->type = type;
	h->path = tree_path(s, d, ev->name);
	changes_add(s, h);
	if (child)
		scan(s, child, &how);
	else if (type == '?')
		scan_suspect(s, d); /* it is gone, or d has another path by now */
	return true;
}

char reader_new_type(struct file_source *s, const struct dir *d, const struct inotify_event *ev,
		     bool *open)
{
	const struct file_config *c = s->base.config;
	struct stat st;

	*open = false;
	if (ev->mask & IN_ISDIR)
		return 'd';
	if (!s->base.has_command && !c->any_type && !c->follow)
		return 'f';
	if (lstat(tree_path(s, d, ev->name), &st) < 0)
		return c->any_type || c->follow ? '?' : 'f';
	/* Whoever opens a new file to write it will close it: its end is worth waiting for. */
	*open = S_ISREG(st.st_mode) && st.st_nlink == 1;
	return S_ISLNK(st.st_mode) ? 'l' : 'f';
}

static void created(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	struct happening h = {.event = FILE_CREATE};
	struct dir *child;
	char type;

	moves_settle_at(s, d, ev->name);
	child =
	    (s->ahead || s->overflowed) && !(ev->mask & IN_ISDIR) ? tree_child(d, ev->name) : NULL;
	if (child && doubt_is_here(s, child))
		return; /* gone again: a directory is there by now */
	if (child)
		scan_gone(s, child); /* the kernel's word of that was lost, or is to come */
	type = reader_new_type(s, d, ev, &h.open);
	reader_take(s, d, ev, type, &h);
}

static void deleted(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	const struct file_config *c = s->base.config;
	bool directory = ev->mask & IN_ISDIR;
	char type = reader_type_of(d, ev);
	struct dir *child, *link;

	if (directory)
		moves_settle_at(s, d, ev->name);
	child = directory ? tree_child(d, ev->name) : NULL;
	if (child && doubt_is_here(s, child))
		return; /* one of the same name that was there before */
	if (child) {
		scan_gone(s, child);
		return;
	}
	link = type == 'l' && c->follow ? tree_child(d, ev->name) : NULL;
	if (!names_remove(&d->names, ev->name))
		return; /* never told of, so nothing is gone */
	if (link)
		tree_remove(s, link);
	changes_report(s, d, ev->name, FILE_DELETE, type);
}

/* A scan may have seen that it is gone before its last events are read: they come too late. */
static bool told_as_gone(const struct dir *d, const struct inotify_event *ev)
{
	return !(ev->mask & IN_ISDIR) && !names_find(d->names, ev->name);
}

static void plain_happened(struct file_source *s, const struct dir *d,
			   const struct inotify_event *ev)
{
	static const struct {
		uint32_t mask;
		unsigned event;
	} plain[] = {{IN_MODIFY, FILE_MODIFY},
		     {IN_CLOSE_WRITE, FILE_CLOSE_WRITE},
		     {IN_ATTRIB, FILE_ATTRIB},
		     {IN_OPEN, FILE_OPEN},
		     {IN_ACCESS, FILE_ACCESS}};

	if (told_as_gone(d, ev))
		return;
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (ev->mask & plain[i].mask)
			changes_report(s, d, ev->name, plain[i].event, reader_type_of(d, ev));
}

static void entry_happened(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	if (ev->mask & IN_MOVED_FROM)
		moves_from(s, d, ev);
	else if (ev->mask & IN_MOVED_TO)
		moves_to(s, d, ev);
	else if (ev->mask & IN_CREATE)
		created(s, d, ev);
	else if (ev->mask & IN_DELETE)
		deleted(s, d, ev);
	else
		plain_happened(s, d, ev);
}

/* ---- reading --------------------------------------------------------------------------------- */

/*
 * Its inode is gone, and nobody told that it left its place: it did before, or its name is told to
 * be gone later. Until then that stays known.
 */
static void watch_ended(struct file_source *s, struct dir *d)
{
	if (!d->parent) {
		d->root->unlinked = true;
		scan_content_gone(s, d);
		tree_remove(s, d);
	} else if (!moves_have_out(s, d)) {
		scan_leave(s, d);
	}
}

static void directory_happened(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	if (ev->mask & IN_UNMOUNT) {
		/* Each of its directories is told: the list of mounts says which was the top. */
		if (!s->mounts)
			changes_report(s, d, NULL, FILE_UNMOUNT, 'd');
		watch_forget(s, d);
		rescan_soon(s);
	}
	if (ev->mask & IN_IGNORED)
		watch_ended(s, d);
}

static void happened(struct file_source *s, const struct inotify_event *ev)
{
	struct dir *d;

	if (ev->mask & IN_Q_OVERFLOW) {
		rescan_overflowed(s);
		return;
	}
	d = tree_find(s, ev->wd);
	if (d && ev->len)
		entry_happened(s, d, ev);
	else if (d)
		directory_happened(s, d, ev);
	roots_look(s, ev);
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
		if (n >= 0 || errno != EAGAIN)
			continue;
		if (!s->overflowed)
			s->synced = now; /* all that happened before is told */
		s->ahead = false;
		n = doubt_settle(s);
	}
	batch_review(s);
}
