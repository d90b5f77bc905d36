/* lib/engine/printer: what a rule without a command prints. */
#include "tap.h"

#include "base/error.h"
#include "engine/printer.h"
#include "rule/rule.h"

#include <stdlib.h>
#include <time.h>

static const char *const subjects[] = {"a b\n.c", "second"};
static const struct detail details[] = {
    {.name = "EVWATCH_PATH", .value = "a b\n.c"},
    {.name = "EVWATCH_OLD_PATH", .value = "o\xff"},
    {.name = "EVWATCH_MISSED", .value = "3", .number = true},
    {.name = "EVWATCH_SCHEDULED", .value = "007", .number = true},
    {.name = "PROTO", .value = "TCP"},
    {.name = "EVWATCH_SIGNAL", .value = NULL},
};
static const struct event event = {
    .name = "move",
    .subjects = subjects,
    .n_subjects = 2,
    .details = details,
    .n_details = 6,
    .time = {1700000000, 250000001},
    .connection = -1,
};
static const struct print_context context = {"css", "file", 7, NULL};

static const char *printed(const struct print_config *config, struct buf *b)
{
	buf_clear(b);
	event_print(b, config, &context, &event);
	return b->data;
}

static const char *formatted(const char *format, struct buf *b)
{
	char copy[64];
	struct print_config config = {.format = copy};

	snprintf(copy, sizeof copy, "%s", format);
	return printed(&config, b);
}

static void test_text(struct buf *b)
{
	struct print_config nul = {.nul = true};

	SAME_TEXT(printed(&(struct print_config){0}, b), "move a\\040b\\n.c second\n",
		  "a line a event, blanks and control characters escaped");
	printed(&nul, b);
	OK(b->length == 19 && memcmp(b->data, "move a b\n.c\0second\0", 19) == 0,
	   "-0 ends subjects with NUL and escapes nothing");
}

static void test_format(struct buf *b)
{
	char format[] = "%s";
	struct print_config nul = {.nul = true, .format = format};
	struct error e;

	SAME_TEXT(formatted("%e %s %r %k %n %T %%", b), "move a b\\n.c css file 7 1700000000 %\n",
		  "a format ends in a line break");
	SAME_TEXT(formatted("%S|%o\\n", b), "a b\\n.c second|o\xff\n", "unless it says so itself");
	SAME_TEXT(formatted("a\\tb\\q", b), "a\tb\\q\n", "known escapes are replaced");
	SAME_TEXT(formatted("%t", b), "2023-11-14T22:13:20.250000+00:00\n", "RFC 3339 time");
	formatted("x\\0", b);
	OK(b->length == 2 && b->data[1] == '\0', "a format may end in NUL");
	printed(&nul, b);
	OK(b->length == 7 && memcmp(b->data, "a b\n.c", 7) == 0, "with -0 nothing is escaped");
	SAME(format_check("%e%s%S%r%k%t%T%n%o%%", &e), 0, "all letters are known");
	SAME(format_check("%x", &e), -1, "others are refused");
	SAME(format_check("100%", &e), -1, "a lone percent sign too");
}

static void test_json(struct buf *b)
{
	SAME_TEXT(printed(&(struct print_config){.json = true}, b),
		  "{\"time\":1700000000.250000001,\"rule\":\"css\",\"source\":\"file\",\"event\":"
		  "\"move\",\"count\":7,\"subjects\":[\"a b\\u000a.c\",\"second\"],"
		  "\"path\":\"a b\\u000a.c\",\"old_path\":\"o\xef\xbf\xbd\",\"old_path_base64\":"
		  "\"b/8=\",\"missed\":3,\"scheduled\":\"007\"}\n",
		  "JSON with every detail, exact bytes beside what is no UTF-8");
}

int main(void)
{
	struct buf b = {0};

	setenv("TZ", "UTC", 1);
	tzset();
	test_text(&b);
	test_format(&b);
	test_json(&b);
	buf_free(&b);
	return tap_done();
}
