/*
 * From events of the kernel to hints for the model; see fanotify.h.
 *
 * The kernel merges events that it has not delivered yet, but only of one inode by one name and of
 * one process: so of what is merged the order is known.
 */
#include "source/file/observe/fanotify.h"

#include "base/array.h"
#include "base/file_time.h"
#include "base/log.h"
#include "source/file/model/model.h"
#include "source/file/observe/inotify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

enum { A_CHUNK = 4096, A_STEP = 16, AHEAD = 64 /* events */ };

/* ---- late ------------------------------------------------------------------------------------ */

static void defer(struct fanotify_observer *o, size_t at, enum fan_side side)
{
	if (ARRAY_GROW(o->late, o->late_capacity, o->n_late + 1) == 0)
		o->late[o->n_late++] = (struct fan_late){at, side};
}

static struct node *ghost_of(const struct fanotify_observer *o, uint64_t hash)
{
	for (size_t i = 0; i < o->n_ghosts; i++)
		if (o->ghosts[i].hash == hash)
			return o->ghosts[i].node;
	return NULL;
}

/* Nobody has seen the directory that was made here: it is gone. */
static void add_ghost(struct fanotify_observer *o, struct node *d, const struct fan_event *ev)
{
	struct node *n;

	if (!d || fan_node(&o->places, ev->target.hash) || ghost_of(o, ev->target.hash) ||
	    ARRAY_GROW(o->ghosts, o->ghosts_capacity, o->n_ghosts + 1) < 0)
		return;
	n = model_ghost(o->base.model, d, ev->name);
	if (n)
		o->ghosts[o->n_ghosts++] = (struct fan_ghost){ev->target.hash, n};
}

void fanotify_forget(struct fanotify_observer *o)
{
	while (o->n_ghosts)
		node_release(o->ghosts[--o->n_ghosts].node);
	o->n_late = o->late_at = 0;
	o->has_moved = false;
}

/* The node of a directory of an event. */
static struct node *node_of(struct fanotify_observer *o, const struct fan_handle *h)
{
	struct node *n;

	if (o->stage != FAN_LATE)
		return fan_find(&o->places, h);
	n = fan_node(&o->places, h->hash);
	return n ? n : ghost_of(o, h->hash);
}

/* ---- hints ----------------------------------------------------------------------------------- */

static void hint(struct fanotify_observer *o, struct node *d, const char *name, unsigned bits)
{
	model_hint(o->base.model, d, name, bits);
	o->hinted = true;
}

/* It was there before: a directory whose names may be asked for, or a name. */
static void assume(struct fanotify_observer *o, struct node *d, const char *name,
		   const struct fan_handle *h, bool is_dir, bool looks, bool anyway)
{
	struct look was = {.type = 'n'};
	struct node *n;

	if (!d->sparse || (entries_find(d->entries, name) && !is_dir))
		return;
	if (is_dir && h && fan_node(&o->places, h->hash))
		return; /* or it is known where it went */
	if (looks && h && !entries_find(d->entries, name))
		fan_look(&o->places, h, &was);
	if (!looks || !was.type)
		was.identity = identity_of_gone();
	if (is_dir || !was.type)
		was.type = is_dir ? 'd' : 'n';
	n = is_dir ? model_know(o->base.model, d, name, &was.identity, anyway) : NULL;
	if (!n)
		model_assume(o->base.model, d, name, &was, anyway);
	else if (h && !n->watched)
		fan_node_is(&o->places, n, h);
}

static void pass_active(struct fanotify_observer *o, struct node *d, const struct fan_event *ev)
{
	static const struct {
		uint64_t mask;
		unsigned active;
	} actives[] = {{FAN_MODIFY, ACTIVE_MODIFY},
		       {FAN_CLOSE_WRITE, ACTIVE_CLOSE_WRITE},
		       {FAN_ATTRIB, ACTIVE_ATTRIB},
		       {FAN_OPEN, ACTIVE_OPEN},
		       {FAN_ACCESS, ACTIVE_ACCESS}};
	const char *name = ev->name;
	unsigned active = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(actives); i++)
		active |= ev->mask & actives[i].mask ? actives[i].active : 0;
	active &= o->active;
	if (ev->pid == getpid())
		active &= ~(unsigned)(ACTIVE_OPEN | ACTIVE_ACCESS);
	/* Of a directory itself. */
	if (strcmp(name, ".") == 0) {
		if (!d->parent || d->gone)
			return;
		name = node_name(d);
		d = d->parent;
	}
	if (!active)
		return;
	model_active(o->base.model, d, name, active);
	o->hinted = true;
}

static void pass_entry(struct fanotify_observer *o, struct node *d, const struct fan_event *ev)
{
	bool is_dir = ev->mask & FAN_ONDIR;

	if (ev->mask & FAN_CREATE)
		hint(o, d, ev->name, HINT_CREATED);
	pass_active(o, d, ev);
	if (!(ev->mask & FAN_DELETE))
		return;
	if (!(ev->mask & FAN_CREATE))
		assume(o, d, ev->name, &ev->target, is_dir, false, false);
	hint(o, d, ev->name, HINT_DELETED);
}

/* ---- renames --------------------------------------------------------------------------------- */

/* The next event of the same process; *at goes on behind it. */
static bool next_of(const struct fanotify_observer *o, const struct fan_event *ev, size_t *at,
		    struct fan_event *next)
{
	for (int i = 0; i < AHEAD && fan_ahead_event(&o->queue, at, next); i++)
		if (next->pid == ev->pid)
			return true;
	return false;
}

/* What it happened to: of a directory itself there is no other handle. */
static uint64_t self_of(const struct fan_event *ev)
{
	return ev->target.hash ? ev->target.hash : ev->dir.hash;
}

static bool is_lost_link(const struct fan_event *ev, const struct fan_event *next)
{
	bool is_nameless = !next->dir.hash || strcmp(next->name, ".") == 0;

	return next->mask & FAN_ATTRIB && is_nameless && self_of(next) != ev->target.hash;
}

/* It is link(2) or unlink(2), which report the number of links first. */
static bool is_relinked(const struct fanotify_observer *o, const struct fan_event *lost, size_t at)
{
	struct fan_event next;

	return next_of(o, lost, &at, &next) && next.mask & (FAN_CREATE | FAN_DELETE) &&
	       next.target.hash == self_of(lost);
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

/* What stood at the new name before. False: nothing that is known. */
static bool assume_replaced(struct fanotify_observer *o, struct node *to,
			    const struct fan_event *ev, size_t behind)
{
	struct fan_event next;
	bool any = next_of(o, ev, &behind, &next);

	if (any && is_lost_link(ev, &next) && !is_relinked(o, &next, behind)) {
		assume(o, to, ev->to_name, NULL, next.mask & FAN_ONDIR, false, false);
		return true;
	}
	/* Each half of an exchange has a word behind it that it moved. */
	if (any && next.mask & FAN_MOVE_SELF && self_of(&next) == ev->target.hash)
		any = next_of(o, ev, &behind, &next);
	if (!any || !is_back(ev, &next))
		return false;
	assume(o, to, ev->to_name, &next.target, next.mask & FAN_ONDIR, true, false);
	return true;
}

/*
 * What left was replaced by the rename before, of which that was not known: it is the other half of
 * an exchange, and came late.
 */
static void pass_late_half(struct fanotify_observer *o, struct node *from,
			   const struct fan_event *ev)
{
	bool is_known = entries_find(from->entries, ev->name);

	if (!is_known)
		assume(o, from, ev->name, &ev->target, ev->mask & FAN_ONDIR, true, true);
	hint(o, from, ev->name, is_known ? HINT_LEFT | HINT_DELETED : HINT_LEFT);
}

/* The other half of an exchange says last of a name that it left, but what came by the first half
 * is there. */
static void pass_departure(struct fanotify_observer *o, struct node *from,
			   const struct fan_event *ev)
{
	bool is_second = is_back(&o->last, ev);

	if (is_second && o->last_was_alone) {
		pass_late_half(o, from, ev);
	} else {
		assume(o, from, ev->name, &ev->target, ev->mask & FAN_ONDIR, true, false);
		hint(o, from, ev->name, HINT_LEFT);
	}
	if (is_second)
		hint(o, from, ev->name, HINT_CAME);
}

static void pass_arrival(struct fanotify_observer *o, struct node *to, const struct fan_event *ev,
			 size_t behind)
{
	bool is_late = o->last_was_alone && is_back(&o->last, ev);

	o->last_was_alone = !is_late && !assume_replaced(o, to, ev, behind);
	o->last = *ev;
	hint(o, to, ev->to_name, HINT_CAME);
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool makes_directory(const struct fan_event *ev)
{
	return ev->mask & FAN_CREATE && ev->mask & FAN_ONDIR;
}

/* What happened in one directory. False: it has no node. */
static bool pass_side(struct fanotify_observer *o, const struct fan_event *ev, size_t behind,
		      enum fan_side side)
{
	struct node *d = node_of(o, side == FAN_SIDE_TO ? &ev->to_dir : &ev->dir);

	if (!d)
		return false;
	o->base.model->by = ev->pid;
	if (side == FAN_SIDE_TO)
		pass_arrival(o, d, ev, behind);
	else if (side == FAN_SIDE_DIR && ev->to_dir.hash)
		pass_departure(o, d, ev);
	else if (side == FAN_SIDE_DIR)
		pass_entry(o, d, ev);
	o->base.model->by = 0;
	if (o->stage == FAN_LATE && side != FAN_SIDE_TO && makes_directory(ev))
		add_ghost(o, d, ev);
	return true;
}

/* In a directory that is made, or comes from elsewhere, nothing is known until it is read. */
static void pass_event(struct fanotify_observer *o, const struct fan_event *ev, size_t at,
		       size_t behind)
{
	bool is_rename = ev->to_dir.hash, from = pass_side(o, ev, behind, FAN_SIDE_DIR);
	bool to = is_rename && pass_side(o, ev, behind, FAN_SIDE_TO);

	if (is_rename && ev->mask & FAN_ONDIR && to && !from) {
		o->has_moved = true;
		fan_places_moved(&o->places);
	}
	o->has_moved |= from && makes_directory(ev);
	if (is_rename ? !to : ev->pid == o->last.pid)
		o->last = (struct fan_event){0};
	if (!o->has_moved)
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
	o->lost(o);
	model_lost(o->base.model, o->base.model->top, true);
	o->hinted = true;
}

/* Only what comes behind a rename says what it was. */
static bool lacks_words(struct fanotify_observer *o, const struct fan_event *ev, size_t behind)
{
	struct fan_event next;

	return ev->mask & FAN_RENAME && node_of(o, &ev->to_dir) &&
	       !(next_of(o, ev, &behind, &next) && next_of(o, ev, &behind, &next));
}

/* False: the event is passed on in the next turn, when the kernel has queued what belongs to it. */
static bool pass_next(struct fanotify_observer *o)
{
	struct fan_event ev;
	size_t at = o->queue.at, behind = at;

	fan_ahead_event(&o->queue, &behind, &ev);
	if (!o->waits && lacks_words(o, &ev, behind)) {
		o->waits = true;
		o->stage = FAN_FILLING;
		return false;
	}
	o->waits = false;
	o->queue.at = behind;
	o->passed++;
	if (ev.mask & FAN_Q_OVERFLOW)
		lose(o);
	/* Of an inode alone there is no name. */
	if (ev.dir.hash && !(ev.mask & FAN_MOVE_SELF))
		pass_event(o, &ev, at, behind);
	return true;
}

static void pass_late(struct fanotify_observer *o)
{
	const struct fan_late *late = &o->late[o->late_at++];
	struct fan_event ev;
	size_t behind = late->at;

	fan_ahead_event(&o->queue, &behind, &ev);
	pass_side(o, &ev, behind, late->side);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

/* Names that a look found ahead of their events must be known when those come. */
static void on_all_passed(struct fanotify_observer *o)
{
	o->synced = o->emptied;
	fan_places_trim(&o->places);
}

static void begin_chunk(struct fanotify_observer *o)
{
	fanotify_forget(o);
	if (fan_ahead_empty(&o->queue) && !fan_ahead_full(&o->queue))
		on_all_passed(o);
	o->places.clock++;
	o->passed = 0;
	fan_ahead_forget(&o->queue);
}

/* The model looks at what was passed on. */
static bool end_pass(struct fanotify_observer *o, enum fan_stage next)
{
	o->stage = next;
	if (!o->hinted)
		return true;
	o->hinted = false;
	o->reports = true;
	model_drained(o->base.model);
	return false;
}

static void pass_some(struct fanotify_observer *o)
{
	for (int i = 0; i < A_STEP && !fan_ahead_empty(&o->queue) && o->passed < A_CHUNK; i++)
		if (!pass_next(o))
			return;
}

static void pass_some_late(struct fanotify_observer *o)
{
	for (int i = 0; i < A_STEP && o->late_at < o->n_late; i++)
		pass_late(o);
}

/* A step. False: the model is next, or the kernel. */
static bool step(struct fanotify_observer *o)
{
	int64_t now;

	switch (o->stage) {
	case FAN_FRESH:
		begin_chunk(o);
		o->stage = FAN_FILLING;
		break;
	case FAN_FILLING:
		now = file_time_now();
		if (fan_ahead_fill(&o->queue))
			break;
		o->emptied = now;
		o->stage = fan_ahead_empty(&o->queue) ? FAN_FRESH : FAN_PASSING;
		return o->stage == FAN_PASSING;
	case FAN_PASSING:
		pass_some(o);
		if (fan_ahead_empty(&o->queue) || o->passed >= A_CHUNK)
			return end_pass(o, o->n_late ? FAN_LATE : FAN_FRESH);
		break;
	case FAN_LATE:
		pass_some_late(o);
		if (o->late_at == o->n_late)
			return end_pass(o, FAN_FRESH);
	}
	return true;
}

bool fanotify_pass(struct fanotify_observer *o, int64_t deadline)
{
	do {
		if (!step(o))
			return false;
	} while ((!o->waits || o->stage != FAN_FILLING) && clock_read(CLOCK_OF_LOOP) < deadline);
	return true;
}
