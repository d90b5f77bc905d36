/*
 * 1. Many clients, one thread: poll(2).
 *
 * The problem: read(2) waits for this client, and all others wait with it. Run it with `problem`
 * and connect twice: the second client gets nothing until the first one leaves.
 *
 * The way out: ask the kernel which descriptors are ready, and read from those alone. Then no call
 * waits but poll.
 *
 *	1_poll PORT [problem]
 */
#include "server.h"

#include <poll.h>

enum { MOST = 1024 };

static struct pollfd fds[MOST]; /* the first one listens */
static nfds_t n_fds;

static _Noreturn void serve_one_by_one(int listener)
{
	struct pollfd waits = {.fd = listener, .events = POLLIN};

	for (;;) {
		int fd;

		poll(&waits, 1, -1);
		fd = accept(listener, NULL, NULL);
		while (fd >= 0 && echo(fd))
			;
		close(fd);
	}
}

static void take_client(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (n_fds == MOST) {
		close(fd);
		return;
	}
	fds[n_fds++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* The last one replaces one that is gone. */
static void drop_client(nfds_t at)
{
	close(fds[at].fd);
	fds[at] = fds[--n_fds];
}

/* From the end: the one that replaces a dropped one was looked at already. */
static void serve_ready(void)
{
	for (nfds_t at = n_fds; at-- > 1;)
		if (fds[at].revents && !echo(fds[at].fd))
			drop_client(at);
	if (fds[0].revents)
		take_client(fds[0].fd);
}

int main(int argc, char **argv)
{
	int listener = listen_on(argc > 1 ? argv[1] : "7000");

	if (argc > 2)
		serve_one_by_one(listener);
	fds[n_fds++] = (struct pollfd){.fd = listener, .events = POLLIN};
	for (;;)
		if (poll(fds, n_fds, -1) > 0)
			serve_ready();
}
