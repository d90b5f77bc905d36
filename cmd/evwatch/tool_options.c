/* See tool_options.h. */
#include "tool_options.h"

#include "base/error.h"
#include "base/option.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

int tool_fault(const char *tool, const char *word, const struct error *e)
{
	/* A text that names an option begins with it. */
	fprintf(stderr, "evwatch: %s: %s%s%s\n", tool, e->option ? "" : word, e->option ? "" : ": ",
		e->what);
	if (*e->hint)
		fprintf(stderr, "evwatch: %s: %s\n", tool, e->hint);
	return -1;
}

/* The option of this table that the word is, and its value where it is part of the word. */
static const struct option *own_option(const struct option *table, const char *word,
				       const char **value)
{
	char name[32];
	size_t length;

	*value = NULL;
	if (word[0] != '-' || !word[1])
		return NULL;
	if (word[1] != '-') {
		*value = word[2] ? word + 2 : NULL;
		return option_find_letter(table, word[1]);
	}
	length = strcspn(word + 2, "=");
	if (length >= sizeof name)
		return NULL;
	memcpy(name, word + 2, length);
	name[length] = '\0';
	*value = word[2 + length] ? word + 2 + length + 1 : NULL;
	return option_find(table, name);
}

int tool_options_read(const char *tool, const struct option *table, void *config, char **words,
		      int *count)
{
	int kept = 0;

	for (int i = 0; i < *count; i++) {
		const char *value, *word = words[i];
		const struct option *option = own_option(table, word, &value);
		struct error e;

		if (strcmp(word, "--") == 0) {
			while (i < *count)
				words[kept++] = words[i++];
			break;
		}
		if (!option) {
			words[kept++] = words[i];
			continue;
		}
		error_clear(&e);
		if (option_takes_value(option) && !value)
			value = i + 1 < *count ? words[++i] : NULL;
		if (option_takes_value(option) && !value) {
			error_set(&e, "%s is missing", option->value);
			return tool_fault(tool, word, &e);
		}
		if (option_apply(option, config, value, &e) < 0)
			return tool_fault(tool, word, &e);
	}
	*count = kept;
	return 0;
}

static int unknown_option(const char *tool, const struct option *table, const char *word)
{
	const char *names[32], *near;
	size_t n = 0;

	for (; table->name && n + 1 < sizeof names / sizeof *names; table++)
		names[n++] = table->name;
	names[n] = NULL;
	near = nearest_word(word + strspn(word, "-"), names);
	fprintf(stderr, "evwatch: %s has no option %s\n", tool, word);
	if (near)
		fprintf(stderr, "evwatch: %s: did you mean --%s?\n", tool, near);
	else
		fprintf(stderr, "evwatch: %s: \"evwatch %s --help\" lists them\n", tool, tool);
	return -1;
}

int tool_options_finish(const char *tool, const struct option *table, char **words, int *count)
{
	for (int i = 0; i < *count; i++) {
		if (strcmp(words[i], "--") == 0) {
			memmove(words + i, words + i + 1, (size_t)(*count - i - 1) * sizeof *words);
			--*count;
			break;
		}
		if (words[i][0] == '-' && words[i][1])
			return unknown_option(tool, table, words[i]);
	}
	return 0;
}
