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

enum { GATHERED = 65536 }; /* bytes that leave before the turn is over */

#define RETRY NS_PER_S

struct sink {
	struct reactor *reactor;
	struct io_watcher io, reader;
	struct timer soon;  /* writes what was gathered */
	struct timer retry; /* of a file that stalled */
	enum sink_way way;
	bool regular;
	int fd;  /* the caller's */
	int own; /* our description of the same file, or -1 */
	size_t limit;
	struct buf gathered; /* younger than what waits */
	struct spool waiting;
	bool was_full;
	int error;   /* errno once broken */
	int stalled; /* errno while it is tried again; else 0 */
	struct link waiters;
	struct sink_owner owner;
};

static void tell(struct sink *s, enum sink_news news, int error)
{
	if (s->owner.call)
		s->owner.call(s->owner.context, news, error);
}

void sink_when_room(struct sink *s, struct sink_waiter *w)
{
	list_append(&s->waiters, &w->link);
}

static void tell_waiters(struct sink *s)
{
	LIST_EACH(at, after, &s->waiters)
	{
		struct sink_waiter *w = CONTAINER_OF(at, struct sink_waiter, link);

		list_remove(at);
		w->room(w);
	}
}

static void stop_watchers(struct sink *s)
{
	io_stop(s->reactor, &s->io);
	io_stop(s->reactor, &s->reader);
	timer_stop(s->reactor, &s->soon);
	timer_stop(s->reactor, &s->retry);
}

static void sink_break(struct sink *s, int error)
{
	s->error = error;
	s->stalled = 0;
	spool_free(&s->waiting);
	buf_free(&s->gathered);
	stop_watchers(s);
	tell_waiters(s);
	tell(s, SINK_BROKEN, error);
}

/* Bytes of it wait already: they are tried again. */
static void sink_stall(struct sink *s, int error)
{
	bool news = !s->stalled;

	io_stop(s->reactor, &s->io);
	if (timer_start_in(s->reactor, &s->retry, RETRY) < 0) {
		sink_break(s, error);
		return;
	}
	s->stalled = error;
	if (news)
		tell(s, SINK_STALLED, error);
}

static void sink_failed(struct sink *s, int error)
{
	if (s->regular)
		sink_stall(s, error);
	else
		sink_break(s, error);
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

/* Writes until nothing is left or it would block, or fails. Returns the bytes written, or -1 with
 * errno: none, because it fails. */
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
			return done ? (ssize_t)done : -1;
	}
	return (ssize_t)done;
}

/* It can be written again. */
static void resume(struct sink *s)
{
	s->stalled = 0;
	tell(s, SINK_RESUMED, 0);
	if (spool_length(&s->waiting) && io_start(s->reactor, &s->io) < 0)
		sink_break(s, ENOMEM);
}

static void sink_drain(struct sink *s)
{
	size_t length;
	const char *bytes = spool_peek(&s->waiting, &length);
	ssize_t n = write_ready(s, bytes, length);

	if (n < 0) {
		sink_failed(s, errno);
		return;
	}
	spool_take(&s->waiting, (size_t)n);
	if (s->stalled)
		resume(s);
	if (!spool_length(&s->waiting))
		io_stop(s->reactor, &s->io);
	if (s->was_full && !sink_full(s)) {
		s->was_full = false;
		tell_waiters(s);
		tell(s, SINK_ROOM, 0);
	}
}

static void on_retry(struct reactor *r, struct timer *t)
{
	(void)r;
	sink_drain(CONTAINER_OF(t, struct sink, retry));
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
	s->regular = false;
	if (fstat(s->fd, &st) < 0)
		return;
	s->regular = S_ISREG(st.st_mode);
	if (s->regular)
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

static void on_soon(struct reactor *r, struct timer *t);

struct sink *sink_open(struct reactor *r, int fd, size_t limit, struct sink_owner owner)
{
	struct sink *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->reactor = r;
	s->fd = fd;
	s->own = -1;
	s->limit = limit;
	s->owner = owner;
	spool_init(&s->waiting, limit, owner.budget);
	list_init(&s->waiters);
	timer_init(&s->soon, CLOCK_OF_LOOP, on_soon);
	s->soon.priority = PRIORITY_FIRST;
	timer_init(&s->retry, CLOCK_OF_LOOP, on_retry);
	io_init(&s->reader, fd, IO_READ, on_reader);
	find_way(s);
	return s;
}

/* Behind what waits, which it does itself where it cannot be written now. */
static int put(struct sink *s, const char *bytes, size_t length)
{
	ssize_t n = 0;

	if (!spool_length(&s->waiting))
		n = write_ready(s, bytes, length);
	if (n < 0 && !s->regular) {
		int why = errno;

		sink_break(s, why);
		errno = why;
		return -1;
	}
	if (n == (ssize_t)length)
		return 0;
	if (n < 0)
		n = 0; /* the disk is full, perhaps: the next attempt says so */
	if (spool_add(&s->waiting, bytes + n, length - (size_t)n) < 0 ||
	    (!s->stalled && io_start(s->reactor, &s->io) < 0))
		return -1;
	s->was_full |= sink_full(s);
	return 0;
}

static int put_gathered(struct sink *s)
{
	int result;

	if (!s->gathered.length)
		return 0;
	timer_stop(s->reactor, &s->soon);
	result = put(s, s->gathered.data, s->gathered.length);
	buf_clear(&s->gathered);
	return result;
}

static void on_soon(struct reactor *r, struct timer *t)
{
	(void)r;
	put_gathered(CONTAINER_OF(t, struct sink, soon));
}

int sink_write(struct sink *s, const void *bytes, size_t length)
{
	if (s->error) {
		errno = s->error;
		return -1;
	}
	return put_gathered(s) < 0 ? -1 : put(s, bytes, length);
}

int sink_gather(struct sink *s, const void *bytes, size_t length)
{
	if (s->error || s->gathered.length + length > GATHERED)
		return sink_write(s, bytes, length);
	if (!s->gathered.length && timer_start_soon(s->reactor, &s->soon) < 0)
		return sink_write(s, bytes, length);
	if (buf_add(&s->gathered, bytes, length) == 0)
		return 0;
	s->gathered.failed = false;
	return sink_write(s, bytes, length);
}

int sink_renew(struct sink *s)
{
	io_stop(s->reactor, &s->io);
	io_stop(s->reactor, &s->reader);
	timer_stop(s->reactor, &s->retry);
	fd_close(&s->own);
	find_way(s);
	s->error = s->stalled = 0;
	return spool_length(&s->waiting) ? io_start(s->reactor, &s->io) : 0;
}

bool sink_full(const struct sink *s)
{
	return spool_length(&s->waiting) > s->limit;
}

struct spool_budget *sink_budget(const struct sink *s)
{
	return s->owner.budget;
}

int sink_flush(struct sink *s, long long wait)
{
	int64_t start = clock_read(CLOCK_OF_LOOP);

	put_gathered(s);
	while (spool_length(&s->waiting) && !s->error) {
		int64_t most = s->stalled ? RETRY : wait < 0 ? INT64_MAX / 2 : wait;
		int64_t left = start + most - clock_read(CLOCK_OF_LOOP);

		if (left > NS_PER_S)
			left = NS_PER_S;
		if (left <= 0) {
			errno = s->stalled ? s->stalled : EAGAIN;
			return -1;
		}
		if (s->stalled)
			poll(NULL, 0, 50);
		else
			is_writable(s->io.fd, (int)(left / NS_PER_MS) + 1);
		sink_drain(s);
	}
	return 0;
}

void sink_close(struct sink *s)
{
	stop_watchers(s);
	fd_close(&s->own);
	spool_free(&s->waiting);
	buf_free(&s->gathered);
	free(s);
}
