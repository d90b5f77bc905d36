/*
 * 5. What must not wait its turn: priorities.
 *
 * The problem: what is ready is served in the order in which the kernel reports it. A question
 * about the server's health then waits behind all that the other clients sent, and the more there
 * is to do, the longer. Here an echo takes a millisecond, as if it were work; the port after PORT
 * answers how many were served. With `problem` its question has no priority.
 *
 * The way out: nothing is called while events are collected. What is ready goes into a queue of its
 * priority, and the lowest number is served first. Between two callbacks the loop looks whether
 * something more urgent came, without waiting. (libevent has event_priority_set, libev
 * ev_set_priority; libuv has none.)
 *
 *	5_priorities PORT [problem]
 */
#include "server.h"

#include <sys/epoll.h>

enum { URGENT, NORMAL, PRIORITIES, BATCH = 64 };

struct client {
	int fd, priority;
	void (*ready)(struct client *c);
	struct client *next; /* in its queue */
	bool queued;
};

struct queue {
	struct client *first, **end;
};

static int set;
static long served;
static struct queue queues[PRIORITIES];

static struct client *watch(int fd, int priority, void (*ready)(struct client *c))
{
	struct client *c = fd < 0 ? NULL : calloc(1, sizeof *c);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	if (!c)
		return NULL;
	*c = (struct client){.fd = fd, .priority = priority, .ready = ready};
	must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
	return c;
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void put(struct client *c)
{
	struct queue *q = &queues[c->priority];

	if (c->queued)
		return;
	if (!q->first)
		q->end = &q->first;
	c->queued = true;
	c->next = NULL;
	*q->end = c;
	q->end = &c->next;
}

static struct client *take(void)
{
	for (int i = 0; i < PRIORITIES; i++) {
		struct client *c = queues[i].first;

		if (!c)
			continue;
		queues[i].first = c->next;
		c->queued = false;
		return c;
	}
	return NULL;
}

static void collect(int wait)
{
	struct epoll_event events[BATCH];
	int n = epoll_wait(set, events, BATCH, wait);

	for (int i = 0; i < n; i++)
		put(events[i].data.ptr);
}

/* ---- clients --------------------------------------------------------------------------------- */

static void drop(struct client *c)
{
	close(c->fd);
	free(c);
}

/* The last thing done with it: it may be freed. */
static void on_client(struct client *c)
{
	const struct timespec work = {.tv_nsec = 1000000};

	nanosleep(&work, NULL);
	served++;
	if (!echo(c->fd))
		drop(c);
}

static void on_question(struct client *c)
{
	char bytes[64];
	ssize_t n = read(c->fd, bytes, sizeof bytes);

	if (n > 0)
		n = write(c->fd, bytes,
			  (size_t)snprintf(bytes, sizeof bytes, "%ld served\n", served));
	if (n <= 0)
		drop(c);
}

static void on_connection(struct client *listener)
{
	watch(accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK), NORMAL, on_client);
}

static void on_control(struct client *listener)
{
	watch(accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK), listener->priority, on_question);
}

int main(int argc, char **argv)
{
	const char *port = argc > 1 ? argv[1] : "7000";
	char next[16];

	set = must(epoll_create1(0), "epoll_create1");
	snprintf(next, sizeof next, "%d", atoi(port) + 1);
	watch(listen_on(next), argc > 2 ? NORMAL : URGENT, on_control);
	watch(listen_on(port), NORMAL, on_connection);
	for (;;) {
		struct client *c = take();

		if (c)
			c->ready(c);
		/* With `problem` all that was collected goes first. */
		if (argc <= 2 || !queues[NORMAL].first)
			collect(queues[URGENT].first || queues[NORMAL].first ? 0 : -1);
	}
}
