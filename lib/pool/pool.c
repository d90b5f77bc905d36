/* See pool.h. */
#include "pool/pool.h"

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

/* A member that is given twice has two places. */
static uint64_t hash_member(const struct pool *p, size_t i)
{
	const char *word = p->endpoints[i].word;
	uint64_t hash = hash_text(word, strlen(word), 0);

	for (size_t j = 0; j < i; j++)
		if (p->all[j].hash == hash)
			hash = hash_text("again", 5, hash);
	return hash;
}

int pool_open(struct pool *p)
{
	p->all = calloc(p->n, sizeof *p->all);
	for (size_t i = 0; p->all && i < p->n; i++)
		p->all[i].hash = hash_member(p, i);
	return p->all ? 0 : -1;
}

void pool_close(struct pool *p)
{
	pool_unwatch(p);
	free(p->all);
	p->all = NULL;
}

void pool_enter(struct pool *p, size_t member)
{
	p->counts[member].connections++;
	p->counts[member].chosen++;
}

void pool_leave(struct pool *p, size_t member)
{
	p->counts[member].connections--;
}

/* ---- health ---------------------------------------------------------------------------------- */

static void on_change(void *context, enum health_state state, const char *why)
{
	struct pool_member *m = context;
	const struct pool *p = m->pool;
	atomic_ullong *down = &p->checks[m - p->all].down;
	bool was_down = atomic_load(down);
	const char *word = m->check.endpoint->word;

	if (state != HEALTH_UNKNOWN)
		atomic_store(down, state == HEALTH_DOWN);
	if (was_down && state == HEALTH_DOWN)
		return; /* the process that checked before this one has logged it */
	if (state == HEALTH_UNKNOWN)
		log_warn(p->rule, "cannot check %s: %s", word, why);
	else if (state == HEALTH_DOWN)
		log_warn(p->rule, "%s is down: %s", word, why);
	else if (was_down)
		log_warn(p->rule, "%s is up again", word);
	else
		log_info(p->rule, "%s is up", word);
}

int pool_watch(struct pool *p, const struct health_config *check, struct resolver *v,
	       uint8_t priority)
{
	for (size_t i = 0; i < p->n; i++) {
		struct pool_member *m = &p->all[i];

		m->pool = p;
		m->check = *check;
		m->check.endpoint = &p->endpoints[i];
		health_init(&m->health, p->reactor, v, &m->check, on_change, m);
		m->health.next.priority = priority;
		if (health_start(&m->health) < 0)
			return -1;
	}
	return 0;
}

void pool_unwatch(struct pool *p)
{
	for (size_t i = 0; p->all && i < p->n; i++)
		health_stop(&p->all[i].health);
}

/* ---- choosing -------------------------------------------------------------------------------- */

#define REST      NS_PER_S
#define REST_MOST (10 * NS_PER_S)

void pool_rest(struct pool *p, size_t member, int64_t now)
{
	struct pool_member *at = &p->all[member];

	at->rests_until = now + backoff_next(&at->rest, REST, REST_MOST);
}

void pool_took(struct pool *p, size_t member)
{
	p->all[member].rest = p->all[member].rests_until = 0;
}

/* Who may be chosen: 0 the best. Those that were tried are no candidates. */
enum { READY, RESTING, DOWN, TRIED };

static int class_of(const struct pool *p, size_t i, const bool *tried, int64_t now)
{
	if (tried[i])
		return TRIED;
	if (atomic_load(&p->checks[i].down))
		return DOWN;
	return p->all[i].rests_until > now ? RESTING : READY;
}

uint64_t pool_hash_client(const struct address *remote)
{
	/* Not hash_bytes: a client's member is to stay the same over a restart. */
	struct address_text host = address_host(remote);

	return hash_text(host.text, strlen(host.text), 0);
}

/*
 * Is `a` better for this client than `b`? By its own hash with each member (rendezvous hashing):
 * where one is taken out, only its clients move.
 */
static bool is_nearer(const struct pool *p, uint64_t client, size_t a, size_t b)
{
	return hash_text((const char *)&client, sizeof client, p->all[a].hash) >
	       hash_text((const char *)&client, sizeof client, p->all[b].hash);
}

static bool is_better(const struct pool *p, uint64_t client, size_t a, size_t b)
{
	if (p->balance == BALANCE_SOURCE)
		return is_nearer(p, client, a, b);
	if (p->balance == BALANCE_LEAST_CONN)
		return p->counts[a].connections < p->counts[b].connections;
	return false;
}

size_t pool_choose(struct pool *p, uint64_t client, const bool *tried)
{
	size_t n = p->n, best = n;
	size_t first = p->balance == BALANCE_FIRST ? 0 : p->turn % n;
	int64_t now = reactor_now(p->reactor, CLOCK_OF_LOOP);
	int best_class = TRIED;

	/* From whose turn it is on: equals take turns. */
	for (size_t i = 0; i < n; i++) {
		size_t at = (first + i) % n;
		int class = class_of(p, at, tried, now);

		if (class < best_class ||
		    (class == best_class && class < TRIED && is_better(p, client, at, best))) {
			best = at;
			best_class = class;
		}
	}
	p->turn = best + 1;
	return best;
}
