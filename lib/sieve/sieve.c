/* The stages one behind the other, and the silence of --quiet-for. See sieve.h. */
#include "sieve/sieve.h"

#include "event/event.h"
#include "base/list.h"
#include "sieve/stage.h"
#include "sieve/subjects.h"
#include "reactor/reactor.h"

#include <stdlib.h>

struct sieve {
	struct reactor *reactor;
	const struct sieve_config *config;
	const struct sieve_host *host;
	void *owner;
	struct subjects times, unique;
	struct timer silence;
	bool stopped;
};

bool sieve_is_needed(const struct sieve_config *c)
{
	return c->quiet_for || c->times || c->unique;
}

bool sieve_swallows(const struct sieve *f)
{
	return f->config->quiet_for != 0;
}

static bool admits(struct sieve *f, const struct event *event, int64_t now)
{
	const struct sieve_config *c = f->config;

	if (c->times && !times_admits(&f->times, c, event, now))
		return false;
	return !c->unique || unique_admits(&f->unique, c, event, now);
}

static void pass(struct sieve *f, struct event *events, size_t n)
{
	int64_t now = reactor_now(f->reactor, CLOCK_OF_LOOP);
	size_t passed = 0;

	for (size_t i = 0; i < n; i++) {
		if (admits(f, &events[i], now))
			events[passed++] = events[i];
		else
			f->host->dropped(f->owner, &events[i]);
	}
	if (passed)
		f->host->passed(f->owner, events, passed);
}

/* ---- silence --------------------------------------------------------------------------------- */

static void on_silence(struct reactor *r, struct timer *t)
{
	struct sieve *f = CONTAINER_OF(t, struct sieve, silence);
	struct event quiet = event_make("quiet");

	(void)r;
	pass(f, &quiet, 1);
}

int sieve_start(struct sieve *f)
{
	if (!f->config->quiet_for)
		return 0;
	return timer_start_in(f->reactor, &f->silence, f->config->quiet_for);
}

static void end_silence(struct sieve *f, const struct event *events, size_t n)
{
	for (size_t i = 0; i < n; i++)
		f->host->dropped(f->owner, &events[i]);
	if (!f->stopped)
		sieve_start(f);
}

void sieve_submit(struct sieve *f, struct event *events, size_t n)
{
	if (sieve_swallows(f))
		end_silence(f, events, n);
	else
		pass(f, events, n);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct sieve *sieve_new(struct reactor *r, const struct sieve_config *c, const char *rule,
			const struct sieve_host *host, void *owner)
{
	struct sieve *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	f->reactor = r;
	f->config = c;
	f->host = host;
	f->owner = owner;
	subjects_init(&f->times, rule, "--times", c->times_within);
	subjects_init(&f->unique, rule, "--unique", c->unique);
	timer_init(&f->silence, CLOCK_OF_LOOP, on_silence);
	return f;
}

void sieve_stop(struct sieve *f)
{
	f->stopped = true;
	timer_stop(f->reactor, &f->silence);
}

void sieve_free(struct sieve *f)
{
	sieve_stop(f);
	subjects_free(&f->times);
	subjects_free(&f->unique);
	free(f);
}
