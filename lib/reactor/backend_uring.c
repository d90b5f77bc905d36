/*
 * io_uring(7): an epoll set that is changed in batches, a thousand by one io_uring_enter
 * (IORING_OP_EPOLL_CTL); the wait is epoll's. What the ring did not do, or did not take, is done
 * again by epoll_ctl.
 *
 * Polls of the ring itself (IORING_OP_POLL_ADD) are armed in less time, but the loop wants levels:
 * a poll that fired is armed again for each event, and an always-ready descriptor costs 2.4 to 3
 * times epoll's. They also hold on to files that are closed, and report neither changes (IO_EDGE)
 * nor priority data as epoll does.
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

/* So many a batch, which is a power of 2; so few are sooner done one by one. */
enum { BATCH = 1024, ANSWERS = 2 * BATCH, FEW = 4 };

struct change {
	struct epoll_event event;
	int op; /* EPOLL_CTL_..., or 0: the ring has done it */
};

struct batching_set {
	struct epoll_set set;
	struct change *changes;
	size_t n_changes, capacity;
	uint32_t batch; /* number of the last one: answers of others come too late */
	int ring;       /* by raw system calls */
	char *rings;    /* of questions and of answers, mapped */
	size_t rings_size, sqes_size;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail;
};

static void *ring_map(const struct batching_set *s, size_t size, off_t what)
{
	void *p =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->ring, what);

	return p == MAP_FAILED ? NULL : p;
}

static int rings_map(struct batching_set *s, const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + BATCH * sizeof(uint32_t);
	size_t cq = p->cq_off.cqes + ANSWERS * sizeof(struct io_uring_cqe);
	uint32_t *order;

	s->rings_size = sq > cq ? sq : cq;
	s->sqes_size = BATCH * sizeof(struct io_uring_sqe);
	s->rings = ring_map(s, s->rings_size, IORING_OFF_SQ_RING);
	s->sqes = ring_map(s, s->sqes_size, (off_t)IORING_OFF_SQES);
	if (!s->rings || !s->sqes)
		return -1;
	s->sq_head = (void *)(s->rings + p->sq_off.head);
	s->sq_tail = (void *)(s->rings + p->sq_off.tail);
	s->cq_head = (void *)(s->rings + p->cq_off.head);
	s->cq_tail = (void *)(s->rings + p->cq_off.tail);
	s->cqes = (void *)(s->rings + p->cq_off.cqes);
	order = (void *)(s->rings + p->sq_off.array);
	for (uint32_t i = 0; i < BATCH; i++)
		order[i] = i;
	return 0;
}

static int batching_open(void *state, struct reactor_error *e)
{
	struct batching_set *s = state;
	struct io_uring_params p = {0};

	s->ring = -1;
	if (epoll_open(&s->set, e) < 0)
		return -1;
	s->ring = (int)syscall(SYS_io_uring_setup, BATCH, &p);
	if (s->ring < 0 && errno == EPERM)
		return reactor_fail(e, "the kernel forbids it: see kernel.io_uring_disabled",
				    "io_uring", strerror(errno));
	if (s->ring < 0)
		return reactor_fail_errno(e, "io_uring");
	fd_set_cloexec(s->ring);
	if (!(p.features & IORING_FEAT_SINGLE_MMAP))
		return reactor_fail(e, "", "io_uring", "this kernel is older than Linux 5.4");
	return rings_map(s, &p) < 0 ? reactor_fail_errno(e, "io_uring") : 0;
}

static void batching_close(void *state)
{
	struct batching_set *s = state;

	epoll_close(&s->set);
	if (s->sqes)
		munmap(s->sqes, s->sqes_size);
	if (s->rings)
		munmap(s->rings, s->rings_size);
	fd_close(&s->ring);
	free(s->changes);
}

static struct io_uring_sqe question(const struct batching_set *s, size_t at)
{
	const struct change *change = &s->changes[at];

	return (struct io_uring_sqe){
	    .opcode = IORING_OP_EPOLL_CTL,
	    .fd = s->set.fd,
	    .off = (uint32_t)event_fd(&change->event),
	    .len = (uint32_t)change->op,
	    .addr = (uint64_t)(uintptr_t)&change->event,
	    .user_data = (uint64_t)s->batch << 32 | at,
	};
}

static void take_answers(struct batching_set *s)
{
	uint32_t head = *s->cq_head, tail = __atomic_load_n(s->cq_tail, __ATOMIC_ACQUIRE);

	for (; head != tail; head++) {
		const struct io_uring_cqe *answer = &s->cqes[head % ANSWERS];

		if (answer->user_data >> 32 == s->batch && answer->res == 0)
			s->changes[(uint32_t)answer->user_data].op = 0;
	}
	__atomic_store_n(s->cq_head, head, __ATOMIC_RELEASE);
}

/* One batch, from there on. -1: the ring takes no more now, and an answer may come late. */
static int apply_by_ring(struct batching_set *s, size_t from)
{
	size_t left = s->n_changes - from;
	uint32_t n = left < BATCH ? (uint32_t)left : BATCH, tail = *s->sq_tail;
	long taken;

	s->batch++;
	for (uint32_t i = 0; i < n; i++)
		s->sqes[(tail + i) % BATCH] = question(s, from + i);
	__atomic_store_n(s->sq_tail, tail + n, __ATOMIC_RELEASE);
	taken = syscall(SYS_io_uring_enter, s->ring, n, n, IORING_ENTER_GETEVENTS, NULL, 0);
	/* The kernel reads the ring in this call alone: what it did not take is forgotten. */
	*s->sq_tail = __atomic_load_n(s->sq_head, __ATOMIC_ACQUIRE);
	take_answers(s);
	return taken == n ? 0 : -1;
}

static int note(struct batching_set *s, struct epoll_event event, int op)
{
	epoll_forget_always(&s->set, event_fd(&event));
	if (ARRAY_GROW(s->changes, s->capacity, s->n_changes + 1) < 0)
		return -1;
	s->changes[s->n_changes++] = (struct change){.event = event, .op = op};
	return 0;
}

static int batching_add(void *state, int fd, unsigned before, unsigned interest,
			uint32_t generation)
{
	return note(state, epoll_event_of(fd, generation, interest),
		    before ? EPOLL_CTL_MOD : EPOLL_CTL_ADD);
}

static void batching_del(void *state, int fd)
{
	if (note(state, epoll_event_of(fd, 0, 0), EPOLL_CTL_DEL) < 0)
		epoll_del(state, fd);
}

static void apply_one(struct batching_set *s, struct reactor *r, struct change change)
{
	int fd = event_fd(&change.event);

	if (change.op == EPOLL_CTL_DEL)
		epoll_del(&s->set, fd);
	else if (change.op &&
		 epoll_set_event(&s->set, change.event, change.op == EPOLL_CTL_MOD) < 0)
		io_not_added(r, fd, event_generation(&change.event));
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
