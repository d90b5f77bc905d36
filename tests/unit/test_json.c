/* lib/base: reading JSON, and histograms. */
#include "tap.h"

#include "base/error.h"
#include "base/histogram.h"
#include "base/json.h"

#include <stdlib.h>

/* The whole text as JSON; NULL where it is none. The text is a copy that lives
 * until the next call. */
static const struct json_value *json_of(const char *text)
{
	static struct json j;
	static char *copy;
	struct error e;

	free(copy);
	copy = strdup(text);
	return json_read(&j, copy, strlen(copy), &e) < 0 ? NULL : j.values;
}

static void refused(void)
{
	static const char *const wrong[] = {
	    "",        "{",           "[1,]",
	    "{\"a\"}", "{\"a\":1,}",  "nul",
	    "01x",     "\"a",         "\"\x01\"",
	    "\"\\x\"", "\"\\u00g0\"", "[1 2]",
	    "1 2",     "\"\\u0000\"", "+1",
	    "-",       ".5",          "1.",
	    "1.e5",    "1e",          "1e+",
	    "1.5.5",   "--1",         "0x10",
	    "inf",     "{1:2}",       "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]",
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		OK(!json_of(wrong[i]), "%s is no JSON", wrong[i]);
}

static void strings(void)
{
	SAME_TEXT(json_of("\"a\\n\\u00e9\\ud83d\\ude00\\\"\"")->text, "a\né😀\"",
		  "escapes and surrogate pairs are decoded");
	SAME_TEXT(json_of("\"\\ud83dx\"")->text, "\xef\xbf\xbdx",
		  "a lone surrogate becomes U+FFFD");
	SAME_TEXT(json_of("\"\"")->text, "", "an empty string is one");
}

static void numbers(void)
{
	static const char *const texts[] = {
	    "0",
	    "-0.5",
	    "1796052839",
	    "0.000015360",
	    "0.101376000",
	    "12345678.250000001",
	    "9007199254740991",
	    "-25e-1",
	    "2.5E+22",
	    "1e-22",
	    "0e999",
	    "1e999",
	    "1e-999",
	    "-1e99999999999999999999",
	    "100000000000000000000000000000",
	    "0.0000000000000000000000000000000000000000",
	    "1000000000000000000000000000000e-30",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const struct json_value *v = json_of(texts[i]);
		double right = strtod(texts[i], NULL), off = v ? v->number / right - 1 : 1;

		OK(v && (v->number == right || (off < 1e-15 && off > -1e-15)), "%s is read: %.17g",
		   texts[i], v ? v->number : -1);
	}
	for (int i = 0; i < 100000; i++) {
		char text[32];
		const struct json_value *v;

		snprintf(text, sizeof text, "%d.%09d", i * 17, i * 9973);
		v = json_of(text);
		if (!v || v->number != strtod(text, NULL)) {
			OK(false, "%s is exact", text);
			return;
		}
	}
	OK(true, "what has 15 digits is exact");
}

static void objects(void)
{
	const struct json_value *o =
	    json_of(" { \"a\" : [1, {\"x\":[]}, \"s\"], \"b\":-2.5e1, \"c\":true, \"d\":null } ");
	const struct json_value *list = json_get(o, "a"), *at = NULL;
	int n = 0;

	while ((at = json_next(list, at)))
		n++;
	SAME(n, 3, "elements are walked over what is in them");
	OK(json_number(o, "b", 0) == -25, "a number with fraction and exponent");
	OK(json_flag(o, "c") && !json_flag(o, "d") && !json_flag(o, "e"), "flags");
	SAME_TEXT(json_text(o, "b", "none"), "none", "a number is no text");
	OK(!json_get(list, "a") && !json_get(NULL, "a"), "only objects have members");
}

static void histograms(void)
{
	struct histogram h = {0};
	int64_t p50, p99;

	SAME(histogram_percentile(&h, 50), -1, "an empty histogram has no percentile");
	for (int i = 0; i < 98; i++)
		histogram_add(&h, 1000000);
	histogram_add(&h, 50000000);
	histogram_add(&h, INT64_MAX);
	p50 = histogram_percentile(&h, 50);
	p99 = histogram_percentile(&h, 99);
	OK(p50 > 800000 && p50 < 1200000, "half is within a fifth of 1 ms: %lld", (long long)p50);
	OK(p99 > 40000000 && p99 < 60000000, "99 of 100: %lld", (long long)p99);
	histogram_add(&h, 0);
	histogram_add(&h, -5);
	SAME(h.count, 102, "all are counted");
}

int main(void)
{
	refused();
	strings();
	numbers();
	objects();
	histograms();
	return tap_done();
}
