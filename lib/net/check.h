/*
 * One check of an endpoint: its name is resolved, every address is tried, and the answer is that it
 * is up, or why not. All of it takes `timeout` at most.
 *
 * A stream is up when it takes a connection; with `judge` when its answer is good. A datagram
 * socket that is connected to a closed port learns of it by ICMP, when that is let through: UDP
 * counts as up when a datagram could be sent and nobody refused it in time.
 */
#ifndef EVWATCH_NET_CHECK_H
#define EVWATCH_NET_CHECK_H

#include "net/connect.h"
#include "reactor/reactor.h"

enum { ANSWER_LENGTH = 12 }; /* bytes that are judged: as many as HTTP needs */

/* Is this answer good? If not, says why. */
typedef bool answer_judge(const void *asked, const char answer[ANSWER_LENGTH], char *why,
			  size_t room);

/* Outlives the check that is made of it. */
struct check_config {
	const struct endpoint *endpoint; /* a target: endpoint_check_target */
	int64_t timeout;                 /* ns, more than 0 */
	const struct address *from;      /* as of connect.h */
	const struct listener *own;      /* as of connect.h */
	const void *greeting;            /* sent to a stream that took us */
	size_t greeting_length;          /* 0: nothing is */
	answer_judge *judge;             /* NULL: a connection is enough */
	const void *asked;
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
	int64_t late; /* on the loop's clock */
	char answer[ANSWER_LENGTH];
	size_t length; /* that has come */
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
