/*
 * poll(2): works everywhere, and costs time in proportion to the descriptors.
 *
 * The array that the kernel reads is kept dense: each descriptor knows its place in it, and the
 * last one fills the gap of one that goes.
 */
#include "reactor/backend_poll.h"

#include "reactor/ready.h"

#include "base/array.h"

#include <errno.h>
#include <stdlib.h>

void poll_close(void *state)
{
	struct poll_state *s = state;

	free(s->fds);
	free(s->generations);
	free(s->places);
}

int poll_add(void *state, int fd, unsigned before, unsigned interest, uint32_t generation)
{
	struct poll_state *s = state;
	size_t place;

	(void)before;
	if (ARRAY_GROW(s->places, s->n_places, (size_t)fd + 1) < 0)
		return -1;
	if (!s->places[fd]) {
		if (ARRAY_GROW(s->fds, s->capacity, s->count + 1) < 0 ||
		    ARRAY_GROW(s->generations, s->generations_capacity, s->count + 1) < 0)
			return -1;
		s->places[fd] = ++s->count;
	}
	place = s->places[fd] - 1;
	s->fds[place] = (struct pollfd){.fd = fd, .events = (short)to_kernel(interest)};
	s->generations[place] = generation;
	return 0;
}

void poll_del(void *state, int fd)
{
	struct poll_state *s = state;
	size_t place = s->places[fd] - 1, last = --s->count;

	s->fds[place] = s->fds[last];
	s->generations[place] = s->generations[last];
	s->places[s->fds[place].fd] = place + 1;
	s->places[fd] = 0;
}

int poll_tell(struct poll_state *s, struct reactor *r, int64_t wait)
{
	struct timespec ts = to_timespec(wait);
	int n = ppoll(s->fds, s->count, wait < 0 ? NULL : &ts, NULL), left = n;

	for (size_t i = 0; i < s->count && left > 0; i++) {
		struct pollfd *p = &s->fds[i];

		if (!p->revents)
			continue;
		left--;
		if (p->revents & POLLNVAL)
			io_refused(r, p->fd);
		else
			io_ready(r, p->fd, s->generations[i], (unsigned)p->revents);
	}
	return n;
}

static int poll_dispatch(void *state, struct reactor *r, int64_t wait)
{
	return poll_tell(state, r, wait) < 0 && errno != EINTR ? -1 : 0;
}

const struct backend backend_poll = {
    .name = "poll",
    .size = sizeof(struct poll_state),
    .add = poll_add,
    .del = poll_del,
    .dispatch = poll_dispatch,
    .close = poll_close,
};
