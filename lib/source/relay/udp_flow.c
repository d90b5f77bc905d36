/*
 * The datagrams of a session, both ways. See udp.h.
 *
 * Those that come before the target answers for the first time are held, as long as there is
 * another target, or address, that could have them when this one refuses.
 */
#include "source/relay/udp.h"

#include "source/relay/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HELD_MOST = 16, BURST = 8 };

static const struct relay_config *config_of(const struct session *s)
{
	return s->owner->source->base.config;
}

/* ---- --rate and --dump ----------------------------------------------------------------------- */

/*
 * How many of these datagrams may pass: a whole datagram, or none of it. The others are lost, since
 * nothing waits.
 */
static int limit(struct session *s, enum way way, const struct packets *p, int first, int n)
{
	uint64_t rate = config_of(s)->rate;
	int64_t now;

	if (!rate)
		return n;
	now = reactor_now(s->owner->source->base.reactor, CLOCK_OF_LOOP);
	for (int i = 0; i < n; i++) {
		if (bucket_allows(&s->buckets[way], rate, now) == 0) {
			s->lost += (uint64_t)(n - i);
			return i;
		}
		bucket_take(&s->buckets[way], rate, now, p->headers[first + i].msg_len);
	}
	return n;
}

static void dump(struct session *s, enum way way, struct packets *p, int i)
{
	struct dump *d = &s->owner->source->dump;
	struct address remote;
	struct dump_place at = {
	    .connection = s->number,
	    .offset = way == WAY_TO ? s->to : s->from,
	    .remote = &remote,
	    .target = &config_of(s)->targets[s->target],
	    .back = way == WAY_FROM,
	};

	if (!d->source)
		return;
	remote = session_remote(s);
	dump_add(d, &at, packets_bytes(p, i), p->headers[i].msg_len);
}

/* ---- datagrams that wait --------------------------------------------------------------------- */

void session_drop_held(struct session *s)
{
	while (s->held) {
		struct held *h = s->held;

		s->held = h->next;
		free(h);
	}
	s->held_end = &s->held;
	s->n_held = 0;
}

/* False when there is no room for it. */
static bool hold(struct session *s, const char *bytes, size_t length)
{
	struct held *h = s->n_held < HELD_MOST ? malloc(sizeof *h + length) : NULL;

	if (!h)
		return false;
	h->next = NULL;
	h->length = length;
	memcpy(h->bytes, bytes, length);
	*s->held_end = h;
	s->held_end = &h->next;
	s->n_held++;
	return true;
}

/* What does not fit is lost while there is no address yet; later it only ends the holding. */
static void hold_batch(struct session *s, int first, int n)
{
	struct packets *in = s->owner->in;

	for (int i = first; i < first + n; i++) {
		if (hold(s, packets_bytes(in, i), in->headers[i].msg_len))
			continue;
		if (s->state != SESSION_OPEN) {
			s->lost++;
			continue;
		}
		s->holds = false;
		session_drop_held(s);
		return;
	}
}

static void touch(struct session *s)
{
	s->last = reactor_now(s->owner->source->base.reactor, CLOCK_OF_LOOP);
	list_remove(&s->link);
	list_append(&s->owner->by_use, &s->link);
}

/* ---- from the target ------------------------------------------------------------------------- */

/* Addresses a reply to the client. */
static void address_reply(struct session *s, int i)
{
	struct packets *out = s->owner->out;
	struct msghdr *m = &out->headers[i].msg_hdr;

	out->names[i] = s->client;
	m->msg_name = &out->names[i];
	m->msg_namelen = s->client_length;
	own_address_put(&s->own, m, out->controls[i].bytes);
	s->owner->senders[i] = s;
	dump(s, WAY_FROM, out, i);
	s->from += out->headers[i].msg_len;
}

static void answered(struct session *s)
{
	s->unanswered = false;
	s->attempts = 0;
	s->holds = false;
	s->owner->source->told_no_target = false;
	if (s->held)
		session_drop_held(s);
	touch(s);
}

void session_on_target(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct session *s = CONTAINER_OF(w, struct session, io);
	struct udp_relay *u = s->owner;
	int room = PACKETS_MOST - u->n_out, n;

	(void)ready;
	if (room == 0 || (u->n_out && u->out_socket != s->socket)) {
		udp_flush(u);
		room = PACKETS_MOST;
	}
	n = packets_receive(u->out, w->fd, u->n_out, room < BURST ? room : BURST, false);
	if (n < 0) {
		session_refused(s, errno);
		return;
	}
	if (n == 0)
		return;
	n = limit(s, WAY_FROM, u->out, u->n_out, n);
	for (int i = u->n_out; i < u->n_out + n; i++)
		address_reply(s, i);
	u->out_socket = s->socket;
	u->n_out += n;
	answered(s);
	if (u->n_out == PACKETS_MOST || timer_start_soon(r, &u->flush) < 0)
		udp_flush(u);
}

/* ---- to the target --------------------------------------------------------------------------- */

/* What became of a batch that was sent. */
struct sending {
	struct session *session;
	int refusal; /* the ICMP error that an earlier datagram brought back, or 0 */
};

static void on_lost(void *context, int i, int error)
{
	struct sending *sending = context;

	(void)i;
	if (error == ECONNREFUSED)
		sending->refusal = error;
	if (error != ECONNREFUSED || !sending->session->holds)
		sending->session->lost++;
}

static void transmit(struct session *s, int first, int n)
{
	struct packets *in = s->owner->in;
	struct sending sending = {.session = s};

	/* The socket is connected: names and controls were those of the client. */
	for (int i = first; i < first + n; i++) {
		struct msghdr *m = &in->headers[i].msg_hdr;

		m->msg_name = m->msg_control = NULL;
		m->msg_namelen = 0;
		m->msg_controllen = 0;
	}
	packets_send(in, s->io.fd, first, n, on_lost, &sending);
	if (sending.refusal)
		session_refused(s, sending.refusal);
}

void session_send_held(struct session *s)
{
	struct sending sending = {.session = s};

	for (struct held *h = s->held; h; h = h->next)
		if (send(s->io.fd, h->bytes, h->length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			on_lost(&sending, 0, errno);
	if (!s->holds)
		session_drop_held(s);
	if (sending.refusal)
		session_refused(s, sending.refusal);
}

void session_send(struct session *s, int first, int n)
{
	struct packets *in = s->owner->in;

	n = limit(s, WAY_TO, in, first, n);
	for (int i = first; i < first + n; i++) {
		dump(s, WAY_TO, in, i);
		s->to += in->headers[i].msg_len;
	}
	s->unanswered = true;
	touch(s);
	if (s->state != SESSION_OPEN || s->holds)
		hold_batch(s, first, n);
	if (s->state == SESSION_NEW)
		session_ask(s);
	else if (s->state == SESSION_OPEN)
		transmit(s, first, n);
}
