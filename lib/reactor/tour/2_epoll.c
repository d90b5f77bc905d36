/*
 * 2. Many clients of which few are busy: epoll(7).
 *
 * The problem: poll hands over the whole list in each call, and the kernel walks it. With `problem`
 * this program first measures that: 1,000 descriptors, one of them ready.
 *
 * The way out: register a descriptor once; a wait returns those that are ready, and costs nothing
 * for the others. Each registration carries a pointer to what it is about, so nothing is searched
 * for either. (libevent, libev and libuv all use it on Linux.)
 *
 *	2_epoll PORT [problem]
 */
#include "server.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { MANY = 1000, WAITS = 1000, BATCH = 64 };

struct client {
	int fd;
};

static int set; /* epoll's */

static void watch(struct client *c)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	must(epoll_ctl(set, EPOLL_CTL_ADD, c->fd, &event), "epoll_ctl");
}

/* ---- the problem ----------------------------------------------------------------------------- */

static void measure(void)
{
	static struct pollfd fds[MANY];
	static struct client clients[MANY];
	struct epoll_event event;
	int64_t began, polled;

	for (int i = 0; i < MANY; i++) {
		clients[i].fd = must(eventfd(i == 0, 0), "eventfd");
		fds[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
		watch(&clients[i]);
	}
	began = now_ms();
	for (int i = 0; i < WAITS; i++)
		poll(fds, MANY, -1);
	polled = now_ms() - began;
	began = now_ms();
	for (int i = 0; i < WAITS; i++)
		epoll_wait(set, &event, 1, -1);
	printf("1,000 waits with 1 of 1,000 ready: poll %d ms, epoll %d ms\n", (int)polled,
	       (int)(now_ms() - began));
	for (int i = 0; i < MANY; i++)
		close(clients[i].fd); /* which takes it out of the set */
}

/* ---- the server ------------------------------------------------------------------------------ */

static void take_client(int listener)
{
	struct client *c;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0)
		return;
	c = malloc(sizeof *c);
	if (!c) {
		close(fd);
		return;
	}
	c->fd = fd;
	watch(c);
}

static void serve(struct client *c)
{
	if (echo(c->fd))
		return;
	close(c->fd);
	free(c);
}

int main(int argc, char **argv)
{
	struct client listener;
	struct epoll_event events[BATCH];

	set = must(epoll_create1(0), "epoll_create1");
	if (argc > 2)
		measure();
	listener.fd = listen_on(argc > 1 ? argv[1] : "7000");
	watch(&listener);
	for (;;) {
		int n = epoll_wait(set, events, BATCH, -1);

		for (int i = 0; i < n; i++)
			if (events[i].data.ptr == &listener)
				take_client(listener.fd);
			else
				serve(events[i].data.ptr);
	}
}
