/*
 * The least that a relay costs: the loop somebody would write by hand, without any feature.
 *
 * usage: floor copy|hybrid PORT TARGET
 *
 * Relays 127.0.0.1:PORT to 127.0.0.1:TARGET through one buffer of 64 k for all. `hybrid` goes on by
 * splice(2) once the buffer came full, through a pipe that is lent from a pool. It keeps what a
 * destination does not take, passes a half-close on, and treats every error as the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024, PIPE = 1024 * 1024, EVENTS = 256, ROUNDS = 8, POOL = 64 };

/* One end of a pair, and what it sent that the other one did not take yet. */
struct end {
	struct end *other;
	char *left;
	size_t left_length, left_sent, in_pipe;
	int fd, pipe[2];
	unsigned watched;
	bool added, connecting, ended, shut, dead;
};

static bool hybrid;
static int loop, pool[POOL][2], n_pool;
static char buffer[BUFFER];
static struct end *graveyard[4 * EVENTS];
static int n_graves;
static struct sockaddr_in target;

static bool lend_pipe(struct end *e)
{
	if (n_pool > 0) {
		memcpy(e->pipe, pool[--n_pool], sizeof e->pipe);
		return true;
	}
	if (pipe2(e->pipe, O_NONBLOCK) < 0)
		return false;
	fcntl(e->pipe[1], F_SETPIPE_SZ, PIPE);
	return true;
}

static void return_pipe(struct end *e)
{
	if (!e->pipe[1])
		return;
	if (!e->in_pipe && n_pool < POOL) {
		memcpy(pool[n_pool++], e->pipe, sizeof e->pipe);
	} else {
		close(e->pipe[0]);
		close(e->pipe[1]);
	}
	e->pipe[0] = e->pipe[1] = 0;
	e->in_pipe = 0;
}

static bool is_blocked(const struct end *e)
{
	return e->left || e->in_pipe;
}

/* Returns false when it is over. */
static bool flush_held(struct end *e)
{
	ssize_t n;

	if (e->left) {
		n = send(e->other->fd, e->left + e->left_sent, e->left_length - e->left_sent,
			 MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN;
		e->left_sent += (size_t)n;
		if (e->left_sent == e->left_length) {
			free(e->left);
			e->left = NULL;
		}
	}
	while (e->in_pipe) {
		n = splice(e->pipe[0], NULL, e->other->fd, NULL, e->in_pipe, SPLICE_F_NONBLOCK);
		if (n < 0)
			return errno == EAGAIN;
		e->in_pipe -= (size_t)n;
	}
	return true;
}

/* One step of a direction: *n as recv(2) has it. Returns false when it is over. */
static bool step(struct end *e, bool *full, ssize_t *n)
{
	ssize_t sent;

	if (*full && (e->pipe[1] || lend_pipe(e))) {
		*n = splice(e->fd, NULL, e->pipe[1], NULL, PIPE, SPLICE_F_NONBLOCK);
		if (*n <= 0)
			return *n == 0 || errno == EAGAIN;
		e->in_pipe += (size_t)*n;
		return flush_held(e);
	}
	*n = recv(e->fd, buffer, BUFFER, 0);
	if (*n <= 0)
		return *n == 0 || errno == EAGAIN;
	sent = send(e->other->fd, buffer, (size_t)*n, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		return false;
	sent = sent < 0 ? 0 : sent;
	if (sent < *n) {
		e->left = malloc((size_t)(*n - sent));
		if (!e->left)
			return false;
		e->left_length = (size_t)(*n - sent);
		e->left_sent = 0;
		memcpy(e->left, buffer + sent, e->left_length);
	}
	*full = *n == BUFFER;
	return true;
}

static bool run(struct end *e)
{
	bool full = hybrid && e->pipe[1];
	ssize_t n = 1;

	if (e->shut)
		return true;
	if (!flush_held(e))
		return false;
	for (int i = 0; i < ROUNDS && !is_blocked(e); i++) {
		if (!step(e, &full, &n))
			return false;
		if (n == 0)
			e->ended = true;
		full &= hybrid;
		if (n <= 0 || (!e->pipe[1] && n < BUFFER))
			break;
	}
	if (!is_blocked(e) && n <= 0)
		return_pipe(e);
	if (e->ended && !is_blocked(e)) {
		shutdown(e->other->fd, SHUT_WR);
		e->shut = true;
	}
	return true;
}

static void watch(struct end *e)
{
	struct epoll_event event = {.data.ptr = e};

	if (!e->ended && !is_blocked(e))
		event.events |= EPOLLIN;
	if (is_blocked(e->other))
		event.events |= EPOLLOUT;
	if (e->connecting)
		event.events = EPOLLOUT;
	if (event.events == e->watched)
		return;
	epoll_ctl(loop, e->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, e->fd, &event);
	e->watched = event.events;
	e->added = true;
}

/* Freed after the turn: the other end may be among its events. */
static void bury(struct end *e)
{
	return_pipe(e);
	free(e->left);
	close(e->fd);
	e->dead = true;
	graveyard[n_graves++] = e;
}

static void on_ready(struct end *e, unsigned events)
{
	struct end *other = e->other;
	bool fine = true;

	if (e->dead)
		return;
	e->connecting = false;
	if (events & EPOLLOUT)
		fine = run(other);
	if (fine && (events & ~(unsigned)EPOLLOUT))
		fine = run(e);
	if (fine && !(e->shut && other->shut)) {
		watch(e);
		watch(other);
		return;
	}
	bury(e);
	bury(other);
}

static void on_accept(int fd)
{
	struct end *client = calloc(1, sizeof *client), *server = calloc(1, sizeof *server);

	if (!client || !server)
		exit(1);
	client->other = server;
	server->other = client;
	client->fd = fd;
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(server->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	server->connecting = true;
	if (server->fd >= 0 &&
	    (connect(server->fd, (void *)&target, sizeof target) == 0 || errno == EINPROGRESS)) {
		watch(server);
		return;
	}
	bury(client);
	bury(server);
}

static int listen_on(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 4096) < 0) {
		perror("floor");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], event = {.events = EPOLLIN};
	int listener, fd;

	if (argc != 4 || (strcmp(argv[1], "copy") != 0 && strcmp(argv[1], "hybrid") != 0))
		return 2;
	hybrid = *argv[1] == 'h';
	signal(SIGPIPE, SIG_IGN); /* splice(2) has no MSG_NOSIGNAL */
	target = (struct sockaddr_in){.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)atoi(argv[3])),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	listener = listen_on(atoi(argv[2]));
	loop = epoll_create1(0);
	epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int n = epoll_wait(loop, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				on_ready(events[i].data.ptr, events[i].events);
			else
				for (int k = 0; k < 64; k++)
					if ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >=
					    0)
						on_accept(fd);
					else
						break;
		}
		while (n_graves)
			free(graveyard[--n_graves]);
	}
}
