/* See targets.h. */
#include "source/relay/targets.h"

#include "base/log.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a, and a last mix, since similar names differ in few bits. Not hash_bytes: see below. */
static uint64_t hash_text(const char *text, size_t length, uint64_t hash)
{
	hash ^= UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return hash ^ hash >> 32;
}

/* A target that is given twice has two places. */
static uint64_t hash_target(const struct targets *t, size_t i)
{
	const char *word = t->config->targets[i].word;
	uint64_t hash = hash_text(word, strlen(word), 0);

	for (size_t j = 0; j < i; j++)
		if (t->all[j].hash == hash)
			hash = hash_text("again", 5, hash);
	return hash;
}

int targets_open(struct targets *t, const struct relay_config *c, struct reactor *r,
		 struct totals *totals, struct totals *down)
{
	*t = (struct targets){
	    .config = c, .reactor = r, .all = calloc(c->n_targets, sizeof *t->all)};
	for (size_t i = 0; t->all && i < c->n_targets; i++) {
		t->all[i].totals = &totals->targets[i];
		t->all[i].down = &down->targets[i].down;
		t->all[i].hash = hash_target(t, i);
	}
	return t->all ? 0 : -1;
}

void targets_close(struct targets *t)
{
	targets_unwatch(t);
	free(t->all);
	t->all = NULL;
}

void targets_enter(struct targets *t, size_t target)
{
	t->all[target].totals->connections++;
	t->all[target].totals->chosen++;
}

void targets_leave(struct targets *t, size_t target)
{
	t->all[target].totals->connections--;
}

/* ---- health ---------------------------------------------------------------------------------- */

static void on_change(void *context, enum health_state state, const char *why)
{
	struct target *target = context;
	const struct targets *t = target->owner;
	bool was_down = atomic_load(target->down);
	const char *word = target->look.endpoint->word;

	if (state != HEALTH_UNKNOWN)
		atomic_store(target->down, state == HEALTH_DOWN);
	if (was_down && state == HEALTH_DOWN)
		return; /* the worker that looked before this one has logged it */
	if (state == HEALTH_UNKNOWN)
		log_warn(t->rule, "cannot check %s: %s", word, why);
	else if (state == HEALTH_DOWN)
		log_warn(t->rule, "%s is down: %s", word, why);
	else if (was_down)
		log_warn(t->rule, "%s is up again", word);
	else
		log_info(t->rule, "%s is up", word);
}

/* A look begins as a connection does: a target that waits for a PROXY header gets one. */
static size_t make_greeting(struct targets *t)
{
	int version = t->config->proxy_send;

	return version ? proxy_header_write(version, NULL, NULL, t->greeting) : 0;
}

int targets_watch(struct targets *t, struct source *s, struct resolver *v,
		  const struct listener *own)
{
	const struct relay_config *c = t->config;
	size_t greeting = make_greeting(t);

	t->rule = s->rule;
	for (size_t i = 0; c->check && i < c->n_targets; i++) {
		struct target *target = &t->all[i];

		target->owner = t;
		target->look = (struct health_config){
		    .endpoint = &c->targets[i],
		    .timeout = c->connect_timeout,
		    .from = relay_source_address(c),
		    .own = own,
		    .greeting = t->greeting,
		    .greeting_length = greeting,
		    .interval = c->check,
		    .rise = c->rise,
		    .fall = c->fall,
		};
		health_init(&target->health, s->reactor, v, &target->look, on_change, target);
		target->health.next.priority = s->priority;
		if (health_start(&target->health) < 0)
			return -1;
	}
	return 0;
}

void targets_unwatch(struct targets *t)
{
	for (size_t i = 0; t->all && i < t->config->n_targets; i++)
		health_stop(&t->all[i].health);
}

/* ---- choosing -------------------------------------------------------------------------------- */

#define REST      NS_PER_S
#define REST_MOST (10 * NS_PER_S)

void targets_rest(struct targets *t, size_t target, int64_t now)
{
	struct target *at = &t->all[target];

	at->rests_until = now + backoff_next(&at->rest, REST, REST_MOST);
}

void targets_took(struct targets *t, size_t target)
{
	t->all[target].rest = t->all[target].rests_until = 0;
}

/* Who may be chosen: 0 the best. Those that were tried are no candidates. */
enum { READY, RESTING, DOWN, TRIED };

static int class_of(const struct targets *t, size_t i, const bool *tried, int64_t now)
{
	if (tried[i])
		return TRIED;
	if (atomic_load(t->all[i].down))
		return DOWN;
	return t->all[i].rests_until > now ? RESTING : READY;
}

uint64_t targets_hash_client(const struct address *remote)
{
	/* Not hash_bytes: a client's target is to stay the same over a restart. */
	struct address_text host = address_host(remote);

	return hash_text(host.text, strlen(host.text), 0);
}

/*
 * Is `a` better for this client than `b`? By its own hash with each target (rendezvous hashing):
 * where one is taken out, only its clients move.
 */
static bool is_nearer(const struct targets *t, uint64_t client, size_t a, size_t b)
{
	return hash_text((const char *)&client, sizeof client, t->all[a].hash) >
	       hash_text((const char *)&client, sizeof client, t->all[b].hash);
}

static bool is_better(const struct targets *t, uint64_t client, size_t a, size_t b)
{
	if (t->config->balance == BALANCE_SOURCE)
		return is_nearer(t, client, a, b);
	if (t->config->balance == BALANCE_LEAST_CONN)
		return t->all[a].totals->connections < t->all[b].totals->connections;
	return false;
}

size_t targets_choose(struct targets *t, uint64_t client, const bool *tried)
{
	size_t n = t->config->n_targets, best = n;
	size_t first = t->config->balance == BALANCE_FIRST ? 0 : t->turn % n;
	int64_t now = reactor_now(t->reactor, CLOCK_OF_LOOP);
	int best_class = TRIED;

	/* From whose turn it is on: equals take turns. */
	for (size_t i = 0; i < n; i++) {
		size_t at = (first + i) % n;
		int class = class_of(t, at, tried, now);

		if (class < best_class ||
		    (class == best_class && class < TRIED && is_better(t, client, at, best))) {
			best = at;
			best_class = class;
		}
	}
	t->turn = best + 1;
	return best;
}
