/* How a command is run: its options, as a table. */
#include "job/config.h"

#include "base/error.h"
#include "base/signame.h"
#include "base/units.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct job_config, name)

static const char *const busy_names[] = {"queue", "skip", "restart", "signal", "parallel", NULL};
static const char *const stdin_names[] = {"null", "paths", "json", "inherit", NULL};

static int parse_debounce(void *config, const char *word, struct error *e)
{
	struct job_config *c = config;

	c->debounce_auto = strcmp(word, "auto") == 0;
	return c->debounce_auto ? 0 : duration_parse(word, &c->debounce, e);
}

static int parse_signal(void *config, const char *word, struct error *e)
{
	struct job_config *c = config;

	c->signal = signal_parse(word, e);
	return c->signal < 0 ? -1 : 0;
}

static int parse_stop_signal(void *config, const char *word, struct error *e)
{
	struct job_config *c = config;

	c->stop_signal = signal_parse(word, e);
	return c->stop_signal < 0 ? -1 : 0;
}

static int parse_backoff(void *config, const char *word, struct error *e)
{
	struct job_config *c = config;

	return backoff_parse(word, &c->backoff, &c->backoff_max, e);
}

/* N or forever */
static int parse_retry(void *config, const char *word, struct error *e)
{
	struct job_config *c = config;

	if (strcmp(word, "forever") == 0) {
		c->retry = RETRY_FOREVER;
		return 0;
	}
	if (count_parse(word, 0, 1000000, &c->retry, e) == 0)
		return 0;
	return error_hint(e, "a number of times, or forever");
}

static int check_env(void *config, const char *word, struct error *e)
{
	(void)config;
	if (!strchr(word, '=') || *word == '=')
		return error_set(e, "\"%s\" is not NAME=VALUE", word);
	return 0;
}

static int parse_umask(void *config, const char *word, struct error *e)
{
	struct job_config *c = config;
	char *end;
	long mask = strtol(word, &end, 8);

	if (end == word || *end || mask < 0 || mask > 0777)
		return error_set(e, "\"%s\" is not an octal mask (as in 022)", word);
	c->around.umask = (int)mask;
	return 0;
}

static int parse_nice(void *config, const char *word, struct error *e)
{
	struct job_config *c = config;
	char *end;
	long n = strtol(word, &end, 10);

	if (end == word || *end || n < -40 || n > 40)
		return error_set(e, "\"%s\" is not a number from -40 to 40", word);
	c->around.nice = (int)n;
	return 0;
}

/* ---- what needs another option --------------------------------------------------------------- */

static int check_signal(const void *config, struct error *e)
{
	if (((const struct job_config *)config)->on_busy == BUSY_SIGNAL)
		return 0;
	error_set(e, "has no effect without --on-busy signal");
	return error_hint(e, "--stop-signal is the one that stops the command");
}

static int check_backoff(const void *config, struct error *e)
{
	if (((const struct job_config *)config)->retry)
		return 0;
	error_set(e, "has no effect without --retry");
	return error_hint(e, "--retry N runs a failed command again, N times at most");
}

static int check_debounce(const void *config, struct error *e)
{
	if (!((const struct job_config *)config)->debounce_auto)
		return 0;
	error_set(e, "\"auto\" is for file only");
	return error_hint(e, "a duration is for all kinds, as in --debounce 50ms");
}

static int check_max_wait(const void *config, struct error *e)
{
	if (((const struct job_config *)config)->debounce >= 0)
		return 0;
	error_set(e, "has no effect without --debounce");
	return error_hint(e, "--debounce DUR gathers events, as in --debounce 50ms");
}

const struct option job_options[] = {
    {.name = "on-busy",
     .in_words = true,
     .type = OPTION_CHOICE,
     .offset = FIELD(on_busy),
     .value = "WHAT",
     .choices = busy_names,
     .help = "queue, skip, restart, signal or parallel"},
    {.name = "signal",
     .type = OPTION_CUSTOM,
     .parse = parse_signal,
     .value = "SIG",
     .check = check_signal,
     .help = "what --on-busy signal sends (HUP)"},
    {.name = "jobs",
     .in_words = true,
     .letter = 'j',
     .type = OPTION_COUNT,
     .offset = FIELD(jobs),
     .value = "N",
     .least = 1,
     .most = 10000,
     .help = "how many run at once"},
    {.name = "debounce",
     .in_words = true,
     .type = OPTION_CUSTOM,
     .parse = parse_debounce,
     .value = "DUR",
     .help = "gather until it was quiet for DUR (file: auto)",
     .check = check_debounce,
     .reach = REACH_GATHERED},
    {.name = "max-wait",
     .in_words = true,
     .type = OPTION_DURATION,
     .offset = FIELD(max_wait),
     .value = "DUR",
     .help = "but no longer than DUR (2s, or ten times that)",
     .check = check_max_wait,
     .reach = REACH_GATHERED},
    {.name = "throttle",
     .in_words = true,
     .type = OPTION_DURATION,
     .offset = FIELD(throttle),
     .value = "DUR",
     .help = "run at most once per DUR",
     .reach = REACH_FLOW},
    {.name = "each",
     .in_words = true,
     .offset = FIELD(each),
     .help = "a run for each path, --jobs of them at once",
     .reach = REACH_BATCHES},
    {.name = "initial",
     .letter = 'i',
     .in_words = true,
     .offset = FIELD(initial),
     .help = "run once at start, before any event"},
    {.name = "timeout",
     .in_words = true,
     .type = OPTION_DURATION,
     .offset = FIELD(timeout),
     .value = "DUR",
     .help = "stop it after DUR (status 124)"},
    {.name = "stop-signal",
     .type = OPTION_CUSTOM,
     .parse = parse_stop_signal,
     .value = "SIG",
     .help = "what stops it (TERM)"},
    {.name = "stop-timeout",
     .type = OPTION_DURATION,
     .offset = FIELD(stop_timeout),
     .value = "DUR",
     .help = "KILL follows after DUR (10s)"},
    {.name = "retry",
     .in_words = true,
     .type = OPTION_CUSTOM,
     .parse = parse_retry,
     .value = "N",
     .help = "run a failed command again; N may be forever"},
    {.name = "backoff",
     .in_words = true,
     .type = OPTION_CUSTOM,
     .parse = parse_backoff,
     .value = "DUR[:MAX]",
     .check = check_backoff,
     .help = "wait before that, doubling (1s:1m)"},
    {.name = "priority",
     .type = OPTION_COUNT,
     .offset = FIELD(priority),
     .value = "N",
     .most = 7,
     .help = "0 (first) to 7: the order of ready events (4)",
     .reach = REACH_RULES},
    {.name = "env",
     .type = OPTION_LIST,
     .offset = FIELD(around.env),
     .parse = check_env,
     .value = "K=V",
     .help = "set a variable; repeat"},
    {.name = "clear-env",
     .offset = FIELD(around.clear_env),
     .help = "pass on no variable but evwatch's own and --env"},
    {.name = "cwd",
     .type = OPTION_TEXT,
     .offset = FIELD(around.cwd),
     .value = "DIR",
     .help = "run it there"},
    {.name = "umask",
     .type = OPTION_CUSTOM,
     .parse = parse_umask,
     .value = "MASK",
     .help = "its file mode mask"},
    {.name = "nice",
     .type = OPTION_CUSTOM,
     .parse = parse_nice,
     .value = "N",
     .help = "add N to its niceness"},
    {.name = "run-as",
     .type = OPTION_TEXT,
     .offset = FIELD(around.run_as),
     .value = "USER[:GROUP]",
     .help = "run it as another user"},
    {.name = "no-new-privs",
     .offset = FIELD(around.no_new_privs),
     .help = "it gains no privileges by set-user-id programs"},
    {.name = "contain", .help = "in a process namespace", .not_yet = true},
    {.name = "stdin",
     .type = OPTION_CHOICE,
     .offset = FIELD(stdin_mode),
     .value = "WHAT",
     .choices = stdin_names,
     .help = "its input: null, paths, json, inherit",
     .reach = REACH_INPUT},
    {.name = "null",
     .letter = '0',
     .offset = FIELD(nul),
     .help = "--stdin paths ends each with NUL",
     .reach = REACH_RULES},
    {.name = "output",
     .type = OPTION_TEXT,
     .offset = FIELD(output.where),
     .value = "WHERE",
     .help = "inherit, group, null, or a file to append to"},
    {.name = "tag", .offset = FIELD(output.tag), .help = "put the rule's name before each line"},
    {.name = "clear", .offset = FIELD(output.clear), .help = "clear the screen before each run"},
    {.name = "shell",
     .type = OPTION_TEXT,
     .offset = FIELD(around.shell),
     .value = "PATH",
     .help = "instead of /bin/sh"},
    {0},
};

void job_config_init(struct job_config *c)
{
	*c = (struct job_config){
	    .on_busy = -1,
	    .signal = SIGHUP,
	    .debounce = -1,
	    .max_wait = -1,
	    .stop_signal = SIGTERM,
	    .stop_timeout = 10 * NS_PER_S,
	    .backoff = NS_PER_S,
	    .backoff_max = BACKOFF_MOST,
	    .priority = 4,
	    .around.umask = -1,
	};
}

int64_t job_max_wait(const struct job_config *c)
{
	int64_t often = 0;

	if (c->max_wait >= 0)
		return c->max_wait;
	if (c->debounce > 0 && __builtin_mul_overflow(c->debounce, INT64_C(10), &often))
		often = INT64_MAX / 4;
	return often > 2 * NS_PER_S ? often : 2 * NS_PER_S;
}
