/* What a valid rule says that was hardly meant: warnings of check. See reading.h. */
#include "rule/reading.h"

#include "base/array.h"
#include "base/units.h"
#include "source/source.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

static void note_doubt(struct reading *r, size_t offset, const struct error *e)
{
	struct error warning;

	error_set(&warning, "warning: %.380s", e->what);
	error_hint(&warning, "%s", e->hint);
	diagnostics_add(&r->rules->doubts, r->script, offset, &warning);
}

/* The first `{}` of a command that is executed directly, if no `--` comes before it; else `count`.
 */
static size_t bare_subject(const struct command *c)
{
	size_t i = 0;

	while (i < c->count && strcmp(c->words[i], "{}") != 0 && strcmp(c->words[i], "--") != 0)
		i++;
	return i < c->count && strcmp(c->words[i], "{}") == 0 ? i : c->count;
}

/* What strangers write may begin with `-`, and is an option then to the program that gets it. */
static void note_bare_subject(struct reading *r, const struct rule *rule)
{
	size_t at = bare_subject(&rule->command);
	struct error e;

	if (!rule->type->subjects_from_outside || rule->command.shell || at == rule->command.count)
		return;
	if (at == 0) {
		error_set(&e, "the subject is the program that is run: others choose it");
		error_hint(&e, "name the program");
	} else {
		error_set(&e, "a subject that begins with - is an option to %.100s",
			  rule->command.words[0]);
		error_hint(&e, "put -- before {}, if %.100s takes it", rule->command.words[0]);
	}
	/* Only a command line has words behind its separator. */
	note_doubt(r, r->process ? r->words[r->count + 1 + at].offset : rule->offset, &e);
}

/* A line that was pasted from a command line: in shell text the subjects are "$1" and "$@". */
static void note_literal_braces(struct reading *r, const struct rule *rule)
{
	const char *text = rule->command.shell ? rule->command.words[0] : "", *at = text;
	struct error e;

	while ((at = strstr(at, "{}")) &&
	       ((at > text && !isspace((unsigned char)at[-1]) && at[-1] != '"') ||
		(at[2] && !isspace((unsigned char)at[2]) && at[2] != '"')))
		at++;
	/* {} of find(1) and xargs(1) is theirs. */
	if (!at || strstr(text, "find ") || strstr(text, "xargs ") || strstr(text, "parallel "))
		return;
	error_set(&e, "{} is plain text in a shell command");
	error_hint(&e, "write \"$1\" for the subject, \"$@\" for all");
	note_doubt(r, rule->offset, &e);
}

/* A command with the quotes that a command line needs: the shell of a rule takes all in them for
 * one word. A path with a blank needs them. */
static void note_quoted_command(struct reading *r, const struct rule *rule)
{
	const char *text = rule->command.shell ? rule->command.words[0] : "", *end;
	struct error e;

	if ((*text != '\'' && *text != '"') || text[1] == '/')
		return;
	end = strchr(text + 1, *text);
	if (!end || end[1 + strspn(end + 1, " \t\n")] || !memchr(text, ' ', (size_t)(end - text)))
		return;
	error_set(&e, "these quotes make the whole command the name of one program");
	error_hint(&e, "leave them out: all after -- is shell text");
	note_doubt(r, rule->offset, &e);
}

/* Does this word begin with an option of evwatch that hardly another program has? */
static bool is_option_of_ours(const char *word, size_t length)
{
	static const char *const ours[] = {
	    "--backoff",   "--catch-up", "--debounce",     "--fail-fast", "--initial",
	    "--max-conns", "--max-wait", "--max-per-ip",   "--on-busy",   "--paths-from",
	    "--quiet-for", "--run-as",   "--ready-file",   "--runs",      "--stop-signal",
	    "--throttle",  "--times",    "--stop-timeout", "--unique",    "--within",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(ours); i++)
		if (strlen(ours[i]) == length && strncmp(ours[i], word, length) == 0)
			return true;
	return false;
}

/* No program is called as an option is, and no line of a command begins with one. */
static bool begins_command(const char *text, const char *at)
{
	while (at > text && (at[-1] == ' ' || at[-1] == '\t'))
		at--;
	return at == text || (at[-1] == '\n' && (at < text + 2 || at[-2] != '\\'));
}

/* Does it begin with an option of this rule, or of the process? */
static bool is_option_word(const struct reading *r, const char *at, size_t length)
{
	char name[32];

	if (length < 4 || length - 2 >= sizeof name || strncmp(at, "--", 2) != 0)
		return false;
	memcpy(name, at + 2, length - 2);
	name[length - 2] = '\0';
	return scopes_have(&r->scopes, name);
}

/* An option after `--` belongs to the program of the command. */
static void note_options_after(struct reading *r, const struct rule *rule)
{
	for (size_t i = 0; i < rule->command.count; i++)
		for (const char *at = rule->command.words[i]; *at;) {
			size_t length = strcspn(at, "= \t\n");
			struct error e;

			if (is_option_of_ours(at, length) ||
			    (i == 0 && is_option_word(r, at, length) &&
			     begins_command(rule->command.words[0], at))) {
				error_set(&e, "%.*s after -- belongs to the command", (int)length,
					  at);
				error_hint(&e, "an option of evwatch comes before --");
				note_doubt(r, rule->offset, &e);
				return;
			}
			at += rule->command.shell ? length : strlen(at);
			at += strspn(at, "= \t\n");
		}
}

/* A word that only a shell reads as an operator: not a pattern, nor the value of a letter. */
static bool is_shell_word(const char *word, const char *before)
{
	static const char *const operators[] = {"&&", "||", ">>", "2>&1", "2>", ">", "|", "$1"};

	for (size_t i = 0; i < ARRAY_LENGTH(operators); i++)
		if (strcmp(word, operators[i]) == 0)
			return strlen(word) > 1 || (before && *before != '-');
	return false;
}

/* Two words and more are executed as they are. */
static void note_shell_words(struct reading *r, const struct rule *rule)
{
	const struct command *c = &rule->command;
	const char *name = c->count ? c->words[0] : "";
	struct error e;

	/* Of these, and of a shell, they are arguments. */
	if (c->shell || strcmp(name, "test") == 0 || strcmp(name, "[") == 0 ||
	    strcmp(name, "expr") == 0)
		return;
	for (size_t i = 1; i < c->count && strcmp(c->words[i], "-c") != 0; i++)
		if (is_shell_word(c->words[i], i > 1 ? c->words[i - 1] : NULL)) {
			error_set(&e, "%s is a plain word here: no shell reads it", c->words[i]);
			error_hint(&e, "quote the whole command as one word");
			note_doubt(r, r->words[r->count + 1 + i].offset, &e);
			return;
		}
}

/* `--match *.c` that a shell has expanded: its further files became arguments. */
static void note_expanded(struct reading *r)
{
	struct written_option o;

	for (size_t i = 0; r->process && next_option(r, &i, &o); i++) {
		const char *value = r->words[i].text, *dot = strrchr(value, '.'), *next, *other;
		struct error e;

		if (!dot || o.inline_value || i + 1 >= r->count || !o.option->value ||
		    strcmp(o.option->value, "GLOB") != 0)
			continue;
		next = r->words[i + 1].text;
		other = strrchr(next, '.');
		if (!other || strcmp(dot, other) != 0 || access(value, F_OK) || access(next, F_OK))
			continue;
		error_set(&e, "%s comes after --%s %s, and is a PATH", next, o.option->name, value);
		error_hint(&e, "quote a pattern: --%s '*%s'", o.option->name, dot);
		note_doubt(r, r->words[i + 1].offset, &e);
		return;
	}
}

/* "$3" of a line that has one group. In quotes: without, it may be a field of awk(1). */
static void note_missing_subject(struct reading *r, const struct rule *rule)
{
	const char *text = rule->command.shell ? rule->command.words[0] : "";
	size_t most;
	struct error e;

	if (!rule->type->most_subjects || !strstr(text, "\"$"))
		return;
	most = (size_t)rule->type->most_subjects(rule->source_config);
	for (const char *at = text; (at = strstr(at, "\"$")); at += 2)
		if (isdigit((unsigned char)at[2]) && at[3] == '"' && (size_t)(at[2] - '0') > most) {
			error_set(&e, "\"$%c\" is empty: these events have %zu subject%s", at[2],
				  most, most == 1 ? "" : "s");
			error_hint(&e, strcmp(rule->type->name, "lines") == 0
					   ? "$1 is the line, $2 the first group ( ) of --match"
					   : "\"evwatch help variables\" lists what else there is");
			note_doubt(r, rule->offset, &e);
			return;
		}
}

/* --debounce 100 of nodemon and others is in milliseconds. */
static void note_long_debounce(struct reading *r, const struct rule *rule, const struct word *kind)
{
	const struct error place = {.option = "debounce"};
	const char *at = r->script->text + offset_of_rule(r, kind, &place);
	size_t digits = strspn(at, "0123456789");
	struct error e;

	if (rule->job.debounce < 100 * NS_PER_S || digits < 3 || (at[digits] && at[digits] != ' '))
		return;
	error_option(&e, "debounce", ": %.*s without a unit is seconds", (int)digits, at);
	error_hint(&e, "milliseconds are written %.*sms", (int)digits, at);
	note_doubt(r, offset_of_rule(r, kind, &place), &e);
}

/* evwatch would stop with a rule that never ends. */
static void note_last(struct reading *r, const struct rule *rule, const struct word *kind)
{
	struct error e;

	if (!rule->own.last || rule->own.runs || !rule->type->endless ||
	    !rule->type->endless(rule->source_config))
		return;
	error_clear(&e);
	error_option(&e, "last", "has no effect: this rule never ends by itself");
	error_hint(&e, rule->type->starts_itself ? "--restart no ends it with its command"
						 : "--runs N ends it");
	note_doubt(r, offset_of_rule(r, kind, &e), &e);
}

/* What --catch-up stores is found again by the rule's name. */
static void note_unnamed(struct reading *r, const struct rule *rule)
{
	struct written_option o;
	struct error e;

	for (size_t i = 0; !rule->named && !r->process && next_option(r, &i, &o); i++) {
		if (strcmp(o.option->name, "catch-up") != 0)
			continue;
		error_option(&e, "catch-up", ": the rule has no name");
		error_hint(&e,
			   "its record has the name of its place, which may change: NAME: %s ...",
			   rule->type->name);
		note_doubt(r, r->words[i].offset, &e);
	}
}

void note_doubts(struct reading *r, const struct rule *rule, const struct word *kind)
{
	struct error e;

	error_clear(&e);
	if (rule->type->doubtful &&
	    rule->type->doubtful(rule->source_config, rule->command.count || rule->own.to, &e))
		note_doubt(r, offset_of_rule(r, kind, &e), &e);
	note_bare_subject(r, rule);
	note_literal_braces(r, rule);
	note_quoted_command(r, rule);
	note_options_after(r, rule);
	note_shell_words(r, rule);
	note_expanded(r);
	note_unnamed(r, rule);
	note_missing_subject(r, rule);
	note_long_debounce(r, rule, kind);
	note_last(r, rule, kind);
}
