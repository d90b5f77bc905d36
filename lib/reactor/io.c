/*
 * Descriptors: who watches which, and what the backend must know of it.
 *
 * Changes are gathered until the wait. What cancels out costs nothing; a descriptor whose watcher
 * was initialised anew is set again even so, because its number may name another file by now.
 */
#include "reactor/fast.h"

#include "base/array.h"
#include "base/fd.h"
#include "base/list.h"

#include <errno.h>
#include <string.h>

enum { ALWAYS_TOLD = IO_HANGUP | IO_ERROR, NOT_FOR_BACKENDS = IO_ONCE | IO_TIMEOUT };

/* In `pending` of a watcher that wants one of these, in a queue or not (fast.h). */
#define MARK (UINT32_C(1) << 31)

static uint32_t mark_of(unsigned interest)
{
	return interest & NOT_FOR_BACKENDS ? MARK : 0;
}

void io_init(struct io_watcher *w, int fd, unsigned interest, io_call *call)
{
	*w = (struct io_watcher){
	    .call = call,
	    .fd = fd,
	    .pending = mark_of(interest),
	    .interest = (uint16_t)(interest | ALWAYS_TOLD),
	    .priority = PRIORITY_DEFAULT,
	    .fresh = true,
	};
}

static struct timed_io *timed_of(struct io_watcher *w)
{
	return w->interest & IO_TIMEOUT ? CONTAINER_OF(w, struct timed_io, io) : NULL;
}

static void on_timeout(struct reactor *r, struct timer *t)
{
	io_activate(r, &CONTAINER_OF(t, struct timed_io, timer)->io, IO_TIMEOUT);
}

void timed_io_init(struct timed_io *w, int fd, unsigned interest, int64_t timeout, io_call *call)
{
	io_init(&w->io, fd, interest | IO_TIMEOUT, call);
	timer_init(&w->timer, CLOCK_OF_LOOP, on_timeout);
	w->timeout = timeout;
}

static int timed_start(struct reactor *r, struct timed_io *timed)
{
	timed->timer.priority = timed->io.priority; /* what was ready in time goes before it */
	return timer_start_in(r, &timed->timer, timed->timeout);
}

/* A descriptor is in the list once at most: with room for all of them, notes never fail. */
static int slots_grow(struct reactor *r, int fd)
{
	size_t need = (size_t)fd + 1;

	if (ARRAY_GROW(r->changes, r->changes_capacity, need) < 0)
		return -1;
	return ARRAY_GROW(r->slots, r->n_slots, need);
}

static void io_note_change(struct reactor *r, int fd)
{
	if (!r->slots[fd].changed)
		r->changes[r->n_changes++] = fd;
	r->slots[fd].changed = true;
}

int io_start(struct reactor *r, struct io_watcher *w)
{
	struct io_slot *slot;

	if (w->started)
		return 0;
	if (w->fd < 0 || (w->interest & IO_EDGE && r->backend->no_edges)) {
		errno = w->fd < 0 ? EBADF : ENOTSUP;
		return -1;
	}
	if (slots_grow(r, w->fd) < 0 || (timed_of(w) && timed_start(r, timed_of(w)) < 0))
		return -1;
	slot = &r->slots[w->fd];
	slot->unsure |= w->fresh;
	w->fresh = false;
	w->next = slot->first;
	slot->first = w;
	w->started = true;
	r->started++;
	io_note_change(r, w->fd);
	return 0;
}

static void io_forget_pending(struct reactor *r, struct io_watcher *w)
{
	if (!(w->pending & ~MARK))
		return;
	queue_remove(r, w->priority, w->pending & ~MARK);
	w->pending &= MARK;
}

void io_stop(struct reactor *r, struct io_watcher *w)
{
	struct io_watcher **at;

	io_forget_pending(r, w);
	if (!w->started)
		return;
	if (timed_of(w))
		timer_stop(r, &timed_of(w)->timer);
	for (at = &r->slots[w->fd].first; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	w->started = false;
	r->started--;
	io_note_change(r, w->fd);
}

/* The backend has it no more, and what it reports of it from now on is stale. */
static void slot_forget(struct io_slot *slot)
{
	slot->installed = 0;
	slot->unsure = false;
	slot->generation++;
}

/* Where a duplicate is left, which cannot be known, epoll(7) goes on reporting it: as stale. */
void io_stop_close(struct reactor *r, struct io_watcher *w)
{
	struct io_slot *slot;

	io_stop(r, w);
	if (w->fd < 0)
		return;
	slot = (size_t)w->fd < r->n_slots ? &r->slots[w->fd] : NULL;
	if (slot && slot->first)
		io_refused(r, w->fd); /* the others */
	if (slot && r->backend->forgets_closed)
		slot_forget(slot);
	fd_close(&w->fd);
}

void io_change(struct reactor *r, struct io_watcher *w, unsigned interest)
{
	w->interest = (uint16_t)(interest | ALWAYS_TOLD | (w->interest & IO_TIMEOUT));
	w->pending = (w->pending & ~MARK) | mark_of(w->interest);
	/* What was ready but is not asked for any more must not be reported. */
	w->ready &= w->interest;
	if (!w->ready)
		io_forget_pending(r, w);
	if (w->started)
		io_note_change(r, w->fd);
}

void io_close(struct reactor *r)
{
	for (size_t fd = 0; fd < r->n_slots; fd++)
		while (r->slots[fd].first)
			io_stop(r, r->slots[fd].first);
}

/* ---- the backend ----------------------------------------------------------------------------- */

static unsigned io_union(const struct io_slot *slot)
{
	unsigned interest = 0;
	bool level = false;

	for (const struct io_watcher *w = slot->first; w; w = w->next) {
		interest |= w->interest;
		level |= !(w->interest & IO_EDGE);
	}
	/* One that wants levels gets levels; for the others that is more, not less. */
	interest &= ~(unsigned)NOT_FOR_BACKENDS;
	return level ? interest & (unsigned)~IO_EDGE : interest;
}

/* Every watcher is called with it once, and is stopped: nothing spins on it. */
void io_refused(struct reactor *r, int fd)
{
	struct io_slot *slot = &r->slots[fd];
	struct io_watcher *w;

	/* Without memory to tell it the next turn tries again. */
	while ((w = slot->first) && queue_reserve(r, w->priority) == 0) {
		io_stop(r, w);
		io_activate(r, w, IO_ERROR);
	}
	slot->unsure = true;
	slot->generation++;
}

/* There may be memory, or room in the kernel's tables, in a while; or else it was refused. */
static bool io_may_retry(struct reactor *r, int fd)
{
	if (errno == ENOMEM || errno == ENOSPC)
		return true;
	io_refused(r, fd);
	return false;
}

void io_not_added(struct reactor *r, int fd, uint32_t generation)
{
	struct io_slot *slot = &r->slots[fd];

	if (slot->generation != generation || !io_may_retry(r, fd))
		return;
	slot->installed = 0;
	io_note_change(r, fd);
}

/* -1 with errno: refused. */
static int io_install(struct reactor *r, int fd, unsigned interest)
{
	struct io_slot *slot = &r->slots[fd];
	int result;

	if (!slot->installed || slot->unsure)
		slot->generation++;
	result = r->backend->add(r->backend_state, fd, slot->unsure ? 0 : slot->installed, interest,
				 slot->generation);
	slot->unsure = false;
	slot->installed = result < 0 ? 0 : (uint16_t)interest;
	return result;
}

/* -1 with errno: refused. */
static int io_flush_change(struct reactor *r, int fd)
{
	struct io_slot *slot = &r->slots[fd];
	unsigned interest = io_union(slot);

	if (interest && (interest != slot->installed || slot->unsure))
		return io_install(r, fd, interest);
	if (!interest && slot->installed) {
		r->backend->del(r->backend_state, fd);
		slot_forget(slot);
	}
	return 0;
}

/* What is left in `changes` could not be done for want of memory: the next turn tries again. */
void io_flush_changes(struct reactor *r)
{
	size_t kept = 0;

	if (r->rebuild)
		io_rebuild(r);
	for (size_t i = 0; i < r->n_changes; i++) {
		int fd = r->changes[i];

		if (io_flush_change(r, fd) < 0 && io_may_retry(r, fd))
			r->changes[kept++] = fd;
		else
			r->slots[fd].changed = false;
	}
	r->n_changes = kept;
}

int io_open_internal(struct reactor *r, struct io_watcher *w, int fd)
{
	w->fd = fd;
	w->fresh = true;
	if (fd >= 0 && io_start(r, w) == 0 && io_flush_change(r, fd) == 0) {
		r->started--;
		return 0;
	}
	io_stop_close(r, w);
	return -1;
}

void io_close_internal(struct reactor *r, struct io_watcher *w)
{
	if (!w->started)
		return;
	r->started++;
	io_stop_close(r, w);
}

int io_rebuild(struct reactor *r)
{
	void *state = backend_new(r->backend, NULL);

	if (!state)
		return -1;
	backend_free(r->backend, r->backend_state);
	r->backend_state = state;
	r->rebuild = false;
	for (size_t fd = 0; fd < r->n_slots; fd++) {
		r->slots[fd].installed = 0;
		if (r->slots[fd].first)
			io_note_change(r, (int)fd);
	}
	return 0;
}

/* ---- readiness ------------------------------------------------------------------------------- */

/* Of a duplicate of a closed file, which no call can name: only a new backend is rid of it. */
void io_stale(struct reactor *r, const struct io_slot *slot)
{
	if (r->backend->need_reinit && !slot->changed)
		r->rebuild = true;
}

void io_activate_slowly(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	if (w->pending & ~MARK) {
		w->ready |= (uint16_t)ready;
		return;
	}
	w->ready = (uint16_t)ready;
	w->pending = MARK | queue_add(r, w->priority, w, ACTIVE_MARKED);
}

/* A timeout in the turn in which the descriptor became ready is none. */
void io_call_marked(struct reactor *r, struct io_watcher *w)
{
	unsigned in_time = w->ready & ~(unsigned)IO_TIMEOUT;

	w->pending = mark_of(w->interest);
	if (w->interest & IO_ONCE)
		io_stop(r, w);
	else if (w->started && timed_of(w))
		timed_start(r, timed_of(w));
	w->call(r, w, in_time ? in_time : IO_TIMEOUT);
}

void io_tell_others(struct reactor *r, struct io_watcher *first, unsigned events)
{
	for (struct io_watcher *w = first->next; w; w = w->next)
		io_tell(r, w, events);
}
