/*
 * N eventfds that are always readable, and callbacks that only count: the loop's own cost.
 *
 * usage: dispatch floor|ready|restart N TURNS [BACKEND]
 * `floor` is epoll_wait and a call by hand; `restart` stops and starts the watcher in its callback.
 * The caller runs it twice with different TURNS and takes the difference, so set-up drops out.
 */
#include "base/error.h"
#include "reactor/reactor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct counter {
	struct io_watcher io;
	void (*call)(struct counter *c);
	int fd;
};

static unsigned long calls;

static void count(struct counter *c)
{
	(void)c;
	calls++;
}

static void on_ready(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)r, (void)w, (void)ready;
	calls++;
}

static void on_ready_restart(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)ready;
	io_stop(r, w);
	if (io_start(r, w) < 0)
		abort();
	calls++;
}

static int floor_run(struct counter *all, int n, long turns)
{
	struct epoll_event events[256];
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};

		all[i].call = count;
		if (epoll_ctl(fd, EPOLL_CTL_ADD, all[i].fd, &e) < 0)
			return -1;
	}
	while (turns-- > 0) {
		int ready = epoll_wait(fd, events, 256, -1);

		for (int i = 0; i < ready; i++) {
			struct counter *c = events[i].data.ptr;

			c->call(c);
		}
	}
	return close(fd);
}

static int reactor_bench(struct counter *all, int n, long turns, io_call *call, const char *backend)
{
	struct error e;
	struct reactor *r = reactor_new(&(struct reactor_config){.backend = backend}, &e);

	if (!r)
		return -1;
	for (int i = 0; i < n; i++) {
		io_init(&all[i].io, all[i].fd, IO_READ, call);
		if (io_start(r, &all[i].io) < 0)
			return -1;
	}
	while (turns-- > 0)
		if (reactor_turn(r, -1) < 0)
			return -1;
	for (int i = 0; i < n; i++)
		io_stop(r, &all[i].io);
	reactor_free(r);
	return 0;
}

int main(int argc, char **argv)
{
	int n = argc > 3 ? atoi(argv[2]) : 0, result;
	long turns = argc > 3 ? atol(argv[3]) : 0;
	struct counter *all = n > 0 ? calloc((size_t)n, sizeof *all) : NULL;

	if (!all)
		return 2;
	for (int i = 0; i < n; i++)
		if ((all[i].fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
			return 1;
	if (strcmp(argv[1], "floor") == 0)
		result = floor_run(all, n, turns);
	else
		result = reactor_bench(all, n, turns,
				       strcmp(argv[1], "restart") ? on_ready : on_ready_restart,
				       argc > 4 ? argv[4] : "epoll");
	free(all);
	/* At most 256 ready a turn: with the n used here each turn must call every one. */
	return result < 0 || calls != (unsigned long)n * (unsigned long)turns;
}
