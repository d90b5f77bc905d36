/*
 * probe: is an endpoint up? Changes of its health are told, and the first answer when it is `up`,
 * so that `--once` waits for a service to come. net/health.h does the looking.
 */
#include "source/kinds.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "net/health.h"

#include <stdlib.h>
#include <string.h>

struct probe_target {
	struct endpoint endpoint;
	char *word; /* owned: as the user wrote it */
};

struct probe_config {
	struct probe_target *targets; /* owned */
	size_t n_targets;
	int64_t interval, timeout;
	uint64_t rise, fall;
};

/* A target that is looked at. */
struct probed {
	struct probe_source *owner;
	const char *word;
	struct health_config config;
	struct health health;
	bool told; /* the first answer has come */
};

struct probe_source {
	struct source base;
	struct resolver *resolver;
	struct probed *probed; /* owned; one each target */
};

static void probe_init(void *config)
{
	struct probe_config *c = config;

	c->interval = c->timeout = NS_PER_S;
	c->rise = c->fall = 1;
}

static int add_target(struct probe_config *c, const char *word, int place, struct error *e)
{
	struct probe_target *t = &c->targets[c->n_targets];

	e->column = 0;
	if (endpoint_parse(&t->endpoint, word, e) < 0)
		return error_at(e, place, e->column);
	if (endpoint_check_target(&t->endpoint, word, e) < 0) {
		endpoint_release(&t->endpoint);
		return error_at(e, place, 0);
	}
	t->word = strdup(word);
	if (!t->word) {
		endpoint_release(&t->endpoint);
		return error_errno(e, "out of memory");
	}
	c->n_targets++;
	return 0;
}

static int probe_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct probe_config *c = config;

	if (!c->interval || !c->timeout)
		return error_set(e, "--%s must be more than nothing",
				 c->interval ? "timeout" : "interval");
	c->targets = calloc(n, sizeof *c->targets);
	if (!c->targets)
		return error_errno(e, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (add_target(c, words[i], (int)i, e) < 0)
			return -1;
	return 0;
}

static void probe_release(void *config)
{
	struct probe_config *c = config;

	for (size_t i = 0; i < c->n_targets; i++) {
		endpoint_release(&c->targets[i].endpoint);
		free(c->targets[i].word);
	}
	free(c->targets);
}

static void probe_describe(const void *config, struct buf *out)
{
	const struct probe_config *c = config;

	for (size_t i = 0; i < c->n_targets; i++)
		buf_printf(out, "%s%s", i ? " or " : "", c->targets[i].word);
	buf_add_text(out, " going up or down");
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_change(void *context, enum health_state state, const char *why)
{
	struct probed *p = context;
	struct source *base = &p->owner->base;
	struct event event = event_make(state == HEALTH_UP ? "up" : "down");
	bool first = !p->told;

	if (state == HEALTH_UNKNOWN) {
		log_warn(base->rule, "cannot check %s: %s", p->word, why);
		return;
	}
	p->told = true;
	if (first && state == HEALTH_DOWN) {
		log_warn(base->rule, "%s: %s: waiting for it", p->word, why);
		return;
	}
	if (why)
		log_info(base->rule, "%s: %s", p->word, why);
	event.subjects = &p->word;
	event.n_subjects = 1;
	base->host->emit(base, &event, 1);
}

static void probe_stop(struct source *base)
{
	struct probe_source *s = (struct probe_source *)base;
	const struct probe_config *c = base->config;

	for (size_t i = 0; s->probed && i < c->n_targets; i++)
		health_stop(&s->probed[i].health);
}

static void probe_close(struct source *base)
{
	struct probe_source *s = (struct probe_source *)base;

	probe_stop(base);
	free(s->probed);
	s->probed = NULL;
	if (s->resolver)
		resolver_free(s->resolver);
	s->resolver = NULL;
}

static void probed_init(struct probed *p, struct probe_source *s, const struct probe_target *t)
{
	const struct probe_config *c = s->base.config;

	p->owner = s;
	p->word = t->word;
	p->config =
	    (struct health_config){.check = {.endpoint = &t->endpoint, .timeout = c->timeout},
				   .interval = c->interval,
				   .rise = c->rise,
				   .fall = c->fall};
	health_init(&p->health, s->base.reactor, s->resolver, &p->config, on_change, p);
	p->health.next.priority = s->base.priority;
}

static int probe_open(struct source *base, struct error *e)
{
	struct probe_source *s = (struct probe_source *)base;
	const struct probe_config *c = base->config;

	s->resolver = resolver_new(base->reactor, 0, base->rule);
	s->probed = calloc(c->n_targets, sizeof *s->probed);
	if (!s->resolver || !s->probed) {
		error_errno(e, "cannot probe");
		probe_close(base);
		return -1;
	}
	for (size_t i = 0; i < c->n_targets; i++)
		probed_init(&s->probed[i], s, &c->targets[i]);
	return 0;
}

static void probe_start(struct source *base)
{
	struct probe_source *s = (struct probe_source *)base;
	const struct probe_config *c = base->config;
	struct error e;

	for (size_t i = 0; i < c->n_targets; i++) {
		if (health_start(&s->probed[i].health) == 0)
			continue;
		error_errno(&e, "cannot probe");
		base->host->failed(base, &e);
		return;
	}
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const struct event_name probe_events[] = {
    {"up", "it can be connected to; subject: the endpoint"},
    {"down", "it cannot be any more"},
    {0},
};

#define FIELD(name) offsetof(struct probe_config, name)

static const struct option probe_options[] = {
    {.name = "interval",
     .type = OPTION_DURATION,
     .offset = FIELD(interval),
     .value = "DUR",
     .help = "between two looks (1s)"},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .offset = FIELD(timeout),
     .value = "DUR",
     .help = "for one look (1s)"},
    {.name = "rise",
     .type = OPTION_COUNT,
     .offset = FIELD(rise),
     .value = "N",
     .least = 1,
     .help = "so many good answers in a row are up (1)"},
    {.name = "fall",
     .type = OPTION_COUNT,
     .offset = FIELD(fall),
     .value = "N",
     .least = 1,
     .help = "so many bad ones are down (1)"},
    {0},
};

const struct source_type source_probe = {
    .name = "probe",
    .summary = "when a service goes up or down",
    .arguments = "ENDPOINT...",
    .least_arguments = 1,
    .most_arguments = -1,
    .examples = {"evwatch probe db:5432 --once --within 60s",
		 "evwatch probe 443 --fall 3 -- 'echo \"$EVWATCH_EVENT: $1\"'"},
    .events = probe_events,
    .options = probe_options,
    .subjects_from_outside = true,
    .config_size = sizeof(struct probe_config),
    .config_init = probe_init,
    .config_arguments = probe_arguments,
    .config_release = probe_release,
    .describe = probe_describe,
    .size = sizeof(struct probe_source),
    .open = probe_open,
    .start = probe_start,
    .stop = probe_stop,
    .close = probe_close,
};
