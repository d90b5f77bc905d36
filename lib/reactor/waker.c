/* Wake-ups from other threads: an eventfd that the loop watches. */
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
	if (read(io->fd, &count, sizeof count) == (ssize_t)sizeof count)
		w->call(r, w);
}

void waker_init(struct waker *w, waker_call *call)
{
	*w = (struct waker){.call = call};
	io_init(&w->io, -1, IO_READ, on_eventfd);
}

int waker_start(struct reactor *r, struct waker *w)
{
	return io_open_internal(r, &w->io, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

void waker_stop(struct reactor *r, struct waker *w)
{
	io_close_internal(r, &w->io);
}

void waker_wake(const struct waker *w)
{
	static const uint64_t one = 1;
	int saved = errno;

	/* EAGAIN: the counter is full, so the loop is awake already. */
	while (write(w->io.fd, &one, sizeof one) < 0 && errno == EINTR)
		;
	errno = saved;
}
