/* See scopes.h. */
#include "rule/scopes.h"

#include "base/array.h"
#include "base/option.h"
#include "base/text.h"
#include "rule/foreign.h"
#include "source/source.h"

#include <stdio.h>
#include <string.h>

void scopes_add(struct scopes *s, const struct option *table, void *config)
{
	s->items[s->count++] = (struct option_scope){.table = table, .config = config};
}

void scopes_add_rule(struct scopes *s, const struct rule *rule)
{
	for (const struct rule_table *t = rule_tables; t->options; t++)
		scopes_add(s, t->options, rule ? rule_table_config(t, rule) : NULL);
}

bool is_option(const struct word *w)
{
	/* As in a shell, quoting does not decide; but `--` in quotes is a word like others. */
	return w->text[0] == '-' && w->text[1] != '\0' && strcmp(w->text, "--") != 0;
}

typedef const struct option *option_finder(const struct option *table, const void *key);

static const struct option *by_name(const struct option *table, const void *key)
{
	return option_find(table, key);
}

static const struct option *by_letter(const struct option *table, const void *key)
{
	return option_find_letter(table, *(const char *)key);
}

static const struct option *scopes_find(const struct scopes *s, option_finder *find,
					const void *key)
{
	const struct option *found = NULL;

	for (int i = 0; !found && i < s->count; i++)
		found = find(s->items[i].table, key);
	for (size_t i = 0; !found && !s->type && source_types[i]; i++)
		found = find(source_types[i]->options, key);
	return found;
}

bool scopes_have(const struct scopes *s, const char *name)
{
	return scopes_find(s, by_name, name) != NULL;
}

static void read_long(struct written_option *o, const struct scopes *s, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : strlen(text);

	snprintf(o->name, sizeof o->name, "%.*s", (int)length, text);
	o->option = scopes_find(s, by_name, o->name + 2);
	if (equals)
		o->inline_value = equals + 1;
	o->length = strlen(text);
}

static void read_letter(struct written_option *o, const struct scopes *s, const char *text,
			size_t at)
{
	snprintf(o->name, sizeof o->name, "-%c", text[at]);
	o->option = scopes_find(s, by_letter, text + at);
	o->length = at + 1;
	if (o->option && option_takes_value(o->option)) {
		if (text[at + 1])
			o->inline_value = text + at + 1;
		o->length = strlen(text);
	}
}

void written_option_read(struct written_option *o, const struct scopes *s, const struct word *word,
			 size_t at)
{
	*o = (struct written_option){0};
	if (at == 0 && word->text[1] == '-')
		read_long(o, s, word->text);
	else
		read_letter(o, s, word->text, at ? at : 1);
}

int scopes_apply(const struct scopes *s, const struct option *option, const char *value,
		 struct error *e)
{
	for (int i = 0; i < s->count; i++) {
		const struct option *o = option_find(s->items[i].table, option->name);

		if (!o)
			continue;
		if (option_apply(o, s->items[i].config, value, e) < 0)
			return -1;
		if (option_takes_value(o))
			return 0;
	}
	return 0;
}

/* The kinds that have this option, as "every, cron and lines"; the empty text when none has. */
static void kinds_with(const char *name, char *out, size_t room)
{
	const char *last = NULL;
	size_t used = 0;

	*out = '\0';
	for (size_t i = 0; source_types[i]; i++) {
		if (!option_find(source_types[i]->options, name))
			continue;
		if (last && used < room)
			used += (size_t)snprintf(out + used, room - used, "%s%s", used ? ", " : "",
						 last);
		last = source_types[i]->name;
	}
	if (last && used < room)
		snprintf(out + used, room - used, "%s%s", used ? " and " : "", last);
}

static const char *nearest_option(const struct scopes *s, const char *name)
{
	const char *names[160];
	size_t n = 0;

	for (int i = 0; i < s->count; i++)
		for (const struct option *o = s->items[i].table; o && o->name; o++)
			if (n < ARRAY_LENGTH(names) - 1)
				names[n++] = o->name;
	names[n] = NULL;
	return nearest_word(name, names);
}

void scopes_explain_unknown(const struct scopes *s, const char *name, const char *value,
			    struct error *e)
{
	const char *bare = name + strspn(name, "-"), *near;
	char kinds[120];

	if (s->type)
		error_set(e, "%s has no option %s", s->type->name, name);
	else
		error_set(e, "there is no option %s", name);
	kinds_with(bare, kinds, sizeof kinds);
	near = name[1] == '-' ? nearest_option(s, bare) : NULL;
	if (foreign_option(e, s->type ? s->type->name : NULL, name, value) == 0)
		return;
	if (*kinds)
		error_hint(e, "it is an option of %s", kinds);
	else if (near)
		error_hint(e, "did you mean --%s?", near);
	else
		error_hint(e, "\"evwatch%s%s --help\" lists the options", s->type ? " " : "",
			   s->type ? s->type->name : "");
}
