/*
 * Wake-ups from other threads and from signal handlers: an eventfd that the loop watches (a pipe
 * where there is none), and that is written to only where the loop waits.
 *
 * `asked` spares the second wake-up: the callback of the first is still to come. It is taken back
 * right before the callback, which so sees what was written before waker_wake.
 *
 * `waiting` spares the write. Waker and loop each store, then look at what the other stores:
 *
 *	waker: woken = true,   waiting? then write        (after asked = true)
 *	loop:  waiting = true, woken? then do not wait    (wakers_wait)
 *
 * These are sequentially consistent (C11, 7.17.3), so one comes second, and sees the other: either
 * the loop does not wait, or the eventfd ends the wait, whenever it is written. After any wait
 * (EINTR too) the loop takes back `woken` and then looks at each `asked`: who sets `asked` after
 * that look sets `woken` after that too. A late write costs a turn and calls nobody.
 */
#include "reactor/fast.h"

#include "base/fd.h"
#include "base/list.h"
#include "reactor/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "waker_wake is for handlers, too");

enum { UNWRITTEN = IO_URGENT }; /* as readiness: asked, but there is nothing to read */

static void on_asked(struct reactor *r, struct io_watcher *io, unsigned ready)
{
	struct waker *w = CONTAINER_OF(io, struct waker, io);
	uint64_t count; /* of an eventfd; or as many bytes of a pipe: a late write each */

	if (ready & IO_READ && read(io->fd, &count, sizeof count) < 0 && errno != EAGAIN)
		return; /* it is reported again */
	if (__atomic_exchange_n(&w->asked, false, __ATOMIC_SEQ_CST))
		w->call(r, w);
}

int64_t wakers_wait(struct reactor *r, int64_t wait)
{
	if (wait == 0)
		return 0;
	atomic_store(&r->waiting, true);
	return atomic_load(&r->woken) ? 0 : wait;
}

void wakers_activate(struct reactor *r)
{
	atomic_store_explicit(&r->waiting, false, memory_order_relaxed); /* late is no harm */
	if (!atomic_load(&r->woken))
		return;
	atomic_store(&r->woken, false);
	for (struct waker *w = r->wakers; w; w = w->next) {
		if (!__atomic_load_n(&w->asked, __ATOMIC_SEQ_CST))
			continue;
		io_activate(r, &w->io, UNWRITTEN);
		if (!w->io.pending) /* no memory: the next turn tries again */
			atomic_store(&r->woken, true);
	}
}

void waker_init(struct waker *w, waker_call *call)
{
	*w = (struct waker){.call = call};
	io_init(&w->io, -1, IO_READ, on_asked);
}

int waker_start(struct reactor *r, struct waker *w)
{
	int ends[2];

	if (w->io.started)
		return 0;
	ends[0] = ends[1] = linux_eventfd(); /* both ends in one descriptor */
	if (ends[0] < 0 && (errno != ENOSYS || pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0))
		return -1;
	if (io_open_internal(r, &w->io, ends[0]) < 0) {
		if (ends[1] != ends[0])
			fd_close(&ends[1]);
		return -1;
	}
	w->end = ends[1];
	__atomic_store_n(&w->asked, false, __ATOMIC_SEQ_CST);
	__atomic_store_n(&w->reactor, r, __ATOMIC_SEQ_CST);
	w->next = r->wakers;
	r->wakers = w;
	return 0;
}

void waker_stop(struct reactor *r, struct waker *w)
{
	struct waker **at = &r->wakers;

	if (!w->io.started)
		return;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	__atomic_store_n(&w->reactor, NULL, __ATOMIC_SEQ_CST);
	if (w->end != w->io.fd)
		fd_close(&w->end);
	io_close_internal(r, &w->io);
}

void wakers_close(struct reactor *r)
{
	while (r->wakers)
		waker_stop(r, r->wakers);
}

void waker_wake(struct waker *w)
{
	static const uint64_t one = 1;
	struct reactor *r = __atomic_load_n(&w->reactor, __ATOMIC_SEQ_CST);
	int saved = errno;

	if (!r || __atomic_exchange_n(&w->asked, true, __ATOMIC_SEQ_CST))
		return;
	atomic_store(&r->woken, true);
	if (atomic_load(&r->waiting))
		while (write(w->end, &one, sizeof one) < 0 && errno == EINTR)
			;
	errno = saved;
}
