/*
 * lib/calendar against the truth tables in tests/data/calendar (their README says how they were
 * made). Each row is asked twice: for what its five times say, and with --gap skip --fold twice for
 * its `realtime` column, which is a plain enumeration of local time. Where the interface's own
 * policy wants something else, the row is listed with the reason in pinned.tsv.
 */
#include "tap.h"

#include "base/error.h"
#include "calendar/calendar.h"
#include "calendar/zone.h"

#include <stdlib.h>

enum { KIND, EXPRESSION, ZONE, BASE, STATUS, FIRST, REALTIME = 10, COLUMNS, RESULTS = 5 };
enum { PINS = 100, LINE = 1024 };

typedef struct calendar *parser(const char *text, struct error *e);

static const struct calendar_policy by_default = {GAP_RUN, FOLD_ONCE};
static const struct calendar_policy enumerated = {GAP_SKIP, FOLD_TWICE};

static struct pin {
	char line[LINE], *columns[COLUMNS]; /* kind expression zone base reason n1..n5 */
	int used;
} pins[PINS];
static int n_pins;

static void split(char *line, char **columns)
{
	char *rest = line;

	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < COLUMNS; i++) {
		columns[i] = strsep(&rest, "\t");
		if (!columns[i])
			columns[i] = line + strlen(line);
	}
}

static void pins_read(const char *path)
{
	FILE *f = fopen(path, "re");

	if (!OK(f != NULL, "%s is there", path))
		return;
	while (n_pins < PINS && fgets(pins[n_pins].line, LINE, f)) {
		split(pins[n_pins].line, pins[n_pins].columns);
		n_pins += *pins[n_pins].line != '#';
	}
	fclose(f);
}

static struct pin *pin_find(char **columns)
{
	for (int i = 0; i < n_pins; i++) {
		bool same = true;

		for (int k = KIND; k <= BASE; k++)
			same &= strcmp(pins[i].columns[k], columns[k]) == 0;
		if (same)
			return &pins[i];
	}
	return NULL;
}

/* The next five times as "1 2 3", in whole seconds; "error" where the text is refused. */
static void ask(char **columns, parser *parse, struct zone_set *zones,
		const struct calendar_policy *policy, char *out, size_t room)
{
	struct calendar_time t = {.at = strtoll(columns[BASE], NULL, 10) * 1000000000};
	const char *name = strcmp(columns[ZONE], "-") == 0 ? "UTC" : columns[ZONE];
	const struct zone *zone = NULL;
	struct error e;
	struct calendar *c = parse(columns[EXPRESSION], &e);
	size_t used = 0;

	if (c)
		zone = zone_get(zones, calendar_zone(c) ? calendar_zone(c) : name, &e);
	snprintf(out, room, "%s", zone ? "" : "error");
	for (int i = 0; zone && i < RESULTS && calendar_next(c, zone, policy, t.at, &t); i++)
		used += (size_t)snprintf(out + used, room - used, "%s%lld", i ? " " : "",
					 (long long)(t.at / 1000000000));
	calendar_free(c);
}

/* n1 to n5 in the same form. */
static void wanted_of(char **columns, char *out, size_t room)
{
	size_t used = 0;

	*out = '\0';
	for (int i = FIRST; i < FIRST + RESULTS && *columns[i]; i++)
		used += (size_t)snprintf(out + used, room - used, "%s%s", i > FIRST ? " " : "",
					 columns[i]);
}

static bool is_so(const char *what, char **columns, const char *got, const char *wanted)
{
	if (strcmp(got, wanted) == 0)
		return true;
	printf("# %s, \"%s\" in %s after %s:\n#   got    %s\n#   wanted %s\n", what,
	       columns[EXPRESSION], columns[ZONE], columns[BASE], got, wanted);
	return false;
}

/* How many of the row's two answers are wrong. */
static int check_row(char **columns, parser *parse, struct zone_set *zones)
{
	bool error = strcmp(columns[STATUS], "error") == 0;
	struct pin *pin = pin_find(columns);
	char got[200], wanted[200];
	int wrong;

	wanted_of(pin ? pin->columns : columns, wanted, sizeof wanted);
	if (pin)
		pin->used++;
	ask(columns, parse, zones, &by_default, got, sizeof got);
	wrong = !is_so("by default", columns, got, error && !pin ? "error" : wanted);
	if (error || strcmp(columns[REALTIME], "-") == 0)
		return wrong;
	wanted_of(columns, wanted, sizeof wanted);
	if (*columns[REALTIME] && strcmp(columns[REALTIME], "same") != 0) {
		snprintf(wanted, sizeof wanted, "%s", columns[REALTIME]);
		for (char *s = wanted; *s; s++)
			*s = *s == ',' ? ' ' : *s;
	}
	ask(columns, parse, zones, &enumerated, got, sizeof got);
	return wrong + !is_so("enumerated", columns, got, wanted);
}

static void check_table(const char *path, parser *parse)
{
	struct zone_set *zones = zone_set_new();
	int rows = 0, wrong = 0;
	char line[LINE];
	FILE *f = fopen(path, "re");

	if (!OK(f != NULL, "%s is there", path))
		return;
	while (fgets(line, sizeof line, f)) {
		char *columns[COLUMNS];

		split(line, columns);
		if (*line == '#')
			continue;
		rows++;
		wrong += check_row(columns, parse, zones);
	}
	fclose(f);
	zone_set_free(zones);
	OK(rows > 250, "%s has %d rows", path, rows);
	SAME(wrong, 0, "%s: every one of them is met", path);
}

int main(void)
{
	int unused = 0;

	pins_read("tests/data/calendar/pinned.tsv");
	check_table("tests/data/calendar/cron.tsv", calendar_parse_cron);
	check_table("tests/data/calendar/systemd.tsv", calendar_parse_event);
	for (int i = 0; i < n_pins; i++)
		unused += !pins[i].used;
	SAME(unused, 0, "every pinned row is a row of a table");
	return tap_done();
}
