/* See check.h. */
#include "net/check.h"

#include "base/fd.h"
#include "base/list.h"
#include "net/socket.h"

#include <errno.h>
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
	ssize_t n = c->greeting_length ? socket_send(fd, c->greeting, c->greeting_length) : 0;

	/* An empty socket takes as little as this. */
	if (n >= 0 && (size_t)n < c->greeting_length)
		errno = EMSGSIZE;
	return n == (ssize_t)c->greeting_length ? 0 : -1;
}

static void on_answer(struct check *k)
{
	const struct check_config *c = k->config;
	ssize_t n =
	    recv(k->io.fd, k->answer + k->length, sizeof k->answer - k->length, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		fail(k, errno);
		return;
	}
	k->length += (size_t)n;
	if (n == 0)
		finish(k, "it ended the connection without an answer", false);
	else if (k->length == sizeof k->answer)
		finish(k, c->judge(c->asked, k->answer, k->why, sizeof k->why) ? NULL : k->why,
		       false);
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
	if (greet(k, fd) < 0) {
		int error = errno;

		fd_close(&fd);
		fail(k, error);
	} else if (!k->config->judge) {
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
	if (k->config->judge)
		on_answer(k);
	else
		on_datagram(k);
}

static void on_patience(struct reactor *r, struct timer *t)
{
	struct check *k = CONTAINER_OF(t, struct check, patience);

	(void)r;
	if (k->config->judge)
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
