/*
 * The health of an endpoint: it is checked now and then (net/check.h, or a check of the owner's),
 * and what changes is reported.
 */
#ifndef EVWATCH_NET_HEALTH_H
#define EVWATCH_NET_HEALTH_H

#include "net/check.h"

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

struct health;

/* Outlives the health that is made of it. */
struct health_config {
	struct check_config check;
	int64_t interval;    /* ns, more than 0; a check waits for the one before */
	uint64_t rise, fall; /* so many answers in a row make it up, down; at least 1 */
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
	struct check check;
	bool under_way;         /* a check of the owner's */
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

/* The answer of a check, as check_call has it. */
void health_answer(struct health *h, const char *why, bool is_short);

#endif
