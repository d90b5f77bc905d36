/*
 * io_uring(7): changes and the wait go into one io_uring_enter.
 *
 * The loop wants levels. A multishot poll would report edges, so every descriptor gets a one-shot
 * poll that is armed again, before the next wait, once it has fired. A poll holds on to its file:
 * one that is no longer wanted is removed, and completions of older polls are known by their
 * number.
 *
 * (An epoll set beside the ring for what is always ready would be quicker, but nothing wakes it for
 * the ring: with deferred work the ring's descriptor does not, and its eventfd is signalled once at
 * most where the wake-up itself comes from an eventfd (seen on Linux 6.18).)
 *
 * The kernel finds a poll to remove in one of a few lists, the youngest first. In the order in
 * which they were armed 19,000 removals would look at 150 polls each; they are removed youngest
 * first.
 */
#include "reactor/epoll.h"

#include "base/array.h"
#include "base/fd.h"
#include "reactor/linux.h"
#include "reactor/uring.h"

#include <errno.h>
#include <stdlib.h>

enum { ENTRIES = 1024 };

#define NOT_A_POLL UINT64_MAX /* user_data of removals: nobody waits for their result */

/* What is asked of the kernel for a descriptor. */
struct poll_slot {
	uint32_t generation; /* the loop's */
	uint32_t number;     /* of the poll in flight: older completions are stale */
	uint16_t interest;   /* 0: none */
	bool armed;
	bool to_arm;
};

struct uring_state {
	struct uring ring;
	struct poll_slot *slots; /* by descriptor */
	size_t n_slots;
	uint32_t last_number;
	int to_arm[ENTRIES]; /* when there are more: all that are marked so, from `first` on */
	size_t n_to_arm, first;
	uint64_t *removals; /* names of polls */
	size_t n_removals, removals_capacity;
};

static int polls_open(void *state, struct reactor_error *e)
{
	struct uring_state *s = state;

	return uring_open(&s->ring, ENTRIES, e);
}

static void polls_close(void *state)
{
	struct uring_state *s = state;

	uring_close(&s->ring);
	free(s->removals);
	free(s->slots);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static uint64_t poll_name(int fd, uint32_t number)
{
	return (uint64_t)number << 32 | (uint32_t)fd;
}

/*
 * A poll passes on what the wake-up said, and for any data of a socket that is EPOLLPRI as well
 * (sock_def_readable). Who asks for changes asks for it to learn what a short read left behind;
 * here the level says that.
 */
static uint32_t asked_for(unsigned interest)
{
	return to_kernel(interest & IO_EDGE ? interest & ~(unsigned)IO_URGENT : interest);
}

static int poll_arm(struct uring_state *s, int fd)
{
	struct poll_slot *slot = &s->slots[fd];
	struct io_uring_sqe *sqe = uring_sqe(&s->ring);

	if (!sqe)
		return -1;
	slot->number = ++s->last_number;
	slot->armed = true;
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = fd;
	sqe->poll32_events = asked_for(slot->interest);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	sqe->poll32_events = sqe->poll32_events << 16 | sqe->poll32_events >> 16;
#endif
	sqe->user_data = poll_name(fd, slot->number);
	uring_push(&s->ring);
	return 0;
}

static void poll_remove(struct uring_state *s, uint64_t name)
{
	struct io_uring_sqe *sqe = uring_sqe(&s->ring);

	if (!sqe)
		return; /* it fires once more at most, and is stale then */
	sqe->opcode = IORING_OP_POLL_REMOVE;
	sqe->fd = -1;
	sqe->addr = name;
	sqe->user_data = NOT_A_POLL;
	uring_push(&s->ring);
}

static void poll_disarm(struct uring_state *s, int fd)
{
	struct poll_slot *slot = &s->slots[fd];
	uint64_t name = poll_name(fd, slot->number);

	if (!slot->armed)
		return;
	slot->armed = false;
	if (ARRAY_GROW(s->removals, s->removals_capacity, s->n_removals + 1) < 0)
		poll_remove(s, name);
	else
		s->removals[s->n_removals++] = name;
}

static int youngest_first(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x < y) - (x > y);
}

static void remove_noted(struct uring_state *s)
{
	if (s->n_removals > 1)
		qsort(s->removals, s->n_removals, sizeof *s->removals, youngest_first);
	for (size_t i = 0; i < s->n_removals; i++)
		poll_remove(s, s->removals[i]);
	s->n_removals = 0;
}

static void note_to_arm(struct uring_state *s, int fd)
{
	if (s->slots[fd].to_arm)
		return;
	s->slots[fd].to_arm = true;
	if (s->n_to_arm < ENTRIES)
		s->to_arm[s->n_to_arm] = fd;
	s->n_to_arm++;
}

/* Where the ring is full the next turn goes on: the first must not starve the others. */
static void arm_noted(struct uring_state *s)
{
	bool all = s->n_to_arm > ENTRIES;
	size_t n = all ? s->n_slots : s->n_to_arm;

	s->n_to_arm = 0;
	for (size_t i = 0; i < n; i++) {
		int fd = all ? (int)((s->first + i) % n) : s->to_arm[i];
		struct poll_slot *slot = &s->slots[fd];

		if (slot->to_arm && slot->interest && poll_arm(s, fd) < 0) {
			s->first = (size_t)fd;
			s->n_to_arm = ENTRIES + 1;
			return;
		}
		slot->to_arm = false;
	}
}

/* ---- changes --------------------------------------------------------------------------------- */

static int polls_add(void *state, int fd, unsigned before, unsigned interest, uint32_t generation)
{
	struct uring_state *s = state;
	struct poll_slot *slot;

	(void)before;
	if (ARRAY_GROW(s->slots, s->n_slots, (size_t)fd + 1) < 0)
		return -1;
	slot = &s->slots[fd];
	slot->generation = generation;
	slot->interest = (uint16_t)(interest | IO_HANGUP);
	note_to_arm(s, fd);
	poll_disarm(s, fd);
	return 0;
}

static void polls_del(void *state, int fd)
{
	struct uring_state *s = state;

	poll_disarm(s, fd);
	s->slots[fd].interest = 0;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void poll_ended(struct uring_state *s, struct reactor *r, uint64_t name, int32_t result)
{
	int fd = (int)(uint32_t)name;
	struct poll_slot *slot = &s->slots[fd];

	if (!slot->armed || slot->number != (uint32_t)(name >> 32))
		return;
	slot->armed = false;
	if (result == -EINVAL)
		return; /* a regular file has none of what was asked for, and no way to wait */
	if (result < 0) {
		io_refused(r, fd); /* the watchers must hear of it */
		return;
	}
	/* The kernel adds a half-close unasked (EPOLLRDHUP), a level: nobody waits for it here. */
	if (!((uint32_t)result & (asked_for(slot->interest) | EPOLLERR | EPOLLHUP)))
		return;
	note_to_arm(s, fd);
	io_ready(r, fd, slot->generation, (uint32_t)result);
}

static void take_answers(struct uring_state *s, struct reactor *r)
{
	struct io_uring_cqe answer;

	while (uring_take(&s->ring, &answer))
		if (answer.user_data != NOT_A_POLL)
			poll_ended(s, r, answer.user_data, answer.res);
}

/* EBUSY, EAGAIN: the next wait will do better, once these answers are taken. */
static int enter(struct uring_state *s, unsigned answers, int64_t wait)
{
	if (uring_enter(&s->ring, answers, wait) < 0 && errno != EINTR && errno != EBUSY &&
	    errno != EAGAIN)
		return -1;
	return 0;
}

static int polls_dispatch(void *state, struct reactor *r, int64_t wait)
{
	struct uring_state *s = state;

	remove_noted(s);
	arm_noted(s);
	if (enter(s, wait != 0, wait) < 0)
		return -1;
	take_answers(s, r);
	return 0;
}

const struct backend backend_io_uring = {
    .info = {"io_uring", "arming and disarming many descriptors in few system calls",
	     "needs Linux 5.11 or later, and may be forbidden (kernel.io_uring_disabled, "
	     "containers)"},
    .size = sizeof(struct uring_state),
    .init = polls_open,
    .add = polls_add,
    .del = polls_del,
    .dispatch = polls_dispatch,
    .dealloc = polls_close,
    .need_reinit = true,
};
