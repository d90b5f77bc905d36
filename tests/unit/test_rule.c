/* lib/rule: words and their places, rules as text and on command lines, what errors say. */
#include "tap.h"

#include "base/option.h"
#include "rule/parser.h"
#include "source/source.h"

#include <stdlib.h>

/* ---- words ----------------------------------------------------------------------------------- */

/* The words of a text as "a|b|c", and behind " -- " the rest. */
static const char *split(const char *text, struct buf *out)
{
	struct script *s = script_new("t", text, strlen(text));
	struct words words = {0};
	size_t rest, fault = 0;
	struct error e;

	buf_clear(out);
	if (script_split(s, 0, s->length, &words, &rest, &fault, &e) < 0) {
		buf_printf(out, "%s at %zu", e.what, fault);
	} else {
		for (size_t i = 0; i < words.count; i++)
			buf_printf(out, "%s%s", i ? "|" : "", words.items[i].text);
		if (rest < s->length) {
			char *command = script_command(s, rest, s->length, 0);

			buf_printf(out, " -- %s", command);
			free(command);
		}
	}
	words_free(&words);
	script_free(s);
	return out->data ? out->data : "";
}

static void test_words(void)
{
	struct buf b = {0};

	SAME_TEXT(split("a  b\tc", &b), "a|b|c", "blanks separate");
	SAME_TEXT(split("'a b' \"c d\" e\\ f", &b), "a b|c d|e f", "three ways of quoting");
	SAME_TEXT(split("a'b'\"c\"d", &b), "abcd", "quoted parts join");
	SAME_TEXT(split("\"a\\\"b\\$c\\d\"", &b), "a\"b$c\\d", "backslash in double quotes");
	SAME_TEXT(split("'a\\'", &b), "a\\", "no backslash in single quotes");
	SAME_TEXT(split("'' \"\"", &b), "|", "empty words stay");
	SAME_TEXT(split("$HOME *.c ~", &b), "$HOME|*.c|~", "nothing is expanded");
	SAME_TEXT(split("a\\\nb", &b), "ab", "a joined line");
	SAME_TEXT(split("a 'b", &b), "this quote is never closed at 2", "an open quote is placed");
	SAME_TEXT(split("file a -- make  'x  y' | cat", &b), "file|a -- make  'x  y' | cat",
		  "the command is verbatim");
	SAME_TEXT(split("a '--' b", &b), "a|--|b", "a quoted -- is a word");
	SAME_TEXT(split("a\n  b\n# no\n  -- x\n# no\n  y\n", &b), "a|b -- x\n  y",
		  "comment lines vanish, line breaks of the command stay");
	buf_free(&b);
}

/* ---- rules as text --------------------------------------------------------------------------- */

static int parse(struct rules *rules, const char *text)
{
	struct error e;
	const struct script *s =
	    rules_keep(rules, script_new("site.rules", text, strlen(text)), &e);
	int result = rules_parse_text(rules, s, NULL);

	return rules_finish(rules) < 0 ? -1 : result;
}

/* What the user is told about a text that is wrong. */
static const char *complaint(const char *text, struct buf *out)
{
	struct rules rules = {0};

	buf_clear(out);
	parse(&rules, text);
	for (size_t i = 0; i < rules.diagnostics.count; i++)
		diagnostic_print(&rules.diagnostics.items[i], out);
	rules_free(&rules);
	return out->data ? out->data : "";
}

static void test_text(void)
{
	struct rules rules = {0};
	const char text[] = "# a comment\n"
			    "set --tag --stop-timeout 3s\n"
			    "\n"
			    "tick: every 1s -- date\n"
			    "every 2s --stop-timeout 1s\n"
			    "    --jobs 2\n"
			    "    -- echo one\n"
			    "       echo two\n"
			    "\n"
			    "bans: lines - --match 'a (b)' -- ban \"$2\"\n";

	if (!SAME(parse(&rules, text), 0, "a file of three rules is read"))
		return;
	SAME(rules.count, 3, "three rules");
	SAME_TEXT(rules.items[0]->name, "tick", "a given name");
	SAME_TEXT(rules.items[1]->name, "every2", "a name by kind and ordinal");
	SAME_TEXT(rules.items[1]->command.words[0], "echo one\n       echo two",
		  "a command of two lines keeps its line break");
	OK(rules.items[1]->command.shell, "rules as text run by the shell");
	OK(rules.items[0]->job.output.tag && rules.items[2]->job.output.tag,
	   "set applies to all rules after it");
	SAME(rules.items[0]->job.stop_timeout, 3000000000, "with its value");
	SAME(rules.items[1]->job.stop_timeout, 1000000000, "and a rule's own option wins");
	SAME(rules.items[1]->job.jobs, 2, "an option on a continued line");
	SAME_TEXT(rules.items[2]->command.words[0], "ban \"$2\"", "a command is verbatim");
	rules_free(&rules);
}

static void test_complaints(void)
{
	struct buf b = {0};

	SAME_TEXT(complaint("evrey 1s -- x\n", &b),
		  "evwatch: site.rules:1:1: there is no kind \"evrey\"\n"
		  "  evrey 1s -- x\n"
		  "  ^ did you mean every?\n",
		  "a misspelt kind");
	SAME_TEXT(complaint("\n\na: every 1s --jbos 2 -- x\n", &b),
		  "evwatch: site.rules:3:13: every has no option --jbos\n"
		  "  a: every 1s --jbos 2 -- x\n"
		  "              ^ did you mean --jobs?\n",
		  "a misspelt option on the third line");
	SAME_TEXT(complaint("every 1s --timeout 5q\n", &b),
		  "evwatch: site.rules:1:21: --timeout: \"5q\": unknown unit (ns, us, ms, s, m, h, "
		  "d, w)\n"
		  "  every 1s --timeout 5q\n"
		  "                      ^\n",
		  "a bad value is marked within its word");
	SAME_TEXT(complaint("every 1s --timeout=5q\n", &b),
		  "evwatch: site.rules:1:21: --timeout: \"5q\": unknown unit (ns, us, ms, s, m, h, "
		  "d, w)\n"
		  "  every 1s --timeout=5q\n"
		  "                      ^\n",
		  "behind an equals sign too");
	OK(strstr(complaint("every\n", &b), "every needs DUR"), "a missing argument: %s", b.data);
	OK(strstr(complaint("every 1s 2s\n", &b), "takes one DUR"), "one too many: %s", b.data);
	OK(strstr(complaint("a: every 1s\na: every 2s\n", &b), "another rule called \"a\""),
	   "a name given twice");
	OK(strstr(complaint("every 1s --\n", &b), "no command follows"), "an empty command");
	OK(strstr(complaint("every 1s\n  \n  x\n", &b), "none above"), "a continuation of nothing");
	OK(strstr(complaint("every 1s --timeout\n", &b), "needs a value: DUR"), "a missing value");
	OK(strstr(complaint("every 1s --tag=yes\n", &b), "takes no value"), "a value too many");
	SAME_TEXT(complaint("every 1s\r\n  --jitter 1ms\r\n", &b), "",
		  "line ends of other systems are skipped");
	OK(strstr(complaint("every 1s --match x\n", &b), "it is an option of"),
	   "another kind's option");
	OK(strstr(complaint("set nonsense\n", &b), "set takes options"), "set takes options only");
	OK(strstr(complaint("every 1s --format %q\n", &b), "there is no %q"), "a bad format");
	complaint("evrey 1s\nevery 1q\nfil x\n", &b);
	OK(strstr(b.data, ":1:1:") && strstr(b.data, ":2:8:") && strstr(b.data, ":3:1:"),
	   "all errors of a file are told at once");
	buf_free(&b);
}

/* ---- command lines --------------------------------------------------------------------------- */

static int parse_line(struct rules *rules, int n, char **words)
{
	static const struct option none[] = {{0}};
	struct option_scope process = {.table = none};
	struct defaults defaults = {0};
	struct words list = {0};
	struct error e;
	const struct script *s =
	    rules_keep(rules, script_from_arguments("command line", words, (size_t)n, &list), &e);
	int result = rules_parse_command_line(rules, s, &list, &process, &defaults);

	words_free(&list);
	words_free(&defaults.words);
	return result < 0 || rules_finish(rules) < 0 ? -1 : 0;
}

#define LINE(rules, ...)                                                                           \
	parse_line((rules), (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)),               \
		   (char *[]){__VA_ARGS__})

static void test_command_lines(void)
{
	struct rules a = {0}, b = {0}, c = {0}, d = {0};

	SAME(LINE(&a, "--timeout", "2s", "every", "1s", "-j", "3", "--retry", "1", "--backoff",
		  "2m", "--", "echo", "a b", "--"),
	     0, "options stand anywhere before --");
	SAME(a.items[0]->job.timeout, 2000000000, "before the kind");
	SAME(a.items[0]->job.jobs, 3, "and behind it");
	SAME(a.items[0]->job.backoff_max, 120000000000, "a first wait beyond the longest is it");
	SAME(a.items[0]->command.count, 3, "a command of words");
	OK(!a.items[0]->command.shell, "needs no shell");
	SAME_TEXT(a.items[0]->command.words[2], "--", "and may hold -- itself");
	SAME(LINE(&b, "every", "1s", "--", "echo $1"), 0, "one word behind --");
	OK(b.items[0]->command.shell, "is shell text");
	SAME(LINE(&c, "every", "1s", "--"), -1, "nothing behind -- is an error");
	SAME(LINE(&d, "lines", "-", "-i0", "--", "cat", "-"), 0,
	     "letters cluster; - is an argument");
	OK(d.count == 1 && d.items[0]->job.initial && d.items[0]->print.nul, "both are set");
	rules_free(&a);
	rules_free(&b);
	rules_free(&c);
	rules_free(&d);
}

/* find_kind relies on it: before the kind is known, an option's arity must be. */
static void test_arity(void)
{
	for (size_t i = 0; source_types[i]; i++)
		for (const struct option *o = source_types[i]->options; o && o->name; o++)
			for (size_t j = 0; source_types[j]; j++) {
				const struct option *other =
				    option_find(source_types[j]->options, o->name);

				if (other && option_takes_value(other) != option_takes_value(o))
					OK(false, "--%s takes a value in all kinds or in none",
					   o->name);
			}
	OK(true, "every option has the same arity in all kinds");
}

int main(void)
{
	test_words();
	test_text();
	test_complaints();
	test_command_lines();
	test_arity();
	return tap_done();
}
