/*
 * probe: is a service up? Changes of its health are reported, and the first answer when it is `up`,
 * so that `--once` waits for a service to come. net/health.h does the checking, command.h that of
 * --of.
 *
 * With --all there is one state for all of them: down as soon as one is, up when all are.
 */
#include "source/kinds.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "net/health.h"
#include "source/probe/command.h"
#include "source/probe/config.h"
#include "source/probe/http.h"

#include <stdlib.h>
#include <string.h>

/* What is checked: an endpoint, or a command. */
struct probed {
	struct probe_source *owner;
	const char *word;
	bool answered;      /* it was found up or down before */
	struct buf request; /* of http:// */
	struct http_statuses good;
	struct health_config config;
	struct health health;
};

struct probe_source {
	struct source base;
	struct resolver *resolver;
	struct probed *probed; /* owned */
	size_t n;
	struct probe_command command;
	enum health_state *reported; /* owned: what was reported of each, or with --all of all */
	const char **words;          /* owned: of all */
};

static const struct probe_config *config_of(const struct probe_source *s)
{
	return s->base.config;
}

/* ---- what is reported ------------------------------------------------------------------------ */

static void emit(struct probe_source *s, enum health_state state, const char *const *subjects,
		 size_t n)
{
	struct event event = event_make(state == HEALTH_UP ? "up" : "down");

	event.subjects = subjects;
	event.n_subjects = n;
	s->base.host->emit(&s->base, &event, 1);
}

/* Is this change of state an event? The first answer is one only when it is up, or with --first. */
static bool is_event(struct probe_source *s, enum health_state *reported, enum health_state state)
{
	bool first = *reported == HEALTH_UNKNOWN;

	*reported = state;
	return !first || state == HEALTH_UP || config_of(s)->first;
}

static enum health_state state_of_all(const struct probe_source *s)
{
	bool all_up = true;

	for (size_t i = 0; i < s->n; i++) {
		if (s->probed[i].health.state == HEALTH_DOWN)
			return HEALTH_DOWN;
		all_up &= s->probed[i].health.state == HEALTH_UP;
	}
	return all_up ? HEALTH_UP : HEALTH_UNKNOWN;
}

/* The subject of `down` is the one that went first. */
static void report_all(struct probed *p)
{
	struct probe_source *s = p->owner;
	enum health_state all = state_of_all(s);
	bool down = all == HEALTH_DOWN;

	if (all == s->reported[0] || all == HEALTH_UNKNOWN || !is_event(s, &s->reported[0], all))
		return;
	emit(s, all, down ? &p->word : s->words, down ? 1 : s->n);
}

static void on_change(void *context, enum health_state state, const char *why)
{
	struct probed *p = context;
	struct probe_source *s = p->owner;
	enum health_state *reported = &s->reported[config_of(s)->all ? 0 : p - s->probed];
	bool first = !p->answered && !config_of(s)->first;

	if (state == HEALTH_UNKNOWN)
		log_warn(s->base.rule, "cannot check %s: %s", p->word, why);
	else if (why && first)
		log_warn(s->base.rule, "%s: %s: waiting for it", p->word, why);
	else if (why)
		log_info(s->base.rule, "%s: %s", p->word, why);
	if (state == HEALTH_UNKNOWN)
		return;
	p->answered = true;
	if (config_of(s)->all)
		report_all(p);
	else if (is_event(s, reported, state))
		emit(s, state, &p->word, 1);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void on_command(void *context, const char *why, bool is_short)
{
	health_answer(context, why, is_short);
}

static struct probe_source *source_of(struct health *h)
{
	return CONTAINER_OF(h, struct probed, health)->owner;
}

static void begin_command(struct health *h)
{
	struct probe_source *s = source_of(h);

	probe_command_start(&s->command, config_of(s)->timeout, on_command, h);
}

static void cancel_command(struct health *h)
{
	probe_command_stop(&source_of(h)->command);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void probe_stop(struct source *base)
{
	struct probe_source *s = (struct probe_source *)base;

	for (size_t i = 0; s->probed && i < s->n; i++)
		health_stop(&s->probed[i].health);
}

static void probe_close(struct source *base)
{
	struct probe_source *s = (struct probe_source *)base;

	probe_stop(base);
	probe_command_close(&s->command);
	if (s->resolver)
		resolver_free(s->resolver);
	for (size_t i = 0; s->probed && i < s->n; i++)
		buf_free(&s->probed[i].request);
	free(s->probed);
	free(s->reported);
	free(s->words);
}

/* Returns 0, or -1 with ENOMEM. */
static int ask_for_page(struct probed *p, const struct probe_target *t)
{
	const struct probe_config *c = config_of(p->owner);

	p->good = (struct http_statuses){c->least, c->most};
	http_request_add(&p->request, t->host, t->path);
	p->config.greeting = p->request.data;
	p->config.greeting_length = p->request.length;
	p->config.judge = http_is_good;
	p->config.asked = &p->good;
	return p->request.failed ? -1 : 0;
}

/* Returns 0, or -1 with ENOMEM. */
static int probed_init(struct probe_source *s, size_t i)
{
	const struct probe_config *c = config_of(s);
	struct probed *p = &s->probed[i];
	const struct probe_target *t = c->of ? NULL : &c->targets[i];

	p->owner = s;
	p->word = t ? t->word : c->of;
	p->config = (struct health_config){
	    .interval = c->interval, .rise = c->rise, .fall = c->fall, .timeout = c->timeout};
	if (t) {
		p->config.endpoint = &t->endpoint;
	} else {
		p->config.begin = begin_command;
		p->config.cancel = cancel_command;
	}
	s->words[i] = p->word;
	health_init(&p->health, s->base.reactor, s->resolver, &p->config, on_change, p);
	p->health.next.priority = s->base.priority;
	return t && t->path ? ask_for_page(p, t) : 0;
}

static int open_all(struct probe_source *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (probed_init(s, i) < 0)
			return -1;
	return 0;
}

static int probe_open(struct source *base, struct error *e)
{
	struct probe_source *s = (struct probe_source *)base;
	const struct probe_config *c = base->config;

	s->n = c->of ? 1 : c->n_targets;
	s->resolver = resolver_new(base->reactor, 0, base->rule);
	s->probed = calloc(s->n, sizeof *s->probed);
	s->reported = calloc(s->n, sizeof *s->reported);
	s->words = calloc(s->n, sizeof *s->words);
	if (!s->resolver || !s->probed || !s->reported || !s->words || open_all(s) < 0)
		error_errno(e, "cannot probe");
	else if (!c->of ||
		 probe_command_open(&s->command, base->reactor, base->rule, c->of, e) == 0)
		return 0;
	probe_close(base);
	return -1;
}

static void probe_start(struct source *base)
{
	struct probe_source *s = (struct probe_source *)base;
	struct error e;

	for (size_t i = 0; i < s->n; i++) {
		if (health_start(&s->probed[i].health) == 0)
			continue;
		error_errno(&e, "cannot probe");
		base->host->failed(base, &e);
		return;
	}
}

static const char *probe_own_command(const void *config)
{
	return ((const struct probe_config *)config)->of;
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const struct event_name probe_events[] = {
    {"up", "it answers as it should; subject: the endpoint (--all: all)"},
    {"down", "it no longer answers"},
    {0},
};

const struct source_type source_probe = {
    .name = "probe",
    .summary = "when a service goes up or down",
    .arguments = "ENDPOINT...",
    .least_arguments = 0, /* --of has none */
    .most_arguments = -1,
    .examples = {"evwatch probe db:5432 --once --within 60s",
		 "evwatch probe http://web/ok --fall 3 -- 'echo \"$1: $EVWATCH_EVENT\"'"},
    .events = probe_events,
    .options = probe_options,
    .subjects_from_outside = true,
    .config_size = sizeof(struct probe_config),
    .config_init = probe_config_init,
    .config_arguments = probe_config_arguments,
    .config_release = probe_config_release,
    .describe = probe_config_describe,
    .most_subjects = probe_config_most_subjects,
    .endless = source_never_ends,
    .own_command = probe_own_command,
    .size = sizeof(struct probe_source),
    .open = probe_open,
    .start = probe_start,
    .stop = probe_stop,
    .close = probe_close,
};
