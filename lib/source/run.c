/*
 * run: a command that is to be running. The event is its start, at evwatch's own and after each end
 * that --restart does not take for the last.
 *
 *	RUNNING --ended--> WAITING --backoff over--> RUNNING
 *	   |                  |
 *	   |                  +--started by hand--> RUNNING
 *	   +--success, or failures used up--> over
 *	   +--stopped by hand--> DOWN --started by hand--> RUNNING
 */
#include "source/kinds.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/units.h"
#include "reactor/reactor.h"
#include "source/restart.h"

#include <string.h>

struct run_config {
	int restart;
	uint64_t retry;               /* failures in a row until the rule ends; 0: no end */
	int64_t backoff, backoff_max; /* ns */
};

struct run_source {
	struct source base;
	struct timer again;
	int64_t began, wait;
	uint64_t failures; /* in a row */
	bool stopped;
};

static void run_init(void *config)
{
	*(struct run_config *)config = (struct run_config){
	    .restart = RESTART_FAILURE,
	    .backoff = NS_PER_S,
	    .backoff_max = BACKOFF_MOST,
	};
}

static void run_describe(const void *config, struct buf *out)
{
	const struct run_config *c = config;

	buf_printf(out, "at the start%s", restart_said[c->restart]);
	if (c->restart == RESTART_NO)
		return;
	buf_add_text(out, " (after ");
	duration_add(out, c->backoff);
	if (c->backoff_max > c->backoff) {
		buf_add_text(out, ", doubling to ");
		duration_add(out, c->backoff_max);
	}
	if (c->retry)
		buf_printf(out, "; until %llu in a row have failed", (unsigned long long)c->retry);
	buf_add_char(out, ')');
}

static bool run_endless(const void *config)
{
	const struct run_config *c = config;

	return c->restart == RESTART_ALWAYS && !c->retry;
}

static void emit_start(struct run_source *s)
{
	struct event event = event_make("start");

	s->base.host->emit(&s->base, &event, 1);
}

static void on_again(struct reactor *r, struct timer *t)
{
	(void)r;
	emit_start(CONTAINER_OF(t, struct run_source, again));
}

static void run_began(struct source *base, void *token)
{
	struct run_source *s = (struct run_source *)base;

	(void)token;
	timer_stop(base->reactor, &s->again);
	s->began = reactor_now(base->reactor, CLOCK_OF_LOOP);
}

/* Is this end the last? */
static bool is_last(struct run_source *s, int status)
{
	const struct run_config *c = s->base.config;

	if (!restart_is_wanted((enum restart)c->restart, status))
		return true;
	s->failures = status == 0 ? 0 : s->failures + 1;
	if (!c->retry || s->failures < c->retry)
		return false;
	log_warn(s->base.rule,
		 s->failures == 1 ? "a run has failed: the rule ends"
				  : "%llu runs in a row have failed: the rule ends",
		 (unsigned long long)s->failures);
	return true;
}

static void start_again(struct run_source *s)
{
	const struct run_config *c = s->base.config;
	int64_t now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	struct error e;

	restart_wait(&s->wait, now - s->began, c->backoff, c->backoff_max);
	if (timer_start_in(s->base.reactor, &s->again, s->wait) == 0)
		return;
	error_errno(&e, "cannot start the command again");
	s->base.host->failed(&s->base, &e);
}

static void run_ended(struct source *base, void *token, const struct run_outcome *outcome)
{
	struct run_source *s = (struct run_source *)base;

	(void)token;
	if (outcome->status < 0 || outcome->stopped || s->stopped)
		return;
	if (is_last(s, outcome->status))
		base->host->ended(base);
	else
		start_again(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int run_open(struct source *base, struct error *e)
{
	struct run_source *s = (struct run_source *)base;

	(void)e;
	timer_init(&s->again, CLOCK_OF_LOOP, on_again);
	return 0;
}

static void run_start(struct source *base)
{
	emit_start((struct run_source *)base);
}

static void run_stop(struct source *base)
{
	struct run_source *s = (struct run_source *)base;

	s->stopped = true;
	timer_stop(base->reactor, &s->again);
}

static const struct event_name run_events[] = {
    {"start", "the command is to run: at start, and again as --restart says"},
    {0},
};

static int parse_backoff(void *config, const char *word, struct error *e)
{
	struct run_config *c = config;

	return backoff_parse(word, &c->backoff, &c->backoff_max, e);
}

static int parse_retry(void *config, const char *word, struct error *e)
{
	struct run_config *c = config;

	if (strcmp(word, "forever") != 0)
		return count_parse(word, 1, 1000000, &c->retry, e);
	error_set(e, "forever is what run does without this option");
	return error_hint(e, "--retry N ends the rule after N failures in a row");
}

#define CONFIG struct run_config

static const struct option run_options[] = {
    OPTION_ROW("restart", CHOICE, restart, "no|failure|always",
	       "when it is started again (failure)", .in_words = true, .choices = restart_words),
    OPTION_ROW("backoff", CUSTOM, backoff, "DUR[:MAX]", "wait before that, doubling (1s:1m)",
	       .in_words = true, .parse = parse_backoff),
    OPTION_ROW("retry", CUSTOM, retry, "N", "the rule ends after N failures in a row",
	       .in_words = true, .parse = parse_retry),
    {0},
};

static const struct refusal run_refuses[] = {
    {"initial jobs each", "it starts its command at once, one at a time",
     "a second one is a rule of its own"},
    {"on-busy signal", "a further start replaces the run",
     "leave it out; --stop-signal and --stop-timeout say how"},
    {"debounce max-wait throttle quiet-for times unique by",
     "its only event is the start of the command", "--backoff DUR spaces the starts"},
    {"to", "it keeps a command of its own running", "what it is to run comes after \"--\""},
    {0},
};

const struct source_type source_run = {
    .name = "run",
    .summary = "a command that is to be running",
    .arguments = "",
    .least_arguments = 0,
    .most_arguments = 0,
    .examples = {"evwatch run --restart always -- ./server",
		 "evwatch run --restart no --last -- nginx -g 'daemon off;'"},
    .events = run_events,
    .options = run_options,
    .refuses = run_refuses,
    .needs_command = true,
    .starts_itself = true,
    .one_by_one = true,
    .default_on_busy = 2 /* BUSY_RESTART */,
    .ends_whole = true,
    .config_size = sizeof(struct run_config),
    .config_init = run_init,
    .describe = run_describe,
    .endless = run_endless,
    .size = sizeof(struct run_source),
    .open = run_open,
    .start = run_start,
    .stop = run_stop,
    .close = run_stop,
    .run_began = run_began,
    .run_ended = run_ended,
};
