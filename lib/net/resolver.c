/*
 * See resolver.h. A question is shared by all who ask the same while it is under way; the thread
 * owns nothing but its question, which whoever is last (thread or resolver) frees.
 */
#include "net/resolver.h"

#include "base/fd.h"
#include "base/list.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

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
	struct io_watcher told; /* of an eventfd, until it is answered */
	int tell_fd; /* the thread's own duplicate: the question may be dropped before the answer */
	atomic_int holders; /* resolver, thread, and who is telling the answer */
	bool answered;
	int64_t expires;
	int error; /* of getaddrinfo */
	int want;  /* of descriptors: an errno, or 0 */
	int n;
	struct address addresses[RESOLVED_MOST];
	uint16_t port;
	char host[];
};

struct resolver {
	struct reactor *reactor;
	struct link questions;
	int64_t ttl;
};

struct resolver *resolver_new(struct reactor *r, int64_t ttl)
{
	struct resolver *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	v->reactor = r;
	v->ttl = ttl;
	list_init(&v->questions);
	return v;
}

static void question_release(struct question *q)
{
	if (atomic_fetch_sub(&q->holders, 1) == 1)
		free(q);
}

static void question_drop(struct question *q)
{
	LIST_EACH(at, after, &q->askers)
	{
		list_remove(at);
		free(CONTAINER_OF(at, struct asker, link));
	}
	list_remove(&q->link);
	io_stop_close(q->resolver->reactor, &q->told);
	question_release(q);
}

void resolver_free(struct resolver *v)
{
	LIST_EACH(at, after, &v->questions)
	question_drop(CONTAINER_OF(at, struct question, link));
	free(v);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void take_addresses(struct question *q, const struct addrinfo *list)
{
	for (; list && q->n < RESOLVED_MOST; list = list->ai_next) {
		struct address *a = &q->addresses[q->n];

		if (list->ai_addrlen > sizeof a->storage)
			continue;
		memcpy(&a->any, list->ai_addr, list->ai_addrlen);
		a->length = list->ai_addrlen;
		q->n++;
	}
}

/*
 * Is there no descriptor to be had? An errno, or 0. What getaddrinfo(3) says without one is not to
 * be relied upon: that there is no such name, for one.
 */
static int want_of_descriptors(const struct question *q)
{
	int fd = fcntl(q->tell_fd, F_DUPFD_CLOEXEC, 0);
	int error = fd < 0 ? errno : 0;

	fd_close(&fd);
	return error;
}

static void *ask(void *question)
{
	struct question *q = question;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	char port[8];

	snprintf(port, sizeof port, "%u", q->port);
	q->want = want_of_descriptors(q);
	if (!q->want)
		q->error = getaddrinfo(q->host, port, &hints, &list);
	if (q->error)
		q->want = want_of_descriptors(q);
	take_addresses(q, list);
	if (list)
		freeaddrinfo(list);
	eventfd_write(q->tell_fd, 1);
	fd_close(&q->tell_fd);
	question_release(q);
	return NULL;
}

static int start_thread(struct question *q)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int error;

	q->tell_fd = fcntl(q->told.fd, F_DUPFD_CLOEXEC, 3);
	if (q->tell_fd < 0)
		return -1;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, 256 * 1024);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	atomic_fetch_add(&q->holders, 1);
	error = pthread_create(&thread, &attributes, ask, q);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (!error)
		return 0;
	atomic_fetch_sub(&q->holders, 1);
	fd_close(&q->tell_fd);
	errno = error;
	return -1;
}

/* ---- answers --------------------------------------------------------------------------------- */

static const char *why_not(const struct question *q)
{
	if (q->want)
		return strerror(q->want);
	if (q->error)
		return gai_strerror(q->error);
	return q->n ? NULL : "no address";
}

static void tell(const struct question *q, resolved_call *call, void *context)
{
	errno = q->want;
	call(context, q->addresses, q->n, why_not(q));
}

static void on_answer(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct question *q = CONTAINER_OF(w, struct question, told);

	(void)ready;
	io_stop_close(r, w);
	/* Whom we call may ask for the next name, and so drop this question. */
	atomic_fetch_add(&q->holders, 1);
	q->answered = true;
	/* What failed is asked again by the next one. */
	q->expires = q->n ? reactor_now(r, CLOCK_OF_LOOP) + q->resolver->ttl : 0;
	while (!list_empty(&q->askers)) {
		struct asker *a = CONTAINER_OF(q->askers.next, struct asker, link);
		struct asker copy = *a;

		list_remove(&a->link);
		free(a);
		tell(q, copy.call, copy.context);
	}
	question_release(q);
}

static struct question *question_find(struct resolver *v, const struct endpoint *ep)
{
	int64_t now = reactor_now(v->reactor, CLOCK_OF_LOOP);

	LIST_EACH(at, after, &v->questions)
	{
		struct question *q = CONTAINER_OF(at, struct question, link);

		if (q->answered && q->expires <= now && list_empty(&q->askers))
			question_drop(q);
		else if (q->port == ep->port && strcmp(q->host, ep->host) == 0)
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
	list_append(&v->questions, &q->link);
	atomic_init(&q->holders, 1);
	io_init(&q->told, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), IO_READ, on_answer);
	if (q->told.fd >= 0 && io_start(v->reactor, &q->told) == 0 && start_thread(q) == 0)
		return q;
	question_drop(q);
	return NULL;
}

int resolver_ask(struct resolver *v, const struct endpoint *ep, resolved_call *call, void *context)
{
	struct address addresses[RESOLVED_MOST];
	int n = endpoint_addresses(ep, addresses, RESOLVED_MOST);
	struct question *q;
	struct asker *a;

	if (n > 0 || !ep->host) {
		errno = 0;
		call(context, addresses, n, n > 0 ? NULL : "no address");
		return 0;
	}
	q = question_find(v, ep);
	if (q && q->answered) {
		tell(q, call, context);
		return 0;
	}
	if (!q)
		q = question_new(v, ep);
	a = q ? calloc(1, sizeof *a) : NULL;
	if (!a)
		return -1;
	a->call = call;
	a->context = context;
	list_append(&q->askers, &a->link);
	return 0;
}

void resolver_forget(struct resolver *v, void *context)
{
	LIST_EACH(at, after, &v->questions)
	{
		struct question *q = CONTAINER_OF(at, struct question, link);

		LIST_EACH(asker, next, &q->askers)
		{
			struct asker *a = CONTAINER_OF(asker, struct asker, link);

			if (a->context != context)
				continue;
			list_remove(&a->link);
			free(a);
		}
	}
}
