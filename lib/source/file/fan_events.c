/*
 * --fanotify: events to happenings.
 *
 * The kernel merges what it has not delivered yet, but only what happened to one inode by one name:
 * so the order of what is merged is known. A rename names the inode that moved; that shows an
 * exchange, which is two renames, the second of which is of what is not at its place any more.
 *
 * The hard part is to know whether a rename replaced a file, for that is a save and not a new file.
 * The kernel tells in the same breath: after the rename it tells the inode that was replaced of its
 * lost link, without a name, then the one that moved. So a rename needs the next word that its
 * process caused.
 */
#include "base/fd.h"
#include "source/file/fanotify.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

enum { AHEAD = 256 /* events that are looked at for the next one of a process */ };

/* ---- what it is ------------------------------------------------------------------------------ */

/* Is it still there, anywhere? */
static bool target_stat(const struct fan *f, const struct fan_handle *target, struct stat *st)
{
	int fd = fan_handle_open(f, target, O_PATH);
	bool is = fd >= 0 && fstat(fd, st) == 0;

	fd_close(&fd);
	return is;
}

/* 'n': gone, and no directory. Who does not ask for types is spared the look. */
static char type_of(const struct file_source *s, const struct fan_event *ev)
{
	struct stat st;

	if (ev->mask & FAN_ONDIR)
		return 'd';
	if (!((const struct file_config *)s->base.config)->any_type)
		return 'f';
	if (!target_stat(s->fan, &ev->target, &st))
		return 'n';
	return S_ISLNK(st.st_mode) ? 'l' : 'f';
}

void fan_report(struct file_source *s, const struct root *r, unsigned event, const char *path,
		char type)
{
	changes_add(s, &(struct happening){.event = event, .path = path, .root = r, .type = type});
}

/* ---- entries --------------------------------------------------------------------------------- */

static void created(struct file_source *s, const struct root *r, const char *path,
		    const struct fan_event *ev, char type)
{
	struct happening h = {.event = FILE_CREATE, .path = path, .root = r, .type = type};
	struct stat st;

	if (s->base.has_command && type != 'd' && target_stat(s->fan, &ev->target, &st))
		h.open = S_ISREG(st.st_mode) && st.st_nlink == 1;
	changes_add(s, &h);
}

/* Was the same inode given the same name again? */
static bool is_again(const char *path, const struct fan_event *ev)
{
	struct fan_handle there;

	if (!(ev->mask & FAN_CREATE) || ev->mask & FAN_ONDIR)
		return false;
	return fan_handle_of(AT_FDCWD, path, ev->dir.fsid, &there) >= 0 &&
	       there.hash == ev->target.hash;
}

/* Is it written by somebody who has it open, though it was deleted? */
static bool is_of_the_past(const struct file_source *s, const char *path,
			   const struct fan_event *ev)
{
	const struct fan_queue *q = &s->fan->queue;
	struct fan_event next;
	struct stat st;
	size_t at = q->at;

	if (ev->mask & (FAN_CREATE | FAN_DELETE | FAN_ONDIR) || lstat(path, &st) == 0 ||
	    (target_stat(s->fan, &ev->target, &st) && st.st_nlink))
		return false;
	for (int i = 0; i < AHEAD && fan_queue_peek(q, &at, &next); i++)
		if (next.mask & FAN_DELETE && next.target.hash == ev->target.hash)
			return false;
	return true;
}

static void entry_happened(struct file_source *s, const struct fan_event *ev)
{
	static const struct {
		uint64_t mask;
		unsigned event;
	} plain[] = {{FAN_OPEN, FILE_OPEN},
		     {FAN_ACCESS, FILE_ACCESS},
		     {FAN_MODIFY, FILE_MODIFY},
		     {FAN_CLOSE_WRITE, FILE_CLOSE_WRITE},
		     {FAN_ATTRIB, FILE_ATTRIB}};
	const struct file_config *c = s->base.config;
	const struct root *r = fan_locate(s, &ev->dir, ev->name, &s->fan->path);
	const char *path = s->fan->path.data;
	char type = type_of(s, ev);
	bool again;

	if (ev->mask & FAN_CREATE && ev->mask & FAN_ONDIR)
		fan_dir_is(s, &ev->target, &ev->dir, ev->name);
	if (!r || is_of_the_past(s, path, ev))
		return;
	again = ev->mask & FAN_DELETE && is_again(path, ev);
	if (again)
		fan_report(s, r, FILE_DELETE, path, type);
	if (ev->mask & FAN_CREATE)
		created(s, r, path, ev, type);
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (ev->mask & plain[i].mask &&
		    (plain[i].event != FILE_ATTRIB || c->events & FILE_ATTRIB))
			fan_report(s, r, plain[i].event, path, type);
	if (ev->mask & FAN_DELETE && !again)
		fan_report(s, r, FILE_DELETE, path, type);
}

/* ---- renames --------------------------------------------------------------------------------- */

enum answer { NO, YES, UNKNOWN };

/* Did the rename replace a file? `at`: behind it in the queue. */
static enum answer replaces(const struct fan *f, const struct fan_event *ev, size_t at)
{
	struct fan_event next;

	for (int i = 0; i < AHEAD && fan_queue_peek(&f->queue, &at, &next); i++)
		if (next.pid == ev->pid)
			return !next.dir.hash && next.target.hash != ev->target.hash &&
				       next.mask & FAN_ATTRIB
				   ? YES
				   : NO;
	return UNKNOWN;
}

static bool same_place(const struct fan_handle *dir, const char *name,
		       const struct fan_handle *other_dir, const char *other)
{
	return dir->hash == other_dir->hash && strcmp(name, other) == 0;
}

/* Is `b` the other half of an exchange that began with `a`? */
static bool is_back(const struct fan_event *a, const struct fan_event *b)
{
	return b->mask & FAN_RENAME && a->pid == b->pid && a->target.hash != b->target.hash &&
	       same_place(&a->to_dir, a->to_name, &b->dir, b->name) &&
	       same_place(&a->dir, a->name, &b->to_dir, b->to_name);
}

/* Does the rename at hand begin an exchange? Then *back is the other half. */
static bool is_exchange(const struct fan *f, const struct fan_event *ev, struct fan_event *back)
{
	size_t at = f->queue.at;

	for (int i = 0; i < AHEAD && fan_queue_peek(&f->queue, &at, back); i++)
		if (back->pid == ev->pid && back->mask & FAN_RENAME)
			return is_back(ev, back);
	return false;
}

/* Would what is in a directory of this path be told of? */
static bool enters(struct file_source *s, const struct root *r, const char *path)
{
	struct buf b = {0};
	bool is;

	buf_printf(&b, "%s/.", path);
	is = !b.failed && filter_passes(s, r, b.data);
	buf_free(&b);
	return is;
}

static void left(struct file_source *s, const struct fan_event *ev, const struct root *r,
		 const char *path, char type)
{
	if (type == 'd')
		fan_walk(
		    s, &(struct fan_tale){
			   .root = r, .subject = &ev->target, .path = path, .event = FILE_DELETE});
	fan_report(s, r, FILE_DELETE, path, type);
}

static void came(struct file_source *s, const struct fan_event *ev, const struct root *r,
		 const char *path, char type, bool replaced)
{
	changes_add(
	    s,
	    &(struct happening){
		.event = FILE_CREATE, .path = path, .root = r, .type = type, .replaced = replaced});
	if (type == 'd')
		fan_walk(
		    s, &(struct fan_tale){
			   .root = r, .subject = &ev->target, .path = path, .event = FILE_CREATE});
	else if (!replaced)
		fan_report(s, r, FILE_CLOSE_WRITE, path, type);
}

/* Was it in a directory that came, and did it leave that before it was read? */
static bool is_untold(const struct fan *f, const struct fan_event *ev)
{
	char key[FAN_KEY];

	return f->untold && fan_departure(ev, key) && names_find(f->untold, key);
}

/* A directory that moves takes along what is in it: unless that is seen at one end alone. */
static bool moves_whole(struct file_source *s, const struct fan_event *ev, const struct root *from,
			const struct root *to)
{
	const struct file_config *c = s->base.config;

	if (!(ev->mask & FAN_ONDIR))
		return true;
	return !c->depth && !is_untold(s->fan, ev) && enters(s, from, s->fan->old_path.data) &&
	       enters(s, to, s->fan->path.data);
}

static void tell_rename(struct file_source *s, const struct fan_event *ev, const struct root *from,
			const struct root *to, bool replaced)
{
	struct fan *f = s->fan;
	char type = type_of(s, ev);

	if (replaced &&
	    !filter_matches(s, &(struct happening){.path = f->path.data, .root = to, .type = type}))
		fan_report(s, to, FILE_DELETE, f->path.data,
			   'n'); /* what is there now is not told */
	f->rename = *ev;
	f->moving = ev->target;
	if (from && to && moves_whole(s, ev, from, to)) {
		changes_add(s, &(struct happening){.event = FILE_MOVE,
						   .path = f->path.data,
						   .old_path = f->old_path.data,
						   .root = to,
						   .type = type,
						   .replaced = replaced});
		return;
	}
	if (from)
		left(s, ev, from, f->old_path.data, type);
	if (to)
		came(s, ev, to, f->path.data, type, replaced);
}

/*
 * Is what has left a directory that is gone told one by one? It goes without saying, but to those
 * who are not told of directories, and in a batch, where one that came and went is not told at all.
 */
static bool tells_entries(const struct file_source *s)
{
	const struct file_config *c = s->base.config;

	return c->any_type || c->match.count || s->base.has_command;
}

/*
 * What has left a directory since it moved is not found in it any more, but in the queue: it is
 * told to be gone, if the directory left from where it was seen, and nothing else says so. If it
 * came from elsewhere nobody knows what left it since: so that comes, too, when its turn is.
 */
struct departures {
	const struct fan_event *move; /* of the directory */
	bool seen;                    /* where it was */
	bool whole;                   /* it is told to have moved, with all that is in it */
	size_t at;                    /* seen to there in the queue */
	struct names *came;           /* since the move */
};

/* A file that was replaced by a rename since is not there any more either. */
static void see_replaced(struct file_source *s, struct departures *d, const struct fan_event *ev)
{
	static const struct fan_handle any = {0};
	const struct root *r;
	struct buf path = {0};
	char key[FAN_KEY];

	if (!d->seen || !ev->to_dir.hash || ev->mask & FAN_ONDIR ||
	    !fan_dir_is_in(s, &ev->to_dir, &d->move->target))
		return;
	fan_key(key, &ev->to_dir, ev->to_name, &any);
	if (names_add(&d->came, key, 'f') == 1 && replaces(s->fan, ev, d->at) != NO &&
	    (r = fan_locate(s, &ev->to_dir, ev->to_name, &path)))
		fan_report(s, r, FILE_DELETE, path.data, 'n');
	buf_free(&path);
}

static void see_departed(struct file_source *s, struct departures *d)
{
	struct fan *f = s->fan;
	struct fan_event ev;
	struct buf path = {0};
	const struct root *r;
	char key[FAN_KEY];

	if (!(d->move->mask & FAN_ONDIR) || d->whole || (d->seen && !tells_entries(s)))
		return;
	fan_dir_is(s, &d->move->target, &d->move->dir, d->move->name);
	while (fan_queue_peek(&f->queue, &d->at, &ev)) {
		see_replaced(s, d, &ev);
		if (fan_arrival(&ev, key))
			names_add(&d->came, key, 'f');
		if (!fan_departure(&ev, key) || names_find(d->came, key) ||
		    !fan_dir_is_in(s, &ev.dir, &d->move->target))
			continue;
		if (!d->seen && ev.mask & FAN_RENAME)
			names_add(&f->untold, key, 'f');
		r = d->seen ? fan_locate(s, &ev.dir, ev.name, &path) : NULL;
		if (r)
			left(s, &ev, r, path.data, type_of(s, &ev));
	}
	buf_free(&path);
}

/* And what has left while it was told. */
static void see_departed_since(struct file_source *s, struct departures *d)
{
	fan_queue_fill(s);
	see_departed(s, d);
	names_free(&d->came);
}

void fan_moved_below(struct file_source *s, const struct happening *h, bool shallow)
{
	const struct fan_event move = s->fan->rename;
	const struct fan_handle subject = s->fan->moving;
	struct departures d = {.move = &move, .seen = true, .at = s->fan->queue.at};
	bool along = subject.hash != move.target.hash; /* what left that is told with what moved */

	if (!along)
		see_departed(s, &d);
	fan_dir_is(s, &move.target, &move.to_dir, move.to_name);
	fan_walk(s, &(struct fan_tale){.root = h->root,
				       .subject = &subject,
				       .path = h->path,
				       .old_path = h->old_path,
				       .shallow = shallow,
				       .event = FILE_MOVE});
	if (along)
		return;
	see_departed_since(s, &d);
	fan_dir_is(s, &move.target, &move.to_dir, move.to_name);
}

/* The other half of an exchange. If that was not seen to be one, what was told is told anew. */
static void came_back(struct file_source *s, const struct fan_event *ev, const struct root *r)
{
	struct fan *f = s->fan;

	if (f->last_exchanged || !r)
		return;
	left(s, ev, r, f->old_path.data, type_of(s, ev));
	came(s, &f->last, r, f->old_path.data, type_of(s, &f->last), false);
}

static void left_by_exchange(struct file_source *s, const struct fan_event *back,
			     const struct root *r, const char *path)
{
	struct departures d = {.move = back, .seen = true, .at = s->fan->queue.at};

	see_departed(s, &d);
	left(s, back, r, path, back->mask & FAN_ONDIR ? 'd' : 'n');
	see_departed_since(s, &d);
}

static bool renamed(struct file_source *s, const struct fan_event *ev)
{
	struct fan *f = s->fan;
	const struct root *from = fan_locate(s, &ev->dir, ev->name, &f->old_path),
			  *to = fan_locate(s, &ev->to_dir, ev->to_name, &f->path);
	bool directory = ev->mask & FAN_ONDIR;
	enum answer replaced = to && !directory ? replaces(f, ev, f->queue.at) : NO;
	struct departures out;
	struct fan_event back;

	if (replaced == UNKNOWN && !f->waited)
		return false;
	if (f->last.pid && is_back(&f->last, ev)) {
		came_back(s, ev, from);
		from = NULL;
	}
	f->last_exchanged = is_exchange(f, ev, &back);
	if (to && f->last_exchanged)
		left_by_exchange(s, &back, to, f->path.data);
	out = (struct departures){.move = ev,
				  .seen = from,
				  .whole = from && to && moves_whole(s, ev, from, to),
				  .at = f->queue.at};
	see_departed(s, &out);
	if (directory)
		fan_dir_is(s, &ev->target, &ev->to_dir, ev->to_name);
	tell_rename(s, ev, from, to, replaced == YES);
	see_departed_since(s, &out);
	if (directory)
		fan_dir_is(s, &ev->target, &ev->to_dir, ev->to_name);
	f->last = *ev;
	return true;
}

bool fan_happened(struct file_source *s, const struct fan_event *ev)
{
	if (ev->to_dir.hash)
		return renamed(s, ev);
	/* Of an inode alone the kernel tells no name. */
	if (ev->dir.hash && !(ev->mask & FAN_MOVE_SELF))
		entry_happened(s, ev);
	return true;
}
