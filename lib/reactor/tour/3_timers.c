/*
 * 3. Clients that say nothing: timers in a heap.
 *
 * The problem: a client that connects and keeps quiet keeps its place for ever. With `problem` that
 * is what happens here; without, it is closed after a second.
 *
 * The way out: each client has a deadline. The next one to come is the longest that epoll may wait,
 * and is found at the top of a heap. Every byte puts a deadline off, so that is where the time
 * would go: here it costs one store, for the heap is not touched. The key in it is too early then;
 * when it comes up, it is sifted to where it belongs. (libevent moves it each time, libev has
 * ev_timer_again, libuv uv_timer_again.)
 *
 *	3_timers PORT [problem]
 */
#include "server.h"

#include <sys/epoll.h>

enum { PATIENCE_MS = 1000, BATCH = 64, MOST = 1024 };

struct client {
	int fd;
	int64_t deadline;
	int place; /* in the heap */
};

struct entry {
	int64_t key; /* never later than the deadline */
	struct client *client;
};

static int set, n_heap;
static struct entry heap[MOST];

/* ---- the heap: a parent's key is never greater than its children's --------------------------- */

static void put(int at, struct entry e)
{
	heap[at] = e;
	e.client->place = at;
}

static void sift_up(int at, struct entry e)
{
	for (; at > 0 && heap[(at - 1) / 2].key > e.key; at = (at - 1) / 2)
		put(at, heap[(at - 1) / 2]);
	put(at, e);
}

static void sift_down(int at, struct entry e)
{
	for (int child; (child = 2 * at + 1) < n_heap; at = child) {
		if (child + 1 < n_heap && heap[child + 1].key < heap[child].key)
			child++;
		if (heap[child].key >= e.key)
			break;
		put(at, heap[child]);
	}
	put(at, e);
}

static void take_out(int at)
{
	struct entry last = heap[--n_heap];

	if (at == n_heap)
		return;
	sift_up(at, last);
	sift_down(last.client->place, last);
}

/* ---- clients --------------------------------------------------------------------------------- */

static void drop(struct client *c)
{
	take_out(c->place);
	close(c->fd);
	free(c);
}

static void take_client(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	struct client *c = fd < 0 || n_heap == MOST ? NULL : malloc(sizeof *c);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	if (!c) {
		close(fd);
		return;
	}
	*c = (struct client){fd, now_ms() + PATIENCE_MS, 0};
	must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
	sift_up(n_heap++, (struct entry){c->deadline, c});
}

static void serve(struct client *c)
{
	if (echo(c->fd))
		c->deadline = now_ms() + PATIENCE_MS; /* and the heap is left alone */
	else
		drop(c);
}

/* Returns how long epoll may wait. */
static int expire(void)
{
	while (n_heap > 0 && heap[0].key <= now_ms()) {
		struct client *c = heap[0].client;

		if (c->deadline <= now_ms())
			drop(c);
		else
			sift_down(0, (struct entry){c->deadline, c});
	}
	return n_heap > 0 ? (int)(heap[0].key - now_ms()) + 1 : -1;
}

int main(int argc, char **argv)
{
	int listener = listen_on(argc > 1 ? argv[1] : "7000");
	struct epoll_event events[BATCH], event = {.events = EPOLLIN, .data.ptr = NULL};

	set = must(epoll_create1(0), "epoll_create1");
	must(epoll_ctl(set, EPOLL_CTL_ADD, listener, &event), "epoll_ctl");
	for (;;) {
		int n = epoll_wait(set, events, BATCH, argc > 2 ? -1 : expire());

		for (int i = 0; i < n; i++)
			if (events[i].data.ptr)
				serve(events[i].data.ptr);
			else
				take_client(listener);
	}
}
