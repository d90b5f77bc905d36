/* See reading.h. */
#include "rule/reading.h"

#include "base/option.h"
#include "base/text.h"
#include "rule/explain.h"
#include "source/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors with their place ----------------------------------------------------------------- */

/* Where byte `column` of a word stands; the word's start when quoting moved its bytes. */
static size_t word_offset(const struct script *s, const struct word *w, int column)
{
	const char *source = s->text + w->offset;
	size_t c = column > 0 ? (size_t)column : 0;

	if ((*source == '\'' || *source == '"') && strncmp(source + 1, w->text, c) == 0)
		return w->offset + 1 + c;
	if (strncmp(source, w->text, c) == 0)
		return w->offset + c;
	return w->offset;
}

void fault_at(struct reading *r, size_t offset, const struct error *e)
{
	r->failed = true;
	diagnostics_add(&r->rules->diagnostics, r->script, offset, e);
}

void fault(struct reading *r, const struct word *w, const struct error *e)
{
	fault_at(r, word_offset(r->script, w, e->column), e);
}

void fault_memory(struct reading *r)
{
	struct error e;

	error_set(&e, "out of memory");
	fault_at(r, 0, &e);
}

enum { MOST_SET_WORDS = 200 };

/* ---- options --------------------------------------------------------------------------------- */

/* Notes a rule option for the rules that follow: name and value as words of their own. */
static void collect_option(struct reading *r, const struct option *o, const char *value,
			   size_t offset)
{
	char name[64];
	struct error e;

	if (!r->process && r->collect && r->collect->words.count >= MOST_SET_WORDS) {
		/* Each of them is applied to each rule. */
		error_set(&e, "set gives more than %d words of options", MOST_SET_WORDS);
		error_hint(&e, "give the rules their own");
		fault_at(r, offset, &e);
		r->collect = NULL;
		return;
	}
	if (!r->collect || (r->process && option_is_of(r->process->table, o)))
		return;
	snprintf(name, sizeof name, "--%s", o->name);
	if (words_add(&r->collect->words, name, offset, false) < 0 ||
	    (value && words_add(&r->collect->words, value, offset, false) < 0))
		fault_memory(r);
}

/* Forgets an earlier value of the option, such as that of `set`. */
static void forget_given(struct text_list *given, const char *name)
{
	size_t kept = 0, length = strlen(name);

	for (size_t i = 0; i < given->count; i++) {
		char *item = given->items[i];

		if (strncmp(item, name, length) == 0 && (!item[length] || item[length] == ' '))
			free(item);
		else
			given->items[kept++] = item;
	}
	given->count = kept;
}

/* Keeps the option for rule_describe, unless its words say it already. */
static void note_given(struct reading *r, const struct option *o, const char *value)
{
	struct buf item = {0};

	if (!r->given || o->in_words || (r->process && option_is_of(r->process->table, o)))
		return;
	buf_printf(&item, "--%s", o->name);
	if (o->type != OPTION_LIST && !item.failed)
		forget_given(r->given, item.data);
	if (value) {
		buf_add_char(&item, ' ');
		shell_quote(&item, value);
	}
	if (item.failed || text_list_add(r->given, item.data) < 0)
		fault_memory(r);
	buf_free(&item);
}

/* The value of an option: inline, or the next word. NULL for a flag; *failed when it is missing. */
static const char *option_value(struct reading *r, const struct written_option *o, size_t *i,
				const struct word **at, bool *failed)
{
	struct error e;

	*failed = true;
	*at = &r->words[*i];
	if (!option_takes_value(o->option)) {
		*failed = o->inline_value != NULL;
		if (*failed) {
			error_set(&e, "%s takes no value", o->name);
			fault(r, *at, &e);
		}
		return NULL;
	}
	if (o->inline_value) {
		*failed = false;
		return o->inline_value;
	}
	if (*i + 1 >= r->count) {
		error_set(&e, "%s needs a value: %s", o->name,
			  o->option->value ? o->option->value : "VALUE");
		if (strcmp(o->name, "-f") == 0 && r->scopes.type &&
		    strcmp(r->scopes.type->name, "lines") == 0)
			error_hint(&e, "-f reads rules from a file; --follow follows this one");
		else
			explain_missing(r, o->option, &e);
		fault(r, *at, &e);
		return NULL;
	}
	*failed = false;
	*at = &r->words[++*i];
	return (*at)->text;
}

/* A path never begins with a curly quote, as a pattern pasted from a page does. */
static bool is_pattern(const struct option *o)
{
	return o->value && strcmp(o->value, "GLOB") == 0;
}

static void apply_option(struct reading *r, const struct written_option *o, size_t *i)
{
	size_t offset = r->words[*i].offset;
	const struct word *at;
	struct error e;
	const char *value;
	bool failed;

	value = option_value(r, o, i, &at, &failed);
	if (failed)
		return;
	error_clear(&e);
	if (value && r->process && is_pattern(o->option) && look_alike_check(value, &e) < 0) {
		fault(r, at, &e);
		return;
	}
	if (scopes_apply(&r->scopes, o->option, value, &e) < 0) {
		if (o->inline_value && e.column >= 0)
			e.column += (int)(o->inline_value - at->text);
		if (value)
			explain_value(o, value, &e);
		fault(r, at, &e);
		return;
	}
	if (value && !o->inline_value && is_split_duration(r, o->option, value, at + 1)) {
		fault_split_duration(r, o->name, value, at + 1);
		return;
	}
	note_given(r, o->option, value);
	collect_option(r, o->option, value, offset);
}

void read_option(struct reading *r, size_t *i)
{
	const struct word *word = &r->words[*i];
	struct written_option o = {0};

	do {
		written_option_read(&o, &r->scopes, word, o.length);
		if (!o.option)
			fault_unknown(r, word, o.name);
		else
			apply_option(r, &o, i);
	} while (word->text[o.length]);
}

/* Reads the option word at *i, of a cluster of letters the last; *i moves to its last word. */
static void skip_option(const struct reading *r, size_t *i, struct written_option *o)
{
	const struct word *word = &r->words[*i];

	*o = (struct written_option){0};
	do
		written_option_read(o, &r->scopes, word, o->length);
	while (word->text[o->length]);
	if (o->option && option_takes_value(o->option) && !o->inline_value)
		++*i;
}

bool next_option(const struct reading *r, size_t *i, struct written_option *o)
{
	for (; *i < r->count; ++*i) {
		if (!is_option(&r->words[*i]))
			continue;
		skip_option(r, i, o);
		if (o->option)
			return *i < r->count;
	}
	return false;
}

/* Where the option at fault stands: its last word; else the kind's. */
size_t offset_of_rule(const struct reading *r, const struct word *kind, const struct error *e)
{
	const struct word *at = kind;
	int column = e->column;
	struct written_option o;

	for (size_t i = 0; next_option(r, &i, &o); i++) {
		if (!e->option || strcmp(e->option, o.option->name) != 0)
			continue;
		at = &r->words[i];
		column = e->column + (o.inline_value ? (int)(o.inline_value - at->text) : 0);
	}
	return word_offset(r->script, at, column);
}

void fault_of_rule(struct reading *r, const struct word *kind, const struct error *e)
{
	fault_at(r, offset_of_rule(r, kind, e), e);
}

size_t find_kind(const struct reading *r)
{
	struct written_option o;

	for (size_t i = 0; i < r->count; i++) {
		if (!is_option(&r->words[i]))
			return i;
		skip_option(r, &i, &o);
	}
	return r->count;
}

void identify(struct reading *r, const char *word)
{
	buf_add(&r->identity, word, strlen(word) + 1);
}

void apply_defaults(struct reading *r, const struct defaults *d)
{
	for (size_t i = 0; d && i < d->words.count; i++) {
		const struct word *word = &d->words.items[i];
		struct scopes anywhere = r->scopes;
		struct written_option o, here;
		const char *value = NULL;
		struct error e;

		anywhere.type = NULL;
		written_option_read(&o, &anywhere, word, 0);
		written_option_read(&here, &r->scopes, word, 0);
		if (!o.option)
			continue;
		if (option_takes_value(o.option))
			value = d->words.items[++i].text;
		if (!here.option || (r->scopes.type && kind_refuses(r->scopes.type, here.option)))
			continue;
		error_clear(&e);
		identify(r, here.option->name);
		identify(r, value ? value : "");
		if (scopes_apply(&r->scopes, here.option, value, &e) < 0) {
			r->failed = true;
			diagnostics_add(&r->rules->diagnostics, d->script, word->offset, &e);
		}
		note_given(r, here.option, value);
	}
}

void read_set(struct reading *r)
{
	struct error e;

	for (size_t i = 0; i < r->count; i++) {
		struct written_option o = {0};
		const struct word *at = &r->words[i];
		const char *value;
		bool failed;

		if (!is_option(at)) {
			error_set(&e, "set takes options of rules, not \"%s\"", at->text);
			if (scopes_have(&r->scopes, at->text))
				error_hint(&e, "did you mean --%s?", at->text);
			else
				error_hint(&e,
					   "for example: set --tag; a rule has a line of its own");
			fault(r, at, &e);
			if (source_type_find(at->text))
				return;
			continue;
		}
		written_option_read(&o, &r->scopes, at, 0);
		if (!o.option) {
			fault_unknown(r, at, o.name);
			continue;
		}
		value = option_value(r, &o, &i, &at, &failed);
		if (!failed)
			collect_option(r, o.option, value, at->offset);
	}
}
