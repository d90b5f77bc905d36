/* lib/base: units, text, tables, buffers, options, hex, stores, pipes, scans. */
#include "tap.h"

#include "base/buf.h"
#include "base/error.h"
#include "event/event.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/list.h"
#include "base/option.h"
#include "base/path.h"
#include "base/pipes.h"
#include "base/scan.h"
#include "base/store.h"
#include "base/table.h"
#include "base/text.h"
#include "base/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t duration(const char *word)
{
	struct error e;
	int64_t ns;

	return duration_parse(word, &ns, &e) < 0 ? -1 : ns;
}

static void durations(void)
{
	static const struct {
		const char *word;
		int64_t ns;
	} rows[] = {
	    {"250ms", 250 * NS_PER_MS},
	    {"5s", 5 * NS_PER_S},
	    {"1m30s", 90 * NS_PER_S},
	    {"2h", 7200 * NS_PER_S},
	    {"1d", 86400 * NS_PER_S},
	    {"1w", 604800 * NS_PER_S},
	    {"7us", 7000},
	    {"9ns", 9},
	    {"3", 3 * NS_PER_S},
	    {"0.5s", NS_PER_S / 2},
	    {"1.5h", 5400 * NS_PER_S},
	    {"0", 0},
	    {".25", NS_PER_S / 4},
	    {"", -1},
	    {"-1s", -1},
	    {"5x", -1},
	    {"5s!", -1},
	    {"s", -1},
	    {"1s1m", -1},
	    {"99999999999999w", -1},
	    {"300y", -1},
	    {"1m30", -1},
	    {"5 s", -1},
	    {"1e3", -1},
	    {"0x10", -1},
	    {"9999999999999999999999", -1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		SAME(duration(rows[i].word), rows[i].ns, "duration \"%s\"", rows[i].word);
	for (int64_t ns = 1; ns < INT64_MAX / 7; ns = ns * 7 + 3) {
		struct buf b = {0};

		duration_add(&b, ns);
		if (duration(b.data) != ns)
			SAME(duration(b.data), ns, "%s is read back", b.data);
		buf_free(&b);
	}
}

static int64_t size(const char *word)
{
	struct error e;
	uint64_t bytes;

	return size_parse(word, &bytes, &e) < 0 ? -1 : (int64_t)bytes;
}

static void sizes(void)
{
	struct error e;
	uint64_t n;

	SAME(size("64k"), 65536, "64k");
	SAME(size("10M"), 10 << 20, "10M");
	SAME(size("1G"), 1 << 30, "1G");
	SAME(size("1.5k"), 1536, "a fraction of a size");
	SAME(size("0.5M"), 524288, "half a megabyte is exact");
	SAME(size("4KiB"), 4096, "KiB");
	SAME(size("17"), 17, "bare bytes");
	SAME(size("1.5"), -1, "no fractions of bytes");
	SAME(size(""), -1, "empty size");
	SAME(size("k"), -1, "a unit alone");
	SAME(size("1q"), -1, "an unknown unit");
	SAME(size("99999999999G"), -1, "too large a size");
	SAME(rate_parse("64k/s", &n, &e), 0, "64k/s is a rate");
	SAME(n, 65536, "its value");
	SAME(rate_parse("64k", &n, &e), -1, "a size is no rate");
	SAME(rate_parse("0/s", &n, &e), -1, "nothing is no rate");
	SAME(count_parse("12", 1, 12, &n, &e), 0, "a count at its bound");
	SAME(count_parse("13", 1, 12, &n, &e), -1, "a count beyond its bound");
	SAME(count_parse("0", 1, UINT64_MAX, &n, &e), -1, "a count below its bound");
	SAME_TEXT(e.what, "0 is out of range: at least 1", "there is no upper bound to tell");
	SAME(count_parse("1x", 1, 12, &n, &e), -1, "a count with garbage");
	SAME(e.column, 1, "the column of the garbage");
}

static const char *word_escaped(const char *text, struct buf *b)
{
	buf_clear(b);
	escape_word(b, text, strlen(text));
	return b->data;
}

static const char *json(const char *text, struct buf *b)
{
	buf_clear(b);
	json_add_string(b, text, strlen(text));
	return b->data;
}

static const char *base64(const char *text, struct buf *b)
{
	buf_clear(b);
	base64_add(b, text, strlen(text));
	return b->data;
}

static void texts(void)
{
	static const char *const words[] = {"file", "every", "after", "signal", NULL};
	struct buf b = {0};

	SAME_TEXT(word_escaped("a b\nc\x1b[\\", &b), "a\\040b\\nc\\x1b[\\\\", "a word escaped");
	SAME_TEXT(json("q\"\\\n\x01", &b), "\"q\\\"\\\\\\u000a\\u0001\"", "JSON escapes");
	SAME_TEXT(json("\xff"
		       "a\xc0\xaf\xed\xa0\x80",
		       &b),
		  "\"\xef\xbf\xbd"
		  "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
		  "bytes that are not UTF-8 become U+FFFD");
	SAME_TEXT(json("\xf0\x9f\x98\x80", &b), "\"\xf0\x9f\x98\x80\"", "valid UTF-8 stays");
	SAME_TEXT(base64("", &b) ? b.data : "", "", "base64 of nothing");
	SAME_TEXT(base64("f", &b), "Zg==", "base64 of one");
	SAME_TEXT(base64("fo", &b), "Zm8=", "base64 of two");
	SAME_TEXT(base64("foobar", &b), "Zm9vYmFy", "base64 of six");
	buf_clear(&b);
	shell_quote(&b, "it's");
	SAME_TEXT(b.data, "'it'\\''s'", "a quote quoted");
	SAME_TEXT(nearest_word("evrey", words), "every", "a swap is near");
	SAME_TEXT(nearest_word("fil", words), "file", "a missing letter is near");
	OK(!nearest_word("banana", words), "nothing is near banana");
	buf_free(&b);
}

static uint64_t text_hash(const void *item)
{
	return hash_bytes(item, strlen(item));
}

static bool text_equal(const void *item, const void *key)
{
	return strcmp(item, key) == 0;
}

static void tables(void)
{
	static const struct table_type type = {text_hash, text_hash, text_equal};
	enum { N = 2000 };
	static char keys[N][16];
	struct table t;
	size_t found = 0, at = 0;

	table_init(&t, &type);
	OK(!table_find(&t, "x") && !table_remove(&t, "x"), "an empty table has nothing");
	for (int i = 0; i < N; i++) {
		snprintf(keys[i], sizeof keys[i], "k%d", i);
		table_add(&t, keys[i]);
	}
	for (int i = 0; i < N; i += 2)
		if (table_remove(&t, keys[i]) != keys[i])
			OK(false, "%s is removed", keys[i]);
	for (int i = 0; i < N; i++)
		found += (table_find(&t, keys[i]) != NULL) == (i % 2 == 1);
	SAME(found, N, "after removals the rest is found and the removed is not");
	for (found = 0; table_next(&t, &at); found++)
		;
	SAME(found, t.count, "a walk meets every item once");
	table_free(&t);
}

static size_t walk(const struct table *t)
{
	size_t found = 0;

	for (size_t at = 0; table_next(t, &at);)
		found++;
	return found;
}

/* A large one grows a few items at a time: it is tried at each of these. */
static void large_tables(void)
{
	static const struct table_type type = {text_hash, text_hash, text_equal};
	enum { N = 30000 };
	static char keys[N][16];
	static bool has[N];
	struct table t;
	size_t wrong = 0;

	table_init(&t, &type);
	for (int i = 0; i < N; i++) {
		int other = (int)(i * 7919L % (i + 1));

		snprintf(keys[i], sizeof keys[i], "k%d", i);
		has[i] = table_add(&t, keys[i]) == 0;
		if (i % 3 == 0 && has[other]) {
			wrong += table_remove(&t, keys[other]) != keys[other];
			has[other] = false;
		}
		other = i - other;
		wrong += table_find(&t, keys[other]) != (has[other] ? keys[other] : NULL);
		if (i % 512 == 0)
			wrong += walk(&t) != t.count;
	}
	SAME(wrong, 0, "a table that grows has what was added and not removed");
	for (int i = 0; i < N; i++)
		wrong += table_remove(&t, keys[i]) != (has[i] ? keys[i] : NULL);
	OK(!wrong && !t.count, "and all of it can be taken out");
	table_free(&t);
}

struct named {
	const void *of;
	const char *name;
};

static void tables_by_name(void)
{
	struct named a = {&a, "x"}, b = {&b, "x"};
	struct table t, by_text;

	table_init(&t, &table_by_name);
	table_add(&t, &a);
	table_add(&t, &b);
	OK(table_find(&t, &(struct table_name){&b, "x"}) == &b &&
	       !table_find(&t, &(struct table_name){NULL, "x"}),
	   "a name is found by what it is one of, too");
	OK(table_remove(&t, &a) == &a && t.count == 1, "and taken out by its item");
	table_free(&t);
	table_init(&by_text, &table_by_text);
	table_add(&by_text, &b.name);
	OK(table_find(&by_text, "x") == &b.name && !table_find(&by_text, "y"),
	   "an item is found by its text");
	table_free(&by_text);
}

static void reads(void)
{
	struct buf b = {0};
	int ends[2];

	if (pipe(ends) < 0 || write(ends[1], "whole", 5) != 5)
		return;
	close(ends[1]);
	OK(fd_read_all(ends[0], &b, 5) == 0 && strcmp(b.data, "whole") == 0,
	   "a descriptor is read to its end");
	fd_close(&ends[0]);
	buf_free(&b);
	if (pipe(ends) < 0 || write(ends[1], "more", 4) != 4)
		return;
	close(ends[1]);
	OK(fd_read_all(ends[0], &b, 3) < 0 && errno == EFBIG, "and no further than is wanted");
	fd_close(&ends[0]);
	buf_free(&b);
}

static void events(void)
{
	const char *subjects[] = {"a", "b c"};
	struct detail details[] = {{.name = "EVWATCH_PATH", .value = "a"},
				   {.name = "PROTO", .value = NULL}};
	struct event e = event_make("create"), *copy;

	e.subjects = subjects;
	e.n_subjects = 2;
	e.details = details;
	e.n_details = 2;
	e.payload = "xyz";
	e.payload_length = 3;
	copy = event_place(&e, malloc(event_size(&e)));
	SAME_TEXT(copy->subjects[1], "b c", "a copy has the subjects");
	OK(copy->subjects[1] != subjects[1], "of its own");
	SAME_TEXT(event_detail(copy, "EVWATCH_PATH"), "a", "a copy has the details");
	OK(!event_detail(copy, "PROTO"), "an unset detail stays unset");
	OK(memcmp(copy->payload, "xyz", 3) == 0, "a copy has the payload");
	SAME(copy->connection, -1, "a new event has no connection");
	free(copy);
}

struct sample {
	bool flag;
	int choice;
	int64_t wait;
	struct text_list list;
	char *text;
};

static void options(void)
{
	static const char *const choices[] = {"red", "green", NULL};
	static const struct option table[] = {
	    {.name = "flag", .letter = 'f', .offset = offsetof(struct sample, flag)},
	    {.name = "colour",
	     .type = OPTION_CHOICE,
	     .choices = choices,
	     .offset = offsetof(struct sample, choice)},
	    {.name = "wait", .type = OPTION_DURATION, .offset = offsetof(struct sample, wait)},
	    {.name = "list", .type = OPTION_LIST, .offset = offsetof(struct sample, list)},
	    {.name = "text", .type = OPTION_TEXT, .offset = offsetof(struct sample, text)},
	    {.name = "later", .not_yet = true},
	    {0},
	};
	struct sample s = {0};
	struct error e;

	SAME(option_apply(option_find_letter(table, 'f'), &s, NULL, &e), 0, "a flag");
	OK(s.flag, "is set");
	SAME(option_apply(option_find(table, "colour"), &s, "green", &e), 0, "a choice");
	SAME(s.choice, 1, "is an index");
	SAME(option_apply(option_find(table, "colour"), &s, "gren", &e), -1, "a wrong choice");
	SAME_TEXT(e.hint, "did you mean \"green\"?", "is hinted at");
	SAME(option_apply(option_find(table, "wait"), &s, "2q", &e), -1, "a wrong duration");
	OK(strstr(e.what, "--wait: \"2q\"") == e.what, "names its option: %s", e.what);
	SAME(e.column, 1, "and its column");
	option_apply(option_find(table, "list"), &s, "a", &e);
	option_apply(option_find(table, "list"), &s, "b", &e);
	SAME(s.list.count, 2, "a list grows");
	option_apply(option_find(table, "text"), &s, "a", &e);
	option_apply(option_find(table, "text"), &s, "b", &e);
	SAME_TEXT(s.text, "b", "the last text wins");
	SAME(option_apply(option_find(table, "later"), &s, NULL, &e), -1, "what is not built");
	OK(strstr(e.what, "not there yet"), "says so");
	option_release(table, &s);
	OK(!s.text && !s.list.count, "released");
}

static void paths(void)
{
	OK(path_is_in("a/b", "a/b") && path_is_in("a/b/c", "a/b"),
	   "at a path and below it is in it");
	OK(!path_is_in("a/bc", "a/b") && !path_is_in("a", "a/b"), "beside it and above it is not");
	OK(!path_is_in(NULL, "a") && !path_is_in("a", NULL), "nowhere is in nothing");
}

static void hex(void)
{
	struct buf b = {0};

	hex_dump(&b, 0, "Hello, world.\n", 14);
	hex_dump(&b, 0xfffffffe, "0123456789abcdef\377", 17);
	buf_add_char(&b, '\0');
	SAME_TEXT(b.data,
		  "00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 2e 0a        |Hello, world..|\n"
		  "fffffffe  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n"
		  "000000010000000e  ff                                                |.|\n",
		  "bytes in hex, in lines of 16, each with its offset");
	buf_free(&b);
}

static void stores(void)
{
	struct held_queue queues[3];
	static const char big[3000];
	const char *bytes;
	uint32_t length;
	struct store s;
	size_t at = 0;

	store_init(&s, 20000, 2);
	for (int i = 0; i < 3; i++) {
		queues[i] = (struct held_queue){0};
		list_init(&queues[i].link);
	}
	OK(store_add(&s, &queues[0], "one", 3) && store_add(&s, &queues[0], "", 0),
	   "a queue holds records, empty ones too");
	OK(!store_add(&s, &queues[0], "three", 5), "and not more than it may");
	bytes = held_next(&queues[0], &at, &length);
	OK(bytes && length == 3 && memcmp(bytes, "one", 3) == 0, "which come out in order");
	OK(held_next(&queues[0], &at, &length) && length == 0, "each of its length");
	OK(!held_next(&queues[0], &at, &length), "to the last");
	store_drop(&s, &queues[0]);
	SAME(s.bytes, 0, "a queue that is dropped costs nothing");

	for (int i = 0; i < 4; i++)
		store_add(&s, &queues[i % 2], big, sizeof big);
	for (int i = 0; i < 4 && !queues[0].dropped; i++)
		store_add(&s, &queues[2], big, sizeof big);
	OK(s.bytes <= 20000, "a full store keeps to its limit");
	OK(queues[0].dropped == 2 && !queues[0].n, "it empties the queue that was silent longest");
	OK(queues[1].n == 2 && queues[2].n && !queues[2].dropped, "and no other");
	for (int i = 0; i < 3; i++)
		store_drop(&s, &queues[i]);
	OK(!s.bytes && list_empty(&s.queues), "and is empty in the end");
}

static void pipes(void)
{
	struct pipes all = {0};
	struct pipe *a = pipes_lend(&all), *b = pipes_lend(&all);
	int fd;

	if (!a || !b)
		abort();
	OK(write(a->write_end, "x", 1) == 1, "a pipe takes bytes");
	a->held = 1;
	fd = a->read_end;
	pipes_give_back(&all, a);
	SAME(close(fd), -1, "one that comes back with bytes in it is closed");
	pipes_give_back(&all, b);
	OK(pipes_lend(&all) == b, "an empty one is lent again");
	pipes_give_back(&all, b);
	pipes_give_back(&all, NULL);
	fd = b->read_end;
	pipes_close(&all);
	OK(close(fd) < 0 && all.n == 0, "and closed in the end");
}

static void scans(void)
{
	const char *at = " 12:  0a1F x:y -1\n5", *start;
	uint64_t n = 0;
	char word[4];
	int digits = 0;

	OK(scan_number(&at, 10, &n) && n == 12, "a number is read over blanks");
	OK(!scan_char(&at, ';') && scan_char(&at, ':'), "a character is read if it is the next");
	OK(scan_number(&at, 16, &n) && n == 0xa1f, "a number may be hexadecimal");
	start = at;
	OK(!scan_number(&at, 10, &n) && at == start, "what is no number is left");
	OK(!scan_word(&at, "", word, 3) && at == start, "a word without room is left");
	OK(scan_word(&at, ":", word, sizeof word) && strcmp(word, "x") == 0 && *at == ':',
	   "a word ends before a mark");
	OK(scan_skip(&at, 1) && scan_number(&at, 10, &n) && (int)n == -1, "what is negative wraps");
	start = at;
	OK(!scan_number(&at, 10, &n) && !scan_skip(&at, 1) && !scan_word(&at, "", word, 4) &&
	       !scan_char(&at, '\0') && at == start,
	   "nothing is read beyond the line");
	at = "99999999999999999999 123456";
	OK(!scan_number(&at, 10, &n) && scan_skip(&at, 1), "a number out of range is none");
	OK(scan_digits(&at, 4, &digits) && digits == 1234 && strcmp(at, "56") == 0,
	   "no more digits are read than asked for");
	OK(!scan_digits(&(const char *){"-1"}, 2, &digits), "digits have no sign");
}

int main(void)
{
	durations();
	sizes();
	texts();
	tables();
	large_tables();
	tables_by_name();
	reads();
	events();
	options();
	paths();
	hex();
	stores();
	pipes();
	scans();
	return tap_done();
}
