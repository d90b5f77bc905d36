/* Words in the form of other tools: lines of a crontab, split durations, ports. See foreign.h. */
#include "rule/foreign.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "rule/script.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of a crontab: numbers, names of days and months, * , - / and the rest. */
static bool is_cron_field(const char *word)
{
	return *word && !word[strspn(word, "0123456789*,-/?LW#abcdefghijklmnoprstuvwyADFJMNOSTW")];
}

/* How many words in front are the expression of a crontab's line; 0: it is none. */
static size_t cron_fields(const struct word *words, size_t n)
{
	size_t fields = 0;

	if (*words[0].text == '@')
		return strcmp(words[0].text, "@every") == 0 && n > 1 ? 2 : 1;
	if (!strpbrk(words[0].text, "0123456789*")) /* a kind that was misspelt has letters only */
		return 0;
	while (fields < n && fields < 5 && is_cron_field(words[fields].text))
		fields++;
	return fields == 5 ? 5 : 0;
}

int foreign_cron_line(struct error *e, const struct word *words, size_t n)
{
	size_t fields = n ? cron_fields(words, n) : 0;
	struct buf b = {0};

	if (!fields)
		return -1;
	if (fields == 2)
		return error_hint(e, "it is a kind: every %s -- COMMAND", words[1].text), 0;
	if (fields == 5 && n > 6 && getpwnam(words[5].text))
		return error_hint(e,
				  "if it is a line of /etc/crontab, write: cron '%s %s %s %s %s' "
				  "--run-as %s "
				  "-- %s ...",
				  words[0].text, words[1].text, words[2].text, words[3].text,
				  words[4].text, words[5].text, words[6].text),
		       0;
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%s%s", i && i != fields ? " " : "", words[i].text,
			   i + 1 != fields ? ""
			   : n > fields    ? "' -- "
					   : "'");
	error_hint(e, "if it is a line of a crontab, write: cron '%s",
		   b.failed ? "15 3 * * *' -- COMMAND" : b.data);
	buf_free(&b);
	return 0;
}

const char *foreign_unit(const char *word)
{
	static const struct {
		const char *words, *unit;
	} units[] = {
	    {" us ", "us"},
	    {" ms ", "ms"},
	    {" s sec secs second seconds ", "s"},
	    {" m min mins minute minutes ", "min"},
	    {" h hour hours ", "h"},
	    {" d day days ", "d"},
	    {" w week weeks ", "w"},
	};
	char padded[16];

	snprintf(padded, sizeof padded, " %s ", word);
	for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
		if (strlen(word) < sizeof padded - 2 && strstr(units[i].words, padded))
			return units[i].unit;
	return NULL;
}

/* "5 minutes": the unit is a word of its own. */
static bool is_split_duration(char *const *words, size_t n)
{
	struct error e;
	int64_t ns;

	return n >= 2 && duration_parse(words[0], &ns, &e) == 0 && foreign_unit(words[1]);
}

bool is_rules_file(const char *word)
{
	size_t length = strlen(word);

	return length > 6 && strcmp(word + length - 6, ".rules") == 0;
}

void foreign_arguments(struct error *e, const char *kind, char *const *words, size_t n)
{
	if (strcmp(kind, "cron") == 0 && n >= 5)
		error_hint(e, "quote the expression: cron '%s %s %s %s %s'", words[0], words[1],
			   words[2], words[3], words[4]);
	else if (strcmp(kind, "cron") == 0 && !strchr(words[0], ' '))
		error_hint(e, "quote the expression, all of its 5 fields: cron '15 3 * * *'");
	else if (strcmp(kind, "calendar") == 0)
		error_hint(e, "quote the expression: calendar '%s %s'", words[0], words[1]);
	else if (is_split_duration(words, n))
		error_hint(e, "a duration is one word: %s%s", words[0], foreign_unit(words[1]));
	else if (strcmp(kind, "every") == 0 || strcmp(kind, "after") == 0)
		error_hint(e, "give one duration; a command comes after \"--\"");
	else if (is_rules_file(words[0]))
		error_hint(e, "rules come with -f: evwatch -f %s", words[0]);
	else if (strcmp(kind, "run") == 0)
		error_hint(e, "a command comes after \"--\": run -- %s", words[0]);
	else
		error_hint(e, "a command comes after \"--\"");
}

void foreign_port(struct error *e, char *const *words, size_t n)
{
	const char *host, *port;

	if (e->word < 0 || (size_t)e->word + 1 >= n || !strstr(e->hint, ":PORT"))
		return;
	host = words[e->word];
	port = words[e->word + 1];
	if (*port && !port[strspn(port, "0123456789")])
		error_hint(e, "host and port are one word: %s:%s", host, port);
}

bool foreign_number(const char *kind, const struct word *words, size_t n)
{
	const char *text = words[0].text;

	if (!kind || (strcmp(kind, "lines") != 0 && strcmp(kind, "file") != 0) ||
	    strncmp(text, "-n", 2) != 0)
		return false;
	text = text[2] || n < 2 ? text + 2 : words[1].text;
	return *text >= '1' && *text <= '9' && !text[strspn(text, "0123456789")] &&
	       access(text, F_OK) != 0;
}
