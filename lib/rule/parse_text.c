/* Rules as text: which lines make a rule, its name, its command. See parser.h. */
#include "rule/parser.h"

#include "rule/reading.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The whole text after `--` is one shell command. */
static int command_from_text(struct command *c, const struct script *s, size_t start, size_t end,
			     size_t indent)
{
	char *text = script_command(s, start, end, indent);

	c->words = calloc(2, sizeof *c->words);
	if (!text || !c->words) {
		free(text);
		return -1;
	}
	c->words[0] = text;
	c->count = 1;
	c->shell = true;
	return 0;
}

static bool is_name_character(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

/* `NAME:` in front of a rule. Returns its length without the colon, 0 when there is none. */
static size_t name_length(const struct word *w)
{
	size_t n = strlen(w->text);

	if (w->quoted || n < 2 || w->text[n - 1] != ':')
		return 0;
	for (size_t i = 0; i < n - 1; i++)
		if (!is_name_character(w->text[i]))
			return 0;
	return n - 1;
}

/* `set OPTION...`: noted for the rules that follow. */
static int parse_set(struct reading *r, struct command *command, struct defaults *defaults)
{
	struct error e;

	if (command->count) {
		error_set(&e, "set takes options of rules, and no command");
		fault(r, &r->words[0], &e);
		command_free(command);
		return -1;
	}
	r->words++;
	r->count--;
	r->collect = defaults;
	defaults->script = r->script;
	read_set(r);
	return r->failed ? -1 : 0;
}

static int read_text_rule(struct reading *r, struct command *command, struct defaults *defaults)
{
	char *name = NULL;
	struct error e;
	size_t kind;

	if (r->count && strcmp(r->words[0].text, "set") == 0)
		return parse_set(r, command, defaults);
	if (r->count && name_length(&r->words[0])) {
		name = strndup(r->words[0].text, name_length(&r->words[0]));
		r->words++;
		r->count--;
	}
	kind = find_kind(r);
	if (kind == r->count) {
		free(name);
		command_free(command);
		error_set(&e, "a rule needs a kind");
		error_hint(&e, "for example: css: file assets --match '*.scss' -- make css");
		fault_at(r, r->words[0].offset, &e);
		return -1;
	}
	return read_rule(r, kind, name, command, defaults);
}

/* One rule or `set` in [start, end) of the script. */
static int parse_span(struct rules *rules, const struct script *script, size_t start, size_t end,
		      size_t indent, struct defaults *defaults)
{
	struct reading r = {.rules = rules, .script = script};
	struct command command = {0};
	struct words words = {0};
	size_t rest, at;
	struct error e;
	int result = -1;

	scopes_add_rule(&r.scopes, NULL);
	error_clear(&e);
	if (script_split(script, start, end, &words, &rest, &at, &e) < 0) {
		fault_at(&r, at, &e);
	} else if (words.count == 0) {
		error_set(&e, "a rule needs a kind before its command");
		error_hint(&e, "for example: file src -- make");
		fault_at(&r, start, &e);
	} else if (rest != SIZE_MAX && command_from_text(&command, script, rest, end, indent) < 0) {
		command_free(&command);
		fault_memory(&r);
	} else if (command.count && !*command.words[0]) {
		command_free(&command);
		error_set(&e, "no command follows \"--\"");
		fault_at(&r, rest - 2, &e);
	} else {
		r.words = words.items;
		r.count = words.count;
		result = read_text_rule(&r, &command, defaults);
	}
	words_free(&words);
	return result;
}

static size_t line_end(const struct script *s, size_t at)
{
	const char *end = memchr(s->text + at, '\n', s->length - at);

	return end ? (size_t)(end - s->text) + 1 : s->length;
}

static bool line_is_blank(const struct script *s, size_t at, size_t end)
{
	while (at < end && isspace((unsigned char)s->text[at]))
		at++;
	return at == end;
}

static size_t blanks_at(const struct script *s, size_t at, size_t end)
{
	size_t n = 0;

	while (at + n < end && isblank((unsigned char)s->text[at + n]))
		n++;
	return n;
}

static bool is_comment(const struct script *s, size_t at, size_t end)
{
	size_t first = at + blanks_at(s, at, end);

	return first < end && s->text[first] == '#';
}

/* Does a `\` that no other one takes end the line? */
static bool goes_on(const struct script *s, size_t at, size_t end)
{
	size_t n = 0;

	end -= end > at && s->text[end - 1] == '\n';
	end -= end > at && s->text[end - 1] == '\r';
	while (end - n > at && s->text[end - n - 1] == '\\')
		n++;
	return n % 2;
}

/* The end of the rule that starts at `at`: continuation lines and the comments among them. */
static size_t rule_end(const struct script *s, size_t at, size_t indent)
{
	size_t end = line_end(s, at);
	bool on = goes_on(s, at, end);

	for (size_t next = end; next < s->length;) {
		size_t after = line_end(s, next);
		size_t blanks = blanks_at(s, next, after);

		if (line_is_blank(s, next, after) ||
		    (blanks <= indent && !on && s->text[next + blanks] != '#'))
			break;
		if (blanks > indent || s->text[next + blanks] != '#') {
			end = after;
			on = goes_on(s, next, after);
		}
		next = after;
	}
	return end;
}

/* How many blanks all lines begin with that are neither empty nor a comment. */
static size_t shared_indentation(const struct script *s, size_t from)
{
	const char *first = NULL;
	size_t shared = 0;

	for (size_t at = from; at < s->length; at = line_end(s, at)) {
		size_t end = line_end(s, at), same = 0;

		if (line_is_blank(s, at, end) || is_comment(s, at, end))
			continue;
		if (!first) {
			first = s->text + at;
			shared = blanks_at(s, at, end);
		}
		while (same < shared && s->text[at + same] == first[same])
			same++;
		shared = same;
	}
	return shared;
}

/* No rule may hold NUL. */
static int check_bytes(struct rules *rules, const struct script *s)
{
	const char *nul = memchr(s->text, '\0', s->length);
	struct error e;

	if (!nul)
		return 0;
	error_set(&e, "a NUL byte: this is no text");
	return diagnostics_add(&rules->diagnostics, s, (size_t)(nul - s->text), &e);
}

static int copy_defaults(struct defaults *copy, const struct defaults *d)
{
	copy->script = d ? d->script : NULL;
	for (size_t i = 0; d && i < d->words.count; i++) {
		const struct word *w = &d->words.items[i];

		if (words_add(&copy->words, w->text, w->offset, false) < 0)
			return -1;
	}
	return 0;
}

static int no_rule_above(struct rules *rules, const struct script *s, size_t at)
{
	struct error e;

	error_set(&e, "this line continues a rule, but there is none above");
	error_hint(&e, "a rule starts at the first column");
	return diagnostics_add(&rules->diagnostics, s, at, &e);
}

int rules_parse_text(struct rules *rules, const struct script *s, const struct defaults *given)
{
	size_t at = strncmp(s->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */
	size_t indent = shared_indentation(s, at);
	struct defaults defaults = {0};
	int result;

	if (check_bytes(rules, s) < 0)
		return -1;
	result = copy_defaults(&defaults, given);
	while (at < s->length) {
		size_t end = line_end(s, at);

		if (is_comment(s, at, end) || line_is_blank(s, at, end)) {
			at = end;
			continue;
		}
		end = rule_end(s, at, indent);
		if (blanks_at(s, at, end) > indent)
			result = no_rule_above(rules, s, at);
		else if (parse_span(rules, s, at, end, indent, &defaults) < 0)
			result = -1;
		at = end;
	}
	words_free(&defaults.words);
	return result;
}
