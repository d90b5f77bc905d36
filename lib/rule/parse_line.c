/* A command line: at most one rule, and options for those of -e and -f. See parser.h. */
#include "rule/parser.h"

#include "rule/reading.h"

#include <stdlib.h>
#include <string.h>

/* Is nothing after `--`, or nothing but blanks, as of an empty variable? */
static bool command_is_blank(const struct words *words, size_t separator)
{
	const char *first;

	if (separator + 1 == words->count)
		return true;
	first = words->items[separator + 1].text;
	return !*first || (separator + 2 == words->count && !first[strspn(first, " \t\n")]);
}

/* The words after `--`: two or more are executed as they are, one is shell text. */
static int command_from_words(struct command *c, const struct word *words, size_t n)
{
	c->words = calloc(n + 1, sizeof *c->words);
	if (!c->words)
		return -1;
	for (size_t i = 0; i < n; i++) {
		c->words[i] = strdup(words[i].text);
		if (!c->words[i])
			return -1;
		c->count++;
	}
	c->shell = n == 1;
	return 0;
}

static size_t find_separator(const struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		if (strcmp(words->items[i].text, "--") == 0)
			return i;
	return words->count;
}

/* No KIND: options of the process, and rule options that become defaults. */
static int read_options_only(struct reading *r)
{
	struct rule *ignored = calloc(1, sizeof *ignored);

	if (!ignored) {
		fault_memory(r);
		return -1;
	}
	job_config_init(&ignored->job);
	r->scopes.count = 0;
	scopes_add(&r->scopes, r->process->table, r->process->config);
	scopes_add_rule(&r->scopes, ignored);
	for (size_t i = 0; i < r->count; i++)
		read_option(r, &i);
	rule_free(ignored);
	return r->failed ? -1 : 0;
}

int rules_parse_command_line(struct rules *rules, const struct script *script,
			     const struct words *words, const struct option_scope *process,
			     struct defaults *defaults)
{
	size_t separator = find_separator(words), kind;
	struct command command = {0};
	struct reading r = {
	    .rules = rules,
	    .script = script,
	    .words = words->items,
	    .count = separator,
	    .collect = defaults,
	    .process = process,
	};
	struct error e;

	defaults->script = script;
	scopes_add(&r.scopes, process->table, process->config);
	scopes_add_rule(&r.scopes, NULL);
	kind = find_kind(&r);
	if (kind == r.count && separator < words->count) {
		error_set(&e, "a command, but no kind of event to run it on");
		error_hint(&e, "for example: evwatch file . -- make");
		fault_at(&r, words->items[separator].offset, &e);
		return -1;
	}
	if (kind == r.count)
		return read_options_only(&r);
	if (separator < words->count && command_is_blank(words, separator)) {
		bool last = separator + 1 == words->count;

		error_set(&e, last ? "no command follows \"--\"" : "the command is empty");
		fault_at(&r, words->items[separator + !last].offset, &e);
		return -1;
	}
	if (separator < words->count && command_from_words(&command, words->items + separator + 1,
							   words->count - separator - 1) < 0) {
		command_free(&command);
		fault_memory(&r);
		return -1;
	}
	return read_rule(&r, kind, NULL, &command, NULL);
}
