/* What the tests of signals share: a watcher that counts what it is told. */
#ifndef EVWATCH_TESTS_REACTOR_HEARD_H
#define EVWATCH_TESTS_REACTOR_HEARD_H

#include "reactor_suite.h"

#include <signal.h>

struct heard {
	struct signal_watcher watcher;
	int calls, sum, again;
	struct signal_info last;
	void (*act)(struct reactor *r, struct heard *h);
	struct heard *other;
};

static inline void on_heard(struct reactor *r, struct signal_watcher *w,
			    const struct signal_info *info)
{
	struct heard *h = CONTAINER_OF(w, struct heard, watcher);

	h->calls++;
	h->sum += info->value;
	h->last = *info;
	if (h->act)
		h->act(r, h);
}

static inline void hear(struct reactor *r, struct heard *h, int number)
{
	*h = (struct heard){0};
	signal_init(&h->watcher, number, on_heard);
	if (signal_start(r, &h->watcher) < 0)
		bail_out("signal_start");
}

static volatile sig_atomic_t former_calls;

static inline void former_handler(int number)
{
	(void)number;
	former_calls++;
}

static inline void raise_again(struct reactor *r, struct heard *h)
{
	(void)r;
	if (h->again-- > 0)
		raise(h->watcher.number);
}

/* Turns until nothing more is told. */
static inline void drain(struct reactor *r, const struct heard *h)
{
	for (int idle = 0, before = -1; idle < 5; idle = h->calls == before ? idle + 1 : 0) {
		before = h->calls;
		turns(r, 1);
	}
}

static inline bool is_blocked(int number)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, number);
}

#endif
