/*
 * The least that a relay costs by completions of io_uring(7): what the loop's readiness could gain.
 *
 * usage: uring PORT TARGET
 *
 * Relays 127.0.0.1:PORT to 127.0.0.1:TARGET: one receive in flight for each direction, whose bytes
 * are sent before the next one. For small messages and short connections; every error ends the
 * pair.
 */
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES = 4096, BUFFER = 4096 };
enum op { ACCEPT, CONNECT, RECEIVE, SEND, SHUT, CLOSE }; /* in the low bits of what is asked */

struct way {
	struct pair *pair;
	int from, to;
	unsigned length, sent;
	bool shut;
	char buffer[BUFFER];
};

struct pair {
	struct way ways[2];
	int in_flight, fds[2];
	bool over;
};

static int ring;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static uint32_t *sq_head, *sq_tail, *sq_array, *cq_head, *cq_tail, sq_mask, cq_mask, to_submit;
static struct sockaddr_in target;

static void enter(unsigned wait)
{
	long n =
	    syscall(SYS_io_uring_enter, ring, to_submit, wait, IORING_ENTER_GETEVENTS, NULL, 0);

	if (n > 0)
		to_submit -= (uint32_t)n;
}

static struct io_uring_sqe *ask(enum op op, int opcode, int fd, void *whose)
{
	uint32_t tail = *sq_tail;
	struct io_uring_sqe *s;

	while (tail - __atomic_load_n(sq_head, __ATOMIC_ACQUIRE) > sq_mask)
		enter(0);
	s = &sqes[tail & sq_mask];
	memset(s, 0, sizeof *s);
	s->opcode = (uint8_t)opcode;
	s->fd = fd;
	s->user_data = (uintptr_t)whose | (uintptr_t)op;
	sq_array[tail & sq_mask] = tail & sq_mask;
	__atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);
	to_submit++;
	return s;
}

static void open_ring(void)
{
	struct io_uring_params p = {.flags =
					IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
	size_t size, with_array;
	char *rings;

	ring = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (ring < 0) {
		perror("io_uring");
		exit(1);
	}
	size = p.cq_off.cqes + p.cq_entries * sizeof *cqes;
	with_array = p.sq_off.array + p.sq_entries * sizeof *sq_array;
	size = size > with_array ? size : with_array;
	rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqes = mmap(NULL, p.sq_entries * sizeof *sqes, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		    IORING_OFF_SQES);
	if (rings == MAP_FAILED || (void *)sqes == MAP_FAILED)
		exit(1);
	sq_head = (uint32_t *)(void *)(rings + p.sq_off.head);
	sq_tail = (uint32_t *)(void *)(rings + p.sq_off.tail);
	sq_array = (uint32_t *)(void *)(rings + p.sq_off.array);
	cq_head = (uint32_t *)(void *)(rings + p.cq_off.head);
	cq_tail = (uint32_t *)(void *)(rings + p.cq_off.tail);
	cqes = (struct io_uring_cqe *)(void *)(rings + p.cq_off.cqes);
	sq_mask = p.sq_entries - 1;
	cq_mask = p.cq_entries - 1;
}

static void receive(struct way *w)
{
	struct io_uring_sqe *s = ask(RECEIVE, IORING_OP_RECV, w->from, w);

	s->addr = (uintptr_t)w->buffer;
	s->len = BUFFER;
	w->pair->in_flight++;
}

static void pass_on(struct way *w)
{
	struct io_uring_sqe *s = ask(SEND, IORING_OP_SEND, w->to, w);

	s->addr = (uintptr_t)(w->buffer + w->sent);
	s->len = w->length - w->sent;
	s->msg_flags = MSG_NOSIGNAL;
	w->pair->in_flight++;
}

static void finish(struct pair *p)
{
	p->over = true;
	if (p->in_flight)
		return;
	ask(CLOSE, IORING_OP_CLOSE, p->fds[0], NULL);
	ask(CLOSE, IORING_OP_CLOSE, p->fds[1], NULL);
	free(p);
}

static void on_way(struct way *w, enum op op, int result)
{
	struct pair *p = w->pair;

	p->in_flight--;
	if (p->over || result < 0) {
		if (!p->over) {
			shutdown(p->fds[0], SHUT_RDWR);
			shutdown(p->fds[1], SHUT_RDWR);
		}
		finish(p);
	} else if (op == CONNECT) {
		receive(&p->ways[0]);
		receive(&p->ways[1]);
	} else if (op == RECEIVE && result > 0) {
		w->length = (unsigned)result;
		w->sent = 0;
		pass_on(w);
	} else if (op == RECEIVE) {
		w->shut = true;
		if (p->ways[0].shut && p->ways[1].shut)
			finish(p);
		else
			shutdown(w->to, SHUT_WR);
	} else if ((w->sent += (unsigned)result) < w->length) {
		pass_on(w);
	} else {
		receive(w);
	}
}

static void on_accept(int fd)
{
	struct pair *p = calloc(1, sizeof *p);
	int to = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	struct io_uring_sqe *s;

	if (!p || to < 0)
		exit(1);
	setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	p->fds[0] = p->ways[0].from = p->ways[1].to = fd;
	p->fds[1] = p->ways[1].from = p->ways[0].to = to;
	p->ways[0].pair = p->ways[1].pair = p;
	p->in_flight = 1;
	s = ask(CONNECT, IORING_OP_CONNECT, to, &p->ways[0]);
	s->addr = (uintptr_t)&target;
	s->off = sizeof target;
}

static struct sockaddr_in loopback(const char *port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)atoi(port)),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = loopback(argc == 3 ? argv[1] : "0");
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (argc != 3)
		return 2;
	target = loopback(argv[2]);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0 ||
	    listen(listener, 4096) < 0) {
		perror("uring");
		return 1;
	}
	open_ring();
	ask(ACCEPT, IORING_OP_ACCEPT, listener, NULL)->ioprio = IORING_ACCEPT_MULTISHOT;
	for (;;) {
		uint32_t head = *cq_head;

		enter(1);
		for (; head != __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE); head++) {
			struct io_uring_cqe c = cqes[head & cq_mask];
			enum op op = (enum op)(c.user_data & 7);

			__atomic_store_n(cq_head, head + 1, __ATOMIC_RELEASE);
			if (op == ACCEPT && c.res >= 0)
				on_accept(c.res);
			else if (op != ACCEPT && op != CLOSE)
				on_way((struct way *)(uintptr_t)(c.user_data & ~UINT64_C(7)), op,
				       c.res);
		}
	}
}
