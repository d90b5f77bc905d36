/* A set of descriptors that epoll(7) watches: for backend_epoll.c and backend_uring.c. */
#ifndef EVWATCH_REACTOR_EPOLL_H
#define EVWATCH_REACTOR_EPOLL_H

#include "reactor/fast.h"

enum { EPOLL_ROUND = 256 }; /* events a wait: more are reported in the next turn, fairly */

struct epoll_set {
	int fd;
	bool milliseconds_only;
	struct epoll_event *always; /* what files that are always ready report */
	size_t n_always, capacity;
	struct epoll_event events[EPOLL_ROUND];
};

/* A registration carries the descriptor and its generation. */
struct epoll_event epoll_event_of(int fd, uint32_t generation, unsigned interest);

static inline int event_fd(const struct epoll_event *event)
{
	return (int)(uint32_t)event->data.u64;
}

static inline uint32_t event_generation(const struct epoll_event *event)
{
	return (uint32_t)(event->data.u64 >> 32);
}

/* The functions of struct backend; their state begins with a struct epoll_set. */
int epoll_open(void *state, struct reactor_error *e);
void epoll_del(void *state, int fd);
int epoll_dispatch(void *state, struct reactor *r, int64_t wait);
void epoll_close(void *state);

/* Sets what `event` says, whether it is in the set already (`in_set` is a guess) or not. */
int epoll_set_event(struct epoll_set *s, struct epoll_event event, bool in_set);
/* Files that are always ready are in the array alone: removes one of them. */
void epoll_forget_always(struct epoll_set *s, int fd);

#endif
