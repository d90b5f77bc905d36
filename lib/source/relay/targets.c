/* See targets.h. */
#include "source/relay/targets.h"

#include "base/buf.h"
#include "base/log.h"

#include <stdlib.h>

int targets_open(struct targets *t, const struct relay_config *c, atomic_bool *down)
{
	*t = (struct targets){.config = c, .all = calloc(c->n_targets, sizeof *t->all)};
	for (size_t i = 0; t->all && i < c->n_targets; i++)
		t->all[i].down = down ? &down[i] : &t->all[i].own;
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
	t->all[target].connections++;
	t->all[target].chosen++;
}

void targets_leave(struct targets *t, size_t target)
{
	t->all[target].connections--;
}

/* ---- health ---------------------------------------------------------------------------------- */

static void on_change(void *context, enum health_state state, const char *why)
{
	struct target *target = context;
	const struct targets *t = target->owner;
	bool was_down = atomic_load(target->down);
	struct buf name = {0};
	const char *word;

	if (state != HEALTH_UNKNOWN)
		atomic_store(target->down, state == HEALTH_DOWN);
	if (was_down && state == HEALTH_DOWN)
		return; /* the worker that looked before this one has told it */
	endpoint_add(&name, target->look.check.endpoint);
	word = name.data ? name.data : "a target";
	if (state == HEALTH_UNKNOWN)
		log_warn(t->rule, "cannot check %s: %s", word, why);
	else if (state == HEALTH_DOWN)
		log_warn(t->rule, "%s is down: %s", word, why);
	else if (was_down)
		log_warn(t->rule, "%s is up again", word);
	else
		log_info(t->rule, "%s is up", word);
	buf_free(&name);
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
		    .check = {.endpoint = &c->targets[i],
			      .timeout = c->connect_timeout,
			      .from = relay_source_address(c),
			      .own = own,
			      .greeting = greeting ? t->greeting : NULL,
			      .greeting_length = greeting},
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

static bool is_down(const struct targets *t, size_t i)
{
	return atomic_load(t->all[i].down);
}

/* From this place on, the first one that is not down; this one when all are. */
static size_t from_place(const struct targets *t, size_t place)
{
	size_t n = t->config->n_targets, first = place % n, at = first;

	do {
		if (!is_down(t, at))
			return at;
		at = (at + 1) % n;
	} while (at != first);
	return first;
}

/* Equals take turns. */
static size_t least_used(struct targets *t)
{
	size_t n = t->config->n_targets, first = from_place(t, t->turn), best = first;

	for (size_t i = 1; i < n; i++) {
		size_t at = (first + i) % n;

		if (!is_down(t, at) && t->all[at].connections < t->all[best].connections)
			best = at;
	}
	t->turn = best + 1;
	return best;
}

static size_t by_source(const struct address *remote)
{
	struct buf host = {0};
	size_t hash;

	address_add_host(&host, remote);
	/* Not hash_bytes: a client's target is to stay the same over a restart. */
	hash = 5381;
	for (size_t i = 0; i < host.length; i++)
		hash = hash * 33 + (unsigned char)host.data[i];
	buf_free(&host);
	return hash;
}

size_t targets_choose(struct targets *t, const struct address *remote)
{
	switch (t->config->balance) {
	case BALANCE_FIRST:
		return from_place(t, 0);
	case BALANCE_SOURCE:
		return from_place(t, by_source(remote) % t->config->n_targets);
	case BALANCE_LEAST_CONN:
		return least_used(t);
	default:
		t->turn = from_place(t, t->turn) + 1;
		return t->turn - 1;
	}
}

size_t targets_next(const struct targets *t, size_t failed)
{
	size_t next = from_place(t, failed + 1);

	/* The others are down; but this one is no better. */
	return next == failed ? (failed + 1) % t->config->n_targets : next;
}
