/*
 * --fanotify: renames.
 *
 * A rename names the inode that moved; that shows an exchange, which is two renames, the second of
 * which is of what is not at its place any more.
 *
 * The hard part is to know whether a rename replaced a file, for that is a save and not a new file.
 * The kernel tells in the same breath: after the rename it tells the inode that was replaced of its
 * lost link, without a name, then the one that moved. So a rename needs the next word that its
 * process caused. But if the replaced file was itself renamed by that process lately, that word is
 * merged into the one that it moved: so where files were renamed to is known until all is told.
 *
 * A directory takes along what is in it, and that may change before it is read: fan_gone.c.
 */
#include "source/file/fanotify.h"

#include <string.h>
#include <sys/fanotify.h>

#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

/* ---- what a rename was ----------------------------------------------------------------------- */

/* Did the rename replace a file? `at`: behind it in the queue. */
enum fan_answer fan_replaces(const struct fan *f, const struct fan_event *ev, size_t at)
{
	struct fan_event next;

	for (int i = 0; i < FAN_AHEAD && fan_queue_peek(&f->queue, &at, &next); i++)
		if (next.pid == ev->pid)
			return !next.dir.hash && next.target.hash != ev->target.hash &&
				       next.mask & FAN_ATTRIB
				   ? FAN_YES
				   : FAN_NO;
	return FAN_UNKNOWN;
}

static const char *place_key(char key[FAN_KEY], const struct fan_handle *dir, const char *name)
{
	static const struct fan_handle any = {0};

	fan_key(key, dir, name, &any);
	return key;
}

void fan_place_left(struct fan *f, const struct fan_handle *dir, const char *name)
{
	char key[FAN_KEY];

	if (f->arrived)
		names_remove(&f->arrived, place_key(key, dir, name));
}

/* Is a file that was renamed lately where this one comes? From now on this one is. Where what
 * swaps back was is the other one. */
static bool takes_place(struct fan *f, const struct fan_event *ev, bool swaps_back)
{
	char key[FAN_KEY];

	if (!swaps_back)
		fan_place_left(f, &ev->dir, ev->name);
	return names_add(&f->arrived, place_key(key, &ev->to_dir, ev->to_name), 'f') == 0;
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

	for (int i = 0; i < FAN_AHEAD && fan_queue_peek(&f->queue, &at, back); i++)
		if (back->pid == ev->pid && back->mask & FAN_RENAME)
			return is_back(ev, back);
	return false;
}

/* ---- telling it ------------------------------------------------------------------------------ */

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

void fan_left(struct file_source *s, const struct fan_event *ev, const struct root *r,
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
	char type = fan_type_of(s, ev);

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
		fan_left(s, ev, from, f->old_path.data, type);
	if (to)
		came(s, ev, to, f->path.data, type, replaced);
}

void fan_moved_below(struct file_source *s, const struct happening *h, bool shallow)
{
	const struct fan_event move = s->fan->rename;
	const struct fan_handle subject = s->fan->moving;
	struct fan_gone d = {.move = &move, .seen = true, .at = s->fan->queue.at};
	bool along = subject.hash != move.target.hash; /* what left that is told with what moved */

	if (!along)
		fan_gone_until_now(s, &d);
	fan_dir_is(s, &move.target, &move.to_dir, move.to_name);
	fan_walk(s, &(struct fan_tale){.root = h->root,
				       .subject = &subject,
				       .path = h->path,
				       .old_path = h->old_path,
				       .shallow = shallow,
				       .event = FILE_MOVE});
	if (along)
		return;
	fan_gone_since(s, &d);
	fan_dir_is(s, &move.target, &move.to_dir, move.to_name);
}

/* The other half of an exchange. If that was not seen to be one, what was told is told anew. */
static void came_back(struct file_source *s, const struct fan_event *ev, const struct root *r)
{
	struct fan *f = s->fan;

	if (f->last_exchanged || !r)
		return;
	fan_left(s, ev, r, f->old_path.data, fan_type_of(s, ev));
	came(s, &f->last, r, f->old_path.data, fan_type_of(s, &f->last), false);
}

static void left_by_exchange(struct file_source *s, const struct fan_event *back,
			     const struct root *r, const char *path)
{
	struct fan_gone d = {.move = back, .seen = true, .at = s->fan->queue.at};

	fan_gone_until_now(s, &d);
	fan_left(s, back, r, path, back->mask & FAN_ONDIR ? 'd' : 'n');
	fan_gone_since(s, &d);
}

bool fan_renamed(struct file_source *s, const struct fan_event *ev)
{
	struct fan *f = s->fan;
	const struct root *from = fan_locate(s, &ev->dir, ev->name, &f->old_path),
			  *to = fan_locate(s, &ev->to_dir, ev->to_name, &f->path);
	bool directory = ev->mask & FAN_ONDIR;
	enum fan_answer replaced = to && !directory ? fan_replaces(f, ev, f->queue.at) : FAN_NO;
	bool taken, swaps_back = f->last.pid && is_back(&f->last, ev);
	struct fan_gone out;
	struct fan_event back;

	if (replaced == FAN_UNKNOWN && !f->waited)
		return false;
	if (swaps_back) {
		came_back(s, ev, from);
		from = NULL;
	}
	f->last_exchanged = is_exchange(f, ev, &back);
	taken = !directory && takes_place(f, ev, swaps_back) && !f->last_exchanged && !swaps_back;
	if (to && f->last_exchanged)
		left_by_exchange(s, &back, to, f->path.data);
	out = (struct fan_gone){.move = ev,
				.seen = from,
				.whole = from && to && moves_whole(s, ev, from, to),
				.at = f->queue.at};
	fan_gone_until_now(s, &out);
	if (directory)
		fan_dir_is(s, &ev->target, &ev->to_dir, ev->to_name);
	tell_rename(s, ev, from, to, replaced == FAN_YES || (to && taken));
	fan_gone_since(s, &out);
	if (directory)
		fan_dir_is(s, &ev->target, &ev->to_dir, ev->to_name);
	f->last = *ev;
	return true;
}
