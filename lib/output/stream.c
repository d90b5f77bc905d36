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
	CHUNK = 65536,    /* read at once: what a pipe holds */
	HELD = 2 * CHUNK, /* of one stream in memory */
	LARGEST_PIPE = 1 << 20,
};

struct stream {
	struct link link;
	struct stream_setup setup;
	struct io_watcher io; /* of the reading end; -1 once it ended */
	bool held;
	bool owned;         /* the command still runs */
	bool cut;           /* a line or the whole was, because the disk may hold no more */
	struct spool spool; /* what is held */
	struct spool part;  /* a line whose end has not come */
	struct sink_waiter waiter;
};

/* ---- handing on ------------------------------------------------------------------------------ */

/* What was gathered for the sink; in one write, where it is small. */
static void write_out(const struct stream *s, struct buf *out)
{
	if (out->failed)
		log_error(s->setup.rule, "out of memory: output is lost");
	else if (out->length)
		sink_write(s->setup.sink, out->data, out->length);
	buf_clear(out);
	out->failed = false;
}

/* The beginning of a line, which came before. */
static void add_part(struct stream *s, struct buf *out)
{
	const char *bytes;
	size_t length;

	while ((bytes = spool_peek(&s->part, &length)) && length) {
		buf_add(out, bytes, length);
		spool_take(&s->part, length);
		if (out->length >= HELD)
			write_out(s, out);
	}
}

static const char *prefix_of(const struct stream *s)
{
	return s->setup.prefix ? *s->setup.prefix : "";
}

/* `length` bytes end a line; they may be none. */
static void add_line(struct stream *s, struct buf *out, const char *bytes, size_t length)
{
	buf_add_text(out, prefix_of(s));
	add_part(s, out);
	buf_add(out, bytes, length);
}

/* A line that has no end, and gets none any more. */
static void end_part(struct stream *s)
{
	struct buf out = {0};

	if (!spool_length(&s->part))
		return;
	add_line(s, &out, "", 0);
	if (*prefix_of(s))
		buf_add_char(&out, '\n');
	write_out(s, &out);
	buf_free(&out);
}

static void say_cut(struct stream *s, const char *what)
{
	if (!s->cut)
		log_warn(s->setup.rule,
			 "%s is handed on in pieces: more than --spool allows waits on disk", what);
	s->cut = true;
}

static bool is_over(const struct stream *s)
{
	return s->setup.sink && spool_is_over(sink_budget(s->setup.sink));
}

/* Lines that are whole go on; the beginning of one waits for its end. */
static void hand_on_lines(struct stream *s, const char *bytes, size_t length)
{
	struct buf out = {0};
	const char *end;

	if (!s->setup.sink)
		return;
	while (length && (end = memchr(bytes, '\n', length))) {
		size_t n = (size_t)(end - bytes) + 1;

		add_line(s, &out, bytes, n);
		bytes += n;
		length -= n;
	}
	write_out(s, &out);
	buf_free(&out);
	if (length && spool_add(&s->part, bytes, length) < 0)
		log_error(s->setup.rule, "out of memory: output is lost");
	if (spool_length(&s->part) > HELD && is_over(s)) {
		say_cut(s, "a long line");
		end_part(s);
	}
}

/* What was held goes out in one piece; `by_lines`: it is not all, and others may write between. */
static void hand_on_held(struct stream *s, bool by_lines)
{
	const char *bytes;
	size_t length;

	s->held = false;
	while ((bytes = spool_peek(&s->spool, &length)) && length) {
		if (*prefix_of(s) || by_lines)
			hand_on_lines(s, bytes, length);
		else if (s->setup.sink)
			sink_write(s->setup.sink, bytes, length);
		spool_take(&s->spool, length);
	}
}

/* ---- reading --------------------------------------------------------------------------------- */

static void stream_free(struct stream *s)
{
	int fd = s->io.fd;

	end_part(s);
	io_stop(s->setup.reactor, &s->io);
	fd_close(&fd);
	list_remove(&s->link);
	list_remove(&s->waiter.link);
	spool_free(&s->spool);
	spool_free(&s->part);
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
		hand_on_lines(s, chunk, (size_t)n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		log_error(s->setup.rule, "output is lost: %s", strerror(errno));
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
		log_error(s->setup.rule, "out of memory: output is lost");
}

/* The disk is to hold no more, and the sink has room: held output fills it. */
static void let_go(struct stream *s)
{
	say_cut(s, "the output of a command");
	hand_on_held(s, true);
}

/* While nobody reads what is handed on, the command may wait: its pipe is full then. */
static void on_readable(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct stream *s = CONTAINER_OF(w, struct stream, io);

	(void)ready;
	if (stream_read(s) < 0) {
		stream_ended(s);
		return;
	}
	if (!s->setup.sink)
		return;
	if (s->held && is_over(s) && !sink_full(s->setup.sink))
		let_go(s);
	if (sink_full(s->setup.sink) && (!s->held || is_over(s))) {
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
	spool_init(&s->spool, HELD, setup->sink ? sink_budget(setup->sink) : NULL);
	spool_init(&s->part, HELD, s->spool.budget);
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
		hand_on_held(s, false);
	end_part(s);
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
			hand_on_held(s, false);
		stream_free(s);
	}
}
