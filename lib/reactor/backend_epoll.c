/*
 * epoll(7): the backend that serves by default.
 *
 * A registration carries the descriptor and its generation, so that readiness of a closed and
 * reused descriptor is recognised. Waits are by epoll_pwait2 (Linux 5.11) where it is there: in
 * milliseconds a timer would be late by half of one.
 */
#include "reactor/epoll.h"

#include "base/array.h"
#include "base/fd.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Regular files and some devices have nothing to wait for (epoll_ctl(2), EPERM). */
struct always_ready {
	struct name name;
	unsigned events;
};

struct epoll_state {
	int fd;
	bool milliseconds_only;
	struct always_ready *always;
	size_t n_always, capacity;
	struct epoll_event events[EPOLL_ROUND];
};

static int epoll_open(void *state, struct reactor_error *e)
{
	struct epoll_state *s = state;

	s->fd = epoll_create1(EPOLL_CLOEXEC);
	return s->fd < 0 ? reactor_fail_errno(e, "epoll") : 0;
}

static void epoll_close(void *state)
{
	struct epoll_state *s = state;

	fd_close(&s->fd);
	free(s->always);
}

static int always_add(struct epoll_state *s, struct name name, unsigned events)
{
	if (events && ARRAY_GROW(s->always, s->capacity, s->n_always + 1) < 0)
		return -1;
	if (events)
		s->always[s->n_always++] = (struct always_ready){name, events};
	return 0;
}

static void always_remove(struct epoll_state *s, int fd)
{
	for (size_t i = 0; i < s->n_always; i++)
		if (s->always[i].name.fd == (uint32_t)fd)
			s->always[i] = s->always[--s->n_always];
}

static int epoll_add(void *state, int fd, unsigned before, unsigned interest, uint32_t generation)
{
	struct epoll_state *s = state;
	struct name name = {(uint32_t)fd, generation};
	struct epoll_event event = epoll_event_of(name, interest);
	int first = before ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	int second = first == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	always_remove(s, fd);
	if (epoll_ctl(s->fd, first, fd, &event) == 0)
		return 0;
	if ((errno == EEXIST || errno == ENOENT) && epoll_ctl(s->fd, second, fd, &event) == 0)
		return 0;
	return errno == EPERM ? always_add(s, name, interest & (IO_READ | IO_WRITE)) : -1;
}

static void epoll_del(void *state, int fd)
{
	struct epoll_state *s = state;

	always_remove(s, fd);
	epoll_ctl(s->fd, EPOLL_CTL_DEL, fd, NULL);
}

static int wait_in_milliseconds(int fd, struct epoll_event *events, int64_t wait)
{
	int64_t ms = (wait + 999999) / 1000000; /* up: a timer is never early */

	return epoll_wait(fd, events, EPOLL_ROUND, ms > INT_MAX ? INT_MAX : (int)ms);
}

int epoll_wait_exactly(int fd, struct epoll_event *events, int64_t wait, bool *milliseconds_only)
{
	struct timespec ts = to_timespec(wait);
	long n;

	if (*milliseconds_only)
		return wait_in_milliseconds(fd, events, wait);
	n = syscall(SYS_epoll_pwait2, fd, events, EPOLL_ROUND, &ts, NULL, 0);
	if (n >= 0 || (errno != ENOSYS && errno != EPERM))
		return (int)n;
	*milliseconds_only = true; /* before Linux 5.11, or a seccomp filter that is older */
	return wait_in_milliseconds(fd, events, wait);
}

static int epoll_dispatch(void *state, struct reactor *r, int64_t wait)
{
	struct epoll_state *s = state;
	int n;

	if (s->n_always)
		wait = 0;
	n = epoll_wait_for(s->fd, s->events, wait, &s->milliseconds_only);
	if (n < 0)
		return errno == EINTR ? 0 : -1;
	for (int i = 0; i < n; i++) {
		struct name name = epoll_name_of(&s->events[i]);

		io_ready(r, (int)name.fd, name.generation, s->events[i].events);
	}
	for (size_t i = 0; i < s->n_always; i++) {
		struct name name = s->always[i].name;

		io_ready(r, (int)name.fd, name.generation, s->always[i].events);
	}
	return 0;
}

const struct backend backend_epoll = {
    .info = {"epoll", "everything; the default", "none but the limit on open files"},
    .size = sizeof(struct epoll_state),
    .init = epoll_open,
    .add = epoll_add,
    .del = epoll_del,
    .dispatch = epoll_dispatch,
    .dealloc = epoll_close,
    .need_reinit = true,
    .forgets_closed = true,
};
