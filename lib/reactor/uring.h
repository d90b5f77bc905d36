/*
 * io_uring(7) by raw system calls: the two rings that are shared with the kernel, and the one call
 * that hands over what is asked and waits for what is answered. What that is, is the caller's.
 */
#ifndef EVWATCH_REACTOR_URING_H
#define EVWATCH_REACTOR_URING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reactor_error;

struct uring {
	int fd;
	void *rings;
	size_t rings_size, sqes_size;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail;
	uint32_t sq_mask, cq_mask, sq_entries;
};

/*
 * Opens rings for `entries` questions at once, a power of two, and twice as many answers; `u` comes
 * zeroed. Returns 0, or -1 with `e` filled, and uring_close is due then too. Needs Linux 5.11.
 */
int uring_open(struct uring *u, uint32_t entries, struct reactor_error *e);
void uring_close(struct uring *u);

/*
 * The next question, zeroed: fill it in, then uring_push. NULL: the ring is full, and the kernel
 * takes nothing.
 */
struct io_uring_sqe *uring_sqe(struct uring *u);
void uring_push(struct uring *u);

/*
 * Hands over what was pushed, and waits for `answers` of them (0: not at all), at most `wait` ns
 * (not positive: for ever). Returns 0 also when the time is over; or -1 with errno: EINTR, and
 * EBUSY, EAGAIN where answers are to be taken first (io_uring_enter(2)).
 */
int uring_enter(struct uring *u, uint32_t answers, int64_t wait);

/* Takes the next answer, if there is one. */
bool uring_take(struct uring *u, struct io_uring_cqe *answer);

#endif
