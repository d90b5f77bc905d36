/*
 * The work of dispatch.c on libevent, libev and libuv: N eventfds that are always readable, and
 * callbacks that only count, or stop and start their watcher as well.
 *
 * usage: peers libevent|libev|libuv ready|restart N TURNS
 */
#include <ev.h>
#include <event2/event.h>
#include <uv.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static unsigned long calls;
static int restart;

static int ready_fd(void)
{
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		exit(1);
	return fd;
}

/* ---- libevent -------------------------------------------------------------------------------- */

static void on_libevent(evutil_socket_t fd, short what, void *event)
{
	(void)fd, (void)what;
	calls++;
	if (restart) {
		event_del(event);
		event_add(event, NULL);
	}
}

static void run_libevent(int n, long turns)
{
	struct event_base *base = event_base_new();

	for (int i = 0; i < n; i++)
		event_add(event_new(base, ready_fd(), EV_READ | EV_PERSIST, on_libevent,
				    event_self_cbarg()),
			  NULL);
	while (turns-- > 0)
		event_base_loop(base, EVLOOP_ONCE);
}

/* ---- libev ----------------------------------------------------------------------------------- */

static void on_libev(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)revents;
	calls++;
	if (restart) {
		ev_io_stop(loop, w);
		ev_io_start(loop, w);
	}
}

static void run_libev(int n, long turns)
{
	struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
	ev_io *all = calloc((size_t)n, sizeof *all);

	for (int i = 0; all && i < n; i++) {
		ev_io_init(&all[i], on_libev, ready_fd(), EV_READ);
		ev_io_start(loop, &all[i]);
	}
	while (turns-- > 0)
		ev_run(loop, EVRUN_ONCE);
}

/* ---- libuv ----------------------------------------------------------------------------------- */

static void on_libuv(uv_poll_t *w, int status, int events)
{
	(void)status, (void)events;
	calls++;
	if (restart) {
		uv_poll_stop(w);
		uv_poll_start(w, UV_READABLE, on_libuv);
	}
}

static void run_libuv(int n, long turns)
{
	static uv_loop_t loop;
	uv_poll_t *all = calloc((size_t)n, sizeof *all);

	uv_loop_init(&loop);
	for (int i = 0; all && i < n; i++) {
		uv_poll_init(&loop, &all[i], ready_fd());
		uv_poll_start(&all[i], UV_READABLE, on_libuv);
	}
	while (turns-- > 0)
		uv_run(&loop, UV_RUN_ONCE);
}

int main(int argc, char **argv)
{
	int n = argc == 5 ? atoi(argv[3]) : 0;
	long turns = argc == 5 ? atol(argv[4]) : 0;

	if (n <= 0)
		return 2;
	restart = strcmp(argv[2], "restart") == 0;
	if (strcmp(argv[1], "libevent") == 0)
		run_libevent(n, turns);
	else if (strcmp(argv[1], "libev") == 0)
		run_libev(n, turns);
	else
		run_libuv(n, turns);
	/* The first turns of some are smaller: they take 32 events at once, and then more. */
	return calls < (unsigned long)n * (unsigned long)(turns > 9 ? turns - 9 : 1) / 2;
}
