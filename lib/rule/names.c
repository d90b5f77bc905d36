/* The names of rules: given ones are unique, the others follow from kind and ordinal. Then links
 * between rules are resolved. */
#include "rule/parser.h"

#include "base/table.h"
#include "rule/links.h"
#include "source/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_KINDS = 32 };

static uint64_t name_hash(const void *name)
{
	return hash_bytes(name, strlen(name));
}

static uint64_t rule_hash(const void *rule)
{
	return name_hash(((const struct rule *)rule)->name);
}

static bool rule_is_called(const void *rule, const void *name)
{
	return strcmp(((const struct rule *)rule)->name, name) == 0;
}

static size_t kind_index(const struct source_type *type)
{
	size_t i = 0;

	while (i < MOST_KINDS - 1 && source_types[i] != type)
		i++;
	return i;
}

static int name_rule(struct rule *r, size_t ordinal)
{
	if (r->name)
		return 0;
	r->name = malloc(RULE_NAME_ROOM);
	if (!r->name)
		return -1;
	snprintf(r->name, RULE_NAME_ROOM, "%s%zu", r->type->name, ordinal);
	return 0;
}

static int out_of_memory(struct rules *rules)
{
	struct error e;

	error_set(&e, "out of memory");
	return diagnostics_add(&rules->diagnostics, NULL, 0, &e);
}

static int twice(struct rules *rules, const struct rule *r)
{
	struct error e;

	error_set(&e, "there is another rule called \"%s\"", r->name);
	if (r->named)
		error_hint(&e, "give one of them another name");
	else
		error_hint(&e, "a name in front makes it another: NAME: %s ...", r->type->name);
	return diagnostics_add(&rules->diagnostics, r->script, r->offset, &e);
}

int rules_finish(struct rules *rules)
{
	static const struct table_type by_name = {rule_hash, name_hash, rule_is_called};
	size_t ordinals[MOST_KINDS] = {0};
	struct table names;
	int result = 0;

	table_init(&names, &by_name);
	for (size_t i = 0; i < rules->count; i++) {
		struct rule *r = rules->items[i];

		if (name_rule(r, ++ordinals[kind_index(r->type)]) < 0)
			result = out_of_memory(rules);
		else if (table_find(&names, r->name))
			result = twice(rules, r);
		else if (table_add(&names, r) < 0)
			result = out_of_memory(rules);
	}
	table_free(&names);
	if (result == 0 && !rules->diagnostics.count && rules_link(rules) < 0)
		result = -1;
	return result;
}
