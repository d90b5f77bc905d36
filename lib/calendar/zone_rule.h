/*
 * The POSIX TZ rule at the end of a TZif file (RFC 8536, 3.3.1; tzset(3)): two offsets and the days
 * of the year on which they change. Private to zone.c.
 */
#ifndef EVWATCH_CALENDAR_ZONE_RULE_H
#define EVWATCH_CALENDAR_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

struct zone_segment;

struct zone_day {
	enum { DAY_JULIAN, DAY_ZERO, DAY_WEEKDAY } kind; /* Jn (never 29 Feb), n, Mm.w.d */
	int month, week, day;
	int32_t time; /* seconds after local midnight; may be negative or beyond a day */
};

struct zone_rule {
	int32_t standard, daylight; /* offsets, seconds east of UTC */
	bool changes;               /* has daylight saving time */
	struct zone_day start, end; /* of daylight saving time */
};

/* Reads the whole text. Returns 0, or -1 when it is no rule. */
int zone_rule_parse(struct zone_rule *rule, const char *text);

/* The segment that holds `at`. */
void zone_rule_find(const struct zone_rule *rule, int64_t at, struct zone_segment *segment);

#endif
