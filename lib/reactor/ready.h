/*
 * The way from the kernel's answer to the active queues: inline, for it is gone once an event.
 */
#ifndef EVWATCH_REACTOR_READY_H
#define EVWATCH_REACTOR_READY_H

#include "reactor/loop.h"

#include <poll.h>
#include <sys/epoll.h>

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

/* What the kernel is asked for; hang-ups and errors are told unasked. */
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

#endif
