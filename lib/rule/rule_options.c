/* What a rule says of itself, as a table; and which options mean nothing with its kind. */
#include "rule/rule.h"

#include "address/endpoint.h"
#include "base/error.h"
#include "base/option.h"
#include "source/source.h"

#include <string.h>

#define FIELD(name) offsetof(struct rule_config, name)

/* A name has neither of the separators that an endpoint has. */
int rule_socket_parse(const char *word, struct endpoint *ep, size_t *name, struct error *e)
{
	const char *equals = strchr(word, '=');

	*name = equals ? (size_t)(equals - word) : 0;
	if (equals && (!*name || memchr(word, ':', *name) || memchr(word, '/', *name))) {
		error_set(e, "\"%s\" is not [NAME=]ENDPOINT", word);
		return error_hint(e, "for example: --socket http=*:80");
	}
	if (endpoint_parse(ep, equals ? equals + 1 : word, e) == 0)
		return 0;
	return error_at(e, e->word, e->column + (equals ? (int)*name + 1 : 0));
}

static int check_socket(void *config, const char *word, struct error *e)
{
	struct endpoint ep;
	size_t name;

	(void)config;
	if (rule_socket_parse(word, &ep, &name, e) < 0)
		return -1;
	endpoint_release(&ep);
	return 0;
}

const struct option rule_options[] = {
    {.name = "to",
     .in_words = true,
     .type = OPTION_TEXT,
     .offset = FIELD(to),
     .value = "RULE",
     .help = "hand the events to the command of RULE",
     .reach = REACH_RULES},
    {.name = "runs",
     .in_words = true,
     .type = OPTION_COUNT,
     .offset = FIELD(runs),
     .value = "N",
     .least = 1,
     .help = "the rule ends after N runs"},
    {.name = "socket",
     .in_words = true,
     .type = OPTION_LIST,
     .offset = FIELD(sockets),
     .parse = check_socket,
     .value = "[NAME=]ENDPOINT",
     .help = "hold a socket for the command; repeat",
     .reach = REACH_COMMAND},
    {.name = "last",
     .in_words = true,
     .offset = FIELD(last),
     .help = "when the rule ends, stop with its last status"},
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
