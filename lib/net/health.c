/* See health.h. */
#include "net/health.h"

#include "base/fd.h"
#include "base/list.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* ---- answers --------------------------------------------------------------------------------- */

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

/* An errno. What we lack ourselves says nothing of who is looked at. */
static void look_failed(struct health *h, int error)
{
	if (!fd_is_short(error)) {
		take_answer(h, strerror(error));
	} else if (!h->blind) {
		h->blind = true;
		h->call(h->context, HEALTH_UNKNOWN, strerror(error));
	}
}

static void on_connected(void *context, int fd, int error)
{
	struct health *h = context;
	const struct health_config *c = h->config;

	h->connector = NULL;
	if (fd >= 0 && c->greeting &&
	    send(fd, c->greeting, c->greeting_length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		error = errno;
		fd_close(&fd);
	}
	if (fd < 0) {
		look_failed(h, error);
		return;
	}
	fd_close(&fd);
	take_answer(h, NULL);
}

/* ---- UDP ------------------------------------------------------------------------------------- */

/* With an errno, or 0: nobody refused it. */
static void udp_over(struct health *h, int error)
{
	int fd = h->udp.fd;

	io_stop(h->reactor, &h->udp);
	timer_stop(h->reactor, &h->patience);
	fd_close(&fd);
	h->udp.fd = -1;
	if (error)
		look_failed(h, error);
	else
		take_answer(h, NULL);
}

/* A reply, or the error that an ICMP message became. */
static void on_udp(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct health *h = CONTAINER_OF(w, struct health, udp);
	bool refused;
	char byte;

	(void)r;
	(void)ready;
	refused = recv(w->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != EAGAIN;
	udp_over(h, refused ? errno : 0);
}

static void look_by_udp(struct health *h, const struct address *to)
{
	int fd = socket(to->any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	io_init(&h->udp, fd, IO_READ, on_udp);
	if (fd < 0 || source_bind(fd, to, h->config->from) < 0 ||
	    connect(fd, &to->any, to->length) < 0 || send(fd, "", 0, MSG_NOSIGNAL) < 0 ||
	    io_start(h->reactor, &h->udp) < 0 ||
	    timer_start_in(h->reactor, &h->patience, h->config->timeout) < 0)
		udp_over(h, errno);
}

/* ---- looking --------------------------------------------------------------------------------- */

static void on_resolved(void *context, const struct address *addresses, int n, const char *why)
{
	struct health *h = context;
	struct connect_config config = {h->config->timeout, h->config->from};

	int error = errno;

	h->asking = false;
	timer_stop(h->reactor, &h->patience);
	if (fd_is_short(error)) {
		look_failed(h, error);
		return;
	}
	if (why || n == 0) {
		take_answer(h, why ? why : "no address");
		return;
	}
	if (h->config->endpoint->kind == ENDPOINT_UDP) {
		look_by_udp(h, &addresses[0]);
		return;
	}
	h->connector = connector_start(h->reactor, addresses, n, &config, on_connected, h);
	if (!h->connector)
		look_failed(h, errno);
}

static void stop_asking(struct health *h)
{
	if (h->asking)
		resolver_forget(h->resolver, h);
	h->asking = false;
}

/* Nobody refused the datagram; or the name has no answer yet. */
static void on_patience(struct reactor *r, struct timer *t)
{
	struct health *h = CONTAINER_OF(t, struct health, patience);

	(void)r;
	if (!h->asking) {
		udp_over(h, 0);
		return;
	}
	stop_asking(h);
	take_answer(h, "its name is not resolved in time");
}

static void on_next(struct reactor *r, struct timer *t)
{
	struct health *h = CONTAINER_OF(t, struct health, next);

	timer_start_in(r, t, h->config->interval);
	if (h->connector || h->udp.fd >= 0 || h->asking)
		return; /* the last one is still under way */
	h->asking = true;
	if (timer_start_in(r, &h->patience, h->config->timeout) == 0 &&
	    resolver_ask(h->resolver, h->config->endpoint, on_resolved, h) == 0)
		return;
	h->asking = false;
	timer_stop(r, &h->patience);
	look_failed(h, errno);
}

/* ---- life ------------------------------------------------------------------------------------ */

void health_init(struct health *h, struct reactor *r, struct resolver *v,
		 const struct health_config *c, health_call *call, void *context)
{
	*h = (struct health){
	    .config = c, .reactor = r, .resolver = v, .call = call, .context = context};
	io_init(&h->udp, -1, IO_READ, on_udp);
	timer_init(&h->next, CLOCK_OF_LOOP, on_next);
	timer_init(&h->patience, CLOCK_OF_LOOP, on_patience);
}

int health_start(struct health *h)
{
	return timer_start_in(h->reactor, &h->next, 0);
}

void health_stop(struct health *h)
{
	int fd = h->udp.fd;

	if (!h->reactor)
		return; /* it was never made */
	timer_stop(h->reactor, &h->next);
	timer_stop(h->reactor, &h->patience);
	if (h->connector)
		connector_stop(h->connector);
	h->connector = NULL;
	io_stop(h->reactor, &h->udp);
	fd_close(&fd);
	h->udp.fd = -1;
	stop_asking(h);
}
