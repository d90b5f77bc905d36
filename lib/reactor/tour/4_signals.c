/*
 * 4. Signals: a pipe to oneself.
 *
 * The problem: a handler runs between any two instructions, so it may do next to nothing: no
 * malloc, no printf, no touching of what the program was busy with (signal-safety(7)). A flag that
 * the loop looks at before it waits is not enough: a signal that comes after the look and before
 * the wait is not noticed until something else happens. With `problem` this server has such a flag,
 * and sends itself TERM in just that moment: it goes on waiting.
 *
 * The way out: the handler writes into a pipe whose other end the loop watches. What was written
 * makes the wait end, whenever it was. Here a record holds the number and who sent it.
 * (libevent's is a socket pair and one byte, libev's an eventfd, libuv's a pipe.)
 *
 *	4_signals PORT [problem]
 */
#include "server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>

enum { BATCH = 64 };

struct record {
	int number;
	pid_t sender;
};

struct client {
	int fd;
	void (*ready)(struct client *c);
};

static int set, ends[2];
static volatile sig_atomic_t asked; /* of the problem */
static bool over;

static void watch(struct client *c, int fd, void (*ready)(struct client *c))
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	*c = (struct client){fd, ready};
	must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

/* ---- signals --------------------------------------------------------------------------------- */

static void on_flagged(int number)
{
	asked = number;
}

/* write(2) is allowed here, and errno is not ours. A pipe that is full drops the record. */
static void on_signal(int number, siginfo_t *info, void *context)
{
	struct record record = {number, info->si_pid};
	int saved = errno;

	(void)context;
	if (write(ends[1], &record, sizeof record) < 0)
		asked = number;
	errno = saved;
}

static void on_record(struct client *c)
{
	struct record record;

	while (read(c->fd, &record, sizeof record) == (ssize_t)sizeof record) {
		printf("signal %d from process %d\n", record.number, (int)record.sender);
		over |= record.number == SIGTERM;
	}
}

static void watch_signals(bool problem)
{
	static struct client reader;
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

	if (problem) {
		signal(SIGTERM, on_flagged);
		return;
	}
	must(pipe2(ends, O_NONBLOCK | O_CLOEXEC), "pipe2");
	watch(&reader, ends[0], on_record);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
}

/* ---- clients --------------------------------------------------------------------------------- */

static void on_client(struct client *c)
{
	if (echo(c->fd))
		return;
	close(c->fd);
	free(c);
}

static void on_connection(struct client *listener)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK);
	struct client *c = fd < 0 ? NULL : malloc(sizeof *c);

	if (c)
		watch(c, fd, on_client);
	else if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct epoll_event events[BATCH];
	struct client listener;

	set = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	watch_signals(argc > 2);
	watch(&listener, listen_on(argc > 1 ? argv[1] : "7000"), on_connection);
	while (!over && !asked) {
		int n;

		if (argc > 2)
			raise(SIGTERM); /* after the look, before the wait */
		n = epoll_wait(set, events, BATCH, -1);
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			c->ready(c); /* the last thing done with it: it may be freed there */
		}
	}
	printf("over\n");
}
