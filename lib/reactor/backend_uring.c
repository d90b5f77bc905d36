/*
 * io_uring(7): changes and the wait go into one io_uring_enter.
 *
 * The loop wants levels. A multishot poll would tell edges, so every descriptor gets a one-shot
 * poll that is armed again, before the next wait, once it has fired. A poll holds on to its file:
 * one that is no longer wanted is removed, and completions of older polls are told by their number.
 */
#include "reactor/ready.h"

#include "base/array.h"
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
	int to_arm[ENTRIES]; /* when there are more: all that are marked so, from `first` on */
	size_t n_to_arm, first;
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
 * here the level tells that.
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
	slot->number++;
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

static void poll_disarm(struct uring_state *s, int fd)
{
	struct poll_slot *slot = &s->slots[fd];
	struct io_uring_sqe *sqe;

	if (!slot->armed)
		return;
	slot->armed = false;
	sqe = uring_sqe(&s->ring);
	if (!sqe)
		return; /* it fires once more at most, and is stale then */
	sqe->opcode = IORING_OP_POLL_REMOVE;
	sqe->fd = -1;
	sqe->addr = poll_name(fd, slot->number);
	sqe->user_data = NOT_A_POLL;
	uring_push(&s->ring);
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

static int polls_add(void *state, int fd, unsigned before, unsigned interest, uint32_t generation)
{
	struct uring_state *s = state;

	(void)before;
	if (ARRAY_GROW(s->slots, s->n_slots, (size_t)fd + 1) < 0)
		return -1;
	note_to_arm(s, fd);
	poll_disarm(s, fd);
	s->slots[fd].generation = generation;
	s->slots[fd].interest = (uint16_t)(interest | IO_HANGUP);
	return 0;
}

static void polls_del(void *state, int fd)
{
	struct uring_state *s = state;

	poll_disarm(s, fd);
	s->slots[fd].interest = 0;
}

/* ---- waiting --------------------------------------------------------------------------------- */

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
	note_to_arm(s, fd);
	io_ready(r, fd, slot->generation, (uint32_t)result);
}

static int polls_dispatch(void *state, struct reactor *r, int64_t wait)
{
	struct uring_state *s = state;
	struct io_uring_cqe answer;

	arm_noted(s);
	/* EBUSY, EAGAIN: the next wait will do better, once these answers are taken. */
	if (uring_enter(&s->ring, wait == 0 ? 0 : 1, wait) < 0 && errno != EINTR &&
	    errno != EBUSY && errno != EAGAIN)
		return -1;
	while (uring_take(&s->ring, &answer))
		if (answer.user_data != NOT_A_POLL)
			poll_ended(s, r, answer.user_data, answer.res);
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
