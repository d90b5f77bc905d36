/* See seeker.h. */
#include "source/relay/seeker.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"
#include "source/relay/relayed.h"
#include "source/relay/report.h"
#include "source/relay/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE      (100 * NS_PER_MS) /* until a descriptor is free, perhaps */
#define ROUND      (100 * NS_PER_MS) /* before all are tried again; it doubles */
#define ROUND_MOST (5 * NS_PER_S)

enum seek_state {
	SEEK_IDLE,
	SEEK_CONNECTING,
	SEEK_NEXT,   /* the next target is chosen in a turn of its own: failures do not nest */
	SEEK_AGAIN,  /* so is this one asked for again, since there is room now */
	SEEK_PAUSED, /* between two rounds */
	SEEK_STARVED,
	SEEK_FOUND
};

struct seeker {
	struct link link; /* among those that starve */
	struct relay_source *source;
	struct relayed *relayed;
	struct connector connector;
	struct timer timer; /* the end of the state that it waits in */
	int64_t starved;    /* when starving began, or 0 */
	uint64_t hash;      /* of the client */
	uint64_t rounds;    /* that are over */
	int64_t pause;      /* after the last round */
	enum seek_state state;
	bool tried[]; /* in this round, each target */
};

static int64_t now(const struct seeker *k)
{
	return reactor_now(k->source->base.reactor, CLOCK_OF_LOOP);
}

/* ---- one target after the other -------------------------------------------------------------- */

static void end(struct seeker *k, int fd)
{
	k->state = fd < 0 ? SEEK_IDLE : SEEK_FOUND;
	k->source->carrier->sought(k->relayed, fd);
}

/* How many targets were not tried in this round. */
static size_t untried(const struct seeker *k)
{
	size_t n = 0;

	for (size_t i = 0; i < relay_config(k->source)->n_targets; i++)
		n += !k->tried[i];
	return n;
}

/* Goes on in so many ns, by on_timer. */
static void go_on_in(struct seeker *k, int64_t delay, enum seek_state state)
{
	k->state = state;
	if (timer_start_in(k->source->base.reactor, &k->timer, delay) < 0)
		end(k, -1);
}

/* All targets failed: a pause, and again. */
static void end_round(struct seeker *k)
{
	k->rounds++;
	memset(k->tried, 0, relay_config(k->source)->n_targets * sizeof *k->tried);
	go_on_in(k, backoff_next(&k->pause, ROUND, ROUND_MOST), SEEK_PAUSED);
}

/* This target did not work; `own_fault`, or this machine lacks something. */
static void target_failed(struct seeker *k, const char *why, bool own_fault)
{
	struct relay_source *s = k->source;
	bool over, last;

	pool_leave(&s->targets, k->relayed->target);
	if (own_fault)
		pool_rest(&s->targets, k->relayed->target, now(k));
	k->tried[k->relayed->target] = true;
	k->starved = 0;
	over = untried(k) == 0;
	last = over && (k->rounds >= relay_config(s)->retry ||
			(s->carrier->wanted && !s->carrier->wanted(k->relayed)));
	k->state = SEEK_IDLE;
	report_target_failed(s, k->relayed->target, why, last);
	if (last)
		end(k, -1);
	else if (over)
		end_round(k);
	else
		go_on_in(k, 0, SEEK_NEXT);
}

/* ---- want of descriptors --------------------------------------------------------------------- */

/*
 * There is none for the target's socket: the client waits until one is free, and nobody is accepted
 * meanwhile. Not for ever: where all descriptors are held by clients that wait, none would ever be.
 * False: it waited long enough.
 */
static bool starve(struct seeker *k)
{
	struct relay_source *s = k->source;
	int64_t left;

	if (!k->starved)
		k->starved = now(k);
	left = k->starved + relay_config(s)->connect_timeout - now(k);
	if (left <= 0 ||
	    timer_start_in(s->base.reactor, &s->search.feed, left < PAUSE ? left : PAUSE) < 0)
		return false;
	if (!s->search.logged_starved)
		log_warn(s->base.rule, "no descriptor is left for connections to targets: clients "
				       "wait until one is free (ulimit -n)");
	s->search.logged_starved = true;
	k->state = SEEK_STARVED;
	list_append(&s->search.starved, &k->link);
	relay_review(s);
	return true;
}

/* A shortage, or a failure of the target: an errno, and what is reported of it. */
static void fail(struct seeker *k, int error, const char *why)
{
	struct relay_source *s = k->source;

	if (!connect_is_short(error)) {
		target_failed(k, why, true);
		return;
	}
	if (fd_is_short(error) && s->carrier->make_room && s->carrier->make_room(s, k->relayed))
		go_on_in(k, 0, SEEK_AGAIN);
	else if (error == EAGAIN || !starve(k))
		target_failed(k, why, false);
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void on_connected(void *context, int fd, int error, const char *why)
{
	struct seeker *k = context;
	struct relay_source *s = k->source;

	if (fd >= s->search.most) {
		fd_close(&fd);
		error = EMFILE;
		why = connect_error(error);
	}
	if (fd >= 0) {
		pool_took(&s->targets, k->relayed->target);
		end(k, fd);
		return;
	}
	relay_review(s); /* its name is not waited for any more */
	fail(k, error, why);
}

static void try_target(struct seeker *k)
{
	const struct relay_source *s = k->source;
	const struct connect_config config = {relay_config(s)->connect_timeout,
					      relay_source_address(relay_config(s)), &s->listener};

	k->state = SEEK_CONNECTING;
	/* The call may come at once, and free the seeker. */
	connector_start(&k->connector, s->base.reactor, s->resolver,
			&relay_config(s)->targets[k->relayed->target], &config, on_connected, k);
}

void seeker_start(struct seeker *k)
{
	struct pool *t = &k->source->targets;

	k->relayed->target = (uint32_t)pool_choose(t, k->hash, k->tried);
	pool_enter(t, k->relayed->target);
	try_target(k);
}

static void on_timer(struct reactor *r, struct timer *t)
{
	struct seeker *k = CONTAINER_OF(t, struct seeker, timer);

	(void)r;
	if (k->state == SEEK_AGAIN)
		try_target(k);
	else
		seeker_start(k);
}

/* One that starves again at once comes behind the last: its turn is another time. */
static void on_feed(struct reactor *r, struct timer *t)
{
	struct relay_source *s = CONTAINER_OF(t, struct relay_source, search.feed);
	size_t n = 0;

	(void)r;
	LIST_EACH(at, after, &s->search.starved)
	n++;
	for (; n > 0 && search_starves(s); n--) {
		struct link *first = s->search.starved.next;

		list_remove(first);
		try_target(CONTAINER_OF(first, struct seeker, link));
	}
	relay_review(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

void search_init(struct relay_source *s)
{
	list_init(&s->search.starved);
	timer_init(&s->search.feed, CLOCK_OF_LOOP, on_feed);
	s->search.most = fd_most_for_peers();
}

void search_close(struct relay_source *s)
{
	if (s->base.reactor)
		timer_stop(s->base.reactor, &s->search.feed);
}

void search_feed(struct relay_source *s)
{
	if (search_starves(s))
		timer_start_in(s->base.reactor, &s->search.feed, 0);
}

bool search_starves(const struct relay_source *s)
{
	return !list_empty(&s->search.starved);
}

struct seeker *seeker_new(struct relayed *c)
{
	size_t n = relay_config(c->source)->n_targets;
	struct seeker *k = calloc(1, sizeof *k + n * sizeof *k->tried);
	struct address remote = relayed_remote(c);

	if (!k)
		return NULL;
	k->source = c->source;
	k->relayed = c;
	k->hash = pool_hash_client(&remote);
	list_init(&k->link);
	timer_init(&k->timer, CLOCK_OF_LOOP, on_timer);
	return k;
}

void seeker_free(struct seeker *k)
{
	if (!k)
		return;
	timer_stop(k->source->base.reactor, &k->timer);
	connector_stop(&k->connector);
	list_remove(&k->link);
	if (k->state == SEEK_CONNECTING || k->state == SEEK_AGAIN || k->state == SEEK_STARVED)
		pool_leave(&k->source->targets, k->relayed->target);
	free(k);
}

void seeker_again(struct seeker *k, const char *why)
{
	k->state = SEEK_CONNECTING;
	if (connector_has_more(&k->connector))
		connector_again(&k->connector);
	else
		target_failed(k, why, true);
}

bool seeker_has_more(const struct seeker *k)
{
	/* The one that it is at counts among those that are not tried. */
	return connector_has_more(&k->connector) || untried(k) > 1 ||
	       k->rounds < relay_config(k->source)->retry;
}

bool seeker_is_waiting(const struct seeker *k)
{
	return k->state == SEEK_PAUSED || k->state == SEEK_STARVED;
}
