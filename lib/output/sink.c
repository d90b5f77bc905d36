/*
 * See sink.h. The hard part is not to block without O_NONBLOCK, which would be the shell's too.
 *
 * Regular files never block. A socket is written with MSG_DONTWAIT. A pipe or terminal is opened
 * anew through /proc, which makes a file description of our own that may be non-blocking; where
 * that is refused, it is asked by poll(2) before each write of at most PIPE_BUF bytes, which a
 * writable pipe takes whole (pipe(7)).
 */
#include "output/sink.h"

#include "base/fd.h"
#include "base/list.h"
#include "base/units.h"
#include "output/spool.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum sink_way { WAY_PLAIN, WAY_SOCKET, WAY_OWN, WAY_ASK };

struct sink {
	struct reactor *reactor;
	struct io_watcher io, reader;
	enum sink_way way;
	int fd;  /* the caller's */
	int own; /* our description of the same file, or -1 */
	size_t limit;
	struct spool waiting;
	bool was_full;
	int error; /* errno once broken */
	struct link waiters;
	sink_call *call;
	void *context;
};

void sink_when_room(struct sink *s, struct sink_waiter *w)
{
	list_append(&s->waiters, &w->link);
}

static void tell_room(struct sink *s, int error)
{
	LIST_EACH(at, after, &s->waiters)
	{
		struct sink_waiter *w = CONTAINER_OF(at, struct sink_waiter, link);

		list_remove(at);
		w->room(w);
	}
	if (s->call)
		s->call(s->context, error);
}

static void sink_break(struct sink *s, int error)
{
	s->error = error;
	spool_free(&s->waiting);
	io_stop(s->reactor, &s->io);
	io_stop(s->reactor, &s->reader);
	tell_room(s, error);
}

static bool is_writable(int fd, int milliseconds)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, milliseconds) > 0;
}

/* Writes some of the bytes without waiting. -1 with EAGAIN when it would have to. */
static ssize_t write_some(struct sink *s, const char *bytes, size_t length)
{
	switch (s->way) {
	case WAY_SOCKET:
		return send(s->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	case WAY_OWN:
		return write(s->own, bytes, length);
	case WAY_ASK:
		if (!is_writable(s->fd, 0)) {
			errno = EAGAIN;
			return -1;
		}
		return write(s->fd, bytes, length < PIPE_BUF ? length : PIPE_BUF);
	default:
		return write(s->fd, bytes, length);
	}
}

/* Writes until nothing is left or it would block. Returns the bytes written, or -1: broken. */
static ssize_t write_ready(struct sink *s, const char *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = write_some(s, bytes + done, length - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)done;
}

static void sink_drain(struct sink *s)
{
	size_t length;
	const char *bytes = spool_peek(&s->waiting, &length);
	ssize_t n = write_ready(s, bytes, length);

	if (n < 0) {
		sink_break(s, errno);
		return;
	}
	spool_take(&s->waiting, (size_t)n);
	if (!spool_length(&s->waiting))
		io_stop(s->reactor, &s->io);
	if (s->was_full && !sink_full(s)) {
		s->was_full = false;
		tell_room(s, 0);
	}
}

static void on_writable(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)r;
	(void)ready;
	sink_drain(CONTAINER_OF(w, struct sink, io));
}

/* The end of a pipe that is written never becomes readable, so this is its reader's end. */
static void on_reader(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct sink *s = CONTAINER_OF(w, struct sink, reader);
	struct pollfd p = {.fd = w->fd};

	(void)ready;
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLERR))
		sink_break(s, EPIPE);
	else
		io_stop(r, w);
}

int sink_watch_reader(struct sink *s)
{
	struct stat st;

	if (s->reader.started || s->error || fstat(s->fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return 0;
	io_init(&s->reader, s->own >= 0 ? s->own : s->fd, IO_READ, on_reader);
	return io_start(s->reactor, &s->reader);
}

/* How can this descriptor be written without waiting? */
static void find_way(struct sink *s)
{
	char path[32];
	struct stat st;

	s->way = WAY_PLAIN;
	io_init(&s->io, s->fd, IO_WRITE, on_writable);
	if (fstat(s->fd, &st) < 0 || S_ISREG(st.st_mode))
		return;
	if (S_ISSOCK(st.st_mode)) {
		s->way = WAY_SOCKET;
		return;
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", s->fd);
	s->own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	s->way = s->own >= 0 ? WAY_OWN : WAY_ASK;
	io_init(&s->io, s->own >= 0 ? s->own : s->fd, IO_WRITE, on_writable);
}

struct sink *sink_open(struct reactor *r, int fd, size_t limit, sink_call *call, void *context)
{
	struct sink *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->reactor = r;
	s->fd = fd;
	s->own = -1;
	s->limit = limit;
	spool_init(&s->waiting, limit);
	list_init(&s->waiters);
	s->call = call;
	s->context = context;
	io_init(&s->reader, fd, IO_READ, on_reader);
	find_way(s);
	return s;
}

int sink_write(struct sink *s, const void *bytes, size_t length)
{
	ssize_t n = 0;

	if (s->error) {
		errno = s->error;
		return -1;
	}
	if (!spool_length(&s->waiting))
		n = write_ready(s, bytes, length);
	if (n < 0) {
		int why = errno;

		sink_break(s, why);
		errno = why;
		return -1;
	}
	if ((size_t)n == length)
		return 0;
	if (spool_add(&s->waiting, (const char *)bytes + n, length - (size_t)n) < 0 ||
	    io_start(s->reactor, &s->io) < 0)
		return -1;
	s->was_full |= sink_full(s);
	return 0;
}

int sink_renew(struct sink *s)
{
	io_stop(s->reactor, &s->io);
	io_stop(s->reactor, &s->reader);
	fd_close(&s->own);
	find_way(s);
	s->error = 0;
	return spool_length(&s->waiting) ? io_start(s->reactor, &s->io) : 0;
}

bool sink_full(const struct sink *s)
{
	return spool_length(&s->waiting) > s->limit;
}

void sink_flush(struct sink *s, long long wait)
{
	int64_t end = clock_read(CLOCK_OF_LOOP) + wait;

	while (spool_length(&s->waiting) && !s->error) {
		int64_t left = wait < 0 ? NS_PER_S : end - clock_read(CLOCK_OF_LOOP);

		if (left <= 0)
			return;
		is_writable(s->io.fd, (int)(left / NS_PER_MS) + 1);
		sink_drain(s);
	}
}

void sink_close(struct sink *s)
{
	io_stop(s->reactor, &s->io);
	io_stop(s->reactor, &s->reader);
	fd_close(&s->own);
	spool_free(&s->waiting);
	free(s);
}
