/*
 * The health of an endpoint: it is checked now and then, and what changes is reported.
 *
 * In a check its name is resolved, every address is tried, and the answer is that it is up, or why
 * not. A stream is up when it takes a connection; with `judge` when its answer is good. A datagram
 * socket that is connected to a closed port learns of it by ICMP, when that is let through: UDP
 * counts as up when a datagram could be sent and nobody refused it in time.
 */
#ifndef EVWATCH_NET_HEALTH_H
#define EVWATCH_NET_HEALTH_H

#include "net/connect.h"
#include "reactor/reactor.h"

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

struct health;

enum { ANSWER_LENGTH = 12 }; /* bytes that are judged: as many as HTTP needs */

/* Is this answer good? If not, says why. */
typedef bool answer_judge(const void *asked, const char answer[ANSWER_LENGTH], char *why,
			  size_t room);

/* Outlives the health that is made of it. */
struct health_config {
	int64_t interval;                /* ns, more than 0; a check waits for the one before */
	uint64_t rise, fall;             /* so many answers in a row make it up, down; at least 1 */
	const struct endpoint *endpoint; /* a target: endpoint_check_target */
	int64_t timeout;                 /* ns, more than 0, for all of a check */
	const struct address *from;      /* as of connect.h */
	const struct listener *own;      /* as of connect.h */
	const void *greeting;            /* sent to a stream that took us */
	size_t greeting_length;          /* 0: nothing is */
	answer_judge *judge;             /* NULL: a connection is enough */
	const void *asked;
	/*
	 * A check of the owner's instead; each calls health_answer, once, perhaps at once. `cancel`
	 * ends one that is under way.
	 */
	void (*begin)(struct health *h);
	void (*cancel)(struct health *h);
};

/*
 * The state has changed; `why` it is down, or NULL. It may be stopped from inside. HEALTH_UNKNOWN:
 * for a shortage of this machine it cannot be checked, which is reported once and changes nothing.
 */
typedef void health_call(void *context, enum health_state state, const char *why);

struct health {
	enum health_state state; /* HEALTH_UNKNOWN until rise, or fall, answers have come */
	struct timer next;       /* its priority is public, before start */
	void *context;           /* public */
	const struct health_config *config; /* private from here on */
	struct reactor *reactor;
	struct resolver *resolver;
	enum { CHECK_NONE, CHECK_OF_OWNER, CHECK_CONNECTING, CHECK_WAITING } check;
	struct connector connector;
	struct io_watcher io; /* of the answer that is waited for */
	struct timer patience;
	int64_t late; /* on the loop's clock */
	char answer[ANSWER_LENGTH];
	size_t length; /* that has come */
	char why[64];
	bool blind;             /* was reported, and could not be checked since */
	enum health_state last; /* answer */
	uint64_t in_a_row;      /* such answers, while they differ from `state` */
	health_call *call;
};

/* Both reactor and resolver outlive it. */
void health_init(struct health *h, struct reactor *r, struct resolver *v,
		 const struct health_config *c, health_call *call, void *context);
/* The first check is in the next turn. Returns 0, or -1 with ENOMEM. */
int health_start(struct health *h);
/* Ends what is under way; may come twice, or without a start. */
void health_stop(struct health *h);

/*
 * The answer of a check: `why` it is down, or NULL. With `is_short` this machine lacks something
 * (connect_is_short), and `why` says nothing of the endpoint.
 */
void health_answer(struct health *h, const char *why, bool is_short);

#endif
