/*
 * Wake-ups from other threads: an eventfd that the loop watches.
 *
 * `asked` spares the system call while a wake-up is under way. The loop takes it back after the
 * read and before the callback. Whoever finds it set comes before that in the one order of all
 * exchanges, so the callback is still to come, and sees what was written before waker_wake. Taken
 * back before the read, it could be set again with nothing left to read, and silence all others.
 */
#include "reactor/loop.h"

#include "base/list.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void on_eventfd(struct reactor *r, struct io_watcher *io, unsigned ready)
{
	struct waker *w = CONTAINER_OF(io, struct waker, io);
	uint64_t count;

	(void)ready;
	if (read(io->fd, &count, sizeof count) != (ssize_t)sizeof count)
		return;
	atomic_exchange(&w->asked, false);
	w->call(r, w);
}

void waker_init(struct waker *w, waker_call *call)
{
	*w = (struct waker){.call = call};
	io_init(&w->io, -1, IO_READ, on_eventfd);
}

int waker_start(struct reactor *r, struct waker *w)
{
	atomic_store(&w->asked, false);
	return io_open_internal(r, &w->io, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

void waker_stop(struct reactor *r, struct waker *w)
{
	io_close_internal(r, &w->io);
}

void waker_wake(struct waker *w)
{
	static const uint64_t one = 1;
	int saved;

	if (atomic_exchange(&w->asked, true))
		return;
	saved = errno;
	while (write(w->io.fd, &one, sizeof one) < 0 && errno == EINTR)
		;
	errno = saved;
}
