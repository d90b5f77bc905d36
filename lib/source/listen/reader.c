/* Without a command the lines that peers send are events themselves. */
#include "source/listen/listen.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { SLICE = 16384, LONGEST = 1024 * 1024 };

static void emit_line(struct connection *c, char *line, size_t length)
{
	struct listen_source *s = c->owner;
	struct event event = event_make("line");
	struct detail detail = {"EVWATCH_REMOTE_ADDR", c->remote};
	const char *subject = line;

	if (length && line[length - 1] == '\r')
		length--;
	line[length] = '\0';
	event.subjects = &subject;
	event.n_subjects = 1;
	event.details = &detail;
	event.n_details = 1;
	s->base.host->emit(&s->base, &event, 1);
}

/* Whole lines; with `all` also what has no end. */
static void cut_lines(struct connection *c, bool all)
{
	size_t done = 0;

	while (done < c->line.length) {
		char *start = c->line.data + done;
		size_t left = c->line.length - done;
		char *end = memchr(start, '\n', left);

		if (!end && !all && left < LONGEST)
			break;
		emit_line(c, start, end ? (size_t)(end - start) : left);
		done += end ? (size_t)(end - start) + 1 : left;
	}
	buf_consume(&c->line, done);
}

static void on_readable(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct connection *c = CONTAINER_OF(w, struct connection, io);
	ssize_t n = -1;

	(void)r;
	(void)ready;
	if (buf_reserve(&c->line, SLICE) == 0)
		n = recv(w->fd, c->line.data + c->line.length, SLICE, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->line.length += (size_t)n;
	cut_lines(c, n <= 0);
	if (n <= 0)
		connection_over(c);
}

void reader_open(struct connection *c, int fd)
{
	io_init(&c->io, fd, IO_READ, on_readable);
	if (io_start(c->owner->base.reactor, &c->io) < 0)
		connection_over(c);
}
