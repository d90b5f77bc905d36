/* See seeker.h. */
#include "pool/seeker.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE      (100 * NS_PER_MS) /* until a descriptor is free, perhaps */
#define ROUND      (100 * NS_PER_MS) /* before all are tried again; it doubles */
#define ROUND_MOST (5 * NS_PER_S)

enum seek_state {
	SEEK_IDLE,
	SEEK_CONNECTING,
	SEEK_NEXT,   /* the next member is chosen in a turn of its own: failures do not nest */
	SEEK_AGAIN,  /* so is this one asked for again, since there is room now */
	SEEK_PAUSED, /* between two rounds */
	SEEK_STARVED,
	SEEK_FOUND
};

struct seeker {
	struct link link; /* among those that starve */
	struct search *search;
	void *client;
	uint32_t *member; /* the client's */
	struct connector connector;
	struct timer timer; /* the end of the state that it waits in */
	int64_t starved;    /* when starving began, or 0 */
	uint64_t hash;      /* of the client */
	uint64_t rounds;    /* that are over */
	int64_t pause;      /* after the last round */
	enum seek_state state;
	bool tried[]; /* in this round, each member */
};

static struct reactor *reactor_of(const struct seeker *k)
{
	return k->search->pool->reactor;
}

static int64_t now(const struct seeker *k)
{
	return reactor_now(reactor_of(k), CLOCK_OF_LOOP);
}

/* ---- one member after the other -------------------------------------------------------------- */

static void end(struct seeker *k, int fd)
{
	k->state = fd < 0 ? SEEK_IDLE : SEEK_FOUND;
	k->search->calls->sought(k->client, fd);
}

/* How many members were not tried in this round. */
static size_t untried(const struct seeker *k)
{
	size_t n = 0;

	for (size_t i = 0; i < k->search->pool->n; i++)
		n += !k->tried[i];
	return n;
}

/* Goes on in so many ns, by on_timer. */
static void go_on_in(struct seeker *k, int64_t delay, enum seek_state state)
{
	k->state = state;
	if (timer_start_in(reactor_of(k), &k->timer, delay) < 0)
		end(k, -1);
}

/* All members failed: a pause, and again. */
static void end_round(struct seeker *k)
{
	k->rounds++;
	memset(k->tried, 0, k->search->pool->n * sizeof *k->tried);
	go_on_in(k, backoff_next(&k->pause, ROUND, ROUND_MOST), SEEK_PAUSED);
}

/* `last`: the client learns of it. Without -v once, until one works again. */
static void log_failed(struct search *s, size_t member, const char *why, bool last)
{
	const char *word = s->pool->endpoints[member].word;

	if (last && !s->logged_none)
		log_warn(s->pool->rule, "no target can be reached: %s: %s", word, why);
	else
		log_info(s->pool->rule, "%s: %s", word, why);
	s->logged_none |= last;
}

/* This member did not work; `own_fault`, or this machine lacks something. */
static void member_failed(struct seeker *k, const char *why, bool own_fault)
{
	struct search *s = k->search;
	bool over, last;

	pool_leave(s->pool, *k->member);
	s->pool->counts[*k->member].failed++;
	if (own_fault)
		pool_rest(s->pool, *k->member, now(k));
	k->tried[*k->member] = true;
	k->starved = 0;
	over = untried(k) == 0;
	last =
	    over && (k->rounds >= s->retry || (s->calls->wanted && !s->calls->wanted(k->client)));
	k->state = SEEK_IDLE;
	log_failed(s, *k->member, why, last);
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
	struct search *s = k->search;
	int64_t left;

	if (!k->starved)
		k->starved = now(k);
	left = k->starved + s->connect.timeout - now(k);
	if (left <= 0 || timer_start_in(reactor_of(k), &s->feed, left < PAUSE ? left : PAUSE) < 0)
		return false;
	if (!s->logged_starved)
		log_warn(s->pool->rule, "no descriptor is left for connections to targets: clients "
					"wait until one is free (ulimit -n)");
	s->logged_starved = true;
	k->state = SEEK_STARVED;
	list_append(&s->starved, &k->link);
	s->changed(s->owner);
	return true;
}

/* A shortage, or a failure of the member: an errno, and what is reported of it. */
static void fail(struct seeker *k, int error, const char *why)
{
	const struct search_calls *calls = k->search->calls;

	if (!connect_is_short(error)) {
		member_failed(k, why, true);
		return;
	}
	if (fd_is_short(error) && calls->make_room && calls->make_room(k->client))
		go_on_in(k, 0, SEEK_AGAIN);
	else if (error == EAGAIN || !starve(k))
		member_failed(k, why, false);
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void on_connected(void *context, int fd, int error, const char *why)
{
	struct seeker *k = context;
	const struct search *s = k->search;

	if (fd >= s->most) {
		fd_close(&fd);
		error = EMFILE;
		why = connect_error(error);
	}
	if (fd >= 0) {
		pool_took(s->pool, *k->member);
		end(k, fd);
		return;
	}
	s->changed(s->owner); /* its name is not waited for any more */
	fail(k, error, why);
}

static void try_member(struct seeker *k)
{
	const struct search *s = k->search;

	k->state = SEEK_CONNECTING;
	/* The call may come at once, and free the seeker. */
	connector_start(&k->connector, reactor_of(k), s->resolver, &s->pool->endpoints[*k->member],
			&s->connect, on_connected, k);
}

void seeker_start(struct seeker *k)
{
	struct pool *p = k->search->pool;

	*k->member = (uint32_t)pool_choose(p, k->hash, k->tried);
	pool_enter(p, *k->member);
	try_member(k);
}

static void on_timer(struct reactor *r, struct timer *t)
{
	struct seeker *k = CONTAINER_OF(t, struct seeker, timer);

	(void)r;
	if (k->state == SEEK_AGAIN)
		try_member(k);
	else
		seeker_start(k);
}

/* One that starves again at once comes behind the last: its turn is another time. */
static void on_feed(struct reactor *r, struct timer *t)
{
	struct search *s = CONTAINER_OF(t, struct search, feed);
	size_t n = 0;

	(void)r;
	LIST_EACH(at, after, &s->starved)
	n++;
	for (; n > 0 && search_starves(s); n--)
		try_member(CONTAINER_OF(list_take(&s->starved), struct seeker, link));
	s->changed(s->owner);
}

/* ---- life ------------------------------------------------------------------------------------ */

void search_init(struct search *s)
{
	list_init(&s->starved);
	timer_init(&s->feed, CLOCK_OF_LOOP, on_feed);
	s->most = fd_most_for_peers();
}

void search_close(struct search *s)
{
	if (s->pool)
		timer_stop(s->pool->reactor, &s->feed);
}

void search_feed(struct search *s)
{
	if (search_starves(s))
		timer_start_in(s->pool->reactor, &s->feed, 0);
}

bool search_starves(const struct search *s)
{
	return !list_empty(&s->starved);
}

struct seeker *seeker_new(struct search *s, void *client, uint64_t hash, uint32_t *member)
{
	struct seeker *k = calloc(1, sizeof *k + s->pool->n * sizeof *k->tried);

	if (!k)
		return NULL;
	k->search = s;
	k->client = client;
	k->member = member;
	k->hash = hash;
	list_init(&k->link);
	timer_init(&k->timer, CLOCK_OF_LOOP, on_timer);
	return k;
}

void seeker_free(struct seeker *k)
{
	if (!k)
		return;
	timer_stop(reactor_of(k), &k->timer);
	connector_stop(&k->connector);
	list_remove(&k->link);
	if (k->state == SEEK_CONNECTING || k->state == SEEK_AGAIN || k->state == SEEK_STARVED)
		pool_leave(k->search->pool, *k->member);
	free(k);
}

void seeker_again(struct seeker *k, const char *why)
{
	k->state = SEEK_CONNECTING;
	if (connector_has_more(&k->connector))
		connector_again(&k->connector);
	else
		member_failed(k, why, true);
}

bool seeker_has_more(const struct seeker *k)
{
	/* The one that it is at counts among those that are not tried. */
	return connector_has_more(&k->connector) || untried(k) > 1 || k->rounds < k->search->retry;
}

bool seeker_is_waiting(const struct seeker *k)
{
	return k->state == SEEK_PAUSED || k->state == SEEK_STARVED;
}
