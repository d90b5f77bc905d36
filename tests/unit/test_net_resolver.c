/* Names to addresses: shared questions, kept answers, askers that go away meanwhile. */
#include "net/resolver.h"

#include "base/error.h"
#include "reactor/reactor.h"
#include "tap.h"

#include <dirent.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* The name service of this test, in place of libc's: it knows one name, and answers when let. */
static pthread_mutex_t name_service = PTHREAD_MUTEX_INITIALIZER;

int getaddrinfo(const char *restrict node, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict result)
{
	struct addrinfo *one;
	struct sockaddr_in *address;

	(void)hints;
	pthread_mutex_lock(&name_service);
	pthread_mutex_unlock(&name_service);
	if (!node || strcmp(node, "known.test") != 0)
		return EAI_NONAME;
	one = calloc(1, sizeof *one);
	address = calloc(1, sizeof *address);
	if (!one || !address)
		abort();
	address->sin_family = AF_INET;
	address->sin_port = htons((uint16_t)atoi(service));
	address->sin_addr.s_addr = htonl(0xC0000201); /* 192.0.2.1: RFC 5737 */
	one->ai_family = AF_INET;
	one->ai_addr = (struct sockaddr *)address;
	one->ai_addrlen = sizeof *address;
	*result = one;
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	free(list->ai_addr);
	free(list);
}

struct heard {
	int calls, n;
	uint16_t port;
	char why[80];
};

static void on_resolved(void *context, const struct address *addresses, int n, const char *why)
{
	struct heard *h = context;

	h->calls++;
	h->n = n;
	h->port = n ? ntohs(addresses[0].v4.sin_port) : 0; /* in the same place for both families */
	snprintf(h->why, sizeof h->why, "%s", why ? why : "");
}

static int ask(struct resolver *v, const char *word, struct heard *h)
{
	struct endpoint ep;
	struct error e;
	int result;

	if (endpoint_parse(&ep, word, &e) < 0)
		return -2;
	result = resolver_ask(v, &ep, on_resolved, h);
	endpoint_release(&ep);
	return result;
}

/* Turns the loop until the answer is there; a resolver's time-out is the limit. */
static void wait_for(struct reactor *r, const struct heard *h)
{
	for (int i = 0; i < 600 && !h->calls; i++)
		reactor_turn(r, 100 * 1000000);
}

static void test_known(struct reactor *r)
{
	struct resolver *v = resolver_new(r, INT64_C(60000000000), "test");
	struct heard first = {0}, second = {0}, third = {0};

	SAME(ask(v, "known.test:7", &first), 0, "a name is asked for");
	SAME(ask(v, "known.test:7", &second), 0, "and by another at the same time");
	SAME(first.calls + second.calls, 0, "neither is answered before the loop turns");
	wait_for(r, &first);
	OK(first.calls == 1 && first.n == 1 && first.port == 7, "the first hears");
	OK(second.calls == 1 && second.n == 1, "the second hears the same");
	ask(v, "known.test:7", &third);
	OK(third.calls == 1 && third.n == 1, "an answer that is kept comes at once");
	resolver_free(v);
}

static void test_at_once(struct reactor *r)
{
	struct resolver *v = resolver_new(r, 0, "test");
	struct heard h = {0};

	ask(v, "192.0.2.1:80", &h);
	OK(h.calls == 1 && h.n == 1 && h.port == 80, "a literal needs no resolver");
	ask(v, "unix:/nowhere", &h);
	OK(h.calls == 2 && h.n == 1, "nor does a Unix socket");
	resolver_free(v);
}

static void test_unknown(struct reactor *r)
{
	struct resolver *v = resolver_new(r, INT64_C(60000000000), "test");
	struct heard h = {0}, again = {0};

	ask(v, "nonesuch.invalid:80", &h); /* never there: RFC 6761, 6.4 */
	wait_for(r, &h);
	OK(h.calls == 1 && h.n == 0 && *h.why, "an unknown name: %s", h.why);
	ask(v, "nonesuch.invalid:80", &again);
	SAME(again.calls, 0, "what failed is asked again, not remembered");
	wait_for(r, &again);
	SAME(again.calls, 1, "and is answered again");
	resolver_free(v);
}

static int threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int n = 0;

	for (struct dirent *d; tasks && (d = readdir(tasks));)
		n += d->d_name[0] != '.';
	if (tasks)
		closedir(tasks);
	return n;
}

/* Somebody who tries the next name when one is not known, as a relay does. */
struct persistent {
	struct resolver *resolver;
	struct heard first, second;
};

static void on_first(void *context, const struct address *addresses, int n, const char *why)
{
	struct persistent *p = context;

	/* The thread has let go of its question: the resolver alone holds it. */
	for (int i = 0; i < 5000 && threads() > 1; i++)
		usleep(1000);
	ask(p->resolver, "known.test:7", &p->second);
	on_resolved(&p->first, addresses, n, why);
}

static void test_next_name(struct reactor *r)
{
	struct persistent p = {.resolver = resolver_new(r, 0, "test")};
	struct endpoint ep;
	struct error e;

	if (!SAME(endpoint_parse(&ep, "nonesuch.invalid:80", &e), 0, "a name"))
		return;
	resolver_ask(p.resolver, &ep, on_first, &p);
	endpoint_release(&ep);
	wait_for(r, &p.first);
	OK(p.first.calls == 1 && p.first.n == 0 && *p.first.why, "an unknown name");
	SAME(p.second.calls, 0, "asking for the next one inside the call is no answer yet");
	wait_for(r, &p.second);
	OK(p.second.calls == 1 && p.second.n == 1 && p.second.port == 7, "it has its own answer");
	resolver_free(p.resolver);
}

/* The thread is still at it when its asker, and then the resolver, are gone. */
static void test_gone(struct reactor *r)
{
	struct resolver *v = resolver_new(r, 0, "test");
	struct heard h = {0};
	int fds[2];
	char byte;

	pthread_mutex_lock(&name_service);
	ask(v, "known.test:80", &h);
	resolver_forget(v, &h);
	resolver_free(v);
	/* Takes the numbers of what was just closed: a late wake-up must not land here. */
	if (!SAME(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0, "two descriptors"))
		return;
	pthread_mutex_unlock(&name_service);
	for (int i = 0; i < 5000 && threads() > 1; i++)
		usleep(1000);
	SAME(threads(), 1, "its thread ends by itself");
	reactor_turn(r, 0);
	SAME(h.calls, 0, "who is gone is not called");
	OK(read(fds[0], &byte, 1) < 0 && read(fds[1], &byte, 1) < 0,
	   "nor is a stranger's descriptor written to");
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	struct reactor *r = reactor_new(NULL, NULL);

	if (OK(r != NULL, "there is a loop")) {
		test_at_once(r);
		test_known(r);
		test_unknown(r);
		test_next_name(r);
		test_gone(r);
		reactor_free(r);
	}
	return tap_done();
}
