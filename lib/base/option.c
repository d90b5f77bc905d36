/* See option.h. */
#include "base/option.h"

#include "base/array.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

const struct option *option_find(const struct option *table, const char *name)
{
	for (; table && table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

const struct option *option_find_letter(const struct option *table, char letter)
{
	for (; table && table->name; table++)
		if (letter && table->letter == letter)
			return table;
	return NULL;
}

bool option_is_of(const struct option *table, const struct option *o)
{
	return option_find(table, o->name) == o;
}

bool option_takes_value(const struct option *o)
{
	return o->type != OPTION_FLAG && o->type != OPTION_TALLY;
}

static int choice_apply(const struct option *o, int *field, const char *word, struct error *e)
{
	struct buf all = {0};
	const char *near;

	for (int i = 0; o->choices[i]; i++) {
		if (strcmp(o->choices[i], word) == 0) {
			*field = i;
			buf_free(&all);
			return 0;
		}
		buf_printf(&all, "%s%s", i ? ", " : "", o->choices[i]);
	}
	error_option(e, o->name, ": \"%s\" is not one of %s", word, all.data ? all.data : "these");
	buf_free(&all);
	near = nearest_word(word, o->choices);
	if (near)
		error_hint(e, "did you mean \"%s\"?", near);
	return -1;
}

static int text_apply(const struct option *o, char **field, const char *word, struct error *e)
{
	char *copy;

	if (!*word && !o->may_be_empty)
		return error_option(e, o->name, ": its value is empty");
	copy = strdup(word);
	if (!copy)
		return error_errno(e, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

static int named(const struct option *o, int result, struct error *e)
{
	return result < 0 ? error_of_option(e, o->name) : 0;
}

static int duration_read(const struct option *o, const char *word, int64_t *ns, struct error *e)
{
	int64_t value;

	if (duration_parse(word, &value, e) < 0)
		return -1;
	if (value < (int64_t)o->least)
		return error_set(e, "must be greater than 0");
	*ns = value;
	return 0;
}

static int value_apply(const struct option *o, void *config, const char *word, struct error *e)
{
	void *field = (char *)config + o->offset;

	switch (o->type) {
	case OPTION_DURATION:
		return duration_read(o, word, field, e);
	case OPTION_SIZE:
		return size_parse(word, field, e);
	case OPTION_RATE:
		return rate_parse(word, field, e);
	case OPTION_COUNT:
		return count_parse(word, o->least, o->most ? o->most : UINT64_MAX, field, e);
	case OPTION_CUSTOM:
		return o->parse(config, word, e);
	default:
		return error_set(e, "this option has no type");
	}
}

int option_apply(const struct option *o, void *config, const char *word, struct error *e)
{
	void *field = (char *)config + o->offset;

	if (o->not_yet) {
		error_option(e, o->name, ": not there yet");
		return error_hint(e, "it is planned for a later version");
	}
	switch (o->type) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_TALLY:
		++*(int *)field;
		return 0;
	case OPTION_TEXT:
		return text_apply(o, field, word, e);
	case OPTION_LIST:
		if (o->parse && o->parse(config, word, e) < 0)
			return named(o, -1, e);
		return text_list_add(field, word) < 0 ? error_errno(e, "out of memory") : 0;
	case OPTION_CHOICE:
		return choice_apply(o, field, word, e);
	default:
		return named(o, value_apply(o, config, word, e), e);
	}
}

void option_release(const struct option *table, void *config)
{
	for (; table && table->name; table++) {
		void *field = (char *)config + table->offset;

		if (table->not_yet)
			continue; /* it has no field */
		if (table->type == OPTION_TEXT) {
			free(*(char **)field);
			*(char **)field = NULL;
		} else if (table->type == OPTION_LIST) {
			text_list_free(field);
		}
	}
}

int text_list_add(struct text_list *list, const char *text)
{
	char *copy;

	if (ARRAY_GROW(list->items, list->capacity, list->count + 1) < 0)
		return -1;
	copy = strdup(text);
	if (!copy)
		return -1;
	list->items[list->count++] = copy;
	return 0;
}

void text_list_free(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct text_list){0};
}
