/*
 * What one calendar_next costs, for each expression of the truth tables: the best of several
 * rounds, so that a pause of the machine is not taken for work. usage: answers TABLE...
 */
#include "base/error.h"
#include "calendar/calendar.h"
#include "calendar/zone.h"
#include "reactor/reactor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 7, CALLS = 64, LINE = 1024, MOST = 2000 };

static struct calendar *parse(const char *table, const char *text, struct error *e)
{
	return strstr(table, "cron") ? calendar_parse_cron(text, e) : calendar_parse_event(text, e);
}

/* Nanoseconds of one call, along a chain of answers from `base` on. */
static double cost(const struct calendar *c, const struct zone *z, int64_t base)
{
	static const struct calendar_policy policy = {GAP_RUN, FOLD_ONCE};
	double best = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		struct calendar_time t = {.at = base};
		int64_t began = clock_read(CLOCK_OF_LOOP);
		double each;

		for (int i = 0; i < CALLS; i++)
			if (!calendar_next(c, z, &policy, t.at, &t))
				t.at = base;
		each = (double)(clock_read(CLOCK_OF_LOOP) - began) / CALLS;
		best = each < best ? each : best;
	}
	return best;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* One row of a table. False where it is refused, as many rows are on purpose. */
static bool row(const char *table, char *line, struct zone_set *zones, double *ns,
		char **expression)
{
	const char *zone, *base;
	const struct zone *z;
	struct calendar *c;
	struct error e;

	if (*line == '#')
		return false;
	strsep(&line, "\t");
	*expression = strsep(&line, "\t");
	zone = strsep(&line, "\t");
	base = strsep(&line, "\t");
	if (!base)
		return false;
	c = parse(table, *expression, &e);
	if (!c)
		return false;
	if (calendar_zone(c))
		zone = calendar_zone(c);
	z = zone_get(zones, strcmp(zone, "-") == 0 ? "UTC" : zone, &e);
	if (z)
		*ns = cost(c, z, strtoll(base, NULL, 10) * 1000000000);
	calendar_free(c);
	return z != NULL;
}

static void bench(const char *table)
{
	struct zone_set *zones = zone_set_new();
	FILE *f = fopen(table, "re");
	char line[LINE], slowest[LINE] = "";
	static double ns[MOST];
	double most = 0;
	int n = 0;

	while (f && n < MOST && fgets(line, sizeof line, f)) {
		char *expression;

		if (!row(table, line, zones, &ns[n], &expression))
			continue;
		if (ns[n] > most) {
			most = ns[n];
			snprintf(slowest, sizeof slowest, "%s", expression);
		}
		n++;
	}
	if (!f || n == 0) {
		fprintf(stderr, "answers: cannot read %s\n", table);
		exit(1);
	}
	fclose(f);
	zone_set_free(zones);
	qsort(ns, (size_t)n, sizeof *ns, ascending);
	printf("%d %.2f %.2f %.2f %s\n", n, ns[n / 2] / 1000, ns[n * 99 / 100] / 1000, most / 1000,
	       slowest);
}

/* A line a table: rows, median, p99 and the most in microseconds, and the slowest expression. */
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		bench(argv[i]);
	return 0;
}
