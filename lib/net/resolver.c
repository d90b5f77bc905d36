/*
 * See resolver.h. A question is shared by all who ask the same while it is under way. It stays for
 * good, since its last good answer may be needed again: there are as many as the rules have names.
 *
 *	(no answer) --asked--> ASKING --an answer--> kept for the ttl --asked later--> ASKING
 *	                          \--no server--> the last good answer, kept for the ttl
 */
#include "net/resolver.h"

#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/units.h"
#include "net/lookup.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE (500 * NS_PER_MS) /* for a server, where there is an older answer */

struct asker {
	struct link link;
	resolved_call *call;
	void *context;
};

/* A name that is, or was, asked for. */
struct question {
	struct link link;
	struct resolver *resolver;
	struct link askers;
	struct link answering;    /* askers that get their answer next */
	struct lookup *lookup;    /* under way; NULL: none is */
	struct io_watcher wakeup; /* of a pipe, until it is answered; fd -1 */
	struct timer patience;
	struct lookup *known; /* the last good answer, or, without one, the last; NULL: none */
	int64_t expires;      /* of that answer */
	bool stale;           /* it is served in want of a newer one */
	uint16_t port;
	char host[];
};

struct resolver {
	struct reactor *reactor;
	struct link questions;
	int64_t ttl;
	const char *rule;
	size_t waiting; /* askers, of all questions */
	void (*answered)(void *context);
	void *context;
};

struct resolver *resolver_new(struct reactor *r, int64_t ttl, const char *rule)
{
	struct resolver *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	v->reactor = r;
	v->ttl = ttl;
	v->rule = rule;
	list_init(&v->questions);
	return v;
}

static void stop_asking(struct question *q)
{
	timer_stop(q->resolver->reactor, &q->patience);
	io_stop_close(q->resolver->reactor, &q->wakeup);
	lookup_release(q->lookup);
	q->lookup = NULL;
}

static void asker_free(struct resolver *v, struct asker *a)
{
	list_remove(&a->link);
	free(a);
	v->waiting--;
}

static void question_free(struct question *q)
{
	stop_asking(q);
	LIST_EACH(at, after, &q->askers)
	asker_free(q->resolver, CONTAINER_OF(at, struct asker, link));
	list_remove(&q->link);
	lookup_release(q->known);
	free(q);
}

void resolver_free(struct resolver *v)
{
	LIST_EACH(at, after, &v->questions)
	question_free(CONTAINER_OF(at, struct question, link));
	free(v);
}

/* ---- answers --------------------------------------------------------------------------------- */

static const char *why_not(const struct lookup *l)
{
	if (l->want)
		return strerror(l->want);
	if (l->error)
		return gai_strerror(l->error);
	return l->n ? NULL : "no address";
}

static void answer(const struct question *q, resolved_call *call, void *context)
{
	errno = q->known->want;
	call(context, q->known->addresses, q->known->n, why_not(q->known));
}

/* Those who ask again meanwhile are among the askers once more: their answer is another one. */
static void answer_all(struct question *q)
{
	LIST_EACH(at, after, &q->askers)
	{
		list_remove(at);
		list_append(&q->answering, at);
	}
	while (!list_empty(&q->answering)) {
		struct asker *a = CONTAINER_OF(list_take(&q->answering), struct asker, link);
		struct asker copy = *a;

		asker_free(q->resolver, a);
		answer(q, copy.call, copy.context);
	}
	if (q->resolver->answered)
		q->resolver->answered(q->resolver->context);
}

static int64_t now(const struct question *q)
{
	return reactor_now(q->resolver->reactor, CLOCK_OF_LOOP);
}

static bool has_good(const struct question *q)
{
	return q->known && q->known->n;
}

static void serve_stale(struct question *q, const char *why)
{
	if (!q->stale)
		log_warn(q->resolver->rule, "%s: %s: its last addresses are kept", q->host, why);
	q->stale = true;
	q->expires = now(q) + q->resolver->ttl;
}

/* No server said anything: that may pass. */
static bool may_pass(const struct lookup *l)
{
	return l->want || l->error == EAI_AGAIN || l->error == EAI_SYSTEM ||
	       l->error == EAI_MEMORY || l->error == EAI_FAIL;
}

static void take_answer(struct question *q)
{
	struct lookup *l = q->lookup;

	if (has_good(q) && may_pass(l)) {
		serve_stale(q, why_not(l));
		return;
	}
	lookup_release(q->known);
	q->known = l;
	q->lookup = NULL;
	q->stale = false;
	/* What failed is asked again by the next one. */
	q->expires = l->n ? now(q) + q->resolver->ttl : 0;
}

static void on_answer(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct question *q = CONTAINER_OF(w, struct question, wakeup);

	(void)r;
	(void)ready;
	take_answer(q);
	stop_asking(q);
	answer_all(q);
}

static void on_patience(struct reactor *r, struct timer *t)
{
	struct question *q = CONTAINER_OF(t, struct question, patience);

	(void)r;
	serve_stale(q, "no server answers");
	answer_all(q);
}

/* ---- questions ------------------------------------------------------------------------------- */

static struct question *question_find(struct resolver *v, const struct endpoint *ep)
{
	LIST_EACH(at, after, &v->questions)
	{
		struct question *q = CONTAINER_OF(at, struct question, link);

		if (q->port == ep->port && strcmp(q->host, ep->host) == 0)
			return q;
	}
	return NULL;
}

static struct question *question_new(struct resolver *v, const struct endpoint *ep)
{
	size_t length = strlen(ep->host) + 1;
	struct question *q = calloc(1, sizeof *q + length);

	if (!q)
		return NULL;
	q->resolver = v;
	q->port = ep->port;
	memcpy(q->host, ep->host, length);
	list_init(&q->askers);
	list_init(&q->answering);
	list_append(&v->questions, &q->link);
	io_init(&q->wakeup, -1, IO_READ, on_answer);
	timer_init(&q->patience, CLOCK_OF_LOOP, on_patience);
	return q;
}

/*
 * By a pipe: its reading end is closed with the watcher, whatever the thread still does. An eventfd
 * of which the thread has a duplicate would live on in the backend.
 */
static int start_asking(struct question *q)
{
	struct reactor *r = q->resolver->reactor;
	int ends[2];

	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
		return -1;
	io_init(&q->wakeup, ends[0], IO_READ, on_answer);
	if (io_start(r, &q->wakeup) == 0 &&
	    (!has_good(q) || timer_start_in(r, &q->patience, PATIENCE) == 0))
		q->lookup = lookup_start(q->host, q->port, ends[1]);
	if (q->lookup)
		return 0;
	fd_close(&ends[1]);
	stop_asking(q);
	return -1;
}

/* Is there an answer that may be served without waiting? */
static bool has_answer(const struct question *q)
{
	return has_good(q) && now(q) < q->expires;
}

static int await(struct question *q, resolved_call *call, void *context)
{
	struct asker *a = calloc(1, sizeof *a);

	if (!a)
		return -1;
	a->call = call;
	a->context = context;
	list_append(&q->askers, &a->link);
	q->resolver->waiting++;
	return 0;
}

int resolver_ask(struct resolver *v, const struct endpoint *ep, resolved_call *call, void *context)
{
	struct address literal[2];
	int n = endpoint_addresses(ep, literal, 2);
	struct question *q;

	if (n > 0 || !ep->host) {
		errno = 0;
		call(context, literal, n, n > 0 ? NULL : "no address");
		return 0;
	}
	q = question_find(v, ep);
	if (!q)
		q = question_new(v, ep);
	if (!q)
		return -1;
	if (!has_answer(q) && !q->lookup && start_asking(q) < 0)
		return -1;
	/* One that hangs is not waited for once more by everybody who asks. */
	if (has_answer(q) || (q->lookup && q->stale)) {
		answer(q, call, context);
		return 0;
	}
	return await(q, call, context);
}

static void forget_among(struct resolver *v, struct link *askers, const void *context)
{
	LIST_EACH(at, after, askers)
	{
		struct asker *a = CONTAINER_OF(at, struct asker, link);

		if (a->context == context)
			asker_free(v, a);
	}
}

void resolver_forget(struct resolver *v, void *context)
{
	LIST_EACH(at, after, &v->questions)
	{
		struct question *q = CONTAINER_OF(at, struct question, link);

		forget_among(v, &q->askers, context);
		forget_among(v, &q->answering, context);
	}
}

size_t resolver_waiting(const struct resolver *v)
{
	return v->waiting;
}

void resolver_on_answer(struct resolver *v, void (*call)(void *context), void *context)
{
	v->answered = call;
	v->context = context;
}
