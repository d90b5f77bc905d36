/* See channel.h. A message is its length (of what follows, 4 bytes), its type and its bytes. */
#include "net/channel.h"

#include "base/fd.h"
#include "base/list.h"
#include "net/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum { SLICE = 16384, HEAD = sizeof(uint32_t) };

static void be_gone(struct channel *c)
{
	if (c->io.fd < 0) /* by a call */
		return;
	channel_close(c);
	c->call(c, 0, NULL, 0);
}

/*
 * Hands on whole messages; the call may close the channel. False: what came is no message, and
 * nothing behind it can be understood.
 */
static bool hand_on(struct channel *c)
{
	size_t done = 0;
	bool sound = true;

	while (c->io.fd >= 0 && c->in.length - done >= HEAD) {
		const char *at = c->in.data + done;
		uint32_t length;

		memcpy(&length, at, HEAD);
		sound = length >= 1 && length <= MESSAGE_MOST + 1;
		if (!sound || c->in.length - done - HEAD < length)
			break;
		sound = at[HEAD] != 0;
		if (!sound)
			break;
		c->call(c, (unsigned char)at[HEAD], at + HEAD + 1, length - 1);
		done += HEAD + length;
	}
	if (c->io.fd >= 0)
		buf_consume(&c->in, done);
	return sound;
}

/* False when the other side is gone. */
static bool receive(struct channel *c)
{
	ssize_t n = -1;

	if (buf_reserve(&c->in, SLICE) == 0)
		n = recv(c->io.fd, c->in.data + c->in.length, SLICE, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->in.length += (size_t)n;
	return n > 0;
}

static void on_ready(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct channel *c = CONTAINER_OF(w, struct channel, io);
	bool there = true, waits;

	if (ready & ~(unsigned)IO_WRITE) {
		there = receive(c);
		there = hand_on(c) && there;
	}
	if (c->io.fd < 0)
		return;
	waits = c->out.length > 0;
	if (there && !socket_flush(c->io.fd, &c->out)) {
		channel_drain(c); /* what it said before it went */
		there = false;
	}
	if (!there) {
		be_gone(c);
		return;
	}
	io_change(r, w, c->out.length ? IO_READ | IO_WRITE : IO_READ);
	if (waits && !c->out.length && c->taken)
		c->taken(c);
}

int channel_open(struct channel *c, struct reactor *r, int fd, channel_call *call, void *owner)
{
	*c = (struct channel){.reactor = r, .call = call, .owner = owner};
	io_init(&c->io, fd, IO_READ, on_ready);
	c->io.priority = PRIORITY_FIRST;
	if (io_start(r, &c->io) == 0)
		return 0;
	channel_close(c);
	return -1;
}

int channel_say(struct channel *c, unsigned char type, const void *bytes, size_t length)
{
	uint32_t size = (uint32_t)(1 + length);
	bool waits = c->out.length > 0;

	if (c->io.fd < 0 || length > MESSAGE_MOST) {
		errno = c->io.fd < 0 ? EPIPE : EMSGSIZE;
		return -1;
	}
	/* All of it or nothing: half a message would spoil all that follow. */
	if (buf_reserve(&c->out, HEAD + size) < 0) {
		c->out.failed = false;
		return -1;
	}
	buf_add(&c->out, &size, HEAD);
	buf_add_char(&c->out, (char)type);
	buf_add(&c->out, bytes, length);
	/* Its end reports that it is gone, in a later turn. */
	if (!waits)
		socket_flush(c->io.fd, &c->out);
	if (c->out.length)
		io_change(c->reactor, &c->io, IO_READ | IO_WRITE);
	return 0;
}

size_t channel_waiting(const struct channel *c)
{
	return c->out.length;
}

void channel_flush(struct channel *c, int ms)
{
	struct pollfd writable = {.fd = c->io.fd, .events = POLLOUT};

	while (c->io.fd >= 0 && c->out.length && socket_flush(c->io.fd, &c->out) && c->out.length)
		if (poll(&writable, 1, ms) <= 0)
			return;
}

void channel_drain(struct channel *c)
{
	size_t before;

	do {
		before = c->in.length;
		if (c->io.fd < 0 || !receive(c))
			break;
	} while (c->in.length > before);
	hand_on(c);
}

void channel_close(struct channel *c)
{
	int fd = c->io.fd;

	if (!c->reactor || fd < 0)
		return;
	io_stop(c->reactor, &c->io);
	fd_close(&fd);
	c->io.fd = -1;
	buf_free(&c->in);
	buf_free(&c->out);
}
