/* See check.h. */
#include "net/check.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* ---- answers --------------------------------------------------------------------------------- */

void check_stop(struct check *k)
{
	if (!k->reactor)
		return; /* it was never made */
	connector_stop(&k->connector);
	io_stop_close(k->reactor, &k->io);
	timer_stop(k->reactor, &k->patience);
	k->state = CHECK_IDLE;
}

static void finish(struct check *k, const char *why, bool is_short)
{
	check_stop(k);
	k->call(k->context, why, is_short);
}

/* An errno. */
static void fail(struct check *k, int error)
{
	finish(k, connect_error(error), connect_is_short(error));
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static int request(const struct check *k, int fd)
{
	const struct http_check *h = k->config->http;
	struct buf b = {0};
	ssize_t n = -1;

	buf_printf(&b,
		   "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: evwatch\r\nAccept: */*\r\n"
		   "Connection: close\r\n\r\n",
		   h->path, h->host);
	if (!b.failed)
		n = send(fd, b.data, b.length, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* An empty socket takes as little as this. */
	if (n >= 0 && (size_t)n < b.length) {
		errno = EMSGSIZE;
		n = -1;
	}
	buf_free(&b);
	return n < 0 ? -1 : 0;
}

/* `HTTP/1.1 200`. */
static void judge(struct check *k)
{
	const struct http_check *h = k->config->http;
	const char *at = k->answer + 9;
	unsigned status = 0;

	if (memcmp(k->answer, "HTTP/1.", 7) != 0 || k->answer[8] != ' ') {
		finish(k, "its answer is not HTTP", false);
		return;
	}
	for (int i = 0; i < 3; i++)
		status = status * 10 + (at[i] >= '0' && at[i] <= '9' ? (unsigned)(at[i] - '0') : 0);
	snprintf(k->why, sizeof k->why, "it answers with status %u", status);
	finish(k, status >= h->least && status <= h->most ? NULL : k->why, false);
}

static void on_http(struct check *k)
{
	enum { STATUS_LINE = 12 };
	ssize_t n = recv(k->io.fd, k->answer + k->length, STATUS_LINE - k->length, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		fail(k, errno);
		return;
	}
	k->length += (size_t)n;
	if (n == 0)
		finish(k, "it ended the connection without an answer", false);
	else if (k->length == STATUS_LINE)
		judge(k);
}

/* ---- UDP ------------------------------------------------------------------------------------- */

/* The next address, as long as they refuse; `error`: of this one. */
static void datagram_refused(struct check *k, int error)
{
	io_stop_close(k->reactor, &k->io);
	k->state = CHECK_CONNECTING;
	if (connector_has_more(&k->connector))
		connector_again(&k->connector);
	else
		fail(k, error);
}

/* A reply, or the error that an ICMP message became. */
static void on_datagram(struct check *k)
{
	char byte;

	if (recv(k->io.fd, &byte, 1, MSG_DONTWAIT) >= 0)
		finish(k, NULL, false);
	else if (errno != EAGAIN && errno != EINTR)
		datagram_refused(k, errno);
}

/* ---- streams --------------------------------------------------------------------------------- */

static int greet(const struct check *k, int fd)
{
	const struct check_config *c = k->config;

	if (!c->greeting)
		return 0;
	return send(fd, c->greeting, c->greeting_length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* Waits for what `fd`, which is taken over, answers. */
static int await_answer(struct check *k, int fd)
{
	k->state = CHECK_WAITING;
	k->length = 0;
	io_init(&k->io, fd, IO_READ, k->io.call);
	return io_start(k->reactor, &k->io) == 0 &&
		       timer_start_at(k->reactor, &k->patience, k->late) == 0
		   ? 0
		   : -1;
}

static void on_stream(struct check *k, int fd)
{
	if (greet(k, fd) < 0 || (k->config->http && request(k, fd) < 0)) {
		int error = errno;

		fd_close(&fd);
		fail(k, error);
	} else if (!k->config->http) {
		fd_close(&fd);
		finish(k, NULL, false);
	} else if (await_answer(k, fd) < 0) {
		fail(k, errno);
	}
}

static void on_connected(void *context, int fd, int error, const char *why)
{
	struct check *k = context;

	if (fd < 0)
		finish(k, why, connect_is_short(error));
	else if (k->config->endpoint->kind != ENDPOINT_UDP)
		on_stream(k, fd);
	else if (await_answer(k, fd) < 0 || send(fd, "", 0, MSG_NOSIGNAL) < 0)
		datagram_refused(k, errno);
}

/* ---- a check --------------------------------------------------------------------------------- */

static void on_ready(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct check *k = CONTAINER_OF(w, struct check, io);

	(void)r;
	(void)ready;
	if (k->config->http)
		on_http(k);
	else
		on_datagram(k);
}

static void on_patience(struct reactor *r, struct timer *t)
{
	struct check *k = CONTAINER_OF(t, struct check, patience);

	(void)r;
	if (k->config->http)
		fail(k, ETIMEDOUT);
	else
		finish(k, NULL, false); /* nobody refused the datagram */
}

void check_init(struct check *k, struct reactor *r, struct resolver *v,
		const struct check_config *c, check_call *call, void *context)
{
	*k = (struct check){
	    .config = c, .reactor = r, .resolver = v, .call = call, .context = context};
	io_init(&k->io, -1, IO_READ, on_ready);
	timer_init(&k->patience, CLOCK_OF_LOOP, on_patience);
}

bool check_is_under_way(const struct check *k)
{
	return k->state != CHECK_IDLE;
}

void check_start(struct check *k)
{
	const struct check_config *c = k->config;

	if (check_is_under_way(k))
		return;
	k->state = CHECK_CONNECTING;
	k->late = reactor_now(k->reactor, CLOCK_OF_LOOP) + c->timeout;
	connector_start(&k->connector, k->reactor, k->resolver, c->endpoint,
			&(struct connect_config){c->timeout, c->from, c->own}, on_connected, k);
}
