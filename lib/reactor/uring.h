/*
 * io_uring(7) by raw system calls: the two rings that are shared with the kernel, and the one call
 * that hands over questions and waits for their answers. What they mean, the caller knows.
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
	uint32_t sq_mask, cq_mask;
};

/*
 * Opens rings for `entries` questions at once, a power of two, and twice as many answers; `u` comes
 * zeroed. Returns 0, or -1 with `e` filled, and uring_close is due then too. Needs Linux 5.4.
 */
int uring_open(struct uring *u, uint32_t entries, struct reactor_error *e);
void uring_close(struct uring *u);

/* The next question, zeroed, to be filled in: `entries` at most until uring_enter. */
struct io_uring_sqe *uring_push(struct uring *u);

/*
 * Hands over what was pushed, and waits for the answers. Returns 0, or -1 with errno: not all of
 * them are there; what the kernel did not take is forgotten, and an answer may come late.
 */
int uring_enter(struct uring *u);

/* Takes the next answer, if there is one. */
bool uring_take(struct uring *u, struct io_uring_cqe *answer);

#endif
