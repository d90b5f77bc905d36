/* epoll(7): the backend that serves by default. */
#include "reactor/epoll.h"

#include "base/array.h"
#include "base/fd.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct epoll_event epoll_event_of(int fd, uint32_t generation, unsigned interest)
{
	return (struct epoll_event){
	    .events = to_kernel(interest) | (interest & IO_EDGE ? EPOLLET : 0u),
	    .data.u64 = (uint64_t)generation << 32 | (uint32_t)fd,
	};
}

int epoll_open(void *state, struct reactor_error *e)
{
	struct epoll_set *s = state;

	s->fd = epoll_create1(EPOLL_CLOEXEC);
	return s->fd < 0 ? reactor_fail_errno(e, "epoll") : 0;
}

void epoll_close(void *state)
{
	struct epoll_set *s = state;

	fd_close(&s->fd);
	free(s->always);
}

/* Regular files and some devices have nothing to wait for (epoll_ctl(2), EPERM). */
static int always_add(struct epoll_set *s, struct epoll_event event)
{
	event.events &= EPOLLIN | EPOLLOUT;
	if (!event.events)
		return 0;
	if (ARRAY_GROW(s->always, s->capacity, s->n_always + 1) < 0)
		return -1;
	s->always[s->n_always++] = event;
	return 0;
}

void epoll_forget_always(struct epoll_set *s, int fd)
{
	for (size_t i = 0; i < s->n_always; i++)
		if (event_fd(&s->always[i]) == fd)
			s->always[i] = s->always[--s->n_always];
}

int epoll_set_event(struct epoll_set *s, struct epoll_event event, bool in_set)
{
	int fd = event_fd(&event);
	int first = in_set ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	int second = in_set ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (epoll_ctl(s->fd, first, fd, &event) == 0)
		return 0;
	if ((errno == EEXIST || errno == ENOENT) && epoll_ctl(s->fd, second, fd, &event) == 0)
		return 0;
	return errno == EPERM ? always_add(s, event) : -1;
}

static int epoll_add(void *state, int fd, unsigned before, unsigned interest, uint32_t generation)
{
	epoll_forget_always(state, fd);
	return epoll_set_event(state, epoll_event_of(fd, generation, interest), before != 0);
}

void epoll_del(void *state, int fd)
{
	struct epoll_set *s = state;

	epoll_forget_always(s, fd);
	epoll_ctl(s->fd, EPOLL_CTL_DEL, fd, NULL);
}

/* In milliseconds a timer is late by half of one. Apart: other turns save no registers for it. */
static __attribute__((noinline)) int wait_exactly(struct epoll_set *s, int64_t wait)
{
	struct timespec ts = to_timespec(wait);
	int64_t ms = (wait + 999999) / 1000000; /* up: a timer is never early */
	long n = -1;

	if (!s->milliseconds_only) {
		n = syscall(SYS_epoll_pwait2, s->fd, s->events, EPOLL_ROUND, &ts, NULL, 0);
		/* Before Linux 5.11, or by a seccomp filter that is older. */
		s->milliseconds_only = n < 0 && (errno == ENOSYS || errno == EPERM);
	}
	if (s->milliseconds_only)
		n = epoll_wait(s->fd, s->events, EPOLL_ROUND, ms > INT_MAX ? INT_MAX : (int)ms);
	return (int)n;
}

/* Reports `n` events, or -1 with errno. */
static inline int report(struct reactor *r, const struct epoll_event *events, int n)
{
	if (n < 0)
		return errno == EINTR ? 0 : -1;
	for (int i = 0; i < n; i++)
		io_ready(r, event_fd(&events[i]), event_generation(&events[i]), events[i].events);
	return 0;
}

/* Apart: a turn without such files is 5 instructions shorter. */
static __attribute__((noinline)) int dispatch_always(struct epoll_set *s, struct reactor *r)
{
	int result = report(r, s->events, epoll_wait(s->fd, s->events, EPOLL_ROUND, 0));

	return result < 0 ? result : report(r, s->always, (int)s->n_always);
}

/* A wait that is ready at once or for ever: the older call does as well, and costs less. */
int epoll_dispatch(void *state, struct reactor *r, int64_t wait)
{
	struct epoll_set *s = state;

	if (s->n_always)
		return dispatch_always(s, r);
	if (wait > 0)
		return report(r, s->events, wait_exactly(s, wait));
	return report(r, s->events, epoll_wait(s->fd, s->events, EPOLL_ROUND, (int)wait));
}

const struct backend backend_epoll = {
    .info = {"epoll", "everything; the default", "none but the limit on open files"},
    .size = sizeof(struct epoll_set),
    .init = epoll_open,
    .add = epoll_add,
    .del = epoll_del,
    .dispatch = epoll_dispatch,
    .dealloc = epoll_close,
    .need_reinit = true,
    .forgets_closed = true,
};
