/* What a rule says of itself, as a table; and which options mean nothing with its kind. */
#include "rule/rule.h"

#include "base/option.h"
#include "source/source.h"

#include <string.h>

#define FIELD(name) offsetof(struct rule_config, name)

const struct option rule_options[] = {
    {.name = "to",
     .type = OPTION_TEXT,
     .offset = FIELD(to),
     .value = "RULE",
     .help = "instead of a command: hand the events to that rule's",
     .reach = REACH_RULES},
    {.name = "runs",
     .type = OPTION_COUNT,
     .offset = FIELD(runs),
     .value = "N",
     .least = 1,
     .help = "the rule ends after N runs"},
    {.name = "last",
     .offset = FIELD(last),
     .help = "evwatch stops with this rule, with its last run's status",
     .reach = REACH_RULES},
    {0},
};

/* Is `name` one of the words? */
static bool is_among(const char *words, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = words; (at = strstr(at, name)); at += length)
		if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}

const struct refusal *kind_refuses(const struct source_type *type, const struct option *o)
{
	if (option_is_of(type->options, o))
		return NULL;
	for (const struct refusal *r = type->refuses; r && r->options; r++)
		if (is_among(r->options, o->name))
			return r;
	return NULL;
}
