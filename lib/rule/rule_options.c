/* What a rule says of itself, as a table; and which options mean nothing with its kind. */
#include "rule/rule.h"

#include "address/endpoint.h"
#include "base/error.h"
#include "base/option.h"
#include "source/source.h"

#include <string.h>

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

#define CONFIG struct rule_config

const struct option rule_options[] = {
    OPTION_ROW("to", TEXT, to, "RULE", "hand the events to the command of RULE", .in_words = true,
	       .reach = REACH_RULES),
    OPTION_ROW("runs", COUNT, runs, "N", "the rule ends after N runs", .in_words = true,
	       .least = 1),
    OPTION_ROW("socket", LIST, sockets, "[NAME=]ENDPOINT", "hold a socket for the command; repeat",
	       .in_words = true, .parse = check_socket, .reach = REACH_COMMAND),
    OPTION_ROW("last", FLAG, last, NULL, "when the rule ends, stop with its last status",
	       .in_words = true),
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
