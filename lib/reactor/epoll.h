/*
 * What the two backends that use epoll(7) share: events that carry a descriptor and the generation
 * of its registration, and a wait in nanoseconds.
 */
#ifndef EVWATCH_REACTOR_EPOLL_H
#define EVWATCH_REACTOR_EPOLL_H

#include "reactor/fast.h"

#include <string.h>

enum { EPOLL_ROUND = 256 }; /* events a wait: more are reported in the next turn, fairly */

/* What a registration carries. */
struct name {
	uint32_t fd, generation;
};

_Static_assert(sizeof(struct name) == sizeof(epoll_data_t), "it is what epoll_data has room for");

static inline struct epoll_event epoll_event_of(struct name name, unsigned interest)
{
	struct epoll_event event = {
	    .events = to_kernel(interest) | (interest & IO_EDGE ? EPOLLET : 0u),
	};

	memcpy(&event.data, &name, sizeof name);
	return event;
}

static inline struct name epoll_name_of(const struct epoll_event *event)
{
	struct name name;

	memcpy(&name, &event->data, sizeof name);
	return name;
}

/* Waits `wait` ns, by epoll_pwait2(2), or in milliseconds where there is none. */
int epoll_wait_exactly(int fd, struct epoll_event *events, int64_t wait, bool *milliseconds_only);

/* Takes EPOLL_ROUND events; -1 waits for ever. Ready at once or for ever: the older call does as
 * well, and costs less. */
static inline int epoll_wait_for(int fd, struct epoll_event *events, int64_t wait,
				 bool *milliseconds_only)
{
	return wait > 0 ? epoll_wait_exactly(fd, events, wait, milliseconds_only)
			: epoll_wait(fd, events, EPOLL_ROUND, (int)wait);
}

#endif
