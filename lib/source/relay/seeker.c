/* See seeker.h. */
#include "source/relay/seeker.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"
#include "source/relay/targets.h"

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
	struct search *search;
	sought_call *call;
	void *owner;
	struct connector connector;
	struct timer timer;      /* the end of the state that it waits in */
	int64_t starved;         /* when starving began, or 0 */
	uint64_t client, rounds; /* the client's hash; rounds that are over */
	size_t target;
	enum seek_state state;
	bool tried[]; /* in this round, each target */
};

static int64_t now(const struct seeker *k)
{
	return reactor_now(k->search->reactor, CLOCK_OF_LOOP);
}

/* ---- one target after the other -------------------------------------------------------------- */

static void found(struct seeker *k, int fd)
{
	k->state = SEEK_FOUND;
	targets_took(k->search->targets, k->target);
	k->call(k->owner, fd);
}

static void give_up(struct seeker *k)
{
	k->state = SEEK_IDLE;
	k->call(k->owner, -1);
}

static bool all_tried(const struct seeker *k)
{
	for (size_t i = 0; i < k->search->config->n_targets; i++)
		if (!k->tried[i])
			return false;
	return true;
}

/* Goes on in so many ns, by on_timer. */
static void go_on_in(struct seeker *k, int64_t delay, enum seek_state state)
{
	k->state = state;
	if (timer_start_in(k->search->reactor, &k->timer, delay) < 0)
		give_up(k);
}

/* All targets failed: a pause, and again. */
static void end_round(struct seeker *k)
{
	int64_t pause = ROUND;

	for (uint64_t i = 0; i < k->rounds && pause < ROUND_MOST; i++)
		pause *= 2;
	k->rounds++;
	memset(k->tried, 0, k->search->config->n_targets * sizeof *k->tried);
	go_on_in(k, pause < ROUND_MOST ? pause : ROUND_MOST, SEEK_PAUSED);
}

/* This target did not work; `own_fault`, or this machine lacks something. */
static void target_failed(struct seeker *k, const char *why, bool own_fault)
{
	struct search *s = k->search;
	bool over, last;

	targets_leave(s->targets, k->target);
	if (own_fault)
		targets_rest(s->targets, k->target, now(k));
	k->tried[k->target] = true;
	k->starved = 0;
	over = all_tried(k);
	last = over && (k->rounds >= s->config->retry || (s->wanted && !s->wanted(k->owner)));
	k->state = SEEK_IDLE;
	s->failed(s, k->target, why, last);
	if (last)
		give_up(k);
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
	left = k->starved + s->config->connect_timeout - now(k);
	if (left <= 0 || timer_start_in(s->reactor, &s->feed, left < PAUSE ? left : PAUSE) < 0)
		return false;
	if (!s->told_starved)
		log_warn(s->rule, "no descriptor is left for connections to targets: clients "
				  "wait until one is free (ulimit -n)");
	s->told_starved = true;
	k->state = SEEK_STARVED;
	list_append(&s->starved, &k->link);
	s->changed(s);
	return true;
}

/* A shortage, or a failure of the target: an errno, and what is told of it. */
static void fail(struct seeker *k, int error, const char *why)
{
	struct search *s = k->search;

	if (!connect_is_short(error)) {
		target_failed(k, why, true);
		return;
	}
	if (fd_is_short(error) && s->make_room && s->make_room(s, k->owner))
		go_on_in(k, 0, SEEK_AGAIN);
	else if (error == EAGAIN || !starve(k))
		target_failed(k, why, false);
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void on_connected(void *context, int fd, int error, const char *why)
{
	struct seeker *k = context;
	struct search *s = k->search;

	if (fd >= s->most) {
		fd_close(&fd);
		error = EMFILE;
		why = connect_error(error);
	}
	if (fd >= 0) {
		found(k, fd);
		return;
	}
	s->changed(s); /* its name is not waited for any more */
	fail(k, error, why);
}

static void try_target(struct seeker *k)
{
	const struct search *s = k->search;
	const struct connect_config config = {s->config->connect_timeout,
					      relay_source_address(s->config), s->own};

	k->state = SEEK_CONNECTING;
	/* The call may come at once, and free the seeker. */
	connector_start(&k->connector, s->reactor, s->resolver, &s->config->targets[k->target],
			&config, on_connected, k);
}

static void choose_next(struct seeker *k)
{
	k->target = targets_choose(k->search->targets, k->client, k->tried);
	targets_enter(k->search->targets, k->target);
	try_target(k);
}

static void on_timer(struct reactor *r, struct timer *t)
{
	struct seeker *k = CONTAINER_OF(t, struct seeker, timer);

	(void)r;
	if (k->state == SEEK_AGAIN)
		try_target(k);
	else
		choose_next(k);
}

/* One that starves again at once comes behind the last: its turn is another time. */
static void on_feed(struct reactor *r, struct timer *t)
{
	struct search *s = CONTAINER_OF(t, struct search, feed);
	size_t n = 0;

	(void)r;
	LIST_EACH(at, after, &s->starved)
	n++;
	for (; n > 0 && search_starves(s); n--) {
		struct link *first = s->starved.next;

		list_remove(first);
		try_target(CONTAINER_OF(first, struct seeker, link));
	}
	s->changed(s);
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
	if (s->reactor)
		timer_stop(s->reactor, &s->feed);
}

void search_feed(struct search *s)
{
	if (search_starves(s))
		timer_start_in(s->reactor, &s->feed, 0);
}

bool search_starves(const struct search *s)
{
	return !list_empty(&s->starved);
}

struct seeker *seeker_new(struct search *s, sought_call *call, void *owner)
{
	struct seeker *k = calloc(1, sizeof *k + s->config->n_targets * sizeof *k->tried);

	if (!k)
		return NULL;
	k->search = s;
	k->call = call;
	k->owner = owner;
	list_init(&k->link);
	timer_init(&k->timer, CLOCK_OF_LOOP, on_timer);
	return k;
}

void seeker_free(struct seeker *k)
{
	if (!k)
		return;
	timer_stop(k->search->reactor, &k->timer);
	connector_stop(&k->connector);
	list_remove(&k->link);
	if (k->state == SEEK_CONNECTING || k->state == SEEK_AGAIN || k->state == SEEK_STARVED)
		targets_leave(k->search->targets, k->target);
	free(k);
}

void seeker_start(struct seeker *k, const struct address *remote)
{
	k->client = targets_hash_client(remote);
	choose_next(k);
}

void seeker_again(struct seeker *k, const char *why)
{
	k->state = SEEK_CONNECTING;
	if (connector_has_more(&k->connector))
		connector_again(&k->connector);
	else
		target_failed(k, why, true);
}

void seeker_start_after(struct seeker *k, const struct address *remote, size_t target,
			const char *why)
{
	k->client = targets_hash_client(remote);
	k->target = target;
	seeker_again(k, why);
}

size_t seeker_target(const struct seeker *k)
{
	return k->target;
}

bool seeker_has_more(const struct seeker *k)
{
	size_t left = 0;

	for (size_t i = 0; i < k->search->config->n_targets; i++)
		left += !k->tried[i];
	/* The one that it is at counts among those that are not tried. */
	return connector_has_more(&k->connector) || left > 1 ||
	       k->rounds < k->search->config->retry;
}

bool seeker_is_waiting(const struct seeker *k)
{
	return k->state == SEEK_PAUSED || k->state == SEEK_STARVED;
}
