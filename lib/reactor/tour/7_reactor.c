/*
 * 7. All of it: reactor.h.
 *
 * The problem: six ideas, each of them right, and now all of them in every program, mixed with what
 * the program is about. (With `problem` the server says how many lines that took.)
 *
 * The way out: the loop is a library, and the program says what it waits for and what then. This
 *one echoes, closes who is quiet for a second, answers the port after PORT first of all, has all
 *others closed who hears "kick", and ends when it is asked to, on any backend (the environment's
 *BACKEND). What it costs: 56 instructions a callback.
 *
 *	7_reactor PORT [problem]
 */
#include "server.h"

#include <reactor.h>
#include <signal.h>

struct client {
	struct timed_io io; /* first, so that a pointer to it is one to the client */
	struct client *next, **before;
};

static struct client *clients;
static long served;

static void drop(struct reactor *r, struct client *c)
{
	*c->before = c->next;
	if (c->next)
		c->next->before = c->before;
	io_stop_close(r, &c->io.io);
	free(c);
}

static void drop_others(struct reactor *r, const struct client *mine)
{
	for (struct client *c = clients, *next; c; c = next) {
		next = c->next;
		if (c != mine)
			drop(r, c); /* also where it is ready in this very turn */
	}
}

static void on_client(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct client *c = (struct client *)(void *)w;
	char bytes[4096];
	ssize_t n = ready == IO_TIMEOUT ? 0 : read(w->fd, bytes, sizeof bytes);

	served++;
	if (n >= 4 && memcmp(bytes, "kick", 4) == 0)
		drop_others(r, c);
	if (n <= 0 || write(w->fd, bytes, (size_t)n) != n)
		drop(r, c);
}

static void on_connection(struct reactor *r, struct io_watcher *listener, unsigned ready)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK);
	struct client *c = fd < 0 ? NULL : malloc(sizeof *c);

	(void)ready;
	if (!c) {
		close(fd);
		return;
	}
	timed_io_init(&c->io, fd, IO_READ, INT64_C(1000000000), on_client);
	c->next = clients;
	c->before = &clients;
	if (clients)
		clients->before = &c->next;
	clients = c;
	if (io_start(r, &c->io.io) < 0)
		drop(r, c);
}

/* One answer a connection. */
static void on_control(struct reactor *r, struct io_watcher *listener, unsigned ready)
{
	int fd = accept4(listener->fd, NULL, NULL, 0);

	(void)r;
	(void)ready;
	if (fd < 0)
		return;
	dprintf(fd, "%ld served\n", served);
	close(fd);
}

static void on_term(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	(void)w;
	printf("signal %d from process %d\n", info->number, (int)info->pid);
	reactor_stop(r);
}

static void watch(struct reactor *r, struct io_watcher *w, const char *port, int more,
		  io_call *call, unsigned priority)
{
	char text[16];

	snprintf(text, sizeof text, "%d", atoi(port) + more);
	io_init(w, listen_on(text), IO_READ, call);
	w->priority = (uint8_t)priority;
	must(io_start(r, w), "io_start");
}

int main(int argc, char **argv)
{
	const char *port = argc > 1 ? argv[1] : "7000";
	struct reactor_error e;
	struct reactor *r = reactor_new(getenv("BACKEND"), &e);
	struct io_watcher listener, control;
	struct signal_watcher term;

	if (!r) {
		fprintf(stderr, "%s\n%s\n", e.what, e.hint);
		return 1;
	}
	if (argc > 2)
		printf(
		    "1 to 6 together: about 600 lines; the loop of all of them is this library\n");
	signal_init(&term, SIGTERM, on_term);
	must(signal_start(r, &term), "signal_start");
	watch(r, &control, port, 1, on_control, PRIORITY_FIRST);
	watch(r, &listener, port, 0, on_connection, PRIORITY_DEFAULT);
	must(reactor_run(r), "reactor_run");
	while (clients)
		drop(r, clients);
	reactor_free(r);
	printf("over, on %ld calls\n", served);
	return 0;
}
