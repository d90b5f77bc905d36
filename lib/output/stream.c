/*
 * See stream.h. The hard part is to see the end: a command has ended when it is reaped, but what it
 * wrote is still in the pipe, and its end of file comes only when nobody holds the pipe any more.
 */
#include "output/stream.h"

#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "output/sink.h"
#include "output/spool.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CHUNK = 65536,        /* read at once: what a pipe holds */
	HELD = 2 * CHUNK,     /* of one stream in memory */
	LONGEST_LINE = 65536, /* a line that never ends is cut here */
	LARGEST_PIPE = 1 << 20,
};

struct stream {
	struct link link;
	struct stream_setup setup;
	struct io_watcher io; /* of the reading end; -1 once it ended */
	bool held;
	bool owned;         /* the command still runs */
	struct spool spool; /* what is held */
	struct buf line;    /* one whose end has not come */
	struct sink_waiter waiter;
};

/* ---- handing on ------------------------------------------------------------------------------ */

/* Writes the whole lines of `text`, and with `all` what follows the last line break, too. */
static size_t write_lines(const struct stream *s, const char *text, size_t length, bool all)
{
	struct buf out = {0};
	size_t done = 0;

	while (done < length) {
		const char *end = memchr(text + done, '\n', length - done);
		size_t n = end ? (size_t)(end - text) + 1 - done : length - done;

		if (!end && !all)
			break;
		buf_add_text(&out, s->setup.prefix);
		buf_add(&out, text + done, n);
		if (!end && *s->setup.prefix)
			buf_add_char(&out, '\n');
		done += n;
	}
	if (out.failed)
		log_error(NULL, "out of memory: output is lost");
	else if (out.length)
		sink_write(s->setup.sink, out.data, out.length);
	buf_free(&out);
	return done;
}

static void hand_on_lines(struct stream *s, const char *bytes, size_t length, bool all)
{
	if (!s->setup.sink)
		return;
	if (buf_add(&s->line, bytes, length) < 0) {
		log_error(NULL, "out of memory: output is lost");
		buf_free(&s->line);
	}
	buf_consume(&s->line, write_lines(s, s->line.data, s->line.length, all));
	if (s->line.length > LONGEST_LINE)
		buf_consume(&s->line, write_lines(s, s->line.data, s->line.length, true));
	if (!s->line.length)
		buf_free(&s->line);
}

/* What was held goes out in one piece. */
static void hand_on_held(struct stream *s)
{
	const char *bytes;
	size_t length;

	while ((bytes = spool_peek(&s->spool, &length)) && length) {
		if (*s->setup.prefix)
			hand_on_lines(s, bytes, length, false);
		else if (s->setup.sink)
			sink_write(s->setup.sink, bytes, length);
		spool_take(&s->spool, length);
	}
	hand_on_lines(s, "", 0, true);
	s->held = false;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void stream_free(struct stream *s)
{
	int fd = s->io.fd;

	hand_on_lines(s, "", 0, true);
	io_stop(s->setup.reactor, &s->io);
	fd_close(&fd);
	list_remove(&s->link);
	list_remove(&s->waiter.link);
	spool_free(&s->spool);
	buf_free(&s->line);
	free(s);
}

/* A reply that is longer than one can be: the rest is dropped. */
static bool is_too_much(const struct stream *s)
{
	return !s->setup.sink && spool_length(&s->spool) >= CAPTURED;
}

/* Reads once. Returns how much, 0: nothing for now, or -1: the end. */
static ssize_t stream_read(struct stream *s)
{
	char chunk[CHUNK];
	bool held = s->held && !is_too_much(s);
	ssize_t n =
	    held ? spool_read(&s->spool, s->io.fd, CHUNK) : read(s->io.fd, chunk, sizeof chunk);

	if (n > 0 && !held)
		hand_on_lines(s, chunk, (size_t)n, false);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		log_error(NULL, "output is lost: %s", strerror(errno));
	return n > 0 ? n : -1;
}

static void stream_ended(struct stream *s)
{
	int fd = s->io.fd;

	if (!s->owned) {
		stream_free(s);
		return;
	}
	io_stop(s->setup.reactor, &s->io);
	fd_close(&fd);
	s->io.fd = -1;
}

static void on_room(struct sink_waiter *w)
{
	struct stream *s = CONTAINER_OF(w, struct stream, waiter);

	if (s->io.fd >= 0 && io_start(s->setup.reactor, &s->io) < 0)
		log_error(NULL, "out of memory: output is lost");
}

/* While nobody reads what is handed on, the command may wait: its pipe is full then. */
static void on_readable(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct stream *s = CONTAINER_OF(w, struct stream, io);

	(void)ready;
	if (stream_read(s) < 0) {
		stream_ended(s);
	} else if (!s->held && s->setup.sink && sink_full(s->setup.sink)) {
		io_stop(r, w);
		sink_when_room(s->setup.sink, &s->waiter);
	}
}

/* What is in the pipe now, and no more: somebody may write for ever. Returns whether it ended. */
static bool stream_drain(struct stream *s)
{
	ssize_t n = 0;

	for (size_t sum = 0; s->io.fd >= 0 && sum < LARGEST_PIPE; sum += (size_t)n) {
		n = stream_read(s);
		if (n < 0)
			return true;
		if (n == 0)
			return false;
	}
	return s->io.fd < 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Only our end must not block: the command's is its standard output. */
static int open_pipe(int pair[2])
{
	if (pipe2(pair, O_CLOEXEC) < 0)
		return -1;
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return -1;
}

struct stream *stream_open(const struct stream_setup *setup, int *fd)
{
	struct stream *s = calloc(1, sizeof *s);
	int pair[2];

	if (!s)
		return NULL;
	if (open_pipe(pair) < 0) {
		free(s);
		return NULL;
	}
	s->setup = *setup;
	s->held = setup->held;
	s->owned = true;
	s->waiter.room = on_room;
	spool_init(&s->spool, HELD);
	io_init(&s->io, pair[0], IO_READ, on_readable);
	list_init(&s->waiter.link);
	list_append(setup->list, &s->link);
	if (io_start(setup->reactor, &s->io) < 0) {
		stream_free(s);
		fd_close(&pair[1]);
		return NULL;
	}
	*fd = pair[1];
	return s;
}

void stream_end(struct stream *s)
{
	bool ended = stream_drain(s);

	s->owned = false;
	if (s->held)
		hand_on_held(s);
	if (ended)
		stream_free(s);
}

void stream_capture(struct stream *s, struct buf *bytes)
{
	bool ended = stream_drain(s);
	const char *held;
	size_t length;

	s->owned = false;
	while (bytes && bytes->length < CAPTURED && (held = spool_peek(&s->spool, &length)) &&
	       length) {
		if (length > CAPTURED - bytes->length)
			length = CAPTURED - bytes->length;
		buf_add(bytes, held, length);
		spool_take(&s->spool, length);
	}
	spool_free(&s->spool);
	s->held = false;
	if (ended)
		stream_free(s);
}

void streams_close(struct link *list)
{
	LIST_EACH(at, after, list)
	{
		struct stream *s = CONTAINER_OF(at, struct stream, link);

		stream_drain(s);
		if (s->held)
			hand_on_held(s);
		stream_free(s);
	}
}
