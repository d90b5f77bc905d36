/* See explain.h. */
#include "rule/explain.h"

#include "base/option.h"
#include "base/scan.h"
#include "base/signame.h"
#include "base/text.h"
#include "rule/foreign.h"
#include "rule/reading.h"
#include "source/source.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- kinds ----------------------------------------------------------------------------------- */

const char *kind_near(const char *word, const char *const *tools)
{
	const char *words[64];
	size_t n = 0;

	for (size_t i = 0; source_types[i] && n < 40; i++)
		words[n++] = source_types[i]->name;
	for (; tools && *tools && n < 63; tools++)
		words[n++] = *tools;
	words[n] = NULL;
	return nearest_word(word, words);
}

static bool is_event(const char *word)
{
	for (size_t i = 0; source_types[i]; i++)
		for (const struct event_name *n = source_types[i]->events; n && n->name; n++)
			if (strcmp(n->name, word) == 0)
				return true;
	return false;
}

/* A word whose form says what it is. */
static bool explain_form(const struct reading *r, const struct word *word, struct error *e)
{
	const char *text = word->text, *colon = strchr(text, ':');
	bool last = word + 1 == r->words + r->count;
	const char *next = last ? "" : word[1].text;

	if (*text == '[')
		error_hint(e, "this is another program's file; a rule is web: run -- ./server");
	else if (strncmp(text, "CRON_TZ=", 8) == 0)
		error_hint(e, "a rule has --tz ZONE");
	else if (strncmp(text, "MAILTO=", 7) == 0)
		error_hint(
		    e,
		    "to mail failures, add: mail: ended NAME --failed -- mail -s \"$1: $2\" root");
	else if (strncmp(text, "ExecStart=", 10) == 0 || strncmp(text, "command=", 8) == 0)
		error_hint(e, "a rule is: web: run -- %s ...", strchr(text, '=') + 1);
	else if (isupper((unsigned char)*text) && strchr(text, '='))
		error_hint(e, "a rule has --env %s", text);
	else if (strcmp(next, ":") == 0)
		error_hint(e, "no blank comes before the colon of a name: %s:", text);
	else if (colon && colon[1] && colon > text && text[strcspn(text, "/=")] == '\0')
		error_hint(e, "a blank comes after the colon of a name: %.*s: %s",
			   (int)(colon - text), text, colon + 1);
	else if (*next && next[strlen(next) - 1] == ':')
		error_hint(e, "a name has no blanks: %s-%s", text, next);
	else if (is_event(text))
		error_hint(e, "it is an event: --events %s (-e gives a rule)", text);
	else
		return false;
	return true;
}

/* "make -- file src": the command stands where the kind does. */
static bool has_kind_after(const struct reading *r, const struct word *word)
{
	const char *rest = strstr(r->script->text + word->offset, " -- ");
	char kind[16];

	if (!rest)
		return false;
	rest += 4;
	return scan_word(&rest, "'\";:,", kind, sizeof kind) && source_type_find(kind);
}

/* Words that would be a rule, were their quotes in other places. */
static bool explain_quotes(const struct reading *r, const struct word *word, struct error *e)
{
	size_t before = (size_t)(word - r->words), first = strcspn(word->text, " ");
	const char *option = before > 1 ? word[-2].text : "";
	char *kind = strndup(word->text, first);
	bool whole = kind && word->text[first] && source_type_find(kind);

	free(kind);
	if (!r->process)
		return false;
	if (has_kind_after(r, word))
		error_hint(e, "the kind comes first: evwatch file src -- %s", word->text);
	else if (whole)
		error_hint(e, "it is one quoted word: leave the quotes out, or write -e before it");
	else if (before > 1 && (strcmp(option, "-e") == 0 || strcmp(option, "--rule") == 0) &&
		 source_type_find(word[-1].text))
		error_hint(e, "-e takes a whole rule in quotes: -e '%s %s ...'", word[-1].text,
			   word->text);
	else if (is_rules_file(word->text) || (before && strcmp(word[-1].text, "--config") == 0))
		error_hint(e, "rules come with -f: evwatch -f %s", word->text);
	else
		return false;
	return true;
}

static void hint_path(const struct reading *r, const struct word *at, struct error *e)
{
	const char *word = at->text;

	if (!r->process && at + 1 < r->words + r->count && source_type_find(at[1].text))
		error_hint(e, "a colon comes after a name: %s: %s", word, at[1].text);
	else if (!r->process)
		error_hint(e, "a rule begins with its kind, as in: file %s", word);
	else if (access(word, F_OK) == 0)
		error_hint(e, "to watch it: evwatch file %s", word);
	else
		error_hint(e,
			   "\"evwatch --help\" lists the kinds; a path comes after file: evwatch "
			   "file %s",
			   word);
}

/* What was meant by a word that is no kind. */
static void explain_kind(struct reading *r, const struct word *word, struct error *e)
{
	const char *near = kind_near(word->text, r->process ? r->process->tools : NULL);
	const char *foreign = foreign_kind(word->text);

	if (explain_quotes(r, word, e) || (!foreign && explain_form(r, word, e)))
		return;
	if (near && strcmp(near, word->text) == 0)
		error_hint(e, "it is a tool, and goes first: evwatch %s ...", near);
	else if (foreign)
		error_hint(e, "%s", foreign);
	else if (foreign_cron_line(e, word, r->count - (size_t)(word - r->words)) == 0)
		return;
	else if (near)
		error_hint(e, "did you mean %s?", near);
	else
		hint_path(r, word, e);
}

/* Does a name come before it? */
static bool is_named(const struct reading *r, const struct word *word)
{
	size_t at = word->offset;

	while (at > 0 && strchr(" \t\n", r->script->text[at - 1]))
		at--;
	return at > 0 && r->script->text[at - 1] == ':';
}

void fault_kind(struct reading *r, const struct word *word)
{
	bool is_first = !is_named(r, word);
	struct error e;

	if (*word->text && word->text[strlen(word->text) - 1] == ':') {
		error_set(&e, "\"%s\"%s", word->text,
			  r->process ? ": a rule on the command line has no name"
			  : is_first ? " is no name of a rule"
				     : " is no kind");
		error_hint(&e,
			   r->process ? "write evwatch -e '%s ...'"
			   : is_first ? "a name is made of letters, digits, \"_\", \"-\" and \".\""
				      : "a rule has one name, and that comes first",
			   word->text);
	} else {
		error_set(&e, "there is no kind \"%s\"", word->text);
		explain_kind(r, word, &e);
	}
	fault(r, word, &e);
}

/* ---- options --------------------------------------------------------------------------------- */

/* Is it an option of command lines, in the text of a rule? */
static bool is_misplaced(const struct reading *r, const char *name)
{
	const struct option *table = r->process ? NULL : r->rules->process;

	return name[1] == '-' ? option_find(table, name + 2) != NULL
			      : option_find_letter(table, name[1]) != NULL;
}

/* What the user gave an option that is not there: inline, or as the next word; or NULL. */
static const char *value_given(const struct reading *r, const struct word *word)
{
	const char *equals = word->text[1] == '-' ? strchr(word->text, '=') : NULL;

	if (equals)
		return equals + 1;
	return word + 1 < r->words + r->count && !is_option(word + 1) ? word[1].text : NULL;
}

/* "-1s", "-HUP": a value with a dash, which is read as letters of options. */
static bool explain_dash(const struct reading *r, const char *word, struct error *e)
{
	struct error ignored;
	const struct source_type *type = r->scopes.type;
	const char *kind = type ? type->name : "", *takes = type ? type->arguments : "";

	if (isdigit((unsigned char)word[1])) {
		error_set(e,
			  strcmp(kind, "exit") == 0   ? "\"%s\" is not a process id"
			  : strcmp(takes, "DUR") == 0 ? "\"%s\" is not a positive duration"
						      : "there is no option %s",
			  word);
		error_hint(e, "a value cannot be negative: %s begins an option", word);
		return true;
	}
	if (strcmp(kind, "signal") != 0 || signal_parse(word + 1, &ignored) < 0)
		return false;
	error_set(e, "a signal has no dash");
	error_hint(e, "write %s", word + 1);
	return true;
}

void fault_unknown(struct reading *r, const struct word *word, const char *name)
{
	struct error e;

	if (name[1] != '-' && explain_dash(r, word->text, &e)) {
		fault(r, word, &e);
		return;
	}
	if (is_misplaced(r, name)) {
		error_set(&e, "%s is an option of the whole process, not of a rule", name);
		error_hint(&e, "it goes on the command line: evwatch %s ...%s", name,
			   strcmp(name, "--once") == 0 ? "; --runs 1 ends this rule" : "");
	} else {
		scopes_explain_unknown(&r->scopes, name, value_given(r, word), &e);
	}
	fault(r, word, &e);
}

/* ---- values ---------------------------------------------------------------------------------- */

void explain_missing(const struct reading *r, const struct option *o, struct error *e)
{
	const struct event_name *n = r->scopes.type ? r->scopes.type->events : NULL;
	struct buf b = {0};

	for (; n && n->name && strcmp(o->name, "events") == 0; n++)
		buf_printf(&b, "%s%s", b.length ? "," : "one or more of ", n->name);

	for (size_t i = 0; o->type == OPTION_CHOICE && o->choices[i]; i++)
		buf_printf(&b, "%s%s", i ? ", " : "one of ", o->choices[i]);
	error_hint(e, "%s", b.data ? b.data : o->help);
	buf_free(&b);
}

bool is_split_duration(const struct reading *r, const struct option *o, const char *value,
		       const struct word *next)
{
	return o->value && strncmp(o->value, "DUR", 3) == 0 &&
	       value[strspn(value, "0123456789.")] == '\0' && next < r->words + r->count &&
	       foreign_unit(next->text) && access(next->text, F_OK) != 0;
}

void fault_split_duration(struct reading *r, const char *name, const char *value,
			  const struct word *next)
{
	struct error e;

	error_set(&e, "\"%s\" is apart from its number", next->text);
	error_hint(&e, "a duration is one word: %s %s%s", name, value, foreign_unit(next->text));
	fault(r, next, &e);
}

void explain_value(const struct written_option *o, const char *value, struct error *e)
{
	const char *name = o->option->name;

	if (foreign_value(e, name, value) == 0)
		return;
	if (*e->hint || o->name[1] == '-')
		return;
	if (is_rules_file(value))
		error_hint(e, "rules come with -f: evwatch -f %s", value);
	else if (strcmp(name, "within") == 0 && access(value, F_OK) == 0)
		error_hint(e, "-w is --within DUR; a path needs no option: evwatch file %s", value);
	else
		error_hint(e, "%s is --%s %s", o->name, name, o->option->value);
}

void fault_number(struct reading *r, const struct word *word)
{
	struct error e;

	error_set(&e, "-n takes no number: it is --dry-run");
	error_hint(
	    &e, strcmp(r->scopes.type->name, "lines") == 0
		    ? "--follow begins at the end of the file, --follow --from start at its start"
		    : "--count N stops after N runs");
	fault(r, word, &e);
}
