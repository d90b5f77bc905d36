/* Without a command the lines that peers send are events themselves. */
#include "source/listen/listen.h"

#include "base/fd.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* A peer may have as much here as a line may be long, and no more. */
enum { SLICE = 16384, LONGEST = 64 * 1024 };

static void emit_line(struct connection *c, char *line, size_t length)
{
	struct listen_source *s = c->owner;
	struct event event = event_make("line");
	char connections[24];
	/* Where there are no ports, the last two are left out. */
	const struct detail details[] = {
	    {.name = "EVWATCH_CONNECTIONS", .value = connections, .number = true},
	    {.name = "EVWATCH_REMOTE_ADDR", .value = c->host},
	    {.name = "EVWATCH_LOCAL_ADDR", .value = c->local_host},
	    {.name = "EVWATCH_REMOTE_PORT", .value = c->port, .number = true},
	    {.name = "EVWATCH_LOCAL_PORT", .value = c->local_port, .number = true},
	};
	const char *subject = line;

	if (length && line[length - 1] == '\r')
		length--;
	line[length] = '\0';
	text_remove_nuls(line, length);
	event.subjects = &subject;
	event.n_subjects = 1;
	event.details = details;
	event.n_details = *c->port ? 5 : 3;
	snprintf(connections, sizeof connections, "%llu", (unsigned long long)s->n_connections);
	s->base.host->emit(&s->base, &event, 1);
}

/* Whole lines, and at the end what has none; as long as somebody takes them. */
static void cut_lines(struct connection *c)
{
	const struct source *s = &c->owner->base;
	size_t done = 0;

	while (done < c->line.length && !s->paused) {
		char *start = c->line.data + done;
		size_t left = c->line.length - done;
		char *end = memchr(start, '\n', left);

		if (!end && !c->ended && left < LONGEST)
			break;
		emit_line(c, start, end ? (size_t)(end - start) : left);
		done += end ? (size_t)(end - start) + 1 : left;
	}
	buf_consume(&c->line, done);
}

static void on_readable(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct connection *c = CONTAINER_OF(w, struct connection, io);
	size_t room = LONGEST - c->line.length; /* whole lines are gone by now */
	ssize_t n = -1;

	(void)r;
	(void)ready;
	if (room > SLICE)
		room = SLICE;
	if (buf_reserve(&c->line, room) == 0)
		n = recv(w->fd, c->line.data + c->line.length, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->line.length += (size_t)n;
	else
		c->ended = true;
	reader_review(c);
}

void reader_review(struct connection *c)
{
	struct listen_source *s = c->owner;

	if (c->io.fd < 0)
		return;
	cut_lines(c);
	if (s->base.paused)
		io_stop(s->base.reactor, &c->io);
	else if (c->ended || io_start(s->base.reactor, &c->io) < 0)
		connection_over(c);
}

void reader_open(struct connection *c, int fd)
{
	io_init(&c->io, fd, IO_READ, on_readable);
	reader_review(c);
}
