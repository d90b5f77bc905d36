/*
 * io_uring(7) by raw system calls: changes and the wait go into one io_uring_enter.
 *
 * The loop wants levels. A multishot poll would tell edges, so every descriptor gets a one-shot
 * poll that is armed again, before the next wait, once it has fired. A poll holds on to its file:
 * one that is no longer wanted is removed, and completions of older polls are told by their number.
 */
#include "reactor/ready.h"

#include "base/array.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES = 1024 };

#define NOT_A_POLL UINT64_MAX /* user_data of removals: nobody waits for their result */

/* What is asked of the kernel for a descriptor. */
struct uring_slot {
	uint32_t generation; /* the loop's */
	uint32_t number;     /* of the poll in flight: older completions are stale */
	uint16_t interest;   /* 0: none */
	bool armed;
	bool to_arm;
};

struct uring_state {
	int fd;
	void *rings;
	size_t rings_size, sqes_size;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail;
	uint32_t sq_mask, cq_mask, sq_entries;
	struct uring_slot *slots; /* by descriptor */
	size_t n_slots;
	int to_arm[ENTRIES]; /* when there are more: all that are marked so */
	size_t n_to_arm;
};

/* ---- the rings ------------------------------------------------------------------------------- */

static void uring_close(void *state)
{
	struct uring_state *s = state;

	if (s->sqes)
		munmap(s->sqes, s->sqes_size);
	if (s->rings)
		munmap(s->rings, s->rings_size);
	fd_close(&s->fd);
	free(s->slots);
}

static void *ring_map(int fd, size_t size, off_t what)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	return p == MAP_FAILED ? NULL : p;
}

static uint32_t *ring_field(const struct uring_state *s, uint32_t offset)
{
	return (uint32_t *)(void *)((char *)s->rings + offset);
}

static int uring_map(struct uring_state *s, const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);

	s->rings_size = sq > cq ? sq : cq;
	s->sqes_size = p->sq_entries * sizeof(struct io_uring_sqe);
	s->rings = ring_map(s->fd, s->rings_size, IORING_OFF_SQ_RING);
	s->sqes = ring_map(s->fd, s->sqes_size, (off_t)IORING_OFF_SQES);
	if (!s->rings || !s->sqes)
		return -1;
	s->sq_head = ring_field(s, p->sq_off.head);
	s->sq_tail = ring_field(s, p->sq_off.tail);
	s->cq_head = ring_field(s, p->cq_off.head);
	s->cq_tail = ring_field(s, p->cq_off.tail);
	s->cqes = (struct io_uring_cqe *)(void *)((char *)s->rings + p->cq_off.cqes);
	s->sq_mask = *ring_field(s, p->sq_off.ring_mask);
	s->cq_mask = *ring_field(s, p->cq_off.ring_mask);
	s->sq_entries = p->sq_entries;
	for (uint32_t i = 0; i < p->sq_entries; i++) /* the ring of entries, in their order */
		ring_field(s, p->sq_off.array)[i] = i;
	return 0;
}

/*
 * Completions are worked off in our own wait, by the thread that made the ring (Linux 6.1), or at
 * least without interrupting it (5.19): a wake-up that comes while we run would stop us for each.
 */
static int ring_open(struct io_uring_params *p)
{
	static const uint32_t ways[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
					IORING_SETUP_COOP_TASKRUN, 0};
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < sizeof ways / sizeof *ways; i++) {
		*p = (struct io_uring_params){.flags = IORING_SETUP_CLAMP | ways[i]};
		fd = (int)syscall(SYS_io_uring_setup, ENTRIES, p);
		if (fd < 0 && errno != EINVAL)
			break;
	}
	return fd;
}

static int uring_open(void *state, struct error *e)
{
	struct uring_state *s = state;
	struct io_uring_params p;
	const uint32_t needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;

	s->fd = ring_open(&p);
	if (s->fd < 0) {
		error_errno(e, "io_uring");
		if (errno == EPERM)
			error_hint(e, "the kernel forbids it: see kernel.io_uring_disabled");
		return -1;
	}
	fd_set_cloexec(s->fd);
	if ((p.features & needed) != needed)
		return error_set(e, "io_uring: this kernel is older than Linux 5.11");
	if (uring_map(s, &p) < 0)
		return error_errno(e, "io_uring");
	return 0;
}

/* ---- submitting ------------------------------------------------------------------------------ */

/* What the kernel has not taken yet: it moves the head. */
static uint32_t uring_unsubmitted(const struct uring_state *s)
{
	return *s->sq_tail - __atomic_load_n(s->sq_head, __ATOMIC_ACQUIRE);
}

static long uring_enter(struct uring_state *s, uint32_t wait_for, int64_t wait)
{
	/* The kernel's own shape of a timespec (two 64-bit fields). */
	int64_t ts[2] = {wait / 1000000000, wait % 1000000000};
	struct io_uring_getevents_arg arg = {
	    .sigmask_sz = _NSIG / 8,
	    .ts = wait > 0 ? (uint64_t)(uintptr_t)ts : 0,
	};

	return syscall(SYS_io_uring_enter, s->fd, uring_unsubmitted(s), wait_for,
		       IORING_ENTER_EXT_ARG | IORING_ENTER_GETEVENTS, &arg, sizeof arg);
}

/* The next entry, for uring_push; NULL: the ring is full, and the kernel takes nothing. */
static struct io_uring_sqe *uring_sqe(struct uring_state *s)
{
	struct io_uring_sqe *sqe = &s->sqes[*s->sq_tail & s->sq_mask];

	if (uring_unsubmitted(s) >= s->sq_entries)
		uring_enter(s, 0, 0);
	if (uring_unsubmitted(s) >= s->sq_entries)
		return NULL;
	memset(sqe, 0, sizeof *sqe);
	return sqe;
}

static void uring_push(struct uring_state *s)
{
	__atomic_store_n(s->sq_tail, *s->sq_tail + 1, __ATOMIC_RELEASE);
}

static uint64_t poll_name(int fd, uint32_t number)
{
	return (uint64_t)number << 32 | (uint32_t)fd;
}

static int uring_arm(struct uring_state *s, int fd)
{
	struct uring_slot *slot = &s->slots[fd];
	struct io_uring_sqe *sqe = uring_sqe(s);

	if (!sqe)
		return -1;
	slot->number++;
	slot->armed = true;
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = fd;
	sqe->poll32_events = to_kernel(slot->interest);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	sqe->poll32_events = sqe->poll32_events << 16 | sqe->poll32_events >> 16;
#endif
	sqe->user_data = poll_name(fd, slot->number);
	uring_push(s);
	return 0;
}

static void uring_disarm(struct uring_state *s, int fd)
{
	struct uring_slot *slot = &s->slots[fd];
	struct io_uring_sqe *sqe;

	if (!slot->armed)
		return;
	slot->armed = false;
	sqe = uring_sqe(s);
	if (!sqe)
		return; /* it fires once more at most, and is stale then */
	sqe->opcode = IORING_OP_POLL_REMOVE;
	sqe->fd = -1;
	sqe->addr = poll_name(fd, slot->number);
	sqe->user_data = NOT_A_POLL;
	uring_push(s);
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

static int uring_add(void *state, int fd, unsigned before, unsigned interest, uint32_t generation)
{
	struct uring_state *s = state;

	(void)before;
	if (ARRAY_GROW(s->slots, s->n_slots, (size_t)fd + 1) < 0)
		return -1;
	note_to_arm(s, fd);
	uring_disarm(s, fd);
	s->slots[fd].generation = generation;
	s->slots[fd].interest = (uint16_t)(interest | IO_HANGUP);
	return 0;
}

static void uring_del(void *state, int fd)
{
	struct uring_state *s = state;

	uring_disarm(s, fd);
	s->slots[fd].interest = 0;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void uring_arm_noted(struct uring_state *s)
{
	bool all = s->n_to_arm > ENTRIES;
	size_t n = all ? s->n_slots : s->n_to_arm;

	s->n_to_arm = 0;
	for (size_t i = 0; i < n; i++) {
		int fd = all ? (int)i : s->to_arm[i];
		struct uring_slot *slot = &s->slots[fd];
		bool wanted = slot->to_arm && slot->interest && !slot->armed;

		slot->to_arm = false;
		if (wanted && uring_arm(s, fd) < 0)
			note_to_arm(s, fd); /* the ring is full: with the next turn */
	}
}

static void uring_complete(struct uring_state *s, struct reactor *r, uint64_t name, int32_t result)
{
	int fd = (int)(uint32_t)name;
	struct uring_slot *slot = &s->slots[fd];

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

static void uring_reap(struct uring_state *s, struct reactor *r)
{
	uint32_t head = *s->cq_head;
	uint32_t tail = __atomic_load_n(s->cq_tail, __ATOMIC_ACQUIRE);

	for (; head != tail; head++) {
		const struct io_uring_cqe *cqe = &s->cqes[head & s->cq_mask];

		if (cqe->user_data != NOT_A_POLL)
			uring_complete(s, r, cqe->user_data, cqe->res);
	}
	__atomic_store_n(s->cq_head, head, __ATOMIC_RELEASE);
}

static int uring_dispatch(void *state, struct reactor *r, int64_t wait)
{
	struct uring_state *s = state;

	uring_arm_noted(s);
	/* EBUSY, EAGAIN: completions wait to be read first (io_uring_enter(2)). */
	if (uring_enter(s, wait == 0 ? 0 : 1, wait) < 0 && errno != EINTR && errno != ETIME &&
	    errno != EBUSY && errno != EAGAIN)
		return -1;
	uring_reap(s, r);
	return 0;
}

const struct backend backend_uring = {
    .name = "io_uring",
    .size = sizeof(struct uring_state),
    .open = uring_open,
    .add = uring_add,
    .del = uring_del,
    .dispatch = uring_dispatch,
    .close = uring_close,
    .need_reinit = true,
};
