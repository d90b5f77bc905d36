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
	bool listed; /* among those to arm */
};

struct uring_state {
	int fd;
	void *rings;
	size_t rings_size, sqes_size;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	uint32_t *sq_head, *sq_tail, *sq_array, *cq_head, *cq_tail, *sq_flags;
	uint32_t sq_mask, cq_mask, sq_entries;
	uint32_t unsubmitted;
	struct uring_slot *slots; /* by descriptor */
	size_t n_slots;
	int *to_arm;
	size_t n_to_arm, to_arm_capacity;
};

/* ---- the rings ------------------------------------------------------------------------------- */

static void uring_dealloc(void *state)
{
	struct uring_state *s = state;

	if (s->sqes)
		munmap(s->sqes, s->sqes_size);
	if (s->rings)
		munmap(s->rings, s->rings_size);
	fd_close(&s->fd);
	free(s->slots);
	free(s->to_arm);
	free(s);
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
	s->sq_flags = ring_field(s, p->sq_off.flags);
	s->sq_array = ring_field(s, p->sq_off.array);
	s->cq_head = ring_field(s, p->cq_off.head);
	s->cq_tail = ring_field(s, p->cq_off.tail);
	s->cqes = (struct io_uring_cqe *)(void *)((char *)s->rings + p->cq_off.cqes);
	s->sq_mask = *ring_field(s, p->sq_off.ring_mask);
	s->cq_mask = *ring_field(s, p->cq_off.ring_mask);
	s->sq_entries = p->sq_entries;
	return 0;
}

static int uring_open(struct uring_state *s, struct error *e)
{
	struct io_uring_params p = {.flags = IORING_SETUP_CLAMP};
	const uint32_t needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;

	s->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
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

static void *uring_init(struct error *e)
{
	struct uring_state *s = calloc(1, sizeof *s);

	if (!s) {
		error_errno(e, "io_uring");
		return NULL;
	}
	if (uring_open(s, e) < 0) {
		uring_dealloc(s);
		return NULL;
	}
	return s;
}

/* ---- submitting ------------------------------------------------------------------------------ */

static long uring_enter(struct uring_state *s, uint32_t wait_for, const struct timespec *timeout)
{
	/* The kernel's own shape of a timespec (two 64-bit fields). */
	int64_t ts[2] = {0, 0};
	struct io_uring_getevents_arg arg = {.sigmask_sz = _NSIG / 8};
	unsigned flags = IORING_ENTER_EXT_ARG | IORING_ENTER_GETEVENTS;
	long n;

	if (timeout) {
		ts[0] = timeout->tv_sec;
		ts[1] = timeout->tv_nsec;
		arg.ts = (uint64_t)(uintptr_t)ts;
	}
	n = syscall(SYS_io_uring_enter, s->fd, s->unsubmitted, wait_for, flags, &arg, sizeof arg);
	if (n > 0)
		s->unsubmitted -= (uint32_t)n;
	return n;
}

/* The kernel reads what it takes at submission: an interrupted one is counted by the ring's head.
 */
static void uring_count_submitted(struct uring_state *s)
{
	uint32_t head = __atomic_load_n(s->sq_head, __ATOMIC_ACQUIRE);

	s->unsubmitted = *s->sq_tail - head;
}

static struct io_uring_sqe *uring_sqe(struct uring_state *s)
{
	uint32_t tail = *s->sq_tail;
	struct io_uring_sqe *sqe;

	if (tail - __atomic_load_n(s->sq_head, __ATOMIC_ACQUIRE) >= s->sq_entries) {
		uring_enter(s, 0, NULL);
		uring_count_submitted(s);
		if (tail - __atomic_load_n(s->sq_head, __ATOMIC_ACQUIRE) >= s->sq_entries)
			return NULL;
	}
	sqe = &s->sqes[tail & s->sq_mask];
	memset(sqe, 0, sizeof *sqe);
	s->sq_array[tail & s->sq_mask] = tail & s->sq_mask;
	return sqe;
}

static void uring_push(struct uring_state *s)
{
	__atomic_store_n(s->sq_tail, *s->sq_tail + 1, __ATOMIC_RELEASE);
	s->unsubmitted++;
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

static int list_to_arm(struct uring_state *s, int fd)
{
	if (s->slots[fd].listed)
		return 0;
	if (ARRAY_GROW(s->to_arm, s->to_arm_capacity, s->n_to_arm + 1) < 0)
		return -1;
	s->to_arm[s->n_to_arm++] = fd;
	s->slots[fd].listed = true;
	return 0;
}

static enum backend_answer uring_add(void *state, int fd, unsigned before, unsigned interest,
				     uint32_t generation, bool unsure)
{
	struct uring_state *s = state;

	(void)before;
	(void)unsure;
	if (ARRAY_GROW(s->slots, s->n_slots, (size_t)fd + 1) < 0 || list_to_arm(s, fd) < 0)
		return BACKEND_FAILED;
	uring_disarm(s, fd);
	s->slots[fd].generation = generation;
	s->slots[fd].interest = (uint16_t)(interest | IO_HANGUP);
	return BACKEND_OK;
}

static int uring_del(void *state, int fd)
{
	struct uring_state *s = state;

	uring_disarm(s, fd);
	s->slots[fd].interest = 0;
	return 0;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void uring_arm_listed(struct uring_state *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_to_arm; i++) {
		int fd = s->to_arm[i];
		struct uring_slot *slot = &s->slots[fd];

		slot->listed = false;
		if (!slot->interest || slot->armed || uring_arm(s, fd) == 0)
			continue;
		slot->listed = true; /* the ring is full: with the next turn */
		s->to_arm[kept++] = fd;
	}
	s->n_to_arm = kept;
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
	if (result == -ECANCELED || list_to_arm(s, fd) < 0)
		result = -ENOMEM; /* the watchers must hear of it */
	if (result < 0)
		io_refused(r, fd);
	else
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
	struct timespec ts = to_timespec(wait);
	long n;

	uring_arm_listed(s);
	n = uring_enter(s, wait == 0 ? 0 : 1, wait > 0 ? &ts : NULL);
	if (n < 0) {
		int why = errno;

		uring_count_submitted(s);
		/* EBUSY, EAGAIN: completions wait to be read first (io_uring_enter(2)). */
		if (why != EINTR && why != ETIME && why != EBUSY && why != EAGAIN) {
			errno = why;
			return -1;
		}
	}
	uring_reap(s, r);
	return 0;
}

const struct backend backend_uring = {
    .name = "io_uring",
    .init = uring_init,
    .add = uring_add,
    .del = uring_del,
    .dispatch = uring_dispatch,
    .dealloc = uring_dealloc,
    .need_reinit = true,
};
