/*
 * The way from the kernel's answer to the callback, and every trick that it takes: it is inline for
 * that reason, and nothing here is needed to understand the rest.
 *
 * With epoll a turn with one ready descriptor is 200 instructions, a callback 56 of them (make
 * bench-reactor counts them); libev needs 454 and 118, a loop by hand that does nothing else 94 and
 * 23. What saves how many:
 *
 *   kinds in the low bits   3: watchers are aligned to 8, so the kind has room in a pointer, and
 *                           that of descriptors is 0, which is neither packed nor unpacked.
 *   `room` of a queue       2: it is 0 while the queue is empty, so one test finds a full one and
 *                           the first entry of a turn, which has to set the bit in `nonempty`.
 *   `nonempty`              2, and a walk over 8 queues: the lowest bit is the next queue, and
 *                           STOPPING lies above them, so one test after each callback finds both
 *                           what goes before and the end.
 *   `pending`               is the place in the queue, so that it is not queued twice, and can be
 *                           taken out. It holds a mark, too, of those with IO_ONCE or a timeout,
 *                           for which nobody else pays (io.c).
 *   the kernel's bits       5 for each kind of readiness: they are ours (SAME_BIT).
 *   generations             come back with the readiness: a stale one costs no search.
 *   more_than_descriptors   six of the ten steps of a turn that has nothing else, by one OR: 9.
 *   what is rare            is not inline (queue_add_slowly, io_activate_slowly, call_other), so
 *                           that no registers are saved for it.
 */
#ifndef EVWATCH_REACTOR_FAST_H
#define EVWATCH_REACTOR_FAST_H

#include "reactor/loop.h"

#include <poll.h>
#include <sys/epoll.h>

/* ---- into a queue ---------------------------------------------------------------------------- */

enum active_kind {
	ACTIVE_IO,
	ACTIVE_TIMER,
	ACTIVE_NONE,   /* stopped since */
	ACTIVE_MARKED, /* a descriptor with IO_ONCE or a timeout */
	KIND_BITS = 7,
};

static inline enum active_kind kind_of(uintptr_t item)
{
	return (enum active_kind)(item & KIND_BITS);
}

static inline void *watcher_of(uintptr_t item)
{
	return (void *)(item & ~(uintptr_t)KIND_BITS);
}

/* Puts a watcher into its queue. Returns its place + 1, or 0 with ENOMEM. */
static inline uint32_t queue_add(struct reactor *r, unsigned priority, void *watcher,
				 enum active_kind kind)
{
	struct queue *q = &r->queues[priority];
	uintptr_t item = (uintptr_t)watcher | (uintptr_t)kind;
	uint32_t place = q->count;

	if (__builtin_expect(place == q->room, 0))
		return queue_add_slowly(r, priority, item);
	q->items[place] = item;
	return q->count = place + 1;
}

/* ---- readiness ------------------------------------------------------------------------------- */

/* Nothing is translated: the bits are those of epoll_ctl(2), and of poll(2). */
#define SAME_BIT(io, epoll, poll)                                                                  \
	_Static_assert((io) == (int)(epoll) && (io) == (poll), #io " is the kernel's bit")
SAME_BIT(IO_READ, EPOLLIN, POLLIN);
SAME_BIT(IO_URGENT, EPOLLPRI, POLLPRI);
SAME_BIT(IO_WRITE, EPOLLOUT, POLLOUT);
SAME_BIT(IO_ERROR, EPOLLERR, POLLERR);
SAME_BIT(IO_HANGUP, EPOLLHUP, POLLHUP);
SAME_BIT(IO_HALF_CLOSE, EPOLLRDHUP, POLLRDHUP);
#undef SAME_BIT

/* What the kernel is asked for; it reports hang-ups and errors unasked. */
static inline unsigned to_kernel(unsigned interest)
{
	return interest & (IO_READ | IO_URGENT | IO_WRITE | IO_HALF_CLOSE);
}

/* A watcher that is in a queue already, or that is marked (io.c). */
void io_activate_slowly(struct reactor *r, struct io_watcher *w, unsigned ready);
/* The other watchers of a descriptor. */
void io_tell_others(struct reactor *r, struct io_watcher *first, unsigned events);

static inline void io_activate(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	if (__builtin_expect(w->pending, 0)) {
		io_activate_slowly(r, w, ready);
		return;
	}
	w->ready = (uint16_t)ready;
	w->pending = queue_add(r, w->priority, w, ACTIVE_IO);
}

static inline void io_tell(struct reactor *r, struct io_watcher *w, unsigned events)
{
	unsigned mine = events & w->interest;

	if (mine)
		io_activate(r, w, mine);
}

/* Tells the watchers of a descriptor; `events` are the kernel's. */
static inline void io_ready(struct reactor *r, int fd, uint32_t generation, unsigned events)
{
	struct io_slot *slot = &r->slots[fd];
	struct io_watcher *w = slot->first; /* never NULL in the generation that is installed */

	if (__builtin_expect(slot->generation != generation, 0)) {
		io_stale(r, slot);
		return;
	}
	/* A hang-up or error wakes readers and writers: their next call tells them more. */
	if (__builtin_expect_with_probability((events & (IO_HANGUP | IO_ERROR)) != 0, 0, 1.0))
		events |= IO_READ | IO_WRITE;
	io_tell(r, w, events);
	if (__builtin_expect(w->next != NULL, 0))
		io_tell_others(r, w, events);
}

/* ---- out of the queues ----------------------------------------------------------------------- */

/* The callback is the last thing done: it may free the watcher. */
static inline void call_io(struct reactor *r, struct io_watcher *w)
{
	w->pending = 0;
	w->call(r, w, w->ready);
}

/* The other kinds (queue.c). */
void call_other(struct reactor *r, uintptr_t item);

/* Runs the first queue until it is empty, one that goes before is not, or the loop is stopped. */
static inline void run_first_queue(struct reactor *r)
{
	uint32_t bit = r->nonempty & -r->nonempty; /* the lowest: the first priority */
	uint32_t interrupted = (bit - 1) | STOPPING;
	struct queue *q = &r->queues[__builtin_ctz(bit)];

	while (q->run < q->count) {
		uintptr_t item = q->items[q->run++];

		if (__builtin_expect(kind_of(item) == ACTIVE_IO, 1))
			call_io(r, (struct io_watcher *)item);
		else
			call_other(r, item);
		if (__builtin_expect(r->nonempty & interrupted, 0))
			return;
	}
	q->count = q->room = q->run = 0;
	r->nonempty &= ~bit;
}

static inline void run_queues(struct reactor *r)
{
	while (r->nonempty && r->nonempty < STOPPING)
		run_first_queue(r);
}

/* 0: no clock needs a look. Timers of the other clocks have their alarms open. */
static inline size_t timing(const struct reactor *r)
{
	return r->heaps[CLOCK_OF_LOOP].count | r->alarms_open;
}

static inline bool more_than_descriptors(const struct reactor *r)
{
	return timing(r) | r->n_changes | r->rebuild | r->nonempty | (uintptr_t)r->wakers |
	       (uintptr_t)r->on_turn;
}

#endif
