/*
 * See health.h. A check:
 *
 *	NONE --start--> CONNECTING --sent, or asked--> WAITING --an answer--> NONE
 *	                   ^   \--no address is left--> NONE      |
 *	                   +-----a datagram is refused------------+
 */
#include "net/health.h"

#include "base/fd.h"
#include "base/list.h"
#include "net/socket.h"

#include <errno.h>
#include <sys/socket.h>

/* ---- answers --------------------------------------------------------------------------------- */

static void end_check(struct health *h)
{
	connector_stop(&h->connector);
	io_stop_close(h->reactor, &h->io);
	timer_stop(h->reactor, &h->patience);
	h->check = CHECK_NONE;
}

/* `why` it is down, or NULL: it is up. */
static void take_answer(struct health *h, const char *why)
{
	enum health_state answer = why ? HEALTH_DOWN : HEALTH_UP;

	h->blind = false;
	/* While nothing is known yet, good and bad ones both differ from it, but not in a row. */
	if (answer != h->last)
		h->in_a_row = 0;
	h->last = answer;
	if (answer == h->state || ++h->in_a_row < (why ? h->config->fall : h->config->rise))
		return;
	h->in_a_row = 0;
	h->state = answer;
	h->call(h->context, answer, why);
}

void health_answer(struct health *h, const char *why, bool is_short)
{
	end_check(h);
	/* What we lack ourselves says nothing of who is checked. */
	if (!is_short) {
		take_answer(h, why);
	} else if (!h->blind) {
		h->blind = true;
		h->call(h->context, HEALTH_UNKNOWN, why);
	}
}

/* An errno. */
static void fail(struct health *h, int error)
{
	health_answer(h, connect_error(error), connect_is_short(error));
}

/* ---- UDP ------------------------------------------------------------------------------------- */

/* The next address, as long as they refuse; `error`: of this one. */
static void datagram_refused(struct health *h, int error)
{
	io_stop_close(h->reactor, &h->io);
	h->check = CHECK_CONNECTING;
	if (connector_has_more(&h->connector))
		connector_again(&h->connector);
	else
		fail(h, error);
}

/* A reply, or the error that an ICMP message became. */
static void on_datagram(struct health *h)
{
	char byte;

	if (recv(h->io.fd, &byte, 1, MSG_DONTWAIT) >= 0)
		health_answer(h, NULL, false);
	else if (errno != EAGAIN && errno != EINTR)
		datagram_refused(h, errno);
}

/* ---- streams --------------------------------------------------------------------------------- */

static int greet(const struct health *h, int fd)
{
	const struct health_config *c = h->config;
	ssize_t n = c->greeting_length ? socket_send(fd, c->greeting, c->greeting_length) : 0;

	/* An empty socket takes as little as this. */
	if (n >= 0 && (size_t)n < c->greeting_length)
		errno = EMSGSIZE;
	return n == (ssize_t)c->greeting_length ? 0 : -1;
}

static void on_answer(struct health *h)
{
	const struct health_config *c = h->config;
	ssize_t n =
	    recv(h->io.fd, h->answer + h->length, sizeof h->answer - h->length, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		fail(h, errno);
		return;
	}
	h->length += (size_t)n;
	if (n == 0)
		health_answer(h, "it ended the connection without an answer", false);
	else if (h->length == sizeof h->answer)
		health_answer(
		    h, c->judge(c->asked, h->answer, h->why, sizeof h->why) ? NULL : h->why, false);
}

/* ---- a check --------------------------------------------------------------------------------- */

static void on_ready(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct health *h = CONTAINER_OF(w, struct health, io);

	(void)r;
	(void)ready;
	if (h->config->judge)
		on_answer(h);
	else
		on_datagram(h);
}

/* Waits for what `fd`, which is taken over, answers. */
static int await_answer(struct health *h, int fd)
{
	h->check = CHECK_WAITING;
	h->length = 0;
	io_init(&h->io, fd, IO_READ, on_ready);
	return io_start(h->reactor, &h->io) == 0 &&
		       timer_start_at(h->reactor, &h->patience, h->late) == 0
		   ? 0
		   : -1;
}

static void on_stream(struct health *h, int fd)
{
	if (greet(h, fd) < 0) {
		int error = errno;

		fd_close(&fd);
		fail(h, error);
	} else if (!h->config->judge) {
		fd_close(&fd);
		health_answer(h, NULL, false);
	} else if (await_answer(h, fd) < 0) {
		fail(h, errno);
	}
}

static void on_connected(void *context, int fd, int error, const char *why)
{
	struct health *h = context;

	if (fd < 0)
		health_answer(h, why, connect_is_short(error));
	else if (h->config->endpoint->kind != ENDPOINT_UDP)
		on_stream(h, fd);
	else if (await_answer(h, fd) < 0 || send(fd, "", 0, MSG_NOSIGNAL) < 0)
		datagram_refused(h, errno);
}

static void on_patience(struct reactor *r, struct timer *t)
{
	struct health *h = CONTAINER_OF(t, struct health, patience);

	(void)r;
	if (h->config->judge)
		fail(h, ETIMEDOUT);
	else
		health_answer(h, NULL, false); /* nobody refused the datagram */
}

/* The answer comes once, at once perhaps. */
static void start_check(struct health *h)
{
	const struct health_config *c = h->config;

	if (c->begin) {
		h->check = CHECK_OF_OWNER;
		c->begin(h);
		return;
	}
	h->check = CHECK_CONNECTING;
	h->late = reactor_now(h->reactor, CLOCK_OF_LOOP) + c->timeout;
	connector_start(&h->connector, h->reactor, h->resolver, c->endpoint,
			&(struct connect_config){c->timeout, c->from, c->own}, on_connected, h);
}

static void on_next(struct reactor *r, struct timer *t)
{
	struct health *h = CONTAINER_OF(t, struct health, next);

	timer_start_in(r, t, h->config->interval);
	if (h->check == CHECK_NONE)
		start_check(h);
}

/* ---- life ------------------------------------------------------------------------------------ */

void health_init(struct health *h, struct reactor *r, struct resolver *v,
		 const struct health_config *c, health_call *call, void *context)
{
	*h = (struct health){
	    .config = c, .reactor = r, .resolver = v, .call = call, .context = context};
	io_init(&h->io, -1, IO_READ, on_ready);
	timer_init(&h->patience, CLOCK_OF_LOOP, on_patience);
	timer_init(&h->next, CLOCK_OF_LOOP, on_next);
}

int health_start(struct health *h)
{
	return timer_start_in(h->reactor, &h->next, 0);
}

void health_stop(struct health *h)
{
	if (!h->reactor)
		return; /* it was never made */
	timer_stop(h->reactor, &h->next);
	if (h->check == CHECK_OF_OWNER)
		h->config->cancel(h);
	end_check(h);
}
