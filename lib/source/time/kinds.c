/* every, after, at, cron, calendar: their words, options and descriptions. */
#include "source/time/time.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "calendar/moment.h"
#include "calendar/zone.h"
#include "source/kinds.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading --------------------------------------------------------------------------------- */

static void config_init(void *config)
{
	((struct time_config *)config)->late = NS_PER_S;
}

static void config_release(void *config)
{
	struct time_config *c = config;

	calendar_free(c->calendar);
	free(c->text);
}

static int period_read(struct time_config *c, const char *word, struct error *e)
{
	e->column = 0;
	if (duration_parse(word, &c->period, e) < 0)
		return error_at(e, 0, e->column);
	return 0;
}

/* Keeps the calendar and its zone: the expression's own, else --tz, else the system's. */
static int calendar_take(struct time_config *c, struct calendar *calendar, const char *word,
			 struct zone_set *zones, struct error *e)
{
	const char *zone;

	if (!calendar)
		return -1;
	c->calendar = calendar;
	c->text = strdup(word);
	if (!c->text)
		return error_errno(e, "out of memory");
	zone = calendar_zone(calendar) ? calendar_zone(calendar) : c->tz;
	c->zone = zone_get(zones, zone, e);
	if (c->zone)
		return 0;
	error_at(e, -1, 0);
	return zone && zone == c->tz ? error_of_option(e, "tz") : -1;
}

static int every_times(void *config, char *const *words, struct zone_set *zones, struct error *e)
{
	struct time_config *c = config;

	if (period_read(c, words[0], e) < 0)
		return -1;
	if (c->period == 0) {
		error_set(e, "the period must be greater than 0");
		return error_at(e, 0, 0);
	}
	if (c->align)
		return calendar_take(c, calendar_multiples(c->period), words[0], zones, e);
	return 0; /* --tz means nothing then, see check_aligned */
}

static int after_times(void *config, char *const *words, struct zone_set *zones, struct error *e)
{
	struct time_config *c = config;

	(void)zones;
	c->once = true;
	return period_read(c, words[0], e);
}

static int at_times(void *config, char *const *words, struct zone_set *zones, struct error *e)
{
	struct time_config *c = config;
	int64_t now = clock_read(CLOCK_OF_WALL);
	struct calendar_time next;
	struct moment m;

	c->once = true;
	if (moment_parse(words[0], &m, e) < 0)
		return -1;
	if (m.kind == MOMENT_FROM_NOW) {
		c->period = m.value;
		return 0;
	}
	if (calendar_take(c, moment_calendar(&m), words[0], zones, e) < 0)
		return -1;
	if (!series_next(c, now - 1, now - 1, &next)) {
		error_set(e, "%s is in the past", words[0]);
		return error_at(e, 0, 0);
	}
	return 0;
}

static int cron_times(void *config, char *const *words, struct zone_set *zones, struct error *e)
{
	return calendar_take(config, calendar_parse_cron(words[0], e), words[0], zones, e);
}

static int event_times(void *config, char *const *words, struct zone_set *zones, struct error *e)
{
	return calendar_take(config, calendar_parse_event(words[0], e), words[0], zones, e);
}

/* ---- describing ------------------------------------------------------------------------------ */

static bool upcoming(const void *config, int64_t start, int64_t after, struct calendar_time *next,
		     const struct zone **zone)
{
	const struct time_config *c = config;

	*zone = c->zone;
	return series_next(c, start, after, next);
}

/* "..., next 2026-11-25T03:15:00+01:00" */
static void describe_next(const struct time_config *c, struct buf *out)
{
	int64_t now = clock_read(CLOCK_OF_WALL);
	struct calendar_time next;

	if (!c->calendar || calendar_is_reboot(c->calendar))
		return;
	if (!series_next(c, now, now, &next)) {
		buf_add_text(out, ", which never comes");
		return;
	}
	buf_printf(out, "%s %s ", c->once ? "," : ", next on", instant_weekday(c->zone, next.at));
	instant_add(out, c->zone, next.at);
}

/* What --missed, --late and --catch-up change. */
static void describe_missed(const struct time_config *c, struct buf *out)
{
	if (c->missed == MISSED_NONE) {
		buf_add_text(out, ", none that is noticed more than ");
		duration_add(out, c->late);
		buf_add_text(out, " late");
	} else if (c->missed == MISSED_ALL) {
		buf_add_text(out, ", each that was missed");
	} else if (c->catch_up) {
		buf_add_text(out, ", one for all that were missed");
	}
	if (c->catch_up)
		buf_printf(out, " since the last run (record in %s)", c->catch_up);
}

static void every_describe(const void *config, struct buf *out)
{
	const struct time_config *c = config;

	buf_add_text(out, "a tick every ");
	duration_add(out, c->period);
	if (c->align)
		buf_add_text(out, " of wall-clock time");
	describe_next(c, out);
	describe_missed(c, out);
}

static void after_describe(const void *config, struct buf *out)
{
	const struct time_config *c = config;

	buf_add_text(out, "one tick after ");
	duration_add(out, c->period);
	describe_missed(c, out);
}

static void at_describe(const void *config, struct buf *out)
{
	const struct time_config *c = config;

	if (!c->calendar) {
		after_describe(config, out);
		return;
	}
	buf_printf(out, "one tick at %s", c->text);
	describe_next(c, out);
	describe_missed(c, out);
}

static void expression_describe(const void *config, struct buf *out)
{
	const struct time_config *c = config;

	buf_add_text(out, "the schedule \"");
	escape_control(out, c->text, strlen(c->text));
	buf_add_text(out, "\"");
	if (c->tz)
		buf_printf(out, " in %s", c->tz);
	describe_next(c, out);
	describe_missed(c, out);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static const struct event_name tick_events[] = {
    {"tick", "the time has come (EVWATCH_SCHEDULED, EVWATCH_MISSED)"},
    {0},
};

static const char *const missed_words[] = {"one", "all", "none", NULL};
static const char *const gap_words[] = {"run", "skip", NULL};
static const char *const fold_words[] = {"once", "twice", NULL};

static int check_aligned(const void *config, struct error *e)
{
	if (((const struct time_config *)config)->align)
		return 0;
	error_set(e, "has no effect without --align");
	return error_hint(e, "a period is counted from the start, whatever the clock says");
}

static int check_late(const void *config, struct error *e)
{
	if (((const struct time_config *)config)->missed == MISSED_NONE)
		return 0;
	error_set(e, "has no effect without --missed none");
	return error_hint(e, "--missed none drops ticks that are noticed later than --late");
}

#define FIELD(name) .offset = offsetof(struct time_config, name)

#define OPTION_ALIGN                                                                               \
	{                                                                                          \
		.name = "align", .in_words = true, .type = OPTION_FLAG, FIELD(align),              \
		.help = "on multiples of wall-clock time"                                          \
	}
#define OPTION_TZ(checked)                                                                         \
	{                                                                                          \
		.name = "tz", .in_words = true, .type = OPTION_TEXT, FIELD(tz), .value = "ZONE",   \
		.check = checked, .help = "time zone (default: the system's)"                      \
	}
#define OPTIONS_JITTER                                                                             \
	{.name = "jitter",                                                                         \
	 .type = OPTION_DURATION,                                                                  \
	 FIELD(jitter),                                                                            \
	 .value = "DUR",                                                                           \
	 .help = "put each tick off by a random time below DUR"},                                  \
	{                                                                                          \
		.name = "fixed-jitter", .type = OPTION_DURATION, FIELD(fixed_jitter),              \
		.value = "DUR", .help = "the same, but stable per rule and host"                   \
	}
#define OPTIONS_MISSED                                                                             \
	{.name = "missed",                                                                         \
	 .in_words = true,                                                                         \
	 .type = OPTION_CHOICE,                                                                    \
	 FIELD(missed),                                                                            \
	 .value = "one|all|none",                                                                  \
	 .choices = missed_words,                                                                  \
	 .help = "after sleep or a stop: one run, all, or none"},                                  \
	{                                                                                          \
		.name = "late", .in_words = true, .type = OPTION_DURATION, FIELD(late),            \
		.value = "DUR", .check = check_late,                                               \
		.help = "with --missed none: how late a tick may be (1s)"                          \
	}
#define OPTION_CATCH_UP                                                                            \
	{                                                                                          \
		.name = "catch-up", .in_words = true, .type = OPTION_TEXT, FIELD(catch_up),        \
		.value = "DIR", .help = "remember the last run; make up for missed ones"           \
	}
#define OPTIONS_DST                                                                                \
	{.name = "gap",                                                                            \
	 .type = OPTION_CHOICE,                                                                    \
	 FIELD(gap),                                                                               \
	 .value = "run|skip",                                                                      \
	 .choices = gap_words,                                                                     \
	 .help = "a time skipped in spring: run after it, or skip"},                               \
	{                                                                                          \
		.name = "fold", .type = OPTION_CHOICE, FIELD(fold), .value = "once|twice",         \
		.choices = fold_words, .help = "a time repeated in autumn: once, or twice"         \
	}

static const struct option every_options[] = {
    OPTION_ALIGN, OPTION_TZ(check_aligned), OPTIONS_JITTER, OPTIONS_MISSED, OPTION_CATCH_UP, {0},
};
static const struct option after_options[] = {OPTIONS_JITTER, OPTIONS_MISSED, {0}};
static const struct option at_options[] = {OPTION_TZ(NULL), OPTIONS_JITTER, OPTIONS_MISSED, {0}};
static const struct option schedule_options[] = {
    OPTION_TZ(NULL), OPTIONS_DST, OPTIONS_JITTER, OPTIONS_MISSED, OPTION_CATCH_UP, {0},
};

static const struct refusal tick_refuses[] = {
    {"quiet-for times unique by", "a tick has no subject, and comes when it is due",
     "--missed, --on-busy and --jitter say which ticks run the command, and when"},
    {0},
};

#define TIME_KIND                                                                                  \
	.least_arguments = 1, .most_arguments = 1, .events = tick_events, .refuses = tick_refuses, \
	.default_on_busy = 1 /* BUSY_SKIP */, .config_size = sizeof(struct time_config),           \
	.config_init = config_init, .config_release = config_release, .upcoming = upcoming,        \
	.size = sizeof(struct time_source), .open = time_open, .start = time_start,                \
	.stop = time_stop, .close = time_close, .record_lock = time_record_lock,                   \
	.run_began = time_run_began, .run_ended = time_run_ended,                                  \
	.clock_changed = time_clock_changed, .due_in = time_due_in

/* The sign of POSIX: TZ=UTC+3 is three hours behind, not ahead. */
static bool zone_doubtful(const void *config, bool has_command, struct error *e)
{
	const struct time_config *c = config;
	const char *tz = c->tz ? c->tz : "";

	(void)has_command;
	if (strncmp(tz, "UTC", 3) != 0 && strncmp(tz, "GMT", 3) != 0)
		return false;
	if ((tz[3] != '+' && tz[3] != '-') || tz[4] < '0' || tz[4] > '9')
		return false;
	error_option(e, "tz", "%s is %s UTC, as tzset(3) counts", tz,
		     tz[3] == '+' ? "behind" : "ahead of");
	error_hint(e, "turn the sign round, or name a zone, as Europe/Berlin");
	return true;
}

static bool every_doubtful(const void *config, bool has_command, struct error *e)
{
	const struct time_config *c = config;

	if (c->jitter <= c->period)
		return zone_doubtful(config, has_command, e);
	error_option(e, "jitter", ": it is longer than the period");
	error_hint(e, "a tick is put off by up to --jitter");
	return true;
}

const struct source_type source_every = {
    .name = "every",
    .summary = "again and again, without drift",
    .arguments = "DUR",
    .examples = {"evwatch every 10s -- date", "evwatch -c 3 every 250ms"},
    .options = every_options,
    .endless = source_never_ends,
    .config_times = every_times,
    .doubtful = every_doubtful,
    .describe = every_describe,
    TIME_KIND,
};

const struct source_type source_after = {
    .name = "after",
    .summary = "once, when a time has passed",
    .arguments = "DUR",
    .examples = {"evwatch after 20m -- notify-send tea", "evwatch after 1.5s"},
    .options = after_options,
    .config_times = after_times,
    .describe = after_describe,
    TIME_KIND,
};

const struct source_type source_at = {
    .name = "at",
    .summary = "once, at a time of the day or a date",
    .arguments = "TIME",
    .examples = {"evwatch at 17:30 -- notify-send 'go home'", "evwatch at now+90s -- date"},
    .options = at_options,
    .config_times = at_times,
    .describe = at_describe,
    .doubtful = zone_doubtful,
    TIME_KIND,
};

const struct source_type source_cron = {
    .name = "cron",
    .summary = "at the times of a cron expression",
    .arguments = "EXPR",
    .examples = {"evwatch cron '15 3 * * *' --tz Europe/Berlin -- ./backup",
		 "evwatch next cron '0 9 * * mon-fri'"},
    .options = schedule_options,
    .config_times = cron_times,
    .describe = expression_describe,
    .doubtful = zone_doubtful,
    TIME_KIND,
};

const struct source_type source_calendar = {
    .name = "calendar",
    .summary = "at the times of a systemd calendar expression",
    .arguments = "EXPR",
    .examples = {"evwatch calendar 'Mon..Fri 09:00' -- ./report",
		 "evwatch next calendar '*-02~01 12:00 Europe/Paris'"},
    .options = schedule_options,
    .config_times = event_times,
    .describe = expression_describe,
    .doubtful = zone_doubtful,
    TIME_KIND,
};
