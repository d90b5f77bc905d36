/*
 * From events of the kernel to hints for the model; see fanotify.h.
 *
 * The kernel merges events that it has not delivered yet, but only of one inode by one name and of
 * one process: so of what is merged the order is known.
 */
#include "source/file/observe/fanotify.h"

#include "base/array.h"
#include "base/fd.h"
#include "base/file_time.h"
#include "base/log.h"
#include "source/file/model/model.h"
#include "source/file/observe/inotify.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { A_CHUNK = 4096, A_STEP = 16 };

/* ---- late ------------------------------------------------------------------------------------ */

static void defer(struct fanotify_observer *o, size_t at, enum fan_side side)
{
	if (ARRAY_GROW(o->late.items, o->late.capacity, o->late.count + 1) == 0)
		o->late.items[o->late.count++] = (struct fan_late){at, side};
}

static struct node *ghost_of(const struct fanotify_observer *o, uint64_t hash)
{
	for (size_t i = 0; i < o->ghosts.count; i++)
		if (o->ghosts.items[i].hash == hash)
			return o->ghosts.items[i].node;
	return NULL;
}

/* Nobody has seen the directory that was made here: it is gone. */
static void add_ghost(struct fanotify_observer *o, struct node *d, const struct fan_event *ev)
{
	struct node *n;

	if (!d || fan_node(&o->places, ev->target.hash) || ghost_of(o, ev->target.hash) ||
	    ARRAY_GROW(o->ghosts.items, o->ghosts.capacity, o->ghosts.count + 1) < 0)
		return;
	n = model_ghost(o->base.model, d, ev->name);
	if (n)
		o->ghosts.items[o->ghosts.count++] = (struct fan_ghost){ev->target.hash, n};
}

void fanotify_forget(struct fanotify_observer *o)
{
	while (o->ghosts.count)
		node_release(o->ghosts.items[--o->ghosts.count].node);
	o->late.count = o->late.at = 0;
	o->progress.has_moved = false;
}

/* The node of a directory of an event. */
static struct node *node_of(struct fanotify_observer *o, const struct fan_handle *h)
{
	struct node *n;

	if (o->progress.stage != FAN_LATE)
		return fan_find(&o->places, h);
	n = fan_node(&o->places, h->hash);
	if (n)
		return model_is_early(n) ? NULL : n;
	return ghost_of(o, h->hash);
}

/* ---- hints ----------------------------------------------------------------------------------- */

static void hint(struct fanotify_observer *o, struct node *d, const char *name, unsigned bits)
{
	model_hint(o->base.model, d, name, bits);
	o->progress.hinted = true;
}

/* It was there before: a directory whose names may be asked for, or a name. `h`: of what it was;
 * where it has no data it cannot be looked for. */
static void assume(struct fanotify_observer *o, struct node *d, const char *name,
		   const struct fan_handle *h, bool is_dir, bool looks)
{
	const struct node *known = fan_node(&o->places, h->hash);
	struct look was = {.type = 'n'};
	struct node *n = NULL;

	if (!d->sparse)
		return;
	if (model_is_other(d, name, is_dir, known))
		model_unlearn(o->base.model, d, name);
	if (known)
		model_unlearn_elsewhere(o->base.model, known, d, name);
	if (entries_find(d->entries, name) && !is_dir)
		return;
	if (looks && !entries_find(d->entries, name))
		fan_look(&o->places, h, &was);
	if (!looks || !was.type)
		was.identity = identity_of_gone();
	if (is_dir || !was.type)
		was.type = is_dir ? 'd' : 'n';
	/* Where it went may have been read before: what is in it is known there. */
	if (is_dir && !fan_node(&o->places, h->hash))
		n = model_know(o->base.model, d, name, &was.identity, false);
	if (!n)
		model_assume(o->base.model, d, name, &was, false);
	else if (h->bytes && !n->watched)
		fan_node_is(&o->places, n, h);
}

static void pass_active(struct fanotify_observer *o, struct node *d, const struct fan_event *ev)
{
	const char *name = ev->name;
	unsigned active = inotify_active_of((uint32_t)ev->mask) & o->active;

	if (ev->pid == getpid())
		active &= ~(unsigned)(FILE_OPEN | FILE_ACCESS);
	/* Of a directory itself. */
	if (strcmp(name, ".") == 0) {
		if (!d->parent || d->gone)
			return;
		name = node_name(d);
		d = d->parent;
	}
	if (!active)
		return;
	if (ev->mask & FAN_ONDIR)
		model_active(o->base.model, d, name, active);
	else
		model_active_file(o->base.model, d, name, active);
	o->progress.hinted = true;
}

static void pass_entry(struct fanotify_observer *o, struct node *d, const struct fan_event *ev)
{
	bool is_dir = ev->mask & FAN_ONDIR, is_other;

	if (ev->mask & FAN_CREATE) {
		model_unlearn(o->base.model, d, ev->name);
		hint(o, d, ev->name, HINT_CREATED);
	}
	pass_active(o, d, ev);
	if (!(ev->mask & FAN_DELETE))
		return;
	if (!(ev->mask & FAN_CREATE))
		assume(o, d, ev->name, &ev->target, is_dir, false);
	is_other = model_is_other(d, ev->name, is_dir, fan_node(&o->places, ev->target.hash));
	hint(o, d, ev->name, is_other ? HINT_LEFT : HINT_DELETED);
}

/* ---- renames --------------------------------------------------------------------------------- */

/* The other half of an exchange says last of a name that it left, but what came by the first half
 * is there. */
static void pass_departure(struct fanotify_observer *o, struct node *from,
			   const struct fan_event *ev, const struct fan_rename *r)
{
	assume(o, from, ev->name, &ev->target, ev->mask & FAN_ONDIR, true);
	hint(o, from, ev->name, HINT_LEFT);
	if (r && r->is_second)
		hint(o, from, ev->name, HINT_CAME);
}

/* What stood at the new name was replaced, or is moved by the other half. */
static void pass_arrival(struct fanotify_observer *o, struct node *to, const struct fan_event *ev,
			 const struct fan_rename *r)
{
	const struct fan_handle lost = {.hash = r ? r->lost : 0};
	size_t at = r ? r->second : 0;
	struct fan_event second;

	if (at && fan_ahead_event(&o->queue, &at, &second))
		assume(o, to, ev->to_name, &second.target, second.mask & FAN_ONDIR, true);
	else if (r && r->replaced)
		assume(o, to, ev->to_name, &lost, r->replaced == 'd', false);
	else
		model_unlearn(o->base.model, to, ev->to_name);
	hint(o, to, ev->to_name, HINT_CAME);
}

/* ---- what belongs to a rename is still to come ----------------------------------------------- */

static bool comes_to(const struct fan_event *ev, const struct fan_handle *dir, const char *name)
{
	if (ev->mask & FAN_RENAME)
		return ev->to_dir.hash == dir->hash && strcmp(ev->to_name, name) == 0;
	return ev->mask & FAN_CREATE && ev->dir.hash == dir->hash && strcmp(ev->name, name) == 0;
}

/* Does something have the old name, of which no event says that it came? Then one will: of the
 * other half of an exchange. (Nobody reports the device that RENAME_WHITEOUT leaves.) */
static bool is_exchanging(struct fanotify_observer *o, const struct fan_event *ev, size_t behind)
{
	int folder = fan_open_handle(&o->places, &ev->dir, O_PATH | O_DIRECTORY);
	struct fan_handle h;
	struct fan_event next;
	struct look now = {0};

	if (folder >= 0 && fan_handle_at(folder, ev->name, ev->dir.fsid, &h) >= 0 &&
	    h.hash != ev->target.hash)
		fan_look(&o->places, &h, &now);
	fd_close(&folder);
	if (!now.type || now.type == 'o')
		return false;
	while (fan_ahead_event(&o->queue, &behind, &next))
		if (comes_to(&next, &ev->dir, ev->name))
			return false;
	return true;
}

/* May the end of the rename have been merged into an event before it? */
static bool is_merged(const struct fanotify_observer *o, const struct fan_rename *r)
{
	struct fan_event ev;

	for (size_t at = 0; at < r->at && fan_ahead_event(&o->queue, &at, &ev);)
		if (ev.pid == r->pid && fan_event_is_nameless(&ev) &&
		    fan_event_self(&ev) == r->moved)
			return true;
	return false;
}

/* Is known what the rename replaced, as far as that has to be asked? */
static bool is_whole(struct fanotify_observer *o, const struct fan_event *ev, size_t at,
		     size_t behind)
{
	const struct fan_rename *r =
	    ev->mask & FAN_RENAME ? fan_renames_at(&o->queue.renames, at) : NULL;
	const struct node *to;

	if (!r || r->followed || (r->ended && r->replaced))
		return true;
	to = node_of(o, &ev->to_dir);
	if (!to || !to->sparse)
		return true;
	if (!r->ended && !is_merged(o, r))
		return false;
	return r->replaced || !is_exchanging(o, ev, behind);
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool makes_directory(const struct fan_event *ev)
{
	return ev->mask & FAN_CREATE && ev->mask & FAN_ONDIR;
}

/* What happened in one directory. False: it has no node. */
static bool pass_side(struct fanotify_observer *o, const struct fan_event *ev, size_t at,
		      enum fan_side side)
{
	struct node *d = node_of(o, side == FAN_SIDE_TO ? &ev->to_dir : &ev->dir);
	const struct fan_rename *r =
	    ev->mask & FAN_RENAME ? fan_renames_at(&o->queue.renames, at) : NULL;

	if (!d)
		return false;
	o->base.model->by = ev->pid;
	if (side == FAN_SIDE_TO)
		pass_arrival(o, d, ev, r);
	else if (side == FAN_SIDE_DIR && ev->mask & FAN_RENAME)
		pass_departure(o, d, ev, r);
	else if (side == FAN_SIDE_DIR)
		pass_entry(o, d, ev);
	o->base.model->by = 0;
	if (o->progress.stage == FAN_LATE && side != FAN_SIDE_TO && makes_directory(ev))
		add_ghost(o, d, ev);
	return true;
}

/* In a directory that is made, or comes from elsewhere, nothing is known until it is read. */
static void pass_event(struct fanotify_observer *o, const struct fan_event *ev, size_t at)
{
	bool is_rename = ev->mask & FAN_RENAME, from = pass_side(o, ev, at, FAN_SIDE_DIR);
	bool to = is_rename && pass_side(o, ev, at, FAN_SIDE_TO);

	if (is_rename && ev->mask & FAN_ONDIR && to && !from) {
		o->progress.has_moved = true;
		fan_places_moved(&o->places);
	}
	o->progress.has_moved |= from && makes_directory(ev);
	if (!o->progress.has_moved)
		return;
	if (!from)
		defer(o, at, FAN_SIDE_DIR);
	if (is_rename && !to)
		defer(o, at, FAN_SIDE_TO);
	if (from && makes_directory(ev))
		defer(o, at, FAN_SIDE_GHOST);
}

static void lose(struct fanotify_observer *o)
{
	log_warn(o->rule, "the kernel had no memory for events (fanotify): changes may be missing");
	o->base.model->host->lost(o->base.model, o->synced);
	model_lost(o->base.model, o->base.model->top, true);
	o->progress.hinted = true;
}

/* False: the event is passed on when the kernel has queued what belongs to it. */
static bool pass_next(struct fanotify_observer *o)
{
	struct fan_event ev;
	size_t at = o->queue.at, behind = at;

	fan_ahead_event(&o->queue, &behind, &ev);
	o->waits = !o->gives_up && !fan_ahead_full(&o->queue) && !is_whole(o, &ev, at, behind);
	if (o->waits)
		return false;
	o->gives_up = false;
	o->queue.at = behind;
	o->progress.passed++;
	if (ev.mask & FAN_Q_OVERFLOW)
		lose(o);
	/* Of an inode alone there is no name. */
	if (ev.dir.hash && !(ev.mask & FAN_MOVE_SELF))
		pass_event(o, &ev, at);
	return true;
}

static void pass_late(struct fanotify_observer *o)
{
	const struct fan_late *late = &o->late.items[o->late.at++];
	struct fan_event ev;
	size_t behind = late->at;

	fan_ahead_event(&o->queue, &behind, &ev);
	pass_side(o, &ev, late->at, late->side);
}

static void catch_up_by(struct fanotify_observer *o, struct node *n, const struct fan_event *ev,
			size_t at)
{
	const struct fan_rename *r =
	    ev->mask & FAN_RENAME ? fan_renames_at(&o->queue.renames, at) : NULL;
	uint64_t hash = fan_node_handle(n)->hash;

	o->base.model->by = ev->pid;
	if (ev->dir.hash == hash && ev->mask & FAN_RENAME)
		pass_departure(o, n, ev, r);
	else if (ev->dir.hash == hash)
		pass_entry(o, n, ev);
	if (ev->to_dir.hash == hash && ev->mask & FAN_RENAME)
		pass_arrival(o, n, ev, r);
}

struct catching {
	struct fanotify_observer *o;
	struct node *n;
};

static void catch_up_one(void *data, size_t at)
{
	const struct catching *c = data;
	struct fan_event ev;
	size_t behind = at;

	if (fan_ahead_event(&c->o->queue, &behind, &ev))
		catch_up_by(c->o, c->n, &ev, at);
}

/* These events are passed over when their turn comes: the node is gone then. */
void fanotify_catch_up(struct fanotify_observer *o, struct node *n)
{
	struct catching catching = {o, n};
	int by = o->base.model->by;

	while (fan_ahead_fill(&o->queue))
		;
	fan_ahead_each(&o->queue, fan_node_handle(n)->hash, catch_up_one, &catching);
	o->base.model->by = by;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

/* Names that a look found ahead of their events must be known when those come. */
static void on_all_passed(struct fanotify_observer *o)
{
	o->synced = o->progress.emptied;
	if (!o->keeps(o))
		fan_places_trim(&o->places);
}

static void begin_chunk(struct fanotify_observer *o)
{
	fanotify_forget(o);
	if (fan_ahead_empty(&o->queue) && !fan_ahead_full(&o->queue))
		on_all_passed(o);
	o->places.clock++;
	o->progress.passed = 0;
	fan_ahead_forget(&o->queue);
}

/* The model looks at what was passed on. */
static bool end_pass(struct fanotify_observer *o, enum fan_stage next)
{
	o->progress.stage = next;
	fan_ahead_forget_words(&o->queue);
	if (!o->progress.hinted)
		return true;
	o->progress.hinted = false;
	o->progress.reports = true;
	model_drained(o->base.model);
	return false;
}

static void pass_some(struct fanotify_observer *o)
{
	for (int i = 0; i < A_STEP && !fan_ahead_empty(&o->queue) && o->progress.passed < A_CHUNK;
	     i++)
		if (!pass_next(o)) {
			o->progress.stage = FAN_FILLING;
			return;
		}
}

static void pass_some_late(struct fanotify_observer *o)
{
	for (int i = 0; i < A_STEP && o->late.at < o->late.count; i++)
		pass_late(o);
}

/* A step. False: the model is next, or the kernel. */
static bool step(struct fanotify_observer *o)
{
	int64_t now;

	switch (o->progress.stage) {
	case FAN_FRESH:
		begin_chunk(o);
		o->progress.stage = FAN_FILLING;
		break;
	case FAN_FILLING:
		now = file_time_now();
		if (fan_ahead_fill(&o->queue))
			break;
		o->progress.emptied = now;
		o->progress.stage = fan_ahead_empty(&o->queue) ? FAN_FRESH : FAN_PASSING;
		return o->progress.stage == FAN_PASSING;
	case FAN_PASSING:
		pass_some(o);
		if (o->waits)
			return false;
		if (fan_ahead_empty(&o->queue) || o->progress.passed >= A_CHUNK)
			return end_pass(o, o->late.count ? FAN_LATE : FAN_FRESH);
		break;
	case FAN_LATE:
		pass_some_late(o);
		if (o->late.at == o->late.count)
			return end_pass(o, FAN_FRESH);
	}
	return true;
}

bool fanotify_pass(struct fanotify_observer *o, int64_t deadline)
{
	do {
		if (!step(o))
			return false;
	} while (clock_read(CLOCK_OF_LOOP) < deadline);
	return true;
}
