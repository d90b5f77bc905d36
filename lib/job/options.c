/* How a command is run: its options, as a table. */
#include "job/config.h"

#include "base/error.h"
#include "base/signame.h"
#include "base/units.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

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

#define CONFIG struct job_config

const struct option job_options[] = {
    OPTION_ROW("on-busy", CHOICE, on_busy, "WHAT", "queue, skip, restart, signal or parallel",
	       .in_words = true, .choices = busy_names),
    OPTION_ROW("signal", CUSTOM, signal, "SIG", "what --on-busy signal sends (HUP)",
	       .parse = parse_signal, .check = check_signal),
    OPTION_ROW("jobs", COUNT, jobs, "N", "how many run at once", .in_words = true, .letter = 'j',
	       .least = 1, .most = 10000),
    OPTION_ROW("debounce", CUSTOM, debounce, "DUR",
	       "gather until it was quiet for DUR (file: auto)", .in_words = true,
	       .parse = parse_debounce, .check = check_debounce, .reach = REACH_GATHERED),
    OPTION_ROW("max-wait", DURATION, max_wait, "DUR",
	       "but no longer than DUR (2s, or ten times that)", .in_words = true,
	       .check = check_max_wait, .reach = REACH_GATHERED),
    OPTION_ROW("throttle", DURATION, throttle, "DUR", "run at most once per DUR", .in_words = true,
	       .reach = REACH_FLOW),
    OPTION_ROW("each", FLAG, each, NULL, "a run for each path, --jobs of them at once",
	       .in_words = true, .reach = REACH_BATCHES),
    OPTION_ROW("initial", FLAG, initial, NULL, "run once at start, before any event", .letter = 'i',
	       .in_words = true),
    OPTION_ROW("timeout", DURATION, timeout, "DUR", "stop it after DUR (status 124)",
	       .in_words = true),
    OPTION_ROW("stop-signal", CUSTOM, stop_signal, "SIG", "what stops it (TERM)",
	       .parse = parse_stop_signal),
    OPTION_ROW("stop-timeout", DURATION, stop_timeout, "DUR", "KILL follows after DUR (10s)"),
    OPTION_ROW("retry", CUSTOM, retry, "N", "run a failed command again; N may be forever",
	       .in_words = true, .parse = parse_retry),
    OPTION_ROW("backoff", CUSTOM, backoff, "DUR[:MAX]", "wait before that, doubling (1s:1m)",
	       .in_words = true, .parse = parse_backoff, .check = check_backoff),
    OPTION_ROW("priority", COUNT, priority, "N", "0 (first) to 7: the order of ready events (4)",
	       .most = 7, .reach = REACH_RULES),
    OPTION_ROW("env", LIST, around.env, "K=V", "set a variable; repeat", .parse = check_env),
    OPTION_ROW("clear-env", FLAG, around.clear_env, NULL,
	       "pass on no variable but evwatch's own and --env"),
    OPTION_ROW("cwd", TEXT, around.cwd, "DIR", "run it there"),
    OPTION_ROW("umask", CUSTOM, around.umask, "MASK", "its file mode mask", .parse = parse_umask),
    OPTION_ROW("nice", CUSTOM, around.nice, "N", "add N to its niceness", .parse = parse_nice),
    OPTION_ROW("run-as", TEXT, around.run_as, "USER[:GROUP]", "run it as another user"),
    OPTION_ROW("no-new-privs", FLAG, around.no_new_privs, NULL,
	       "it gains no privileges by set-user-id programs"),
    {.name = "contain", .help = "in a process namespace", .not_yet = true},
    OPTION_ROW("stdin", CHOICE, stdin_mode, "WHAT", "its input: null, paths, json, inherit",
	       .choices = stdin_names, .reach = REACH_INPUT),
    OPTION_ROW("null", FLAG, nul, NULL, "--stdin paths ends each with NUL", .letter = '0',
	       .reach = REACH_RULES),
    OPTION_ROW("output", TEXT, output.where, "WHERE",
	       "inherit, group, null, or a file to append to"),
    OPTION_ROW("tag", FLAG, output.tag, NULL, "put the rule's name before each line"),
    OPTION_ROW("clear", FLAG, output.clear, NULL, "clear the screen before each run"),
    OPTION_ROW("shell", TEXT, around.shell, "PATH", "instead of /bin/sh"),
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
