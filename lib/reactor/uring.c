/* See uring.h. */
#include "reactor/uring.h"

#include "base/fd.h"
#include "reactor/loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void uring_close(struct uring *u)
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

int uring_open(struct uring *u, uint32_t entries, struct reactor_error *e)
{
	struct io_uring_params p = {0};

	u->fd = (int)syscall(SYS_io_uring_setup, entries, &p);
	if (u->fd < 0) {
		bool forbidden = errno == EPERM;

		reactor_fail_errno(e, "io_uring");
		if (e && forbidden)
			snprintf(e->hint, sizeof e->hint, "%s",
				 "the kernel forbids it: see kernel.io_uring_disabled");
		return -1;
	}
	fd_set_cloexec(u->fd);
	if (!(p.features & IORING_FEAT_SINGLE_MMAP))
		return reactor_fail(e, "io_uring: this kernel is older than Linux 5.4", "");
	if (rings_map(u, &p) < 0)
		return reactor_fail_errno(e, "io_uring");
	return 0;
}

struct io_uring_sqe *uring_push(struct uring *u)
{
	struct io_uring_sqe *sqe = &u->sqes[*u->sq_tail & u->sq_mask];

	*sqe = (struct io_uring_sqe){0};
	__atomic_store_n(u->sq_tail, *u->sq_tail + 1, __ATOMIC_RELEASE);
	return sqe;
}

int uring_enter(struct uring *u)
{
	uint32_t n = *u->sq_tail - __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE);
	long taken = syscall(SYS_io_uring_enter, u->fd, n, n, IORING_ENTER_GETEVENTS, NULL, 0);

	/* The kernel reads the ring in this call alone. */
	*u->sq_tail = __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE);
	return taken == n ? 0 : -1;
}

bool uring_take(struct uring *u, struct io_uring_cqe *answer)
{
	uint32_t head = *u->cq_head;

	if (head == __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE))
		return false;
	*answer = u->cqes[head & u->cq_mask];
	__atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
	return true;
}
