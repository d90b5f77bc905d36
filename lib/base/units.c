/* See units.h. */
#include "base/units.h"

#include "base/array.h"
#include "base/error.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

static const struct unit {
	const char *name;
	int64_t ns;
} units[] = {
    {"ns", 1},
    {"us", NS_PER_US},
    {"ms", NS_PER_MS},
    {"s", NS_PER_S},
    {"m", 60 * NS_PER_S},
    {"h", 3600 * NS_PER_S},
    {"d", 86400 * NS_PER_S},
    {"w", 7 * 86400 * NS_PER_S},
    /* Only read, never written. */
    {"sec", NS_PER_S},
    {"secs", NS_PER_S},
    {"min", 60 * NS_PER_S},
    {"mins", 60 * NS_PER_S},
    {"hour", 3600 * NS_PER_S},
    {"hours", 3600 * NS_PER_S},
    {"day", 86400 * NS_PER_S},
    {"days", 86400 * NS_PER_S},
    {"week", 7 * 86400 * NS_PER_S},
    {"weeks", 7 * 86400 * NS_PER_S},
};

enum { UNITS_WRITTEN = 8 };

static const struct unit *unit_at(const char *s, size_t length)
{
	for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
		if (strlen(units[i].name) == length && !memcmp(units[i].name, s, length))
			return &units[i];
	return NULL;
}

/* Reads digits at *s into *n; false when there are none or too many. */
static bool digits_read(const char **s, uint64_t *n)
{
	const char *start = *s;

	for (*n = 0; isdigit((unsigned char)**s); ++*s)
		if (__builtin_mul_overflow(*n, 10u, n) ||
		    __builtin_add_overflow(*n, (uint64_t)(**s - '0'), n))
			return false;
	return *s != start;
}

/* The digits behind a decimal point, in units of `one`; what is finer than 1 is dropped. */
static uint64_t fraction_read(const char **s, uint64_t one)
{
	uint64_t value = 0;

	for (; isdigit((unsigned char)**s); ++*s) {
		one /= 10;
		value += (uint64_t)(**s - '0') * one;
	}
	return value;
}

static bool starts_fraction(const char *s)
{
	return *s == '.' && isdigit((unsigned char)s[1]);
}

/* number * ns + fraction (in billionths) * ns, added to *total; false on overflow. */
static bool duration_add_part(int64_t *total, uint64_t number, uint64_t billionths, int64_t ns)
{
	int64_t part, fraction = ns >= NS_PER_S ? (int64_t)billionths * (ns / NS_PER_S)
						: (int64_t)billionths * ns / NS_PER_S;

	if (number > INT64_MAX || __builtin_mul_overflow((int64_t)number, ns, &part))
		return false;
	if (__builtin_add_overflow(part, fraction, &part))
		return false;
	return !__builtin_add_overflow(*total, part, total);
}

/* Blanks among the parts; five of them and more are a schedule of cron. */
static int explain_blank(const char *word, struct error *e)
{
	char joined[64];
	size_t n = 0, blanks = 0;

	for (const char *s = word; *s; s++) {
		if (*s == ' ')
			blanks++;
		else if (n + 1 < sizeof joined)
			joined[n++] = *s;
	}
	joined[n] = '\0';
	if (blanks >= 4)
		return error_hint(e, "an expression of five fields is of kind cron");
	return error_hint(e, "write it without blanks: %s", joined);
}

/* What is no unit at `s`, behind a number; `last` is the unit before it in nanoseconds. */
static int explain_unit(const char *word, const char *s, int64_t last, struct error *e)
{
	if (*s) {
		error_in_word(e, word, s, "unknown unit (ns, us, ms, s, m, h, d, w)");
		if (strncmp(s, "mon", 3) == 0)
			return error_hint(e, "months are those of cron @monthly");
		if (*s == ' ')
			return explain_blank(word, e);
		return *s == 'M' ? error_hint(e, "minutes are m") : -1;
	}
	error_in_word(e, word, s, "a unit is missing (ns, us, ms, s, m, h, d, w)");
	for (size_t i = 1; i < UNITS_WRITTEN; i++)
		if (units[i].ns == last)
			return error_hint(e, "write %s%s", word, units[i - 1].name);
	return -1;
}

int duration_parse(const char *word, int64_t *ns, struct error *e)
{
	const char *s = word;
	int64_t total = 0, last = INT64_MAX;

	if (!*s)
		return error_set(e, "a duration is missing (as in 250ms, 5s, 1m30s)");
	if (*s == '-')
		return error_in_word(e, word, s, "a duration cannot be negative");
	while (*s) {
		const char *start = s;
		uint64_t number = 0, billionths = 0;
		const struct unit *unit;
		size_t length;

		if (!digits_read(&s, &number) && (s != start || !starts_fraction(s)))
			return error_in_word(e, word, start,
					     s == start ? "not a duration (as in 250ms, 5s, 1m30s)"
							: "the duration is too long");
		if (starts_fraction(s)) {
			s++;
			billionths = fraction_read(&s, (uint64_t)NS_PER_S);
		}
		length = strspn(s, "abcdefghijklmnopqrstuvwxyz");
		unit = length ? unit_at(s, length) : unit_at("s", 1);
		if (!unit || (!length && (*s || start != word)))
			return explain_unit(word, s, last, e);
		if (unit->ns >= last)
			return error_in_word(e, word, start,
					     "the units must go from long to short");
		if (!duration_add_part(&total, number, billionths, unit->ns))
			return error_in_word(e, word, start, "the duration is too long");
		last = unit->ns;
		s += length;
	}
	*ns = total;
	return 0;
}

/* The bits that a unit letter stands for, or 0. */
static unsigned unit_shift(char c)
{
	static const char letters[] = "kKmMgGtT";
	const char *at = c ? strchr(letters, c) : NULL;

	return at ? (unsigned)(at - letters) / 2 * 10 + 10 : 0;
}

int size_parse(const char *word, uint64_t *bytes, struct error *e)
{
	const char *s = word;
	uint64_t number, fraction = 0;
	unsigned shift = 0;

	if (!*s)
		return error_set(e, "a size is missing (as in 64k, 10M, 1G)");
	if (!digits_read(&s, &number))
		return error_in_word(e, word, word,
				     s == word ? "not a size (as in 64k, 10M, 1G)"
					       : "the size is too large");
	if (starts_fraction(s)) {
		s++;
		fraction = fraction_read(&s, 1000000);
	}
	if (unit_shift(*s) > 0) {
		shift = unit_shift(*s);
		if (*++s == 'i' && s[1] == 'B')
			s++;
	}
	if (*s == 'B')
		s++;
	if (*s)
		return error_in_word(e, word, s, "unknown unit (k, M, G, T: powers of 1024)");
	if (fraction && !shift)
		return error_in_word(e, word, word, "a size in bytes is a whole number");
	if (number > UINT64_MAX >> (shift + 1))
		return error_in_word(e, word, word, "the size is too large");
	*bytes = (number << shift) + (fraction << shift) / 1000000;
	return 0;
}

int rate_parse(const char *word, uint64_t *bytes_per_second, struct error *e)
{
	size_t length = strlen(word);
	char size[64];

	if (length < 3 || strcmp(word + length - 2, "/s") != 0 || length - 2 >= sizeof size)
		return error_in_word(e, word, word + length, "not a rate (as in 64k/s, 10M/s)");
	memcpy(size, word, length - 2);
	size[length - 2] = '\0';
	if (size_parse(size, bytes_per_second, e) < 0)
		return -1;
	if (*bytes_per_second == 0)
		return error_in_word(e, word, word, "a rate must be greater than 0");
	return 0;
}

int count_parse(const char *word, uint64_t least, uint64_t most, uint64_t *n, struct error *e)
{
	bool negative = *word == '-' && word[1];
	const char *s = word + negative;

	if (!digits_read(&s, n) && s != word + negative)
		return error_set(e, "%s is too large", word);
	if (s == word + negative || *s) {
		error_set(e, "\"%s\" is not a whole number", word);
		return error_at(e, -1, s > word + negative ? (int)(s - word) : 0);
	}
	if (!negative && *n >= least && *n <= most)
		return 0;
	if (most == UINT64_MAX)
		return error_set(e, "%s is out of range: at least %llu", word,
				 (unsigned long long)least);
	return error_set(e, "%s is out of range: %llu to %llu", word, (unsigned long long)least,
			 (unsigned long long)most);
}

void duration_add(struct buf *out, int64_t ns)
{
	if (ns == 0)
		buf_add_text(out, "0s");
	for (size_t i = UNITS_WRITTEN; i-- > 0 && ns;) {
		if (ns >= units[i].ns)
			buf_printf(out, "%lld%s", (long long)(ns / units[i].ns), units[i].name);
		ns %= units[i].ns;
	}
}

/* Two units: `3 min 20 s`; the second one only where it is not 0. */
static void say_two(struct buf *out, int64_t n, int64_t of, const char *large, const char *small)
{
	buf_printf(out, "%lld %s", (long long)(n / of), large);
	if (n % of)
		buf_printf(out, " %lld %s", (long long)(n % of), small);
}

void duration_say(struct buf *out, int64_t ns)
{
	int64_t seconds = (ns + NS_PER_S / 2) / NS_PER_S;

	if (ns < NS_PER_MS)
		buf_printf(out, "%.2f ms", (double)ns / NS_PER_MS);
	else if (ns < 100 * NS_PER_MS)
		buf_printf(out, "%.1f ms", (double)ns / NS_PER_MS);
	else if (ns < NS_PER_S)
		buf_printf(out, "%.0f ms", (double)ns / NS_PER_MS);
	else if (seconds < 60)
		buf_printf(out, "%.1f s", (double)ns / NS_PER_S);
	else if (seconds < 3600)
		say_two(out, seconds, 60, "min", "s");
	else if (seconds < 86400)
		say_two(out, seconds / 60, 60, "h", "min");
	else
		say_two(out, seconds / 3600, 24, "d", "h");
}

void time_add(struct buf *out, const struct timespec *time)
{
	char date[40], offset[8];
	struct tm tm;

	localtime_r(&time->tv_sec, &tm);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(offset, sizeof offset, "%z", &tm);
	buf_printf(out, "%s.%06ld%.3s:%s", date, time->tv_nsec / 1000, offset, offset + 3);
}

static int backwards_backoff(const char *first, const char *most, struct error *e)
{
	error_set(e, "the longest wait (%s) is shorter than the first (%s)", most, first);
	return error_hint(e, "the first comes first: %s:%s", most, first);
}

int backoff_parse(const char *word, int64_t *first, int64_t *most, struct error *e)
{
	const char *colon = strchr(word, ':');
	char text[64];

	*most = BACKOFF_MOST;
	if (!colon) {
		if (duration_parse(word, first, e) < 0)
			return -1;
		if (*first > *most) /* as it was asked for, and no longer */
			*most = *first;
		return 0;
	}
	if ((size_t)(colon - word) >= sizeof text)
		return error_set(e, "not DUR or DUR:MAX");
	memcpy(text, word, (size_t)(colon - word));
	text[colon - word] = '\0';
	if (duration_parse(text, first, e) < 0 || duration_parse(colon + 1, most, e) < 0)
		return -1;
	return *first > *most ? backwards_backoff(text, colon + 1, e) : 0;
}

int64_t backoff_next(int64_t *wait, int64_t first, int64_t most)
{
	if (!*wait)
		*wait = first;
	else
		*wait = *wait > most / 2 ? most : *wait * 2;
	return *wait;
}
