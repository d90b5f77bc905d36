/*
 * lib/calendar against what must hold for any expression, with libc's localtime_r as the judge of
 * local time. The expressions are made together with the sets of numbers that they mean, so that
 * the parser is not asked about itself.
 */
#include "tap.h"

#include "base/error.h"
#include "calendar/calendar.h"
#include "calendar/zone.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define NS INT64_C(1000000000)

enum { EXPRESSIONS = 10000, RESULTS = 4, LOOKED_AT = 500, TEXT = 256, HOUR = 3600 };

static const char *const zones_asked[] = {
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Havana",
    "Europe/Dublin",
};

enum { N_ZONES = sizeof zones_asked / sizeof *zones_asked };

static const struct calendar_policy by_default = {GAP_RUN, FOLD_ONCE};
static const struct calendar_policy skipping = {GAP_SKIP, FOLD_TWICE};

/* ---- chance: xorshift, always the same ------------------------------------------------------- */

static uint64_t chance_state = 88172645463325252ULL;

static int chance(int below)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return (int)((chance_state >> 11) % (uint64_t)below);
}

static int64_t any_instant(void)
{
	return (int64_t)chance(2100000000) * 2; /* 1970 to 2103 */
}

/* ---- expressions and what they mean ---------------------------------------------------------- */

enum { SECOND, MINUTE, HOURS, DAY, MONTH, WEEKDAY, FIELDS };

static const int lowest[FIELDS] = {0, 0, 0, 1, 1, 0};
static const int highest[FIELDS] = {59, 59, 23, 31, 12, 6};

struct meaning {
	bool set[FIELDS][60];
	bool starred[FIELDS], stepped[FIELDS];
	bool either; /* days of month and of week are OR-ed */
	char text[TEXT];
};

static void add_text(struct meaning *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_text(struct meaning *m, const char *format, ...)
{
	size_t used = strlen(m->text);
	va_list ap;

	va_start(ap, format);
	vsnprintf(m->text + used, sizeof m->text - used, format, ap);
	va_end(ap);
}

static void include(struct meaning *m, int field, int from, int to, int step)
{
	for (int i = from; i <= to; i += step)
		m->set[field][i] = true;
}

static const char *name_of(int field, int n)
{
	static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static char number[12];

	if (field == WEEKDAY)
		return weekdays[n];
	snprintf(number, sizeof number, "%d", n);
	return number;
}

static int any_of(int field)
{
	return lowest[field] + chance(highest[field] - lowest[field] + 1);
}

/* a or a-b or a-b/s */
static void make_cron_item(struct meaning *m, int field)
{
	int a = any_of(field), b = any_of(field), shape = chance(4), step = 1;

	add_text(m, "%s", name_of(field, a));
	if (shape < 2 || a >= b) {
		include(m, field, a, a, 1);
		return;
	}
	add_text(m, "-%s", name_of(field, b));
	if (shape == 3) {
		step = 1 + chance(b - a + 1);
		m->stepped[field] = true;
		add_text(m, "/%d", step);
	}
	include(m, field, a, b, step);
}

/* a or a..b or a..b/s or a/s; a step without an end has to reach something, and weeks begin on
 * Monday. */
static void make_event_item(struct meaning *m, int field)
{
	int a = any_of(field), b = any_of(field), shape = chance(4);

	add_text(m, "%s", name_of(field, a));
	if (shape == 2 && a < b && !(field == WEEKDAY && a == 0)) {
		int step = field == WEEKDAY || chance(2) ? 1 : 1 + chance(highest[field]);

		add_text(m, "..%s", name_of(field, b));
		if (step > 1) {
			m->stepped[field] = true;
			add_text(m, "/%d", step);
		}
		include(m, field, a, b, step);
	} else if (shape == 3 && field != WEEKDAY && a < highest[field]) {
		int step = 1 + chance(highest[field] - a);

		m->stepped[field] = true;
		add_text(m, "/%d", step);
		include(m, field, a, highest[field], step);
	} else {
		include(m, field, a, a, 1);
	}
}

static void make_field(struct meaning *m, int field, bool cron, int stars)
{
	int items = 1 + chance(3);

	if (chance(10) < stars) {
		m->starred[field] = true;
		add_text(m, "*");
		include(m, field, lowest[field], highest[field], 1);
		return;
	}
	for (int i = 0; i < items; i++) {
		add_text(m, i ? "," : "");
		(cron ? make_cron_item : make_event_item)(m, field);
	}
}

static void make_cron(struct meaning *m)
{
	static const int stars[] = {5, 3, 4, 6, 6, 5};
	bool seconds = chance(4) == 0;

	memset(m, 0, sizeof *m);
	m->set[SECOND][0] = !seconds;
	for (int f = seconds ? SECOND : MINUTE; f < FIELDS; f++) {
		make_field(m, f, true, stars[f]);
		add_text(m, f < WEEKDAY ? " " : "");
	}
	m->either = !m->starred[DAY] && !m->starred[WEEKDAY];
}

static void make_event(struct meaning *m)
{
	memset(m, 0, sizeof *m);
	if (chance(2)) {
		make_field(m, WEEKDAY, false, 0);
		add_text(m, " ");
	} else {
		include(m, WEEKDAY, 0, 6, 1);
	}
	add_text(m, "*-");
	make_field(m, MONTH, false, 6);
	add_text(m, "-");
	make_field(m, DAY, false, 6);
	add_text(m, " ");
	make_field(m, HOURS, false, 4);
	add_text(m, ":");
	make_field(m, MINUTE, false, 3);
	add_text(m, ":");
	make_field(m, SECOND, false, 2);
}

static bool day_is_meant(const struct meaning *m, const struct tm *t)
{
	bool day = m->set[DAY][t->tm_mday], weekday = m->set[WEEKDAY][t->tm_wday];

	return m->set[MONTH][t->tm_mon + 1] && (m->either ? day || weekday : day && weekday);
}

static bool is_meant(const struct meaning *m, int64_t at)
{
	time_t when = (time_t)at;
	struct tm t;

	localtime_r(&when, &t);
	return m->set[SECOND][t.tm_sec] && m->set[MINUTE][t.tm_min] && m->set[HOURS][t.tm_hour] &&
	       day_is_meant(m, &t);
}

static bool is_wall(const struct meaning *m)
{
	return !m->starred[HOURS] && !m->starred[MINUTE] && !m->stepped[HOURS] &&
	       !m->stepped[MINUTE];
}

/* Is any day of any year meant at all? (400 years repeat.) */
static bool is_possible(const struct meaning *m)
{
	for (int64_t day = 0; day < 146097; day++) {
		time_t at = (time_t)(day * 86400);
		struct tm t;

		gmtime_r(&at, &t);
		if (day_is_meant(m, &t))
			return true;
	}
	return false;
}

/* ---- the judge's zone ------------------------------------------------------------------------ */

static void judge_in(const char *zone)
{
	char tz[TEXT + 1];

	snprintf(tz, sizeof tz, ":%s", zone);
	setenv("TZ", tz, 1);
	tzset();
}

static const char *judged_zone(void)
{
	return getenv("TZ") + 1;
}

static int32_t judged_offset(int64_t at)
{
	time_t when = (time_t)at;
	struct tm t;

	localtime_r(&when, &t);
	return (int32_t)t.tm_gmtoff;
}

/* Within three hours after clocks went back: the second copy of an hour may run. */
static bool may_be_repeated(int64_t at)
{
	return judged_offset(at) < judged_offset(at - 3L * HOUR);
}

/* ---- any expression -------------------------------------------------------------------------- */

static bool wrong(const struct meaning *m, const char *zone, int64_t after, int64_t at,
		  const char *what)
{
	printf("# \"%s\" in %s, after %lld: %lld %s\n", m->text, zone, (long long)after,
	       (long long)at, what);
	return false;
}

/* Nothing that is meant lies between the two; looked at from both ends. */
static bool nothing_between(const struct meaning *m, int64_t after, int64_t at)
{
	int64_t step = m->starred[SECOND] || !m->set[SECOND][0] ? 1 : 60;
	int64_t first = after - after % step + step, looked = 0;

	for (int64_t i = first; i < at && looked < LOOKED_AT; i += step, looked++)
		if (is_meant(m, i) && !(is_wall(m) && may_be_repeated(i)))
			return false;
	looked = 0;
	for (int64_t i = at - at % step - (at % step == 0 ? step : 0);
	     i >= first && looked < LOOKED_AT; i -= step, looked++)
		if (is_meant(m, i) && !(is_wall(m) && may_be_repeated(i)))
			return false;
	return true;
}

static bool result_holds(const struct meaning *m, const struct calendar *c, const struct zone *z,
			 int64_t after, const struct calendar_time *t)
{
	const char *zone = judged_zone();
	int64_t at = t->at / NS;
	struct calendar_time again;

	if (at <= after)
		return wrong(m, zone, after, at, "does not lie ahead");
	if (t->at % NS)
		return wrong(m, zone, after, at, "has a fraction");
	if (!calendar_next(c, z, &by_default, t->at - NS, &again) || again.at != t->at)
		return wrong(m, zone, after, at, "is not next a second before");
	if (t->mark == MARK_GAP) {
		if (judged_offset(at) <= judged_offset(at - 1) || !is_wall(m))
			return wrong(m, zone, after, at, "is no end of a gap");
	} else if (!is_meant(m, at)) {
		return wrong(m, zone, after, at, "does not match");
	}
	if (!nothing_between(m, after, at))
		return wrong(m, zone, after, at, "is not the first");
	return true;
}

static bool expression_holds(const struct meaning *m, const struct calendar *c,
			     const struct zone *z)
{
	int64_t after = any_instant();

	for (int i = 0; i < RESULTS; i++) {
		struct calendar_time t;

		if (!calendar_next(c, z, &by_default, after * NS, &t))
			return (i == 0 && !is_possible(m)) || after > INT64_C(7000000000) ||
			       wrong(m, judged_zone(), after, 0, "is never");
		if (!result_holds(m, c, z, after, &t))
			return false;
		after = t.at / NS;
	}
	return true;
}

static void check_expressions(struct zone_set *zones, bool cron)
{
	int held = 0;

	for (int i = 0; i < N_ZONES; i++) {
		struct error e;
		const struct zone *z = zone_get(zones, zones_asked[i], &e);

		judge_in(zones_asked[i]);
		for (int k = 0; z && k < EXPRESSIONS / N_ZONES; k++) {
			struct meaning m;
			struct calendar *c;

			(cron ? make_cron : make_event)(&m);
			c = (cron ? calendar_parse_cron : calendar_parse_event)(m.text, &e);
			if (!c)
				printf("# \"%s\" is refused: %s\n", m.text, e.what);
			held += c && expression_holds(&m, c, z);
			calendar_free(c);
		}
	}
	SAME(held, EXPRESSIONS, "%s: of %d expressions in ten zones each holds",
	     cron ? "cron" : "calendar", EXPRESSIONS);
}

/* ---- every transition ------------------------------------------------------------------------ */

/* The first answer to an expression after a second, or -1. */
static int64_t answer(struct calendar *c, const struct zone *z,
		      const struct calendar_policy *policy, int64_t after)
{
	struct calendar_time t = {.at = -NS};

	if (c)
		calendar_next(c, z, policy, after * NS, &t);
	calendar_free(c);
	return t.at / NS;
}

/* Daily at this second of the local day, as a wall-time job. */
static int64_t wall_next(int64_t second, const struct zone *z, const struct calendar_policy *policy,
			 int64_t after)
{
	return answer(calendar_daily((int)second), z, policy, after);
}

/* The same as an interval job, which a step makes of it. */
static int64_t interval_next(int64_t second, const struct zone *z, int64_t after)
{
	int hour = (int)(second / HOUR), minute = (int)(second % HOUR / 60);
	struct error e;
	char text[TEXT];

	snprintf(text, sizeof text, "%d %d %d-%d/1 * * *", (int)(second % 60), minute, hour, hour);
	return answer(calendar_parse_cron(text, &e), z, &by_default, after);
}

/* The first, the middle and the last second of something. */
static int64_t place(int64_t size, int i)
{
	return i == 0 ? 0 : i == 1 ? size / 2 : size - 1;
}

/* A time inside the gap fires at its end, or with --gap skip and as an interval not that day. */
static bool gap_holds(const struct zone *z, const struct zone_segment *before,
		      const struct zone_segment *after)
{
	int64_t size = after->offset - before->offset;

	for (int i = 0; i < 3; i++) {
		int64_t inside = (after->start + before->offset + place(size, i)) % 86400;

		if (wall_next(inside, z, &by_default, after->start - 1) != after->start ||
		    wall_next(inside, z, &skipping, after->start - 1) <= after->start + 2L * HOUR ||
		    interval_next(inside, z, after->start - 1) <= after->start + 2L * HOUR)
			return false;
	}
	return true;
}

/* A time that comes twice fires in the first copy; with --fold twice and as an interval in both. */
static bool fold_holds(const struct zone *z, const struct zone_segment *before,
		       const struct zone_segment *after)
{
	int64_t size = before->offset - after->offset;

	for (int i = 0; i < 3; i++) {
		int64_t first = after->start - size + place(size, i), second = first + size;
		int64_t inside = (first + before->offset) % 86400;

		if (wall_next(inside, z, &by_default, first - 1) != first ||
		    wall_next(inside, z, &by_default, first) <= second ||
		    wall_next(inside, z, &skipping, first) != second ||
		    interval_next(inside, z, first - 1) != first ||
		    interval_next(inside, z, first) != second)
			return false;
	}
	/* The first time that does not come twice. */
	return wall_next((after->start + before->offset) % 86400, z, &by_default,
			 after->start - 1) == after->start + size;
}

/* Beside another change within a day, or when a whole day is left out (Apia, 2011), nothing simple
 * can be said; the offsets still can. */
static bool is_simple(const struct zone_segment *before, const struct zone_segment *after)
{
	return before->start < after->start - 86400 && after->start < after->end - 86400 &&
	       abs(after->offset - before->offset) <= 3 * HOUR;
}

static bool transition_holds(const struct zone *z, const struct zone_segment *before,
			     const struct zone_segment *after)
{
	if (judged_offset(after->start - 1) != before->offset ||
	    judged_offset(after->start) != after->offset)
		return false;
	if (before->offset == after->offset || !is_simple(before, after))
		return true;
	return (before->offset < after->offset ? gap_holds : fold_holds)(z, before, after);
}

/* From 1971 to 2071. Adds to the count of transitions; false when one of them does not hold. */
static bool zone_holds(const struct zone *z, int *transitions)
{
	const int64_t from = INT64_C(365) * 86400, to = from + INT64_C(36525) * 86400;
	struct zone_segment s, next;

	for (int64_t at = from; at < to; at += 12 * 86400 + 12345)
		if (zone_offset(z, at) != judged_offset(at)) {
			printf("# %s at %lld\n", judged_zone(), (long long)at);
			return false;
		}
	for (zone_find(z, from, &s); s.end < to; s = next) {
		zone_find(z, s.end, &next);
		++*transitions;
		if (!transition_holds(z, &s, &next)) {
			printf("# %s: the change at %lld\n", judged_zone(), (long long)s.end);
			return false;
		}
	}
	return true;
}

/* The zones of tzdata.zi: lines `Z NAME ...` and links, `L TARGET NAME`. */
static void check_transitions(struct zone_set *zones)
{
	FILE *f = fopen("/usr/share/zoneinfo/tzdata.zi", "re");
	int asked = 0, held = 0, transitions = 0;
	char line[TEXT], name[TEXT];

	if (!f) {
		SKIP("there is no tzdata.zi", "every transition of every zone holds");
		return;
	}
	while (fgets(line, sizeof line, f)) {
		const struct zone *z;
		struct error e;

		if (sscanf(line, "Z %255s", name) != 1 && sscanf(line, "L %*s %255s", name) != 1)
			continue;
		asked++;
		judge_in(name);
		z = zone_get(zones, name, &e);
		if (!z)
			printf("# %s: %s\n", name, e.what);
		held += z && zone_holds(z, &transitions);
	}
	fclose(f);
	OK(asked > 300 && transitions > 10000, "%d zones have %d transitions in 100 years", asked,
	   transitions);
	SAME(held, asked, "every transition of every zone holds");
}

int main(void)
{
	struct zone_set *zones = zone_set_new();

	if (OK(zones != NULL, "there is a set of zones")) {
		check_expressions(zones, true);
		check_expressions(zones, false);
		check_transitions(zones);
	}
	zone_set_free(zones);
	return tap_done();
}
