/* signal: an event for every signal that arrives, with its sender. */
#include "source/kinds.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/signame.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_SIGNALS = 64 };

struct signal_config {
	int numbers[MOST_SIGNALS];
	size_t count;
};

struct signal_source;

struct watched_signal {
	struct signal_watcher watcher;
	struct signal_source *owner;
	char name[16]; /* of its events, which outlive the call */
};

struct signal_source {
	struct source base;
	struct watched_signal signals[MOST_SIGNALS];
};

/* Signals that cannot be caught, and those that say that evwatch itself is broken. */
static bool is_refused(int number)
{
	static const int refused[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
				      SIGILL,  SIGTRAP, SIGABRT, SIGSYS, SIGCHLD};

	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
		if (refused[i] == number)
			return true;
	return number > 31 && number < SIGRTMIN; /* the C library's own */
}

static void explain_refused(const char *word, int number, struct error *e)
{
	if (number == SIGKILL || number == SIGSTOP)
		error_set(e, "%s cannot be caught", word);
	else if (number == SIGCHLD)
		error_set(e, "evwatch itself needs %s, to notice the end of commands", word);
	else if (number > 31)
		error_set(e, "%s is the C library's own", word);
	else
		error_set(e, "%s reports a fault of evwatch itself, not an event", word);
}

static int signal_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct signal_config *c = config;

	for (size_t i = 0; i < n && i < MOST_SIGNALS; i++) {
		int number = signal_parse(words[i], e);

		if (number < 0)
			return error_at(e, (int)i, 0);
		if (is_refused(number)) {
			explain_refused(words[i], number, e);
			return error_at(e, (int)i, 0);
		}
		c->numbers[c->count++] = number;
	}
	return 0;
}

static void signal_describe(const void *config, struct buf *out)
{
	const struct signal_config *c = config;
	char name[16];

	buf_add_text(out, c->count > 1 ? "the signals" : "the signal");
	for (size_t i = 0; i < c->count; i++)
		buf_printf(out, "%s %s", i ? "," : "",
			   signal_name(c->numbers[i], name, sizeof name));
}

static bool signal_claims(const void *config, int number)
{
	const struct signal_config *c = config;

	for (size_t i = 0; i < c->count; i++)
		if (c->numbers[i] == number)
			return true;
	return false;
}

/*
 * Does the kernel vouch for who sent it? It does for kill(2); with sigqueue(3) the sender says who
 * it is, and what the kernel itself sends has no sender.
 */
static bool has_sender(const struct signal_info *info)
{
	return info->code == SI_USER || info->code == SI_TKILL;
}

static void on_signal(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	struct watched_signal *watched = CONTAINER_OF(w, struct watched_signal, watcher);
	struct signal_source *s = watched->owner;
	struct event event = event_make(watched->name);
	char pid[16], uid[16], value[16];
	const char *subject = watched->name;
	struct detail details[] = {
	    {.name = "EVWATCH_SIGNAL", .value = watched->name},
	    {.name = "EVWATCH_SENDER_PID", .value = pid, .number = true},
	    {.name = "EVWATCH_SENDER_UID", .value = uid, .number = true},
	    {.name = "EVWATCH_VALUE", .value = value, .number = true},
	};

	(void)r;
	snprintf(pid, sizeof pid, "%d", (int)info->pid);
	snprintf(uid, sizeof uid, "%u", (unsigned)info->uid);
	snprintf(value, sizeof value, "%d", info->value);
	event.subjects = &subject;
	event.n_subjects = 1;
	event.details = details;
	event.n_details = ARRAY_LENGTH(details);
	if (!has_sender(info))
		details[2].value = NULL;
	s->base.host->emit(&s->base, &event, 1);
}

static void signal_close(struct source *base)
{
	struct signal_source *s = (struct signal_source *)base;
	const struct signal_config *c = base->config;

	for (size_t i = 0; i < c->count; i++)
		if (s->signals[i].watcher.started)
			signal_stop(base->reactor, &s->signals[i].watcher);
}

/* Watched from the opening on: a signal that comes while other rules are opened is not lost. */
static int signal_open(struct source *base, struct error *e)
{
	struct signal_source *s = (struct signal_source *)base;
	const struct signal_config *c = base->config;

	for (size_t i = 0; i < c->count; i++) {
		struct signal_watcher *w = &s->signals[i].watcher;

		s->signals[i].owner = s;
		signal_name(c->numbers[i], s->signals[i].name, sizeof s->signals[i].name);
		signal_init(w, c->numbers[i], on_signal);
		if (signal_start(base->reactor, w) < 0) {
			error_errno(e, "cannot watch %s", s->signals[i].name);
			signal_close(base);
			return -1;
		}
	}
	return 0;
}

static void signal_start_source(struct source *base)
{
	(void)base;
}

static const struct event_name signal_events[] = {
    {"HUP, USR1, ...", "the signal of this name arrived; subject: the same"},
    {0},
};

static const struct option no_options[] = {{0}};

static const struct refusal signal_refuses[] = {
    {"debounce max-wait", "each event has a run of its own", "--throttle DUR paces the runs"},
    {0},
};

const struct source_type source_signal = {
    .name = "signal",
    .summary = "when a signal arrives",
    .arguments = "NAME...",
    .least_arguments = 1,
    .most_arguments = MOST_SIGNALS,
    .examples = {"evwatch signal HUP -- nginx -s reload",
		 "evwatch signal USR1 USR2 -- 'echo \"$1 from $EVWATCH_SENDER_PID\"'"},
    .events = signal_events,
    .options = no_options,
    .refuses = signal_refuses,
    .one_by_one = true,
    .config_size = sizeof(struct signal_config),
    .config_arguments = signal_arguments,
    .describe = signal_describe,
    .endless = source_never_ends,
    .claims_signal = signal_claims,
    .size = sizeof(struct signal_source),
    .open = signal_open,
    .start = signal_start_source,
    .stop = signal_close,
    .close = signal_close,
};
