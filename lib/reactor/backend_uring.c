/*
 * io_uring(7): an epoll set that is changed in batches. Changes are noted, and go to the kernel by
 * one io_uring_enter for a thousand of them (IORING_OP_EPOLL_CTL); the wait is epoll's.
 *
 * Polls of the ring itself (IORING_OP_POLL_ADD) are armed in less time, but the loop wants levels:
 * a poll that fired is armed again for each event, and an always-ready descriptor costs 2.4 to 3
 * times epoll's. They also hold on to files that are closed, and report neither changes (IO_EDGE)
 * nor priority data as epoll does.
 *
 * The ring says of each change what epoll_ctl would have said. What it did not do is done again by
 * epoll_ctl, which knows what to do then; so nothing is lost either when the ring takes no more.
 */
#include "reactor/epoll.h"

#include "base/array.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* So many a batch; so few are sooner done one by one. */
enum { BATCH = 1024, FEW = 4 };

/* ---- the rings, by raw system calls ---------------------------------------------------------- */

struct uring {
	int fd;
	void *rings;
	size_t rings_size, sqes_size;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail;
	uint32_t sq_mask, cq_mask;
};

static void uring_close(struct uring *u)
{
	if (u->sqes)
		munmap(u->sqes, u->sqes_size);
	if (u->rings)
		munmap(u->rings, u->rings_size);
	fd_close(&u->fd);
}

static void *ring_map(int fd, size_t size, off_t what)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	return p == MAP_FAILED ? NULL : p;
}

static uint32_t *ring_field(const struct uring *u, uint32_t offset)
{
	return (uint32_t *)(void *)((char *)u->rings + offset);
}

static int rings_map(struct uring *u, const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);

	u->rings_size = sq > cq ? sq : cq;
	u->sqes_size = p->sq_entries * sizeof(struct io_uring_sqe);
	u->rings = ring_map(u->fd, u->rings_size, IORING_OFF_SQ_RING);
	u->sqes = ring_map(u->fd, u->sqes_size, (off_t)IORING_OFF_SQES);
	if (!u->rings || !u->sqes)
		return -1;
	u->sq_head = ring_field(u, p->sq_off.head);
	u->sq_tail = ring_field(u, p->sq_off.tail);
	u->cq_head = ring_field(u, p->cq_off.head);
	u->cq_tail = ring_field(u, p->cq_off.tail);
	u->cqes = (struct io_uring_cqe *)(void *)((char *)u->rings + p->cq_off.cqes);
	u->sq_mask = *ring_field(u, p->sq_off.ring_mask);
	u->cq_mask = *ring_field(u, p->cq_off.ring_mask);
	for (uint32_t i = 0; i < p->sq_entries; i++) /* the ring of entries, in their order */
		ring_field(u, p->sq_off.array)[i] = i;
	return 0;
}

/* Opens rings for BATCH questions and twice as many answers. -1 with `e` filled; uring_close is due
 * then too. */
static int uring_open(struct uring *u, struct reactor_error *e)
{
	struct io_uring_params p = {0};

	u->fd = (int)syscall(SYS_io_uring_setup, BATCH, &p);
	if (u->fd < 0 && errno == EPERM)
		return reactor_fail(e, "the kernel forbids it: see kernel.io_uring_disabled",
				    "io_uring: %s", strerror(errno));
	if (u->fd < 0)
		return reactor_fail_errno(e, "io_uring");
	fd_set_cloexec(u->fd);
	if (!(p.features & IORING_FEAT_SINGLE_MMAP))
		return reactor_fail(e, "", "io_uring: this kernel is older than Linux 5.4");
	if (rings_map(u, &p) < 0)
		return reactor_fail_errno(e, "io_uring");
	return 0;
}

/* The next question, zeroed, to be filled in: BATCH at most until uring_enter. */
static struct io_uring_sqe *uring_push(struct uring *u)
{
	struct io_uring_sqe *sqe = &u->sqes[*u->sq_tail & u->sq_mask];

	*sqe = (struct io_uring_sqe){0};
	__atomic_store_n(u->sq_tail, *u->sq_tail + 1, __ATOMIC_RELEASE);
	return sqe;
}

/* Hands over what was pushed, and waits for the answers. -1 with errno: not all of them are there;
 * what the kernel did not take is forgotten, and an answer may come late. */
static int uring_enter(struct uring *u)
{
	uint32_t n = *u->sq_tail - __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE);
	long taken = syscall(SYS_io_uring_enter, u->fd, n, n, IORING_ENTER_GETEVENTS, NULL, 0);

	/* The kernel reads the ring in this call alone. */
	*u->sq_tail = __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE);
	return taken == n ? 0 : -1;
}

/* Takes the next answer, if there is one. */
static bool uring_take(struct uring *u, struct io_uring_cqe *answer)
{
	uint32_t head = *u->cq_head;

	if (head == __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE))
		return false;
	*answer = u->cqes[head & u->cq_mask];
	__atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
	return true;
}

/* ---- changes --------------------------------------------------------------------------------- */

struct change {
	struct epoll_event event;
	int op;    /* EPOLL_CTL_... */
	bool done; /* by the ring */
};

struct batching_set {
	struct epoll_set set;
	struct uring ring;
	struct change *changes;
	size_t n_changes, capacity;
	uint32_t batch; /* number of the last one: answers of others come too late */
};

static int batching_open(void *state, struct reactor_error *e)
{
	struct batching_set *s = state;

	s->ring.fd = -1;
	return epoll_open(&s->set, e) < 0 ? -1 : uring_open(&s->ring, e);
}

static void batching_close(void *state)
{
	struct batching_set *s = state;

	epoll_close(&s->set);
	uring_close(&s->ring);
	free(s->changes);
}

static int note(struct batching_set *s, struct change change)
{
	if (ARRAY_GROW(s->changes, s->capacity, s->n_changes + 1) < 0)
		return -1;
	s->changes[s->n_changes++] = change;
	return 0;
}

static int batching_add(void *state, int fd, unsigned before, unsigned interest,
			uint32_t generation)
{
	struct name name = {(uint32_t)fd, generation};

	epoll_forget_always(state, fd);
	return note(state, (struct change){.event = epoll_event_of(name, interest),
					   .op = before ? EPOLL_CTL_MOD : EPOLL_CTL_ADD});
}

static void batching_del(void *state, int fd)
{
	struct name name = {.fd = (uint32_t)fd};

	epoll_forget_always(state, fd);
	if (note(state, (struct change){.event = epoll_event_of(name, 0), .op = EPOLL_CTL_DEL}) < 0)
		epoll_del(state, fd);
}

/* ---- applying -------------------------------------------------------------------------------- */

static void push(struct batching_set *s, size_t at)
{
	struct io_uring_sqe *sqe = uring_push(&s->ring);
	struct change *change = &s->changes[at];

	sqe->opcode = IORING_OP_EPOLL_CTL;
	sqe->fd = s->set.fd;
	sqe->off = epoll_name_of(&change->event).fd;
	sqe->len = (uint32_t)change->op;
	sqe->addr = (uint64_t)(uintptr_t)&change->event;
	sqe->user_data = (uint64_t)s->batch << 32 | (uint32_t)at;
}

static void take_answers(struct batching_set *s)
{
	struct io_uring_cqe answer;

	while (uring_take(&s->ring, &answer))
		if (answer.user_data >> 32 == s->batch)
			s->changes[(uint32_t)answer.user_data].done = answer.res == 0;
}

/* -1: the ring takes nothing now. */
static int apply_by_ring(struct batching_set *s, size_t from)
{
	size_t left = s->n_changes - from, n = left < BATCH ? left : BATCH;
	int result;

	s->batch++;
	for (size_t i = 0; i < n; i++)
		push(s, from + i);
	result = uring_enter(&s->ring);
	take_answers(s);
	return result;
}

static void apply_one(struct batching_set *s, struct reactor *r, struct change change)
{
	struct name name = epoll_name_of(&change.event);

	if (change.done)
		return;
	if (change.op == EPOLL_CTL_DEL)
		epoll_del(&s->set, (int)name.fd);
	else if (epoll_set_event(&s->set, change.event, change.op == EPOLL_CTL_MOD) < 0)
		io_not_added(r, (int)name.fd, name.generation);
}

static void apply(struct batching_set *s, struct reactor *r)
{
	size_t n = s->n_changes;

	for (size_t at = 0; n > FEW && at < n && apply_by_ring(s, at) == 0;)
		at += BATCH;
	s->n_changes = 0;
	for (size_t at = 0; at < n; at++)
		apply_one(s, r, s->changes[at]);
}

static int batching_dispatch(void *state, struct reactor *r, int64_t wait)
{
	struct batching_set *s = state;

	if (s->n_changes) {
		apply(s, r);
		wait = wait_at_most(r, wait);
	}
	return epoll_dispatch(&s->set, r, wait);
}

const struct backend backend_io_uring = {
    .info = {"io_uring", "arming and disarming many descriptors in few system calls",
	     "needs Linux 5.6 or later, and may be forbidden (kernel.io_uring_disabled, "
	     "containers)"},
    .size = sizeof(struct batching_set),
    .init = batching_open,
    .add = batching_add,
    .del = batching_del,
    .dispatch = batching_dispatch,
    .dealloc = batching_close,
    .need_reinit = true,
    .forgets_closed = true,
};
