/* The options of sieves, as a table, and what they do in words. */
#include "sieve/sieve.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"

#include <stdio.h>
#include <string.h>

enum { MOST_TIMES = 1000 };

static int require_positive(int64_t ns, struct error *e)
{
	return ns > 0 ? 0 : error_set(e, "must be greater than 0");
}

static int parse_quiet_for(void *config, const char *word, struct error *e)
{
	struct sieve_config *c = config;

	return duration_parse(word, &c->quiet_for, e) < 0 ? -1 : require_positive(c->quiet_for, e);
}

static int parse_unique(void *config, const char *word, struct error *e)
{
	struct sieve_config *c = config;

	return duration_parse(word, &c->unique, e) < 0 ? -1 : require_positive(c->unique, e);
}

/* N/DUR */
static int parse_times(void *config, const char *word, struct error *e)
{
	struct sieve_config *c = config;
	const char *slash = strchr(word, '/');
	char number[24];

	if (!slash || (size_t)(slash - word) >= sizeof number) {
		error_set(e, "\"%s\" is not N/DUR", word);
		return error_hint(e, "for example: --times 5/10m, five times within ten minutes");
	}
	snprintf(number, sizeof number, "%.*s", (int)(slash - word), word);
	if (count_parse(number, 1, MOST_TIMES, &c->times, e) < 0)
		return -1;
	if (duration_parse(slash + 1, &c->times_within, e) < 0)
		return error_at(e, e->word, e->column + (int)(slash + 1 - word));
	return require_positive(c->times_within, e);
}

/* ---- what goes together ---------------------------------------------------------------------- */

static int check_quiet_for(const void *config, struct error *e)
{
	const struct sieve_config *c = config;

	if (!c->times && !c->unique)
		return 0;
	error_set(e, "cannot be used with --times or --unique");
	return error_hint(e, "a silence has no subject: make it a rule of its own");
}

static int check_by(const void *config, struct error *e)
{
	const struct sieve_config *c = config;

	if (c->times || c->unique)
		return 0;
	error_set(e, "has no effect without --times or --unique");
	return error_hint(e, "--times N/DUR counts the events of each subject");
}

#define CONFIG struct sieve_config

const struct option sieve_options[] = {
    OPTION_ROW("quiet-for", CUSTOM, quiet_for, "DUR", "report a silence instead: no event for DUR",
	       .in_words = true, .parse = parse_quiet_for, .check = check_quiet_for),
    OPTION_ROW("times", CUSTOM, times, "N/DUR", "only when a subject came N times within DUR",
	       .in_words = true, .parse = parse_times),
    OPTION_ROW("unique", CUSTOM, unique, "DUR", "not the same subject again within DUR",
	       .in_words = true, .parse = parse_unique),
    OPTION_ROW("by", COUNT, by, "K", "the subject that --times and --unique compare (1)",
	       .in_words = true, .least = 1, .most = 1000, .check = check_by),
    {0},
};

static void describe_subject(const struct sieve_config *c, struct buf *out)
{
	if (c->by)
		buf_printf(out, "the same $%llu", (unsigned long long)c->by);
	else
		buf_add_text(out, "the same subject");
}

void sieve_describe(const struct sieve_config *c, struct buf *out)
{
	if (c->quiet_for) {
		buf_add_text(out, "; once there was none for ");
		duration_add(out, c->quiet_for);
	}
	if (c->times) {
		buf_add_text(out, "; only when ");
		describe_subject(c, out);
		buf_printf(out, " came %llu times within ", (unsigned long long)c->times);
		duration_add(out, c->times_within);
	}
	if (c->unique) {
		buf_add_text(out, "; not for ");
		describe_subject(c, out);
		buf_add_text(out, " again within ");
		duration_add(out, c->unique);
	}
}
