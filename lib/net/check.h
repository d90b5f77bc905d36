/*
 * One check of an endpoint: its name is resolved, every address is tried, and the answer is that it
 * is up, or why not. All of it takes `timeout` at most.
 *
 * A stream is up when it takes a connection; with `http` when it answers with a status that is
 * expected. A datagram socket that is connected to a closed port learns of it by ICMP, when that is
 * let through: UDP counts as up when a datagram could be sent and nobody refused it in time.
 */
#ifndef EVWATCH_NET_CHECK_H
#define EVWATCH_NET_CHECK_H

#include "net/connect.h"
#include "reactor/reactor.h"

/* What is asked for, and which answers are good. */
struct http_check {
	const char *host, *path; /* as the Host header and the request line have them */
	unsigned least, most;    /* statuses */
};

/* Outlives the check that is made of it. */
struct check_config {
	const struct endpoint *endpoint; /* a target: endpoint_check_target */
	int64_t timeout;                 /* ns, more than 0 */
	const struct address *from;      /* as of connect.h */
	const struct listener *own;      /* as of connect.h */
	const void *greeting;            /* sent to a stream that took us; NULL: nothing */
	size_t greeting_length;
	const struct http_check *http; /* NULL: a connection is enough */
};

/*
 * `why` it is down, or NULL. With `is_short` this machine lacks something (connect_is_short), and
 * `why` says nothing of the endpoint. The check may be freed from inside.
 */
typedef void check_call(void *context, const char *why, bool is_short);

struct check {
	const struct check_config *config; /* private from here on */
	struct reactor *reactor;
	struct resolver *resolver;
	enum { CHECK_IDLE, CHECK_CONNECTING, CHECK_WAITING } state;
	struct connector connector;
	struct io_watcher io; /* of the answer that is waited for */
	struct timer patience;
	int64_t late;    /* on the loop's clock */
	char answer[16]; /* what came of the status line */
	size_t length;
	char why[64];
	check_call *call;
	void *context;
};

void check_init(struct check *k, struct reactor *r, struct resolver *v,
		const struct check_config *c, check_call *call, void *context);
/* Begins; the call comes once, at once perhaps. One that is under way goes on. */
void check_start(struct check *k);
bool check_is_under_way(const struct check *k);
/* Ends what is under way; may come twice, or without a start. */
void check_stop(struct check *k);

#endif
